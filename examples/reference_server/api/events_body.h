// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_EVENTS_BODY_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_EVENTS_BODY_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace northwind::server {

inline constexpr size_t kMaxEventsPerRequest = 10'000;

// The texts of the elements of a JSON array, as they were sent: what each is, is the decoder's to say. Only strings and brackets are looked
// at, so that an element that is malformed in itself spoils no other. InvalidArgument for what is no array, has too many elements, or
// an element that is empty.
absl::StatusOr<std::vector<std::string>> SplitArray(std::string_view text);
// The lines of NDJSON; empty ones are none. InvalidArgument for too many.
absl::StatusOr<std::vector<std::string>> SplitLines(std::string_view text);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_EVENTS_BODY_H_
