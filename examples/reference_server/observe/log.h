// SPDX-License-Identifier: Apache-2.0
//
// One line of JSON on standard error for each request and each thing that an operator should know of. Never a secret, a body, a query or a
// merchant's data: of a request the route's name, not its path.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_H_

#include <initializer_list>
#include <string_view>
#include <utility>

#include "examples/reference_server/http/listener.h"

namespace northwind::server {

enum class Severity { kInfo, kWarning, kError };

// {"time":"2026-07-01T12:00:00.123Z","severity":"info","message":…, and the rest}. Thread-safe; one write for a line.
void Log(Severity severity, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string_view>> rest = {});
void LogRequest(const RequestRecord& record);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_H_
