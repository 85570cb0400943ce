// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_WEBHOOK_DELIVERY_BATCH_H_
#define NORTHWIND_SRC_WEBHOOK_DELIVERY_BATCH_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "northwind/scheduler.h"
#include "northwind/webhook.h"
#include "src/webhook/endpoint.h"
#include "src/webhook/message.h"

namespace northwind::internal {

// Messages and deliveries that come to be together: their records and tasks, and what else is given, in one atomic
// write.
class DeliveryBatch {
 public:
  // Full once it has so much; what one message adds at most fits one call of the scheduler besides.
  static constexpr size_t kFullBytes = 2 << 20;
  static constexpr size_t kFullTasks = 4096;

  void AddMessage(const Message& message);
  // A new delivery, of a message that is in the store or in this batch.
  void AddDelivery(const Message& message, const Endpoint& endpoint, const WebhookPolicy& policy,
                   absl::Time due = absl::InfinitePast());
  // One that is there, final, to be tried again from the beginning of its policy. It keeps its receipts.
  void Revive(const WebhookDelivery& delivery, const WebhookPolicy& policy, absl::Time due);
  // One attempt beside the policy's, at once, as a task of that id: of a delivery whose record is there.
  void AddAttempt(std::string task_id, const DeliveryName& name, AttemptTrigger trigger, absl::Duration timeout);
  void AddRecord(HostRecord record);

  bool empty() const { return tasks_.empty() && records_.empty(); }
  bool full() const { return bytes_ >= kFullBytes || tasks_.size() >= kFullTasks; }
  size_t deliveries() const { return tasks_.size(); }

  // Durable when it returns OK. One outcome per delivery, in the order added. Errors as of Scheduler::Schedule.
  absl::StatusOr<std::vector<ScheduleOutcome>> Write(Scheduler& scheduler) const;

 private:
  void AddTask(const WebhookDelivery& delivery, const WebhookPolicy& policy, absl::Time due, IfScheduled repeat);

  std::vector<TaskSpec> tasks_;
  std::vector<HostRecord> records_;
  size_t bytes_ = 0;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_DELIVERY_BATCH_H_
