// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SERVER_HTTP_FAKE_AUTHENTICATOR_H_
#define NORTHWIND_TESTS_SERVER_HTTP_FAKE_AUTHENTICATOR_H_

#include <map>
#include <optional>
#include <string>

#include "examples/reference_server/http/router.h"

namespace northwind::testing {

// Callers by the text of Authorization. "bad": a credential that is not good.
struct FakeAuthenticator final : server::Authenticator {
  absl::StatusOr<server::Caller> Authenticate(const server::Request& request) override {
    const auto credential = request.field("Authorization");
    if (!credential.has_value()) return server::Caller{};
    const auto found = callers.find(std::string(*credential));
    if (found == callers.end()) return absl::UnauthenticatedError("not good");
    return found->second;
  }
  absl::StatusOr<server::Caller> Recognise(const server::Request& request) override { return Authenticate(request); }
  bool HasCsrfToken(const server::Request& request, const server::Caller& /*caller*/) override {
    return request.field("X-CSRF-Token") == "token";
  }
  std::optional<absl::Duration> OverRate(const server::Request& request, const server::Caller& /*caller*/) override {
    if (request.field("Over-Rate").has_value()) return absl::Seconds(3);
    return std::nullopt;
  }

  std::map<std::string, server::Caller> callers;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SERVER_HTTP_FAKE_AUTHENTICATOR_H_
