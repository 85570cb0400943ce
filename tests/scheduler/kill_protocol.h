// SPDX-License-Identifier: Apache-2.0
//
// What scheduler_kill_test and the child that it kills agree on.
#ifndef NORTHWIND_TESTS_SCHEDULER_KILL_PROTOCOL_H_
#define NORTHWIND_TESTS_SCHEDULER_KILL_PROTOCOL_H_

#include <array>
#include <compare>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace northwind::testing {

// The child writes its messages to this descriptor.
inline constexpr int kMessageDescriptor = 3;
inline constexpr uint32_t kWorkers = 4;
inline constexpr char kQueue[] = "q";

// The tasks of one call of Schedule.
struct BatchName {
  uint32_t run = 0;
  uint32_t worker = 0;
  uint32_t batch = 0;
  friend auto operator<=>(const BatchName&, const BatchName&) = default;
};

struct TaskName {
  BatchName batch;
  uint32_t index = 0;
  friend auto operator<=>(const TaskName&, const TaskName&) = default;
};

// Shorter than PIPE_BUF: written whole or not at all.
struct Message {
  enum Kind : uint32_t {
    kOpened = 1,
    kScheduling = 2,  // about to schedule a batch of `number` tasks
    kScheduled = 3,   // the batch is durable
    kClaimed = 4,     // a claim was answered: attempt `number`
    kCompleting = 5,  // about to complete
    kCompleted = 6,   // that was answered
    kKilled = 7,      // the task was made a dead letter, and that was answered
  };
  uint32_t kind = 0;
  TaskName task;
  uint32_t epoch = 0;
  uint32_t number = 0;
};

inline std::string IdOf(const TaskName& name) {
  return std::to_string(name.batch.run) + "/" + std::to_string(name.batch.worker) + "/" +
         std::to_string(name.batch.batch) + "/" + std::to_string(name.index);
}
inline std::optional<TaskName> NameOf(const std::string& id) {
  TaskName name;
  if (std::sscanf(id.c_str(), "%u/%u/%u/%u", &name.batch.run, &name.batch.worker, &name.batch.batch, &name.index) !=
      4) {
    return std::nullopt;
  }
  return name;
}

// Written with each batch: the last one of its worker.
inline std::string LastBatchKey(uint32_t worker) { return "last/" + std::to_string(worker); }
inline std::string LastBatchValue(const BatchName& batch) {
  return std::to_string(batch.run) + "/" + std::to_string(batch.batch);
}
// Written with the completion of a task: the epoch under which it was completed.
inline std::string DoneKey(const TaskName& name) { return "done/" + IdOf(name); }

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SCHEDULER_KILL_PROTOCOL_H_
