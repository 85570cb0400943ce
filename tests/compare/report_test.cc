// SPDX-License-Identifier: Apache-2.0
//
// Every figure of a report is recomputed here from the struct, by other code than the report's.
#include <nlohmann/json.hpp>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/compare.h"

namespace northwind {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kHostile = "<script>alert('1')</script>\"&\x1B[31m";

DayFigures Day(int n) {
  DayFigures day;
  day.day = absl::CivilDay(2026, 3, 1) + n;
  day.state = DayState::kClosed;
  day.closed_at = absl::FromUnixSeconds(1'772'500'000 + n);
  day.closed_by = "ops";
  day.sound = true;
  day.assets["USD/2"].ours = {.ingested = {1007, 1'000'103},
                              .matched = {1000, 1'000'000},
                              .mismatched = {4, 51},
                              .pending = {2, 50},
                              .ignored = {1, 2},
                              .by_northwind = {1, 2}};
  day.assets["USD/2"].theirs = {.ingested = {1000, 1'000'000}, .matched = {1000, 1'000'000}};
  day.assets["JPY/0"].ours = {.ingested = {3, -77}, .matched = {3, -77}};
  day.assets["JPY/0"].theirs = day.assets["JPY/0"].ours;
  day.by_class = {{DiscrepancyClass::kAmount, 3}, {DiscrepancyClass::kDayShift, 1}};
  day.by_state = {{DiscrepancyState::kExplained, 4}};
  day.our_digest.fill(0xAB);
  day.their_digest.fill(0xCD);
  return day;
}

RunReport Report() {
  RunReport report;
  report.made_at = absl::FromUnixSeconds(1'772'600'000);
  report.ledger_id = "0123";
  report.followed = Sequence(4711);
  report.from = absl::CivilDay(2026, 3, 1);
  report.to = absl::CivilDay(2026, 3, 3);
  report.days = {Day(0), Day(1), Day(2)};
  report.days[2].by_state[DiscrepancyState::kOpen] = 2;
  report.unresolved_count = 2;
  Discrepancy d;
  d.id = "payout:po_1";
  d.classes = {DiscrepancyClass::kAmount};
  d.detail = "amount: -100.00 here, -100.01 there (USD)";
  d.day = report.to;
  report.unresolved = {d};
  IgnoreRule rule;
  rule.id = "r1";
  rule.of = DiscrepancyClass::kLate;
  rule.from = report.from;
  rule.to = report.to;
  rule.max_count = 9;
  rule.max_units["USD/2"] = 12'345;
  report.rules = {rule};
  report.rule_uses["r1"] = 7;
  report.gate.reasons = {"2 discrepancies are open"};
  report.gate.days = {report.from, report.from + 1};
  return report;
}

// By its own arithmetic.
std::string Cents(int64_t units) {
  std::string text = std::to_string(units / 100) + ".";
  return text + (units % 100 < 10 ? "0" : "") + std::to_string(units % 100);
}

TEST(ReportJson, HoldsEveryFigure) {
  const RunReport report = Report();
  const auto json = nlohmann::json::parse(FormatReportJson(report));
  EXPECT_EQ(json["followed"], 4711);
  EXPECT_EQ(json["made_at"], "2026-03-04T04:53:20Z");
  EXPECT_EQ(json["signed_at"], nullptr);
  EXPECT_EQ(json["gate"]["open"], false);
  EXPECT_EQ(json["gate"]["days"], (nlohmann::json{"2026-03-01", "2026-03-02"}));
  ASSERT_EQ(json["days"].size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const auto& day = json["days"][i];
    for (const auto& [asset, sides] : report.days[i].assets) {
      for (const auto& [name, side] : {std::pair("ours", sides.ours), std::pair("theirs", sides.theirs)}) {
        const auto& shown = day["assets"][asset][name];
        for (const auto& [part, figure] :
             {std::pair("ingested", side.ingested), std::pair("matched", side.matched),
              std::pair("mismatched", side.mismatched), std::pair("pending", side.pending),
              std::pair("ignored", side.ignored), std::pair("by_northwind", side.by_northwind)}) {
          EXPECT_EQ(shown[part]["count"], figure.count);
          EXPECT_EQ(shown[part]["sum"], std::to_string(static_cast<int64_t>(figure.sum)));
        }
        EXPECT_EQ(shown["holds"], true);
      }
    }
    EXPECT_EQ(day["clean"], i < 2);
    EXPECT_EQ(day["by_class"]["amount"], 3);
    EXPECT_EQ(day["by_class"]["day_shift"], 1);
    EXPECT_EQ(day["by_state"]["explained"], 4);
  }
  EXPECT_EQ(json["days"][2]["by_state"]["open"], 2);
  EXPECT_EQ(json["unresolved_count"], 2);
  EXPECT_EQ(json["unresolved"][0]["id"], "payout:po_1");
  EXPECT_EQ(json["rules"][0]["uses"], 7);
  EXPECT_EQ(json["rules"][0]["max_units"]["USD/2"], "12345");
}

TEST(ReportTextAndHtml, ShowEveryFigure) {
  for (const std::string& shown : {FormatReportText(Report()), FormatReportHtml(Report())}) {
    for (const std::string& figure : {std::string("1007"),
                                      Cents(1'000'103),
                                      Cents(1'000'000),
                                      Cents(51),
                                      Cents(50),
                                      Cents(2),
                                      std::string("-77"),
                                      std::string("2026-03-02"),
                                      std::string("4711"),
                                      std::string("2 open"),
                                      std::string("clean"),
                                      std::string("amount: 3"),
                                      std::string("day_shift: 1"),
                                      std::string("explained: 4"),
                                      std::string("payout:po_1"),
                                      std::string("Unresolved: 2"),
                                      std::string("123.45"),
                                      std::string("2026-03-04T04:53:20Z"),
                                      std::string("2 discrepancies are open"),
                                      std::string("2 clean days in a row"),
                                      std::string("abababab"),
                                      std::string("cdcdcdcd")}) {
      EXPECT_THAT(shown, HasSubstr(figure));
    }
  }
  // 1000 + 1000 + 3 + 3 rows matched, of both sides.
  EXPECT_THAT(FormatReportHtml(Report()), HasSubstr("<title>2026-03-01: 2006 matched</title>"));
  EXPECT_THAT(FormatReportHtml(Report()), HasSubstr("<title>2026-03-01: 4 mismatched</title>"));
  EXPECT_THAT(FormatReportHtml(Report()), HasSubstr("<title>2026-03-01: 2 pending</title>"));
}

TEST(ReportTextAndHtml, SayWhatNorthwindPays) {
  EXPECT_THAT(FormatReportText(Report()), HasSubstr("of the ignored, paid by northwind (rows, sum): 1 0.02"));
  EXPECT_THAT(FormatReportHtml(Report()), HasSubstr("<th class=\"n\">paid by northwind</th><th class=\"n\">sum</th>"));
  EXPECT_THAT(FormatReportHtml(Report()),
              HasSubstr("<td class=\"n\">1</td><td class=\"n\">0.02</td><td class=\"good\">"));
}

TEST(ReportTextAndHtml, CountOneDayAsOne) {
  RunReport report = Report();
  report.gate.days.resize(1);
  for (const std::string& shown : {FormatReportText(report), FormatReportHtml(report)}) {
    EXPECT_THAT(shown, HasSubstr(" 1 clean day in a row"));
  }
}

TEST(ReportTextAndHtml, SayWhenADayDoesNotAddUp) {
  RunReport report = Report();
  report.days[0].assets["USD/2"].ours.ingested.count += 1;
  EXPECT_THAT(FormatReportText(report), HasSubstr("DOES NOT ADD UP"));
  EXPECT_THAT(FormatReportHtml(report), HasSubstr("does not add up"));
  EXPECT_THAT(FormatReportHtml(Report()), Not(HasSubstr("does not add up")));
}

TEST(ReportTextAndHtml, HostileTextIsHarmless) {
  RunReport report = Report();
  report.ledger_id = report.signed_by = report.note = report.gate.rules_hash = kHostile;
  report.days[0].closed_by = kHostile;
  report.days[0].incomplete = {kHostile};
  report.days[0].assets[kHostile] = {};
  report.unresolved[0].id = report.unresolved[0].detail = kHostile;
  report.rules[0].id = report.rules[0].owner = report.rules[0].reason = kHostile;
  report.rules[0].max_units[kHostile] = 1;
  report.gate.reasons = {kHostile, "\xFF"};
  const std::string html = FormatReportHtml(report);
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("alert('")));
  EXPECT_THAT(html, Not(HasSubstr("\xFF")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;"));
  for (const char* outside : {"http://", "https://", "src=", "href=", "url("})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  EXPECT_EQ(html.find('\x1B'), std::string::npos);
  EXPECT_EQ(FormatReportText(report).find('\x1B'), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(FormatReportJson(report))["note"], kHostile);
}

TEST(Report, ABoundOver128BitsIsNotShownAsNegative) {
  RunReport report = Report();
  report.rules[0].max_units["USD/2"] = absl::Uint128Max();
  EXPECT_THAT(FormatReportText(report), HasSubstr("at most 1701411834604692317316873037158841057.27 USD/2"));
  EXPECT_THAT(FormatReportJson(report), HasSubstr("\"170141183460469231731687303715884105727\""));
}

TEST(Report, OfNothingIsWrittenToo) {
  for (const std::string& shown : {FormatReportText({}), FormatReportJson({}), FormatReportHtml({})}) {
    EXPECT_FALSE(shown.empty());
  }
}

}  // namespace
}  // namespace northwind
