// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/events_body.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace northwind::server {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

absl::Status TooMany() {
  return absl::InvalidArgumentError(absl::StrCat("the body has more than ", kMaxEventsPerRequest, " events"));
}

// Just after the closing quote of a string that begins at `at`; the end if it has none.
size_t AfterString(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return text.size();
}

// Where the element that begins at `at` ends: at the comma or bracket of the array itself.
size_t EndOfElement(std::string_view text, size_t at) {
  size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = AfterString(text, at);
      continue;
    }
    if (depth == 0 && (c == ',' || c == ']')) return at;
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    ++at;
  }
  return text.size();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitArray(std::string_view text) {
  text = Trim(text);
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') {
    return absl::InvalidArgumentError("the body must be one event, or an array of events");
  }
  std::vector<std::string> elements;
  size_t at = 1;
  if (Trim(text.substr(1, text.size() - 2)).empty()) return elements;
  while (true) {
    const size_t end = EndOfElement(text, at);
    const std::string_view element = Trim(text.substr(at, end - at));
    if (end >= text.size() || element.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("element ", elements.size() + 1, " of the array has no end, or is empty"));
    }
    if (elements.size() == kMaxEventsPerRequest) return TooMany();
    elements.emplace_back(element);
    if (text[end] == ']') {
      if (end + 1 != text.size()) return absl::InvalidArgumentError("there is something after the array");
      return elements;
    }
    at = end + 1;
  }
}

absl::StatusOr<std::vector<std::string>> SplitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (lines.size() == kMaxEventsPerRequest) return TooMany();
    lines.emplace_back(line);
  }
  return lines;
}

}  // namespace northwind::server
