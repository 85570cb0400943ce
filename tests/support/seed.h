// SPDX-License-Identifier: Apache-2.0
//
// Randomness of tests: always seeded, always said.
//
//   NORTHWIND_TEST_SEED=123   repeat the run that printed 123
//   NORTHWIND_TEST_OPS=5e7    run longer: operations of each workload
//   NORTHWIND_TEST_KILLS=1e4  likewise: kills, or cuts of the power, of each loop of them
#ifndef NORTHWIND_TESTS_SUPPORT_SEED_H_
#define NORTHWIND_TESTS_SUPPORT_SEED_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace northwind::testing {

// The seed of this run, from the environment or fresh. Printed, and attached to the test's result.
inline uint64_t TestSeed() {
  uint64_t seed;
  if (const char* text = std::getenv("NORTHWIND_TEST_SEED"); text != nullptr && *text != '\0') {
    seed = std::strtoull(text, nullptr, 0);
  } else {
    std::random_device device;
    seed = (static_cast<uint64_t>(device()) << 32) | device();
  }
  std::printf("NORTHWIND_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  return seed;
}

// How long a random test runs: `usual`, or what the environment says.
inline uint64_t TestOps(uint64_t usual, const char* variable = "NORTHWIND_TEST_OPS") {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return usual;
  const double asked = std::strtod(text, nullptr);
  return asked < 1 ? 1 : static_cast<uint64_t>(asked);
}

// Tests that try every place of something try only one in so many, if the environment says so.
inline uint64_t TestStride() { return TestOps(1, "NORTHWIND_TEST_STRIDE"); }

// A small random generator with the few draws that tests need.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t Next() { return engine_(); }
  // 0 … n−1; n ≥ 1. The bias of the remainder does not matter here.
  uint64_t Below(uint64_t n) { return engine_() % n; }
  // low … high.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  // True once in n, on average.
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  bool Percent(unsigned percent) { return Below(100) < percent; }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_SEED_H_
