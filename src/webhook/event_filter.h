// SPDX-License-Identifier: Apache-2.0
//
// Which events an endpoint is told of.
//
//   NW_ASSIGN_OR_RETURN(EventFilter filter, EventFilter::Make({"payout.*", "payment.refunded"}));
//   filter.Matches("payout.paid")   // true
#ifndef NORTHWIND_SRC_WEBHOOK_EVENT_FILTER_H_
#define NORTHWIND_SRC_WEBHOOK_EVENT_FILTER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace northwind::internal {

inline constexpr size_t kMaxEventTypeBytes = 64;
inline constexpr size_t kMaxEventTypeWords = 8;
inline constexpr size_t kMaxFilterPatterns = 32;

// An event type is 1–8 words with a dot between two: "payout.paid". A word begins with a–z and goes on with a–z 0–9 _.
// At most 64 bytes in all.
bool IsEventType(std::string_view text);

// A set of patterns; an event type that fits any of them matches. A pattern is
//
//   payout.paid   that type
//   payout.*      every type with more words after these: payout.paid, payout.hold.expired; not payout itself
//   *             every type
//
// A "*" stands nowhere else. Kept in canonical form: sorted by bytes, without what another pattern covers, so that two
// filters are equal if and only if they match the same (with "payout.*" far longer than any list of types could be).
// Immutable, thread-safe.
class EventFilter {
 public:
  // Matches nothing; Make refuses it.
  EventFilter() = default;

  // 1–32 patterns, repetitions counted. InvalidArgument names the one at fault by its place.
  static absl::StatusOr<EventFilter> Make(absl::Span<const std::string> patterns);
  static EventFilter All();

  bool Matches(std::string_view type) const;
  const std::vector<std::string>& patterns() const { return patterns_; }

  friend bool operator==(const EventFilter&, const EventFilter&) = default;

 private:
  explicit EventFilter(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {}

  std::vector<std::string> patterns_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_EVENT_FILTER_H_
