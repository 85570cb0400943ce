// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the metadata of a settlement transaction, which a host may have written: refused, or what encodes to the
// same bytes; and the transaction with it is no event, or one that maps to it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "northwind/status.h"
#include "src/settlement/event.h"

namespace nw = northwind;
namespace nwi = northwind::internal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto decoded = nwi::DecodeMetadata(bytes);
  if (decoded.has_value()) {
    NW_CHECK(nwi::EncodeMetadata(decoded->owner, decoded->metadata) == bytes, "metadata has one encoding");
  }
  nw::Transaction paid{.kind = nw::TransactionKind::kCapture};
  paid.target = nw::Target::Reference(nw::EventCode(nw::EventType::kPayoutRequested), "po_1");
  paid.amount = 5;
  paid.final_capture = true;
  paid.code = nw::EventCode(nw::EventType::kPayoutPaid);
  paid.reference = "po_1";
  paid.unique_reference = true;
  paid.effective_at = absl::FromUnixSeconds(1'700'000'000);
  paid.metadata = bytes;
  if (const auto event = nwi::UnmapEvent(paid, {}); event.has_value()) {
    NW_CHECK(decoded.has_value(), "its metadata was read");
    NW_CHECK(nwi::MapValidEvent(*event).transaction.metadata == bytes, "the event maps to the transaction");
  }
  return 0;
}
