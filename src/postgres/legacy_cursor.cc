// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/legacy_cursor.h"

#include "absl/strings/escaping.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"

namespace northwind::internal::postgres {
namespace {

constexpr std::string_view kMagic = "L1";
constexpr size_t kFingerprint = 16;

std::string HeadOf(const LegacyQuery& query) {
  std::string text;
  PutBytes(text, query.sql);
  for (const std::string& column : query.key) PutBytes(text, column);
  std::string head(kMagic);
  head.append(AsBytes(Sha256::Of(text)).substr(0, kFingerprint));
  return head;
}

}  // namespace

std::string EncodeLegacyCursor(const LegacyQuery& query, const std::vector<std::string>& key) {
  std::string bytes = HeadOf(query);
  for (const std::string& value : key) PutBytes(bytes, value);
  return absl::WebSafeBase64Escape(bytes);
}

absl::StatusOr<std::vector<std::string>> DecodeLegacyCursor(const LegacyQuery& query, std::string_view cursor) {
  const auto wrong = [] { return absl::InvalidArgumentError("after: not a cursor of a page"); };
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(ToAbsl(cursor), &bytes) || !bytes.starts_with(kMagic)) return wrong();
  const std::string head = HeadOf(query);
  if (!bytes.starts_with(head)) return absl::InvalidArgumentError("after: a cursor of another query");
  ByteReader decoder(std::string_view(bytes).substr(head.size()));
  std::vector<std::string> key;
  for (size_t i = 0; i < query.key.size(); ++i) {
    std::string_view value;
    // A value of a key never has a NUL, which no text of PostgreSQL can have.
    if (!decoder.GetBytes(bytes.size(), value) || value.find('\0') != std::string_view::npos) return wrong();
    key.emplace_back(value);
  }
  if (decoder.remaining() != 0) return wrong();
  return key;
}

}  // namespace northwind::internal::postgres
