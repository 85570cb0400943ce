// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/request_id.h"

#include <cstdint>
#include <random>
#include <string_view>

namespace northwind::server {

std::string NewRequestId() {
  // One seed of 32 bits for each thread would soon give two of them the same ids.
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  static constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id = "req_";
  uint64_t bits = 0;
  for (int i = 0; i < 26; ++i) {
    if (i % 12 == 0) bits = random();
    id.push_back(kDigits[bits % 32]);
    bits /= 32;
  }
  return id;
}

}  // namespace northwind::server
