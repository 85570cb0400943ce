// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_HTTP_NAME_RESOLVER_H_
#define NORTHWIND_SRC_HTTP_NAME_RESOLVER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "src/http/ip_address.h"

namespace northwind::internal::http {

// The addresses of a name, in the order in which they are to be tried. Blocks; called from several threads.
using ResolveFunction = std::function<absl::StatusOr<std::vector<IpAddress>>(const std::string& host)>;

// getaddrinfo: both families, whatever this machine can reach, so that what a name is judged by does not depend on it.
absl::StatusOr<std::vector<IpAddress>> ResolveBySystem(const std::string& host);

// Looks names up on threads of its own, as getaddrinfo can take as long as it likes. Several lookups of one name that
// meet share one call: a name whose servers do not answer keeps one thread busy, however many ask for it. And many such
// names do not keep the others out: a name whose last lookup failed or took long is slow, until one is quick, and slow
// names get half of the threads. Only names that are slow for the first time can fill all threads, once.
class NameResolver {
 public:
  // A lookup that takes this long makes its name slow.
  static constexpr std::chrono::milliseconds kSlow{2000};
  // Names remembered as slow; one more makes all of them forgotten.
  static constexpr size_t kMaxSlowNames = 16 << 10;

  // Called on one of the threads, for each Lookup that has not been forgotten, at most once.
  using Answer = std::function<void(uint64_t ticket, const absl::StatusOr<std::vector<IpAddress>>& addresses)>;

  // Threads are started when needed, up to `max_threads`. If the machine gives none, lookups wait for those that there
  // are, or for the next Lookup to try again.
  NameResolver(ResolveFunction resolve, size_t max_threads, Answer answer,
               std::chrono::steady_clock::duration slow = kSlow);
  // Drops what has not begun; waits for calls under way, which cannot be interrupted.
  ~NameResolver();
  NameResolver(const NameResolver&) = delete;
  NameResolver& operator=(const NameResolver&) = delete;

  // Does not block. Tickets are unique. As many wait as there are tickets neither answered nor forgotten.
  void Lookup(const std::string& host, uint64_t ticket) ABSL_LOCKS_EXCLUDED(mutex_);
  // The ticket will not be answered, unless that is happening right now.
  void Forget(const std::string& host, uint64_t ticket) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Pending {
    std::vector<uint64_t> tickets;
    bool running = false;
    bool slow = false;  // when it was queued
  };

  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  // The queue whose first name may be looked up now, or null.
  std::deque<std::string>* Ready() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remember(const std::string& host, bool slow) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ResolveFunction resolve_;
  const size_t max_threads_;
  const size_t max_slow_threads_;
  const std::chrono::steady_clock::duration slow_;
  const Answer answer_;

  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Pending> pending_ ABSL_GUARDED_BY(mutex_);
  // Names in pending_ that are not running: those that are slow, and the others.
  std::deque<std::string> slow_queue_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> slow_names_ ABSL_GUARDED_BY(mutex_);
  size_t slow_running_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  absl::CondVar work_;
};

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_NAME_RESOLVER_H_
