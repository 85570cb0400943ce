// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/request_head.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "examples/reference_server/http/percent.h"

namespace northwind::server {
namespace {

namespace http = boost::beast::http;

Problem Refused(std::string detail) { return {.status = 400, .code = "bad_request", .detail = std::move(detail)}; }

std::string_view ToStd(boost::beast::string_view text) { return {text.data(), text.size()}; }

// Whether all that reads the path will see the same parts in it: no slash or end of a string hides in an escape, and no part goes up.
bool IsPlainPath(std::string_view path) {
  std::string part;
  for (size_t i = 0; i <= path.size(); ++i) {
    if (i == path.size() || path[i] == '/') {
      if (part == "." || part == "..") return false;
      part.clear();
    } else if (path[i] == '\\') {
      return false;
    } else if (path[i] != '%') {
      part.push_back(path[i]);
    } else {
      const std::optional<char> c = Unescape(path, i);
      if (!c.has_value() || *c == '\0' || *c == '/' || *c == '\\') return false;
      part.push_back(*c);
      i += 2;
    }
  }
  return true;
}

// Text of a query, where a plus stands for a blank; nothing if it is not well encoded.
std::optional<std::string> DecodeQuery(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      decoded.push_back(' ');
    } else if (text[i] != '%') {
      decoded.push_back(text[i]);
    } else {
      const std::optional<char> c = Unescape(text, i);
      if (!c.has_value()) return std::nullopt;
      decoded.push_back(*c);
      i += 2;
    }
  }
  return decoded;
}

std::optional<Problem> ReadQuery(std::string_view text, Request* request) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = DecodeQuery(pair.substr(0, equals));
    std::optional<std::string> value = DecodeQuery(pair.substr(std::min(equals + 1, pair.size())));
    if (!name.has_value() || !value.has_value()) return Refused("The query is not well encoded.");
    request->query.emplace_back(*std::move(name), *std::move(value));
  }
  return std::nullopt;
}

std::optional<Problem> ReadTarget(std::string_view target, Request* request) {
  const bool printable = std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7F'; });
  if (target.empty() || target.front() != '/' || !printable || target.find('#') != std::string_view::npos) {
    return Refused("The target must be a path, beginning with a slash.");
  }
  const size_t question = std::min(target.find('?'), target.size());
  request->path = target.substr(0, question);
  if (!IsPlainPath(request->path)) return Refused("The path is not well encoded, or hides another one.");
  return ReadQuery(target.substr(std::min(question + 1, target.size())), request);
}

// How long the body is must be said in one way.
std::optional<Problem> CheckFraming(const RequestParser::value_type& message) {
  const auto count = [&](http::field field) { return static_cast<size_t>(message.count(field)); };
  const size_t codings = count(http::field::transfer_encoding);
  const size_t lengths = count(http::field::content_length);
  if (lengths > 1) return Refused("Content-Length comes twice.");
  if (lengths == 1) {
    const std::string_view length = ToStd(message[http::field::content_length]);
    const bool digits = std::all_of(length.begin(), length.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (length.empty() || !digits) return Refused("Content-Length is no number.");
  }
  if (codings == 0) return std::nullopt;
  if (lengths != 0) return Refused("Transfer-Encoding and Content-Length must not come together.");
  if (message.version() < 11) return Refused("HTTP/1.0 has no Transfer-Encoding.");
  if (codings > 1 || !absl::EqualsIgnoreCase(absl::string_view(message[http::field::transfer_encoding].data(),
                                                               message[http::field::transfer_encoding].size()),
                                             "chunked")) {
    return Refused("Transfer-Encoding must be chunked, and nothing else.");
  }
  return std::nullopt;
}

}  // namespace

HeadEnd FindHeadEnd(std::string_view text, size_t* length) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return HeadEnd::kBad;
    if (at + 1 >= kEnd.size() && text.substr(at + 1 - kEnd.size(), kEnd.size()) == kEnd) {
      *length = at + 1;
      return HeadEnd::kFound;
    }
  }
  return HeadEnd::kMore;
}

std::optional<Problem> CheckRawHead(std::string_view head) {
  size_t fields = 0;
  for (size_t begin = 0; begin < head.size();) {
    const size_t end = head.find('\n', begin);
    if (end == std::string_view::npos || end == begin || head[end - 1] != '\r')
      return Refused("A line must end in CR LF.");
    const std::string_view line = head.substr(begin, end - 1 - begin);
    if (begin != 0 && !line.empty()) {
      if (line.front() == ' ' || line.front() == '\t') return Refused("A field must not go over lines.");
      if (++fields > kMaxFields) {
        return Problem{.status = 431, .code = "header_too_large", .detail = "There are too many fields."};
      }
    }
    for (const char c : line) {
      if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7F') {
        return Refused("There is a control character in the head.");
      }
    }
    begin = end + 1;
  }
  return std::nullopt;
}

std::optional<Problem> ReadHead(const RequestParser& parser, Request* request, bool* known_method) {
  const RequestParser::value_type& message = parser.get();
  if (message.version() != 10 && message.version() != 11) {
    return Problem{.status = 505, .code = "http_version", .detail = "This speaks HTTP/1.1."};
  }
  if (auto problem = CheckFraming(message)) return problem;
  const size_t hosts = message.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && message.version() == 11)) return Refused("There must be one Host.");
  const std::optional<Method> method = ParseMethod(ToStd(message.method_string()));
  *known_method = method.has_value();
  request->method = method.value_or(Method::kGet);
  for (const auto& field : message) {
    request->fields.push_back({std::string(ToStd(field.name_string())), std::string(ToStd(field.value()))});
  }
  return ReadTarget(ToStd(message.target()), request);
}

}  // namespace northwind::server
