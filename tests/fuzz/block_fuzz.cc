// SPDX-License-Identifier: Apache-2.0
//
// A journal block of any bytes. As few inputs match a SHA-256 by chance, the input is also taken for the payload of a
// block whose header is right: its first four bytes are the count.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/sha256.h"
#include "src/ledger/block.h"

namespace nwi = northwind::internal;

namespace {

void Walk(std::string_view value) {
  const auto block = nwi::Block::Parse(value);
  if (!block.ok()) return;
  const nwi::BlockHeader& header = (*block)->header();
  const auto again = nwi::EncodeBlockHeader(header);
  NW_CHECK(value.substr(0, again.size()) == std::string_view(again.data(), again.size()), "a header has one encoding");
  size_t bytes = 0;
  for (uint64_t sequence = header.first; sequence <= header.last(); ++sequence) {
    std::string framed;
    nwi::PutBytes(framed, (*block)->Record(sequence));
    bytes += framed.size();
  }
  NW_CHECK(bytes == (*block)->payload().size(), "the records of a block are its payload");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Walk(input);
  if (size < 4) return 0;
  const std::string_view payload = input.substr(4);
  const auto header = nwi::EncodeBlockHeader({.first = 1,
                                              .count = nwi::LoadBigEndian32(input.data()),
                                              .payload_bytes = static_cast<uint32_t>(payload.size()),
                                              .recorded_at = 1,
                                              .payload_hash = nwi::Sha256::Of(payload)});
  std::string value(header.data(), header.size());
  Walk(value.append(payload));
  return 0;
}
