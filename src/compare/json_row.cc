// SPDX-License-Identifier: Apache-2.0
#include "src/compare/json_row.h"

#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_set.h"
#include "src/base/error.h"
#include "src/settlement/event_text.h"

namespace northwind::internal {
namespace {

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return Error(absl::StatusCode::kInvalidArgument, parts...);
}

// Takes the parser's calls; each returns false to stop it, with status_ saying why.
class Reader {
 public:
  explicit Reader(JsonMembers& members) : members_(members) {}

  bool null() { return Set(std::nullopt); }
  bool boolean(bool value) { return Set(value ? "true" : "false"); }
  bool number_integer(int64_t value) { return Set(std::to_string(value)); }
  bool number_unsigned(uint64_t value) { return Set(std::to_string(value)); }
  bool number_float(double, const std::string& digits) { return Set(digits); }
  bool string(std::string& value) {
    if (value.find('\0') != std::string::npos) return Fail("a NUL in '", Printable(name_), "'");
    return Set(std::move(value));
  }
  bool binary(nlohmann::json::binary_t&) { return Fail("binary"); }
  bool start_array(size_t) { return Nested(); }
  bool end_array() { return false; }
  bool start_object(size_t) {
    if (inside_) return Nested();
    inside_ = true;
    return true;
  }
  bool end_object() {
    inside_ = false;
    return true;
  }
  bool key(std::string& name) {
    if (!seen_.insert(name).second) return Fail("'", Printable(name), "' given twice");
    name_ = name;
    return true;
  }
  template <typename Exception>
  bool parse_error(size_t position, const std::string&, const Exception&) {
    return Fail("not valid JSON at byte ", position);
  }

  absl::Status& status() { return status_; }

 private:
  template <typename... Parts>
  bool Fail(const Parts&... parts) {
    status_ = Bad(parts...);
    return false;
  }
  bool Nested() { return inside_ ? Fail("'", Printable(name_), "' is not a scalar") : Fail("not an object"); }
  bool Set(std::optional<std::string> value) {
    if (!inside_) return Fail("not an object");
    members_.emplace_back(std::move(name_), std::move(value));
    return true;
  }

  JsonMembers& members_;
  absl::Status status_;
  bool inside_ = false;
  std::string name_;
  absl::flat_hash_set<std::string> seen_;
};

}  // namespace

absl::StatusOr<JsonMembers> ParseJsonRow(std::string_view line) {
  JsonMembers members;
  Reader reader(members);
  if (!nlohmann::json::sax_parse(line.data(), line.data() + line.size(), &reader)) {
    if (reader.status().ok()) return Bad("not valid JSON");
    return std::move(reader.status());
  }
  return members;
}

}  // namespace northwind::internal
