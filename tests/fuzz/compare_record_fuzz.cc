// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as each of the records that the parallel run keeps: refused as damaged, or a record that encodes to the same bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/status.h"
#include "src/compare/day_figures.h"
#include "src/compare/day_index.h"
#include "src/compare/discrepancy.h"
#include "src/compare/gate.h"
#include "src/compare/item.h"
#include "src/compare/row_ids.h"
#include "src/compare/run_state.h"

namespace nwc = northwind::internal::compare;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto check = [value](const auto& decoded, const auto& encode) {
    if (decoded.ok()) {
      NW_CHECK(encode(*decoded) == value, "a record has one encoding");
    } else {
      NW_CHECK(absl::IsDataLoss(decoded.status()), "refused as damaged");
    }
  };
  const absl::CivilDay day(2026, 3, 2);
  check(nwc::DecodeItem("capture:pay_1", value), nwc::EncodeItem);
  check(nwc::DecodeDiscrepancy("capture:pay_1", value), nwc::EncodeDiscrepancy);
  check(nwc::DecodeRowPlace("k", value), nwc::EncodeRowPlace);
  check(nwc::DecodeFigures(day, value), nwc::EncodeFigures);
  check(nwc::DecodeCameIn(day, value), nwc::EncodeCameIn);
  check(nwc::DecodeSignOff(value), nwc::EncodeSignOff);
  check(nwc::DecodeMeta(value), nwc::EncodeMeta);
  const auto entry = nwc::DecodeIndexEntry("k", value);
  NW_CHECK(entry.ok() || absl::IsDataLoss(entry.status()), "refused as damaged");
  return 0;
}
