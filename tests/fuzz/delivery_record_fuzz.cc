// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a record, key or task of webhook deliveries: refused as damaged, or one that encodes to the same bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/status.h"
#include "src/webhook/delivery_record.h"

namespace nwi = northwind::internal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const northwind::DeliveryName name{
      .merchant_id = "m", .endpoint_id = "e", .message_id = "msg_01HF7YAT00000000000000001Z"};
  const auto check = [value](const auto& decoded, const auto& encode) {
    if (decoded.ok()) {
      NW_CHECK(encode(*decoded) == value, "a record has one encoding");
    } else {
      NW_CHECK(absl::IsDataLoss(decoded.status()), "refused as damaged");
    }
  };
  check(nwi::DecodeMessage(name.merchant_id, name.message_id, value), nwi::EncodeMessage);
  check(nwi::DecodeDelivery(name, value), nwi::EncodeDelivery);
  check(nwi::DecodeAttempt(name, 1, value), nwi::EncodeAttempt);
  check(nwi::DecodeAttemptLine(name, value), nwi::EncodeAttemptLine);
  check(nwi::DecodeFailing(name.merchant_id, name.endpoint_id, value), nwi::EncodeFailing);
  check(nwi::DecodeRecovery(name.merchant_id, name.endpoint_id, value), nwi::EncodeRecovery);
  check(nwi::DecodeDeliveryTask(value), nwi::EncodeDeliveryTask);

  if (const auto names = nwi::ParseMessageKey(value)) {
    NW_CHECK(nwi::MessageKey(names->first, names->second) == value, "a message has one key");
  }
  if (const auto names = nwi::ParseDeliveryKey(value)) {
    NW_CHECK(nwi::DeliveryKey(names->name) == value, "a delivery has one key");
  }
  if (const auto names = nwi::ParseAttemptKey(value)) {
    NW_CHECK(nwi::AttemptKey(names->name, names->number) == value, "an attempt has one key");
  }
  if (const auto names = nwi::ParseTimeKey(value)) {
    NW_CHECK(nwi::TimeKey(names->name, names->at, names->number) == value, "an attempt has one line");
  }
  if (const auto of = nwi::ParseDeliveryTaskId(value)) {
    NW_CHECK(nwi::DeliveryTaskId(*of) == value || nwi::ResendTaskId(*of) == value, "a task has one id");
  }
  return 0;
}
