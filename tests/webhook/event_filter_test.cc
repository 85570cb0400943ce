// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/event_filter.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestSeed;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Patterns = std::vector<std::string>;

EventFilter Filter(const Patterns& patterns) { return *EventFilter::Make(patterns); }

TEST(EventType, IsWordsWithDots) {
  for (const char* good :
       {"a", "payout", "payout.paid", "payout.hold.expired", "payment_event.v2", "a.b.c.d.e.f.g.h", "a1_.b__"}) {
    EXPECT_TRUE(IsEventType(good)) << good;
  }
  EXPECT_TRUE(IsEventType(std::string(kMaxEventTypeBytes, 'a')));
  for (const char* bad :
       {"",   ".",   "a.",  ".a",  "a..b", "A",   "Payout.paid", "payout.Paid", "1a",       "a.1b",
        "_a", "a b", "a-b", "a/b", "*",    "a.*", "a*",          "a\n",         "\xc3\xbc", "a.b.c.d.e.f.g.h.i"}) {
    EXPECT_FALSE(IsEventType(bad)) << bad;
  }
  EXPECT_FALSE(IsEventType(std::string(kMaxEventTypeBytes + 1, 'a')));
  EXPECT_FALSE(IsEventType(std::string_view("a\0b", 3)));
}

TEST(EventFilter, MatchesByTheTable) {
  struct Row {
    const char* pattern;
    const char* type;
    bool matches;
  };
  constexpr Row kRows[] = {
      {"*", "payout", true},
      {"*", "payout.paid", true},
      {"*", "payout.hold.expired", true},
      {"payout.*", "payout.paid", true},
      {"payout.*", "payout.hold.expired", true},
      {"payout.*", "payout", false},
      {"payout.*", "payouts.paid", false},
      {"payout.*", "payout_x.paid", false},
      {"payout.*", "payment.paid", false},
      {"payout.hold.*", "payout.hold.expired", true},
      {"payout.hold.*", "payout.hold", false},
      {"payout.hold.*", "payout.held.expired", false},
      {"payout.paid", "payout.paid", true},
      {"payout.paid", "payout.paid.late", false},
      {"payout.paid", "payout.pai", false},
      {"payout.paid", "payout", false},
      {"payout", "payout", true},
      {"payout", "payout.paid", false},
  };
  for (const Row& row : kRows) {
    EXPECT_EQ(Filter({row.pattern}).Matches(row.type), row.matches) << row.pattern << " " << row.type;
  }
  EXPECT_TRUE(EventFilter::All().Matches("any.thing"));
  EXPECT_EQ(EventFilter::All(), Filter({"*"}));
  EXPECT_FALSE(EventFilter().Matches("payout.paid"));
}

TEST(EventFilter, IsKeptInCanonicalForm) {
  EXPECT_THAT(Filter({"b", "a", "b"}).patterns(), ElementsAre("a", "b"));
  EXPECT_THAT(Filter({"payout.paid", "*", "a.*"}).patterns(), ElementsAre("*"));
  EXPECT_THAT(
      Filter({"payout.paid", "payout.*", "payout", "payout.hold.*", "payout.hold.expired", "payouts.paid"}).patterns(),
      ElementsAre("payout", "payout.*", "payouts.paid"));
  EXPECT_EQ(Filter({"payout.*", "payout.paid"}), Filter({"payout.*"}));
  EXPECT_NE(Filter({"payout.*", "payout"}), Filter({"payout.*"}));
}

TEST(EventFilter, RefusesWhatIsNoPatternByItsPlace) {
  for (const char* bad : {"", "**", "*.paid", "a.*.b", "a*", "a.b*", ".*", "*.", "*.*", "a.*.*", "a..*", "A.*",
                          "payout.* ", "a,b", "a.b.c.d.e.f.g.h.*"}) {
    EXPECT_THAT(EventFilter::Make(Patterns{"fine", bad}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("events[1]")))
        << bad;
  }
  EXPECT_THAT(EventFilter::Make(Patterns{"a.b.c.d.e.f.g.*"}), IsOk());
  EXPECT_THAT(EventFilter::Make(Patterns{std::string(kMaxEventTypeBytes - 2, 'a') + ".*"}), IsOk());
  EXPECT_THAT(EventFilter::Make(Patterns{std::string(kMaxEventTypeBytes - 1, 'a') + ".*"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(EventFilter::Make({}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 to 32")));
  EXPECT_THAT(EventFilter::Make(Patterns(kMaxFilterPatterns, "a")), IsOk());
  EXPECT_THAT(EventFilter::Make(Patterns(kMaxFilterPatterns + 1, "a")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not 33")));
}

// ---- Against an oracle --------------------------------------------------------------------------------------

// What the header says, word by word.
bool OracleMatches(const std::vector<std::string>& pattern, const std::vector<std::string>& type) {
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == "*") return type.size() > i;
    if (i >= type.size() || pattern[i] != type[i]) return false;
  }
  return pattern.size() == type.size();
}
bool OracleMatches(const Patterns& patterns, const std::string& type) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return OracleMatches(absl::StrSplit(pattern, '.'), std::vector<std::string>(absl::StrSplit(type, '.')));
  });
}

// Every type of one to four words out of these, where one begins like another.
Patterns SmallTypes() {
  const Patterns words = {"a", "ab", "b", "c_1"};
  Patterns types = words;
  for (size_t begin = 0, depth = 1; depth < 4; ++depth) {
    const size_t end = types.size();
    for (size_t i = begin; i < end; ++i) {
      for (const std::string& word : words) types.push_back(types[i] + "." + word);
    }
    begin = end;
  }
  return types;
}

TEST(EventFilter, MatchesAsTheOracleDoesAndIsEqualIfAndOnlyIfItMatchesTheSame) {
  Random random(TestSeed());
  const Patterns types = SmallTypes();
  const auto matched = [&](const EventFilter& filter) {
    std::vector<bool> row;
    for (const std::string& type : types) row.push_back(filter.Matches(type));
    return row;
  };
  const auto draw = [&] {
    Patterns patterns;
    for (size_t n = 1 + random.Below(5); n > 0; --n) {
      // No longer than three words, so that a type of four tells "x.*" from any list.
      std::string pattern = random.Pick(types);
      while (std::count(pattern.begin(), pattern.end(), '.') > 2) pattern = random.Pick(types);
      if (random.OneIn(3))
        pattern = pattern.substr(0, pattern.rfind('.') == std::string::npos ? 0 : pattern.rfind('.')) + ".*";
      if (pattern == ".*") pattern = random.OneIn(4) ? "*" : "a.*";
      patterns.push_back(pattern);
    }
    return patterns;
  };
  size_t same = 0;
  for (int round = 0; round < 400; ++round) {
    const Patterns patterns = draw();
    SCOPED_TRACE(absl::StrJoin(patterns, " "));
    const EventFilter filter = Filter(patterns);
    for (const std::string& type : types) ASSERT_EQ(filter.Matches(type), OracleMatches(patterns, type)) << type;
    EXPECT_EQ(Filter(filter.patterns()), filter);
    Patterns shuffled = patterns;
    std::reverse(shuffled.begin(), shuffled.end());
    shuffled.push_back(random.Pick(shuffled));
    EXPECT_EQ(Filter(shuffled), filter);
    // Another one, or the same with one pattern more, which is often covered.
    Patterns more = draw();
    if (random.OneIn(2)) {
      more.resize(1);
      more.insert(more.end(), patterns.begin(), patterns.end());
    }
    const EventFilter other = Filter(more);
    EXPECT_EQ(other == filter, matched(other) == matched(filter)) << absl::StrJoin(other.patterns(), " ");
    same += other == filter ? 1 : 0;
  }
  EXPECT_GT(same, 0u) << "no equal filters were drawn";
}

}  // namespace
}  // namespace northwind::internal
