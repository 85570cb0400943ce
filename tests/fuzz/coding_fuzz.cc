// SPDX-License-Identifier: Apache-2.0
//
// ByteReader on any bytes: never reads past them, and takes only the one encoding that the writers would have made.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/status.h"
#include "src/base/coding.h"

namespace nwi = northwind::internal;

// The first byte of each step picks what is read next.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  nwi::ByteReader reader(input);
  uint8_t what = 0;
  while (reader.GetByte(what)) {
    const char* const begin = reader.position();
    std::string again;
    switch (what % 8) {
      case 0: {
        uint64_t v = 0;
        if (reader.GetVarint64(v)) nwi::PutVarint64(again, v);
        break;
      }
      case 1: {
        absl::uint128 v = 0;
        if (reader.GetVarint128(v)) nwi::PutVarint128(again, v);
        break;
      }
      case 2: {
        uint16_t v = 0;
        if (reader.GetVarint(v)) nwi::PutVarint64(again, v);
        break;
      }
      case 3: {
        int64_t v = 0;
        if (reader.GetZigZag(v)) nwi::PutVarint64(again, nwi::ZigZag(v));
        break;
      }
      case 4: {
        std::string_view v;
        if (reader.GetBytes(64, v)) {
          NW_CHECK(v.size() <= 64, "over its bound");
          nwi::PutBytes(again, v);
        }
        break;
      }
      case 5: {
        uint32_t v = 0;
        if (reader.GetBigEndian32(v)) nwi::PutBigEndian32(again, v);
        break;
      }
      case 6: {
        uint64_t v = 0;
        if (reader.GetBigEndian64(v)) nwi::PutBigEndian64(again, v);
        break;
      }
      default: {
        std::string_view v;
        if (reader.GetRaw(what / 8, v)) again = v;
        break;
      }
    }
    if (!reader.ok()) break;
    const std::string_view read(begin, static_cast<size_t>(reader.position() - begin));
    NW_CHECK(read == again, "what was read does not encode to the bytes it was read from");
  }
  NW_CHECK(reader.AtEnd() && reader.remaining() == 0, "a reader ends at the end, failed or not");
  return 0;
}
