// SPDX-License-Identifier: Apache-2.0
//
// What happens to a merchant's money, to whoever watches, as it happens: one follower of the journal for all streams.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_LIVE_HUB_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_LIVE_HUB_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/reference_server/http/message.h"
#include "northwind/ledger.h"
#include "northwind/sequence.h"

namespace northwind::server {

struct LiveHubOptions {
  size_t max_streams = 20'000;
  size_t max_streams_per_merchant = 100;
  // Records that a resumed stream may have missed, at most; more: it gets an event "reset" and goes on from the head.
  size_t max_replay = 10'000;
  // A stream ends then, and who may still watch comes again from where it was.
  absl::Duration max_age = absl::Minutes(15);
};

// An event of the stream: id = the journal's sequence, event = "transaction", data = what GET …/transactions/{sequence} answers, JSON in one
// line. Of payouts, "transaction" has the payout's id: read the payout anew. "hello" (first), "reset".
// Each record once, in order, none left out, over any number of streams that go on from one another's last id. What a reader missed may be
// more than one stream takes at once: then that ends early, and the reader goes on from its last id again. Thread-safe.
class LiveHub {
 public:
  explicit LiveHub(const Ledger& ledger, const LiveHubOptions& options = {});
  ~LiveHub();  // Stop()

  // Begins to follow, on a thread of its own. FailedPrecondition if it has been started.
  absl::Status Start();
  void Stop();  // ends the streams; idempotent
  // After `last` if it is given, else from now on. `still_good`, if there is one, is asked every few seconds, and the stream ends when it says no; it
  // must not block, and is called on the hub's thread under its lock. May read the journal. ResourceExhausted: too many; Unavailable: it does not follow (any
  // more).
  absl::StatusOr<std::shared_ptr<EventStream>> Watch(std::string_view merchant, std::optional<Sequence> last,
                                                     std::function<bool()> still_good = nullptr);
  size_t streams() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_LIVE_HUB_H_
