// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_WEBHOOK_ENDPOINT_TRAFFIC_H_
#define NORTHWIND_SRC_WEBHOOK_ENDPOINT_TRAFFIC_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "northwind/scheduler.h"
#include "northwind/store.h"
#include "northwind/webhook.h"
#include "src/webhook/custom_header.h"
#include "src/webhook/delivery_record.h"
#include "src/webhook/endpoint_book.h"
#include "src/webhook/endpoint_gate.h"
#include "src/webhook/merchant_policies.h"
#include "src/webhook/signing_key.h"

namespace northwind::internal {

// What a delivery to an endpoint is signed and adorned with; opened once per version.
struct EndpointKeys {
  std::vector<SigningKey> keys;
  std::vector<CustomHeader> headers;
};

// How traffic to each endpoint stands: its rate, its breaker, since when it has been failing, and, from these, its state and its
// policy, what the scheduler is told of its key (paused, how many at once). In memory, but for when the failing began.
// Thread-safe.
class EndpointTraffic {
 public:
  EndpointTraffic(Store& store, Scheduler& scheduler, const EndpointBook& book, const MerchantPolicies& policies,
                  Clock& clock, const Breaker::Options& breaker, uint32_t max_concurrent)
      : store_(store),
        scheduler_(scheduler),
        book_(book),
        policies_(policies),
        clock_(clock),
        breaker_(breaker),
        max_concurrent_(max_concurrent) {}

  // Puts the scheduler's settings in order: those of before knew of breakers that are gone. Call it before anything is
  // sent.
  absl::Status Open() ABSL_LOCKS_EXCLUDED(settings_mutex_, mutex_);
  // An endpoint, or what holds for it, has changed, or it was deleted. What the scheduler has no room for it is told later.
  absl::Status Refresh(std::string_view merchant, std::string_view endpoint)
      ABSL_LOCKS_EXCLUDED(settings_mutex_, mutex_);

  // When an attempt may begin, on the clock that never falls; takes its turn.
  absl::Duration Admit(const Endpoint& endpoint) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether its last attempt succeeded, and quickly: who is worth a place when there are few left.
  bool IsProven(const Endpoint& endpoint) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the policy's attempts may go to it now: it is not paused, nor its breaker open.
  bool IsOpen(const Endpoint& endpoint) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether an attempt that begins now is the breaker's probe.
  Breaker::Attempt KindOf(const Endpoint& endpoint) ABSL_LOCKS_EXCLUDED(mutex_);
  // What it is signed with. Errors as of EndpointBook::SigningKeys.
  absl::StatusOr<std::shared_ptr<const EndpointKeys>> Keys(const EndpointPtr& endpoint) ABSL_LOCKS_EXCLUDED(mutex_);

  // What came of an attempt.
  enum class Result : uint8_t {
    kSuccess,
    kSlowSuccess,
    kFailure,
    kThrottled,  // `until`: leave it alone
    kNeither,    // says nothing about the endpoint
  };
  // Whether failing began or ended by it: then this record is to be written with the attempt's end. `failing_for`: how long the
  // endpoint has been failing, this attempt included; zero if it is not.
  struct Change {
    std::optional<HostRecord> record;
    absl::Duration failing_for = absl::ZeroDuration();
  };
  absl::StatusOr<Change> Record(const Endpoint& endpoint, Result result, Breaker::Attempt kind, absl::Time until)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells the scheduler what changed by Record, and of breakers whose pause is over. What it has no room for is told by the
  // next call; other errors of it are returned.
  absl::Status Settle() ABSL_LOCKS_EXCLUDED(settings_mutex_, mutex_);
  // When the next breaker's pause is over, on the clock that never falls; infinite if none is open.
  absl::Duration NextProbe() const ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<EndpointHealth> Health(const Endpoint& endpoint) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Line {
    Line(const Breaker::Options& options, const WebhookPolicy& policy)
        : breaker(options), bucket(policy.max_per_second, policy.burst) {}
    Breaker breaker;
    TokenBucket bucket;
    std::optional<FailingRecord> failing;  // as stored; read once
    bool read = false;
    bool proven = false;
    std::optional<KeyConfig> told;  // what the scheduler knows
    uint64_t keys_version = 0;
    absl::Time keys_until = absl::InfinitePast();
    std::shared_ptr<const EndpointKeys> keys;
  };
  using Name = std::pair<std::string, std::string>;  // merchant, endpoint

  Line& LineOf(const Endpoint& endpoint) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ReadFailing(const Endpoint& endpoint, Line& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells the scheduler, or sees to it that Settle will when there is room.
  absl::Status TellSoon(const Name& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Tell(const Name& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);

  Store& store_;
  Scheduler& scheduler_;
  const EndpointBook& book_;
  const MerchantPolicies& policies_;
  Clock& clock_;
  const Breaker::Options breaker_;
  const uint32_t max_concurrent_;  // of the queue

  // Held from the look at an endpoint until the scheduler knows what follows from it, so that the last look is the one that counts.
  absl::Mutex settings_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<Name, std::unique_ptr<Line>> lines_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<absl::Duration, Name>> probes_ ABSL_GUARDED_BY(mutex_);  // of open breakers
  std::vector<Name> changed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_ENDPOINT_TRAFFIC_H_
