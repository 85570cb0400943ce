// SPDX-License-Identifier: Apache-2.0
//
// A bank that behaves as badly as banks do, for tests and demonstrations. What it has done is in a file, so that it outlives the
// process that talks to it, as a bank does.
#ifndef NORTHWIND_EXAMPLES_SIMULATED_RAIL_RAIL_H_
#define NORTHWIND_EXAMPLES_SIMULATED_RAIL_RAIL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "northwind/payout.h"

namespace northwind::examples {

struct SimulatedRailOptions {
  uint64_t seed = 1;
  // Of submissions, in percent; the rest is executed and answered at once. What happens to a payout depends on the seed and its key
  // alone.
  int timeout_after_success = 5;  // executed, but the answer is lost: kUnknown
  int lost = 3;                   // never arrives, and the caller cannot tell: kUnknown
  int pending = 10;               // accepted; executed by the second Query
  int failed = 5;                 // refused for good
  // Every so many calls, as many as `outage_calls` in a row answer kUnknown and do nothing. 0: never.
  uint64_t outage_every = 0;
  uint64_t outage_calls = 0;
  // Whether it takes a provider key on once at most, and so may answer kNotFound. If not, each submission that arrives is
  // executed, and a Query for what it does not know answers kUnknown.
  bool honours_keys = true;
  // Each call takes up to so long.
  absl::Duration latency = absl::ZeroDuration();
};

class SimulatedRail final : public PayoutRail {
 public:
  // Goes on from what the file says. Unavailable if it cannot be opened, DataLoss if it is no such file.
  static absl::StatusOr<std::unique_ptr<SimulatedRail>> Open(const std::string& path,
                                                             const SimulatedRailOptions& options = {});
  ~SimulatedRail() override;

  RailAnswer Submit(const PayoutInstruction& payout) override;
  RailAnswer Query(const PayoutInstruction& payout) override;

  // What a file tells of all the processes that wrote to it.
  struct Books {
    std::map<std::string, uint64_t> executions;   // provider key → how often it was executed
    std::map<std::string, absl::uint128> totals;  // asset → executed in all, minor units
    std::map<std::string, uint64_t> submissions;  // provider key → how often it arrived
    uint64_t most_executions() const;             // of one key
  };
  static absl::StatusOr<Books> ReadBooks(const std::string& path);

 private:
  enum class Fate : uint8_t { kPaid, kTimeout, kLost, kPending, kFailed };
  enum class Known : uint8_t { kPending, kAsked, kPaid, kFailed };

  SimulatedRail(int file, const SimulatedRailOptions& options) : file_(file), options_(options) {}
  Fate FateOf(const std::string& key) const;
  bool InOutage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Note(char what, const PayoutInstruction& payout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Execute(const PayoutInstruction& payout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeTime(const std::string& key) const;

  const int file_;
  const SimulatedRailOptions options_;
  absl::Mutex mutex_;
  uint64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, Known> known_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> lost_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_SIMULATED_RAIL_RAIL_H_
