// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/delivery_reader.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/webhook/delivery_record.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/webhook/delivery_world.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::FakeClock;
using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TempDir;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

// What the merchant sees of it, in one string to compare and to print.
std::string Text(const WebhookDelivery& d) {
  return absl::StrCat(d.name.merchant_id, "/", d.name.message_id, "/", d.name.endpoint_id, " ", d.type, " ",
                      d.sequence.value(), " ", absl::FormatTime(d.created_at), " state ", static_cast<int>(d.state),
                      " ", d.attempts, " attempts ", absl::FormatTime(d.last_attempt_at), " ",
                      static_cast<int>(d.last_failure), " ", d.last_status, " ", absl::FormatTime(d.delivered_at),
                      " next ", d.next_attempt ? absl::FormatTime(*d.next_attempt) : "none", " ", d.body);
}

std::string Text(const WebhookAttempt& a) {
  return absl::StrCat(a.delivery.merchant_id, "/", a.delivery.message_id, "/", a.delivery.endpoint_id, "/", a.number,
                      " ", a.type, " ", absl::FormatTime(a.at), " ", static_cast<int>(a.failure), " ", a.status, " ",
                      a.message, " ", absl::FormatDuration(a.total));
}

template <typename T>
std::vector<std::string> Texts(const std::vector<T>& items) {
  std::vector<std::string> texts;
  for (const T& item : items) texts.push_back(Text(item));
  return texts;
}

// ---- Against a model ----------------------------------------------------------------------------------------

class DeliveryReaderModelTest : public ::testing::Test {
 protected:
  DeliveryReaderModelTest() : seed_(TestSeed()), world_({.path = directory_ / "store", .messages = 150}, seed_) {}
  void SetUp() override {
    ASSERT_THAT(world_.Open(), IsOk());
    world_.Fill();
  }

  DeliveryReaderBounds RandomBounds() {
    DeliveryReaderBounds bounds;
    if (random().OneIn(2)) bounds = {.looks = 1 + random().Below(30), .asks = 1 + random().Below(10)};
    return bounds;
  }
  Random& random() { return world_.random(); }

  template <typename Query>
  void ChooseRandomly(Query& query) {
    query.merchant_id = world_.RandomMerchant();
    if (random().Percent(30)) query.endpoint_id = random().OneIn(9) ? "none" : world_.RandomEndpoint();
    if (random().Percent(30)) query.type = random().OneIn(9) ? "payout" : world_.RandomType();
    if (random().Percent(40)) query.from = world_.RandomTime();
    if (random().Percent(40)) query.before = world_.RandomTime();
    if (random().Percent(25)) {
      const WorldMessage& message = random().Pick(world_.messages());
      query.message_id = message.message.id;
      if (!random().OneIn(9)) query.merchant_id = message.message.merchant_id;
    }
    query.direction = random().Percent(50) ? Direction::kForward : Direction::kBackward;
  }

  std::vector<std::string> Expected(const DeliveryQuery& query) const {
    std::vector<WebhookDelivery> chosen;
    for (const WorldDelivery* one : world_.Deliveries(query.merchant_id)) {
      WebhookDelivery delivery = one->expected;
      if ((!query.endpoint_id.empty() && delivery.name.endpoint_id != query.endpoint_id) ||
          (!query.message_id.empty() && delivery.name.message_id != query.message_id) ||
          (!query.type.empty() && delivery.type != query.type) || (query.state && delivery.state != *query.state) ||
          delivery.created_at < query.from || delivery.created_at >= query.before) {
        continue;
      }
      delivery.next_attempt.reset();
      delivery.body.clear();
      chosen.push_back(std::move(delivery));
    }
    if (query.direction == Direction::kBackward) std::reverse(chosen.begin(), chosen.end());
    return Texts(chosen);
  }

  std::vector<std::string> Expected(const AttemptQuery& query) const {
    std::vector<WebhookAttempt> chosen;
    for (const WebhookAttempt& attempt : world_.Attempts(query.merchant_id)) {
      if ((!query.endpoint_id.empty() && attempt.delivery.endpoint_id != query.endpoint_id) ||
          (!query.message_id.empty() && attempt.delivery.message_id != query.message_id) ||
          (!query.type.empty() && attempt.type != query.type) || (query.failure && attempt.failure != *query.failure) ||
          (query.status && attempt.status != *query.status) || attempt.at < query.from || attempt.at >= query.before) {
        continue;
      }
      chosen.push_back(attempt);
    }
    const bool by_time = query.message_id.empty();
    const auto place = [&](const WebhookAttempt& a) {
      return std::tuple(by_time ? a.at : absl::UnixEpoch(), a.delivery.message_id, a.delivery.endpoint_id + "/",
                        a.number);
    };
    std::sort(chosen.begin(), chosen.end(),
              [&](const WebhookAttempt& a, const WebhookAttempt& b) { return place(a) < place(b); });
    if (query.direction == Direction::kBackward) std::reverse(chosen.begin(), chosen.end());
    return Texts(chosen);
  }

  const uint64_t seed_;
  TempDir directory_;
  DeliveryWorld world_;
};

TEST_F(DeliveryReaderModelTest, EveryDeliveryIsAsRecordAndTaskSay) {
  const DeliveryReader reader(world_.engine(), world_.scheduler());
  for (const WorldMessage& message : world_.messages()) {
    for (const WorldDelivery& one : message.deliveries) {
      const auto found = reader.GetDelivery(one.expected.name);
      ASSERT_THAT(found, IsOk()) << "seed " << seed_;
      ASSERT_EQ(Text(*found), Text(one.expected)) << "fate " << static_cast<int>(one.fate) << ", seed " << seed_;
    }
  }
}

TEST_F(DeliveryReaderModelTest, PagesOfDeliveriesAreTheWholeListInBothDirections) {
  for (uint64_t i = TestOps(1000); i > 0; --i) {
    const DeliveryReaderBounds bounds = RandomBounds();
    const DeliveryReader reader(world_.engine(), world_.scheduler(), bounds);
    DeliveryQuery query;
    ChooseRandomly(query);
    if (random().Percent(40)) query.state = static_cast<DeliveryState>(1 + random().Below(4));
    std::vector<WebhookDelivery> found;
    do {
      query.limit = 1 + random().Below(random().OneIn(4) ? kMaxDeliveryPage : 7);
      const auto page = reader.ListDeliveries(query);
      ASSERT_THAT(page, IsOk()) << "seed " << seed_;
      ASSERT_LE(page->deliveries.size(), query.limit);
      ASSERT_TRUE(page->next.empty() || page->next != query.after) << "each page goes on";
      found.insert(found.end(), page->deliveries.begin(), page->deliveries.end());
      query.after = page->next;
    } while (!query.after.empty());
    ASSERT_EQ(Texts(found), Expected(query)) << "seed " << seed_;
  }
}

TEST_F(DeliveryReaderModelTest, PagesOfAttemptsAreTheWholeListInBothDirections) {
  for (uint64_t i = TestOps(300); i > 0; --i) {
    const DeliveryReader reader(world_.engine(), world_.scheduler(), RandomBounds());
    AttemptQuery query;
    ChooseRandomly(query);
    if (random().Percent(30)) query.failure = world_.RandomFailure();
    if (random().Percent(30)) query.status = random().OneIn(9) ? 777 : world_.RandomStatus();
    std::vector<WebhookAttempt> found;
    do {
      query.limit = 1 + random().Below(random().OneIn(4) ? kMaxAttemptPage : 7);
      const auto page = reader.ListAttempts(query);
      ASSERT_THAT(page, IsOk()) << "seed " << seed_;
      ASSERT_LE(page->attempts.size(), query.limit);
      ASSERT_TRUE(page->next.empty() || page->next != query.after) << "each page goes on";
      found.insert(found.end(), page->attempts.begin(), page->attempts.end());
      query.after = page->next;
    } while (!query.after.empty());
    ASSERT_EQ(Texts(found), Expected(query)) << "seed " << seed_;
  }
}

TEST_F(DeliveryReaderModelTest, WhatIsRecoverableIsCountedByItsState) {
  const DeliveryReader reader(world_.engine(), world_.scheduler());
  const std::vector<std::vector<std::string>> filters = {{"*"}, {"payout.*"}, {"payout.paid", "payment.captured"}};
  for (uint64_t i = TestOps(200); i > 0; --i) {
    Endpoint endpoint;
    endpoint.merchant_id = world_.RandomMerchant();
    endpoint.id = random().OneIn(9) ? "new" : world_.RandomEndpoint();
    endpoint.events = *EventFilter::Make(random().Pick(filters));
    const absl::Time since = random().OneIn(4) ? absl::InfinitePast() : world_.RandomTime();
    const absl::Time until = random().OneIn(4) ? absl::InfiniteFuture() : world_.RandomTime();
    RecoveryCount expected;
    for (const WorldMessage& message : world_.messages()) {
      if (message.message.merchant_id != endpoint.merchant_id || message.message.created_at < since ||
          message.message.created_at >= until || message.message.type == kTestType ||
          !endpoint.events.Matches(message.message.type)) {
        continue;
      }
      const auto at = std::find_if(message.deliveries.begin(), message.deliveries.end(), [&](const WorldDelivery& one) {
        return one.expected.name.endpoint_id == endpoint.id;
      });
      if (at == message.deliveries.end()) {
        ++expected.missing;
      } else if (at->expected.state == DeliveryState::kDelivered) {
        ++expected.delivered;
      } else if (at->expected.state == DeliveryState::kPending) {
        ++expected.pending;
      } else {
        ++expected.dead;
      }
    }
    ASSERT_THAT(reader.CountRecoverable(endpoint, since, until), IsOkAndHolds(expected)) << "seed " << seed_;
  }
}

// ---- By example -----------------------------------------------------------------------------------------------------

class DeliveryReaderTest : public ::testing::Test {
 protected:
  static constexpr std::string_view kType = "payout.paid";

  void SetUp() override {
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, {.clock = &clock_, .seed = 1}));
    reader_.emplace(store_->engine(), *scheduler_);
  }

  DeliveryName Name(int n) {
    std::string rest = std::to_string(n);
    rest.insert(0, 8 - rest.size(), '0');
    return {.merchant_id = "m", .endpoint_id = "e", .message_id = IdOf(clock_.Now(), rest)};
  }
  WebhookDelivery Delivery(const DeliveryName& name, DeliveryState state = DeliveryState::kPending) {
    WebhookDelivery delivery{.name = name, .type = std::string(kType), .state = state};
    if (state == DeliveryState::kDelivered) delivery.delivered_at = clock_.Now();
    return delivery;
  }
  HostRecord Record(const WebhookDelivery& delivery) const {
    return {.key = DeliveryKey(delivery.name), .value = EncodeDelivery(delivery)};
  }
  HostRecord MessageOf(const DeliveryName& name) const {
    return {.key = MessageKey(name.merchant_id, name.message_id),
            .value = EncodeMessage({.type = std::string(kType), .body = "{}"})};
  }
  TaskSpec Task(const DeliveryName& name) const {
    return {.id = DeliveryTaskId(name), .queue = std::string(kWebhookQueue)};
  }
  void Put(std::string_view key, std::string_view value) {
    WriteSet writes;
    writes.Put(Space::kHost, key, value);
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
  }
  void Delete(std::string_view key) {
    WriteSet writes;
    writes.Delete(Space::kHost, key);
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
  }

  TempDir directory_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Scheduler> scheduler_;
  std::optional<DeliveryReader> reader_;
};

TEST_F(DeliveryReaderTest, WhatIsNotThereIsNotFound) {
  EXPECT_THAT(reader_->GetDelivery(Name(1)), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(reader_->ListDeliveries({.merchant_id = "m"})->deliveries, IsEmpty());
  EXPECT_THAT(reader_->ListAttempts({.merchant_id = "m"})->attempts, IsEmpty());
}

TEST_F(DeliveryReaderTest, AnotherMerchantsDeliveryIsNotFound) {
  ASSERT_THAT(
      scheduler_->Schedule(std::vector{Task(Name(1))}, std::vector{MessageOf(Name(1)), Record(Delivery(Name(1)))}),
      IsOk());
  EXPECT_THAT(reader_->GetDelivery(Name(1)), IsOk());
  DeliveryName other = Name(1);
  other.merchant_id = "n";
  EXPECT_THAT(reader_->GetDelivery(other), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(reader_->ListDeliveries({.merchant_id = "n"})->deliveries, IsEmpty());
}

TEST_F(DeliveryReaderTest, BadQueriesNameTheFieldAtFault) {
  const std::string id = Name(1).message_id;
  const auto get = [&](const DeliveryName& name) { return reader_->GetDelivery(name).status(); };
  EXPECT_THAT(get({"", "e", id}), StatusIs(kInvalid, StartsWith("merchant_id: ")));
  EXPECT_THAT(get({"m", "e.f", id}), StatusIs(kInvalid, StartsWith("endpoint_id: ")));
  EXPECT_THAT(get({"m", "e", "msg_1"}), StatusIs(kInvalid, StartsWith("message_id: ")));

  const auto deliveries = [&](const DeliveryQuery& query) { return reader_->ListDeliveries(query).status(); };
  EXPECT_THAT(deliveries({}), StatusIs(kInvalid, StartsWith("merchant_id: ")));
  EXPECT_THAT(deliveries({.merchant_id = "m", .endpoint_id = "/"}), StatusIs(kInvalid, StartsWith("endpoint_id: ")));
  EXPECT_THAT(deliveries({.merchant_id = "m", .message_id = "x"}), StatusIs(kInvalid, StartsWith("message_id: ")));
  EXPECT_THAT(deliveries({.merchant_id = "m", .type = "payout.*"}), StatusIs(kInvalid, StartsWith("type: ")));
  EXPECT_THAT(deliveries({.merchant_id = "m", .limit = 0}), StatusIs(kInvalid, StartsWith("limit: ")));
  EXPECT_THAT(deliveries({.merchant_id = "m", .limit = kMaxDeliveryPage + 1}),
              StatusIs(kInvalid, StartsWith("limit: ")));
  EXPECT_THAT(deliveries({.merchant_id = "m", .limit = kMaxDeliveryPage}), IsOk());

  const auto attempts = [&](const AttemptQuery& query) { return reader_->ListAttempts(query).status(); };
  EXPECT_THAT(attempts({}), StatusIs(kInvalid, StartsWith("merchant_id: ")));
  EXPECT_THAT(attempts({.merchant_id = "m", .endpoint_id = "/"}), StatusIs(kInvalid, StartsWith("endpoint_id: ")));
  EXPECT_THAT(attempts({.merchant_id = "m", .message_id = "x"}), StatusIs(kInvalid, StartsWith("message_id: ")));
  EXPECT_THAT(attempts({.merchant_id = "m", .type = "A"}), StatusIs(kInvalid, StartsWith("type: ")));
  EXPECT_THAT(attempts({.merchant_id = "m", .limit = 0}), StatusIs(kInvalid, StartsWith("limit: ")));
  EXPECT_THAT(attempts({.merchant_id = "m", .limit = kMaxAttemptPage + 1}), StatusIs(kInvalid, StartsWith("limit: ")));
}

TEST_F(DeliveryReaderTest, ATokenThatNoPageGaveIsRefused) {
  for (int n = 1; n <= 2; ++n) Put(DeliveryKey(Name(n)), EncodeDelivery(Delivery(Name(n), DeliveryState::kDelivered)));
  const std::string token = reader_->ListDeliveries({.merchant_id = "m", .limit = 1})->next;
  ASSERT_THAT(token, ::testing::Not(IsEmpty()));
  std::string upper = token;
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  ASSERT_NE(upper, token);
  for (const std::string& bad : {std::string("x"), std::string("00"), token.substr(2), token + "2f",
                                 token.substr(1) + "g", upper, std::string(2000, 'a')}) {
    EXPECT_THAT(reader_->ListDeliveries({.merchant_id = "m", .after = bad}), StatusIs(kInvalid, StartsWith("after: ")))
        << bad;
    EXPECT_THAT(reader_->ListAttempts({.merchant_id = "m", .after = bad}), StatusIs(kInvalid, StartsWith("after: ")));
    EXPECT_THAT(reader_->ListAttempts({.merchant_id = "m", .message_id = Name(1).message_id, .after = bad}),
                StatusIs(kInvalid, StartsWith("after: ")));
  }
  EXPECT_THAT(reader_->ListDeliveries({.merchant_id = "m", .after = token})->deliveries, SizeIs(1));
}

TEST_F(DeliveryReaderTest, AFullLastPageHasNoNext) {
  for (int n = 1; n <= 4; ++n) Put(DeliveryKey(Name(n)), EncodeDelivery(Delivery(Name(n), DeliveryState::kDelivered)));
  for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
    const auto page = reader_->ListDeliveries({.merchant_id = "m", .direction = direction, .limit = 4});
    ASSERT_THAT(page, IsOk());
    EXPECT_THAT(page->deliveries, SizeIs(4));
    EXPECT_EQ(page->next, "");
  }
}

TEST_F(DeliveryReaderTest, APageThatLookedEnoughIsShortAndGoesOn) {
  for (int n = 0; n < 25; ++n) {
    Put(DeliveryKey(Name(n)), EncodeDelivery(Delivery(Name(n), DeliveryState::kDelivered)));
  }
  const DeliveryReader reader(store_->engine(), *scheduler_, {.looks = 10});
  DeliveryQuery query{.merchant_id = "m", .state = DeliveryState::kCanceled};
  for (const bool more : {true, true, false}) {
    const auto page = reader.ListDeliveries(query);
    ASSERT_THAT(page, IsOk());
    EXPECT_THAT(page->deliveries, IsEmpty());
    EXPECT_EQ(!page->next.empty(), more);
    query.after = page->next;
  }
}

TEST_F(DeliveryReaderTest, TimesAreExactToTheMillisecondOfAMessageAndTheNanosecondOfAnAttempt) {
  const DeliveryName name = Name(1);
  Put(DeliveryKey(name), EncodeDelivery(Delivery(name, DeliveryState::kCanceled)));
  const absl::Time at = clock_.Now();  // a whole millisecond
  const auto deliveries = [&](absl::Time from, absl::Time before) {
    return reader_->ListDeliveries({.merchant_id = "m", .from = from, .before = before})->deliveries.size();
  };
  const absl::Duration tiny = absl::Nanoseconds(1);
  EXPECT_EQ(deliveries(at, at + tiny), 1U);
  EXPECT_EQ(deliveries(at + tiny, at + absl::Seconds(1)), 0U);
  EXPECT_EQ(deliveries(at - absl::Seconds(1), at), 0U);
  EXPECT_EQ(deliveries(at + tiny, at - tiny), 0U);

  const WebhookAttempt attempt{.delivery = name, .type = std::string(kType), .at = at + tiny};
  Put(AttemptKey(name, 1), EncodeAttempt(attempt));
  Put(TimeKey(name, attempt.at, 1), EncodeAttemptLine({.type = std::string(kType)}));
  for (const std::string& message : {std::string(), name.message_id}) {
    const auto attempts = [&](absl::Time from, absl::Time before) {
      return reader_->ListAttempts({.merchant_id = "m", .message_id = message, .from = from, .before = before})
          ->attempts.size();
    };
    EXPECT_EQ(attempts(at + tiny, at + tiny + tiny / 4), 1U);
    EXPECT_EQ(attempts(at + tiny + tiny / 4, absl::InfiniteFuture()), 0U);
    EXPECT_EQ(attempts(at, at + tiny), 0U);
    EXPECT_EQ(attempts(absl::InfiniteFuture(), absl::InfiniteFuture()), 0U);
    EXPECT_EQ(attempts(absl::InfinitePast(), absl::InfinitePast()), 0U);
    EXPECT_EQ(attempts(absl::InfinitePast(), absl::InfiniteFuture()), 1U);
  }
}

TEST_F(DeliveryReaderTest, DamageIsSaidAndNotPassedOver) {
  const DeliveryName name = Name(1);
  Put(DeliveryKey(name), "x");
  EXPECT_THAT(reader_->GetDelivery(name), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(reader_->ListDeliveries({.merchant_id = "m"}), StatusIs(absl::StatusCode::kDataLoss));
  Put(DeliveryKey(name), EncodeDelivery(Delivery(name, DeliveryState::kCanceled)));
  EXPECT_THAT(reader_->GetDelivery(name), StatusIs(absl::StatusCode::kDataLoss)) << "its message is missing";
  Put(TimeKey(name, clock_.Now(), 1), "x");
  EXPECT_THAT(reader_->ListAttempts({.merchant_id = "m"}), StatusIs(absl::StatusCode::kDataLoss));
  Put(AttemptKey(name, 1), "x");
  EXPECT_THAT(reader_->ListAttempts({.merchant_id = "m", .message_id = name.message_id}),
              StatusIs(absl::StatusCode::kDataLoss));
  Put(TimePrefix("n") + "short", "x");
  EXPECT_THAT(reader_->ListAttempts({.merchant_id = "n"}), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(DeliveryReaderTest, AMessageOfAnotherEndpointsTestIsNotMissing) {
  Endpoint endpoint;
  endpoint.merchant_id = "m";
  endpoint.id = "e";
  endpoint.events = EventFilter::All();
  Put(MessageKey("m", Name(1).message_id), EncodeMessage({.type = std::string(kTestType), .body = "{}"}));
  Put(MessageKey("m", Name(2).message_id), EncodeMessage({.type = std::string(kType), .body = "{}"}));
  EXPECT_THAT(reader_->CountRecoverable(endpoint, absl::InfinitePast(), absl::InfiniteFuture()),
              IsOkAndHolds(RecoveryCount{.missing = 1}));
}

// While one thread delivers, another looks: it must never see a delivery that was on its way as given up.
TEST_F(DeliveryReaderTest, WhatIsDeliveredJustNowIsNeverSeenAsDead) {
  constexpr int kDeliveries = 100;
  std::vector<TaskSpec> tasks;
  std::vector<HostRecord> records;
  for (int n = 0; n < kDeliveries; ++n) {
    tasks.push_back(Task(Name(n)));
    records.push_back(MessageOf(Name(n)));
    records.push_back(Record(Delivery(Name(n))));
  }
  ASSERT_THAT(scheduler_->Schedule(tasks, records), IsOk());
  std::atomic<int> place{0};
  const auto deliver_next = [&](int n) {
    const auto claimed = scheduler_->Claim({.queue = std::string(kWebhookQueue)});
    ASSERT_THAT(claimed, IsOkAndHolds(SizeIs(1)));
    const auto name = ParseDeliveryTaskId(claimed->front().id);
    ASSERT_TRUE(name.has_value());
    place = n;
    const Finish finish{.task = claimed->front().handle,
                        .host_records = {Record(Delivery(*name, DeliveryState::kDelivered))}};
    ASSERT_THAT(scheduler_->FinishAll(std::vector{finish}), IsOk());
  };
  std::thread sender([&] {
    for (int n = 0; n < kDeliveries && !HasFailure(); ++n) deliver_next(n);
    place = kDeliveries;
  });
  for (int n; (n = place.load()) < kDeliveries;) {
    const auto delivery = reader_->GetDelivery(Name(n));
    EXPECT_THAT(delivery, IsOk());
    if (delivery.ok()) {
      EXPECT_NE(delivery->state, DeliveryState::kDead) << n;
    }
    const auto page = reader_->ListDeliveries({.merchant_id = "m", .state = DeliveryState::kDead});
    EXPECT_THAT(page, IsOk());
    if (page.ok()) {
      EXPECT_THAT(page->deliveries, IsEmpty());
    }
  }
  sender.join();
}

}  // namespace
}  // namespace northwind::internal
