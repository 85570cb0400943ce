// SPDX-License-Identifier: Apache-2.0
//
// The keys of Standard Webhooks (https://www.standardwebhooks.com), in the texts that it gives them:
//
//   whsec_<base64 of 24–64 bytes>              one secret of both sides, for the scheme v1 (HMAC-SHA256)
//   whsk_<base64 of the 32-byte seed and the   the sender's private key, for v1a (ed25519, RFC 8032)
//         32-byte public key>
//   whpk_<base64 of the 32-byte public key>    what receivers verify v1a with
#ifndef NORTHWIND_SRC_WEBHOOK_SIGNING_KEY_H_
#define NORTHWIND_SRC_WEBHOOK_SIGNING_KEY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "northwind/webhook.h"
#include "src/webhook/secret_bytes.h"

struct evp_pkey_st;

namespace northwind::internal {

// Bytes of a signature, undecoded: 32 or 64.
size_t SignatureBytes(SignatureScheme scheme);

inline constexpr size_t kMinHmacSecretBytes = 24;
inline constexpr size_t kMaxHmacSecretBytes = 64;
inline constexpr size_t kGeneratedHmacSecretBytes = 32;  // as many as SHA-256 gives: more adds nothing
inline constexpr size_t kMaxKeyTextBytes = 128;

// What a receiver needs. Thread-safe once made. Movable.
class VerificationKey {
 public:
  // "whsec_…" or "whpk_…". InvalidArgument says what is wrong and holds nothing of the text.
  static absl::StatusOr<VerificationKey> Parse(std::string_view text);

  SignatureScheme scheme() const { return scheme_; }
  SecretBytes Text() const;
  // In constant time for one length of text, whatever the signature. False too for a signature of another length.
  bool Verify(std::string_view text, std::string_view signature) const;

 private:
  friend class SigningKey;
  VerificationKey(SignatureScheme scheme, SecretBytes raw, std::shared_ptr<evp_pkey_st> key)
      : scheme_(scheme), raw_(std::move(raw)), key_(std::move(key)) {}

  SignatureScheme scheme_;
  SecretBytes raw_;                   // the HMAC secret, or the 32-byte public key
  std::shared_ptr<evp_pkey_st> key_;  // ed25519 only
};

// What a sender needs. Thread-safe once made. Movable.
class SigningKey {
 public:
  // A fresh one from the system's random source. Unavailable if that gives nothing.
  static absl::StatusOr<SigningKey> Generate(SignatureScheme scheme);
  // "whsec_…" or "whsk_…", whose two halves must belong together. Errors as for VerificationKey.
  static absl::StatusOr<SigningKey> Parse(std::string_view text);

  SignatureScheme scheme() const { return scheme_; }
  SecretBytes Text() const;
  // The other side's: the same secret for HMAC, the public half for ed25519.
  VerificationKey verification_key() const;
  // The bare bytes of the signature.
  std::string Sign(std::string_view text) const;

 private:
  SigningKey(SignatureScheme scheme, SecretBytes raw, std::shared_ptr<evp_pkey_st> key)
      : scheme_(scheme), raw_(std::move(raw)), key_(std::move(key)) {}
  static absl::StatusOr<SigningKey> FromSeed(std::string_view seed);

  SignatureScheme scheme_;
  SecretBytes raw_;                   // the HMAC secret, or seed and public key
  std::shared_ptr<evp_pkey_st> key_;  // ed25519 only: to derive it for every signature would double the cost
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_SIGNING_KEY_H_
