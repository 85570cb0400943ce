// SPDX-License-Identifier: Apache-2.0
//
// The one place where std::string_view meets Abseil's error constructors: before C++17 builds of Abseil,
// absl::string_view is a type of its own.
#ifndef NORTHWIND_SRC_BASE_ERROR_H_
#define NORTHWIND_SRC_BASE_ERROR_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace northwind::internal {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

// Error(absl::StatusCode::kNotFound, "no account ", ToAbsl(name)): a status whose message is the parts joined.
template <typename... Parts>
absl::Status Error(absl::StatusCode code, const Parts&... parts) {
  return absl::Status(code, absl::StrCat(parts...));
}

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_BASE_ERROR_H_
