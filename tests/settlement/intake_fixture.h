// SPDX-License-Identifier: Apache-2.0
//
// A ledger with an intake on a disk that can fail, and everything that can be seen of it, for comparison.
#ifndef NORTHWIND_TESTS_SETTLEMENT_INTAKE_FIXTURE_H_
#define NORTHWIND_TESTS_SETTLEMENT_INTAKE_FIXTURE_H_

#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "northwind/ledger.h"
#include "northwind/settlement.h"
#include "northwind/store.h"
#include "src/store/engine.h"
#include "tests/support/fault_fs.h"
#include "tests/support/invariants.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {

// What a ledger holds, whatever the order and the size of the batches that led to it.
struct Books {
  std::map<std::string, std::string> accounts;   // name → the four totals; accounts nothing ever happened to left out
  std::map<std::string, uint64_t> transactions;  // "code outcome reason" → how many
  std::map<std::string, std::string> quarantine;  // raw event → cause, detail, position
  friend bool operator==(const Books&, const Books&) = default;
  friend void PrintTo(const Books& books, std::ostream* out) {
    for (const auto& [name, totals] : books.accounts) *out << "\n  " << name << ": " << totals;
    for (const auto& [what, n] : books.transactions) *out << "\n  " << what << ": " << n;
    for (const auto& [raw, why] : books.quarantine) *out << "\n  " << raw.substr(0, 200) << ": " << why;
  }
};

inline std::string Show(const Totals& t) {
  const auto digits = [](absl::uint128 v) { return FormatUnits(static_cast<absl::int128>(v), 0); };
  return digits(t.debits_posted) + " " + digits(t.credits_posted) + " " + digits(t.debits_held) + " " +
         digits(t.credits_held);
}

class IntakeWorld {
 public:
  explicit IntakeWorld(const IntakeOptions& options = {}, uint64_t seed = 1) : options_(options), disk_(seed) {
    Open();
  }

  void Open() {
    auto engine = internal::Engine::Open({.path = "/db", .free_space_floor_bytes = 0}, disk_.env());
    ASSERT_THAT(engine, IsOk());
    store_ = std::make_unique<Store>(*std::move(engine));
    auto ledger = Ledger::Open(*store_, ledger_options_);
    ASSERT_THAT(ledger, IsOk());
    ledger_ = *std::move(ledger);
    auto intake = Intake::Open(*ledger_, *store_, options_);
    ASSERT_THAT(intake, IsOk());
    intake_ = *std::move(intake);
  }
  void Shut() {
    intake_.reset();
    ledger_.reset();
    store_.reset();
  }
  void Reopen() {
    Shut();
    Open();
  }
  // The machine loses power: what was not synced is gone.
  void Crash() {
    disk_.CutPower();
    Shut();
    disk_.Restart(Loss::kUnsynced);
    Open();
  }

  IntakeResult Apply(const std::vector<PaymentEvent>& events, uint64_t first_position = 1) {
    auto result = intake_->Apply(events, first_position);
    EXPECT_THAT(result, IsOk());
    return result.ok() ? *std::move(result) : IntakeResult{.outcomes = std::vector<EventOutcome>(events.size())};
  }
  EventOutcome Apply(const PaymentEvent& event, uint64_t position = 1) {
    return Apply(std::vector<PaymentEvent>{event}, position).outcomes[0];
  }
  IntakeResult ApplyLines(absl::Span<const RawEvent> lines) {
    auto result = intake_->Apply(lines);
    EXPECT_THAT(result, IsOk());
    return result.ok() ? *std::move(result) : IntakeResult{.outcomes = std::vector<EventOutcome>(lines.size())};
  }
  std::vector<LateOutcome> Finish() {
    auto late = intake_->Finish();
    EXPECT_THAT(late, IsOk());
    return late.ok() ? *std::move(late) : std::vector<LateOutcome>{};
  }

  absl::int128 Available(std::string_view account) {
    const auto id = ledger_->FindAccount(account);
    if (!id.ok()) return 0;
    return ledger_->Balance(*id)->available();
  }

  std::vector<QuarantinedEvent> Quarantine() {
    std::vector<QuarantinedEvent> all;
    std::string after;
    do {
      auto page = intake_->ListQuarantine(after, 7);
      EXPECT_THAT(page, IsOk());
      if (!page.ok()) break;
      for (QuarantinedEvent& event : page->events) all.push_back(std::move(event));
      after = page->next;
    } while (!after.empty());
    return all;
  }

  Books Look() {
    Books books;
    std::string after;
    do {
      auto page = ledger_->ListAccounts("", after, kMaxAccountPage);
      EXPECT_THAT(page, IsOk());
      for (const Account& account : page->accounts) {
        if (account.totals != Totals{}) books.accounts[account.name] = Show(account.totals);
      }
      after = page->next;
    } while (!after.empty());
    JournalReader reader = ledger_->ReadJournal(Sequence());
    for (auto records = reader.Next(kMaxJournalPage); records.ok() && !records->empty();
         records = reader.Next(kMaxJournalPage)) {
      for (const JournalRecord& record : *records) {
        const auto* t = std::get_if<TransactionRecorded>(&record.body);
        if (t == nullptr) continue;
        ++books.transactions[std::to_string(t->transaction.code) + " " + std::string(Name(t->outcome)) + " " +
                             std::string(Name(t->reason))];
      }
    }
    for (const QuarantinedEvent& event : Quarantine()) {
      books.quarantine[event.raw] =
          std::string(Name(event.cause)) + ", " + event.detail + ", at " + std::to_string(event.position);
    }
    return books;
  }

  IntakeOptions options_;
  LedgerOptions ledger_options_;
  FaultFs disk_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Intake> intake_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SETTLEMENT_INTAKE_FIXTURE_H_
