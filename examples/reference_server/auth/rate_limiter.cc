// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/rate_limiter.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace northwind::server {

std::optional<absl::Duration> RateLimiter::Take(std::string_view who, absl::Duration elapsed) {
  absl::MutexLock lock(&mutex_);
  const auto found = by_name_.find(absl::string_view(who.data(), who.size()));
  if (found != by_name_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, found->second);
  } else {
    if (buckets_.size() >= max_entries_) {
      by_name_.erase(buckets_.back().who);
      buckets_.pop_back();
    }
    buckets_.push_front({std::string(who), burst_, elapsed});
    by_name_.emplace(buckets_.front().who, buckets_.begin());
  }
  Bucket& bucket = buckets_.front();
  bucket.tokens = TokensOf(bucket, elapsed);
  bucket.filled = std::max(bucket.filled, elapsed);
  if (bucket.tokens < 1) return absl::Seconds((1 - bucket.tokens) / rate_);
  bucket.tokens -= 1;
  return std::nullopt;
}

std::optional<absl::Duration> RateLimiter::Wait(std::string_view who, absl::Duration elapsed) const {
  absl::MutexLock lock(&mutex_);
  const auto found = by_name_.find(absl::string_view(who.data(), who.size()));
  if (found == by_name_.end()) return std::nullopt;
  const double tokens = TokensOf(*found->second, elapsed);
  if (tokens < 1) return absl::Seconds((1 - tokens) / rate_);
  return std::nullopt;
}

double RateLimiter::TokensOf(const Bucket& bucket, absl::Duration elapsed) const {
  // Threads may bring their readings out of order.
  if (elapsed <= bucket.filled) return bucket.tokens;
  return std::min(burst_, bucket.tokens + rate_ * absl::ToDoubleSeconds(elapsed - bucket.filled));
}

size_t RateLimiter::size() const {
  absl::MutexLock lock(&mutex_);
  return buckets_.size();
}

std::string RateName(const std::string& address) {
  in6_addr six{};
  if (inet_pton(AF_INET6, address.c_str(), &six) != 1) return address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    inet_ntop(AF_INET, six.s6_addr + 12, text.data(), text.size());
    return text.data();
  }
  std::fill(six.s6_addr + 8, six.s6_addr + 16, uint8_t{0});
  inet_ntop(AF_INET6, &six, text.data(), text.size());
  return std::string(text.data()) + "/64";
}

}  // namespace northwind::server
