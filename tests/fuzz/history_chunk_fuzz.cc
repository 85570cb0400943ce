// SPDX-License-Identifier: Apache-2.0
//
// A chunk of account history of any bytes: refused, or one whose running totals never leave their bounds.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "northwind/status.h"
#include "src/ledger/history_chunk.h"

namespace nw = northwind;
namespace nwi = northwind::internal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  nwi::HistoryChunk chunk;
  if (!nwi::DecodeHistoryChunk(7, input, chunk).ok()) return 0;
  std::string again;
  nwi::EncodeHistoryChunk(chunk, again);
  NW_CHECK(again == input, "a chunk has one encoding");

  std::vector<nw::Entry> entries;
  if (!nwi::UnpackHistoryChunk(chunk, entries).ok()) return 0;
  NW_CHECK(entries.size() == chunk.count && entries.front().sequence == nw::Sequence(7), "count, first");
  const absl::uint128 max = nw::Amount::Max().units();
  for (size_t i = 0; i < entries.size(); ++i) {
    const nw::Totals& t = entries[i].after;
    NW_CHECK(t.debits_posted <= max && t.credits_posted <= max && t.debits_held <= max && t.credits_held <= max,
             "a total over its bound");
    if (i > 0) {
      NW_CHECK(entries[i - 1].sequence <= entries[i].sequence, "sequences go up");
      NW_CHECK(entries[i - 1].recorded_at <= entries[i].recorded_at, "times go up");
    }
  }
  return 0;
}
