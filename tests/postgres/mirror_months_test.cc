// SPDX-License-Identifier: Apache-2.0
//
// Partitions are those of months in UTC, whatever the session's time zone and date style; and a month that was detached is not one.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/followed_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MirrorMonths : public FollowedFixture {
 protected:
  void GiveAt(const std::string& moment) {
    absl::Time at;
    std::string error;
    ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, moment, &at, &error)) << error;
    clock_.Set(at);
    Give(alice_, 1);
  }
  Table RowsByPartition() {
    return Ask("SELECT tableoid::regclass::text, count(*) FROM postings GROUP BY 1 ORDER BY 1");
  }
  std::vector<std::string> Bounds(const std::string& partition) {
    std::vector<std::string> bounds;
    for (const char* table : {"transactions", "postings"}) {
      bounds.push_back(AskOne(absl::StrCat("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = '", table,
                                           "_", partition, "'::regclass")));
    }
    return bounds;
  }
};

TEST_F(MirrorMonths, BeginAndEndInUtcWhateverADatabasePrefers) {
  sql_->Run("ALTER DATABASE " + database_ + " SET timezone = 'Asia/Kolkata'");
  sql_->Run("ALTER DATABASE " + database_ + " SET datestyle = 'SQL, DMY'");
  ASSERT_NO_FATAL_FAILURE(GiveAt("2024-01-31T23:59:59.999999Z"));
  ASSERT_NO_FATAL_FAILURE(GiveAt("2024-02-01T00:00:00Z"));
  ASSERT_NO_FATAL_FAILURE(GiveAt("2024-03-01T02:30:00Z"));
  ASSERT_NO_FATAL_FAILURE(GiveAt("2024-03-31T20:00:00Z"));
  ASSERT_NO_FATAL_FAILURE(GiveAt("2024-04-01T00:00:00.000001Z"));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  EXPECT_THAT(RowsByPartition(),
              ElementsAre(ElementsAre("postings_2024_01", "2"), ElementsAre("postings_2024_02", "2"),
                          ElementsAre("postings_2024_03", "4"), ElementsAre("postings_2024_04", "2")));
}

// The function by itself, as its owner may call it.
TEST_F(MirrorMonths, BeginAndEndInUtcWhateverASessionPrefers) {
  int year = 2030;
  for (const char* zone : {"UTC", "Asia/Kolkata", "America/Los_Angeles", "Pacific/Kiritimati"}) {
    for (const char* style : {"ISO", "SQL, DMY", "SQL, MDY", "German", "Postgres, DMY"}) {
      SCOPED_TRACE(absl::StrCat(zone, " ", style));
      PostgresSession session(PostgresServer::Shared().Connection(database_));
      session.Run(
          absl::StrCat("SET search_path = northwind; SET timezone = '", zone, "'; SET datestyle = '", style, "'"));
      ++year;
      session.Run(absl::StrCat("SELECT ensure_month(timestamptz '", year, "-03-01 00:00:00+00')"));
      session.Run(absl::StrCat("SELECT ensure_month(timestamptz '", year, "-05-31 23:59:59.999999+00')"));
      const auto bound = [year](const char* from, const char* to) {
        return absl::StrCat("FOR VALUES FROM ('", year, from, "') TO ('", year, to, "')");
      };
      const std::string march = bound("-03-01 00:00:00+00", "-04-01 00:00:00+00");
      const std::string may = bound("-05-01 00:00:00+00", "-06-01 00:00:00+00");
      EXPECT_THAT(Bounds(absl::StrCat(year, "_03")), ElementsAre(march, march));
      EXPECT_THAT(Bounds(absl::StrCat(year, "_05")), ElementsAre(may, may));
    }
  }
}

TEST_F(MirrorMonths, ADetachedOneInTheWayOfAResetMirrorHaltsItUntilItIsMoved) {
  const std::string mended[] = {
      "ALTER TABLE $ RENAME TO kept_$", "DROP TABLE $",
      "TRUNCATE $; ALTER TABLE @ ATTACH PARTITION $ FOR VALUES FROM ('2023-11-01 00:00:00+00') "
      "TO ('2023-12-01 00:00:00+00')"};
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  for (const std::string table : {"transactions", "postings"}) {
    for (const std::string& sql : mended) {
      SCOPED_TRACE(absl::StrCat(table, ": ", sql));
      const std::string month = table + "_2023_11";
      mirror_->Stop();
      sql_->Run(absl::StrCat("ALTER TABLE ", table, " DETACH PARTITION ", month));
      ASSERT_THAT(Mirror::Reset(mirror_options_), IsOk());
      ASSERT_THAT(mirror_->Start(), IsOk());
      EXPECT_THAT(Halted(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                     AllOf(HasSubstr("NW003"), HasSubstr(month + " is in the way"),
                                           HasSubstr("Rename it, drop it, or attach it again"))));
      EXPECT_EQ(Watermark(), 0U);
      sql_->Run(absl::StrReplaceAll(sql, {{"$", month}, {"@", table}}));
      ASSERT_THAT(mirror_->Start(), IsOk());
      ASSERT_NO_FATAL_FAILURE(ExpectWhole());
    }
  }
}

TEST_F(MirrorMonths, ADetachedOneThatIsStillNeededGoesOnOnceItIsAttachedAgain) {
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  mirror_->Stop();
  sql_->Run("ALTER TABLE postings DETACH PARTITION postings_2023_11");
  CommitSome();
  ASSERT_THAT(mirror_->Start(), IsOk());
  EXPECT_THAT(Halted(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("postings_2023_11 is in the way")));
  sql_->Run(
      "ALTER TABLE postings ATTACH PARTITION postings_2023_11 FOR VALUES FROM ('2023-11-01 00:00:00+00') TO "
      "('2023-12-01 00:00:00+00')");
  ASSERT_THAT(mirror_->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
}

}  // namespace
}  // namespace northwind::testing
