// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_OUTCOME_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_OUTCOME_H_

#include "examples/reference_server/api/json.h"
#include "northwind/settlement.h"

namespace northwind::server {

// What became of an event, as every route answers it.
Json OutcomeJson(const EventOutcome& outcome);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_OUTCOME_H_
