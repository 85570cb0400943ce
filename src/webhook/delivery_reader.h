// SPDX-License-Identifier: Apache-2.0
//
// What can be read of deliveries and their attempts.
//
//   const DeliveryReader reader(store.engine(), scheduler);
//   NW_ASSIGN_OR_RETURN(WebhookDeliveryPage page, reader.ListDeliveries({.merchant_id = "m_42", .state = DeliveryState::kDead}));
#ifndef NORTHWIND_SRC_WEBHOOK_DELIVERY_READER_H_
#define NORTHWIND_SRC_WEBHOOK_DELIVERY_READER_H_

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/scheduler.h"
#include "northwind/webhook.h"
#include "src/store/engine.h"
#include "src/webhook/endpoint.h"

namespace northwind::internal {

// Of one call of a list.
struct DeliveryReaderBounds {
  size_t looks = 10'000;
  // Deliveries that the scheduler is asked about: each waits for its turn there, which may be a sync long.
  size_t asks = 1'000;
};

// Whether a recovery of the endpoint is concerned with messages of that type: its filter fits, and it is no test, which is another
// endpoint's or was the merchant's own try.
bool IsRecoverable(const Endpoint& endpoint, std::string_view type);

// Thread-safe. States are as ResolveDelivery gives them. What a list shows is of one moment as to which deliveries or attempts there
// are; states are as they become known, and a delivery that changed during the call is shown, and chosen, as it then was. What
// retention deletes during a call is left out.
//
// Times of messages are milliseconds, times of attempts nanoseconds: `from` and `before` mean exactly those from then on and before then.
// A list without `from` passes over what retention has deleted lately: give one if you know it.
//
// Errors: InvalidArgument begins with the field at fault; NotFound; DataLoss for damaged records; those of the scheduler's
// calls and of the store's reads.
class DeliveryReader {
 public:
  // Both must outlive it.
  DeliveryReader(const Engine& engine, Scheduler& scheduler, const DeliveryReaderBounds& bounds = {})
      : engine_(engine), scheduler_(scheduler), bounds_(bounds) {}

  // With next attempt and body.
  absl::StatusOr<WebhookDelivery> GetDelivery(const DeliveryName& name) const;
  absl::StatusOr<WebhookDeliveryPage> ListDeliveries(const DeliveryQuery& query) const;
  absl::StatusOr<WebhookAttemptPage> ListAttempts(const AttemptQuery& query) const;

  // The messages of [since, until) that IsRecoverable, by how they stand at the endpoint. One that was canceled when an endpoint of that
  // id was deleted counts as dead. Not bounded: looks at all of them.
  absl::StatusOr<RecoveryCount> CountRecoverable(const Endpoint& endpoint, absl::Time since, absl::Time until) const;

 private:
  absl::StatusOr<WebhookAttemptPage> ListAttemptsOfMessage(const AttemptQuery& query) const;
  absl::StatusOr<WebhookAttemptPage> ListAttemptsByTime(const AttemptQuery& query) const;

  const Engine& engine_;
  Scheduler& scheduler_;
  const DeliveryReaderBounds bounds_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_DELIVERY_READER_H_
