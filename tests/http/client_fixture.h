// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_HTTP_CLIENT_FIXTURE_H_
#define NORTHWIND_TESTS_HTTP_CLIENT_FIXTURE_H_

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "src/http/client.h"
#include "tests/http/test_server.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {

namespace http = ::northwind::internal::http;

// A deadline that does not come: of tests that would hang without one.
inline constexpr absl::Duration kNever = absl::Minutes(5);

inline http::IpRange Range(const char* text) { return *http::IpRange::Parse(text); }

// May connect to this machine, on all ports, and use http.
inline http::ClientOptions OnThisMachine() {
  return {.schemes = http::Schemes::kHttpAndHttps,
          .guard = {.allowed = {{Range("127.0.0.0/8"), {}}, {Range("::1/128"), {}}}}};
}

inline std::unique_ptr<http::Client> MakeClient(http::ClientOptions options = OnThisMachine()) {
  absl::StatusOr<std::unique_ptr<http::Client>> client = http::Client::Create(std::move(options));
  NW_CHECK(client.ok(), "no client");
  return *std::move(client);
}

inline http::Request Get(std::string url) {
  return {.method = http::Method::kGet, .url = std::move(url), .timeout = kNever, .connect_timeout = kNever};
}
inline http::Request Get(const TestServer& server, const std::string& target = "/") {
  return Get("http://" + server.authority() + target);
}

// What came of one request.
inline http::Result Fetch(http::Client& client, http::Request request) {
  std::promise<http::Result> promise;
  const absl::Status started =
      client.Start(std::move(request), [&promise](http::Result result) { promise.set_value(std::move(result)); });
  NW_CHECK(started.ok(), "not accepted");
  return promise.get_future().get();
}

// Results as they come, in their order, from any thread.
class Results {
 public:
  http::ResultCallback Callback() {
    return [this](http::Result result) {
      const std::lock_guard lock(mutex_);
      results_.push_back(std::move(result));
      changed_.notify_all();
    };
  }
  void Await(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return results_.size() >= count; });
  }
  std::vector<http::Result> all() {
    const std::lock_guard lock(mutex_);
    return results_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<http::Result> results_;
};

// Counts up to something that is waited for.
class Counter {
 public:
  void Add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void Await(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_ = 0;
};

MATCHER_P(FailsWith, failure, std::string("fails with ") + http::FailureName(failure)) {
  *result_listener << "which has failure " << http::FailureName(arg.failure) << " (" << arg.message << "), status "
                   << arg.status;
  return arg.failure == failure;
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_HTTP_CLIENT_FIXTURE_H_
