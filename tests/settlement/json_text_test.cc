// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/json_text.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/settlement/sample_events.h"

namespace northwind::internal {
namespace {

std::string Text(std::string_view text) {
  std::string out;
  AppendJsonText(out, text);
  return out;
}

TEST(JsonText, EscapesWhatHasToBe) {
  EXPECT_EQ(Text(""), R"("")");
  EXPECT_EQ(Text("a/b c"), R"("a/b c")");
  EXPECT_EQ(Text("\"\\\n\t\x01"), R"("\"\\\n\t\u0001")");
  EXPECT_EQ(Text("größe €"), "\"größe €\"");
  EXPECT_EQ(Text("a\xff"), "\"a\xEF\xBF\xBD\"");
}

TEST(JsonText, FieldsStandInTheOrderGivenAndEmptyOnesNowhere) {
  std::string out = "{";
  AppendJsonField(out, "nothing", "");
  AppendJsonTexts(out, "none", {});
  AppendJsonMoney(out, "amount", testing::Usd(1250));
  AppendJsonTexts(out, "metadata", {{"b", "2"}, {"a", "{"}});
  AppendJsonField(out, "id", "x{");
  AppendJsonTime(out, "at", testing::At(0) + absl::Milliseconds(5));
  AppendJsonName(out, "data");
  out += "{";
  AppendJsonField(out, "first", "1");
  out += "}}";
  EXPECT_EQ(out, R"({"amount":{"asset":"USD/2","units":"1250"},"metadata":{"a":"{","b":"2"},"id":"x{",)"
                 R"("at":"2024-03-01T12:00:00.005Z","data":{"first":"1"}})");
}

}  // namespace
}  // namespace northwind::internal
