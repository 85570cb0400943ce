// SPDX-License-Identifier: Apache-2.0
//
// What one receiver is, has counted and decides, apart from sockets.
#ifndef NORTHWIND_EXAMPLES_RECEIVERS_RECEIVER_H_
#define NORTHWIND_EXAMPLES_RECEIVERS_RECEIVER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "examples/receivers/receiver_fleet.h"

namespace northwind::examples {

// What is done about one request.
enum class Reaction : uint8_t { kAnswer, kHang, kDrip, kReset, kClose, kEndless };

struct Answer {
  Reaction reaction = Reaction::kAnswer;
  int status = 204;  // kAnswer
  std::string head;  // kAnswer: status line and headers but those about the connection, without the empty line
};

// Thread-safe.
class Receiver {
 public:
  using Observer = std::function<void(const ReceivedMessage&)>;
  Receiver(const ReceiverSpec& spec, uint64_t seed, const Observer& observer);

  const std::string& name() const { return spec_.name; }
  absl::Duration delay() const { return spec_.delay; }

  // Verifies and counts a request, and says what to do about it.
  Answer Take(const WebhookHeaders& headers, std::string_view body);

  void SetBehaviour(Behaviour behaviour);
  void SetKeys(std::vector<std::string> keys);
  ReceiverStats stats() const;

 private:
  Answer Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountMessage(const std::string& id, bool acknowledged) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t Random() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ReceiverSpec spec_;  // but for its behaviour and keys
  const Observer& observer_;
  mutable absl::Mutex mutex_;
  Behaviour behaviour_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> keys_ ABSL_GUARDED_BY(mutex_);
  uint64_t random_ ABSL_GUARDED_BY(mutex_);
  ReceiverStats stats_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, bool> seen_ ABSL_GUARDED_BY(mutex_);  // webhook-id → whether it was acknowledged
};

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_RECEIVERS_RECEIVER_H_
