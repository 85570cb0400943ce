// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a payout's view, rail record and task: refused as damaged, or a record that encodes to the same bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/status.h"
#include "src/settlement/payout_record.h"

namespace nwi = northwind::internal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto check = [value](const auto& decoded, const auto& encode) {
    if (decoded.ok()) {
      NW_CHECK(encode(*decoded) == value, "a record has one encoding");
    } else {
      NW_CHECK(absl::IsDataLoss(decoded.status()), "refused as damaged");
    }
  };
  check(nwi::DecodePayoutView("po1", value), nwi::EncodePayoutView);
  check(nwi::DecodePayoutRail("po1", value), nwi::EncodePayoutRail);
  check(nwi::DecodeInstruction(value), [](const northwind::PayoutInstruction& payout) {
    // The key is in the provider key, which is "nw" and its digits.
    const auto key = northwind::IdempotencyKey::Parse(std::string_view(payout.provider_key).substr(2));
    NW_CHECK(key.ok(), "a provider key names the hold's key");
    return nwi::EncodeInstruction(payout, *key);
  });
  return 0;
}
