// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_REQUEST_ID_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_REQUEST_ID_H_

#include <string>

namespace northwind::server {

// "req_" and 26 characters of Crockford's base 32: 130 random bits, not secret.
std::string NewRequestId();

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_REQUEST_ID_H_
