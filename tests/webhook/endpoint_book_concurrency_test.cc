// SPDX-License-Identifier: Apache-2.0
//
// The book from several threads: what is seen when, and that no update is lost.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/webhook/endpoint_book.h"
#include "tests/support/status_matchers.h"
#include "tests/support/sync_gate.h"
#include "tests/webhook/endpoint_book_fixture.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::northwind::testing::SyncGate;
using ::testing::ElementsAre;
using ::testing::SizeIs;

using EndpointBookConcurrencyTest = EndpointBookTest;

TEST_F(EndpointBookConcurrencyTest, NothingIsSeenBeforeItIsDurable) {
  Shut();
  SyncGate gate(disk_.env());
  env_ = gate.env();
  Open();
  Make("m", "old");
  gate.Close();
  std::thread creating([&] { Make("m", "new"); });
  gate.AwaitSync();
  EXPECT_THAT(Ids(All("m")), ElementsAre("old"));  // and no reader waits for the write
  gate.Open();
  creating.join();
  EXPECT_THAT(Ids(All("m")), ElementsAre("new", "old"));

  gate.Close();
  std::thread deleting([&] { EXPECT_THAT(book_->Delete("m", "old"), StatusIs(absl::StatusCode::kAborted)); });
  gate.AwaitSync();
  EXPECT_THAT(*book_->MatchingEndpoints("m", "a"), SizeIs(2));
  gate.OpenWithFailure();
  deleting.join();
  EXPECT_THAT(Ids(All("m")), ElementsAre("new", "old")) << "nobody knows: it is shown as it was";
  EXPECT_THAT(book_->Pause("m", "new"), StatusIs(absl::StatusCode::kFailedPrecondition));
  Shut();
  env_ = nullptr;
}

TEST_F(EndpointBookConcurrencyTest, OptimisticUpdatesFromManyThreadsLoseNone) {
  Make("m", "e");
  constexpr int kThreads = 4, kEach = 25;
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    uint64_t version = 0;
    while (!stop) {
      const auto endpoint = book_->Get("m", "e");
      ASSERT_THAT(endpoint, IsOk());
      ASSERT_GE((*endpoint)->version, version);
      version = (*endpoint)->version;
      ASSERT_THAT(*book_->MatchingEndpoints("m", "payout.paid"), SizeIs(1));
      ASSERT_THAT(book_->SigningKeys(**endpoint), IsOk());
    }
  });
  std::vector<std::thread> writers;
  for (int i = 0; i < kThreads; ++i) {
    writers.emplace_back([&, i] {
      const std::string own = "n" + std::to_string(i);
      Make(own, "e");
      for (int done = 0; done < kEach;) {
        const EndpointPtr seen = *book_->Get("m", "e");
        const uint32_t count = seen->policy.has_value() ? seen->policy->burst : 0;
        const auto updated = book_->Update("m", "e", seen->version, {.policy = WebhookPolicy{.burst = count + 1}});
        if (updated.ok()) {
          ++done;
        } else {
          ASSERT_TRUE(IsVersionConflict(updated.status())) << updated.status();
        }
      }
      ASSERT_THAT(book_->Delete(own, "e"), IsOk());
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop = true;
  reader.join();
  const EndpointPtr end = *book_->Get("m", "e");
  EXPECT_EQ(end->policy->burst, kThreads * kEach);
  EXPECT_EQ(end->version, 1u + kThreads * kEach);
  EXPECT_EQ(book_->size(), 1u);
}

}  // namespace
}  // namespace northwind::internal
