// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/secrets.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

std::string Hex(const unsigned char* bytes, size_t size) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes), size));
}

}  // namespace

std::string RandomHex(size_t bytes) {
  std::array<unsigned char, kSecretBytes> random{};
  NW_CHECK(bytes <= random.size(), "no secret is that long");
  NW_CHECK(RAND_bytes(random.data(), static_cast<int>(bytes)) == 1, "no randomness");
  std::string text = Hex(random.data(), bytes);
  OPENSSL_cleanse(random.data(), random.size());
  return text;
}

Digest Sha256(std::string_view bytes) {
  Digest digest{};
  NW_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1, "no SHA-256");
  return digest;
}

std::string HmacHex(std::string_view key, std::string_view message) {
  Digest digest{};
  NW_CHECK(
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest.data(), nullptr) != nullptr,
      "no HMAC");
  return ToHex(digest);
}

std::string ToHex(const Digest& digest) { return Hex(digest.data(), digest.size()); }

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool SameSecret(const Digest& a, const Digest& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace northwind::server
