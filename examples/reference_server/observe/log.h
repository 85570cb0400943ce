// SPDX-License-Identifier: Apache-2.0
//
// One line of JSON on standard error for each request and each thing that an operator should know of. Never a secret, a body, a query or a
// merchant's data: of a request the route's name, not its path.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_H_

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "examples/reference_server/http/listener.h"

namespace northwind::server {

enum class Severity { kInfo, kWarning, kError };

// {"time":"2026-07-01T12:00:00.123Z","severity":"info","message":…, and the rest}. Thread-safe.
void Log(Severity severity, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string_view>> rest = {});
void LogRequest(const RequestRecord& record);

// While there is one, lines are written by a thread of its own, and whoever logs does not wait (log_queue.h); else by whoever logs, one write
// for a line. One at a time.
class LogThread {
 public:
  LogThread();
  ~LogThread();  // End()
  // Lines that wait are written, for as long as the queue has patience, even if a write does not come back. Idempotent.
  void End();
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;
};

// Lines that found no room or could not be written, since the process began.
uint64_t DroppedLogLines();

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_H_
