// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_WEBHOOK_FANOUT_H_
#define NORTHWIND_SRC_WEBHOOK_FANOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/store.h"
#include "src/webhook/delivery_batch.h"
#include "src/webhook/endpoint_book.h"
#include "src/webhook/merchant_policies.h"
#include "src/webhook/message.h"

namespace northwind::internal {

// Reads the journal and makes, of each record that is news to a merchant with endpoints, one message, and one delivery to
// each endpoint that wants it; written together with the cursor. An endpoint is told of what is recorded after it was made.
// One thread at a time, but for what it counts.
class Fanout {
 public:
  Fanout(Ledger& ledger, Store& store, Scheduler& scheduler, const EndpointBook& book,
         const MerchantPolicies& policies);

  // The first time on a store it begins after what is in the journal by then, as nobody had endpoints before.
  absl::Status Load();
  // Follows up to `limit` records; waits for the first until `deadline`. How many there were.
  absl::StatusOr<size_t> Step(size_t limit, absl::Time deadline);

  Sequence position() const { return Sequence(position_.load()); }
  // Of the journal.
  Sequence head() const { return ledger_.Head().sequence; }
  // When the last record that was followed was recorded; 1970 if none was since it was made.
  absl::Time recorded() const { return absl::FromUnixNanos(recorded_.load()); }
  // Since it was made.
  uint64_t messages() const { return messages_; }
  uint64_t deliveries() const { return deliveries_; }

 private:
  absl::Status Take(const JournalRecord& record, DeliveryBatch& batch);
  // Writes the batch and that records up to `sequence` are done.
  absl::Status Write(uint64_t sequence, DeliveryBatch& batch);

  Ledger& ledger_;
  Store& store_;
  Scheduler& scheduler_;
  const EndpointBook& book_;
  const MerchantPolicies& policies_;
  MessageMaker maker_;
  std::atomic<uint64_t> position_{0};
  std::atomic<int64_t> recorded_{0};  // Unix nanoseconds
  uint64_t written_ = 0;              // the cursor on disk
  uint64_t batch_messages_ = 0;
  std::atomic<uint64_t> messages_{0};
  std::atomic<uint64_t> deliveries_{0};
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_FANOUT_H_
