// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/event_filter.h"

#include <algorithm>

#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr std::string_view kAll = "*";
constexpr std::string_view kMore = ".*";

bool IsPattern(std::string_view text) {
  if (text == kAll) return true;
  if (text.size() > kMaxEventTypeBytes) return false;
  if (!text.ends_with(kMore)) return IsEventType(text);
  const std::string_view words = text.substr(0, text.size() - kMore.size());
  // At least one more word, of at least one letter, must have room.
  return IsEventType(words) && std::count(words.begin(), words.end(), '.') + 1 < static_cast<int>(kMaxEventTypeWords);
}

// Whether a pattern fits a type, or covers another pattern (which is read as a type whose last word is "*").
bool Fits(std::string_view pattern, std::string_view type) {
  if (pattern == type || pattern == kAll) return true;
  if (!pattern.ends_with(kMore)) return false;
  const std::string_view begin = pattern.substr(0, pattern.size() - 1);  // with its dot
  return type.size() > begin.size() && type.substr(0, begin.size()) == begin;
}

}  // namespace

bool IsEventType(std::string_view text) {
  if (text.size() > kMaxEventTypeBytes) return false;
  size_t words = 1;
  bool begins = true;  // a word begins here
  for (const char c : text) {
    if (begins) {
      if (c < 'a' || c > 'z') return false;
      begins = false;
    } else if (c == '.') {
      ++words;
      begins = true;
    } else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
      return false;
    }
  }
  return !begins && words <= kMaxEventTypeWords;
}

absl::StatusOr<EventFilter> EventFilter::Make(absl::Span<const std::string> patterns) {
  if (patterns.empty() || patterns.size() > kMaxFilterPatterns) {
    return Error(absl::StatusCode::kInvalidArgument, "events: 1 to ", kMaxFilterPatterns, " patterns are needed, not ",
                 patterns.size(), "; \"*\" is every event");
  }
  for (size_t i = 0; i < patterns.size(); ++i) {
    if (IsPattern(patterns[i])) continue;
    return Error(absl::StatusCode::kInvalidArgument, "events[", i, "]: must be \"*\", a type such as payout.paid, or ",
                 "the beginning of one such as payout.*, of at most ", kMaxEventTypeBytes, " bytes and ",
                 kMaxEventTypeWords, " words");
  }
  std::vector<std::string> sorted(patterns.begin(), patterns.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<std::string> kept;
  for (const std::string& pattern : sorted) {
    const bool covered = std::any_of(sorted.begin(), sorted.end(), [&](const std::string& other) {
      return other != pattern && Fits(other, pattern);
    });
    if (!covered) kept.push_back(pattern);
  }
  return EventFilter(std::move(kept));
}

EventFilter EventFilter::All() { return EventFilter({std::string(kAll)}); }

bool EventFilter::Matches(std::string_view type) const {
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [&](const std::string& pattern) { return Fits(pattern, type); });
}

}  // namespace northwind::internal
