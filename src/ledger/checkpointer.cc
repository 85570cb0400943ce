// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/checkpointer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"

namespace northwind::internal {

Checkpointer::Checkpointer(Engine& engine, Index& index, History& history, uint64_t checkpointed)
    : engine_(engine), index_(index), history_(history), checkpointed_(checkpointed), thread_([this] { Run(); }) {}

Checkpointer::~Checkpointer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Checkpointer::Start(View& view) {
  CheckpointPlan plan = view.PlanCheckpoint();
  const uint64_t head = plan.watermark.head.sequence.value();
  index_.Freeze(head);
  plan.watermark.last_time_sample = history_.Freeze(head);
  absl::MutexLock lock(&mutex_);
  NW_CHECK(!plan_, "a checkpoint is under way");
  plan_ = std::move(plan);
}

bool Checkpointer::idle() const {
  absl::MutexLock lock(&mutex_);
  return !plan_;
}

absl::Status Checkpointer::WaitIdle() {
  absl::MutexLock lock(&mutex_);
  // Whoever asks now is told how it stands now, not how it stood when it was last tried.
  if (plan_ && absl::IsResourceExhausted(status_)) {
    status_ = absl::OkStatus();
    asked_ = true;
  }
  const auto idle = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !plan_ || !status_.ok(); };
  mutex_.Await(absl::Condition(&idle));
  return status_;
}

uint64_t Checkpointer::checkpointed() const {
  absl::MutexLock lock(&mutex_);
  return checkpointed_;
}

void Checkpointer::Run() {
  constexpr absl::Duration kRetryAfter = absl::Seconds(1);
  const auto work = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return plan_.has_value() || stopping_; };
  const auto again = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || asked_; };
  while (true) {
    CheckpointPlan plan;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&work));
      if (!plan_ || (stopping_ && !status_.ok())) return;
      plan = *plan_;
      asked_ = false;
    }
    const absl::Status status = Write(plan);
    if (status.ok()) {
      index_.DropFrozen();
      history_.DropFrozen();
    }
    absl::MutexLock lock(&mutex_);
    if (status.ok()) {
      checkpointed_ = plan.watermark.head.sequence.value();
      plan_.reset();
      status_ = status;
      continue;
    }
    // What was set aside stays in memory and readable; the plan stays too, so that no other is begun.
    status_ = Error(status.code(), "index checkpoint: ", status.message());
    if (!absl::IsResourceExhausted(status)) return;
    mutex_.AwaitWithTimeout(absl::Condition(&again), kRetryAfter);
    if (stopping_) return;
  }
}

absl::Status Checkpointer::Write(const CheckpointPlan& plan) {
  NW_ASSIGN_OR_RETURN(SortedFiles files, engine_.NewSortedFiles());
  NW_RETURN_IF_ERROR(index_.WriteFrozen(files));
  std::vector<std::pair<AccountId, Totals>> totals;
  NW_RETURN_IF_ERROR(history_.WriteFrozen(files, totals));
  // Attributes and totals of one account are neighbours: merge the two lists, both in order of account.
  std::string value;
  auto attributes = plan.attributes.begin();
  for (auto balance = totals.begin(); attributes != plan.attributes.end() || balance != totals.end();) {
    if (balance == totals.end() || (attributes != plan.attributes.end() && attributes->first <= balance->first)) {
      NW_RETURN_IF_ERROR(
          files.Put(Space::kAccounts, AccountKey(attributes->first, kAttributesSuffix), attributes->second));
      ++attributes;
    } else {
      value.clear();
      EncodeTotals(balance->second, value);
      NW_RETURN_IF_ERROR(files.Put(Space::kAccounts, AccountKey(balance->first, kTotalsSuffix), value));
      ++balance;
    }
  }
  for (const auto& [sequence, hold] : plan.holds) {
    std::string key;
    PutBigEndian64(key, sequence);
    NW_RETURN_IF_ERROR(hold ? files.Put(Space::kHolds, key, *hold) : files.Delete(Space::kHolds, key));
  }
  value.clear();
  EncodeWatermark(plan.watermark, value);
  NW_RETURN_IF_ERROR(files.Put(Space::kState, kWatermarkKey, value));
  return engine_.Ingest(std::move(files));
}

}  // namespace northwind::internal
