// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/observe/log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace northwind::server {
namespace {

using Line = nlohmann::ordered_json;

std::string_view Name(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "error";
}

Line Begin(Severity severity, std::string_view message) {
  return {{"time", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone())},
          {"severity", Name(severity)},
          {"message", message}};
}

void Write(const Line& line) {
  const std::string text = line.dump(-1, ' ', false, Line::error_handler_t::replace) + "\n";
  // One call, so that lines of several threads do not mix. Where a log cannot be written, there is nobody to tell.
  while (write(STDERR_FILENO, text.data(), text.size()) < 0 && errno == EINTR) {
  }
}

}  // namespace

void Log(Severity severity, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string_view>> rest) {
  Line line = Begin(severity, message);
  for (const auto& [name, value] : rest) line[std::string(name)] = value;
  Write(line);
}

void LogRequest(const RequestRecord& record) {
  // A method or version that is not known here is the client's doing.
  const bool ours = record.status >= 500 && record.status != 501 && record.status != 505;
  Line line = Begin(ours ? Severity::kError : Severity::kInfo, "request");
  line["request_id"] = record.request.id;
  line["method"] = server::Name(record.request.method);
  line["route"] = record.route;
  line["status"] = record.status;
  line["bytes"] = record.bytes;
  line["took_ms"] = static_cast<double>(absl::ToInt64Microseconds(record.took)) / 1000;
  line["caller"] = record.caller;
  line["remote"] = record.request.remote;
  if (!record.cause.empty()) line["why"] = record.cause;
  Write(line);
}

}  // namespace northwind::server
