// SPDX-License-Identifier: Apache-2.0
#include "src/http/poller.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <thread>

namespace northwind::internal::http {
namespace {

// If waiting itself fails, for want of memory: not to spin.
constexpr std::chrono::milliseconds kPauseAfterFailure{10};

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> Poller::Create() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::unique_ptr<Poller> poller(new Poller(epoll, wake));
  if (epoll < 0 || wake < 0 || !poller->Watch(wake, kReading)) {
    return absl::ResourceExhaustedError("no descriptors or memory to wait for connections");
  }
  return poller;
}

Poller::~Poller() {
  if (wake_ >= 0) close(wake_);
  if (epoll_ >= 0) close(epoll_);
}

bool Poller::Watch(int socket, Interest interest) const {
  epoll_event event{};
  event.events = ((interest & kReading) != 0 ? EPOLLIN : 0U) | ((interest & kWriting) != 0 ? EPOLLOUT : 0U);
  event.data.fd = socket;
  return epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event) == 0 ||
         (errno == ENOENT && epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) == 0);
}

void Poller::Forget(int socket) const { epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr); }

absl::Span<const Poller::Ready> Poller::Wait(int timeout_ms) {
  const int count = epoll_wait(epoll_, events_.data(), kMaxReady, timeout_ms);
  if (count < 0 && errno != EINTR) std::this_thread::sleep_for(kPauseAfterFailure);
  size_t ready = 0;
  for (int i = 0; i < std::max(count, 0); ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    if (event.data.fd == wake_) {
      eventfd_t times;
      eventfd_read(wake_, &times);
    } else {
      ready_[ready++] = {.socket = event.data.fd, .to_read_only = event.events == EPOLLIN};
    }
  }
  return absl::MakeConstSpan(ready_.data(), ready);
}

void Poller::Wake() const { eventfd_write(wake_, 1); }

}  // namespace northwind::internal::http
