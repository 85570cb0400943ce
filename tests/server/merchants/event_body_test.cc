// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/event_body.h"

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::server {
namespace {

using northwind::testing::IsOkAndHolds;
using northwind::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(EventBody, AnObjectIsHandedOverAsItIs) {
  EXPECT_THAT(CutJsonEvents(" {\"a\": 1}\n"), IsOkAndHolds(ElementsAre("{\"a\": 1}")));
  // What is in it is the intake's to say.
  EXPECT_THAT(CutJsonEvents("{nonsense"), IsOkAndHolds(ElementsAre("{nonsense")));
}

TEST(EventBody, AnArrayIsCutAtItsOwnCommas) {
  EXPECT_THAT(CutJsonEvents("[]"), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(CutJsonEvents("[ \n]"), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(CutJsonEvents(R"([{"a":"]},[\"{\\"}, [1,{"b":2}] ,3,"x,y"])"),
              IsOkAndHolds(ElementsAre(R"({"a":"]},[\"{\\"})", R"([1,{"b":2}])", "3", R"("x,y")")));
}

TEST(EventBody, WhatIsNeitherIsRefused) {
  for (const char* body : {"", " ", "null", "12", "\"{}\"", "x{}", "[", "[{}", "[{},", "[{},]", "[,{}]", "[{},,{}]",
                           "[{}] x", "[{}][]", "[] []", "[{]}", "[{\"a]}", "[\"\\\"]", "[}]"}) {
    EXPECT_THAT(CutJsonEvents(body), StatusIs(absl::StatusCode::kInvalidArgument)) << body;
  }
  EXPECT_THAT(CutJsonEvents(std::string(1 << 20, '[')), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(EventBody, ThereIsABoundOfEvents) {
  const auto array = [](size_t n) {
    std::string body = "[{}";
    for (size_t i = 1; i < n; ++i) body += ",{}";
    return body + "]";
  };
  EXPECT_EQ(CutJsonEvents(array(kMaxRequestEvents))->size(), kMaxRequestEvents);
  EXPECT_THAT(CutJsonEvents(array(kMaxRequestEvents + 1)), StatusIs(absl::StatusCode::kInvalidArgument));
  std::string lines;
  for (size_t i = 0; i < kMaxRequestEvents; ++i) lines += "{}\n";
  EXPECT_EQ(CutEventLines(lines)->size(), kMaxRequestEvents);
  EXPECT_THAT(CutEventLines(lines + "{}"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(EventBody, LinesEndWithAndWithoutCarriageReturnAndEmptyOnesAreNone) {
  EXPECT_THAT(CutEventLines("{\"a\":1}\r\n\n  \r\n{\"b\":2}\nnonsense"),
              IsOkAndHolds(ElementsAre("{\"a\":1}", "{\"b\":2}", "nonsense")));
  EXPECT_THAT(CutEventLines(""), IsOkAndHolds(IsEmpty()));
}

// Whatever a JSON library writes is cut as that library reads it.
TEST(EventBody, CutsAsAParserDoes) {
  northwind::testing::Random random(northwind::testing::TestSeed());
  const std::function<nlohmann::json(int)> any = [&](int depth) -> nlohmann::json {
    constexpr std::string_view kCharacters = "\"\\[]{},: \n\tax";
    std::string text;
    for (uint64_t n = random.Below(6); n > 0; --n) text += kCharacters[random.Below(kCharacters.size())];
    if (depth == 0 || random.Below(3) == 0) return text;
    nlohmann::json made = random.Below(2) == 0 ? nlohmann::json::array() : nlohmann::json::object();
    for (uint64_t n = random.Below(4); n > 0; --n) {
      if (made.is_array()) {
        made.push_back(any(depth - 1));
      } else {
        made[text + std::to_string(n)] = any(depth - 1);
      }
    }
    return made;
  };
  for (int round = 0; round < 2000; ++round) {
    nlohmann::json array = nlohmann::json::array();
    for (uint64_t n = random.Below(5); n > 0; --n) array.push_back(any(4));
    const auto cut = CutJsonEvents(array.dump(random.Below(2) == 0 ? -1 : 1));
    ASSERT_TRUE(cut.ok()) << array.dump();
    nlohmann::json read = nlohmann::json::array();
    for (const std::string& event : *cut) read.push_back(nlohmann::json::parse(event));
    ASSERT_EQ(read, array);
  }
}

}  // namespace
}  // namespace northwind::server
