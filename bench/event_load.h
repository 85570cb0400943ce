// SPDX-License-Identifier: Apache-2.0
//
// A client of POST /v1/events with many connections, on one thread.
#ifndef NORTHWIND_BENCH_EVENT_LOAD_H_
#define NORTHWIND_BENCH_EVENT_LOAD_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace northwind::bench {

struct EventLoadOptions {
  uint16_t port = 0;
  std::vector<std::string> keys;  // by turns, one for a connection: each has a rate
  uint64_t connections = 1'000;
  uint64_t requests = 0;
  // Not null: as many requests as there is time for while it is true, one at least, instead of `requests`. Looked at before each is sent.
  const std::atomic<bool>* while_true = nullptr;
  uint64_t events_a_request = 1;
  // Requests a second, each due at its time whether or not those before are answered; 0: each connection as fast as it is answered.
  double rate = 0;
  uint64_t first_event = 0;  // the number of the first event: two loads at once have none in common
};

struct EventLoadResult {
  double seconds = 0;  // from the first request to the last answer
  // Of each request, from when it was due (so that a server that holds up what comes after is seen to) to the end of its answer.
  std::vector<double> milliseconds;
  uint64_t acknowledged = 0;  // events whose outcome was "applied"
  uint64_t units = 0;         // what they bring their merchants, fees off
};

inline constexpr uint64_t kLoadMerchants = 64;

// Captures of payments, each with an id of its own. Aborts on an answer that is not 202, or an outcome that is not "applied".
EventLoadResult PostEvents(const EventLoadOptions& options);

}  // namespace northwind::bench

#endif  // NORTHWIND_BENCH_EVENT_LOAD_H_
