// SPDX-License-Identifier: Apache-2.0
//
// Configuration: every setting is a flag (--mirror-connection) and an environment variable (NORTHWIND_MIRROR_CONNECTION); a flag holds over
// the environment. examples/reference_server/northwind.env has all of them with comments.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_OPTIONS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/reference_server/http/listener.h"

namespace northwind::server {

struct ServerOptions {
  ListenerOptions listener;
  std::string
      data;  // a directory: the store is in it (store/), the simulated bank's books (bank), the host key (host.key, made if missing, mode 0600)
  std::string
      public_url;  // "https://pay.example": what sign-in links begin with; by default the listener's own address
  bool plain_cookies = false;  // sessions over http: for one machine only; refused unless the address is loopback
  bool shadow = false;         // compute everything, send nothing
  bool simulated_bank = true;  // there is no other in this example
  uint64_t bank_seed = 1;
  bool webhooks_to_loopback = false;  // for demonstrations: http, and this machine

  std::string sqs_queue_url;      // empty: no queue
  std::string mirror_connection;  // empty: no mirror
  std::string claims_connection;  // empty: no arbiter
  std::string cutover_salt;       // empty: no cutover
  std::string compare_mapping;    // a file with the mapping, JSON (docs/parallel-run.md); empty: no parallel run
  int gate_days = 14;

  absl::Duration live_heartbeat = absl::Seconds(15);
  size_t max_streams = 20'000;
  size_t max_streams_per_merchant = 100;
};

// InvalidArgument: a sentence that names the setting, what is wrong, and what to do. `environment` looks a variable up.
absl::StatusOr<ServerOptions> ParseOptions(
    const std::vector<std::string>& arguments,
    const std::function<std::optional<std::string>(const std::string&)>& environment);
// What --help prints.
std::string OptionsHelp();

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_OPTIONS_H_
