// SPDX-License-Identifier: Apache-2.0
//
// The batch counts as northwind does: bucket() of the schema is CutoverBucket.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/postgres/claims_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

class ClaimsBucket : public ClaimsFixture {
 protected:
  std::string Bucket(const std::string& salt, const std::string& merchant) {
    return sql_->Value(absl::StrCat("SELECT bucket('", salt, "', '", merchant, "')"));
  }
};

TEST_F(ClaimsBucket, IsTheSameForAHundredThousandMerchants) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  std::string salt;
  for (uint64_t n = 1 + random.Below(64); n > 0; --n) salt.push_back(static_cast<char>(random.Between(' ', '~')));
  std::string quoted;
  for (const char c : salt) quoted += c == '\'' ? "''" : std::string(1, c);
  // Of many lengths, so that the hash has one block and two.
  const auto rows = sql_->Rows(absl::StrCat("SELECT m, bucket('", quoted,
                                            "', m) FROM (SELECT 'm_' || i || repeat('x', i % 62) AS m FROM "
                                            "generate_series(1, 100000) i) AS t"));
  ASSERT_EQ(rows.size(), 100'000U);
  std::vector<int> by_tenth(10);
  for (const auto& row : rows) {
    const uint32_t bucket = CutoverBucket(salt, row[0]);
    ASSERT_EQ(row[1], std::to_string(bucket)) << salt << " " << row[0];
    ++by_tenth[bucket / 1000];
  }
  for (const int count : by_tenth) EXPECT_NEAR(count, 10'000, 600);
}

TEST_F(ClaimsBucket, CountsInBytesOfUtf8) {
  for (const std::string merchant : {"", "m", "händler", "商人", "👍", "a b"}) {
    EXPECT_EQ(Bucket("salt", merchant), std::to_string(CutoverBucket("salt", merchant))) << merchant;
  }
  // Whatever the session speaks.
  PGconn* const connection = sql_->raw();
  ASSERT_EQ(PQsetClientEncoding(connection, "LATIN1"), 0);
  EXPECT_EQ(Bucket("salt", "h\xe4ndler"), std::to_string(CutoverBucket("salt", "händler")));
}

TEST_F(ClaimsBucket, TakesNoSaltThatCutoverDoesNot) {
  for (const std::string& salt : {std::string(), std::string(65, 's'), std::string("sälz"), std::string("a\tb"),
                                  std::string("a\n"), std::string("\x7f")}) {
    EXPECT_EQ(sql_->Refusal(absl::StrCat("SELECT bucket('", salt, "', 'm')")), "22023") << salt;
  }
  EXPECT_EQ(Bucket(std::string(64, '~'), "m"), std::to_string(CutoverBucket(std::string(64, '~'), "m")));
  EXPECT_EQ(sql_->Value("SELECT bucket('salt', NULL)"), "NULL");
  EXPECT_EQ(sql_->Value("SELECT provolatile FROM pg_proc WHERE proname = 'bucket'"), "i");
}

}  // namespace
}  // namespace northwind::testing
