// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SETTLEMENT_DURABLE_PARKING_H_
#define NORTHWIND_SRC_SETTLEMENT_DURABLE_PARKING_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"

namespace northwind::internal {

// Keeps parked events as tasks of the scheduler, each due when it is to be tried anew. Parking in memory knows what they
// wait for; this makes them outlive the process, and ends their wait. Not thread-safe.
//
//   task: id = "nw/parked/" and 32 hexadecimal digits, the first 16 bytes of SHA-256 of the raw event
//         payload := u8(format) varint(position) raw
class DurableParking {
 public:
  DurableParking(Scheduler& scheduler, RetryPolicy policy) : scheduler_(scheduler), policy_(std::move(policy)) {}

  struct Kept {
    std::string raw;
    uint64_t position = 0;
    EventFormat format = EventFormat::kJson;
    bool given_up = false;  // its wait has ended, but it may not have reached the quarantine
  };
  // All that are kept, in the order in which they were parked.
  absl::StatusOr<std::vector<Kept>> Load();
  // Those of them that are parked again, under their new arrival numbers.
  void Know(std::string_view raw, uint64_t arrival);

  // What was parked, under its arrival number, and what waits no more. Durable with Flush.
  void Add(const RawEvent& event, uint64_t arrival);
  void Remove(uint64_t arrival);
  void Remove(std::string_view raw);
  absl::Status Flush();

  // Those that are to be tried anew now, as handle and arrival number.
  struct Due {
    TaskHandle handle;
    uint64_t arrival = 0;
  };
  absl::StatusOr<std::vector<Due>> Claim(size_t limit);
  // These are still waiting. Returns the arrival numbers of all that have waited long enough.
  absl::StatusOr<std::vector<uint64_t>> WaitOn(absl::Span<const Due> due);

 private:
  Scheduler& scheduler_;
  const RetryPolicy policy_;
  absl::flat_hash_map<uint64_t, std::string> ids_;       // by arrival
  absl::flat_hash_map<std::string, uint64_t> arrivals_;  // by id
  std::map<uint64_t, TaskSpec> added_;                   // by arrival
  std::vector<std::string> removed_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_DURABLE_PARKING_H_
