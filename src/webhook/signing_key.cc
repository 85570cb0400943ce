// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/signing_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <utility>

#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr std::string_view kHmacPrefix = "whsec_";
constexpr std::string_view kPrivatePrefix = "whsk_";
constexpr std::string_view kPublicPrefix = "whpk_";
constexpr size_t kHmacSignatureBytes = 32;
constexpr size_t kEd25519SignatureBytes = 64;
constexpr size_t kEd25519SeedBytes = 32;
constexpr size_t kEd25519PublicBytes = 32;

using SharedKey = std::shared_ptr<EVP_PKEY>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char* Unsigned(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

DigestContext NewContext() {
  DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  NW_CHECK(context != nullptr, "EVP_MD_CTX_new");
  return context;
}

// Of a whole key text behind its prefix.
absl::StatusOr<SecretBytes> DecodeKey(std::string_view text, std::string_view prefix) {
  absl::StatusOr<SecretBytes> bytes = DecodeBase64(text.substr(prefix.size()));
  if (bytes.ok()) return bytes;
  return Error(absl::StatusCode::kInvalidArgument, "key: ", ToAbsl(prefix), " must be followed by base64 with padding");
}

absl::Status CheckHmacSecret(const SecretBytes& secret) {
  if (secret.size() >= kMinHmacSecretBytes && secret.size() <= kMaxHmacSecretBytes) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "key: whsec_ holds ", secret.size(), " bytes; ", kMinHmacSecretBytes,
               " to ", kMaxHmacSecretBytes, " are needed");
}

absl::Status CheckEd25519Size(std::string_view prefix, const SecretBytes& key, size_t expected) {
  if (key.size() == expected) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "key: ", ToAbsl(prefix), " holds ", key.size(), " bytes; ", expected,
               " are needed");
}

// One of the texts that can be told apart by `prefix`, and not so long that reading it would cost something.
bool Begins(std::string_view text, std::string_view prefix) {
  return text.size() <= kMaxKeyTextBytes && text.substr(0, prefix.size()) == prefix;
}

SharedKey PublicKey(std::string_view bytes) {
  return {EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Unsigned(bytes), bytes.size()), &EVP_PKEY_free};
}

std::string HmacSha256(std::string_view secret, std::string_view text) {
  std::string mac(kHmacSignatureBytes, '\0');
  unsigned int size = 0;
  NW_CHECK(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), Unsigned(text), text.size(),
                reinterpret_cast<unsigned char*>(mac.data()), &size) != nullptr &&
               size == kHmacSignatureBytes,
           "HMAC");
  return mac;
}

}  // namespace

size_t SignatureBytes(SignatureScheme scheme) {
  return scheme == SignatureScheme::kHmacSha256 ? kHmacSignatureBytes : kEd25519SignatureBytes;
}

absl::StatusOr<VerificationKey> VerificationKey::Parse(std::string_view text) {
  if (Begins(text, kHmacPrefix)) {
    NW_ASSIGN_OR_RETURN(SecretBytes secret, DecodeKey(text, kHmacPrefix));
    NW_RETURN_IF_ERROR(CheckHmacSecret(secret));
    return VerificationKey(SignatureScheme::kHmacSha256, std::move(secret), nullptr);
  }
  if (Begins(text, kPublicPrefix)) {
    NW_ASSIGN_OR_RETURN(SecretBytes bytes, DecodeKey(text, kPublicPrefix));
    NW_RETURN_IF_ERROR(CheckEd25519Size(kPublicPrefix, bytes, kEd25519PublicBytes));
    SharedKey key = PublicKey(bytes.view());
    if (key == nullptr) return Error(absl::StatusCode::kInvalidArgument, "key: whpk_ holds no ed25519 key");
    return VerificationKey(SignatureScheme::kEd25519, std::move(bytes), std::move(key));
  }
  return Error(absl::StatusCode::kInvalidArgument, "key: must begin with whsec_ or whpk_ and have at most ",
               kMaxKeyTextBytes, " bytes");
}

SecretBytes VerificationKey::Text() const {
  const bool hmac = scheme_ == SignatureScheme::kHmacSha256;
  return SecretBytes::Joined(hmac ? kHmacPrefix : kPublicPrefix, EncodeBase64(raw_.view()).view());
}

bool VerificationKey::Verify(std::string_view text, std::string_view signature) const {
  if (signature.size() != SignatureBytes(scheme_)) return false;
  if (scheme_ == SignatureScheme::kHmacSha256) {
    const std::string mac = HmacSha256(raw_.view(), text);
    return CRYPTO_memcmp(mac.data(), signature.data(), mac.size()) == 0;
  }
  const DigestContext context = NewContext();
  NW_CHECK(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1, "EVP_DigestVerifyInit");
  return EVP_DigestVerify(context.get(), Unsigned(signature), signature.size(), Unsigned(text), text.size()) == 1;
}

absl::StatusOr<SigningKey> SigningKey::Generate(SignatureScheme scheme) {
  if (scheme == SignatureScheme::kHmacSha256) {
    NW_ASSIGN_OR_RETURN(SecretBytes secret, SecretBytes::Random(kGeneratedHmacSecretBytes));
    return SigningKey(scheme, std::move(secret), nullptr);
  }
  NW_ASSIGN_OR_RETURN(const SecretBytes seed, SecretBytes::Random(kEd25519SeedBytes));
  return FromSeed(seed.view());
}

absl::StatusOr<SigningKey> SigningKey::FromSeed(std::string_view seed) {
  SharedKey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Unsigned(seed), seed.size()), &EVP_PKEY_free);
  NW_CHECK(key != nullptr, "EVP_PKEY_new_raw_private_key");
  std::string public_key(kEd25519PublicBytes, '\0');
  size_t size = public_key.size();
  NW_CHECK(EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(public_key.data()), &size) == 1 &&
               size == kEd25519PublicBytes,
           "EVP_PKEY_get_raw_public_key");
  return SigningKey(SignatureScheme::kEd25519, SecretBytes::Joined(seed, public_key), std::move(key));
}

absl::StatusOr<SigningKey> SigningKey::Parse(std::string_view text) {
  if (Begins(text, kHmacPrefix)) {
    NW_ASSIGN_OR_RETURN(SecretBytes secret, DecodeKey(text, kHmacPrefix));
    NW_RETURN_IF_ERROR(CheckHmacSecret(secret));
    return SigningKey(SignatureScheme::kHmacSha256, std::move(secret), nullptr);
  }
  if (Begins(text, kPrivatePrefix)) {
    NW_ASSIGN_OR_RETURN(const SecretBytes both, DecodeKey(text, kPrivatePrefix));
    NW_RETURN_IF_ERROR(CheckEd25519Size(kPrivatePrefix, both, kEd25519SeedBytes + kEd25519PublicBytes));
    NW_ASSIGN_OR_RETURN(SigningKey key, FromSeed(both.view().substr(0, kEd25519SeedBytes)));
    if (CRYPTO_memcmp(key.raw_.view().data(), both.view().data(), both.size()) != 0) {
      return Error(absl::StatusCode::kInvalidArgument, "key: the public half of whsk_ does not belong to its seed");
    }
    return key;
  }
  return Error(absl::StatusCode::kInvalidArgument, "key: must begin with whsec_ or whsk_ and have at most ",
               kMaxKeyTextBytes, " bytes");
}

SecretBytes SigningKey::Text() const {
  const bool hmac = scheme_ == SignatureScheme::kHmacSha256;
  return SecretBytes::Joined(hmac ? kHmacPrefix : kPrivatePrefix, EncodeBase64(raw_.view()).view());
}

VerificationKey SigningKey::verification_key() const {
  if (scheme_ == SignatureScheme::kHmacSha256) return {scheme_, SecretBytes(raw_.view()), nullptr};
  const std::string_view public_key = raw_.view().substr(kEd25519SeedBytes);
  SharedKey key = PublicKey(public_key);
  NW_CHECK(key != nullptr, "EVP_PKEY_new_raw_public_key");
  return {scheme_, SecretBytes(public_key), std::move(key)};
}

std::string SigningKey::Sign(std::string_view text) const {
  if (scheme_ == SignatureScheme::kHmacSha256) return HmacSha256(raw_.view(), text);
  const DigestContext context = NewContext();
  NW_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1, "EVP_DigestSignInit");
  std::string signature(kEd25519SignatureBytes, '\0');
  size_t size = signature.size();
  NW_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, Unsigned(text),
                          text.size()) == 1 &&
               size == kEd25519SignatureBytes,
           "EVP_DigestSign");
  return signature;
}

}  // namespace northwind::internal
