// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/delivery_batch.h"

#include <utility>

#include "src/webhook/delivery_record.h"

namespace northwind::internal {
namespace {

// What a task takes in a call beside its texts: the op itself, and the policy.
constexpr size_t kTaskBytes = 1024;
constexpr uint8_t kAtOncePriority = 1;

// A definite answer ends such a task, whatever it is; only an attempt that ended with the process is made again.
RetryPolicy OneAttempt() {
  RetryPolicy policy;
  policy.delays = {absl::ZeroDuration(), absl::ZeroDuration(), absl::ZeroDuration()};
  return policy;
}

}  // namespace

void DeliveryBatch::AddMessage(const Message& message) {
  AddRecord({MessageKey(message.merchant_id, message.id), EncodeMessage(message)});
}

void DeliveryBatch::AddDelivery(const Message& message, const Endpoint& endpoint, const WebhookPolicy& policy,
                                absl::Time due) {
  AddTask({.name = {message.merchant_id, endpoint.id, message.id},
           .type = message.type,
           .sequence = message.sequence,
           .created_at = message.created_at},
          policy, due, IfScheduled::kKeep);
}

void DeliveryBatch::Revive(const WebhookDelivery& delivery, const WebhookPolicy& policy, absl::Time due) {
  WebhookDelivery pending = delivery;
  pending.state = DeliveryState::kPending;
  AddTask(pending, policy, due, IfScheduled::kReplace);  // of the dead letter
}

void DeliveryBatch::AddTask(const WebhookDelivery& delivery, const WebhookPolicy& policy, absl::Time due,
                            IfScheduled repeat) {
  const DeliveryName& name = delivery.name;
  AddRecord({DeliveryKey(name), EncodeDelivery(delivery)});
  tasks_.push_back({.id = DeliveryTaskId(name),
                    .queue = std::string(kWebhookQueue),
                    .key = EndpointTaskKey(name.merchant_id, name.endpoint_id),
                    .payload = EncodeDeliveryTask({.name = name, .timeout = policy.timeout}),
                    .due = due,
                    .policy = policy.retry,
                    .if_scheduled = repeat});
  const TaskSpec& task = tasks_.back();
  bytes_ += task.id.size() + task.queue.size() + task.key.size() + task.payload.size() + kTaskBytes;
}

void DeliveryBatch::AddAttempt(std::string task_id, const DeliveryName& name, AttemptTrigger trigger,
                               absl::Duration timeout) {
  tasks_.push_back({.id = std::move(task_id),
                    .queue = std::string(kWebhookNowQueue),
                    .key = EndpointTaskKey(name.merchant_id, name.endpoint_id),
                    .payload = EncodeDeliveryTask({.name = name, .trigger = trigger, .timeout = timeout}),
                    .priority = kAtOncePriority,
                    .policy = OneAttempt(),
                    .if_scheduled = IfScheduled::kReplace});
  bytes_ += tasks_.back().payload.size() + kTaskBytes;
}

void DeliveryBatch::AddRecord(HostRecord record) {
  bytes_ += record.key.size() + record.value.size();
  records_.push_back(std::move(record));
}

absl::StatusOr<std::vector<ScheduleOutcome>> DeliveryBatch::Write(Scheduler& scheduler) const {
  return scheduler.Schedule(tasks_, records_);
}

}  // namespace northwind::internal
