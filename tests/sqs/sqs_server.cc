// SPDX-License-Identifier: Apache-2.0
#include "tests/sqs/sqs_server.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"

namespace northwind::testing {
namespace {

constexpr size_t kBatch = 10;
// Python takes a second or two to start; more on a machine that is busy.
constexpr int kPatienceMs = 120'000;

[[noreturn]] void Abort(const std::string& what) {
  std::fprintf(stderr, "the SQS server of the test: %s\n", what.c_str());
  std::abort();
}

SqsServer::Json Entry(const std::string& body, const std::string& group, size_t place) {
  // The same body may be sent twice: it is the sender's to tell messages apart.
  static uint64_t sent = 0;
  SqsServer::Json entry = {{"Id", std::to_string(place)}, {"MessageBody", body}};
  if (!group.empty()) entry.update({{"MessageGroupId", group}, {"MessageDeduplicationId", std::to_string(++sent)}});
  return entry;
}

}  // namespace

SqsServer::SqsServer() : process_({NORTHWIND_VENV_PYTHON, NORTHWIND_SQS_SERVER}) {
  const Json greeting = ReadLine();
  port_ = greeting.at("port").get<uint16_t>();
  keys_.access_key_id = greeting.at("access_key_id").get<std::string>();
  keys_.secret_access_key = greeting.at("secret_access_key").get<std::string>();
}

std::string SqsServer::endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }

std::unique_ptr<internal::sqs::AwsCredentials> SqsServer::Credentials() const {
  return std::make_unique<internal::sqs::StaticCredentials>(keys_);
}

internal::sqs::QueueClientOptions SqsServer::ClientOptions(const std::string& queue_url) const {
  return {.queue_url = queue_url, .endpoint = endpoint(), .region = region()};
}

SqsServer::Json SqsServer::ReadLine() {
  size_t end = 0;
  while ((end = read_.find('\n')) == std::string::npos) {
    const size_t before = read_.size();
    if (!process_.Read(read_, kPatienceMs)) Abort("it has ended; does scripts/bootstrap have to be run?");
    if (read_.size() == before) Abort("it does not answer");
  }
  Json line = Json::parse(read_.substr(0, end));
  read_.erase(0, end + 1);
  return line;
}

SqsServer::Json SqsServer::Command(const Json& command) {
  if (!process_.Write(command.dump() + "\n")) Abort("it is gone");
  Json answer = ReadLine();
  if (!answer.contains("ok")) Abort(command.dump() + ": " + answer.dump());
  return answer["ok"];
}

SqsServer::Json SqsServer::Call(const std::string& service, const std::string& operation, const Json& arguments) {
  return Command({{"service", service}, {"operation", operation}, {"arguments", arguments}});
}

void SqsServer::FailNext(const Failure& failure) {
  Command({{"server", "fail"},
           {"operation", failure.operation},
           {"status", failure.status},
           {"body", failure.body},
           {"headers", failure.headers},
           {"count", failure.count}});
}

void SqsServer::RefuseKeysInUse(int status, const std::string& body) {
  Command({{"server", "refuse"}, {"status", status}, {"body", body}});
}

uint64_t SqsServer::Requests(const std::string& operation) {
  return Command({{"server", "requests"}, {"operation", operation}}).at("count");
}

std::string SqsServer::ListenForTls(const std::string& directory) {
  const Json answer = Command({{"server", "tls"}, {"directory", directory}});
  return "https://127.0.0.1:" + std::to_string(answer.at("port").get<uint16_t>());
}

std::string SqsServer::CreateQueue(const std::string& name, Json attributes) {
  if (absl::EndsWith(name, ".fifo")) attributes["FifoQueue"] = "true";
  return Call("sqs", "create_queue", {{"QueueName", name}, {"Attributes", attributes}}).at("QueueUrl");
}

std::pair<std::string, std::string> SqsServer::CreateQueueWithRedrive(const std::string& name, int max_receive_count,
                                                                      Json attributes) {
  const bool fifo = absl::EndsWith(name, ".fifo");
  std::string dead = CreateQueue(name.substr(0, name.find('.')) + (fifo ? "-dead.fifo" : "-dead"));
  const std::string arn = Call("sqs", "get_queue_attributes",
                               {{"QueueUrl", dead}, {"AttributeNames", {"QueueArn"}}})["Attributes"]["QueueArn"];
  attributes["RedrivePolicy"] =
      Json{{"deadLetterTargetArn", arn}, {"maxReceiveCount", std::to_string(max_receive_count)}}.dump();
  return {CreateQueue(name, std::move(attributes)), std::move(dead)};
}

std::string SqsServer::Send(const std::string& queue_url, const std::string& body, const std::string& group) {
  Json entry = Entry(body, group, 0);
  entry.erase("Id");
  entry["QueueUrl"] = queue_url;
  return Call("sqs", "send_message", entry).at("MessageId");
}

void SqsServer::SendAll(const std::string& queue_url, const std::vector<std::string>& bodies,
                        const std::string& group) {
  for (size_t begin = 0; begin < bodies.size(); begin += kBatch) {
    Json entries = Json::array();
    for (size_t i = begin; i < std::min(begin + kBatch, bodies.size()); ++i) {
      entries.push_back(Entry(bodies[i], group, i - begin));
    }
    const Json answer = Call("sqs", "send_message_batch", {{"QueueUrl", queue_url}, {"Entries", entries}});
    if (answer.contains("Failed") && !answer["Failed"].empty()) Abort("send_message_batch: " + answer.dump());
  }
}

uint64_t SqsServer::Count(const std::string& queue_url, const char* attribute) {
  const Json answer = Call("sqs", "get_queue_attributes", {{"QueueUrl", queue_url}, {"AttributeNames", {attribute}}});
  return std::stoull(answer.at("Attributes").at(attribute).get<std::string>());
}

uint64_t SqsServer::Visible(const std::string& queue_url) { return Count(queue_url, "ApproximateNumberOfMessages"); }

uint64_t SqsServer::InFlight(const std::string& queue_url) {
  return Count(queue_url, "ApproximateNumberOfMessagesNotVisible");
}

std::vector<std::string> SqsServer::Received(const std::string& queue_url) {
  return Command({{"server", "received"}, {"queue", queue_url.substr(queue_url.rfind('/') + 1)}}).at("bodies");
}

std::vector<std::string> SqsServer::TakeAll(const std::string& queue_url) {
  std::vector<std::string> bodies;
  while (true) {
    const Json answer = Call("sqs", "receive_message", {{"QueueUrl", queue_url}, {"MaxNumberOfMessages", kBatch}});
    if (!answer.contains("Messages") || answer["Messages"].empty()) return bodies;
    for (const Json& message : answer["Messages"]) {
      bodies.push_back(message.at("Body"));
      Call("sqs", "delete_message", {{"QueueUrl", queue_url}, {"ReceiptHandle", message.at("ReceiptHandle")}});
    }
  }
}

}  // namespace northwind::testing
