// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/queue_text.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "nlohmann/json.hpp"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/sqs/answer_error.h"

namespace northwind::internal::sqs {
namespace {

using Json = nlohmann::json;

// Bytes that are no UTF-8, such as in a receipt handle of nobody's, become such as the service refuses.
std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string_view TextOf(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? std::string_view(at->get_ref<const std::string&>())
                                               : std::string_view();
}

// A whole number, as such or as text: which it is differs between attributes, and between servers.
std::optional<uint64_t> NumberOf(const Json& object, const char* key) {
  const auto at = object.find(key);
  if (at == object.end()) return std::nullopt;
  if (at->is_number_unsigned()) return at->get<uint64_t>();
  uint64_t number = 0;
  if (at->is_string() && absl::SimpleAtoi(at->get_ref<const std::string&>(), &number)) return number;
  return std::nullopt;
}

absl::Status Garbled(const char* what) {
  return Error(absl::StatusCode::kUnavailable, "the answer is garbled: ", what);
}

absl::StatusOr<Json> ParseObject(std::string_view answer) {
  Json json = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Garbled("it is no JSON object");
  return json;
}

const Json& ListOf(const Json& object, const char* key) {
  static const Json* const empty = new Json(Json::array());
  const auto at = object.find(key);
  return at != object.end() && at->is_array() ? *at : *empty;
}

// The place that an entry of an answer has in the request.
std::optional<size_t> PlaceOf(const Json& entry, size_t count) {
  size_t place = 0;
  if (!entry.is_object() || !absl::SimpleAtoi(ToAbsl(TextOf(entry, "Id")), &place) || place >= count)
    return std::nullopt;
  return place;
}

std::optional<Message> ReadMessage(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  Message message;
  message.id = TextOf(json, "MessageId");
  message.receipt_handle = TextOf(json, "ReceiptHandle");
  message.body = TextOf(json, "Body");
  message.body_md5 = TextOf(json, "MD5OfBody");
  const auto attributes = json.find("Attributes");
  if (attributes != json.end() && attributes->is_object()) {
    message.group = TextOf(*attributes, "MessageGroupId");
    message.receive_count = NumberOf(*attributes, "ApproximateReceiveCount").value_or(0);
  }
  if (message.id.empty() || message.receipt_handle.empty()) return std::nullopt;
  return message;
}

}  // namespace

std::string AttributesRequest(std::string_view queue_url) {
  // All: a queue that is not FIFO refuses to be asked whether it is.
  return Dump({{"QueueUrl", queue_url}, {"AttributeNames", {"All"}}});
}

std::string ReceiveRequest(std::string_view queue_url, size_t max, absl::Duration wait, absl::Duration visibility) {
  Json json = {{"QueueUrl", queue_url},
               {"MaxNumberOfMessages", max},
               {"WaitTimeSeconds", absl::ToInt64Seconds(wait)},
               {"MessageSystemAttributeNames", {"ApproximateReceiveCount", "MessageGroupId"}}};
  if (visibility > absl::ZeroDuration()) json["VisibilityTimeout"] = absl::ToInt64Seconds(visibility);
  return Dump(json);
}

std::string DeleteRequest(std::string_view queue_url, const std::vector<std::string>& receipt_handles) {
  Json entries = Json::array();
  for (const std::string& handle : receipt_handles) {
    entries.push_back({{"Id", std::to_string(entries.size())}, {"ReceiptHandle", handle}});
  }
  return Dump({{"QueueUrl", queue_url}, {"Entries", std::move(entries)}});
}

std::string VisibilityRequest(std::string_view queue_url, const std::vector<VisibilityChange>& changes) {
  Json entries = Json::array();
  for (const VisibilityChange& change : changes) {
    entries.push_back({{"Id", std::to_string(entries.size())},
                       {"ReceiptHandle", change.receipt_handle},
                       {"VisibilityTimeout", absl::ToInt64Seconds(change.visibility)}});
  }
  return Dump({{"QueueUrl", queue_url}, {"Entries", std::move(entries)}});
}

absl::StatusOr<QueueAttributes> ReadAttributes(std::string_view answer) {
  NW_ASSIGN_OR_RETURN(const Json json, ParseObject(answer));
  const auto attributes = json.find("Attributes");
  if (attributes == json.end() || !attributes->is_object()) return Garbled("no attributes");
  const std::optional<uint64_t> visibility = NumberOf(*attributes, "VisibilityTimeout");
  if (!visibility) return Garbled("no visibility timeout");
  QueueAttributes read;
  read.visibility = absl::Seconds(*visibility);
  read.fifo = TextOf(*attributes, "FifoQueue") == "true";
  read.visible = NumberOf(*attributes, "ApproximateNumberOfMessages").value_or(0);
  read.in_flight = NumberOf(*attributes, "ApproximateNumberOfMessagesNotVisible").value_or(0);
  read.delayed = NumberOf(*attributes, "ApproximateNumberOfMessagesDelayed").value_or(0);
  // JSON within JSON.
  if (const std::string_view policy = TextOf(*attributes, "RedrivePolicy"); !policy.empty()) {
    NW_ASSIGN_OR_RETURN(const Json parsed, ParseObject(policy));
    read.max_receive_count = NumberOf(parsed, "maxReceiveCount");
  }
  return read;
}

absl::StatusOr<std::vector<Message>> ReadMessages(std::string_view answer) {
  NW_ASSIGN_OR_RETURN(const Json json, ParseObject(answer));
  std::vector<Message> messages;
  for (const Json& each : ListOf(json, "Messages")) {
    std::optional<Message> message = ReadMessage(each);
    if (!message) return Garbled("a message without id or receipt handle");
    messages.push_back(*std::move(message));
  }
  return messages;
}

absl::StatusOr<std::vector<absl::Status>> ReadEntries(std::string_view answer, size_t count) {
  NW_ASSIGN_OR_RETURN(const Json json, ParseObject(answer));
  std::vector<absl::Status> statuses(count, Garbled("it says nothing of this entry"));
  for (const Json& entry : ListOf(json, "Successful")) {
    if (const auto place = PlaceOf(entry, count)) statuses[*place] = absl::OkStatus();
  }
  // Last: one that is said to have been both has failed.
  for (const Json& entry : ListOf(json, "Failed")) {
    const auto place = PlaceOf(entry, count);
    if (!place) continue;
    const auto fault = entry.find("SenderFault");
    const bool sender_fault = fault != entry.end() && fault->is_boolean() && fault->get<bool>();
    statuses[*place] = EntryError(TextOf(entry, "Code"), TextOf(entry, "Message"), sender_fault);
  }
  return statuses;
}

}  // namespace northwind::internal::sqs
