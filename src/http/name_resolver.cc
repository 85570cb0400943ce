// SPDX-License-Identifier: Apache-2.0
#include "src/http/name_resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <system_error>
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

NameResolver::NameResolver(ResolveFunction resolve, size_t max_threads, Answer answer,
                           std::chrono::steady_clock::duration slow)
    : resolve_(std::move(resolve)),
      max_threads_(std::max<size_t>(max_threads, 1)),
      max_slow_threads_(std::max<size_t>(max_threads_ / 2, 1)),
      slow_(slow),
      answer_(std::move(answer)) {}

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
  Pending& pending = at->second;
  pending.tickets.push_back(ticket);
  if (is_new) {
    pending.slow = slow_names_.contains(host);
    (pending.slow ? slow_queue_ : queue_).push_back(host);
  } else if (!threads_.empty()) {
    return;
  }
  const size_t slow_ready = std::min(slow_queue_.size(), max_slow_threads_ - slow_running_);
  if (queue_.size() + slow_ready > idle_ && threads_.size() < max_threads_) {
    try {
      threads_.emplace_back([this] { Work(); });
    } catch (const std::system_error&) {
      // The machine's limit of threads: no reason to end the host's process.
    }
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
  std::deque<std::string>& queue = at->second.slow ? slow_queue_ : queue_;
  pending_.erase(at);
  queue.erase(std::find(queue.begin(), queue.end(), host));
}

std::deque<std::string>* NameResolver::Ready() {
  if (!queue_.empty()) return &queue_;
  return !slow_queue_.empty() && slow_running_ < max_slow_threads_ ? &slow_queue_ : nullptr;
}

void NameResolver::Remember(const std::string& host, bool slow) {
  if (!slow) {
    slow_names_.erase(host);
    return;
  }
  if (slow_names_.size() >= kMaxSlowNames) slow_names_.clear();
  slow_names_.insert(host);
}

void NameResolver::Work() {
  BlockSignals();
  absl::MutexLock lock(&mutex_);
  while (true) {
    ++idle_;
    while (Ready() == nullptr && !stopping_) work_.Wait(&mutex_);
    --idle_;
    if (stopping_) return;
    std::deque<std::string>* const queue = Ready();
    const std::string host = std::move(queue->front());
    queue->pop_front();
    Pending& starting = pending_.find(host)->second;
    starting.running = true;
    const bool is_slow = starting.slow;
    if (is_slow) ++slow_running_;
    mutex_.Unlock();
    const auto begin = std::chrono::steady_clock::now();
    const absl::StatusOr<std::vector<IpAddress>> addresses = resolve_(host);
    const bool was_slow = absl::IsUnavailable(addresses.status()) || std::chrono::steady_clock::now() - begin >= slow_;
    mutex_.Lock();
    if (is_slow) {
      --slow_running_;
      if (!slow_queue_.empty()) work_.Signal();
    }
    Remember(host, was_slow);
    const auto at = pending_.find(host);
    const std::vector<uint64_t> tickets = std::move(at->second.tickets);
    pending_.erase(at);
    mutex_.Unlock();
    for (const uint64_t ticket : tickets) answer_(ticket, addresses);
    mutex_.Lock();
  }
}

}  // namespace northwind::internal::http
