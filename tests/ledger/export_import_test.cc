// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/compare.h"
#include "tests/support/ledger_fixture.h"
#include "tests/support/model.h"
#include "tests/support/workload.h"

namespace northwind::testing {
namespace {

class LedgerExport : public LedgerFixture {
 protected:
  // Some of everything, over several blocks.
  void CommitSome() {
    Give(alice_, 100);
    for (uint64_t n = 0; n < 50; n += 5) {
      Transaction hold = Unique(MakeHold(n + 1, alice_, bob_, 5), 7, "hold" + std::to_string(n));
      hold.expires_at = clock_.Now() + absl::Seconds(30);
      CommitAll({hold, MakeFinalCapture(n + 2, Target::Key(Key(n + 1)), 2), MakePost(n + 3, bob_, world_, 1000),
                 MakeReverse(n + 4, Target::Key(Key(n + 2)), {{bob_, alice_, 1}})});
      clock_.Advance(absl::Seconds(7));
    }
    ASSERT_THAT(ledger_->Freeze(bob_), IsOk());
  }
  std::unique_ptr<Store> NewStore(const std::string& name) {
    auto store = Store::Open({.path = directory_ / name, .free_space_floor_bytes = 0});
    EXPECT_THAT(store, IsOk());
    return *std::move(store);
  }
  std::string ReadFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  void WriteFile(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
};

TEST_F(LedgerExport, AnImportedJournalIsTheSameLedger) {
  CommitSome();
  const std::string file = directory_ / "journal";
  ASSERT_THAT(ledger_->ExportJournal(file), IsOkAndHolds(ledger_->Head()));
  const auto store = NewStore("copy");
  ASSERT_THAT(Ledger::ImportJournal(*store, file), IsOkAndHolds(ledger_->Head()));
  NW_ASSERT_OK_AND_ASSIGN(const auto copy, Ledger::Open(*store, options_));
  EXPECT_EQ(copy->Head(), ledger_->Head());
  JournalReader ours = ledger_->ReadJournal(Sequence());
  JournalReader theirs = copy->ReadJournal(Sequence());
  NW_ASSERT_OK_AND_ASSIGN(const auto expected, ours.Next(kMaxJournalPage));
  NW_ASSERT_OK_AND_ASSIGN(const auto records, theirs.Next(kMaxJournalPage));
  ASSERT_EQ(records.size(), expected.size());
  for (size_t i = 0; i < records.size(); ++i) EXPECT_TRUE(Same(records[i], expected[i])) << Describe(records[i]);
  for (const AccountId id : {world_, alice_, bob_}) {
    EXPECT_TRUE(Same(*copy->GetAccount(id), *ledger_->GetAccount(id)));
  }
  EXPECT_THAT(copy->Commit(Unique(MakeHold(1, alice_, bob_, 5), 7, "hold0")),
              IsOkAndHolds(HasOutcome(Outcome::kConflict)))
      << "its keys are known there too";
  ExpectInvariants(*copy);
}

TEST_F(LedgerExport, ACopyGoesOnWithTheSameChain) {
  CommitSome();
  ASSERT_THAT(ledger_->ExportJournal(directory_ / "journal"), IsOk());
  const auto store = NewStore("copy");
  ASSERT_THAT(Ledger::ImportJournal(*store, directory_ / "journal"), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const auto copy, Ledger::Open(*store, options_));
  const Transaction next = MakePost(777, world_, alice_, 1);
  ASSERT_THAT(copy->Commit(next), IsOk());
  Commit(next);
  EXPECT_EQ(copy->Head(), ledger_->Head()) << "the same bytes after the same bytes: the same hash";
}

TEST_F(LedgerExport, AnExportOfAnEmptyLedgerIsEmpty) {
  const auto from = NewStore("from");
  NW_ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Open(*from, options_));
  ASSERT_THAT(ledger->ExportJournal(directory_ / "journal"), IsOkAndHolds(ledger->Head()));
  const auto to = NewStore("to");
  NW_ASSERT_OK_AND_ASSIGN(const Head head, Ledger::ImportJournal(*to, directory_ / "journal"));
  EXPECT_EQ(head, ledger->Head());
  NW_ASSERT_OK_AND_ASSIGN(const auto copy, Ledger::Open(*to, options_));
  EXPECT_EQ(copy->Head(), head);
}

TEST_F(LedgerExport, OntoAFileThatExistsOrIntoNowhereIsRefused) {
  WriteFile(directory_ / "there", "precious");
  EXPECT_FALSE(ledger_->ExportJournal(directory_ / "there").ok());
  EXPECT_EQ(ReadFile(directory_ / "there"), "precious");
  EXPECT_FALSE(ledger_->ExportJournal(directory_ / "no/such/place").ok());
}

TEST_F(LedgerExport, ImportIntoAStoreWithAJournalIsRefusedAndChangesNothing) {
  CommitSome();
  const std::string file = directory_ / "journal";
  ASSERT_THAT(ledger_->ExportJournal(file), IsOk());
  const Head head = ledger_->Head();
  ledger_.reset();
  EXPECT_THAT(Ledger::ImportJournal(*store_, file), StatusIs(absl::StatusCode::kFailedPrecondition));
  Reopen();
  EXPECT_EQ(ledger_->Head(), head);
}

TEST_F(LedgerExport, ImportBesideAnOpenLedgerIsRefused) {
  ASSERT_THAT(ledger_->ExportJournal(directory_ / "journal"), IsOk());
  const auto store = NewStore("copy");
  NW_ASSERT_OK_AND_ASSIGN(const auto open, Ledger::Open(*store, options_));
  EXPECT_THAT(Ledger::ImportJournal(*store, directory_ / "journal"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(LedgerExport, AMissingFileIsNotFound) {
  const auto store = NewStore("copy");
  EXPECT_THAT(Ledger::ImportJournal(*store, directory_ / "nothing"), StatusIs(absl::StatusCode::kNotFound));
}

// Whatever is wrong with the file, nothing of it is taken for a journal.
TEST_F(LedgerExport, EveryDamagedOrShortenedFileIsDataLoss) {
  CommitSome();
  const std::string file = directory_ / "journal";
  ASSERT_THAT(ledger_->ExportJournal(file), IsOk());
  const std::string good = ReadFile(file);
  ASSERT_GT(good.size(), 500U);
  const auto import = [&](const std::string& bytes) {
    const TempDir directory;
    WriteFile(directory / "journal", bytes);
    auto store = Store::Open({.path = directory / "store", .free_space_floor_bytes = 0});
    EXPECT_THAT(store, IsOk());
    const absl::Status status = Ledger::ImportJournal(**store, directory / "journal").status();
    if (!status.ok()) {
      // What a failed import leaves can be imported into again, or is refused; it is never opened as this ledger.
      const auto ledger = Ledger::Open(**store, options_);
      EXPECT_TRUE(!ledger.ok() || (*ledger)->Head().sequence != ledger_->Head().sequence);
    }
    return status;
  };
  EXPECT_THAT(import(good), IsOk());
  EXPECT_THAT(import(""), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(import(good + "x"), StatusIs(absl::StatusCode::kDataLoss));
  const size_t step = good.size() / 40 + 1;
  for (size_t place = 0; place < good.size(); place += step) {
    EXPECT_THAT(import(good.substr(0, place)), StatusIs(absl::StatusCode::kDataLoss)) << "cut at " << place;
    std::string bad = good;
    bad[place] = static_cast<char>(bad[place] ^ 1);
    EXPECT_FALSE(import(bad).ok()) << "bit flipped at " << place;
  }
}

}  // namespace
}  // namespace northwind::testing
