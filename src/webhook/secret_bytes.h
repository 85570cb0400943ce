// SPDX-License-Identifier: Apache-2.0
//
// Bytes that must not outlive their use in memory, and the base64 that they are written in.
#ifndef NORTHWIND_SRC_WEBHOOK_SECRET_BYTES_H_
#define NORTHWIND_SRC_WEBHOOK_SECRET_BYTES_H_

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"

namespace northwind::internal {

// A buffer of fixed size, overwritten before it is freed. Moves hand the buffer over and leave nothing behind, which
// std::string does not promise (short texts lie inside the object). What it cannot reach: copies that the caller holds,
// registers, swap space and core dumps.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::string_view bytes);
  ~SecretBytes();
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;

  // All zeros.
  static SecretBytes OfSize(size_t size);
  // From the system's random source, through libcrypto's generator for private values. Unavailable if there is none.
  static absl::StatusOr<SecretBytes> Random(size_t size);
  static SecretBytes Joined(std::string_view first, std::string_view second);

  std::string_view view() const { return {bytes_.get(), size_}; }
  char* data() { return bytes_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  void Clear();

  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

// The standard alphabet (RFC 4648 section 4), with padding.
SecretBytes EncodeBase64(std::string_view bytes);
// Accepts exactly what EncodeBase64 writes: no blanks, full padding, no stray bits. InvalidArgument for anything else;
// the message holds nothing of the text.
absl::StatusOr<SecretBytes> DecodeBase64(std::string_view text);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_SECRET_BYTES_H_
