// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_TEXT_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_TEXT_H_

#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/strings/string_view.h"

namespace northwind::server {

// Abseil's own type is another one than the standard's in some builds of it.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

inline bool IsAmong(std::string_view name, const std::vector<std::string_view>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_TEXT_H_
