// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/quarantine.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "tests/settlement/intake_fixture.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IntakeWorld;
using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(QuarantineRecord, GoldenBytes) {
  const QuarantinedEvent event{.cause = QuarantineCause::kConflict,
                               .detail = "amount: x",
                               .position = 300,
                               .format = EventFormat::kProtobuf,
                               .raw = "{}",
                               .raw_size = 2};
  const std::string value = EncodeQuarantined(event);
  EXPECT_EQ(absl::BytesToHexString(value),
            "01"                    // version
            "03"                    // cause
            "02"                    // format
            "ac02"                  // position
            "02"                    // size of the event as received
            "09616d6f756e743a2078"  // detail
            "027b7d");              // raw
  const std::string key = QuarantineKey("{}");
  EXPECT_EQ(key.substr(0, 14), "nw/quarantine/");
  EXPECT_EQ(absl::BytesToHexString(ToAbsl(key).substr(14)), "44136fa355b3678a1146ad16f7e8649e");
  NW_ASSERT_OK_AND_ASSIGN(const QuarantinedEvent again, DecodeQuarantined(key, value));
  EXPECT_EQ(again.cause, event.cause);
  EXPECT_EQ(again.detail, event.detail);
  EXPECT_EQ(again.position, 300u);
  EXPECT_EQ(again.format, event.format);
  EXPECT_EQ(again.raw, event.raw);
  EXPECT_EQ(again.id, key.substr(14));
}

TEST(QuarantineRecord, DamageIsSeen) {
  const std::string key = QuarantineKey("{}");
  const std::string value = EncodeQuarantined({.cause = QuarantineCause::kMalformed, .raw = "{}", .raw_size = 2});
  EXPECT_THAT(DecodeQuarantined(key, value), IsOk());
  for (size_t n = 0; n < value.size(); ++n) {
    EXPECT_THAT(DecodeQuarantined(key, value.substr(0, n)), StatusIs(absl::StatusCode::kDataLoss)) << n;
  }
  EXPECT_THAT(DecodeQuarantined(key, value + "x"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(DecodeQuarantined(key.substr(1), value), StatusIs(absl::StatusCode::kDataLoss));
  for (const size_t place : {0, 1, 2}) {
    std::string changed = value;
    changed[place] = '\x77';
    EXPECT_THAT(DecodeQuarantined(key, changed), StatusIs(absl::StatusCode::kDataLoss)) << place;
  }
}

TEST(Quarantine, LivesBesideRecordsOfTheHost) {
  IntakeWorld world;
  Engine& engine = world.store_->engine();
  WriteSet host;
  for (const char* key : {"nw/quarantin", "nw/quarantine", "nw/quarantine0", "a", "z"})
    host.Put(Space::kHost, key, "host");
  ASSERT_THAT(engine.Write(host), IsOk());

  Quarantine quarantine(engine);
  ASSERT_THAT(quarantine.Load(), IsOk());
  ASSERT_THAT(quarantine.Add({.bytes = "one", .position = 1}, QuarantineCause::kMalformed, "json: bad"), IsOk());
  ASSERT_THAT(quarantine.Add({.bytes = "two", .position = 2}, QuarantineCause::kMalformed, "json: bad"), IsOk());
  EXPECT_THAT(quarantine.List("", 10)->events, IsEmpty());  // not before it is durable
  ASSERT_THAT(quarantine.Write(), IsOk());
  EXPECT_THAT(quarantine.List("", 10)->events, SizeIs(2));
  quarantine.Settled("one");
  quarantine.Settled("never there");
  ASSERT_THAT(quarantine.Write(), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const QuarantinePage page, quarantine.List("", 10));
  ASSERT_THAT(page.events, SizeIs(1));
  EXPECT_EQ(page.events[0].raw, "two");
  EXPECT_EQ(page.next, "");
  EXPECT_EQ(*world.store_->Get("nw/quarantine"), "host");
}

TEST(Quarantine, ANewCauseReplacesTheOldOneAtTheFirstPlace) {
  IntakeWorld world;
  Quarantine quarantine(world.store_->engine());
  ASSERT_THAT(quarantine.Add({.bytes = "one", .position = 5}, QuarantineCause::kParkingFull, "full"), IsOk());
  ASSERT_THAT(quarantine.Add({.bytes = "one", .position = 6}, QuarantineCause::kTargetNotFound, "never came"), IsOk());
  ASSERT_THAT(quarantine.Write(), IsOk());
  Quarantine another(world.store_->engine());
  ASSERT_THAT(another.Load(), IsOk());
  ASSERT_THAT(another.Add({.bytes = "one", .position = 7}, QuarantineCause::kConflict, "amount: other"), IsOk());
  ASSERT_THAT(another.Write(), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const QuarantinePage page, another.List("", 10));
  ASSERT_THAT(page.events, SizeIs(1));
  EXPECT_EQ(page.events[0].position, 5u);
  EXPECT_EQ(page.events[0].cause, QuarantineCause::kConflict);
}

}  // namespace
}  // namespace northwind::internal
