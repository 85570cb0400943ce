// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a record of the quarantine: refused as damaged, or a record that encodes to the same bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/status.h"
#include "src/settlement/quarantine.h"

namespace nwi = northwind::internal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const std::string key = nwi::QuarantineKey("x");
  const auto event = nwi::DecodeQuarantined(key, value);
  if (!event.ok()) {
    NW_CHECK(absl::IsDataLoss(event.status()), "refused as damaged");
    return 0;
  }
  NW_CHECK(nwi::EncodeQuarantined(*event) == value, "a record has one encoding");
  return 0;
}
