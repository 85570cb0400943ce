// SPDX-License-Identifier: Apache-2.0
//
// How often each of many may ask: a bucket of tokens each, which fills steadily.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_RATE_LIMITER_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_RATE_LIMITER_H_

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace northwind::server {

// Thread-safe.
class RateLimiter {
 public:
  // `rate` a second (> 0), `burst` at once (>= 1), of `max_entries` (> 0): the one that asked longest ago is forgotten for a new one,
  // which begins with a full bucket.
  RateLimiter(double rate, double burst, size_t max_entries) : rate_(rate), burst_(burst), max_entries_(max_entries) {}

  // Nothing: go on. Else how long until there is a token; what is refused costs none. `elapsed`: Clock::Elapsed.
  std::optional<absl::Duration> Take(std::string_view who, absl::Duration elapsed);
  // The same, without taking one or remembering who asked.
  std::optional<absl::Duration> Wait(std::string_view who, absl::Duration elapsed) const;
  size_t size() const;

 private:
  struct Bucket {
    std::string who;
    double tokens = 0;
    absl::Duration filled;
  };
  double TokensOf(const Bucket& bucket, absl::Duration elapsed) const;

  const double rate_;
  const double burst_;
  const size_t max_entries_;
  mutable absl::Mutex mutex_;
  std::list<Bucket> buckets_ ABSL_GUARDED_BY(mutex_);  // who asked last is first
  // Keys are the buckets' own strings, which do not move.
  absl::flat_hash_map<absl::string_view, std::list<Bucket>::iterator> by_name_ ABSL_GUARDED_BY(mutex_);
};

// What an address is limited as: itself, or its network of 64 bits for IPv6, where one machine has as many addresses as it likes.
std::string RateName(const std::string& address);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_RATE_LIMITER_H_
