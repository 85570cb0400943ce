// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_WEBHOOK_IDENTIFIER_H_
#define NORTHWIND_SRC_WEBHOOK_IDENTIFIER_H_

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace northwind::internal {

enum class Dots { kRefused, kAllowed };

// 1–max characters of A–Z a–z 0–9 _ - and, if allowed, dots.
inline bool IsIdentifier(std::string_view text, size_t max, Dots dots) {
  if (text.empty() || text.size() > max) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           (c == '.' && dots == Dots::kAllowed);
  });
}

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_IDENTIFIER_H_
