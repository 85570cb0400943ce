// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/aes_gcm.h"

#include <openssl/evp.h>

#include <memory>
#include <utility>

#include "northwind/status.h"

namespace northwind::internal {
namespace {

constexpr size_t kMaxTextBytes = 1 << 30;  // within the int that libcrypto takes

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* Unsigned(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* Unsigned(char* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

enum class Direction { kOpen = 0, kSeal = 1 };

// A context that knows key and nonce and has taken the associated data. Freeing it cleanses the key schedule.
CipherContext Begin(Direction direction, std::string_view key, std::string_view nonce, std::string_view associated) {
  NW_CHECK(key.size() == kAesGcmKeyBytes && nonce.size() == kAesGcmNonceBytes && associated.size() < kMaxTextBytes,
           "AES-256-GCM takes 32 bytes of key and 12 of nonce");
  CipherContext context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  NW_CHECK(context != nullptr && EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Unsigned(key),
                                                   Unsigned(nonce), static_cast<int>(direction)) == 1,
           "EVP_CipherInit_ex");
  int size = 0;
  NW_CHECK(associated.empty() || EVP_CipherUpdate(context.get(), nullptr, &size, Unsigned(associated),
                                                  static_cast<int>(associated.size())) == 1,
           "EVP_CipherUpdate of associated data");
  return context;
}

// GCM is a stream: as many bytes come out as go in, and the end adds none.
void Run(EVP_CIPHER_CTX* context, std::string_view from, char* to) {
  int size = 0;
  NW_CHECK(from.empty() ||
               (EVP_CipherUpdate(context, Unsigned(to), &size, Unsigned(from), static_cast<int>(from.size())) == 1 &&
                size == static_cast<int>(from.size())),
           "EVP_CipherUpdate");
}

}  // namespace

std::string AesGcmSeal(std::string_view key, std::string_view nonce, std::string_view associated,
                       std::string_view plaintext) {
  NW_CHECK(plaintext.size() < kMaxTextBytes, "a text to be sealed is of bounded size");
  const CipherContext context = Begin(Direction::kSeal, key, nonce, associated);
  std::string sealed(plaintext.size() + kAesGcmTagBytes, '\0');
  Run(context.get(), plaintext, sealed.data());
  char* const tag = sealed.data() + plaintext.size();
  int size = 0;
  NW_CHECK(EVP_CipherFinal_ex(context.get(), Unsigned(tag), &size) == 1 && size == 0 &&
               EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAesGcmTagBytes, tag) == 1,
           "EVP_CipherFinal_ex");
  return sealed;
}

std::optional<SecretBytes> AesGcmOpen(std::string_view key, std::string_view nonce, std::string_view associated,
                                      std::string_view sealed) {
  if (sealed.size() < kAesGcmTagBytes || sealed.size() >= kMaxTextBytes) return std::nullopt;
  const std::string_view ciphertext = sealed.substr(0, sealed.size() - kAesGcmTagBytes);
  std::string tag(sealed.substr(ciphertext.size()));
  const CipherContext context = Begin(Direction::kOpen, key, nonce, associated);
  NW_CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAesGcmTagBytes, tag.data()) == 1,
           "the tag is set");
  SecretBytes plaintext = SecretBytes::OfSize(ciphertext.size());
  Run(context.get(), ciphertext, plaintext.data());
  unsigned char nothing[EVP_MAX_BLOCK_LENGTH];
  int size = 0;
  if (EVP_CipherFinal_ex(context.get(), nothing, &size) != 1) return std::nullopt;
  return plaintext;
}

}  // namespace northwind::internal
