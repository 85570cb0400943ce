// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/task.h"

#include <string>

#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "bindings/python/src/transaction.h"

namespace northwind::python {
namespace {

TaskSpec MakeSpec(std::string id, std::string queue, const py::object& payload, std::string key, const py::object& due,
                  uint8_t priority, const std::optional<RetryPolicy>& policy, IfScheduled if_scheduled) {
  TaskSpec spec{.id = std::move(id),
                .queue = std::move(queue),
                .key = std::move(key),
                .priority = priority,
                .if_scheduled = if_scheduled};
  if (!ToBytes(payload, spec.payload)) throw py::type_error("a payload is bytes");
  if (!due.is_none()) spec.due = As<absl::Time>(due, "due");
  if (policy) spec.policy = *policy;
  return spec;
}

Finish MakeFinish(const py::object& task, Verdict verdict, std::string error, const py::object& not_before,
                  const py::object& host_records) {
  Finish finish{.task = HandleOf(task),
                .verdict = verdict,
                .error = std::move(error),
                .host_records = HostRecordsOf(host_records)};
  if (!not_before.is_none()) finish.not_before = As<absl::Time>(not_before, "not_before");
  return finish;
}

}  // namespace

TaskHandle HandleOf(const py::object& task) {
  if (py::isinstance<ClaimedTask>(task)) return task.cast<const ClaimedTask&>().handle;
  return As<TaskHandle>(task, "a task");
}

void BindTask(py::module_& m) {
  Record<TaskSpec>(m, "TaskSpec", "A task to be scheduled.")
      .Def(py::init(&MakeSpec), py::arg("id"), py::arg("queue"), py::arg("payload") = py::bytes(), py::kw_only(),
           py::arg("key") = "", py::arg("due") = py::none(), py::arg("priority") = 0, py::arg("policy") = py::none(),
           py::arg("if_scheduled") = IfScheduled::kReplace)
      .Field("id", Member(&TaskSpec::id), "Unique among all tasks that are not done.")
      .Field("queue", Member(&TaskSpec::queue), "")
      .Field("payload", Bytes(&TaskSpec::payload), "")
      .Field("key", Member(&TaskSpec::key), "What limits and order go by, such as a merchant.")
      .Field("due", Member(&TaskSpec::due), "None: at once.")
      .Field("priority", Member(&TaskSpec::priority), "Of tasks that are due, higher first.")
      .Field("policy", Member(&TaskSpec::policy), "")
      .Field("if_scheduled", Member(&TaskSpec::if_scheduled), "");

  Record<TaskHandle>(m, "TaskHandle", "Names one task under one lease.")
      .Def(py::init([](uint64_t number, uint32_t slot, uint32_t epoch) {
             return TaskHandle{number, slot, epoch};
           }),
           py::arg("number"), py::arg("slot"), py::arg("epoch"))
      .Field("number", Member(&TaskHandle::number), "")
      .Field("slot", Member(&TaskHandle::slot), "")
      .Field("epoch", Member(&TaskHandle::epoch), "");

  using C = ClaimedTask;
  Record<C>(m, "ClaimedTask", "A task under a lease.")
      .Field("handle", Member(&C::handle), "")
      .Field("id", Member(&C::id), "")
      .Field("key", Member(&C::key), "")
      .Field("payload", Bytes(&C::payload), "")
      .Field("attempt", Member(&C::attempt), "This one, from 1.")
      .Field("previous_unknown", Member(&C::previous_unknown),
             "The attempt before ended without a word: what it did is unknown.")
      .Field("last_error", Member(&C::last_error), "")
      .Field("scheduled_at", Member(&C::scheduled_at), "")
      .Field("due", Member(&C::due), "")
      .Field("leased_until", Member(&C::leased_until), "");

  Record<Finish>(m, "Finish", "How an attempt ended.")
      .Def(py::init(&MakeFinish), py::arg("task"), py::arg("verdict") = Verdict::kComplete, py::kw_only(),
           py::arg("error") = "", py::arg("not_before") = py::none(), py::arg("host_records") = py::none())
      .Field("task", Member(&Finish::task), "")
      .Field("verdict", Member(&Finish::verdict), "")
      .Field("error", Member(&Finish::error), "")
      .Field("not_before", Member(&Finish::not_before), "")
      .Kept(&Finish::host_records);

  using T = TaskInfo;
  Record<T>(m, "TaskInfo", "A task as it stands.")
      .Field("id", Member(&T::id), "")
      .Field("queue", Member(&T::queue), "")
      .Field("key", Member(&T::key), "")
      .Field("payload", Bytes(&T::payload), "")
      .Field("state", Member(&T::state), "")
      .Field("priority", Member(&T::priority), "")
      .Field("attempts", Member(&T::attempts), "Begun.")
      .Field("epoch", Member(&T::epoch), "Leases given in all.")
      .Field("scheduled_at", Member(&T::scheduled_at), "")
      .Field("due", Member(&T::due), "Of one that waits: the next attempt.")
      .Field(
          "leased_until",
          [](const T& t) { return t.state == TaskState::kLeased ? TimeOf(t.leased_until) : py::none(); }, "")
      .Field(
          "died_at", [](const T& t) { return t.state == TaskState::kDead ? TimeOf(t.died_at) : py::none(); }, "")
      .Field(
          "cause", [](const T& t) { return t.state == TaskState::kDead ? py::cast(t.cause) : py::none(); },
          "Why it is dead.")
      .Kept(&T::leased_until, &T::died_at, &T::cause)
      .Field("last_error", Member(&T::last_error), "")
      .Field("policy", Member(&T::policy), "");

  Record<QueueConfig>(m, "QueueConfig", "Settings of a queue.")
      .Field("paused", Member(&QueueConfig::paused), "")
      .Field("max_per_key", Member(&QueueConfig::max_per_key),
             "Tasks of one key that may be leased at once; 0: no limit.")
      .Field("order", Member(&QueueConfig::order), "");
  Record<KeyConfig>(m, "KeyConfig", "Settings of a key.")
      .Field("paused", Member(&KeyConfig::paused), "")
      .Field("max_leased", Member(&KeyConfig::max_leased), "0: as the queue says.");
  using Q = QueueStats;
  Record<Q>(m, "QueueStats", "How a queue is doing.")
      .Field("queue", Member(&Q::queue), "")
      .Field("config", Member(&Q::config), "")
      .Field("waiting", Member(&Q::waiting), "")
      .Field("ready", Member(&Q::ready), "Of those that wait, due.")
      .Field("leased", Member(&Q::leased), "")
      .Field("dead", Member(&Q::dead), "");
  using S = SchedulerStats;
  Record<S>(m, "SchedulerStats", "How a scheduler is doing.")
      .Field("queues", Member(&S::queues), "By name.")
      .Field("tasks", Member(&S::tasks), "")
      .Field("log_bytes", Member(&S::log_bytes), "")
      .Field("live_bytes", Member(&S::live_bytes), "")
      .Field("next_due", Member(&S::next_due), "");
}

}  // namespace northwind::python
