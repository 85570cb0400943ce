// SPDX-License-Identifier: Apache-2.0
#include "northwind/idempotency_key.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"

namespace northwind {
namespace {

constexpr std::string_view kVersionTag = "northwind/key/v1";

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

absl::StatusOr<IdempotencyKey> IdempotencyKey::FromBytes(std::string_view bytes) {
  if (bytes.size() != kSize) {
    return internal::Error(absl::StatusCode::kInvalidArgument, "an idempotency key has 16 bytes, not ", bytes.size());
  }
  std::array<uint8_t, kSize> raw;
  std::memcpy(raw.data(), bytes.data(), kSize);
  return IdempotencyKey(raw);
}

absl::StatusOr<IdempotencyKey> IdempotencyKey::Parse(std::string_view text) {
  const auto fail = [text] {
    return internal::Error(absl::StatusCode::kInvalidArgument, "not an idempotency key of 32 hexadecimal digits: '",
                           internal::ToAbsl(text.substr(0, 64)), "'");
  };
  const bool uuid = text.size() == 36;
  if (!uuid && text.size() != 32) return fail();
  std::array<uint8_t, kSize> raw{};
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (uuid && (i == 8 || i == 13 || i == 18 || i == 23)) {
      if (text[i] != '-') return fail();
      continue;
    }
    const int digit = HexDigit(text[i]);
    if (digit < 0) return fail();
    raw[digits / 2] = static_cast<uint8_t>(raw[digits / 2] << 4 | digit);
    ++digits;
  }
  return IdempotencyKey(raw);
}

std::string IdempotencyKey::ToString() const { return absl::BytesToHexString(internal::ToAbsl(bytes())); }

IdempotencyKey DeriveKey(std::string_view subject_id, absl::Time occurred_at, std::string_view type) {
  const absl::Time latest = absl::FromUnixNanos(std::numeric_limits<int64_t>::max());
  const int64_t nanos = absl::ToUnixNanos(std::clamp(occurred_at, absl::UnixEpoch(), latest));
  std::string text(kVersionTag);
  internal::PutBigEndian32(text, static_cast<uint32_t>(type.size()));
  text.append(type);
  internal::PutBigEndian32(text, static_cast<uint32_t>(subject_id.size()));
  text.append(subject_id);
  internal::PutBigEndian32(text, 8);
  internal::PutBigEndian64(text, static_cast<uint64_t>(nanos));
  const Hash256 hash = internal::Sha256::Of(text);

  std::array<uint8_t, IdempotencyKey::kSize> key;
  const uint64_t millis = static_cast<uint64_t>(nanos) / 1'000'000;
  for (size_t i = 0; i < 6; ++i) key[i] = static_cast<uint8_t>(millis >> (40 - 8 * i));
  std::copy_n(hash.begin(), 10, key.begin() + 6);
  return IdempotencyKey(key);
}

}  // namespace northwind
