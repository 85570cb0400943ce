// SPDX-License-Identifier: Apache-2.0
//
// The small records of indexes and checkpoints, of any bytes: refused, or exactly what the encoder makes of
// what was read. The first byte picks the kind.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "northwind/status.h"
#include "src/ledger/index.h"
#include "src/ledger/state_codec.h"

namespace nw = northwind;
namespace nwi = northwind::internal;

namespace {

template <typename Row>
void Check(std::string_view input, absl::Status (*decode)(std::string_view, Row&),
           void (*encode)(const Row&, std::string&)) {
  Row row;
  if (!decode(input, row).ok()) return;
  std::string again;
  encode(row, again);
  NW_CHECK(again == input, "a row that no encoder makes was accepted");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0:
      Check<nwi::KeyEntry>(input, nwi::DecodeKeyEntry, nwi::EncodeKeyEntry);
      break;
    case 1:
      Check<nwi::ReferenceClaim>(input, nwi::DecodeReferenceClaim, nwi::EncodeReferenceClaim);
      break;
    case 2:
      Check<nwi::Progress>(input, nwi::DecodeProgress, nwi::EncodeProgress);
      break;
    case 3:
      Check<nwi::AccountAttributes>(input, nwi::DecodeAttributes, nwi::EncodeAttributes);
      break;
    case 4:
      Check<nw::Totals>(input, nwi::DecodeTotals, nwi::EncodeTotals);
      break;
    case 5:
      Check<nwi::HoldRow>(input, nwi::DecodeHold, nwi::EncodeHold);
      break;
    default:
      Check<nwi::Watermark>(input, nwi::DecodeWatermark, nwi::EncodeWatermark);
      break;
  }
  return 0;
}
