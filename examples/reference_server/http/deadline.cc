// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/deadline.h"

#include <boost/system/error_code.hpp>

namespace northwind::server {

void Deadline::Wait() {
  waits_ = true;
  timer_at_ = at_;
  timer_.expires_at(timer_at_);
  timer_.async_wait([this, owner = owner_](boost::system::error_code error) {
    const std::shared_ptr<void> alive = owner.lock();
    if (error || alive == nullptr) return;
    waits_ = false;
    if (at_ == Clock::time_point::max()) return;
    if (Clock::now() >= at_) {
      // Another deadline that is set by what is done now is the one that counts.
      at_ = Clock::now() + kAgain;
      late_();
    }
    if (!waits_ && at_ != Clock::time_point::max()) Wait();
  });
}

}  // namespace northwind::server
