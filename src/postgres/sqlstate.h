// SPDX-License-Identifier: Apache-2.0
//
// What an error of PostgreSQL means to those who follow something: that it passes, so that trying again helps, or that nothing but a
// person does.
#ifndef NORTHWIND_SRC_POSTGRES_SQLSTATE_H_
#define NORTHWIND_SRC_POSTGRES_SQLSTATE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace northwind::internal::postgres {

enum class FaultClass : uint8_t {
  kPasses = 1,  // try again, on a new connection
  kHalts = 2,   // trying again would do the same
};

// By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html). What is not known halts: nothing is skipped on a
// guess.
FaultClass ClassOf(std::string_view sqlstate);

// The code that fits, with the SQLSTATE in the message ("what: ERROR 23505: duplicate key …") and beside it, for SqlStateOf.
absl::Status SqlError(std::string_view sqlstate, std::string_view what, std::string_view message);

// The five characters, or empty if the status does not come from a server.
std::string SqlStateOf(const absl::Status& status);

// By the SQLSTATE if there is one; else by the code: Unavailable, DeadlineExceeded, Aborted and ResourceExhausted pass.
FaultClass ClassOf(const absl::Status& status);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_SQLSTATE_H_
