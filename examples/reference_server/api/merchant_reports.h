// SPDX-License-Identifier: Apache-2.0
//
// What is put together of a merchant's books: the statement of one asset, and the figures of a day. Their routes are in merchants.cc.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_MERCHANT_REPORTS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_MERCHANT_REPORTS_H_

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/host.h"
#include "examples/reference_server/http/message.h"
#include "examples/reference_server/http/router.h"

namespace northwind::server {

// Of what is no list: `limit` and `cursor` are unknown names.
absl::StatusOr<ListQuery> ReadQuery(const Request& request, const std::vector<std::string_view>& allowed);

// CSV, oldest first, up to the journal's head when it was asked for.
Response GetStatement(const Host& host, const Request& request);
absl::StatusOr<Json> GetSummary(const Host& host, const Request& request, const Caller& caller);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_MERCHANT_REPORTS_H_
