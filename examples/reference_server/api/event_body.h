// SPDX-License-Identifier: Apache-2.0
//
// A body of events, cut into its events without reading them: the intake decodes, and answers for each.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_EVENT_BODY_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_EVENT_BODY_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace northwind::server {

inline constexpr size_t kMaxRequestEvents = 10'000;

// The events of a JSON body: one object, or an array, each as it was sent without the blanks around it. What an element is inside is not
// looked at but for its end, and what it is worth is the intake's to say. InvalidArgument for a body that is neither, for an array that is
// not closed, has an empty place or anything after it, and for more than kMaxRequestEvents.
absl::StatusOr<std::vector<std::string>> CutJsonEvents(std::string_view body);

// One event a line; lines end with LF or CR LF, and those with nothing but blanks are none. InvalidArgument for more than
// kMaxRequestEvents.
absl::StatusOr<std::vector<std::string>> CutEventLines(std::string_view body);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_EVENT_BODY_H_
