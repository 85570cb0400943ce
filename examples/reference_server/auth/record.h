// SPDX-License-Identifier: Apache-2.0
//
// How keys, sessions and links are in the store:
//
//   value = "1 " sum " " json      sum = the first 16 hexadecimal digits of SHA-256(key, a zero byte, json)
//
// The sum tells a damaged record, and one that stands under another's key, from a good one; it is no secret and proves nothing of
// who wrote it.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_RECORD_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_RECORD_H_

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/reference_server/auth/secrets.h"
#include "northwind/store.h"

namespace northwind::server {

std::string EncodeRecord(std::string_view key, const nlohmann::ordered_json& fields);
// DataLoss, with the record's key.
absl::StatusOr<nlohmann::ordered_json> DecodeRecord(std::string_view key, std::string_view value);
absl::Status DamagedRecord(std::string_view key);

// Whole microseconds, as records have them; infinite ones stay. null is what a record has for an infinite one.
absl::Time ToMicros(absl::Time time);
nlohmann::ordered_json TimeField(absl::Time time);

// The fields of one record. What is missing, or of another type, is noted and read as empty: ask ok() at the end.
class FieldReader {
 public:
  explicit FieldReader(const nlohmann::ordered_json& fields) : fields_(fields) {}
  std::string Text(const char* name);
  absl::Time Time(const char* name, absl::Time if_null);
  absl::Time Time(const char* name);  // must be there
  Digest Hash(const char* name);
  nlohmann::ordered_json List(const char* name);
  void Require(bool condition) { ok_ = ok_ && condition; }
  // Also false if there are fields that nobody read.
  bool ok() const { return ok_ && read_ == fields_.size(); }

 private:
  const nlohmann::ordered_json* Find(const char* name);

  const nlohmann::ordered_json& fields_;
  size_t read_ = 0;
  bool ok_ = true;
};

// All records below `prefix`, a page at a time, until `visit` answers an error.
absl::Status ForEachRecord(const Store& store, std::string_view prefix,
                           const std::function<absl::Status(const HostEntry&)>& visit);

// 1–64 of A–Z a–z 0–9 . _ -: a merchant's id, as in events, or a key's name.
bool IsPlainName(std::string_view name);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_RECORD_H_
