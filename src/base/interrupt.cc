// SPDX-License-Identifier: Apache-2.0
#include "northwind/interrupt.h"

#include <utility>

namespace northwind {
namespace {

thread_local InterruptScope* innermost = nullptr;

}  // namespace

InterruptScope::InterruptScope(std::function<bool()> interrupted)
    : ask_(std::move(interrupted)), outer_(std::exchange(innermost, this)), next_(std::chrono::steady_clock::now()) {}

InterruptScope::~InterruptScope() { innermost = outer_; }

bool InterruptScope::Ask() {
  if (interrupted_ || ask_ == nullptr) return interrupted_;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return false;
  next_ = now + internal::kAskEvery;
  interrupted_ = ask_();
  return interrupted_;
}

namespace internal {

bool Interrupted() { return innermost != nullptr && innermost->Ask(); }

bool Interruptible() { return innermost != nullptr && innermost->ask_ != nullptr; }

absl::Status CheckInterrupted() { return Interrupted() ? absl::CancelledError("interrupted") : absl::OkStatus(); }

}  // namespace internal
}  // namespace northwind
