// SPDX-License-Identifier: Apache-2.0
//
// The metadata of an event's transaction. What is valid in an event is in event_json_test.cc.
#include "src/settlement/event.h"

#include <map>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/seed.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::Random;
using ::northwind::testing::RandomText;
using ::northwind::testing::TestSeed;

TEST(EventMetadata, ReadsBackAsItWasWritten) {
  using std::string_view_literals::operator""sv;
  Random random(TestSeed());
  constexpr std::string_view kAnything = "\0\1\x7f\x80\xff:ab\"\xc3\xa9"sv;
  for (int i = 0; i < 5'000; ++i) {
    const std::string owner = RandomText(random, 0, 140, "abc:/");
    std::map<std::string, std::string> metadata;
    for (uint64_t n = random.Below(6); n > 0; --n) {
      metadata[RandomText(random, 1, 3, kAnything)] = RandomText(random, 0, 300, kAnything);
    }
    const std::string bytes = EncodeMetadata(owner, metadata);
    const auto decoded = DecodeMetadata(bytes);
    ASSERT_TRUE(decoded.has_value());
    ASSERT_EQ(decoded->owner, owner);
    ASSERT_EQ(decoded->metadata, metadata);
  }
}

TEST(EventMetadata, ReadsNothingThatWouldNotHaveBeenWritten) {
  using std::string_view_literals::operator""sv;
  EXPECT_TRUE(DecodeMetadata("").has_value());
  const std::string good = EncodeMetadata("m1", {{"a", "1"}, {"b", ""}});
  ASSERT_EQ(good, "\0\2m1\1a\0011\1b\0"sv);
  for (size_t n = 0; n < good.size(); ++n) {
    const bool whole = n == 0 || n == 4 || n == 8;  // ends with an entry
    EXPECT_EQ(DecodeMetadata(good.substr(0, n)).has_value(), whole) << n;
  }
  for (const std::string_view bytes : {
           "\1b\0\1a\0"sv,         // not sorted
           "\1a\0\1a\0"sv,         // a key twice
           "\1a\0\0\2m1"sv,        // the owner not first
           "\0\2m1\0\2m1"sv,       // two owners
           "\0\0"sv,               // an owner without a name
           "\x81\0a\0"sv,          // a length longer than it need be
           "\1a\x7f"sv,            // a length past the end
           "{\"order\":\"7\"}"sv,  // of another making
       }) {
    EXPECT_FALSE(DecodeMetadata(bytes).has_value()) << ::testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace northwind::internal
