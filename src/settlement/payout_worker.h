// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SETTLEMENT_PAYOUT_WORKER_H_
#define NORTHWIND_SRC_SETTLEMENT_PAYOUT_WORKER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "northwind/payout.h"
#include "src/settlement/payout_record.h"

namespace northwind::internal {

// Takes payouts from the scheduler, calls the rail, and makes events of its answers. Thread-safe.
class PayoutWorker {
 public:
  PayoutWorker(const Payouts::Parts& parts, const PayoutOptions& options, Clock& clock)
      : parts_(parts), options_(options), clock_(clock) {}

  // Claims a batch, waiting so long for the first, and deals with it. How many payouts there were.
  absl::StatusOr<size_t> Step(absl::Duration wait);
  absl::Status Cancel(std::string_view payout_id) ABSL_LOCKS_EXCLUDED(intent_mutex_);

 private:
  // What the ledger has of a payout.
  struct Hold {
    bool found = false;
    bool open = false;
    Amount captured;
    AccountId account;
    Amount amount;
    std::string provider_key;
  };
  struct Job {
    ClaimedTask task;
    PayoutInstruction payout;
    PayoutRailRecord record;
    enum class Kind { kNothing, kSubmit, kQuery } kind = Kind::kNothing;
    RailAnswer answer;
    Finish finish;
    bool settled = false;  // by an event from elsewhere, after the rail was told
    bool lost = false;     // the lease, before the rail was called, or set aside: it is no longer ours
    // Why what is kept of this payout cannot be gone by; empty: it can.
    std::string damage;
  };

  // Errors are of what is everybody's: store, scheduler, ledger. What is wrong with one payout goes to its job.
  absl::Status Load(Job& job) const;
  // What of its task the ledger contradicts; empty: nothing.
  absl::StatusOr<std::string> Compare(const PayoutInstruction& payout, const Hold& hold) const;
  // Makes its end a dead letter: of a payout that is damaged, for which the rail is not called.
  static void SetAside(Job& job);
  // Makes it durable, before the rail is called, what it will be called for, and what is set aside.
  absl::Status Intend(std::vector<Job>& jobs) ABSL_LOCKS_EXCLUDED(intent_mutex_);
  // Prolongs all leases; those from `next` on that are lost are not called for.
  absl::Status Prolong(std::vector<Job>& jobs, size_t next);
  void Call(Job& job);
  // Calls the rail; whatever it does, the answer is one that can be kept.
  RailAnswer Ask(const Job& job) const;
  // Whether the answer is the last that is needed.
  bool IsFinal(const Job& job) const;
  // Events from the answers.
  absl::Status Settle(std::vector<Job>& jobs);
  // Whether rail and ledger say the same, to the cent. `outcome`: what became of the answer's event.
  absl::Status Judge(Job& job, absl::string_view outcome);
  absl::StatusOr<Hold> HoldOf(std::string_view payout_id) const;

  const Payouts::Parts parts_;
  const PayoutOptions options_;
  Clock& clock_;
  // Held from the look at a hold to the intent that follows from it, and while a payout is canceled: a payout is not
  // submitted and canceled at once.
  absl::Mutex intent_mutex_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_PAYOUT_WORKER_H_
