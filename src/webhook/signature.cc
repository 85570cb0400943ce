// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/signature.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr int64_t kMaxTimestamp = 253'402'300'799;  // the last second of 9999

std::string SignedText(std::string_view id, std::string_view timestamp, std::string_view body) {
  std::string text;
  text.reserve(id.size() + timestamp.size() + body.size() + 2);
  return text.append(id).append(".").append(timestamp).append(".").append(body);
}

// Decimal digits without sign or leading zeros, up to the year 9999.
bool ReadTimestamp(std::string_view text, int64_t& seconds) {
  if (text.empty() || text.size() > 12 || (text[0] == '0' && text.size() > 1)) return false;
  seconds = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    seconds = seconds * 10 + (c - '0');
  }
  return seconds <= kMaxTimestamp;
}

struct ReceivedSignature {
  SignatureScheme scheme;
  SecretBytes bytes;
};

absl::Status Malformed(std::string_view header, std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, ToAbsl(header), ": ", ToAbsl(what));
}

absl::StatusOr<std::vector<ReceivedSignature>> ReadSignatures(std::string_view header) {
  if (header.empty()) return Malformed(kMessageSignatureHeader, "missing");
  if (header.size() > kMaxSignatureHeaderBytes) return Malformed(kMessageSignatureHeader, "too long");
  std::vector<ReceivedSignature> signatures;
  size_t count = 0;
  for (bool more = true; more;) {
    if (++count > kMaxSignatures) return Malformed(kMessageSignatureHeader, "too many signatures");
    const size_t blank = header.find(' ');
    const std::string_view entry = header.substr(0, blank);
    more = blank != std::string_view::npos;
    if (more) header.remove_prefix(blank + 1);
    const size_t comma = entry.find(',');
    if (comma == 0 || comma == std::string_view::npos) {
      return Malformed(kMessageSignatureHeader, "must be version,base64 pairs with one blank between two");
    }
    for (const SignatureScheme scheme : {SignatureScheme::kHmacSha256, SignatureScheme::kEd25519}) {
      if (entry.substr(0, comma) != Name(scheme)) continue;
      absl::StatusOr<SecretBytes> bytes = DecodeBase64(entry.substr(comma + 1));
      if (!bytes.ok() || bytes->size() != SignatureBytes(scheme)) {
        return Malformed(kMessageSignatureHeader, "a signature is not base64 of its version's size");
      }
      signatures.push_back({scheme, *std::move(bytes)});
    }
  }
  return signatures;
}

}  // namespace

bool IsMessageId(std::string_view id) {
  if (id.empty() || id.size() > kMaxMessageIdBytes) return false;
  for (const char c : id) {
    if (c <= ' ' || c > '~' || c == '.') return false;
  }
  return true;
}

absl::StatusOr<MessageHeaders> SignMessage(absl::Span<const SigningKey> keys, std::string_view id, absl::Time at,
                                           std::string_view body) {
  if (keys.empty() || keys.size() > kMaxSigningKeys) {
    return Error(absl::StatusCode::kInvalidArgument, "a message is signed with 1 to ", kMaxSigningKeys, " keys, not ",
                 keys.size());
  }
  if (!IsMessageId(id)) {
    return Malformed(kMessageIdHeader, "must be 1 to 128 visible ASCII characters without a dot");
  }
  const int64_t seconds = absl::ToUnixSeconds(at);
  if (seconds < 0 || seconds > kMaxTimestamp) return Malformed(kMessageTimestampHeader, "must be in 1970 to 9999");
  MessageHeaders headers{.id = std::string(id), .timestamp = absl::StrCat(seconds)};
  const std::string text = SignedText(headers.id, headers.timestamp, body);
  for (const SigningKey& key : keys) {
    if (!headers.signature.empty()) headers.signature.push_back(' ');
    headers.signature.append(Name(key.scheme())).append(",").append(EncodeBase64(key.Sign(text)).view());
  }
  return headers;
}

absl::Status VerifyMessage(absl::Span<const VerificationKey> keys, const MessageHeaders& headers, std::string_view body,
                           absl::Time now, absl::Duration tolerance) {
  if (keys.empty() || keys.size() > kMaxSigningKeys) {
    return Error(absl::StatusCode::kInvalidArgument, "a message is verified with 1 to ", kMaxSigningKeys, " keys, not ",
                 keys.size());
  }
  if (headers.id.empty()) return Malformed(kMessageIdHeader, "missing");
  if (!IsMessageId(headers.id)) {
    return Malformed(kMessageIdHeader, "must be 1 to 128 visible ASCII characters without a dot");
  }
  if (headers.timestamp.empty()) return Malformed(kMessageTimestampHeader, "missing");
  int64_t seconds;
  if (!ReadTimestamp(headers.timestamp, seconds)) return Malformed(kMessageTimestampHeader, "must be Unix seconds");
  NW_ASSIGN_OR_RETURN(const std::vector<ReceivedSignature> signatures, ReadSignatures(headers.signature));

  const absl::Duration age = now - absl::FromUnixSeconds(seconds);
  if (age > tolerance) return Error(absl::StatusCode::kOutOfRange, "webhook-timestamp: too old");
  if (age < -tolerance) return Error(absl::StatusCode::kOutOfRange, "webhook-timestamp: too new");

  const std::string text = SignedText(headers.id, headers.timestamp, body);
  bool found = false;
  for (const ReceivedSignature& signature : signatures) {
    for (const VerificationKey& key : keys) {
      if (key.scheme() == signature.scheme) found |= key.Verify(text, signature.bytes.view());
    }
  }
  if (found) return absl::OkStatus();
  return Error(absl::StatusCode::kUnauthenticated, "webhook-signature: none is by a known key");
}

}  // namespace northwind::internal
