// SPDX-License-Identifier: Apache-2.0
//
// Byte order and variable-length integers, as used by everything stored. docs/format.md gives the grammar.
#ifndef NORTHWIND_SRC_BASE_CODING_H_
#define NORTHWIND_SRC_BASE_CODING_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/numeric/int128.h"

namespace northwind::internal {

inline void PutBigEndian32(std::string& out, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(v >> shift));
}
inline void PutBigEndian64(std::string& out, uint64_t v) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(v >> (56 - 8 * i));
  out.append(bytes, 8);
}
inline uint32_t LoadBigEndian32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return std::endian::native == std::endian::little ? __builtin_bswap32(v) : v;
}
inline uint64_t LoadBigEndian64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return std::endian::native == std::endian::little ? __builtin_bswap64(v) : v;
}

// Maps signed to unsigned so that small magnitudes stay small: 0, −1, 1, −2 … → 0, 1, 2, 3 …
inline uint64_t ZigZag(int64_t v) { return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63); }
inline int64_t UnZigZag(uint64_t v) { return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1); }

inline absl::uint128 ZigZag128(absl::int128 v) {
  const absl::uint128 doubled = static_cast<absl::uint128>(v) << 1;
  return v < 0 ? ~doubled : doubled;
}
inline absl::int128 UnZigZag128(absl::uint128 v) {
  const absl::uint128 half = v >> 1;
  return static_cast<absl::int128>((v & 1) != 0 ? ~half : half);
}

// LEB128: seven bits a byte, low bits first, high bit set on all but the last.
inline constexpr size_t kMaxVarint64 = 10;
inline constexpr size_t kMaxVarint128 = 19;

inline char* EncodeVarint64(char* p, uint64_t v) {
  while (v >= 0x80) {
    *p++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *p++ = static_cast<char>(v);
  return p;
}
inline char* EncodeVarint128(char* p, absl::uint128 v) {
  if (absl::Uint128High64(v) == 0) return EncodeVarint64(p, absl::Uint128Low64(v));
  while (v >= 0x80) {
    *p++ = static_cast<char>(static_cast<uint8_t>(absl::Uint128Low64(v)) | 0x80);
    v >>= 7;
  }
  *p++ = static_cast<char>(absl::Uint128Low64(v));
  return p;
}
inline void PutVarint64(std::string& out, uint64_t v) {
  char bytes[kMaxVarint64];
  out.append(bytes, static_cast<size_t>(EncodeVarint64(bytes, v) - bytes));
}
inline void PutVarint128(std::string& out, absl::uint128 v) {
  char bytes[kMaxVarint128];
  out.append(bytes, static_cast<size_t>(EncodeVarint128(bytes, v) - bytes));
}
inline void PutBytes(std::string& out, std::string_view bytes) {  // length-prefixed
  PutVarint64(out, bytes.size());
  out.append(bytes);
}

// Reads what the functions above wrote, from bytes that may be damaged: every getter returns false, and leaves the
// reader failed for good, when the input ends early, a varint is longer than it need be, or a value does not fit.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : p_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return p_ == end_; }
  size_t remaining() const { return static_cast<size_t>(end_ - p_); }
  const char* position() const { return p_; }

  bool GetByte(uint8_t& v) {
    if (p_ == end_) return Fail();
    v = static_cast<uint8_t>(*p_++);
    return true;
  }
  bool GetVarint64(uint64_t& v) {
    if (p_ != end_ && static_cast<uint8_t>(*p_) < 0x80) {
      v = static_cast<uint8_t>(*p_++);
      return true;
    }
    return GetVarint64Slow(v);
  }
  template <typename T>
  bool GetVarint(T& v) {  // for narrower unsigned types
    uint64_t wide;
    if (!GetVarint64(wide)) return false;
    if (wide > static_cast<uint64_t>(static_cast<T>(~T{0}))) return Fail();
    v = static_cast<T>(wide);
    return true;
  }
  bool GetVarint128(absl::uint128& v);
  bool GetZigZag(int64_t& v) {
    uint64_t raw;
    if (!GetVarint64(raw)) return false;
    v = UnZigZag(raw);
    return true;
  }
  bool GetRaw(size_t n, std::string_view& v) {
    if (remaining() < n) return Fail();
    v = {p_, n};
    p_ += n;
    return true;
  }
  bool GetBytes(size_t max, std::string_view& v) {  // length-prefixed
    uint64_t n;
    if (!GetVarint64(n)) return false;
    if (n > max) return Fail();
    return GetRaw(static_cast<size_t>(n), v);
  }
  bool GetBigEndian32(uint32_t& v) {
    std::string_view raw;
    if (!GetRaw(4, raw)) return false;
    v = LoadBigEndian32(raw.data());
    return true;
  }
  bool GetBigEndian64(uint64_t& v) {
    std::string_view raw;
    if (!GetRaw(8, raw)) return false;
    v = LoadBigEndian64(raw.data());
    return true;
  }
  // Lets a caller that found a value out of range say so.
  bool Fail() {
    ok_ = false;
    p_ = end_;
    return false;
  }

 private:
  bool GetVarint64Slow(uint64_t& v);

  const char* p_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_BASE_CODING_H_
