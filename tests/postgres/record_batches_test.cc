// SPDX-License-Identifier: Apache-2.0
//
// Batches are bounded by what their rows weigh, and leave nothing out wherever they end.
#include "src/postgres/record_batches.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "northwind/postgres.h"
#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

using internal::postgres::RecordBatches;
using internal::postgres::RowWeight;
using internal::postgres::WeightOf;

class MirrorRecordBatches : public LedgerFixture {
 protected:
  static RowWeight WeightOfAll(const std::vector<JournalRecord>& records) {
    RowWeight sum;
    for (const JournalRecord& record : records) {
      sum.postings += WeightOf(record).postings;
      sum.bytes += WeightOf(record).bytes;
    }
    return sum;
  }
  // All batches of at most `limit`, in which every record is once and in order.
  std::vector<std::vector<JournalRecord>> ReadAll(size_t limit) {
    RecordBatches journal(ledger_->ReadJournal(Sequence()));
    std::vector<std::vector<JournalRecord>> batches;
    uint64_t sequence = 0;
    while (true) {
      auto batch = journal.Next(limit);
      EXPECT_THAT(batch, IsOk());
      if (!batch.ok() || batch->empty()) break;
      EXPECT_LE(batch->size(), limit);
      for (const JournalRecord& record : *batch) EXPECT_EQ(record.sequence.value(), ++sequence);
      batches.push_back(*std::move(batch));
    }
    EXPECT_EQ(sequence, HeadSequence());
    return batches;
  }
  void CommitMany(uint64_t count, const Transaction& like) {
    std::vector<Transaction> batch;
    for (uint64_t i = 0; i < count; ++i) {
      Transaction t = like;
      t.key = Key(++keys_);
      batch.push_back(std::move(t));
      if (batch.size() < 500 && i + 1 < count) continue;
      for (const CommitResult& result : CommitAll(batch)) ASSERT_EQ(result.outcome, Outcome::kApplied);
      batch.clear();
    }
  }

  uint64_t keys_ = 0;
};

TEST_F(MirrorRecordBatches, EndWherePostingsWouldBeTooMany) {
  ASSERT_NO_FATAL_FAILURE(CommitMany(450, MakePost(0, Postings(kMaxPostings, Posting{world_, alice_, 1}))));
  const auto batches = ReadAll(kMaxJournalPage);
  ASSERT_EQ(batches.size(), 3U);  // of 450 × 512 rows
  for (size_t i = 0; i < batches.size(); ++i) {
    const size_t rows = WeightOfAll(batches[i]).postings;
    EXPECT_LE(rows, kMaxMirrorPostings);
    if (i + 1 == batches.size()) break;
    EXPECT_GT(rows + 2 * kMaxPostings, kMaxMirrorPostings) << "sooner than it has to";
  }
}

TEST_F(MirrorRecordBatches, EndWhereMetadataWouldBeTooLong) {
  Transaction t = MakePost(0, world_, alice_, 1);
  t.metadata = std::string(kMaxMetadataBytes, 'x');
  ASSERT_NO_FATAL_FAILURE(CommitMany(5'000, t));
  const auto batches = ReadAll(kMaxJournalPage);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_LE(WeightOfAll(batches[0]).bytes, kMaxMirrorBytes);
  EXPECT_GT(WeightOfAll(batches[0]).bytes + kMaxMetadataBytes, kMaxMirrorBytes);
}

TEST_F(MirrorRecordBatches, EndAtTheLimitAcrossThePiecesThatAreRead) {
  ASSERT_NO_FATAL_FAILURE(CommitMany(2'000, MakePost(0, world_, alice_, 1)));
  for (const size_t limit : {size_t{1}, size_t{7}, size_t{512}, size_t{513}, size_t{1'500}, kMaxJournalPage}) {
    SCOPED_TRACE(limit);
    EXPECT_EQ(ReadAll(limit).size(), (HeadSequence() + limit - 1) / limit);
  }
}

TEST_F(MirrorRecordBatches, CountTheRowsOfEveryKindOfRecord) {
  Give(alice_, 1'000);
  Commit(MakeHold(1, alice_, bob_, 30));
  Commit(MakeFinalCapture(2, Target::Key(Key(1)), 10));       // two of the capture, two of the rest
  Commit(Named(MakePost(3, alice_, bob_, 9'999), 7, "abc"));  // rejected
  const auto batches = ReadAll(kMaxJournalPage);
  ASSERT_EQ(batches.size(), 1U);
  std::vector<size_t> postings;
  for (const JournalRecord& record : batches[0]) postings.push_back(WeightOf(record).postings);
  EXPECT_EQ(postings, (std::vector<size_t>{0, 0, 0, 2, 2, 4, 0}));
  EXPECT_EQ(WeightOf(batches[0][0]).bytes, std::string("world").size());
  EXPECT_EQ(WeightOf(batches[0].back()).bytes, std::string("abc").size());
}

}  // namespace
}  // namespace northwind::testing
