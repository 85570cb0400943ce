// SPDX-License-Identifier: Apache-2.0
//
// What a call of the scheduler is checked for before it takes its turn.
#ifndef NORTHWIND_SRC_SCHEDULER_CALL_BOUNDS_H_
#define NORTHWIND_SRC_SCHEDULER_CALL_BOUNDS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "northwind/scheduler.h"
#include "src/base/error.h"
#include "src/scheduler/task_op.h"
#include "src/scheduler/task_table.h"

namespace northwind::internal {

// What an op takes in the block beside its texts, at most.
inline constexpr size_t kOpBytes = 128;

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return Error(absl::StatusCode::kInvalidArgument, parts...);
}

inline absl::Status CheckName(const char* what, std::string_view name, size_t min, size_t max) {
  if (name.size() >= min && name.size() <= max) return absl::OkStatus();
  return Bad(what, " has ", name.size(), " bytes, not ", min, " to ", max);
}

inline absl::Status CheckCount(size_t count, size_t max) {
  if (count >= 1 && count <= max) return absl::OkStatus();
  return Bad("a call takes 1 to ", max, ", not ", count);
}

inline TaskOp OpOn(TaskOpKind kind, const TaskRow& row, uint32_t slot) {
  TaskOp op;
  op.kind = kind;
  op.slot = slot;
  op.number = row.number;
  return op;
}

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SCHEDULER_CALL_BOUNDS_H_
