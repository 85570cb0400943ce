// SPDX-License-Identifier: Apache-2.0
//
// What a queue's service, what stands before it, and sources of credentials may answer: the first byte says what was asked.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/status.h"
#include "src/sqs/answer_error.h"
#include "src/sqs/aws_profile.h"
#include "src/sqs/queue_text.h"
#include "src/sqs/remote_credentials.h"

namespace sqs = northwind::internal::sqs;

namespace {

constexpr size_t kBatch = 3;

void CheckMessages(std::string_view text) {
  const auto messages = sqs::ReadMessages(text);
  if (!messages.ok()) return;
  for (const sqs::Message& message : *messages) {
    NW_CHECK(!message.id.empty() && !message.receipt_handle.empty(), "a message that cannot be deleted");
  }
}

void CheckEntries(std::string_view text) {
  const auto entries = sqs::ReadEntries(text, kBatch);
  NW_CHECK(!entries.ok() || entries->size() == kBatch, "an entry without its status");
}

void CheckError(std::string_view text) {
  northwind::internal::http::Result result;
  const size_t end = std::min(text.find('\n'), text.size());
  result.status = text.empty() ? 400 : 300 + static_cast<uint8_t>(text[0]);
  result.headers = {{"date", std::string(text.substr(0, end))},
                    {"x-amzn-query-error", std::string(text.substr(0, end))}};
  result.body = text.substr(end);
  const auto error = sqs::ErrorOf(result, "ReceiveMessage", absl::UnixEpoch());
  NW_CHECK(error && !error->status.ok(), "an error that is a success");
  NW_CHECK(error->status.message().find('\n') == absl::string_view::npos, "a message of more than a line");
}

void CheckKeys(const absl::StatusOr<sqs::AwsKeys>& keys) {
  NW_CHECK(!keys.ok() || (!keys->access_key_id.empty() && !keys->secret_access_key.empty()), "keys that are none");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  sqs::Settings settings;
  switch (data[0]) {
    case 'm':
      CheckMessages(text);
      break;
    case 'a':
      static_cast<void>(sqs::ReadAttributes(text));
      break;
    case 'b':
      CheckEntries(text);
      break;
    case 'e':
      CheckError(text);
      break;
    case 'j':
      CheckKeys(sqs::ReadKeysJson(text));
      break;
    case 'x':
      CheckKeys(sqs::ReadKeysXml(text));
      break;
    case 'p':
      static_cast<void>(sqs::ReadSettings(text, sqs::Section::kConfigProfile, "pay", settings));
      break;
    default:
      break;
  }
  return 0;
}
