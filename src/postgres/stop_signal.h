// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_STOP_SIGNAL_H_
#define NORTHWIND_SRC_POSTGRES_STOP_SIGNAL_H_

#include <atomic>

namespace northwind::internal::postgres {

// Ends the waits of those who look at it, from any thread: once set it stays so until cleared.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void Set();
  // Nobody may be waiting, and none be setting it.
  void Clear();
  bool IsSet() const { return set_.load(std::memory_order_acquire); }
  // Readable while it is set, for poll.
  int descriptor() const { return event_; }

 private:
  const int event_;
  std::atomic<bool> set_ = false;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_STOP_SIGNAL_H_
