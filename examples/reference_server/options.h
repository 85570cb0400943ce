// SPDX-License-Identifier: Apache-2.0
//
// Configuration: every setting is a flag (--mirror-connection) and an environment variable (NORTHWIND_MIRROR_CONNECTION); a flag holds over
// the environment. examples/reference_server/northwind.env has all of them with comments. What is secret, such as a connection string with a
// password, belongs into the environment: flags can be seen by everybody on the machine.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_OPTIONS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/reference_server/http/listener.h"

namespace northwind::server {

struct ServerOptions {
  ListenerOptions listener;
  // A directory: the store is in it (store/), backups (backups/), the simulated bank's books (bank), the host key (host.key, made if missing,
  // mode 0600).
  std::string data;
  std::string first_key;  // a file: the first key is written to it, mode 0600, if there is no key yet
  // "https://pay.example": what sign-in links begin with; by default the listener's own address
  std::string public_url;
  bool plain_cookies = false;  // sessions over http: for one machine only; refused unless the address is loopback
  bool open_metrics = false;   // GET /metrics without a key
  bool shadow = false;         // compute everything, send nothing
  bool leave_shadow = false;   // a store that was a shadow is live from now on, for good
  bool batch_gone = false;     // no batch system pays out beside this one any more (PayoutOptions::batch_system)
  bool simulated_bank = true;  // there is no other in this example
  uint64_t bank_seed = 1;
  bool webhooks_to_loopback = false;  // for demonstrations: http, and this machine

  std::string sqs_queue_url;      // empty: no queue
  std::string mirror_connection;  // empty: no mirror
  std::string claims_connection;  // empty: no arbiter
  std::string cutover_salt;       // empty: no cutover
  std::string compare_mapping;    // a file with the mapping, JSON (docs/parallel-run.md); empty: no parallel run
  int gate_days = 14;

  // From the signal: the process then ends with what is still under way left, which is to it as if it were killed, and so loses nothing. More than
  // listener.drain_timeout; ParseOptions makes it that and a minute if nothing is given.
  absl::Duration end_timeout = absl::ZeroDuration();
  size_t max_streams = 20'000;
  size_t max_streams_per_merchant = 100;
};

// InvalidArgument: a sentence that names the setting, what is wrong, and what to do. Of `environment`, whatever begins with NORTHWIND_ must be
// a setting.
absl::StatusOr<ServerOptions> ParseOptions(const std::vector<std::string>& arguments,
                                           const std::map<std::string, std::string>& environment);
// The process's, as ParseOptions takes it.
std::map<std::string, std::string> ProcessEnvironment();
// What --help prints of settings.
std::string OptionsHelp();
// Names of all settings: "mirror-connection".
std::vector<std::string> SettingNames();

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_OPTIONS_H_
