// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/secret_bytes.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstring>
#include <utility>

#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

// Far above any text read here; keeps sizes within the int that libcrypto takes.
constexpr size_t kMaxBase64Bytes = 1 << 20;

bool IsBase64Character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

}  // namespace

SecretBytes::SecretBytes(std::string_view bytes) : SecretBytes(OfSize(bytes.size())) {
  if (!bytes.empty()) std::memcpy(bytes_.get(), bytes.data(), bytes.size());
}

SecretBytes::~SecretBytes() { Clear(); }

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    Clear();
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void SecretBytes::Clear() {
  if (bytes_ != nullptr) OPENSSL_cleanse(bytes_.get(), size_);
  bytes_.reset();
  size_ = 0;
}

SecretBytes SecretBytes::OfSize(size_t size) {
  SecretBytes made;
  made.bytes_ = std::make_unique<char[]>(size);
  made.size_ = size;
  return made;
}

absl::StatusOr<SecretBytes> SecretBytes::Random(size_t size) {
  SecretBytes made = OfSize(size);
  if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(made.data()), static_cast<int>(size)) != 1) {
    return Error(absl::StatusCode::kUnavailable, "the system's random source gives nothing");
  }
  return made;
}

SecretBytes SecretBytes::Joined(std::string_view first, std::string_view second) {
  SecretBytes made = OfSize(first.size() + second.size());
  if (!first.empty()) std::memcpy(made.data(), first.data(), first.size());
  if (!second.empty()) std::memcpy(made.data() + first.size(), second.data(), second.size());
  return made;
}

SecretBytes EncodeBase64(std::string_view bytes) {
  NW_CHECK(bytes.size() <= kMaxBase64Bytes, "a text to be encoded is of bounded size");
  const size_t size = (bytes.size() + 2) / 3 * 4;
  SecretBytes with_end = SecretBytes::OfSize(size + 1);  // libcrypto ends it with a NUL
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(with_end.data()),
                  reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return SecretBytes(with_end.view().substr(0, size));
}

absl::StatusOr<SecretBytes> DecodeBase64(std::string_view text) {
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  bool good = text.size() % 4 == 0 && text.size() <= kMaxBase64Bytes;
  for (size_t i = 0; good && i + padding < text.size(); ++i) good = IsBase64Character(text[i]);
  if (good) {
    SecretBytes with_padding = SecretBytes::OfSize(text.size() / 4 * 3);
    const int decoded =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(with_padding.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (decoded == static_cast<int>(with_padding.size())) {
      SecretBytes bytes(with_padding.view().substr(0, with_padding.size() - padding));
      // Bits that the padding cuts off must be zero, so that one value has one text.
      const SecretBytes again = EncodeBase64(bytes.view());
      if (CRYPTO_memcmp(again.view().data(), text.data(), text.size()) == 0) return bytes;
    }
  }
  return Error(absl::StatusCode::kInvalidArgument, "not base64 (standard alphabet, padded)");
}

}  // namespace northwind::internal
