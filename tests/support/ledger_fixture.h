// SPDX-License-Identifier: Apache-2.0
//
// A ledger in a directory of its own under a clock that stands still, three accounts, and short words for what tests
// ask of it:
//
//   class LedgerHold : public LedgerFixture {};
//   TEST_F(LedgerHold, ...) { EXPECT_EQ(Commit(MakeHold(1, alice_, bob_, 30)).outcome, Outcome::kApplied); }
#ifndef NORTHWIND_TESTS_SUPPORT_LEDGER_FIXTURE_H_
#define NORTHWIND_TESTS_SUPPORT_LEDGER_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/ledger.h"
#include "northwind/store.h"
#include "tests/support/describe.h"
#include "tests/support/fake_clock.h"
#include "tests/support/invariants.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {

// The n-th key of a test.
inline IdempotencyKey Key(uint64_t n) {
  std::array<uint8_t, IdempotencyKey::kSize> bytes{};
  for (size_t i = 0; i < 8; ++i) bytes[15 - i] = static_cast<uint8_t>(n >> (8 * i));
  return IdempotencyKey(bytes);
}

inline Transaction MakePost(uint64_t key, Postings postings) {
  return Transaction{.key = Key(key), .kind = TransactionKind::kPost, .postings = std::move(postings)};
}
inline Transaction MakePost(uint64_t key, AccountId debit, AccountId credit, Amount amount) {
  return MakePost(key, {{debit, credit, amount}});
}
inline Transaction MakeHold(uint64_t key, AccountId debit, AccountId credit, Amount amount) {
  return Transaction{.key = Key(key), .kind = TransactionKind::kHold, .postings = {{debit, credit, amount}}};
}
inline Transaction MakeCapture(uint64_t key, Target target, Amount amount = 0) {
  return Transaction{.key = Key(key), .kind = TransactionKind::kCapture, .target = std::move(target), .amount = amount};
}
inline Transaction MakeFinalCapture(uint64_t key, Target target, Amount amount = 0) {
  Transaction t = MakeCapture(key, std::move(target), amount);
  t.final_capture = true;
  return t;
}
inline Transaction MakeRelease(uint64_t key, Target target) {
  return Transaction{.key = Key(key), .kind = TransactionKind::kRelease, .target = std::move(target)};
}
inline Transaction MakeReverse(uint64_t key, Target target, Postings postings = {}) {
  return Transaction{
      .key = Key(key), .kind = TransactionKind::kReverse, .postings = std::move(postings), .target = std::move(target)};
}
// The same under a code and reference.
inline Transaction Named(Transaction t, uint16_t code, std::string_view reference) {
  t.code = code;
  t.reference = reference;
  return t;
}
inline Transaction Unique(Transaction t, uint16_t code, std::string_view reference) {
  t = Named(std::move(t), code, reference);
  t.unique_reference = true;
  return t;
}

// The four totals in the order posted debits, posted credits, held debits, held credits.
inline Totals MakeTotals(uint64_t debits, uint64_t credits, uint64_t debits_held = 0, uint64_t credits_held = 0) {
  return Totals{
      .debits_posted = debits, .credits_posted = credits, .debits_held = debits_held, .credits_held = credits_held};
}

MATCHER_P(HasOutcome, outcome, std::string("has the outcome ") + std::string(Name(outcome))) {
  return arg.outcome == outcome;
}
MATCHER_P2(HasOutcome, outcome, reason, std::string(Name(outcome)) + " because of " + std::string(Name(reason))) {
  return arg.outcome == outcome && arg.reason == reason;
}

class LedgerFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.clock = &clock_;
    store_options_.path = directory_ / "store";
    store_options_.free_space_floor_bytes = 0;
    Open();
    world_ = OpenAccount({.name = "world", .asset = "USD/2", .external = true});
    alice_ = OpenAccount({.name = "alice", .asset = "USD/2"});
    bob_ = OpenAccount({.name = "bob", .asset = "USD/2"});
  }

  void TearDown() override {
    if (ledger_ != nullptr && !HasFatalFailure()) ExpectInvariants(*ledger_);
  }

  void Open() {
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open(store_options_));
    NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_, options_));
  }
  void Shut() {
    ledger_.reset();
    store_.reset();
  }
  void Reopen() {
    Shut();
    Open();
  }

  AccountId OpenAccount(const AccountSpec& spec) {
    const auto id = ledger_->OpenAccount(spec);
    EXPECT_THAT(id, IsOk());
    return id.value_or(AccountId());
  }

  CommitResult Commit(const Transaction& t, const CommitOptions& options = {}) {
    absl::StatusOr<CommitResult> result = ledger_->Commit(t, options);
    EXPECT_THAT(result, IsOk());
    return result.ok() ? *std::move(result) : CommitResult{};
  }
  std::vector<CommitResult> CommitAll(const std::vector<Transaction>& batch, const CommitOptions& options = {}) {
    auto results = ledger_->Commit(batch, options);
    EXPECT_THAT(results, IsOk());
    if (!results.ok()) return std::vector<CommitResult>(batch.size());
    EXPECT_EQ(results->size(), batch.size());
    return *std::move(results);
  }
  // Money to begin with: `amount` from the world.
  void Give(AccountId account, Amount amount) {
    EXPECT_EQ(Commit(MakePost(1'000'000 + ++gifts_, world_, account, amount)).outcome, Outcome::kApplied);
  }

  Totals BalanceOf(AccountId id) {
    const auto totals = ledger_->Balance(id);
    EXPECT_THAT(totals, IsOk());
    return totals.value_or(Totals{});
  }
  absl::int128 Available(AccountId id) { return BalanceOf(id).available(); }
  uint64_t HeadSequence() { return ledger_->Head().sequence.value(); }
  std::vector<Entry> HistoryOf(AccountId id) {
    const auto page = ledger_->History(id, {.limit = kMaxHistoryPage});
    EXPECT_THAT(page, IsOk());
    return page.ok() ? page->entries : std::vector<Entry>{};
  }
  std::vector<JournalRecord> JournalAfter(uint64_t sequence) {
    JournalReader reader = ledger_->ReadJournal(Sequence(sequence));
    auto records = reader.Next(kMaxJournalPage);
    EXPECT_THAT(records, IsOk());
    return records.ok() ? *std::move(records) : std::vector<JournalRecord>{};
  }
  TransactionView ViewOf(uint64_t key) {
    auto view = ledger_->GetTransaction(Key(key));
    EXPECT_THAT(view, IsOk());
    return view.ok() ? *std::move(view) : TransactionView{};
  }

  TempDir directory_;
  FakeClock clock_;
  StoreOptions store_options_;
  LedgerOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  AccountId world_;
  AccountId alice_;
  AccountId bob_;

 private:
  uint64_t gifts_ = 0;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_LEDGER_FIXTURE_H_
