// SPDX-License-Identifier: Apache-2.0
#include "tests/postgres/cutting_proxy.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "northwind/status.h"

namespace northwind::testing {
namespace {

constexpr size_t kPiece = 65536;  // bytes read at once, and at most pending

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

CuttingProxy::CuttingProxy(uint16_t server_port)
    : server_port_(server_port),
      listening_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  NW_CHECK(bind(listening_, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(listening_, 128) == 0,
           "listen");
  NW_CHECK(getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "no port");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

CuttingProxy::~CuttingProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  eventfd_write(wake_, 1);
  thread_.join();
  for (Link& link : links_) ResetBoth(link);
  close(listening_);
  close(wake_);
}

void CuttingProxy::Break(Fault fault) {
  {
    const std::lock_guard lock(mutex_);
    BreakLocked(fault);
  }
  eventfd_write(wake_, 1);
}

void CuttingProxy::BreakAfter(Direction direction, uint64_t bytes, Fault fault) {
  const std::lock_guard lock(mutex_);
  trigger_ = Trigger{direction, forwarded_[static_cast<size_t>(direction)] + bytes, fault};
}

void CuttingProxy::Mend() {
  {
    const std::lock_guard lock(mutex_);
    frozen_ = refusing_ = false;
    trigger_.reset();
  }
  eventfd_write(wake_, 1);
}

size_t CuttingProxy::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

uint64_t CuttingProxy::forwarded(Direction direction) const {
  const std::lock_guard lock(mutex_);
  return forwarded_[static_cast<size_t>(direction)];
}

bool CuttingProxy::broken() const {
  const std::lock_guard lock(mutex_);
  return frozen_ || refusing_;
}

void CuttingProxy::BreakLocked(Fault fault) {
  trigger_.reset();
  if (fault == Fault::kFreeze) {
    frozen_ = true;
    return;
  }
  refusing_ = refusing_ || fault == Fault::kRefuse;
  for (Link& link : links_) ResetBoth(link);
  links_.clear();
}

void CuttingProxy::ResetBoth(Link& link) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  for (const int socket : link.sockets) {
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(socket);
  }
}

void CuttingProxy::Run() {
  std::vector<pollfd> ready;
  for (;;) {
    ready.assign({{.fd = listening_, .events = POLLIN, .revents = 0}, {.fd = wake_, .events = POLLIN, .revents = 0}});
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      for (const Link& link : links_) {
        if (frozen_) break;
        for (size_t side = 0; side < 2; ++side) {
          // What comes from this side has the direction of its number.
          const bool reads = !link.ended[side] && link.pending[side].empty();
          const bool writes = !link.pending[1 - side].empty();
          const int events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0);
          if (events != 0) {
            ready.push_back({.fd = link.sockets[side], .events = static_cast<short>(events), .revents = 0});
          }
        }
      }
    }
    poll(ready.data(), ready.size(), -1);
    eventfd_t ignored;
    eventfd_read(wake_, &ignored);
    const std::lock_guard lock(mutex_);
    if (ready[0].revents != 0) Accept();
    for (auto link = links_.begin(); !frozen_ && link != links_.end();) {
      if (Move(*link)) {
        ++link;
      } else if (links_.empty()) {
        break;  // a trigger has ended them all
      } else {
        ResetBoth(*link);
        link = links_.erase(link);
      }
    }
  }
}

void CuttingProxy::Accept() {
  const int client = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  ++connections_;
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  Link link = {.sockets = {client, server}, .pending = {}};
  const sockaddr_in address = Loopback(server_port_);
  const bool connected =
      !refusing_ &&
      (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EINPROGRESS);
  if (connected) {
    links_.push_back(std::move(link));
  } else {
    ResetBoth(link);
  }
}

bool CuttingProxy::Move(Link& link) {
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    if (!Pump(link, direction)) return false;
    if (frozen_) return true;
  }
  return !(link.end_passed_on[0] && link.end_passed_on[1]);
}

bool CuttingProxy::Pump(Link& link, Direction direction) {
  const auto index = static_cast<size_t>(direction);
  const int from = link.sockets[index];
  const int to = link.sockets[1 - index];
  std::string& pending = link.pending[index];
  if (pending.empty() && !link.ended[index]) {
    pending.resize(kPiece);
    const ssize_t count = recv(from, pending.data(), pending.size(), 0);
    pending.resize(count > 0 ? static_cast<size_t>(count) : 0);
    if (count == 0) link.ended[index] = true;
    if (count < 0 && errno != EAGAIN && errno != ENOTCONN) return false;
  }
  if (!pending.empty()) {
    size_t size = pending.size();
    const bool triggers = trigger_.has_value() && trigger_->direction == direction;
    if (triggers) size = std::min<uint64_t>(size, trigger_->at - forwarded_[index]);
    const ssize_t count = size == 0 ? 0 : send(to, pending.data(), size, MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == ENOTCONN;
    pending.erase(0, static_cast<size_t>(count));
    forwarded_[index] += static_cast<uint64_t>(count);
    if (triggers && forwarded_[index] == trigger_->at) {
      BreakLocked(trigger_->fault);
      return frozen_;
    }
  }
  if (pending.empty() && link.ended[index] && !link.end_passed_on[index]) {
    shutdown(to, SHUT_WR);
    link.end_passed_on[index] = true;
  }
  return true;
}

}  // namespace northwind::testing
