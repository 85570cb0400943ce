// SPDX-License-Identifier: Apache-2.0
//
// An end that takes too long is cut off.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_END_DEADLINE_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_END_DEADLINE_H_

#include <functional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace northwind::server {

// Calls `late` on a thread of its own, unless it is destroyed before that time has passed.
class EndDeadline {
 public:
  EndDeadline(absl::Duration patience, std::function<void()> late)
      : thread_([this, patience, late = std::move(late)] {
          {
            const absl::MutexLock lock(&mutex_);
            if (mutex_.AwaitWithTimeout(absl::Condition(&in_time_), patience)) return;
          }
          late();
        }) {}
  ~EndDeadline() {
    {
      const absl::MutexLock lock(&mutex_);
      in_time_ = true;
    }
    thread_.join();
  }
  EndDeadline(const EndDeadline&) = delete;
  EndDeadline& operator=(const EndDeadline&) = delete;

 private:
  absl::Mutex mutex_;
  bool in_time_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_END_DEADLINE_H_
