// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/record.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kVersion = "1 ";
constexpr size_t kSumDigits = 16;
constexpr size_t kMaxNameBytes = 64;

std::string SumOf(std::string_view key, std::string_view json) {
  std::string bytes(key);
  bytes.push_back('\0');
  bytes.append(json);
  return ToHex(Sha256(bytes)).substr(0, kSumDigits);
}

}  // namespace

std::string EncodeRecord(std::string_view key, const Json& fields) {
  const std::string json = fields.dump();
  return absl::StrCat("1 ", SumOf(key, json), " ", json);
}

absl::StatusOr<Json> DecodeRecord(std::string_view key, std::string_view value) {
  constexpr size_t kHead = kVersion.size() + kSumDigits + 1;
  if (value.size() < kHead || value.substr(0, kVersion.size()) != kVersion || value[kHead - 1] != ' ') {
    return DamagedRecord(key);
  }
  const std::string_view json = value.substr(kHead);
  if (value.substr(kVersion.size(), kSumDigits) != SumOf(key, json)) return DamagedRecord(key);
  Json fields = Json::parse(json, nullptr, false);
  if (!fields.is_object()) return DamagedRecord(key);
  return fields;
}

absl::Status DamagedRecord(std::string_view key) {
  return absl::DataLossError(
      absl::StrCat("the record ", absl::CHexEscape(absl::string_view(key.data(), key.size())), " is damaged"));
}

absl::Time ToMicros(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return time;
  return absl::FromUnixMicros(absl::ToUnixMicros(time));
}

Json TimeField(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return nullptr;
  return absl::ToUnixMicros(time);
}

const Json* FieldReader::Find(const char* name) {
  const auto found = fields_.find(name);
  if (found == fields_.end()) {
    ok_ = false;
    return nullptr;
  }
  ++read_;
  return &*found;
}

std::string FieldReader::Text(const char* name) {
  const Json* field = Find(name);
  Require(field != nullptr && field->is_string());
  return ok_ ? field->get<std::string>() : std::string();
}

absl::Time FieldReader::Time(const char* name, absl::Time if_null) {
  const Json* field = Find(name);
  if (field != nullptr && field->is_null()) return if_null;
  Require(field != nullptr && field->is_number_integer());
  return ok_ ? absl::FromUnixMicros(field->get<int64_t>()) : absl::Time();
}

absl::Time FieldReader::Time(const char* name) {
  const absl::Time time = Time(name, absl::InfinitePast());
  Require(time != absl::InfinitePast());
  return time;
}

Digest FieldReader::Hash(const char* name) {
  const std::string text = Text(name);
  Digest digest{};
  Require(IsHex(text, 2 * digest.size()));
  if (!ok_) return digest;
  const std::string bytes = absl::HexStringToBytes(text);
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

Json FieldReader::List(const char* name) {
  const Json* field = Find(name);
  Require(field != nullptr && field->is_array());
  return ok_ ? *field : Json::array();
}

absl::Status ForEachRecord(const Store& store, std::string_view prefix,
                           const std::function<absl::Status(const HostEntry&)>& visit) {
  std::string after;
  for (;;) {
    NW_ASSIGN_OR_RETURN(const std::vector<HostEntry> page, store.List(prefix, after, kMaxHostPage));
    for (const HostEntry& entry : page) NW_RETURN_IF_ERROR(visit(entry));
    if (page.empty()) return absl::OkStatus();
    after = page.back().key;
  }
}

bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace northwind::server
