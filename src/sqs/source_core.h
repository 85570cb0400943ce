// SPDX-License-Identifier: Apache-2.0
//
// What is behind SqsSource. Three threads: the client's, on which answers of the queue arrive; one that applies; and one that
// keeps time, and decides under the mutex which requests are to be made. All that they share is under that mutex, and
// no call of the client or the intake is made with it held.
#ifndef NORTHWIND_SRC_SQS_SOURCE_CORE_H_
#define NORTHWIND_SRC_SQS_SOURCE_CORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "northwind/clock.h"
#include "northwind/sqs.h"
#include "src/sqs/backoff.h"
#include "src/sqs/held_messages.h"
#include "src/sqs/queue_client.h"

namespace northwind::internal::sqs {

// Deletes and returns under way at a time, and heartbeats under way at a time; each of up to kMaxBatchEntries messages.
inline constexpr size_t kMaxChangesUnderWay = 64;
inline constexpr size_t kMaxHeartbeatsUnderWay = 64;
// What SQS takes for a message: room that a receive sets aside for each that may come.
inline constexpr size_t kMaxMessageBytes = size_t{1} << 20;

class SourceCore {
 public:
  // The requests that a source with these options has under way at most.
  static size_t RequestsUnderWay(const SqsOptions& options) {
    return static_cast<size_t>(options.pollers) + kMaxChangesUnderWay + kMaxHeartbeatsUnderWay + 1;
  }

  SourceCore(Intake& intake, const SqsOptions& options, std::unique_ptr<QueueClient> client);
  ~SourceCore();
  SourceCore(const SourceCore&) = delete;
  SourceCore& operator=(const SourceCore&) = delete;

  absl::Status Start() ABSL_LOCKS_EXCLUDED(lifecycle_mutex_, mutex_);
  // What is not done by then is cut off; and sooner, if the queue does not answer.
  absl::Status Stop(absl::Duration within) ABSL_LOCKS_EXCLUDED(lifecycle_mutex_, mutex_);
  // Blocks until it is answered; Cancelled when Stop is called.
  absl::StatusOr<QueueAttributes> AskAttributes() ABSL_LOCKS_EXCLUDED(mutex_);
  bool WaitUntilDrained(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);
  SqsStats Stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Phase : uint8_t {
    kStopped,
    kRunning,
    kEnding,  // receives nothing more, finishes what it has
    kEnded,   // the threads have nothing more to do
  };
  using Requests = std::vector<HeldMessages::Request>;
  using Results = absl::StatusOr<std::vector<absl::Status>>;  // of a batch
  using Taken = std::vector<HeldMessages::Taken>;
  // What the thread that keeps time is to ask the client for.
  struct ToDo {
    uint64_t cuts = 0;
    absl::Duration visibility;  // of receives and heartbeats
    bool attributes = false;
    size_t receive_size = 0;
    std::vector<uint64_t> receives;  // which they are, counted from the start
    std::vector<Requests> deletes;
    std::vector<Requests> returns;
    std::vector<Requests> heartbeats;
    bool empty() const {
      return !attributes && receives.empty() && deletes.empty() && returns.empty() && heartbeats.empty();
    }
  };

  static absl::Time Now() { return absl::UnixEpoch() + Clock::System()->Elapsed(); }

  // ---- source_core.cc: states
  absl::Status TakeAttributes(const QueueAttributes& attributes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Reset() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The queue does not answer as it should, but will; or it never will: then all ends.
  // Whether it will answer by itself, after a while.
  static bool Passes(const absl::Status& status);
  void QueueFails(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Halt(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginEnding() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ending: when what is under way is cut off.
  absl::Time CutOffAt() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Asks for nothing more. Answers of what is under way are for nobody.
  void CutOff() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void JoinThreads() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lifecycle_mutex_);
  bool halted() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !halted_by_.ok(); }
  // Whether what is buffered now cannot be applied, and is to be given back.
  bool refusing() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return halted() || !ledger_trouble_.ok(); }
  void GiveBackBuffered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits for a change, or until then.
  void AwaitChange(absl::Time until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // ---- source_requests.cc: the thread that keeps time, and what the client answers
  void KeepTime() ABSL_LOCKS_EXCLUDED(mutex_);
  ToDo Decide(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DecideChanges(ToDo& to_do) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayReceive(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Time NextMoment() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AllDone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ask(ToDo&& to_do) ABSL_LOCKS_EXCLUDED(mutex_);
  // Answers: `cuts` as it was when the request was made.
  void OnReceived(uint64_t cuts, uint64_t which, absl::Time begun, absl::StatusOr<std::vector<Message>> messages)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnNothing(uint64_t which, absl::Time begun, bool quiet) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnAttributes(uint64_t cuts, const absl::StatusOr<QueueAttributes>& attributes) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDeletes(uint64_t cuts, const Requests& requests, const Results& results) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReturns(uint64_t cuts, const Requests& requests, const Results& results) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnHeartbeats(uint64_t cuts, const Requests& requests, const Results& results) ABSL_LOCKS_EXCLUDED(mutex_);
  // The results of each entry. If the whole request failed, for whatever reason, the queue fails, and all have that status; and
  // when all ends, `given_up` is told not to make more of the kind.
  std::vector<absl::Status> Entries(const Requests& requests, const Results& results, bool& given_up)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether an entry is over and done with, be it that it was refused; else it is asked for again.
  HeldMessages::Ended HowEnded(const absl::Status& status) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // ---- source_applier.cc: the thread that applies
  void ApplyAll() ABSL_LOCKS_EXCLUDED(mutex_);
  void AwaitWork() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayApply(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool NothingMoreToApply() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnApplied(const Taken& taken, const IntakeResult& result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnNotApplied(const Taken& taken, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Count(const EventOutcome& outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SettlePoison(const HeldMessages::Taken& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Of a FIFO queue with a redrive policy that is to take the poison: one message at a time of each group, received and
  // applied. Others would be received, and counted as such, as often as the one that stands before them, and follow it to the dead-letter
  // queue.
  bool one_of_each_group() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return attributes_->fifo && options_.poison == SqsPoison::kRedrivePolicy;
  }
  size_t receive_size() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return one_of_each_group() ? 1 : kMaxBatchEntries;
  }

  Intake& intake_;
  const SqsOptions options_;
  std::unique_ptr<QueueClient> client_;

  absl::Mutex lifecycle_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // held while threads begin and end
  std::thread keeper_ ABSL_GUARDED_BY(lifecycle_mutex_);
  std::thread applier_ ABSL_GUARDED_BY(lifecycle_mutex_);

  mutable absl::Mutex mutex_;
  mutable absl::CondVar changed_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kStopped;
  HeldMessages held_ ABSL_GUARDED_BY(mutex_);
  SqsStats stats_ ABSL_GUARDED_BY(mutex_);  // the counts
  absl::Status halted_by_ ABSL_GUARDED_BY(mutex_);

  // Stopping.
  uint64_t stops_ ABSL_GUARDED_BY(mutex_) = 0;            // calls of Stop
  uint64_t stops_under_way_ ABSL_GUARDED_BY(mutex_) = 0;  // of those
  absl::Time end_by_ ABSL_GUARDED_BY(mutex_);             // but for the ledger, which is waited for
  absl::Time end_at_once_by_ ABSL_GUARDED_BY(mutex_);     // in any case
  bool cut_off_ ABSL_GUARDED_BY(mutex_) = false;          // nothing is asked of the client any more
  bool no_more_deletes_ ABSL_GUARDED_BY(mutex_) = false;  // they fail, and all ends
  bool no_more_returns_ ABSL_GUARDED_BY(mutex_) = false;  // likewise

  // The queue.
  std::optional<QueueAttributes> attributes_ ABSL_GUARDED_BY(mutex_);
  absl::Duration visibility_ ABSL_GUARDED_BY(mutex_);  // that messages are received with
  absl::Status queue_trouble_ ABSL_GUARDED_BY(mutex_);
  absl::Time ask_queue_at_ ABSL_GUARDED_BY(mutex_);  // in trouble: when to look whether it has passed
  Backoff queue_backoff_ ABSL_GUARDED_BY(mutex_);

  // The ledger.
  absl::Status ledger_trouble_ ABSL_GUARDED_BY(mutex_);
  absl::Time ask_ledger_at_ ABSL_GUARDED_BY(mutex_);
  Backoff ledger_backoff_ ABSL_GUARDED_BY(mutex_);
  // After trouble, until the ledger has written something: receives one at a time. That a duplicate is applied does not show that it
  // can, and every message that is received and given back is one receive nearer to the dead-letter queue.
  bool careful_ ABSL_GUARDED_BY(mutex_) = false;
  bool applying_ ABSL_GUARDED_BY(mutex_) = false;
  bool applier_done_ ABSL_GUARDED_BY(mutex_) = false;

  // Requests.
  uint64_t cuts_ ABSL_GUARDED_BY(mutex_) = 0;    // how often what was under way was cut off
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;  // for attributes
  // Receives under way, by their number; whether nothing was held when they began, and nothing has come since.
  std::map<uint64_t, bool> receives_ ABSL_GUARDED_BY(mutex_);
  size_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t heartbeats_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t receives_begun_ ABSL_GUARDED_BY(mutex_) = 0;
  // The last receive that came back empty with nothing held, then or since it began; and the same once those that began before
  // it are back, too, with nothing.
  uint64_t came_empty_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t seen_empty_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time receive_at_ ABSL_GUARDED_BY(mutex_);  // not before
};

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_SOURCE_CORE_H_
