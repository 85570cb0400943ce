// SPDX-License-Identifier: Apache-2.0
//
// The outside of a simulation: the bank, which remembers what it has paid, and the way to the arbiter of claims.
#ifndef NORTHWIND_TESTS_CUTOVER_SIMULATED_NETWORK_H_
#define NORTHWIND_TESTS_CUTOVER_SIMULATED_NETWORK_H_

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "northwind/cutover.h"
#include "northwind/payout.h"
#include "tests/cutover/arbiter_model.h"
#include "tests/cutover/chaos.h"

namespace northwind::testing {

// Takes each key on once, if it is one of those, and pays then; looks at once whether it should have.
class SimulatedBank {
 public:
  SimulatedBank(Chaos& chaos, const ArbiterModel& arbiter) : chaos_(chaos), arbiter_(arbiter) {}

  RailAnswer Submit(ProcessId process, const std::string& id, SettlementSystem system) {
    chaos_.Between(process);
    if (chaos_.Happens(40)) {
      ++chaos_.counts.lost;
      return {.state = RailState::kUnknown, .reason = "the request was lost"};
    }
    if (chaos_.Happens(20) && !taken_.contains(KeyOf(id, system))) {
      refused_.insert(id);
      if (paid_.contains(id)) chaos_.Violation(id + " has an end, and was submitted after it");
    }
    if (chaos_.Happens(60)) {
      chaos_.Later([this, id, system] { Take(id, system); });
      return {.state = RailState::kUnknown, .reason = "no answer"};
    }
    Take(id, system);
    chaos_.Between(process);
    return Answer(id, system);
  }
  RailAnswer Query(ProcessId process, const std::string& id, SettlementSystem system) {
    chaos_.Between(process);
    RailAnswer answer = Answer(id, system);
    chaos_.Between(process);  // what it says may be old by the time that it is heard
    return answer;
  }

  // Nobody may pay it from now on.
  void Canceled(const std::string& id) { canceled_.insert(id); }
  bool HasNoPayer(const std::string& id) const { return refused_.contains(id) || canceled_.contains(id); }

  // Whether it takes a key on once. One that does not executes whatever it is sent, and never says that it has not found something.
  bool takes_keys_once = true;

  void Violation(std::string what) { chaos_.Violation(std::move(what)); }
  // Who paid, in order.
  const std::map<std::string, std::vector<SettlementSystem>>& paid() const { return paid_; }

 private:
  static std::string KeyOf(const std::string& id, SettlementSystem system) {
    return absl::StrCat(NameOf(system), ":", id);
  }
  static std::string NameOf(SettlementSystem system) { return std::string(Name(system)); }

  void Take(const std::string& id, SettlementSystem system) {
    if (refused_.contains(id)) return;
    if (!taken_.emplace(KeyOf(id, system), chaos_.Happens(300)).second && takes_keys_once) return;
    if (canceled_.contains(id)) chaos_.Violation(absl::StrCat(id, " was canceled, and paid by ", NameOf(system)));
    std::vector<SettlementSystem>& payers = paid_[id];
    payers.push_back(system);
    if (payers.size() > 1) chaos_.Violation(absl::StrCat(id, " was paid twice, now by ", NameOf(system)));
    const auto claim = arbiter_.rows().find(id);
    if (claim == arbiter_.rows().end()) {
      chaos_.Violation(absl::StrCat(id, " was paid by ", NameOf(system), ", and nobody has claimed it"));
    } else if (claim->second.record.system != system) {
      chaos_.Violation(absl::StrCat(id, " was paid by ", NameOf(system), ", and the other has claimed it"));
    }
  }
  RailAnswer Answer(const std::string& id, SettlementSystem system) {
    if (chaos_.Happens(50)) {
      ++chaos_.counts.lost;
      return {.state = RailState::kUnknown, .reason = "the answer was lost"};
    }
    if (refused_.contains(id)) return {.state = RailState::kFailed};
    const auto key = taken_.find(KeyOf(id, system));
    if (key == taken_.end()) return {.state = takes_keys_once ? RailState::kNotFound : RailState::kUnknown};
    if (key->second && chaos_.Happens(500)) return {.state = RailState::kPending};
    return {.state = RailState::kPaid};
  }

  Chaos& chaos_;
  const ArbiterModel& arbiter_;
  std::set<std::string> refused_;      // ids: never paid
  std::set<std::string> canceled_;     // likewise, by northwind
  std::map<std::string, bool> taken_;  // whether it says for a while that it is pending
  std::map<std::string, std::vector<SettlementSystem>> paid_;
};

// Northwind's side of it.
class BankRail final : public PayoutRail {
 public:
  BankRail(SimulatedBank& bank, ProcessId process) : bank_(bank), process_(process) {}
  RailAnswer Submit(const PayoutInstruction& payout) override {
    if (stopped && stopped()) bank_.Violation(payout.payout_id + " was submitted, and sending was stopped before");
    return bank_.Submit(process_, payout.payout_id, SettlementSystem::kNorthwind);
  }
  RailAnswer Query(const PayoutInstruction& payout) override {
    return bank_.Query(process_, payout.payout_id, SettlementSystem::kNorthwind);
  }

  void set_process(ProcessId process) { process_ = process; }

  std::function<bool()> stopped;  // whether StopSending has returned

 private:
  SimulatedBank& bank_;
  ProcessId process_;
};

// A process's way to the arbiter: it can be cut, loses requests and answers, and brings some late or twice.
class ArbiterLink final : public ClaimArbiter {
 public:
  ArbiterLink(Chaos& chaos, ArbiterModel& arbiter, ProcessId process)
      : chaos_(chaos), arbiter_(arbiter), process_(process) {}

  absl::StatusOr<ClaimVerdict> Claim(const ClaimRequest& request) override {
    chaos_.Between(process_);
    // What is under way may outlive this.
    if (!Arrives([&chaos = chaos_, &arbiter = arbiter_, request] {
          Judge(chaos, arbiter, request).status().IgnoreError();
        })) {
      return Lost();
    }
    const absl::StatusOr<ClaimVerdict> verdict = Judge(chaos_, arbiter_, request);
    chaos_.Between(process_);
    if (AnswerIsLost()) return Lost();
    return verdict;
  }
  absl::StatusOr<std::optional<ClaimRecord>> Find(std::string_view id) override {
    chaos_.Between(process_);
    if (!Arrives(nullptr)) return Lost();
    const auto found = arbiter_.Find(id);
    chaos_.Between(process_);
    if (AnswerIsLost()) return Lost();
    return found;
  }
  absl::Status PublishEpoch(uint64_t epoch) override {
    chaos_.Between(process_);
    if (!Arrives([&arbiter = arbiter_, epoch] { arbiter.PublishEpoch(epoch).IgnoreError(); })) return Lost();
    const absl::Status status = arbiter_.PublishEpoch(epoch);
    chaos_.Between(process_);
    return AnswerIsLost() ? Lost() : status;
  }

  bool cut = false;
  void set_process(ProcessId process) { process_ = process; }

 private:
  static absl::StatusOr<ClaimVerdict> Judge(Chaos& chaos, ArbiterModel& arbiter, const ClaimRequest& request) {
    const absl::StatusOr<ClaimVerdict> verdict = arbiter.Claim(request);
    if (verdict.ok() && *verdict == ClaimVerdict::kStale) ++chaos.counts.stale;
    if (!verdict.ok()) chaos.Violation("the arbiter: " + verdict.status().ToString());
    return verdict;
  }
  // Whether the request is there at once. `arrival`: how it arrives else, if it is not lost.
  bool Arrives(std::function<void()> arrival) {
    if (chaos_.calm) return true;
    if (cut || chaos_.Happens(30)) {
      ++chaos_.counts.lost;
      return false;
    }
    if (arrival && chaos_.Happens(30)) {
      chaos_.Later(std::move(arrival));
      return false;
    }
    if (arrival && chaos_.Happens(20)) chaos_.Later(std::move(arrival));  // and now as well
    return true;
  }
  bool AnswerIsLost() {
    const bool lost = chaos_.Happens(30);
    if (lost) ++chaos_.counts.lost;
    return lost;
  }
  static absl::Status Lost() { return absl::UnavailableError("the arbiter cannot be reached"); }

  Chaos& chaos_;
  ArbiterModel& arbiter_;
  ProcessId process_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_CUTOVER_SIMULATED_NETWORK_H_
