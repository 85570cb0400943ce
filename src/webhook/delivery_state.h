// SPDX-License-Identifier: Apache-2.0
//
// How a delivery stands, which two places know: its record, and the scheduler's task.
#ifndef NORTHWIND_SRC_WEBHOOK_DELIVERY_STATE_H_
#define NORTHWIND_SRC_WEBHOOK_DELIVERY_STATE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "northwind/scheduler.h"
#include "northwind/webhook.h"
#include "src/store/engine.h"

namespace northwind::internal {

// By the record alone: delivered or canceled, whatever tasks there are.
bool IsFinal(DeliveryState stored);

// The delivery whose record is `stored`, or the record that took its place meanwhile, with the state and the next attempt as they are:
//
//   record             task       state
//   delivered,         any        as stored
//   canceled
//   pending, dead      waiting    pending; next attempt when it is due
//   pending, dead      claimed    pending
//   pending, dead      dead       dead: also when the last attempt ended without a word
//   pending, dead      none       dead: it was discarded
//
// Record and task change in one write but are read one after the other; so the record is read again after the task, until
// both are of one moment. Nothing if the record is gone. Asks the scheduler unless the record says all.
absl::StatusOr<std::optional<WebhookDelivery>> ResolveDelivery(const Engine& engine, Scheduler& scheduler,
                                                               const DeliveryName& name, std::string stored);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_DELIVERY_STATE_H_
