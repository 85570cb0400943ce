// SPDX-License-Identifier: Apache-2.0
//
// Small macros around absl::Status, for northwind's own code and for hosts that like them, and the check that
// guards against programmer errors. Everything the world can do to a program comes back as an absl::Status.
#ifndef NORTHWIND_STATUS_H_
#define NORTHWIND_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace northwind::internal {

// Prints the message with its place and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* message);

}  // namespace northwind::internal

// Aborts with a message when a programmer error is met. Always on, in every build.
#define NW_CHECK(condition, message)                   \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::northwind::internal::CheckFailed(__FILE__, __LINE__, #condition, message))

#define NW_STATUS_CONCAT_INNER(a, b) a##b
#define NW_STATUS_CONCAT(a, b) NW_STATUS_CONCAT_INNER(a, b)

// Returns the status from the enclosing function unless it is OK.
#define NW_RETURN_IF_ERROR(expression) NW_RETURN_IF_ERROR_INNER(NW_STATUS_CONCAT(nw_status_, __LINE__), expression)
#define NW_RETURN_IF_ERROR_INNER(status, expression)          \
  do {                                                        \
    if (::absl::Status status = (expression); !status.ok()) { \
      return status;                                          \
    }                                                         \
  } while (false)

// NW_ASSIGN_OR_RETURN(auto store, Store::Open(options)): declares or assigns the left side from a StatusOr, or
// returns its status from the enclosing function.
#define NW_ASSIGN_OR_RETURN(left, expression) \
  NW_ASSIGN_OR_RETURN_INNER(NW_STATUS_CONCAT(nw_status_or_, __LINE__), left, expression)
#define NW_ASSIGN_OR_RETURN_INNER(temporary, left, expression) \
  auto temporary = (expression);                               \
  if (!temporary.ok()) return std::move(temporary).status();   \
  left = *std::move(temporary)

#endif  // NORTHWIND_STATUS_H_
