// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "northwind/compare.h"
#include "tests/support/seed.h"

namespace northwind {
namespace {

using testing::Random;

LegacyMapping Smallest() {
  LegacyMapping mapping;
  mapping.row_id = "id";
  mapping.only_leg = Leg::kPayout;
  mapping.id = "payout";
  mapping.merchant_id = "merchant";
  mapping.asset = "currency";
  mapping.amount = "amount";
  mapping.day = "day";
  return mapping;
}
constexpr std::string_view kSmallest =
    R"({"row_id":"id","only_leg":"payout","id":"payout","merchant_id":"merchant","asset":"currency",)"
    R"("amount":"amount","amount_form":"decimal","amount_sign":"magnitude","day":"day","time_zone":"UTC",)"
    R"("day_begins_minutes":0,"time_tolerance_seconds":0})";

LegacyMapping Largest() {
  LegacyMapping mapping = Smallest();
  mapping.leg = "kind";
  mapping.legs = {{"sale", Leg::kCapture}, {"", Leg::kAdjustment}, {"\"ä", Leg::kRefund}};
  mapping.only_leg.reset();
  mapping.refund_id = "refund";
  mapping.assets = {{"USD", "USD/2"}, {"978", "EUR/2"}};
  mapping.amount_form = LegacyAmountForm::kMinorUnits;
  mapping.amount_sign = LegacyAmountSign::kMerchant;
  mapping.fee = "fee";
  mapping.status = "state";
  mapping.statuses = {{"done", LegStatus::kSettled}};
  mapping.skipped_statuses = {"draft", "void"};
  mapping.at = "created_at";
  mapping.time_zone = "Europe/Berlin";
  mapping.day_begins = absl::Minutes(-90);
  mapping.time_tolerance = absl::Seconds(5);
  return mapping;
}
constexpr std::string_view kLargest =
    R"({"row_id":"id","leg":"kind","legs":{"":"adjustment","\"ä":"refund","sale":"capture"},"id":"payout",)"
    R"("refund_id":"refund","merchant_id":"merchant","asset":"currency","assets":{"978":"EUR/2","USD":"USD/2"},)"
    R"("amount":"amount","amount_form":"minor_units","amount_sign":"merchant","fee":"fee","status":"state",)"
    R"("statuses":{"done":"settled"},"skipped_statuses":["draft","void"],"day":"day","at":"created_at",)"
    R"("time_zone":"Europe/Berlin","day_begins_minutes":-90,"time_tolerance_seconds":5})";

std::string WhyNot(std::string_view json) {
  const auto mapping = ParseMappingJson(json);
  EXPECT_TRUE(absl::IsInvalidArgument(mapping.status())) << json << mapping.status();
  return std::string(mapping.status().message());
}

// The largest mapping with a piece of its text replaced.
std::string With(std::string_view piece, std::string_view other) {
  std::string json(kLargest);
  const size_t at = json.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return json.replace(at, piece.size(), other);
}

TEST(MappingJson, OfOneMappingIsOneText) {
  EXPECT_EQ(FormatMappingJson(Smallest()), kSmallest);
  EXPECT_EQ(FormatMappingJson(Largest()), kLargest);
}

TEST(MappingJson, IsReadAsItIsWritten) {
  for (const LegacyMapping& mapping : {Smallest(), Largest()}) {
    const auto read = ParseMappingJson(FormatMappingJson(mapping));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(*read == mapping) << FormatMappingJson(*read);
  }
}

TEST(MappingJson, MayLeaveOutWhatHasADefaultAndBeInAnyOrderWithBlanks) {
  const auto read = ParseMappingJson(R"( {"day": "day", "amount": "amount", "asset": "currency",
    "merchant_id": "merchant", "id": "payout", "only_leg": "payout", "row_id": "id"} )");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(*read == Smallest());
}

TEST(MappingJson, AnyMemberThatDiffersMakesAnotherText) {
  std::vector<LegacyMapping> all(21, Largest());
  all[1].row_id = all[2].leg = all[3].id = all[4].refund_id = all[5].merchant_id = all[6].asset = all[7].amount =
      all[8].fee = all[9].status = all[10].day = all[11].at = "x";
  all[12].legs["x"] = Leg::kDispute;
  all[13].assets["x"] = "JPY/0";
  all[14].statuses["x"] = LegStatus::kLost;
  all[15].skipped_statuses.insert("x");
  all[16].amount_form = LegacyAmountForm::kDecimal;
  all[17].amount_sign = LegacyAmountSign::kMagnitude;
  all[18].time_zone = "UTC";
  all[19].day_begins = absl::Minutes(1);
  all[20].time_tolerance = absl::Seconds(1);
  std::set<std::string> texts;
  for (const LegacyMapping& mapping : all) {
    texts.insert(FormatMappingJson(mapping));
    const auto read = ParseMappingJson(FormatMappingJson(mapping));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(*read == mapping);
  }
  EXPECT_EQ(texts.size(), all.size());
}

TEST(MappingJson, UnknownAndDuplicateMembersAreRefused) {
  EXPECT_EQ(WhyNot(With(R"("fee":)", R"("fees":)")), "fees: unknown member");
  EXPECT_EQ(WhyNot(With(R"("fee":"fee")", R"("fee":"fee","fee":"fee")")), "fee: given twice");
  EXPECT_EQ(WhyNot(With(R"("sale":"capture")", R"("sale":"capture","sale":"capture")")), "legs: 'sale' given twice");
  EXPECT_EQ(WhyNot(With(R"("USD":"USD/2")", R"("USD":"USD/2","USD":"USD/3")")), "assets: 'USD' given twice");
  EXPECT_EQ(WhyNot(With(R"("done":"settled")", R"("done":"settled","done":"won")")), "statuses: 'done' given twice");
  EXPECT_EQ(WhyNot(With(R"("draft","void")", R"("draft","draft")")), "skipped_statuses: 'draft' given twice");
}

TEST(MappingJson, OfAnotherShapeIsRefused) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "json: not valid JSON at byte 1"},
      {"{", "json: not valid JSON at byte 2"},
      {"[]", "json: a mapping is one JSON object, not an array"},
      {"\"x\"", "json: a mapping is one JSON object, not a string"},
      {"7", "json: a mapping is one JSON object, not a number"},
      {std::string(kSmallest) + "x", "json: not valid JSON at byte " + std::to_string(kSmallest.size() + 1)},
      {"\xEF\xBB\xBF" + std::string(kSmallest), "json: begins with a byte order mark"},
      {std::string(kSmallest) + '\0', "json: contains a NUL byte"},
      {std::string(1 << 20, ' ') + "{}", "json: longer than 1048576 bytes"},
      {With(R"("fee":"fee")", R"("fee":null)"), "fee: must be a string, not null"},
      {With(R"("fee":"fee")", R"("fee":"")"), "fee: must not be empty; leave out what is not there"},
      {With(R"("fee":"fee")", R"("fee":{})"), "fee: must be a string, not an object"},
      {With(R"("fee":"fee")", R"("fee":7)"), "fee: must be a string, not a number"},
      {With(R"("done":"settled")", R"("done":true)"), "statuses: must be an object of strings, not of a boolean"},
      {With(R"({"done":"settled"})", R"("done")"), "statuses: must be an object of strings, not a string"},
      {With(R"("draft","void")", R"(["draft"])"), "skipped_statuses: must be an array of strings, not of an array"},
      {With(R"(["draft","void"])", R"({"draft":"void"})"),
       "skipped_statuses: must be an array of strings, not an object"},
      {With("-90", "\"-90\""), "day_begins_minutes: must be a whole number, not a string"},
      {With("-90", "-90.5"), "day_begins_minutes: must be a whole number, not a number with a point or exponent"},
      {With(R"("sale":"capture")", R"("sale":"captured")"), "legs: no such leg: 'captured'"},
      {With(R"("done":"settled")", R"("done":"done")"), "statuses: no such status: 'done'"},
      {With("minor_units", "cents"), R"(amount_form: must be "decimal" or "minor_units")"},
      {With(R"("amount_sign":"merchant")", R"("amount_sign":"both")"),
       R"(amount_sign: must be "magnitude" or "merchant")"},
  };
  for (const auto& [json, why] : bad) EXPECT_EQ(WhyNot(json), why) << json.substr(0, 1000);
}

TEST(MappingJson, NumbersOutOfRangeAreRefusedHoweverLarge) {
  for (const char* minutes : {"721", "-721", "9223372036854775807", "-9223372036854775808", "18446744073709551615"}) {
    EXPECT_EQ(WhyNot(With("-90", minutes)).find("day_begins: "), 0u) << minutes;
  }
  EXPECT_EQ(WhyNot(With("\"time_tolerance_seconds\":5", "\"time_tolerance_seconds\":43201")).find("time_tolerance: "),
            0u);
}

TEST(MappingJson, ChangedAnywhereIsRefusedWithAReasonOrAnotherMapping) {
  Random random(testing::TestSeed());
  for (uint64_t i = testing::TestOps(20'000); i > 0; --i) {
    std::string json(random.OneIn(2) ? kLargest : kSmallest);
    for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) {
      json[random.Below(json.size())] = random.Pick<char>({'"', '{', '}', ',', ':', '[', ']', 'x', '0', '\\', '\xC3'});
    }
    const auto read = ParseMappingJson(json);
    if (!read.ok()) {
      ASSERT_TRUE(absl::IsInvalidArgument(read.status()));
      ASSERT_NE(std::string(read.status().message()).find(": "), std::string::npos) << read.status();
      continue;
    }
    const std::string text = FormatMappingJson(*read);
    const auto again = ParseMappingJson(text);
    ASSERT_TRUE(again.ok()) << again.status() << text;
    ASSERT_TRUE(*again == *read);
    ASSERT_EQ(FormatMappingJson(*again), text);
  }
}

TEST(ValidateMapping, NamesTheMemberAtFault) {
  ASSERT_TRUE(ValidateMapping(Smallest()).ok());
  ASSERT_TRUE(ValidateMapping(Largest()).ok());
  using Change = void (*)(LegacyMapping&);
  const std::vector<std::pair<std::string, Change>> bad = {
      {"row_id: must name a column", [](LegacyMapping& m) { m.row_id = ""; }},
      {"id: must name a column", [](LegacyMapping& m) { m.id = ""; }},
      {"merchant_id: must name a column", [](LegacyMapping& m) { m.merchant_id = ""; }},
      {"asset: must name a column", [](LegacyMapping& m) { m.asset = ""; }},
      {"amount: must name a column", [](LegacyMapping& m) { m.amount = ""; }},
      {"day: must name a column", [](LegacyMapping& m) { m.day = m.at = ""; }},
      {"fee: longer than 128 bytes: '" + std::string(64, 'f') + "'",
       [](LegacyMapping& m) { m.fee = std::string(129, 'f'); }},
      {"at: not UTF-8: '\\xff'", [](LegacyMapping& m) { m.at = "\xff"; }},
      {"legs: must be empty if leg names no column", [](LegacyMapping& m) { m.leg = ""; }},
      {"only_leg: must be a leg if leg names no column", [](LegacyMapping& m) { m.leg = "", m.legs.clear(); }},
      {"only_leg: must be a leg if leg names no column",
       [](LegacyMapping& m) { m.leg = "", m.legs.clear(), m.only_leg = static_cast<Leg>(7); }},
      {"only_leg: must not be given if leg names a column", [](LegacyMapping& m) { m.only_leg = Leg::kPayout; }},
      {"legs: must say which texts of the column stand for which leg", [](LegacyMapping& m) { m.legs.clear(); }},
      {"legs: no such leg for 'x'", [](LegacyMapping& m) { m.legs["x"] = static_cast<Leg>(0); }},
      {"assets: not an asset of the form CODE/SCALE (such as USD/2): 'usd'",
       [](LegacyMapping& m) { m.assets["x"] = "usd"; }},
      {"amount_form: must be decimal or minor units",
       [](LegacyMapping& m) { m.amount_form = static_cast<LegacyAmountForm>(3); }},
      {"amount_sign: must be magnitude or merchant",
       [](LegacyMapping& m) { m.amount_sign = static_cast<LegacyAmountSign>(0); }},
      {"statuses: must be empty if status names no column", [](LegacyMapping& m) { m.status = ""; }},
      {"skipped_statuses: must be empty if status names no column",
       [](LegacyMapping& m) { m.status = "", m.statuses.clear(); }},
      {"statuses: must say which texts of the column stand for which status",
       [](LegacyMapping& m) { m.statuses.clear(); }},
      {"statuses: no such status for 'x'", [](LegacyMapping& m) { m.statuses["x"] = static_cast<LegStatus>(8); }},
      {"skipped_statuses: also in statuses: 'done'", [](LegacyMapping& m) { m.skipped_statuses.insert("done"); }},
      {"skipped_statuses: not UTF-8: '\\xff'", [](LegacyMapping& m) { m.skipped_statuses.insert("\xff"); }},
      {"legs: more than 256 texts",
       [](LegacyMapping& m) {
         for (int i = 0; i < 257; ++i) m.legs[std::to_string(i)] = Leg::kCapture;
       }},
      {"time_zone: not known: 'Europe/Berlim'", [](LegacyMapping& m) { m.time_zone = "Europe/Berlim"; }},
      {"day_begins: must be -12 to 12 hours after midnight, not 12h1m",
       [](LegacyMapping& m) { m.day_begins = absl::Minutes(721); }},
      {"day_begins: must be whole minutes, not 1s", [](LegacyMapping& m) { m.day_begins = absl::Seconds(1); }},
      {"time_tolerance: must be 0 to 12 hours, not -1s",
       [](LegacyMapping& m) { m.time_tolerance = -absl::Seconds(1); }},
      {"time_tolerance: must be 0 to 12 hours, not inf",
       [](LegacyMapping& m) { m.time_tolerance = absl::InfiniteDuration(); }},
      {"time_tolerance: must be whole seconds, not 1ms",
       [](LegacyMapping& m) { m.time_tolerance = absl::Milliseconds(1); }},
  };
  for (const auto& [why, change] : bad) {
    LegacyMapping mapping = Largest();
    change(mapping);
    const absl::Status status = ValidateMapping(mapping);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << why;
    EXPECT_EQ(status.message(), why);
  }
}

}  // namespace
}  // namespace northwind
