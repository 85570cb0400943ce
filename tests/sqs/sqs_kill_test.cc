// SPDX-License-Identifier: Apache-2.0
//
// A consumer that is killed again and again while a producer goes on sending. NORTHWIND_TEST_OPS and NORTHWIND_TEST_KILLS set how many messages
// and kills; 5e4 and 10 take some minutes.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "tests/settlement/sample_events.h"
#include "tests/sqs/sqs_server.h"
#include "tests/support/child_process.h"
#include "tests/support/invariants.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using ::testing::UnorderedElementsAreArray;

constexpr absl::Duration kPatience = absl::Minutes(10);
constexpr uint64_t kKillsThatShowSomething = 10;

class SqsKill : public ::testing::Test {
 protected:
  // So many messages in random order, of which a fifth are copies, and what must come of them: counted here, by plain sums. No event
  // depends on another but a refund on its capture, whichever comes first.
  void MakeMessages(uint64_t count) {
    while (bodies_.size() < count * 4 / 5) {
      const std::string payment = "p" + std::to_string(bodies_.size());
      const std::string merchant = "m" + std::to_string(random_.Below(50));
      const uint64_t amount = 100 + random_.Below(100'000), fee = random_.Below(50);
      Add(Captured(payment, amount, fee, merchant));
      balances_[merchant] += static_cast<int64_t>(amount - fee);
      if (!random_.Percent(30)) continue;
      const uint64_t refund = 1 + random_.Below(40);
      PaymentEvent event = Refunded(payment, refund, 60);
      event.merchant_id = merchant;
      Add(event);
      balances_[merchant] -= static_cast<int64_t>(refund);
    }
    events_ = bodies_.size();
    while (bodies_.size() < count) bodies_.push_back(bodies_[random_.Below(events_)]);
    for (int i = 0; i < 7; ++i) {
      poison_.push_back(i % 2 == 0 ? "not an event " + std::to_string(i) : "{\"type\":\"" + std::to_string(i) + "\"}");
      bodies_.push_back(poison_.back());
    }
    for (size_t i = bodies_.size() - 1; i > 0; --i) std::swap(bodies_[i], bodies_[random_.Below(i + 1)]);
  }
  void Add(const PaymentEvent& event) { bodies_.push_back(*EncodeEventJson(event)); }

  std::unique_ptr<ChildProcess> StartChild(const std::string& how) {
    return std::make_unique<ChildProcess>(std::vector<std::string>{NORTHWIND_SQS_CHILD, directory_ / "store", url_,
                                                                   server_.endpoint(), server_.region(), how});
  }
  static void AwaitOpen(ChildProcess& child) {
    std::string said;
    while (said.empty()) ASSERT_TRUE(child.Read(said, 60'000)) << "the child ended by itself with " << child.Wait();
  }

  // Sends everything, never far ahead of the consumer, which is killed so many times meanwhile, and then lives to the end.
  void SendAndKill(const std::string& how, uint64_t kills) {
    constexpr size_t kAhead = 2000, kStep = 100;
    setenv("AWS_ACCESS_KEY_ID", server_.keys().access_key_id.c_str(), 1);
    setenv("AWS_SECRET_ACCESS_KEY", server_.keys().secret_access_key.c_str(), 1);
    std::vector<size_t> moments;
    for (uint64_t i = 0; i < kills; ++i) moments.push_back(random_.Below(bodies_.size()));
    std::sort(moments.begin(), moments.end());
    const size_t cut = random_.Below(bodies_.size());  // of the server's connections
    auto child = StartChild(how);
    ASSERT_NO_FATAL_FAILURE(AwaitOpen(*child));
    const absl::Time deadline = absl::Now() + 6 * kPatience;
    auto next_kill = moments.begin();
    for (size_t sent = 0; sent < bodies_.size();) {
      ASSERT_LT(absl::Now(), deadline);
      if (server_.Visible(url_) > kAhead) continue;
      const size_t last = std::min(sent + kStep, bodies_.size());
      // By chance alone, hardly any kill falls between what is applied and its delete: before some, no delete succeeds.
      const bool between = next_kill != moments.end() && *next_kill < last && random_.Percent(50);
      const uint64_t deletes = server_.Requests("DeleteMessageBatch");
      if (between) server_.FailNext({.operation = "DeleteMessageBatch", .count = 1 << 20});
      server_.SendAll(url_, {bodies_.begin() + static_cast<std::ptrdiff_t>(sent),
                             bodies_.begin() + static_cast<std::ptrdiff_t>(last)});
      if (cut >= sent && cut < last) {
        server_.Down();
        absl::SleepFor(absl::Milliseconds(random_.Below(500)));
        server_.Up();
      }
      sent = last;
      while (between && server_.Requests("DeleteMessageBatch") == deletes) ASSERT_LT(absl::Now(), deadline);
      for (; next_kill != moments.end() && *next_kill < sent; ++next_kill) {
        absl::SleepFor(absl::Milliseconds(random_.Below(200)));
        child->Kill();
        child->Wait();
        ++killed_;
        ASSERT_NO_FATAL_FAILURE(CountLeftApplied());
        server_.FailNoMore();
        child = StartChild(how);
        // Some are killed while they open.
        if (random_.Percent(70)) {
          ASSERT_NO_FATAL_FAILURE(AwaitOpen(*child));
        }
      }
    }
    const absl::Time end = absl::Now() + kPatience;
    while (server_.Visible(url_) + server_.InFlight(url_) > 0) {
      ASSERT_LT(absl::Now(), end) << "the queue does not become empty";
      absl::SleepFor(absl::Milliseconds(200));
    }
    child->Write("s");
    ASSERT_EQ(child->Wait(), 0);
  }

  // Those that the process that was killed had applied, and had not deleted: they come again, and are duplicates. Of each event that
  // was sent once.
  void CountLeftApplied() {
    NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
    for (const std::string& body : server_.Received(url_)) {
      const auto event = DecodeEventJson(body);
      if (!event.ok() || std::count(bodies_.begin(), bodies_.end(), body) > 1) continue;
      if (ledger->GetTransaction(MapEvent(*event)->transaction.key).ok()) ++left_applied_;
    }
  }

  void Check() {
    NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
    NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store));
    NW_ASSERT_OK_AND_ASSIGN(auto intake, Intake::Open(*ledger, *store, {.scheduler = scheduler.get()}));
    uint64_t applied = 0;
    JournalReader reader = ledger->ReadJournal(Sequence());
    for (auto records = reader.Next(kMaxJournalPage); records.ok() && !records->empty();
         records = reader.Next(kMaxJournalPage)) {
      for (const JournalRecord& record : *records) {
        const auto* transaction = std::get_if<TransactionRecorded>(&record.body);
        if (transaction == nullptr) continue;
        EXPECT_EQ(transaction->outcome, Outcome::kApplied);
        ++applied;
      }
    }
    EXPECT_EQ(applied, events_) << "each event once";
    EXPECT_EQ(intake->parked(), 0U);
    for (const auto& [merchant, cents] : balances_) {
      const auto account = ledger->FindAccount("merchant:" + merchant + ":available:USD/2");
      ASSERT_THAT(account, IsOk());
      EXPECT_EQ(ledger->Balance(*account)->available(), cents) << merchant;
    }
    std::vector<std::string> quarantined;
    NW_ASSERT_OK_AND_ASSIGN(const QuarantinePage page, intake->ListQuarantine({}, kMaxQuarantinePage));
    for (const QuarantinedEvent& event : page.events) quarantined.push_back(event.raw);
    EXPECT_THAT(quarantined, UnorderedElementsAreArray(poison_));
    EXPECT_THAT(ledger->Verify(), IsOk());
    ExpectBooksBalance(*ledger);
    std::printf("%llu messages, %llu events, each applied once; %llu kills, which left %llu applied and not deleted\n",
                static_cast<unsigned long long>(bodies_.size()), static_cast<unsigned long long>(events_),
                static_cast<unsigned long long>(killed_), static_cast<unsigned long long>(left_applied_));
    // Of a few kills all may be those that fall between a delete and the next receive; then they show little.
    if (killed_ >= kKillsThatShowSomething) {
      EXPECT_GT(left_applied_, 0U);
    }
  }

  SqsServer server_;
  TempDir directory_;
  Random random_{TestSeed()};
  std::vector<std::string> bodies_;
  std::vector<std::string> poison_;
  std::map<std::string, int64_t> balances_;
  uint64_t events_ = 0;
  uint64_t killed_ = 0;
  uint64_t left_applied_ = 0;
  std::string url_;
};

TEST_F(SqsKill, EveryEventIsAppliedOnceAndOnlyPoisonIsInTheDeadLetterQueue) {
  const uint64_t kills = TestOps(4, "NORTHWIND_TEST_KILLS");
  MakeMessages(TestOps(1200));
  // Each kill may be one more receive of a good message. Poison takes so many receives, a visibility timeout each.
  std::string dead;
  std::tie(url_, dead) =
      server_.CreateQueueWithRedrive("payments", static_cast<int>(kills) + 5, {{"VisibilityTimeout", "2"}});
  ASSERT_NO_FATAL_FAILURE(SendAndKill("redrive", kills));
  ASSERT_NO_FATAL_FAILURE(Check());
  EXPECT_THAT(server_.TakeAll(dead), UnorderedElementsAreArray(poison_));
}

TEST_F(SqsKill, WithoutARedrivePolicyPoisonIsInQuarantineAndTheQueueIsEmpty) {
  MakeMessages(800);
  url_ = server_.CreateQueue("payments", {{"VisibilityTimeout", "2"}});
  ASSERT_NO_FATAL_FAILURE(SendAndKill("quarantine", 4));
  ASSERT_NO_FATAL_FAILURE(Check());
}

}  // namespace
}  // namespace northwind::testing
