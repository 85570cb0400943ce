// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/scheduler.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "bindings/python/src/casters.h"
#include "bindings/python/src/clock.h"
#include "bindings/python/src/pages.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/task.h"
#include "bindings/python/src/transaction.h"

namespace northwind::python {
namespace {

// Waits are cut, so that Ctrl-C ends them.
constexpr absl::Duration kSlice = absl::Milliseconds(100);

template <typename F>
auto On(const PyScheduler& self, F&& function) {
  const std::shared_ptr<Scheduler> scheduler = self.Get();
  return Must(Unlocked([&] { return function(*scheduler); }));
}

std::vector<std::string> Strings(const py::iterable& objects) {
  if (PyUnicode_Check(objects.ptr())) throw py::type_error("an iterable of ids, not one of letters");
  std::vector<std::string> strings;
  for (const py::handle object : objects) strings.push_back(As<std::string>(object, "an id"));
  return strings;
}

std::vector<ScheduleOutcome> ScheduleAll(const PyScheduler& self, const py::iterable& tasks,
                                         const py::object& host_records) {
  std::vector<TaskSpec> specs;
  for (const py::handle task : tasks) specs.push_back(As<TaskSpec>(task, "a task"));
  const std::vector<HostRecord> records = HostRecordsOf(host_records);
  return On(self, [&](Scheduler& s) { return s.Schedule(specs, records); });
}

std::vector<ClaimedTask> Claim(const PyScheduler& self, std::string queue, size_t max, absl::Duration lease,
                               absl::Duration wait) {
  const absl::Time until = absl::Now() + wait;
  ClaimOptions options{.queue = std::move(queue), .max = max, .lease = lease};
  while (true) {
    options.wait = std::clamp(until - absl::Now(), absl::ZeroDuration(), kSlice);
    std::vector<ClaimedTask> tasks = On(self, [&](Scheduler& s) { return s.Claim(options); });
    if (!tasks.empty()) return tasks;
    CheckSignals();
    if (absl::Now() >= until) return tasks;
  }
}

FinishOutcome FinishOne(const PyScheduler& self, Finish finish) {
  return On(self, [&](Scheduler& s) { return s.FinishAll({&finish, 1}); }).front();
}

FinishOutcome Extend(const PyScheduler& self, const py::object& task, absl::Duration lease,
                     const py::object& host_records) {
  const Extension extension{HandleOf(task), HostRecordsOf(host_records)};
  return On(self, [&](Scheduler& s) { return s.Extend({&extension, 1}, lease); }).front();
}

std::vector<FinishOutcome> FinishAll(const PyScheduler& self, const py::iterable& attempts) {
  std::vector<Finish> list;
  for (const py::handle attempt : attempts) list.push_back(As<Finish>(attempt, "an attempt"));
  return On(self, [&](Scheduler& s) { return s.FinishAll(list); });
}

Pages Tasks(std::shared_ptr<PyScheduler> self, std::string queue) {
  self->CheckOpen();
  return PagesOf<TaskInfo>(
      [self = std::move(self), queue = std::move(queue), after = uint64_t{0}](std::vector<TaskInfo>& tasks) mutable {
        TaskPage page = On(*self, [&](Scheduler& s) { return s.ListTasks(queue, after, kMaxTaskPage); });
        tasks = std::move(page.tasks);
        after = page.next;
        return after != 0;
      });
}

DeadFilter FilterOf(std::string queue, std::string key, std::string id_prefix, const py::object& start,
                    const py::object& end) {
  DeadFilter filter{.queue = std::move(queue), .key = std::move(key), .id_prefix = std::move(id_prefix)};
  if (!start.is_none()) filter.died_from = As<absl::Time>(start, "start");
  if (!end.is_none()) filter.died_before = As<absl::Time>(end, "end");
  return filter;
}

Pages Dead(std::shared_ptr<PyScheduler> self, std::string queue, std::string key, std::string id_prefix,
           const py::object& start, const py::object& end) {
  self->CheckOpen();
  DeadFilter filter = FilterOf(std::move(queue), std::move(key), std::move(id_prefix), start, end);
  return PagesOf<TaskInfo>([self = std::move(self), filter = std::move(filter),
                            after = std::optional<DeadCursor>()](std::vector<TaskInfo>& tasks) mutable {
    DeadPage page = On(*self, [&](Scheduler& s) { return s.ListDead(filter, after, kMaxDeadPage); });
    tasks = std::move(page.tasks);
    after = page.next;
    return after.has_value();
  });
}

using Class = py::class_<PyScheduler, std::shared_ptr<PyScheduler>>;

void DefineWork(Class& type) {
  type.def(
          "schedule",
          [](const PyScheduler& self, const TaskSpec& task, const py::object& host_records) {
            const std::vector<HostRecord> records = HostRecordsOf(host_records);
            return On(self, [&](Scheduler& s) { return s.Schedule({&task, 1}, records); }).front();
          },
          py::arg("task"), py::kw_only(), py::arg("host_records") = py::none(),
          "Schedules a task; durable when it returns.")
      .def("schedule", &ScheduleAll, py::arg("tasks"), py::kw_only(), py::arg("host_records") = py::none(),
           "Up to 10,000 tasks and records of the host, in one atomic write. One outcome for each task.")
      .def(
          "cancel",
          [](const PyScheduler& self, const py::iterable& ids) {
            const std::vector<std::string> list = Strings(ids);
            return On(self, [&](Scheduler& s) { return s.Cancel(list); });
          },
          py::arg("ids"), "Removes tasks in any state; for each id, whether there was such a task.")
      .def(
          "task",
          [](const PyScheduler& self, const std::string& id) {
            return On(self, [&](Scheduler& s) { return s.GetTask(id); });
          },
          py::arg("id"), "NotFound.")
      .def("tasks", &Tasks, py::arg("queue"),
           "All tasks of a queue, in any state, in the order of scheduling; read page by page.")
      .def("claim", &Claim, py::arg("queue"), py::arg("max") = 1, py::kw_only(), py::arg("lease") = absl::Minutes(1),
           py::arg("wait") = absl::ZeroDuration(),
           "Up to `max` tasks that are due, under a lease; empty if there are none within `wait`.")
      .def("extend", &Extend, py::arg("task"), py::arg("lease"), py::kw_only(), py::arg("host_records") = py::none(),
           "Makes a lease last so long from now: DONE or STALE.")
      .def(
          "complete",
          [](const PyScheduler& self, const py::object& task, const py::object& host_records) {
            return FinishOne(self, {.task = HandleOf(task), .host_records = HostRecordsOf(host_records)});
          },
          py::arg("task"), py::kw_only(), py::arg("host_records") = py::none(), "It is done: the task is gone.")
      .def(
          "retry",
          [](const PyScheduler& self, const py::object& task, std::string error, const py::object& not_before,
             const py::object& host_records) {
            Finish finish{.task = HandleOf(task),
                          .verdict = Verdict::kRetry,
                          .error = std::move(error),
                          .host_records = HostRecordsOf(host_records)};
            if (!not_before.is_none()) finish.not_before = As<absl::Time>(not_before, "not_before");
            return FinishOne(self, std::move(finish));
          },
          py::arg("task"), py::arg("error"), py::kw_only(), py::arg("not_before") = py::none(),
          py::arg("host_records") = py::none(),
          "It failed: again as its policy says, or dead if that has no more attempts.")
      .def(
          "kill",
          [](const PyScheduler& self, const py::object& task, std::string reason, const py::object& host_records) {
            return FinishOne(self, {.task = HandleOf(task),
                                    .verdict = Verdict::kKill,
                                    .error = std::move(reason),
                                    .host_records = HostRecordsOf(host_records)});
          },
          py::arg("task"), py::arg("reason"), py::kw_only(), py::arg("host_records") = py::none(),
          "It failed for good: dead.")
      .def("finish", &FinishAll, py::arg("attempts"),
           "Ends several attempts in one atomic write; one outcome for each.");
}

void DefineDead(Class& type) {
  type.def("dead", &Dead, py::kw_only(), py::arg("queue") = "", py::arg("key") = "", py::arg("id_prefix") = "",
           py::arg("start") = py::none(), py::arg("end") = py::none(),
           "Dead letters, in the order in which they died; read page by page.")
      .def(
          "redrive",
          [](const PyScheduler& self, const py::iterable& ids) {
            const std::vector<std::string> list = Strings(ids);
            return On(self, [&](Scheduler& s) { return s.Redrive(list); });
          },
          py::arg("ids"), "Makes dead tasks wait again, as if scheduled anew; how many there were.")
      .def(
          "redrive_all",
          [](const PyScheduler& self, std::string queue, std::string key, std::string id_prefix,
             const py::object& start, const py::object& end, uint32_t per_second) {
            const DeadFilter filter = FilterOf(std::move(queue), std::move(key), std::move(id_prefix), start, end);
            return On(self, [&](Scheduler& s) { return s.RedriveAll(filter, per_second); });
          },
          py::kw_only(), py::arg("queue") = "", py::arg("key") = "", py::arg("id_prefix") = "",
          py::arg("start") = py::none(), py::arg("end") = py::none(), py::arg("per_second") = 0,
          "All that `dead` gives, no more than so many due in a second.")
      .def(
          "discard",
          [](const PyScheduler& self, const py::iterable& ids) {
            const std::vector<std::string> list = Strings(ids);
            return On(self, [&](Scheduler& s) { return s.Discard(list); });
          },
          py::arg("ids"), "Removes dead tasks for good; how many there were.")
      .def(
          "discard_all",
          [](const PyScheduler& self, std::string queue, std::string key, std::string id_prefix,
             const py::object& start, const py::object& end) {
            const DeadFilter filter = FilterOf(std::move(queue), std::move(key), std::move(id_prefix), start, end);
            return On(self, [&](Scheduler& s) { return s.DiscardAll(filter); });
          },
          py::kw_only(), py::arg("queue") = "", py::arg("key") = "", py::arg("id_prefix") = "",
          py::arg("start") = py::none(), py::arg("end") = py::none(), "Removes all that `dead` gives.");
}

// The same for a queue, and for a key of a queue.
template <typename Change>
auto QueueCall(Change change) {
  return [change](const PyScheduler& self, const std::string& queue) {
    const std::shared_ptr<Scheduler> scheduler = self.Get();
    Must(Unlocked([&] { return change(*scheduler, queue); }));
  };
}
template <typename Change>
auto KeyCall(Change change) {
  return [change](const PyScheduler& self, const std::string& queue, const std::string& key) {
    const std::shared_ptr<Scheduler> scheduler = self.Get();
    Must(Unlocked([&] { return change(*scheduler, queue, key); }));
  };
}

void DefineQueues(Class& type) {
  type.def(
          "configure_queue",
          [](const PyScheduler& self, const std::string& queue, bool paused, uint32_t max_per_key, KeyOrder order) {
            const QueueConfig config{paused, max_per_key, order};
            QueueCall([&](Scheduler& s, const std::string& q) { return s.ConfigureQueue(q, config); })(self, queue);
          },
          py::arg("queue"), py::kw_only(), py::arg("paused") = false, py::arg("max_per_key") = 0,
          py::arg("order") = KeyOrder::kNone, "Sets all settings of a queue, durably.")
      .def(
          "queue",
          [](const PyScheduler& self, const std::string& queue) {
            return On(self, [&](Scheduler& s) { return s.GetQueue(queue); });
          },
          py::arg("queue"), "A queue's settings.")
      .def("pause_queue", QueueCall([](Scheduler& s, const std::string& q) { return s.PauseQueue(q); }),
           py::arg("queue"), "")
      .def("resume_queue", QueueCall([](Scheduler& s, const std::string& q) { return s.ResumeQueue(q); }),
           py::arg("queue"), "")
      .def(
          "configure_key",
          [](const PyScheduler& self, const std::string& queue, const std::string& key, bool paused,
             uint32_t max_leased) {
            const KeyConfig config{paused, max_leased};
            KeyCall([&](Scheduler& s, const std::string& q, const std::string& k) {
              return s.ConfigureKey(q, k, config);
            })(self, queue, key);
          },
          py::arg("queue"), py::arg("key"), py::kw_only(), py::arg("paused") = false, py::arg("max_leased") = 0,
          "Sets all settings of a key, durably.")
      .def(
          "key",
          [](const PyScheduler& self, const std::string& queue, const std::string& key) {
            return On(self, [&](Scheduler& s) { return s.GetKey(queue, key); });
          },
          py::arg("queue"), py::arg("key"), "A key's settings.")
      .def("pause_key",
           KeyCall([](Scheduler& s, const std::string& q, const std::string& k) { return s.PauseKey(q, k); }),
           py::arg("queue"), py::arg("key"), "")
      .def("resume_key",
           KeyCall([](Scheduler& s, const std::string& q, const std::string& k) { return s.ResumeKey(q, k); }),
           py::arg("queue"), py::arg("key"), "")
      .def(
          "stats", [](const PyScheduler& self) { return On(self, [](Scheduler& s) { return s.Stats(); }); },
          "How it is doing.");
}

}  // namespace

std::shared_ptr<PyScheduler> PyScheduler::Open(const std::shared_ptr<PyStore>& store, SchedulerOptions options,
                                               const py::object& clock) {
  auto self = std::make_shared<PyScheduler>();
  const std::shared_ptr<Store> open = store->Get();
  const std::shared_ptr<PyClock> own_clock = ClockOf(clock);
  options.clock = own_clock.get();
  self->handle_.Set(Must(Unlocked([&] { return Scheduler::Open(*open, options); })),
                    std::make_tuple(own_clock, open, store->NewUse()));
  self->CloseAtExit();
  return self;
}

void PyScheduler::Close() {
  const std::shared_ptr<Scheduler> scheduler = handle_.Take();
  if (scheduler != nullptr) Unlocked([&] { scheduler->Close(); });
}

void BindScheduler(py::module_& m) {
  const SchedulerOptions defaults;
  Class type(
      m, "Scheduler",
      "Durable timers on a Store; one per store at a time. Thread-safe. What a call did is on disk when it returns.");
  type.def(py::init([](const std::shared_ptr<PyStore>& store, const py::object& clock, uint64_t seed,
                       absl::Duration jump_threshold, uint32_t release_per_second, uint64_t max_tasks,
                       size_t max_queued_calls, uint64_t cache_bytes, uint64_t min_log_bytes) {
             return PyScheduler::Open(store,
                                      {.seed = seed,
                                       .jump_threshold = jump_threshold,
                                       .release_per_second = release_per_second,
                                       .max_tasks = max_tasks,
                                       .max_queued_calls = max_queued_calls,
                                       .cache_bytes = cache_bytes,
                                       .min_log_bytes = min_log_bytes},
                                      clock);
           }),
           py::arg("store"), py::kw_only(), py::arg("clock") = py::none(), py::arg("seed") = 0,
           py::arg("jump_threshold") = defaults.jump_threshold,
           py::arg("release_per_second") = defaults.release_per_second, py::arg("max_tasks") = defaults.max_tasks,
           py::arg("max_queued_calls") = defaults.max_queued_calls, py::arg("cache_bytes") = defaults.cache_bytes,
           py::arg("min_log_bytes") = defaults.min_log_bytes, "Opens the scheduler of a store.");
  DefineWork(type);
  DefineDead(type);
  DefineQueues(type);
  DefineClosable(type,
                 "Ends waits; leases are taken back at the next opening. FailedPrecondition while anything is open on "
                 "it. Idempotent.");
}

}  // namespace northwind::python
