// SPDX-License-Identifier: Apache-2.0
//
// What mirror_kill_test and the child that it kills agree on.
#ifndef NORTHWIND_TESTS_POSTGRES_MIRROR_KILL_PROTOCOL_H_
#define NORTHWIND_TESTS_POSTGRES_MIRROR_KILL_PROTOCOL_H_

#include <cstdint>
#include <string>

#include "northwind/postgres.h"

namespace northwind::testing {

// Shorter than PIPE_BUF: written whole or not at all.
struct MirrorMessage {
  enum Kind : uint64_t { kOpened = 1, kMirrored = 2 };
  uint64_t kind = 0;
  uint64_t sequence = 0;  // kMirrored: PostgreSQL has said that it holds the journal up to here
  uint64_t copied = 0;    // records by COPY
  uint64_t ambiguous = 0;
};

// How far a child's ledger may be ahead of its mirror: one of the two, by its seed. With the first there is never enough for COPY.
inline constexpr uint64_t kMaxAhead[] = {1'500, 6'000};

// Small batches, by COPY and by arrays in turn; tries that follow each other quickly.
inline MirrorOptions MirrorOfKillTest(const std::string& connection) {
  return {.connection = connection,
          .batch = 500,
          .backfill_lag = 3'000,
          .statement_timeout = absl::Seconds(2),
          .min_retry = absl::Milliseconds(1),
          .max_retry = absl::Milliseconds(50)};
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_POSTGRES_MIRROR_KILL_PROTOCOL_H_
