// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_HTTP_POLLER_H_
#define NORTHWIND_SRC_HTTP_POLLER_H_

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace northwind::internal::http {

// Waits for many sockets at once, at a cost that goes by those that are ready, not by those that are watched. One thread
// at a time, but for Wake.
class Poller {
 public:
  // ResourceExhausted if there are no descriptors left.
  static absl::StatusOr<std::unique_ptr<Poller>> Create();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  enum Interest : uint8_t { kNothing = 0, kReading = 1, kWriting = 2, kBoth = kReading | kWriting };
  // From now on; what was said of the socket before is forgotten. False if there is no memory for it.
  bool Watch(int socket, Interest interest) const;
  // To be called before it is closed.
  void Forget(int socket) const;

  struct Ready {
    int socket;
    bool to_read_only;  // there is something to read, and nothing else to be known
  };
  // Until a socket is ready, Wake was called, or so many milliseconds have passed. Good until the next call. A socket that is
  // forgotten while these are dealt with may still be among them.
  absl::Span<const Ready> Wait(int timeout_ms);
  // Ends the wait that is under way, or the next. From any thread.
  void Wake() const;

 private:
  Poller(int epoll, int wake) : epoll_(epoll), wake_(wake) {}

  static constexpr int kMaxReady = 256;  // told by one call
  const int epoll_;
  const int wake_;
  std::array<epoll_event, kMaxReady> events_;
  std::array<Ready, kMaxReady> ready_;
};

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_POLLER_H_
