// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <vector>

#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

class LedgerHostRecords : public LedgerFixture {
 protected:
  static Transaction With(Transaction t, std::vector<HostRecord> records) {
    t.host_records = std::move(records);
    return t;
  }
  void ExpectRecord(const std::string& key, std::optional<std::string> value) {
    EXPECT_THAT(store_->Get(key), IsOkAndHolds(value)) << key;
  }
};

TEST_F(LedgerHostRecords, AreWrittenWithAnAppliedTransaction) {
  ASSERT_THAT(Commit(With(MakePost(1, world_, alice_, 5), {{"a", "1"}, {"b", std::string("\0", 1)}, {"c", ""}})),
              HasOutcome(Outcome::kApplied));
  for (int round = 0; round < 2; ++round) {
    ExpectRecord("a", "1");
    ExpectRecord("b", std::string("\0", 1));
    ExpectRecord("c", "");
    ExpectRecord("d", std::nullopt);
    Reopen();
  }
}

TEST_F(LedgerHostRecords, AreNotWrittenWithAnyOtherOutcome) {
  ASSERT_THAT(Commit(MakePost(1, world_, alice_, 5)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(With(MakePost(1, world_, alice_, 5), {{"k", "duplicate"}})), HasOutcome(Outcome::kDuplicate));
  EXPECT_THAT(Commit(With(MakePost(1, world_, alice_, 6), {{"k", "conflict"}})), HasOutcome(Outcome::kConflict));
  EXPECT_THAT(Commit(With(MakePost(2, alice_, bob_, 6), {{"k", "rejected"}})), HasOutcome(Outcome::kRejected));
  EXPECT_THAT(Commit(With(MakeCapture(3, Target::Key(Key(9))), {{"k", "deferred"}})), HasOutcome(Outcome::kDeferred));
  EXPECT_THAT(Commit(With(MakePost(4, world_, alice_, 0), {{"k", "invalid"}})), HasOutcome(Outcome::kInvalid));
  ExpectRecord("k", std::nullopt);
  Reopen();
  ExpectRecord("k", std::nullopt);
}

TEST_F(LedgerHostRecords, TheLastWriteOfAKeyWins) {
  CommitAll({With(MakePost(1, world_, alice_, 5), {{"k", "1"}, {"k", "2"}}),
             With(MakePost(2, world_, alice_, 5), {{"k", "3"}}), With(MakePost(3, alice_, bob_, 99), {{"k", "4"}})});
  ExpectRecord("k", "3");
  CommitAll({With(MakePost(4, world_, alice_, 5), {{"k", "5"}})});
  ExpectRecord("k", "5");
}

TEST_F(LedgerHostRecords, OfARetriedTransactionAreWrittenInTheOrderOfApplying) {
  CommitAll({With(MakeCapture(1, Target::Key(Key(2))), {{"k", "capture"}}),
             With(MakeHold(2, world_, alice_, 5), {{"k", "hold"}})},
            {.deferred = DeferredPolicy::kRetryInBatch});
  ExpectRecord("k", "capture");
}

TEST_F(LedgerHostRecords, KeysAreAnyBytesAndDoNotReachNorthwindsOwn) {
  const std::string high(256, '\xff');
  ASSERT_THAT(
      Commit(With(MakePost(1, world_, alice_, 5),
                  {{std::string(1, '\0'), "zero"}, {high, std::string(4096, 'v')}, {"uuid", "x"}, {"format", "y"}})),
      HasOutcome(Outcome::kApplied));
  Reopen();
  ExpectRecord(std::string(1, '\0'), "zero");
  ExpectRecord(high, std::string(4096, 'v'));
  ExpectRecord("uuid", "x");
}

}  // namespace
}  // namespace northwind::testing
