// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/secret_box.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/webhook/identifier.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kVersion = 1;

bool IsKeyId(std::string_view id) { return IsIdentifier(id, kMaxHostKeyIdBytes, Dots::kAllowed); }

bool SameBytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string Associated(std::string_view key_id, const SecretPlace& place) {
  std::string out = "northwind/secret/v1";
  PutBytes(out, key_id);
  PutBytes(out, place.tenant);
  PutBytes(out, place.record);
  return out;
}

struct Envelope {
  std::string_view key_id;
  std::string_view nonce;
  std::string_view sealed;  // with the tag
};

std::optional<Envelope> ReadEnvelope(std::string_view bytes) {
  ByteReader in(bytes);
  Envelope envelope;
  uint8_t version;
  if (!in.GetByte(version) || version != kVersion || !in.GetBytes(kMaxHostKeyIdBytes, envelope.key_id) ||
      !IsKeyId(envelope.key_id) || !in.GetRaw(kAesGcmNonceBytes, envelope.nonce) || in.remaining() < kAesGcmTagBytes ||
      in.remaining() > kMaxSecretBytes + kAesGcmTagBytes || !in.GetRaw(in.remaining(), envelope.sealed)) {
    return std::nullopt;
  }
  return envelope;
}

}  // namespace

absl::StatusOr<SecretBox> SecretBox::Make(std::vector<HostKey> keys) {
  if (keys.empty() || keys.size() > kMaxHostKeys) {
    return Error(absl::StatusCode::kInvalidArgument, "1 to ", kMaxHostKeys, " host keys are needed, not ", keys.size());
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    const HostKey& key = keys[i];
    if (!IsKeyId(key.id)) {
      return Error(absl::StatusCode::kInvalidArgument, "host key ", i + 1, ": its id must be 1 to ", kMaxHostKeyIdBytes,
                   " characters of A-Z a-z 0-9 . _ -");
    }
    if (key.key.size() != kHostKeyBytes) {
      return Error(absl::StatusCode::kInvalidArgument, "host key ", key.id, " has ", key.key.size(), " bytes, not ",
                   kHostKeyBytes);
    }
    if (SameBytes(key.key.view(), std::string(kHostKeyBytes, key.key.view()[0]))) {
      return Error(absl::StatusCode::kInvalidArgument, "host key ", key.id, " is one byte repeated, not a random key");
    }
    for (size_t before = 0; before < i; ++before) {
      if (keys[before].id == key.id) {
        return Error(absl::StatusCode::kInvalidArgument, "host key ", key.id, " is given twice");
      }
      if (SameBytes(keys[before].key.view(), key.key.view())) {
        return Error(absl::StatusCode::kInvalidArgument, "host keys ", keys[before].id, " and ", key.id,
                     " are the same");
      }
    }
  }
  return SecretBox(std::move(keys));
}

absl::StatusOr<std::string> SecretBox::Seal(const SecretPlace& place, std::string_view secret) const {
  if (secret.size() > kMaxSecretBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "a secret has at most ", kMaxSecretBytes, " bytes, not ",
                 secret.size());
  }
  std::string nonce(kAesGcmNonceBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()), static_cast<int>(nonce.size())) != 1) {
    return Error(absl::StatusCode::kUnavailable, "the system's random source gives nothing");
  }
  const HostKey& key = keys_.front();
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  PutBytes(out, key.id);
  return out.append(nonce).append(AesGcmSeal(key.key.view(), nonce, Associated(key.id, place), secret));
}

absl::StatusOr<SecretBytes> SecretBox::Open(const SecretPlace& place, std::string_view sealed) const {
  const std::optional<Envelope> envelope = ReadEnvelope(sealed);
  if (!envelope.has_value()) return Error(absl::StatusCode::kDataLoss, "sealed secret: malformed");
  for (const HostKey& key : keys_) {
    if (key.id != envelope->key_id) continue;
    std::optional<SecretBytes> secret =
        AesGcmOpen(key.key.view(), envelope->nonce, Associated(key.id, place), envelope->sealed);
    if (secret.has_value()) return *std::move(secret);
    return Error(absl::StatusCode::kDataLoss, "sealed secret: altered, of another place, or the host key ", key.id,
                 " is another one than it was sealed with");
  }
  return Error(absl::StatusCode::kFailedPrecondition, "sealed secret: sealed with the host key ",
               ToAbsl(envelope->key_id), ", which was not given");
}

bool SecretBox::IsNewest(std::string_view sealed) const {
  const std::optional<Envelope> envelope = ReadEnvelope(sealed);
  return envelope.has_value() && envelope->key_id == keys_.front().id;
}

}  // namespace northwind::internal
