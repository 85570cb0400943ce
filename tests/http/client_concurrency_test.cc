// SPDX-License-Identifier: Apache-2.0
//
// Many transfers at once, and the end of a client.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "src/http/client.h"
#include "tests/http/client_fixture.h"

namespace northwind::testing {
namespace {

using http::Failure;
using ::testing::Each;
using ::testing::SizeIs;

// Both ends of every connection are in this process.
void AllowManyFiles() {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_GE(limit.rlim_cur, 4096u) << "the hard limit of open files is too low for this test";
}

TEST(HttpClientConcurrency, OfAThousandTransfersThoseThatHangHoldUpNoneOfTheOthers) {
  AllowManyFiles();
  constexpr size_t kEach = 500;
  absl::Notification release;
  Counter hanging;
  TestServer server([&](ServedConnection& connection) {
    while (const auto request = connection.Read()) {
      if (request->target == "/hang") {
        hanging.Add();
        release.WaitForNotification();
      }
      if (!connection.Write(TestServer::Ok(request->target))) return;
    }
  });
  const auto client = MakeClient();
  Results slow;
  Results quick;
  for (size_t i = 0; i < kEach; ++i) {
    ASSERT_THAT(client->Start(Get(server, "/hang"), slow.Callback()), IsOk());
    ASSERT_THAT(client->Start(Get(server, absl::StrCat("/", i)), quick.Callback()), IsOk());
  }
  quick.Await(kEach);
  EXPECT_THAT(slow.all(), SizeIs(0));
  hanging.Await(kEach);
  EXPECT_EQ(client->in_flight(), kEach);
  EXPECT_FALSE(client->Drain(absl::ZeroDuration()));
  // More of them go through beside those that hang, on the connections of before.
  EXPECT_TRUE(Fetch(*client, Get(server, "/more")).reused_connection);
  release.Notify();
  EXPECT_TRUE(client->Drain());
  EXPECT_EQ(client->in_flight(), 0u);
  ASSERT_THAT(slow.all(), SizeIs(kEach));
  EXPECT_THAT(slow.all(), Each(FailsWith(Failure::kNone)));
  std::vector<std::string> bodies;
  for (const http::Result& result : quick.all()) bodies.push_back(result.body);
  std::sort(bodies.begin(), bodies.end());
  EXPECT_EQ(std::unique(bodies.begin(), bodies.end()), bodies.end()) << "every request has its own response";
  ASSERT_THAT(bodies, SizeIs(kEach));
}

TEST(HttpClientConcurrency, OneMoreThanTheBoundIsRefusedAtOnceAndItsCallbackNotCalled) {
  absl::Notification release;
  TestServer server([&](ServedConnection& connection) {
    connection.Read();
    release.WaitForNotification();
    connection.Write(TestServer::Ok(""));
  });
  http::ClientOptions options = OnThisMachine();
  options.max_in_flight = 3;
  const auto client = MakeClient(options);
  Results results;
  for (int i = 0; i < 3; ++i) ASSERT_THAT(client->Start(Get(server), results.Callback()), IsOk());
  EXPECT_EQ(client->in_flight(), 3u);
  EXPECT_THAT(client->Start(Get(server), results.Callback()), StatusIs(absl::StatusCode::kResourceExhausted));
  release.Notify();
  results.Await(3);
  EXPECT_TRUE(client->Drain());
  EXPECT_THAT(client->Start(Get(server), results.Callback()), IsOk());
  EXPECT_TRUE(client->Drain());
  EXPECT_THAT(results.all(), SizeIs(4));
}

TEST(HttpClientConcurrency, ACallbackMayStartTheNextEvenAtTheBound) {
  TestServer server(TestServer::Answer([](const ServedRequest&) { return TestServer::Ok(""); }));
  http::ClientOptions options = OnThisMachine();
  options.max_in_flight = 1;
  const auto client = MakeClient(options);
  absl::Notification done;
  int left = 20;
  std::function<void(http::Result)> next = [&](http::Result result) {
    EXPECT_THAT(result, FailsWith(Failure::kNone));
    if (--left == 0) return done.Notify();
    EXPECT_THAT(client->Start(Get(server), next), IsOk());
  };
  ASSERT_THAT(client->Start(Get(server), next), IsOk());
  done.WaitForNotification();
  EXPECT_TRUE(client->Drain());
  EXPECT_EQ(server.connections(), 1u);
}

TEST(HttpClientConcurrency, DestructionAbortsWhatIsUnderWayAndCallsEveryCallbackOnce) {
  Counter arrived;
  Counter ended;
  TestServer server([&](ServedConnection& connection) {
    if (!connection.Read()) return;
    arrived.Add();
    connection.AwaitEnd();
    ended.Add();
  });
  auto client = MakeClient();
  Results results;
  constexpr size_t kCount = 50;
  for (size_t i = 0; i < kCount; ++i) ASSERT_THAT(client->Start(Get(server), results.Callback()), IsOk());
  arrived.Await(kCount);
  absl::Status in_callback;
  ASSERT_THAT(client->Start(Get("http://127.0.0.1/\n"), results.Callback()), IsOk());
  ASSERT_THAT(client->Start(Get(server),
                            [&, again = client.get()](http::Result) {
                              in_callback = again->Start(Get("http://127.0.0.1/"), results.Callback());
                            }),
              IsOk());
  results.Await(1);
  client.reset();
  EXPECT_THAT(in_callback, StatusIs(absl::StatusCode::kFailedPrecondition));
  std::vector<http::Result> all = results.all();
  ASSERT_THAT(all, SizeIs(kCount + 1));
  EXPECT_THAT(all[0], FailsWith(Failure::kInvalidUrl));
  all.erase(all.begin());
  EXPECT_THAT(all, Each(FailsWith(Failure::kAborted)));
  ended.Await(kCount);
}

TEST(HttpClientConcurrency, WhatIsAcceptedWhileDestructionBeginsIsAbortedToo) {
  TestServer server(TestServer::Answer([](const ServedRequest&) { return TestServer::Ok(""); }));
  auto client = MakeClient();
  Results results;
  absl::Notification inside;
  size_t accepted = 0;
  // Keeps the client's thread here, and its mind off what is accepted, until destruction has begun.
  ASSERT_THAT(client->Start(Get(server),
                            [&, again = client.get()](http::Result) {
                              absl::Status status;
                              while (!absl::IsFailedPrecondition(status)) {
                                status = again->Start(Get(server), results.Callback());
                                if (status.ok() && ++accepted == 10) inside.Notify();
                                std::this_thread::yield();
                              }
                            }),
              IsOk());
  inside.WaitForNotification();
  client.reset();
  EXPECT_THAT(results.all(), SizeIs(accepted));
  EXPECT_THAT(results.all(), Each(FailsWith(Failure::kAborted)));
}

TEST(HttpClientConcurrency, DestructionAbortsLookupsThatWait) {
  absl::Notification looking;
  absl::Notification release;
  std::atomic<int> lookups = 0;
  http::ClientOptions options = OnThisMachine();
  options.max_resolver_threads = 1;
  options.resolve = [&](const std::string&) -> absl::StatusOr<std::vector<http::IpAddress>> {
    if (lookups++ == 0) looking.Notify();
    release.WaitForNotification();
    return absl::NotFoundError("none");
  };
  auto client = MakeClient(options);
  Results results;
  ASSERT_THAT(client->Start(Get("http://a.test/"), results.Callback()), IsOk());
  ASSERT_THAT(client->Start(Get("http://b.test/"), results.Callback()), IsOk());
  looking.WaitForNotification();
  // Its callbacks do not wait for the lookup, though its end does.
  std::thread destroyer([&] { client.reset(); });
  results.Await(2);
  release.Notify();
  destroyer.join();
  EXPECT_THAT(results.all(), Each(FailsWith(Failure::kAborted)));
  EXPECT_THAT(results.all(), SizeIs(2));
  EXPECT_EQ(lookups, 1);
}

TEST(HttpClientConcurrency, AClientThatDidNothingEnds) { MakeClient(); }

TEST(HttpClientConcurrency, ManyThreadsMayStartAtOnceAndEveryCallbackComesOnce) {
  TestServer server(TestServer::Answer([](const ServedRequest& request) { return TestServer::Ok(request.target); }));
  http::ClientOptions options = OnThisMachine();
  options.max_in_flight = 64;
  options.resolve = [](const std::string& host) -> absl::StatusOr<std::vector<http::IpAddress>> {
    if (host == "none.test") return absl::NotFoundError("none");
    return std::vector<http::IpAddress>{*http::IpAddress::Parse("127.0.0.1")};
  };
  auto client = MakeClient(options);
  constexpr int kThreads = 4;
  constexpr int kRequests = 250;
  std::atomic<int> answered = 0;
  std::atomic<int> wrong = 0;
  std::atomic<int> accepted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRequests; ++i) {
        const std::string target = absl::StrCat("/", t, "/", i);
        const char* const hosts[] = {"127.0.0.1", "a.test", "b.test", "none.test"};
        const bool exists = i % 4 != 3;
        const std::string url = absl::StrCat("http://", hosts[i % 4], ":", server.port(), target);
        while (true) {
          const absl::Status status = client->Start(Get(url), [&, target, exists](http::Result result) {
            const bool right = exists ? result.ok() && result.body == target : result.failure == Failure::kDns;
            if (!right) ++wrong;
            ++answered;
          });
          if (status.ok()) break;
          client->Drain(absl::Milliseconds(10));
        }
        ++accepted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(client->Drain());
  EXPECT_EQ(accepted, kThreads * kRequests);
  EXPECT_EQ(answered, kThreads * kRequests);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace northwind::testing
