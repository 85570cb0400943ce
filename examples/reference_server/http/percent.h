// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_PERCENT_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_PERCENT_H_

#include <cstddef>
#include <optional>
#include <string_view>

namespace northwind::server {

// The byte that an escape (RFC 3986, 2.1) stands for, whose "%" is at `at`; nothing if it is none.
std::optional<char> Unescape(std::string_view text, size_t at);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_PERCENT_H_
