// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_WEBHOOK_SENDER_H_
#define NORTHWIND_SRC_WEBHOOK_SENDER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "northwind/scheduler.h"
#include "northwind/store.h"
#include "northwind/webhook.h"
#include "src/http/client.h"
#include "src/webhook/delivery_record.h"
#include "src/webhook/endpoint_book.h"
#include "src/webhook/endpoint_gate.h"
#include "src/webhook/endpoint_traffic.h"
#include "src/webhook/merchant_policies.h"

namespace northwind::internal {

struct SenderOptions {
  http::ClientOptions client;  // its max_in_flight is set by the sender
  Breaker::Options breaker;
  absl::Duration disable_after = absl::InfiniteDuration();
  uint32_t max_concurrent = 8;  // at an endpoint whose policy does not say otherwise
  size_t max_in_flight = 1024;
  absl::Duration stop_within = absl::Seconds(5);
};

// Takes deliveries from the scheduler, sends them, and writes down what came of them.
//
//   claimers (one for each queue)   claim → look up endpoint, message, delivery → sign → http::Client
//   http::Client's own thread       transfers; answers go to the finisher
//   finisher                        answers, many together: verdicts, receipts, ends of attempts, in one synced write; then what
//                                   follows for endpoints (breakers, disabling); and what time brings: waits for a rate, probes
//
// Slow endpoints hold up nobody else: an endpoint has no more attempts under way than its policy allows (the scheduler sees to that by
// its key), and none while its breaker is open (its key is paused). All those together whose last attempt did not succeed quickly, or that
// have had none yet, get no more than half of what may be under way, and of that half each one place before any gets a second in its latter half: the other
// half is there for those that work.
//
// Thread-safe. Errors of scheduler and store, but for ResourceExhausted, stop it; status() has the first.
class Sender {
 public:
  struct Parts {
    Store& store;
    Scheduler& scheduler;
    EndpointBook& book;
    const MerchantPolicies& policies;
    Clock& clock;
    // Held from the reading of records of deliveries until what follows from them is written, by whoever does that.
    absl::Mutex& records_mutex;
  };
  Sender(const Parts& parts, const SenderOptions& options);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  absl::Status Start();
  void Stop();
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mutex_);

  // To be called after an endpoint, or the policy that holds for it, was changed, and after it was deleted.
  absl::Status Refresh(std::string_view merchant, std::string_view endpoint) {
    return traffic_.Refresh(merchant, endpoint);
  }
  absl::StatusOr<EndpointHealth> Health(const Endpoint& endpoint) { return traffic_.Health(endpoint); }

  struct Counts {
    uint64_t in_flight = 0;
    uint64_t attempts = 0;
    uint64_t delivered = 0;
    uint64_t failed = 0;
    uint64_t disabled = 0;
  };
  Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // An attempt, from its claim to its end.
  struct Attempt {
    TaskHandle handle;
    bool previous_unknown = false;
    DeliveryTask task;
    EndpointPtr endpoint;         // null: deleted
    bool unproven = false;        // takes one of the places of those that are not proven
    bool lost = false;            // its lease, while it was delayed
    absl::Duration leased_until;  // on the clock that never falls
    std::string type;
    std::string body;
    Breaker::Attempt kind = Breaker::Attempt::kOrdinary;
    absl::Time at;
    // What came of it: an answer, or why there was no call.
    enum class End : uint8_t { kAnswered, kDelivered, kDeleted, kDisabled, kDamaged, kStopped } end = End::kAnswered;
    http::Result result;
    std::string problem;  // kDamaged
  };
  using AttemptPtr = std::shared_ptr<Attempt>;  // one owner at a time

  // What a number of attempts that end together leave behind.
  struct Ending;

  void Claim(std::string_view queue);
  size_t AwaitRoom() ABSL_LOCKS_EXCLUDED(mutex_);
  // Receipts of attempts that ended without a word, durable before the next ones begin: the process may end again before those do.
  absl::Status NoteUnknown(std::vector<ClaimedTask>& claimed) ABSL_LOCKS_EXCLUDED(records_mutex_);
  // Looks everything up, and goes on with it.
  absl::Status Begin(const ClaimedTask& claimed);
  // Whether there is a call to be made; else `end` says why not.
  absl::StatusOr<bool> LookUp(Attempt& attempt) const;
  // LookUp, and what follows from its errors: true to go on; else the attempt is at its end.
  absl::StatusOr<bool> Check(Attempt& attempt) const;
  // Takes a place for the attempt, if there is one; one that was claimed just now is among those in flight already.
  enum class Counted : uint8_t { kYes, kNo };
  bool TakePlace(Attempt& attempt, Counted counted) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives back what an unproven one took.
  void ReleaseUnproven(Attempt& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Delay(absl::Duration until, AttemptPtr attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of one that has a place.
  void DelayAgain(absl::Duration until, AttemptPtr attempt) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether such an attempt may be made at its endpoint at all, by what is known now.
  bool MayCall(const Attempt& attempt);
  // Now, or when the endpoint's rate allows it and there is a place.
  void Dispatch(AttemptPtr attempt) ABSL_LOCKS_EXCLUDED(mutex_);
  void Launch(AttemptPtr attempt) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<http::Request> MakeRequest(const Attempt& attempt);
  void End(AttemptPtr attempt) ABSL_LOCKS_EXCLUDED(mutex_);

  void FinishLoop();
  // What has ended, at most so many; waits for it, or until there is something else to do.
  std::vector<AttemptPtr> TakeEnded() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status FinishAll(const std::vector<AttemptPtr>& attempts) ABSL_LOCKS_EXCLUDED(records_mutex_, mutex_);
  absl::Status FinishOne(Attempt& attempt, Ending& ending);
  // The receipt of an attempt, and what it makes of the delivery.
  void AddReceipt(const Attempt& attempt, WebhookAttempt receipt, WebhookDelivery& delivery, Finish& finish) const;
  absl::StatusOr<WebhookDelivery*> LoadDelivery(const DeliveryName& name, Ending& ending) const;
  // Makes the ends durable, as soon as there is room.
  absl::Status Write(const Ending& ending) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status FollowUp(const Ending& ending);
  absl::Status DisableEndpoint(const Endpoint& endpoint, DisableReason reason, std::string_view detail);
  void LaunchDelayed() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status ExtendDelayed() ABSL_LOCKS_EXCLUDED(mutex_);
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  const Parts parts_;
  const SenderOptions options_;
  EndpointTraffic traffic_;

  absl::Mutex lifecycle_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // held while threads begin and end
  std::vector<std::thread> claimers_ ABSL_GUARDED_BY(lifecycle_mutex_);
  std::thread finisher_ ABSL_GUARDED_BY(lifecycle_mutex_);
  std::atomic<bool> stopping_{false};  // no more claims
  std::atomic<bool> ending_{false};    // the finisher ends when nothing is left

  // Held from reading the records of deliveries until they are written with another receipt.
  absl::Mutex& records_mutex_;  // before mutex_

  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<http::Client> client_ ABSL_GUARDED_BY(mutex_);  // from Start to Stop
  size_t unproven_ ABSL_GUARDED_BY(mutex_) = 0;                   // of those in flight, that are not proven
  absl::flat_hash_map<std::string, size_t> unproven_at_ ABSL_GUARDED_BY(mutex_);  // by endpoint's task key
  size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;                                  // claimed, not finished, not delayed
  std::vector<AttemptPtr> ended_ ABSL_GUARDED_BY(mutex_);
  // By when they may begin, on the clock that never falls.
  absl::btree_multimap<absl::Duration, AttemptPtr> delayed_ ABSL_GUARDED_BY(mutex_);
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;  // the finisher is to look what time it is
  absl::Duration extended_ =
      absl::ZeroDuration();  // the finisher's: when the leases of delayed ones were last prolonged

  std::atomic<uint64_t> attempts_{0};
  std::atomic<uint64_t> delivered_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<uint64_t> disabled_{0};
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_SENDER_H_
