// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_DEADLINE_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_DEADLINE_H_

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "absl/time/time.h"

namespace northwind::server {

// One timer for all deadlines of a connection, of which there are several a request and few that pass: to put one off costs a store. A
// deadline of Beast's streams closes the socket, and nobody hears why. On its executor only.
class Deadline {
 public:
  template <typename Executor>
  explicit Deadline(const Executor& executor) : timer_(executor) {}

  // Before all else: what is done when one has passed, for as long as `owner`, which holds this, lives. Done again each kAgain until there is
  // another deadline, or none: the operation that was to stop may have been between two steps.
  void OnLate(std::weak_ptr<void> owner, std::function<void()> late) {
    owner_ = std::move(owner);
    late_ = std::move(late);
  }
  void Set(absl::Duration from_now) { SetAt(Clock::now() + absl::ToChronoNanoseconds(from_now)); }
  void Clear() { at_ = Clock::time_point::max(); }
  // For ever.
  void Stop() {
    Clear();
    owner_.reset();
    timer_.cancel();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kAgain = std::chrono::milliseconds(100);

  void SetAt(Clock::time_point at) {
    at_ = at;
    if (!waits_ || timer_at_ > at_) Wait();
  }
  void Wait();

  boost::asio::steady_timer timer_;
  std::weak_ptr<void> owner_;
  std::function<void()> late_;
  Clock::time_point at_ = Clock::time_point::max();
  Clock::time_point timer_at_;
  bool waits_ = false;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_DEADLINE_H_
