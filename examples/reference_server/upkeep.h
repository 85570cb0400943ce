// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_UPKEEP_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_UPKEEP_H_

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "examples/reference_server/host.h"
#include "examples/reference_server/observe/metrics.h"

namespace northwind::server {

// What a host must call now and then, each second: events that wait for others are tried anew, holds expire on a quiet ledger, the cutover
// hears what has come to its end and the arbiter hears of the cutover's changes, the parallel run follows the journal.
class Upkeep {
 public:
  // Both must outlive it. No thread yet.
  Upkeep(Host& host, Metrics& metrics) : host_(host), metrics_(metrics) {}
  ~Upkeep();  // Stop()

  void Start();
  void Stop();
  // All of it, once.
  void RunOnce();
  // What failed in the last round without which the server should get no requests, one sentence each. What stands beside, such as the arbiter
  // of claims, is in the log alone: payouts wait for it, and nothing else.
  std::vector<std::string> trouble() const;

 private:
  absl::Status FinishPayouts() const;
  enum class Part : uint8_t { kServing, kBeside };
  // Once for each failure that begins, not for each second that it lasts.
  void Note(const char* what, const absl::Status& status, Part part);

  Host& host_;
  Metrics& metrics_;
  uint64_t published_ = 0;  // epoch
  std::thread thread_;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Part> failing_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_UPKEEP_H_
