// SPDX-License-Identifier: Apache-2.0
#include "examples/settle/progress.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace northwind::examples {
namespace {

std::string Bar(double share) {
  constexpr int kWidth = 28;
  const int full = static_cast<int>(share * kWidth);
  std::string bar = "[";
  bar.append(static_cast<size_t>(full), '=');
  if (full < kWidth) bar.push_back('>');
  bar.append(static_cast<size_t>(std::max(0, kWidth - full - 1)), ' ');
  return bar + "]";
}

}  // namespace

Progress::Progress(ProgressMode mode, std::optional<uint64_t> total, absl::Duration interval)
    : mode_(mode), total_(total), interval_(interval), start_(absl::Now()) {}

void Progress::Update(const ProgressSample& sample) {
  if (mode_ == ProgressMode::kNone) return;
  const absl::Time now = absl::Now();
  if (now - shown_ >= interval_) Show(sample, now);
}

void Progress::Finish(const ProgressSample& sample) {
  if (mode_ == ProgressMode::kNone) return;
  Show(sample, absl::Now());
  if (mode_ == ProgressMode::kBar) std::fputc('\n', stderr);
}

void Progress::Show(const ProgressSample& sample, absl::Time now) {
  shown_ = now;
  const std::string line = Line(sample, now);
  // "\r" and "erase to the end of the line": nothing of a longer line before stays.
  std::fprintf(stderr, mode_ == ProgressMode::kBar ? "\r%s\x1b[K" : "%s\n", line.c_str());
  std::fflush(stderr);
}

std::string Progress::Line(const ProgressSample& sample, absl::Time now) const {
  const double seconds = std::max(1e-3, absl::ToDoubleSeconds(now - start_));
  std::string line;
  double share = 0;
  if (total_.has_value() && *total_ > 0) {
    share = std::min(1.0, static_cast<double>(sample.bytes) / static_cast<double>(*total_));
    if (mode_ == ProgressMode::kBar) absl::StrAppend(&line, Bar(share), " ");
    absl::StrAppendFormat(&line, "%5.1f%%  ", 100 * share);
  }
  absl::StrAppendFormat(&line, "%u events  %.0f/s  lag %.0f ms  parked %u", sample.events,
                        static_cast<double>(sample.events) / seconds, absl::ToDoubleMilliseconds(sample.lag),
                        sample.parked);
  if (share > 0) absl::StrAppendFormat(&line, "  ETA %.0f s", seconds * (1 - share) / share);
  return line;
}

}  // namespace northwind::examples
