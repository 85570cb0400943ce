// SPDX-License-Identifier: Apache-2.0
#include "src/http/name_resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "src/http/block_signals.h"

namespace northwind::internal::http {

absl::StatusOr<std::vector<IpAddress>> ResolveBySystem(const std::string& host) {
  const addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const int code = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (code == EAI_NONAME || code == EAI_NODATA) return absl::NotFoundError("the host's name has no address");
  if (code != 0) return absl::UnavailableError("the host's name could not be looked up");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  std::vector<IpAddress> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const std::optional<IpAddress> address = IpAddress::FromSockaddr(*each->ai_addr);
    if (address && std::find(addresses.begin(), addresses.end(), *address) == addresses.end()) {
      addresses.push_back(*address);
    }
  }
  return addresses;
}

NameResolver::NameResolver(ResolveFunction resolve, size_t max_threads, Answer answer)
    : resolve_(std::move(resolve)), max_threads_(std::max<size_t>(max_threads, 1)), answer_(std::move(answer)) {}

NameResolver::~NameResolver() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    work_.SignalAll();
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void NameResolver::Lookup(const std::string& host, uint64_t ticket) {
  absl::MutexLock lock(&mutex_);
  const auto [at, is_new] = pending_.try_emplace(host);
  at->second.tickets.push_back(ticket);
  if (!is_new) return;
  queue_.push_back(host);
  if (queue_.size() > idle_ && threads_.size() < max_threads_) {
    threads_.emplace_back([this] { Work(); });
  } else {
    work_.Signal();
  }
}

void NameResolver::Forget(const std::string& host, uint64_t ticket) {
  absl::MutexLock lock(&mutex_);
  const auto at = pending_.find(host);
  if (at == pending_.end()) return;
  std::vector<uint64_t>& tickets = at->second.tickets;
  tickets.erase(std::remove(tickets.begin(), tickets.end(), ticket), tickets.end());
  if (!tickets.empty() || at->second.running) return;
  pending_.erase(at);
  queue_.erase(std::find(queue_.begin(), queue_.end(), host));
}

void NameResolver::Work() {
  BlockSignals();
  absl::MutexLock lock(&mutex_);
  while (true) {
    ++idle_;
    while (queue_.empty() && !stopping_) work_.Wait(&mutex_);
    --idle_;
    if (stopping_) return;
    const std::string host = std::move(queue_.front());
    queue_.pop_front();
    pending_.find(host)->second.running = true;
    mutex_.Unlock();
    const absl::StatusOr<std::vector<IpAddress>> addresses = resolve_(host);
    mutex_.Lock();
    const auto at = pending_.find(host);
    const std::vector<uint64_t> tickets = std::move(at->second.tickets);
    pending_.erase(at);
    mutex_.Unlock();
    for (const uint64_t ticket : tickets) answer_(ticket, addresses);
    mutex_.Lock();
  }
}

}  // namespace northwind::internal::http
