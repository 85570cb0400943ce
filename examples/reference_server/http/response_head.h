// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_RESPONSE_HEAD_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_RESPONSE_HEAD_H_

#include <cstdint>
#include <optional>
#include <string>

#include "examples/reference_server/http/message.h"

namespace northwind::server {

// How the body of an answer is told to end.
enum class Framing : uint8_t { kNone, kLength, kChunked, kClose };

// The head of an answer: Date, X-Request-Id, the guards that all answers have, and the answer's own fields. A field whose name or value cannot
// stand in a head (CR, LF, NUL) is a programmer's mistake that must not become a second answer: the whole is then a bare 500, nothing is returned.
std::optional<std::string> ResponseHead(const Response& response, const Request& request, Framing framing,
                                        bool keep_alive);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_RESPONSE_HEAD_H_
