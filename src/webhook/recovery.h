// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_WEBHOOK_RECOVERY_H_
#define NORTHWIND_SRC_WEBHOOK_RECOVERY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "northwind/scheduler.h"
#include "northwind/store.h"
#include "northwind/webhook.h"
#include "src/webhook/delivery_record.h"
#include "src/webhook/endpoint_book.h"
#include "src/webhook/fanout.h"
#include "src/webhook/merchant_policies.h"

namespace northwind::internal {

// Recoveries: walks over a merchant's messages that make what an endpoint has missed wait (again). How far each has come is written
// together with what it made, so that it goes on where it was after a restart. Thread-safe; Step must not run while the journal is
// followed or messages are swept (the same thread does these).
class Recoveries {
 public:
  struct Parts {
    Store& store;
    Scheduler& scheduler;
    const EndpointBook& book;
    const MerchantPolicies& policies;
    Clock& clock;
    absl::Mutex& records_mutex;  // as of Sender::Parts
    const Fanout& fanout;
  };
  explicit Recoveries(const Parts& parts) : parts_(parts) {}

  // Finds those that were under way.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Recovery> Start(std::string_view merchant, std::string_view endpoint, absl::Time since,
                                 uint32_t per_second) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Recovery> Get(std::string_view merchant, std::string_view endpoint) const;
  absl::StatusOr<Recovery> Cancel(std::string_view merchant, std::string_view endpoint) ABSL_LOCKS_EXCLUDED(mutex_);

  // Of an endpoint that was deleted: deletes this, and since when it was failing.
  absl::Status Forget(std::string_view merchant, std::string_view endpoint) ABSL_LOCKS_EXCLUDED(mutex_);

  // One step of one that is under way, each in its turn; false if there is nothing to do.
  absl::StatusOr<bool> Step() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Name = std::pair<std::string, std::string>;  // merchant, endpoint
  struct Run {
    RecoveryRecord record;
    // Not before messages are made of what is in the journal up to here: they would be missed.
    Sequence after;
    // From when on, and from how many, this process counts the rate.
    absl::Time rate_from;
    uint64_t rate_recovered = 0;
  };

  absl::StatusOr<std::optional<RecoveryRecord>> Read(std::string_view merchant, std::string_view endpoint) const;
  absl::StatusOr<std::optional<WebhookDelivery>> Find(const DeliveryName& name) const;
  absl::Status Write(const Name& name, const RecoveryRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Advance(const Name& name, Run& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Run Begin(const RecoveryRecord& record) const;

  const Parts parts_;
  absl::Mutex mutex_;
  absl::btree_map<Name, Run> running_ ABSL_GUARDED_BY(mutex_);
  Name last_ ABSL_GUARDED_BY(mutex_);  // whose turn it was
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_RECOVERY_H_
