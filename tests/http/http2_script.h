// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_HTTP_HTTP2_SCRIPT_H_
#define NORTHWIND_TESTS_HTTP_HTTP2_SCRIPT_H_

#include <functional>
#include <string>

#include "tests/http/test_server.h"

namespace northwind::testing {

struct Http2Answer {
  enum class Body { kWhole, kEndless };

  bool hang = false;  // never answers
  int status = 200;
  std::string body = {};  // with kEndless, over and over
  Body kind = Body::kWhole;
};

// Serves a connection by HTTP/2, which the server must offer. Requests carry method, target and body.
TestServer::Script ServeHttp2(std::function<Http2Answer(const ServedRequest&)> answer);

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_HTTP_HTTP2_SCRIPT_H_
