// SPDX-License-Identifier: Apache-2.0
#include "src/base/coding.h"

namespace northwind::internal {

bool ByteReader::GetVarint64Slow(uint64_t& v) {
  uint64_t result = 0;
  for (int shift = 0; shift < 70 && p_ != end_; shift += 7) {
    const uint64_t byte = static_cast<uint8_t>(*p_++);
    if (shift == 63 && byte > 1) return Fail();
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift != 0) return Fail();  // not the shortest form
      v = result;
      return true;
    }
  }
  return Fail();
}

bool ByteReader::GetVarint128(absl::uint128& v) {
  absl::uint128 result = 0;
  for (int shift = 0; shift < 133 && p_ != end_; shift += 7) {
    const uint64_t byte = static_cast<uint8_t>(*p_++);
    if (shift == 126 && byte > 3) return Fail();
    result |= absl::uint128(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift != 0) return Fail();
      v = result;
      return true;
    }
  }
  return Fail();
}

}  // namespace northwind::internal
