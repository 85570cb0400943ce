// SPDX-License-Identifier: Apache-2.0
#include "src/scheduler/timeline.h"

#include <algorithm>

#include "src/scheduler/policy.h"

namespace northwind::internal {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

}  // namespace

int64_t Timeline::Wall() const { return std::max<int64_t>(absl::ToUnixNanos(clock_.Now()), 0); }
int64_t Timeline::Steady() const { return absl::ToInt64Nanoseconds(clock_.Elapsed()); }

Timeline::Timeline(Clock& clock, int64_t last, const Options& options)
    : clock_(clock), options_(options), steady_(Steady()), line_(std::max(last, Wall())), offset_(line_ - Wall()) {}

void Timeline::Observe() {
  const int64_t steady = std::max(Steady(), steady_);
  const int64_t passed = steady - steady_;
  steady_ = steady;
  line_ = SaturatingAdd(line_, passed);
  const absl::uint128 rate = options_.release_per_second;
  allowance_ = std::min<absl::uint128>(rate * kSecond, allowance_ + rate * static_cast<uint64_t>(passed));
  const int64_t wall = Wall();
  if (wall > line_) {
    if (wall - line_ > options_.jump_threshold) {
      // What lies between two jumps was released in its time, so that they make one long one.
      if (jump_to_ == 0) jump_from_ = line_;
      jump_to_ = wall;
      allowance_ = 0;
    }
    line_ = wall;
  }
  offset_ = line_ - wall;
}

bool Timeline::Release(int64_t due) {
  if (due <= jump_from_ || due >= jump_to_) return true;
  if (allowance_ < kSecond) return false;
  allowance_ -= kSecond;
  return true;
}

int64_t Timeline::UntilRelease() const {
  return kSecond / static_cast<int64_t>(std::max<uint64_t>(options_.release_per_second, 1)) + 1;
}

}  // namespace northwind::internal
