// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/follower.h"

#include <poll.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/time/clock.h"
#include "src/base/error.h"
#include "src/postgres/migration.h"
#include "src/postgres/session.h"
#include "src/postgres/sqlstate.h"

namespace northwind::internal::postgres {
namespace {

// How long a wait for records lasts before it is looked whether to stop, and whether the connection is still there.
constexpr absl::Duration kLook = absl::Milliseconds(50);

absl::Status Stopped() { return Error(absl::StatusCode::kCancelled, "mirror: stopped"); }

// Notices that the server has gone while nothing is asked of it.
absl::Status CheckAlive(Connection& connection) {
  if (PQconsumeInput(connection.raw()) == 1 && PQstatus(connection.raw()) == CONNECTION_OK) return absl::OkStatus();
  return Error(absl::StatusCode::kUnavailable, "mirror: the connection broke: ", PQerrorMessage(connection.raw()));
}

}  // namespace

absl::Status Follower::Start() {
  absl::MutexLock control(&control_);
  {
    absl::MutexLock lock(&mutex_);
    if (stats_.state == MirrorState::kRunning || stats_.state == MirrorState::kWaiting) {
      return Error(absl::StatusCode::kFailedPrecondition, "mirror: it is running");
    }
    stats_.state = MirrorState::kRunning;
    stats_.status = absl::OkStatus();
    stats_.mirrored = Sequence();  // what there is may have been reset meanwhile: the watermark tells
  }
  if (thread_.joinable()) thread_.join();  // it has halted
  stop_.Clear();
  size_ = BatchSize(options_.batch);
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Follower::Stop() {
  absl::MutexLock control(&control_);
  stop_.Set();
  if (thread_.joinable()) thread_.join();
  absl::MutexLock lock(&mutex_);
  stats_.state = MirrorState::kStopped;
  stats_.status = absl::OkStatus();
}

absl::Status Follower::WaitFor(Sequence sequence, absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  const auto done = [this, sequence]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return stats_.mirrored >= sequence || stats_.state == MirrorState::kStopped || stats_.state == MirrorState::kHalted;
  };
  const bool in_time = mutex_.AwaitWithTimeout(absl::Condition(&done), timeout);
  if (stats_.mirrored >= sequence) return absl::OkStatus();
  if (in_time) {
    return Error(absl::StatusCode::kFailedPrecondition, "mirror: it is ", ToAbsl(Name(stats_.state)), " at ",
                 stats_.mirrored.value(), stats_.status.ok() ? "" : ": ", stats_.status.message());
  }
  return Error(absl::StatusCode::kDeadlineExceeded, "mirror: at ", stats_.mirrored.value(), ", not yet at ",
               sequence.value(), stats_.status.ok() ? "" : ": ", stats_.status.message());
}

MirrorStats Follower::Stats() const {
  MirrorStats stats;
  {
    absl::MutexLock lock(&mutex_);
    stats = stats_;
  }
  stats.head = ledger_.Head().sequence;
  if (stats.head <= stats.mirrored) return stats;
  stats.lag_records = stats.head.value() - stats.mirrored.value();
  JournalReader reader = ledger_.ReadJournal(stats.mirrored);
  if (const auto oldest = reader.Next(1); oldest.ok() && !oldest->empty()) {
    stats.lag = std::max(absl::Now() - oldest->front().recorded_at, absl::ZeroDuration());
  }
  return stats;
}

void Follower::Run() {
  absl::Duration bound = options_.min_retry;
  while (true) {
    const uint64_t before = [this] {
      absl::MutexLock lock(&mutex_);
      return stats_.batches;
    }();
    const absl::Status status = Session();
    if (stop_.IsSet()) return;
    {
      absl::MutexLock lock(&mutex_);
      stats_.status = status;
      const bool passes = ClassOf(status) == FaultClass::kPasses;
      stats_.state = passes ? MirrorState::kWaiting : MirrorState::kHalted;
      if (!passes) return;
      // It is the tries without any success that grow apart.
      if (stats_.batches != before) bound = options_.min_retry;
    }
    if (!Rest(bound)) return;
    bound = std::min(bound * 2, options_.max_retry);
  }
}

bool Follower::Rest(absl::Duration bound) {
  absl::BitGen random;
  const auto wait = Deadline::In(bound * absl::Uniform(random, 0.0, 1.0));
  pollfd wake{.fd = stop_.descriptor(), .events = POLLIN, .revents = 0};
  while (!stop_.IsSet() && !wait.HasPassed()) ::poll(&wake, 1, wait.RemainingMs());
  return !stop_.IsSet();
}

absl::Status Follower::Session() {
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection,
                      ConnectTo(TargetOf(options_), Access::kWrite, &stop_));
  {
    absl::MutexLock lock(&mutex_);
    ++stats_.connections;
  }
  const Deadline deadline = Deadline::In(options_.statement_timeout);
  NW_RETURN_IF_ERROR(CheckSchema(*connection, MirrorHistory(), deadline));
  NW_ASSIGN_OR_RETURN(const Watermark watermark, TakeOver(*connection, ledger_, deadline));
  Writer writer(*connection, watermark.ledger_id, watermark.epoch);
  NW_RETURN_IF_ERROR(writer.Prepare(deadline));
  {
    absl::MutexLock lock(&mutex_);
    stats_.state = MirrorState::kRunning;
    stats_.status = absl::OkStatus();
    stats_.mirrored = watermark.sequence;
  }
  const absl::Status status = Follow(*connection, writer, watermark);
  if (writer.ambiguous()) {
    absl::MutexLock lock(&mutex_);
    ++stats_.ambiguous;
  }
  return status;
}

absl::StatusOr<std::optional<Batch>> Follower::NextBatch(RecordBatches& journal, Projection& projection,
                                                         Connection& connection, bool wait) {
  while (true) {
    NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records,
                        journal.Next(size_.get(), wait ? absl::Now() + kLook : absl::InfinitePast()));
    if (!records.empty()) return projection.Project(records);
    if (!wait) return std::nullopt;
    if (stop_.IsSet()) return Stopped();
    NW_RETURN_IF_ERROR(CheckAlive(connection));
  }
}

absl::Status Follower::Follow(Connection& connection, Writer& writer, const Watermark& watermark) {
  RecordBatches journal(ledger_.ReadJournal(watermark.sequence));
  Projection projection(ledger_, watermark.sequence, options_.cached_accounts);
  std::optional<Batch> next;
  while (!stop_.IsSet()) {
    if (!next) {
      NW_ASSIGN_OR_RETURN(next, NextBatch(journal, projection, connection, /*wait=*/true));
    }
    const Batch batch = *std::exchange(next, std::nullopt);
    NW_ASSIGN_OR_RETURN(const Head block, ledger_.BlockAt(batch.last));
    const Deadline half_time = Deadline::In(options_.statement_timeout / 2);
    const Deadline deadline = Deadline::In(options_.statement_timeout);
    const bool copy = ledger_.Head().sequence.value() - batch.after.value() > options_.backfill_lag;
    absl::Status brought = copy ? writer.Copy(batch, block.hash, deadline) : writer.Send(batch, block.hash, deadline);
    // The next batch is made while the server is at work. An error of the journal must not hide what becomes of this one.
    absl::StatusOr<std::optional<Batch>> made(std::nullopt);
    if (brought.ok()) {
      made = NextBatch(journal, projection, connection, /*wait=*/false);
      brought = writer.Await(deadline);
    }
    if (absl::IsDeadlineExceeded(brought)) size_.TookTooLong(batch.records);
    NW_RETURN_IF_ERROR(brought);
    if (!half_time.HasPassed()) size_.WentFast(batch.records);
    Committed(batch, copy);
    NW_ASSIGN_OR_RETURN(next, std::move(made));
  }
  return Stopped();
}

void Follower::Committed(const Batch& batch, bool copied) {
  absl::MutexLock lock(&mutex_);
  stats_.mirrored = batch.last;
  ++stats_.batches;
  stats_.records += batch.records;
  if (copied) stats_.copied += batch.records;
}

}  // namespace northwind::internal::postgres
