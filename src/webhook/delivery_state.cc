// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/delivery_state.h"

#include <utility>

#include "northwind/status.h"
#include "src/webhook/delivery_record.h"

namespace northwind::internal {
namespace {

// Each round more means that an attempt ended, or somebody redrove it, just then. What is said after the last is a moment older.
constexpr int kMaxRounds = 16;

void Apply(const absl::StatusOr<TaskInfo>& task, WebhookDelivery& delivery) {
  const bool lives = task.ok() && task->state != TaskState::kDead;
  delivery.state = lives ? DeliveryState::kPending : DeliveryState::kDead;
  if (lives && task->state == TaskState::kWaiting) delivery.next_attempt = task->due;
}

}  // namespace

bool IsFinal(DeliveryState stored) { return stored == DeliveryState::kDelivered || stored == DeliveryState::kCanceled; }

absl::StatusOr<std::optional<WebhookDelivery>> ResolveDelivery(const Engine& engine, Scheduler& scheduler,
                                                               const DeliveryName& name, std::string stored) {
  const std::string key = DeliveryKey(name);
  const std::string task_id = DeliveryTaskId(name);
  for (int round = 1;; ++round) {
    NW_ASSIGN_OR_RETURN(WebhookDelivery delivery, DecodeDelivery(name, stored));
    if (IsFinal(delivery.state)) return delivery;
    const absl::StatusOr<TaskInfo> task = scheduler.GetTask(task_id);
    if (!task.ok() && !absl::IsNotFound(task.status())) return task.status();
    NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> now, engine.Get(Space::kHost, key));
    if (!now) return std::nullopt;
    if (now->view() == stored || round == kMaxRounds) {
      Apply(task, delivery);
      return delivery;
    }
    stored = now->view();
  }
}

}  // namespace northwind::internal
