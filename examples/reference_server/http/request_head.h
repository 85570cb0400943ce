// SPDX-License-Identifier: Apache-2.0
//
// Reads the head of a request, and refuses whatever two readers of HTTP could understand in two ways: what a proxy in front takes for
// one request must not be two here. RFC 9112, sections 2.2, 3.2, 5.1, 6.1 and 6.3.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_REQUEST_HEAD_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_REQUEST_HEAD_H_

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "examples/reference_server/http/message.h"
#include "examples/reference_server/http/problem.h"

namespace northwind::server {

inline constexpr size_t kMaxFields = 100;

using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

enum class HeadEnd : uint8_t { kMore, kFound, kBad };
// Where the head ends in what has come, if it does: `length` is with the empty line. kBad as soon as a line ends in a bare LF.
HeadEnd FindHeadEnd(std::string_view text, size_t* length);

// Of a head as it came, up to and with the empty line: why it is refused, if it is. For what a parser forgives: lines that end in a bare
// LF, folded fields, control characters.
std::optional<Problem> CheckRawHead(std::string_view head);

// Fills method, path, query and fields of a head that the parser has read; why it is refused, if it is. A method that is not known is left as
// kGet, and `known_method` false.
std::optional<Problem> ReadHead(const RequestParser& parser, Request* request, bool* known_method);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_REQUEST_HEAD_H_
