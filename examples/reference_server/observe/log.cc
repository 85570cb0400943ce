// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/observe/log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/reference_server/observe/log_queue.h"

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

std::string Text(const Line& line) { return line.dump(-1, ' ', false, Line::error_handler_t::replace) + "\n"; }

absl::Mutex queue_mutex(absl::kConstInit);
LogQueue* queue ABSL_GUARDED_BY(queue_mutex) = nullptr;
uint64_t dropped_before ABSL_GUARDED_BY(queue_mutex) = 0;  // by those that have ended

void Write(const Line& line, LogQueue::Kind kind) {
  const std::string text = Text(line);
  {
    const absl::ReaderMutexLock lock(&queue_mutex);
    if (queue != nullptr) return queue->Put(text, kind);
  }
  // One call, so that lines of several threads do not mix. Where a log cannot be written, there is nobody to tell.
  while (write(STDERR_FILENO, text.data(), text.size()) < 0 && errno == EINTR) {
  }
}

std::string DroppedLine(uint64_t count) {
  Line line =
      Begin(Severity::kWarning, "lines of this log were dropped: it was not read in time, or could not be written");
  line["count"] = count;
  return Text(line);
}

}  // namespace

void Log(Severity severity, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string_view>> rest) {
  Line line = Begin(severity, message);
  for (const auto& [name, value] : rest) line[std::string(name)] = value;
  Write(line, LogQueue::Kind::kOther);
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
  Write(line, LogQueue::Kind::kRequest);
}

LogThread::LogThread() {
  const absl::MutexLock lock(&queue_mutex);
  queue = new LogQueue(STDERR_FILENO, {.dropped_line = DroppedLine});
}

LogThread::~LogThread() { End(); }

void LogThread::End() {
  std::unique_ptr<LogQueue> ending;
  {
    const absl::MutexLock lock(&queue_mutex);
    ending.reset(std::exchange(queue, nullptr));
  }
  if (ending == nullptr) return;
  ending->End();
  const absl::MutexLock lock(&queue_mutex);
  dropped_before += ending->dropped();
}

uint64_t DroppedLogLines() {
  const absl::ReaderMutexLock lock(&queue_mutex);
  return dropped_before + (queue == nullptr ? 0 : queue->dropped());
}

}  // namespace northwind::server
