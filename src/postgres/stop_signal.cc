// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/stop_signal.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace northwind::internal::postgres {

// Without a descriptor (none left) it is only seen by those who look, not by those who wait.
StopSignal::StopSignal() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

StopSignal::~StopSignal() {
  if (event_ >= 0) close(event_);
}

void StopSignal::Set() {
  set_.store(true, std::memory_order_release);
  if (event_ >= 0) eventfd_write(event_, 1);
}

void StopSignal::Clear() {
  eventfd_t ignored;
  if (event_ >= 0) eventfd_read(event_, &ignored);
  set_.store(false, std::memory_order_release);
}

}  // namespace northwind::internal::postgres
