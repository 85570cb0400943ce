// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_CUTOVER_SIMULATED_BATCH_H_
#define NORTHWIND_TESTS_CUTOVER_SIMULATED_BATCH_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "northwind/cutover.h"
#include "tests/cutover/arbiter_model.h"
#include "tests/cutover/chaos.h"
#include "tests/cutover/simulated_network.h"

namespace northwind::testing {

// The batch, as docs/cutover.md asks of it: at night it takes what it was told of and what is claimed for it, claims each before it pays, and
// pays on `claimed` alone; for `held` it asks the bank first.
class SimulatedBatch {
 public:
  SimulatedBatch(Chaos& chaos, ArbiterModel& arbiter, SimulatedBank& bank)
      : chaos_(chaos), arbiter_(arbiter), bank_(bank), link_(chaos, arbiter, ProcessId::kBatch) {}

  // ---- Its database
  // Somebody says that it should pay this, once or more.
  void Tell(const std::string& id, const std::string& merchant) { rows_.try_emplace(id, Row{.merchant = merchant}); }
  bool HasEnded(const std::string& id) const {
    const auto row = rows_.find(id);
    return row != rows_.end() && (row->second.state == State::kPaid || row->second.state == State::kFailed);
  }

  // ---- The job
  // Night falls: the list is made anew. Claims that cannot be read are read another night.
  void Begin() {
    list_.clear();
    epoch_ = arbiter_.published();
    if (!link_.cut) {
      for (const auto& [id, row] : arbiter_.rows()) {
        if (row.record.system == SettlementSystem::kBatch) Tell(id, row.record.merchant_id);
      }
    }
    for (const auto& [id, row] : rows_) {
      if (row.state == State::kOpen || row.state == State::kSubmitted) list_.push_back(id);
    }
  }
  bool Working() const { return !list_.empty(); }
  // The next payment of the list.
  void Step() {
    if (list_.empty()) return;
    const std::string id = std::move(list_.front());
    list_.pop_front();
    Row& row = rows_.at(id);
    if (row.state == State::kOpen && !claims_nothing) {
      if (!Claim(id, row)) return;
    } else if (row.state == State::kOpen) {
      row.state = State::kSubmitted;
    } else if (!MaySubmit(id, row)) {
      return;
    }
    chaos_.Between(ProcessId::kBatch);
    Settle(row, bank_.Submit(ProcessId::kBatch, id, SettlementSystem::kBatch));
  }
  // It ends in the middle; its database is as it was.
  void Restart() { list_.clear(); }

  ArbiterLink& link() { return link_; }

  bool claims_nothing = false;  // what no batch may do: for tests that must fail

 private:
  enum class State : uint8_t { kOpen, kSubmitted, kPaid, kFailed, kOthers };
  struct Row {
    std::string merchant;
    State state = State::kOpen;
  };

  // Whether it may be submitted now.
  bool Claim(const std::string& id, Row& row) {
    ClaimRequest request{.id = id, .merchant_id = row.merchant, .system = SettlementSystem::kBatch, .epoch = epoch_};
    for (uint8_t& byte : request.token) byte = static_cast<uint8_t>(chaos_.random.Next());
    auto verdict = link_.Claim(request);
    if (!verdict.ok()) verdict = link_.Claim(request);
    if (!verdict.ok()) return false;
    switch (*verdict) {
      case ClaimVerdict::kClaimed:
        row.state = State::kSubmitted;  // in its database before the bank hears of it
        return true;
      case ClaimVerdict::kHeld:
        row.state = State::kSubmitted;
        return MaySubmit(id, row);
      case ClaimVerdict::kOther:
        row.state = State::kOthers;
        return false;
      case ClaimVerdict::kStale:
        return false;
    }
    return false;
  }
  bool MaySubmit(const std::string& id, Row& row) {
    const RailAnswer answer = bank_.Query(ProcessId::kBatch, id, SettlementSystem::kBatch);
    Settle(row, answer);
    return answer.state == RailState::kNotFound;
  }
  static void Settle(Row& row, const RailAnswer& answer) {
    if (answer.state == RailState::kPaid) row.state = State::kPaid;
    if (answer.state == RailState::kFailed) row.state = State::kFailed;
  }

  Chaos& chaos_;
  ArbiterModel& arbiter_;
  SimulatedBank& bank_;
  ArbiterLink link_;
  std::map<std::string, Row> rows_;
  std::deque<std::string> list_;  // in memory
  uint64_t epoch_ = 0;            // likewise
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_CUTOVER_SIMULATED_BATCH_H_
