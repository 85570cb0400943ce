// SPDX-License-Identifier: Apache-2.0
//
// A host on a directory of its own, and its operators' routes, asked without a network.
#ifndef NORTHWIND_TESTS_SERVER_OPERATOR_OPERATOR_WORLD_H_
#define NORTHWIND_TESTS_SERVER_OPERATOR_OPERATOR_WORLD_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/routes.h"
#include "examples/reference_server/host.h"
#include "examples/reference_server/observe/metrics.h"
#include "northwind/status.h"
#include "tests/server/http/fake_authenticator.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {

class OperatorWorld {
 public:
  using Change = std::function<void(server::ServerOptions&)>;
  using ChangeHost = std::function<void(server::Host&)>;

  explicit OperatorWorld(const Change& change = nullptr, const ChangeHost& change_host = nullptr) : router_(callers_) {
    options_.data = folder / "data";
    if (change) change(options_);
    absl::StatusOr<std::unique_ptr<server::Host>> opened = server::Host::Open(options_);
    NW_CHECK(opened.ok(), opened.status().ToString().c_str());
    host = *std::move(opened);
    if (change_host) change_host(*host);
    callers_.callers["operator"] = {.kind = server::Caller::Kind::kKey,
                                    .id = "key_1",
                                    .actor = "key:ada",
                                    .scopes = {server::Scope::kOperatorRead, server::Scope::kOperatorWrite}};
    callers_.callers["reader"] = {.kind = server::Caller::Kind::kKey,
                                  .id = "key_2",
                                  .actor = "key:eve",
                                  .scopes = {server::Scope::kOperatorRead}};
    AddOperatorRoutes(router_, *host, metrics, options_);
    AddCutoverRoutes(router_, *host);
    AddHealthRoutes(
        router_, *host, metrics, options_, [] { return nullptr; }, [] { return std::vector<std::string>{}; });
  }
  ~OperatorWorld() { host->Stop(); }

  struct Answer {
    int status = 0;
    server::Json body;
    std::string text;
  };
  // As an operator, unless said otherwise. The query after a '?', as it is.
  Answer Ask(server::Method method, const std::string& target, const server::Json& body = nullptr,
             const std::string& who = "operator") {
    server::Request request{.method = method, .path = target.substr(0, target.find('?')), .id = "req_1"};
    if (const size_t mark = target.find('?'); mark != std::string::npos) {
      const size_t equals = target.find('=', mark);
      request.query.emplace_back(target.substr(mark + 1, equals - mark - 1), target.substr(equals + 1));
    }
    if (!who.empty()) request.fields.push_back({"Authorization", who});
    if (!body.is_null()) request.body = body.dump();
    Answer answer;
    router_.Answer(
        std::move(request), [](const std::function<void()>& work) { work(); },
        [&answer](const server::Response& response) {
          answer = {response.status, server::Json::parse(response.body, nullptr, false), response.body};
        });
    return answer;
  }
  Answer Get(const std::string& target) { return Ask(server::Method::kGet, target); }
  Answer Post(const std::string& target, const server::Json& body = server::Json::object()) {
    return Ask(server::Method::kPost, target, body);
  }

  // One outcome each.
  std::vector<EventOutcome> Settle(const std::vector<std::string>& events) {
    std::vector<RawEvent> raw;
    for (const std::string& event : events) raw.push_back({.bytes = event});
    absl::StatusOr<IntakeResult> result = host->intake->Apply(raw);
    NW_CHECK(result.ok(), result.status().ToString().c_str());
    return result->outcomes;
  }

  TempDir folder;
  std::unique_ptr<server::Host> host;
  server::Metrics metrics;

 private:
  server::ServerOptions options_;
  FakeAuthenticator callers_;
  server::Router router_;
};

inline std::string CaptureText(const std::string& payment, const std::string& merchant = "m_1") {
  return R"({"type":"PAYMENT_CAPTURED","payment_id":")" + payment + R"(","merchant_id":")" + merchant +
         R"(","occurred_at":"2026-03-02T12:00:00Z","amount":{"asset":"USD/2","units":"1000"}})";
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SERVER_OPERATOR_OPERATOR_WORLD_H_
