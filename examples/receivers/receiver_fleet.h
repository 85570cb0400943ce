// SPDX-License-Identifier: Apache-2.0
//
// The receivers of webhooks as merchants have them, on this machine, for tests and demonstrations: some work, some hang, drip, fail or
// never stop talking. Each has a port of its own, verifies what comes with the public VerifyWebhook, and counts it.
//
//   NW_ASSIGN_OR_RETURN(auto fleet, ReceiverFleet::Start());
//   NW_ASSIGN_OR_RETURN(std::string url, fleet->Add({.name = "shop", .behaviour = Behaviour::kFlaky, .fail_rate = 0.2}));
//   NW_ASSIGN_OR_RETURN(NewEndpoint made, webhooks->CreateEndpoint("m_42", {.url = url}));
//   NW_RETURN_IF_ERROR(fleet->SetKeys("shop", {made.secret}));
//   ...
//   fleet->Stats("shop")->signature_failures == 0
#ifndef NORTHWIND_EXAMPLES_RECEIVERS_RECEIVER_FLEET_H_
#define NORTHWIND_EXAMPLES_RECEIVERS_RECEIVER_FLEET_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/webhook.h"

namespace northwind::examples {

enum class Behaviour : uint8_t {
  kOk,        // 204
  kHang,      // reads, and never answers
  kDrip,      // answers one byte a second, for ever
  kReset,     // a reset instead of an answer
  kError,     // 500
  kRedirect,  // 302 to `location`
  kGone,      // 410
  kThrottle,  // 429 with Retry-After
  kEndless,   // 200 with a body that never ends
  // kOk; but with probability `fail_rate` 500, a reset, or the end of the connection without an answer.
  kFlaky,
};
std::string_view Name(Behaviour behaviour);  // "ok", "hang", …
std::optional<Behaviour> BehaviourNamed(std::string_view name);

struct ReceiverSpec {
  std::string name;  // unique in the fleet
  Behaviour behaviour = Behaviour::kOk;
  double fail_rate = 0;                           // kFlaky: 0 … 1
  std::vector<std::string> keys;                  // "whsec_…", "whpk_…"; none: nothing is verified
  absl::Duration delay;                           // before anything is answered
  std::string location;                           // kRedirect
  absl::Duration retry_after = absl::Seconds(1);  // kThrottle, whole seconds
  uint16_t port = 0;                              // 0: one that is free
};

// Of one receiver, since it was added. A message is a request with a webhook-id, and is counted before anything is answered.
struct ReceiverStats {
  uint64_t requests = 0;
  uint64_t verified = 0;
  uint64_t signature_failures = 0;
  uint64_t distinct = 0;      // different webhook-ids
  uint64_t duplicates = 0;    // messages whose id had come before
  uint64_t acknowledged = 0;  // requests answered 2xx, be the body endless or not
  uint64_t distinct_acknowledged = 0;
  // Messages that came although they had been acknowledged: only a sender that never got the answer has a reason to.
  uint64_t repeated_after_acknowledged = 0;
  ReceiverStats& operator+=(const ReceiverStats& other);
  friend bool operator==(const ReceiverStats&, const ReceiverStats&) = default;
};

// A message that arrived. Good during the call.
struct ReceivedMessage {
  std::string_view receiver;
  const WebhookHeaders& headers;
  std::string_view body;
  absl::Time at;
  absl::Status verified;  // OK too if there are no keys
  int answer = 0;         // the status that it will be answered with; 0: none
};

struct ReceiverFleetOptions {
  uint64_t seed = 1;   // of what flaky receivers do
  size_t threads = 1;  // 1 … 64; each receiver is served by one of them
  // Called on the thread that serves the receiver, before the answer: must be quick, and must not call the fleet.
  std::function<void(const ReceivedMessage&)> on_message;
};

inline constexpr size_t kMaxReceivedBytes = 1 << 20;  // of a request's body

// Listens on 127.0.0.1 only. Keeps connections as long as the other side does; thousands at a time are fine, as far as the
// process may open files. Thread-safe.
class ReceiverFleet {
 public:
  static absl::StatusOr<std::unique_ptr<ReceiverFleet>> Start(const ReceiverFleetOptions& options = {});
  ~ReceiverFleet();  // Stop()
  ReceiverFleet(const ReceiverFleet&) = delete;
  ReceiverFleet& operator=(const ReceiverFleet&) = delete;

  // "http://127.0.0.1:<port>/<name>". AlreadyExists for a name that is taken, Unavailable if nothing can listen on the port.
  absl::StatusOr<std::string> Add(const ReceiverSpec& spec);
  // Of requests that come from now on: what hangs goes on hanging. NotFound.
  absl::Status SetBehaviour(std::string_view name, Behaviour behaviour);
  absl::Status SetKeys(std::string_view name, std::vector<std::string> keys);

  absl::StatusOr<ReceiverStats> Stats(std::string_view name) const;
  std::map<std::string, ReceiverStats> Stats() const;  // by name

  // Ends all connections and waits for the threads. Counts can still be read. Idempotent.
  void Stop();

 private:
  class Core;
  explicit ReceiverFleet(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_RECEIVERS_RECEIVER_FLEET_H_
