// SPDX-License-Identifier: Apache-2.0
//
// Tasks that the client runs on its thread, later.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "src/http/client.h"
#include "tests/http/client_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;

TEST(HttpTimer, TasksRunInTheOrderOfTheirTimesOnTheClientsThread) {
  const auto client = MakeClient();
  std::vector<int> ran;
  std::thread::id thread;
  std::promise<void> last;
  std::promise<void> begun;
  client->RunAfter(absl::ZeroDuration(), [&] {
    thread = std::this_thread::get_id();
    // Given by a task, they are all known before the first of them is due.
    client->RunAfter(absl::Milliseconds(30), [&] {
      EXPECT_EQ(std::this_thread::get_id(), thread);
      ran.push_back(3);
      last.set_value();
    });
    client->RunAfter(-absl::Seconds(1), [&] { ran.push_back(1); });
    client->RunAfter(absl::Milliseconds(10), [&] { ran.push_back(2); });
  });
  last.get_future().get();
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST(HttpTimer, ATaskIsNotRunBeforeItsTime) {
  const auto client = MakeClient();
  const auto begin = std::chrono::steady_clock::now();
  std::promise<void> ran;
  client->RunAfter(absl::Milliseconds(50), [&] { ran.set_value(); });
  ran.get_future().get();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(50));
}

TEST(HttpTimer, TasksDoNotWaitForRequestsUnderWay) {
  TestServer server([](ServedConnection& connection) {
    connection.Read();
    connection.AwaitEnd();
  });
  Results results;
  const auto client = MakeClient();
  ASSERT_THAT(client->Start(Get(server), results.Callback()), IsOk());
  std::promise<void> ran;
  client->RunAfter(absl::Milliseconds(1), [&] { ran.set_value(); });
  ran.get_future().get();
  EXPECT_EQ(client->in_flight(), 1u);
}

TEST(HttpTimer, DestroyingTheClientRunsThemAllAndWhatTheyGive) {
  std::vector<int> ran;
  auto client = MakeClient();
  http::Client* const raw = client.get();
  raw->RunAfter(absl::Hours(1), [&, raw] {
    ran.push_back(1);
    EXPECT_THAT(raw->Start(Get("http://127.0.0.1/"), [](const http::Result&) { ADD_FAILURE(); }),
                StatusIs(absl::StatusCode::kFailedPrecondition));
    raw->RunAfter(absl::Hours(1), [&] { ran.push_back(2); });
  });
  client.reset();
  EXPECT_THAT(ran, ElementsAre(1, 2));
}

}  // namespace
}  // namespace northwind::testing
