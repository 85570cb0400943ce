// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/recovery.h"

#include <algorithm>
#include <optional>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/store/engine.h"
#include "src/webhook/delivery_batch.h"
#include "src/webhook/delivery_reader.h"
#include "src/webhook/delivery_state.h"
#include "src/webhook/message.h"

namespace northwind::internal {
namespace {

// Messages looked at in one step: each may ask the scheduler, while ends of attempts wait.
constexpr size_t kStepMessages = 50;

Recovery Describe(const RecoveryRecord& record) {
  Recovery recovery{.state = record.state,
                    .since = record.since,
                    .until = record.until,
                    .reached = record.since,
                    .recovered = record.recovered,
                    .per_second = record.per_second};
  if (record.state == RecoveryState::kDone) {
    recovery.reached = record.until;
  } else if (const auto at = MessageTime(record.reached); at) {
    recovery.reached = *at;
  }
  return recovery;
}

}  // namespace

absl::Status Recoveries::Load() {
  const absl::MutexLock lock(&mutex_);
  Cursor cursor = parts_.store.engine().NewCursor(Space::kHost);
  const std::string_view prefix = kRecoveryPrefix;
  for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    const std::string_view rest = cursor.key().substr(prefix.size());
    const size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return absl::DataLossError("webhooks: the key of a recovery is damaged");
    const std::string_view merchant = rest.substr(0, slash), endpoint = rest.substr(slash + 1);
    const absl::StatusOr<RecoveryRecord> record = DecodeRecovery(merchant, endpoint, cursor.value());
    // A damaged one says so to whoever asks for it; it is no reason to tell nobody anything.
    if (record.ok() && record->state == RecoveryState::kRunning) {
      running_.emplace(Name(merchant, endpoint), Begin(*record));
    }
  }
  return cursor.status();
}

Recoveries::Run Recoveries::Begin(const RecoveryRecord& record) const {
  return {.record = record,
          .after = parts_.fanout.head(),
          .rate_from = std::max(record.until, parts_.clock.Now()),
          .rate_recovered = record.recovered};
}

absl::StatusOr<std::optional<RecoveryRecord>> Recoveries::Read(std::string_view merchant,
                                                               std::string_view endpoint) const {
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, parts_.store.Get(RecoveryKey(merchant, endpoint)));
  if (!bytes) return std::nullopt;
  NW_ASSIGN_OR_RETURN(RecoveryRecord record, DecodeRecovery(merchant, endpoint, *bytes));
  return record;
}

absl::Status Recoveries::Write(const Name& name, const RecoveryRecord& record) {
  const HostRecord written{RecoveryKey(name.first, name.second), EncodeRecovery(record)};
  return parts_.scheduler.Schedule({}, {&written, 1}).status();
}

absl::StatusOr<Recovery> Recoveries::Start(std::string_view merchant, std::string_view endpoint, absl::Time since,
                                           uint32_t per_second) {
  NW_ASSIGN_OR_RETURN(const EndpointPtr found, parts_.book.Get(merchant, endpoint));
  if (found->state == EndpointState::kDisabled) {
    return Error(absl::StatusCode::kFailedPrecondition, "endpoint ", found->id, " is disabled: enable it first");
  }
  const absl::MutexLock lock(&mutex_);
  const Name name(merchant, endpoint);
  if (running_.contains(name)) {
    return Error(absl::StatusCode::kFailedPrecondition, "a recovery of endpoint ", found->id, " is under way");
  }
  // Everything that is recorded by now, though the clock may have stepped back since.
  const absl::Time now = std::max(parts_.clock.Now(), parts_.fanout.recorded()) + absl::Milliseconds(1);
  const RecoveryRecord record{.since = std::clamp(since, absl::UnixEpoch() + absl::Nanoseconds(1), now),
                              .until = now,
                              .per_second = per_second};
  NW_RETURN_IF_ERROR(Write(name, record));
  running_.emplace(name, Begin(record));
  return Describe(record);
}

absl::StatusOr<Recovery> Recoveries::Get(std::string_view merchant, std::string_view endpoint) const {
  NW_ASSIGN_OR_RETURN(const EndpointPtr found, parts_.book.Get(merchant, endpoint));
  NW_ASSIGN_OR_RETURN(const std::optional<RecoveryRecord> record, Read(merchant, endpoint));
  if (!record) return Error(absl::StatusCode::kNotFound, "endpoint ", found->id, " has had no recovery");
  return Describe(*record);
}

absl::StatusOr<Recovery> Recoveries::Cancel(std::string_view merchant, std::string_view endpoint) {
  NW_ASSIGN_OR_RETURN(const EndpointPtr found, parts_.book.Get(merchant, endpoint));
  const absl::MutexLock lock(&mutex_);
  const auto running = running_.find(Name(merchant, endpoint));
  if (running == running_.end()) {
    return Error(absl::StatusCode::kFailedPrecondition, "no recovery of endpoint ", found->id, " is under way");
  }
  RecoveryRecord record = running->second.record;
  record.state = RecoveryState::kCanceled;
  NW_RETURN_IF_ERROR(Write(running->first, record));
  running_.erase(running);
  return Describe(record);
}

absl::Status Recoveries::Forget(std::string_view merchant, std::string_view endpoint) {
  const absl::MutexLock lock(&mutex_);
  running_.erase(Name(merchant, endpoint));
  WriteSet writes;
  writes.Delete(Space::kHost, RecoveryKey(merchant, endpoint));
  writes.Delete(Space::kHost, FailingKey(merchant, endpoint));
  return parts_.store.engine().Write(writes);
}

absl::StatusOr<bool> Recoveries::Step() {
  const absl::MutexLock lock(&mutex_);
  if (running_.empty()) return false;
  auto turn = running_.upper_bound(last_);
  if (turn == running_.end()) turn = running_.begin();
  last_ = turn->first;
  Run run = turn->second;
  if (parts_.fanout.position() < run.after) return false;
  absl::Status advanced;
  {
    // An attempt that ends meanwhile would be undone.
    const absl::MutexLock records(&parts_.records_mutex);
    advanced = Advance(turn->first, run);
  }
  if (absl::IsDataLoss(advanced)) {  // of this one: the others go on
    run.record.state = RecoveryState::kCanceled;
    advanced = Write(turn->first, run.record);
  }
  NW_RETURN_IF_ERROR(advanced);
  if (run.record.state == RecoveryState::kRunning) {
    turn->second = std::move(run);
  } else {
    running_.erase(turn);
  }
  return true;
}

absl::StatusOr<std::optional<WebhookDelivery>> Recoveries::Find(const DeliveryName& name) const {
  NW_ASSIGN_OR_RETURN(std::optional<std::string> stored, parts_.store.Get(DeliveryKey(name)));
  if (!stored) return std::nullopt;
  return ResolveDelivery(parts_.store.engine(), parts_.scheduler, name, *std::move(stored));
}

absl::Status Recoveries::Advance(const Name& name, Run& run) {
  RecoveryRecord& record = run.record;
  const absl::StatusOr<EndpointPtr> endpoint = parts_.book.Get(name.first, name.second);
  if (!endpoint.ok() && !absl::IsNotFound(endpoint.status())) return endpoint.status();
  if (!endpoint.ok() || (*endpoint)->state == EndpointState::kDisabled) {
    record.state = RecoveryState::kCanceled;
    return endpoint.ok() ? Write(name, record) : absl::OkStatus();  // what is left of a deleted one goes with it
  }
  const std::shared_ptr<const WebhookPolicy> policy = parts_.policies.Of(**endpoint);
  const std::string prefix = MessagePrefix(name.first);
  const std::string end = prefix + FirstMessageIdAt(record.until);
  Cursor cursor = parts_.store.engine().NewCursor(Space::kHost);
  cursor.Seek(prefix + (record.reached.empty() ? FirstMessageIdAt(record.since) : record.reached));
  if (cursor.Valid() && !record.reached.empty() && cursor.key() == prefix + record.reached) cursor.Next();

  DeliveryBatch batch;
  uint64_t recovered = record.recovered;
  size_t looked = 0;
  for (; cursor.Valid() && cursor.key() < end && looked < kStepMessages && !batch.full(); cursor.Next(), ++looked) {
    if (!MessageTime(cursor.key().substr(prefix.size()))) continue;  // none of ours
    record.reached = cursor.key().substr(prefix.size());
    const absl::StatusOr<Message> message = DecodeMessage(name.first, record.reached, cursor.value());
    // A damaged one cannot be sent; it must not keep the others from being.
    if (!message.ok() || !IsRecoverable(**endpoint, message->type)) continue;
    const absl::StatusOr<std::optional<WebhookDelivery>> before = Find({name.first, name.second, message->id});
    if (absl::IsDataLoss(before.status())) continue;
    NW_RETURN_IF_ERROR(before.status());
    absl::Time due = absl::InfinitePast();
    if (record.per_second > 0) {
      due = run.rate_from +
            absl::Seconds(static_cast<double>(recovered - run.rate_recovered) / static_cast<double>(record.per_second));
    }
    if (!before->has_value()) {
      batch.AddDelivery(*message, **endpoint, *policy, due);
    } else if ((*before)->state == DeliveryState::kDead || (*before)->state == DeliveryState::kCanceled) {
      batch.Revive(**before, *policy, due);
    } else {
      continue;
    }
    ++recovered;
  }
  NW_RETURN_IF_ERROR(cursor.status());
  if (!cursor.Valid() || cursor.key() >= end) record.state = RecoveryState::kDone;
  record.recovered = recovered;
  batch.AddRecord({RecoveryKey(name.first, name.second), EncodeRecovery(record)});
  return batch.Write(parts_.scheduler).status();
}

}  // namespace northwind::internal
