// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SQS_SQS_SERVER_H_
#define NORTHWIND_TESTS_SQS_SQS_SERVER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "src/sqs/aws_credentials.h"
#include "src/sqs/queue_client.h"
#include "tests/support/child_process.h"

namespace northwind::testing {

// A server of SQS, IAM, STS and EC2's metadata on a port of its own (moto), which checks signatures. What a test asks of it
// goes through botocore, a client that has nothing to do with the one that is tested. Aborts if anything is not as asked.
class SqsServer {
 public:
  using Json = nlohmann::json;

  SqsServer();

  std::string endpoint() const;  // "http://127.0.0.1:4711"
  std::string region() const { return "eu-central-1"; }
  // Of a user who may do everything.
  const internal::sqs::AwsKeys& keys() const { return keys_; }
  std::unique_ptr<internal::sqs::AwsCredentials> Credentials() const;
  internal::sqs::QueueClientOptions ClientOptions(const std::string& queue_url) const;

  // Any operation, as botocore names it: Call("sqs", "purge_queue", {{"QueueUrl", url}}).
  Json Call(const std::string& service, const std::string& operation, const Json& arguments);

  // Its URL. A name that ends in ".fifo" is a FIFO queue.
  std::string CreateQueue(const std::string& name, Json attributes = Json::object());
  // A queue that moves what was received more than so often to another; the URLs of both.
  std::pair<std::string, std::string> CreateQueueWithRedrive(const std::string& name, int max_receive_count,
                                                             Json attributes = Json::object());
  // Its message id.
  std::string Send(const std::string& queue_url, const std::string& body, const std::string& group = "");
  // In batches of ten.
  void SendAll(const std::string& queue_url, const std::vector<std::string>& bodies, const std::string& group = "");
  // Visible, and in flight, as the server counts them.
  uint64_t Visible(const std::string& queue_url);
  uint64_t InFlight(const std::string& queue_url);
  // The bodies of those that were received, and are not deleted.
  std::vector<std::string> Received(const std::string& queue_url);
  // Receives, and deletes, all that are visible; their bodies.
  std::vector<std::string> TakeAll(const std::string& queue_url);

  // The next so many requests for this operation, as SQS names it, are answered so, as by what stands before a service, and not
  // done.
  struct Failure {
    std::string operation;
    int status = 503;
    std::string body = {};
    std::map<std::string, std::string> headers = {};
    int count = 1;
  };
  void FailNext(const Failure& failure);
  void FailNoMore() { Command({{"server", "recover"}}); }
  // Whatever is signed by a key that was used until now is answered so, and not done; but for those of keys().
  void RefuseKeysInUse(int status, const std::string& body);
  // How many requests for this operation there have been, answered as may be.
  uint64_t Requests(const std::string& operation);

  // Listens for TLS, too; the endpoint, which is believed by directory/ca.pem.
  std::string ListenForTls(const std::string& directory);
  // All queues are gone, as of a server that keeps them in memory and was started anew.
  void Forget() { Command({{"server", "forget"}}); }
  // Refuses connections and cuts those that are open, until Up, which has the same port. Queues stay as they are.
  void Down() { Command({{"server", "down"}}); }
  void Up() { Command({{"server", "up"}}); }
  // Answers nothing, but holds connections, until Thaw. Nothing can be asked of it meanwhile.
  void Freeze() { process_.Signal(SIGSTOP); }
  void Thaw() { process_.Signal(SIGCONT); }

 private:
  Json ReadLine();
  Json Command(const Json& command);
  uint64_t Count(const std::string& queue_url, const char* attribute);

  ChildProcess process_;
  std::string read_;  // and not yet used
  uint16_t port_ = 0;
  internal::sqs::AwsKeys keys_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SQS_SQS_SERVER_H_
