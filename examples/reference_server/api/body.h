// SPDX-License-Identifier: Apache-2.0
//
// Reading what callers send, strictly: each refusal is InvalidArgument and begins with the field at fault.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_BODY_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_BODY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/reference_server/api/json.h"

namespace northwind::server {

// InvalidArgument for a query parameter that is not in `allowed`, comes twice, or is empty. For what is no list.
absl::Status CheckQuery(const Request& request, const std::vector<std::string_view>& allowed = {});

// ParseObject, but a body may be missing: an empty object.
absl::StatusOr<Json> OptionalObject(std::string_view body, const std::vector<std::string_view>& allowed);

// That `value` is an object of these names; `where` is what leads to it: "policy.retry".
absl::Status CheckObject(const Json& value, std::string_view where, const std::vector<std::string_view>& allowed);

// What stands under `name` of an object, or nothing if it has none. `where` is what leads to the object, with its dot; empty for the
// body itself. Null is a value like others, and of no type that is asked for here.
absl::StatusOr<std::optional<std::string>> TextAt(const Json& object, std::string_view name,
                                                  std::string_view where = {});
// A whole number, written as one: 15, not 15.0.
absl::StatusOr<std::optional<int64_t>> WholeAt(const Json& object, std::string_view name, int64_t low, int64_t high,
                                               std::string_view where = {});
absl::StatusOr<std::optional<double>> NumberAt(const Json& object, std::string_view name, std::string_view where = {});

// The media type of the body, without parameters, in lower case; empty without one.
std::string MediaType(const Request& request);

// The Idempotency-Key, 1–64 characters of A–Z a–z 0–9 _ -; nothing without one.
absl::StatusOr<std::optional<std::string>> IdempotencyKey(const Request& request);

// A whole number in a text, of digits only.
absl::StatusOr<int64_t> ParseWhole(std::string_view text, std::string_view where, int64_t low, int64_t high);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_BODY_H_
