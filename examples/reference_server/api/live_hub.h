// SPDX-License-Identifier: Apache-2.0
//
// What happens to a merchant's money, to whoever watches, as it happens: one follower of the journal for all streams.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_LIVE_HUB_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_LIVE_HUB_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/reference_server/http/message.h"
#include "northwind/ledger.h"
#include "northwind/sequence.h"

namespace northwind::server {

struct LiveHubOptions {
  size_t max_streams = 20'000;
  size_t max_streams_per_merchant = 100;
  // Records that a resumed stream may have missed, at most; more: it gets an event "reset" and goes on from the head.
  size_t max_replay = 10'000;
};

// An event of the stream: id = the journal's sequence, event = "transaction", data = what GET …/transactions/{sequence} answers, JSON in one
// line. Of payouts, "transaction" has the payout's id: read the payout anew. "hello" (first), "reset".
class LiveHub {
 public:
  LiveHub(const Ledger& ledger, const LiveHubOptions& options = {});
  ~LiveHub();  // Stop()

  absl::Status Start();
  void Stop();  // ends the streams
  // After `last` if it is given, else from now on. ResourceExhausted: too many.
  absl::StatusOr<std::shared_ptr<EventStream>> Watch(std::string_view merchant, std::optional<Sequence> last);
  size_t streams() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_LIVE_HUB_H_
