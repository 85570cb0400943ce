// SPDX-License-Identifier: Apache-2.0
//
// What goes wrong in a simulation, and when: all of it from one seed.
#ifndef NORTHWIND_TESTS_CUTOVER_CHAOS_H_
#define NORTHWIND_TESTS_CUTOVER_CHAOS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/seed.h"

namespace northwind::testing {

enum class ProcessId : uint8_t { kNorthwind, kZombie, kBatch };

// Thrown where a process ends, through all that it was in the middle of.
struct Crash {
  ProcessId process;
};

struct SimulationCounts {
  uint64_t payments = 0;
  uint64_t by_batch = 0;  // of these
  uint64_t changes = 0;   // of settings, all
  uint64_t rollbacks = 0;
  uint64_t handed_back = 0;
  uint64_t crashes = 0;
  uint64_t power_cuts = 0;  // of these
  uint64_t lost = 0;        // requests and answers
  uint64_t delayed = 0;     // requests that arrived when nobody waited for them any more
  uint64_t stale = 0;       // claims that were refused for their epoch
  uint64_t zombies = 0;
  uint64_t canceled = 0;
  uint64_t restores = 0;
  uint64_t unclear = 0;  // payments that a person has to clear up with a bank that cannot tell

  void Add(const SimulationCounts& other);
};

class Chaos {
 public:
  explicit Chaos(uint64_t seed) : random(seed) {}

  // Never once faults have stopped.
  bool Happens(unsigned per_mille) { return !calm && random.Below(1000) < per_mille; }
  // A place between two steps of a process: it may end here, or others do something meanwhile.
  void Between(ProcessId process) {
    if (Happens(4)) throw Crash{process};
    if (Happens(120) && meanwhile) meanwhile(process);
  }
  void Violation(std::string what) {
    if (violations.size() < 1000) violations.push_back(std::move(what));
  }
  // Sent, and not there yet: it arrives some time, whatever has become of who sent it.
  void Later(std::function<void()> arrival) {
    ++counts.delayed;
    in_flight.push_back(std::move(arrival));
  }
  void DeliverOne() {
    if (in_flight.empty()) return;
    std::swap(in_flight[random.Below(in_flight.size())], in_flight.back());
    const std::function<void()> arrival = std::move(in_flight.back());
    in_flight.pop_back();
    arrival();
  }

  Random random;
  bool calm = false;
  std::function<void(ProcessId)> meanwhile;
  std::vector<std::function<void()>> in_flight;
  std::vector<std::string> violations;
  SimulationCounts counts;
};

inline void SimulationCounts::Add(const SimulationCounts& other) {
  payments += other.payments;
  by_batch += other.by_batch;
  changes += other.changes;
  rollbacks += other.rollbacks;
  handed_back += other.handed_back;
  crashes += other.crashes;
  power_cuts += other.power_cuts;
  lost += other.lost;
  delayed += other.delayed;
  stale += other.stale;
  zombies += other.zombies;
  canceled += other.canceled;
  restores += other.restores;
  unclear += other.unclear;
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_CUTOVER_CHAOS_H_
