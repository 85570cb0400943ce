// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/event_body.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace northwind::server {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";  // of JSON
constexpr size_t kMaxDepth = 64;                 // of brackets in an element: an event has two

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

absl::Status TooMany() {
  return absl::InvalidArgumentError(absl::StrCat("the body holds more than ", kMaxRequestEvents, " events"));
}

// The place after the string that begins at `at`; nothing if it does not end.
std::optional<size_t> EndOfString(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    at = text.find_first_of("\"\\", at);
    if (at == std::string_view::npos) return std::nullopt;
    if (text[at] == '"') return at + 1;
    ++at;  // what is escaped does not end it
  }
  return std::nullopt;
}

// The comma or bracket that ends the element of an array which begins at `at`; nothing if there is none.
std::optional<size_t> EndOfElement(std::string_view text, size_t at) {
  std::string open;  // the brackets that will close what is open
  while (true) {
    at = text.find_first_of("\"[]{},", at);
    if (at == std::string_view::npos) return std::nullopt;
    const char c = text[at];
    if (c == '"') {
      const std::optional<size_t> end = EndOfString(text, at);
      if (!end.has_value()) return std::nullopt;
      at = *end;
      continue;
    }
    if (open.empty() && (c == ',' || c == ']')) return at;
    if (c == '{' || c == '[') {
      if (open.size() == kMaxDepth) return std::nullopt;
      open.push_back(c == '{' ? '}' : ']');
    } else if (c != ',') {
      if (open.empty() || open.back() != c) return std::nullopt;
      open.pop_back();
    }
    ++at;
  }
}

absl::StatusOr<std::vector<std::string>> CutArray(std::string_view body) {
  std::vector<std::string> events;
  bool last = false;
  size_t at = 1;
  while (!last) {
    const std::optional<size_t> end = EndOfElement(body, at);
    if (!end.has_value()) return absl::InvalidArgumentError("the body is an array that does not end well");
    const std::string_view element = Trimmed(body.substr(at, *end - at));
    last = body[*end] == ']';
    at = *end + 1;
    if (last && element.empty() && events.empty()) break;  // "[]"
    if (element.empty()) return absl::InvalidArgumentError("the body is an array with an empty place");
    if (events.size() == kMaxRequestEvents) return TooMany();
    events.emplace_back(element);
  }
  if (at != body.size()) return absl::InvalidArgumentError("the body goes on after its array");
  return events;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> CutJsonEvents(std::string_view body) {
  body = Trimmed(body);
  if (!body.empty() && body.front() == '{') return std::vector<std::string>{std::string(body)};
  if (!body.empty() && body.front() == '[') return CutArray(body);
  return absl::InvalidArgumentError("the body must be a JSON object, an event, or an array of them");
}

absl::StatusOr<std::vector<std::string>> CutEventLines(std::string_view body) {
  std::vector<std::string> events;
  while (!body.empty()) {
    const size_t end = body.find('\n');
    const std::string_view line = Trimmed(body.substr(0, end));
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    if (line.empty()) continue;
    if (events.size() == kMaxRequestEvents) return TooMany();
    events.emplace_back(line);
  }
  return events;
}

}  // namespace northwind::server
