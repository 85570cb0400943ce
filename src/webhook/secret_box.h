// SPDX-License-Identifier: Apache-2.0
//
// Secrets encrypted at rest, under a key that the host keeps elsewhere (a key management service, a mounted file): who
// reads or restores the store alone reads no secret.
//
//   NW_ASSIGN_OR_RETURN(SecretBox box, SecretBox::Make({{.id = "2026-07", .key = ...}, {.id = "2025-01", .key = ...}}));
//   NW_ASSIGN_OR_RETURN(std::string sealed, box.Seal({.tenant = "m_42", .record = "endpoint/ep_1"}, secret));
//   NW_ASSIGN_OR_RETURN(SecretBytes secret, box.Open({.tenant = "m_42", .record = "endpoint/ep_1"}, sealed));
//
// To change the host's key: give the new one first and the old ones behind it, seal what IsNewest denies again, then
// leave the old ones out.
#ifndef NORTHWIND_SRC_WEBHOOK_SECRET_BOX_H_
#define NORTHWIND_SRC_WEBHOOK_SECRET_BOX_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/webhook/aes_gcm.h"
#include "src/webhook/secret_bytes.h"

namespace northwind::internal {

inline constexpr size_t kHostKeyBytes = kAesGcmKeyBytes;
inline constexpr size_t kMaxHostKeyIdBytes = 32;
inline constexpr size_t kMaxHostKeys = 16;
inline constexpr size_t kMaxSecretBytes = 16 << 10;

struct HostKey {
  std::string id;   // 1–32 of A–Z a–z 0–9 . _ -; not secret, stored beside what is sealed with it
  SecretBytes key;  // 32 random bytes; a passphrase is none
};

// Where a secret belongs. It can only be opened there: a sealed text copied to another tenant or record is refused.
struct SecretPlace {
  std::string_view tenant;
  std::string_view record;
};

// AES-256-GCM straight under the host's key, with a random 96-bit nonce, in this envelope:
//
//   sealed     = u8(1) bytes(key id) nonce(12) ciphertext tag(16)
//   associated = "northwind/secret/v1" bytes(key id) bytes(tenant) bytes(record)
//   bytes(s)   = varint(size of s) s
//
// Why no data key for each record: it would be sealed in the same way and lie beside the secret, so it would protect
// nothing more. It would pay if re-keying had to spare large texts (these are below 16 KiB) or if one key sealed so much
// that random nonces may meet: NIST SP 800-38D allows 2^32 texts under one key for a chance of 2^-32, and some millions
// of endpoints changed daily for a year are below that.
//
// Thread-safe. Movable.
class SecretBox {
 public:
  // The newest key first: it seals, all of them open. InvalidArgument for no or too many keys, a bad or repeated id, a
  // key of another size, one given twice, or one of 32 equal bytes (a buffer that nobody filled).
  static absl::StatusOr<SecretBox> Make(std::vector<HostKey> keys);

  // InvalidArgument if it is longer than kMaxSecretBytes; Unavailable if the random source gives nothing.
  absl::StatusOr<std::string> Seal(const SecretPlace& place, std::string_view secret) const;

  // FailedPrecondition if the host key that sealed it was not given (the message names its id); DataLoss if the text is
  // malformed, altered, of another place, or sealed with another key of that id. No message holds secret bytes.
  absl::StatusOr<SecretBytes> Open(const SecretPlace& place, std::string_view sealed) const;

  // Whether it names the key that seals now. False for a malformed one.
  bool IsNewest(std::string_view sealed) const;

 private:
  explicit SecretBox(std::vector<HostKey> keys) : keys_(std::move(keys)) {}

  std::vector<HostKey> keys_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_SECRET_BOX_H_
