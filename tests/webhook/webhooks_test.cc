// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "northwind/webhook.h"
#include "tests/webhook/webhooks_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

TestReceiver::Answer Always(int status, const std::string& headers = "") {
  return [status, headers](const ReceivedMessage&) { return TestReceiver::Status(status, headers, "body"); };
}

class WebhooksTest : public WebhooksFixture {};

TEST_F(WebhooksTest, AnEventIsDeliveredSignedWithAReceipt) {
  TestReceiver receiver;
  const NewEndpoint made = Create("m1", {.id = "ep", .url = receiver.url(), .headers = {{"X-Shop", "seven"}}});
  Start();
  Capture("pay_1");
  receiver.Await(1);
  AwaitState(DeliveryState::kDelivered);

  const ReceivedMessage message = receiver.messages().front();
  EXPECT_THAT(VerifyWebhook(std::vector<std::string>{made.secret}, message.headers, message.body, clock_.Now()),
              IsOk());
  EXPECT_THAT(message.body, AllOf(StartsWith(R"({"type":"payment.captured","timestamp":")"), HasSubstr("pay_1")));
  EXPECT_THAT(message.head, AllOf(HasSubstr("POST /hook HTTP/1.1"), HasSubstr("X-Shop: seven"),
                                  HasSubstr("content-type: application/json")));

  ASSERT_THAT(Deliveries(), SizeIs(1));
  const WebhookDelivery delivery = Deliveries().front();
  EXPECT_EQ(delivery.name.message_id, message.headers.id);
  EXPECT_EQ(delivery.type, "payment.captured");
  EXPECT_EQ(delivery.attempts, 1u);
  NW_ASSERT_OK_AND_ASSIGN(const WebhookDelivery whole, webhooks_->GetDelivery(delivery.name));
  EXPECT_EQ(whole.body, message.body);
  EXPECT_EQ(whole.next_attempt, std::nullopt);
  ASSERT_THAT(Attempts(), SizeIs(1));
  const WebhookAttempt receipt = Attempts().front();
  EXPECT_EQ(receipt.status, 204);
  EXPECT_EQ(receipt.failure, AttemptFailure::kNone);
  EXPECT_EQ(receipt.number, 1u);
  EXPECT_EQ(receipt.endpoint_version, 1u);
  EXPECT_THAT(receipt.remote_address, StartsWith("127.0.0.1:"));
  EXPECT_GT(receipt.total, absl::ZeroDuration());
  Await([&] { return webhooks_->Stats()->followed == ledger_->Head().sequence; });
  Await([&] { return webhooks_->Stats()->delivered == 1; });
  EXPECT_EQ(webhooks_->Stats()->waiting, 0u);
}

TEST_F(WebhooksTest, AnEndpointMayBeSignedForWithAKeyThatItCannotSignWith) {
  TestReceiver receiver;
  const NewEndpoint made = Create("m1", {.id = "ep", .url = receiver.url(), .scheme = SignatureScheme::kEd25519});
  EXPECT_THAT(made.secret, StartsWith("whpk_"));
  Start();
  Capture("pay_1");
  receiver.Await(1);
  const ReceivedMessage message = receiver.messages().front();
  EXPECT_THAT(message.headers.signature, StartsWith("v1a,"));
  EXPECT_THAT(VerifyWebhook(std::vector<std::string>{made.secret}, message.headers, message.body, clock_.Now()),
              IsOk());
  EXPECT_THAT(VerifyWebhook(std::vector<std::string>{made.secret}, message.headers, message.body + " ", clock_.Now()),
              StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(WebhooksTest, AStoreHasOneOfThemOpen) {
  EXPECT_THAT(Webhooks::Open({*ledger_, *store_, *scheduler_}, options_).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

// Before an option is looked at: there is no client that could send.
TEST(WebhooksInAShadow, DoNotOpen) {
  const TempDir directory;
  NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory / "s", .mode = StoreMode::kShadow}));
  NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
  NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store));
  EXPECT_THAT(Webhooks::Open({*ledger, *store, *scheduler}, {}).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("shadow")));
}

TEST_F(WebhooksTest, AMissingHostKeyIsFoundOnOpening) {
  Create("m1", {.id = "ep", .url = "http://127.0.0.1:1/"});
  webhooks_.reset();
  options_.host_keys = {{.id = "new", .key = std::string("abcdef0123456789abcdef0123456789")}};
  EXPECT_THAT(Webhooks::Open({*ledger_, *store_, *scheduler_}, options_).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("test")));
  options_.host_keys.push_back({.id = "test", .key = std::string("0123456789abcdef0123456789abcdef")});
  Reopen();
  EXPECT_THAT(webhooks_->ResealSecrets(), IsOkAndHolds(1u));
  EXPECT_THAT(webhooks_->ResealSecrets(), IsOkAndHolds(0u));
  options_.host_keys.pop_back();
  Reopen();
}

TEST_F(WebhooksTest, EachMatchingEndpointOfTheMerchantIsToldOnceUnderOneId) {
  TestReceiver all, payouts, other;
  Create("m1", {.id = "all", .url = all.url()});
  Create("m1", {.id = "payouts", .url = payouts.url(), .events = {"payout.*"}});
  Create("m2", {.id = "other", .url = other.url()});
  Start();
  Capture("pay_1");
  Apply(OfPayout(EventType::kPayoutRequested, "po1", 2, 300));
  all.Await(2);
  payouts.Await(1);
  AwaitState(DeliveryState::kDelivered, 3);
  EXPECT_THAT(all.messages(), SizeIs(2));
  ASSERT_THAT(payouts.messages(), SizeIs(1));
  EXPECT_THAT(payouts.messages().front().body, HasSubstr("payout.requested"));
  // Messages come in any order.
  EXPECT_THAT(all.messages(),
              Contains(AllOf(Field(&ReceivedMessage::body, payouts.messages().front().body),
                             Field(&ReceivedMessage::headers,
                                   Field(&WebhookHeaders::id, payouts.messages().front().headers.id)))));
  EXPECT_THAT(other.messages(), IsEmpty());
}

TEST_F(WebhooksTest, WhatHappenedBeforeAnEndpointWasMadeIsNotSentToIt) {
  TestReceiver first, second;
  Create("m1", {.id = "first", .url = first.url()});
  Capture("pay_1");
  Create("m1", {.id = "second", .url = second.url()});
  Capture("pay_2");
  Start();
  first.Await(2);
  second.Await(1);
  AwaitState(DeliveryState::kDelivered, 3);
  EXPECT_THAT(second.messages(), SizeIs(1));
  EXPECT_THAT(second.messages().front().body, HasSubstr("pay_2"));
}

TEST_F(WebhooksTest, AFailureIsTriedAgainUnderTheSameIdUntilThePolicyEnds) {
  TestReceiver receiver(Always(500));
  Create("m1", {.id = "ep", .url = receiver.url()});
  Start();
  Capture("pay_1");
  AwaitState(DeliveryState::kDead);
  ASSERT_THAT(receiver.messages(), SizeIs(4));
  std::set<std::string> ids;
  for (const ReceivedMessage& message : receiver.messages()) ids.insert(message.headers.id);
  EXPECT_THAT(ids, SizeIs(1));
  const std::vector<WebhookAttempt> attempts = Attempts();
  ASSERT_THAT(attempts, SizeIs(4));
  for (uint32_t i = 0; i < 4; ++i) EXPECT_EQ(attempts[i].number, i + 1);
  EXPECT_THAT(attempts,
              Each(AllOf(Field(&WebhookAttempt::failure, AttemptFailure::kStatus), Field(&WebhookAttempt::status, 500),
                         Field(&WebhookAttempt::response_body, "body"))));
  NW_ASSERT_OK_AND_ASSIGN(const WebhookStats stats, webhooks_->Stats());
  EXPECT_EQ(stats.dead, 1u);
}

TEST_F(WebhooksTest, ARedirectIsNotFollowed) {
  TestReceiver target;
  TestReceiver receiver(
      [&](const ReceivedMessage&) { return TestReceiver::Status(302, "location: " + target.url() + "\r\n"); });
  Create("m1", {.id = "ep", .url = receiver.url()});
  Start();
  Capture("pay_1");
  AwaitState(DeliveryState::kDead);
  EXPECT_THAT(Failures(), Each(AttemptFailure::kRedirect));
  EXPECT_THAT(target.messages(), IsEmpty());
}

TEST_F(WebhooksTest, RetryAfterIsHonouredForTheWholeEndpoint) {
  std::atomic<int> answers{0};
  TestReceiver receiver([&](const ReceivedMessage&) {
    return ++answers == 1 ? TestReceiver::Status(503, "retry-after: 3600\r\n") : TestReceiver::Status(204);
  });
  Create("m1", {.id = "ep", .url = receiver.url()});
  Start();
  Capture("pay_1");
  Await([&] { return !Attempts().empty(); });
  EXPECT_EQ(Attempts().front().failure, AttemptFailure::kThrottled);
  const WebhookDelivery delivery = *webhooks_->GetDelivery(Deliveries().front().name);
  ASSERT_TRUE(delivery.next_attempt.has_value());
  EXPECT_GE(*delivery.next_attempt, Attempts().front().at + absl::Hours(1));
  Await([&] { return webhooks_->GetEndpointHealth("m1", "ep")->breaker == EndpointHealth::Breaker::kOpen; });
  Capture("pay_2");
  Await([&] { return Deliveries().size() == 2; });
  EXPECT_THAT(receiver.messages(), SizeIs(1));
  clock_.Advance(absl::Minutes(59));
  EXPECT_THAT(receiver.messages(), SizeIs(1));
  clock_.Advance(absl::Minutes(2));
  AwaitState(DeliveryState::kDelivered, 2);
  EXPECT_EQ(webhooks_->GetEndpointHealth("m1", "ep")->breaker, EndpointHealth::Breaker::kClosed);
}

TEST_F(WebhooksTest, GoneDisablesTheEndpointAndTellsTheOthers) {
  TestReceiver gone(Always(410)), other;
  Create("m1", {.id = "gone", .url = gone.url(), .events = {"payment.*"}});
  Create("m1", {.id = "other", .url = other.url(), .events = {"endpoint.*"}});
  Start();
  Capture("pay_1");
  other.Await(1);
  EXPECT_THAT(other.messages().front().body, AllOf(HasSubstr("endpoint.disabled"), HasSubstr("gone")));
  AwaitDisabled("gone", DisableReason::kGone);
  AwaitState(DeliveryState::kDead, 1, "gone");
  // No messages are made for it any more.
  Capture("pay_2");
  Await([&] { return webhooks_->Stats()->followed == ledger_->Head().sequence; });
  EXPECT_THAT(Deliveries("m1", "gone"), SizeIs(1));
  EXPECT_THAT(gone.messages(), SizeIs(1));
}

TEST_F(WebhooksTest, SustainedFailureDisablesAndEnablingGoesOn) {
  TestReceiver receiver(Always(500)), other;
  WebhookPolicy policy = options_.policy;
  policy.retry.delays = std::vector<absl::Duration>(3, absl::Hours(24 * 3));
  policy.retry.delays[0] = absl::ZeroDuration();
  Create("m1", {.id = "ep", .url = receiver.url(), .events = {"payment.*"}, .policy = policy});
  Create("m1", {.id = "other", .url = other.url(), .events = {"endpoint.disabled"}});
  Start();
  Capture("pay_1");
  receiver.Await(1);
  Await([&] { return Attempts("m1", "ep").size() == 1; });
  EXPECT_NE(webhooks_->GetEndpointHealth("m1", "ep")->failing_since, absl::InfiniteFuture());
  clock_.Advance(absl::Hours(24 * 3));
  Await([&] { return Attempts("m1", "ep").size() == 2; });
  EXPECT_EQ(webhooks_->GetEndpoint("m1", "ep")->state, EndpointState::kEnabled);
  // Since when it has been failing outlives the process.
  Reopen();
  Start();
  clock_.Advance(absl::Hours(24 * 3));
  other.Await(1);
  AwaitDisabled("ep", DisableReason::kFailing);
  AwaitState(DeliveryState::kDead, 1, "ep");

  receiver.SetAnswer(Always(204));
  ASSERT_THAT(webhooks_->EnableEndpoint("m1", "ep"), IsOk());
  EXPECT_EQ(webhooks_->GetEndpointHealth("m1", "ep")->failing_since, absl::InfiniteFuture());
  Capture("pay_2");
  AwaitState(DeliveryState::kDelivered, 1, "ep");
  EXPECT_EQ(webhooks_->GetEndpoint("m1", "ep")->state, EndpointState::kEnabled);
  // That it works again outlives the process too.
  Reopen();
  EXPECT_EQ(webhooks_->GetEndpointHealth("m1", "ep")->failing_since, absl::InfiniteFuture());
}

TEST_F(WebhooksTest, AClockThatStepsBackKeepsNothingFromANewEndpoint) {
  TestReceiver receiver;
  Capture("pay_1");
  Create("m1", {.id = "ep", .url = receiver.url()});
  clock_.Advance(-absl::Hours(1));
  Start();
  Capture("pay_2");
  AwaitState(DeliveryState::kDelivered);
  ASSERT_THAT(receiver.messages(), SizeIs(1));
  EXPECT_THAT(receiver.messages().front().body, HasSubstr("pay_2"));
}

TEST_F(WebhooksTest, TheIdOfADeletedEndpointIsNotUsedAgain) {
  TestReceiver receiver(Always(500));
  WebhookPolicy slow = options_.policy;
  slow.retry.delays = {absl::ZeroDuration(), absl::Hours(1)};
  Create("m1", {.id = "ep", .url = receiver.url(), .policy = slow});
  Start();
  Capture("pay_1");
  Await([&] { return webhooks_->GetEndpointHealth("m1", "ep")->failing_since != absl::InfiniteFuture(); });
  ASSERT_THAT(webhooks_->StartRecovery("m1", "ep", absl::InfinitePast()), IsOk());
  ASSERT_THAT(webhooks_->DeleteEndpoint("m1", "ep"), IsOk());
  EXPECT_THAT(webhooks_->CreateEndpoint("m1", {.id = "ep", .url = receiver.url()}),
              StatusIs(absl::StatusCode::kAlreadyExists));
  Create("m2", {.id = "ep", .url = receiver.url()});
  Reopen();
  EXPECT_THAT(webhooks_->CreateEndpoint("m1", {.id = "ep", .url = receiver.url()}),
              StatusIs(absl::StatusCode::kAlreadyExists));
  // What waited for it is canceled when its time comes.
  Start();
  clock_.Advance(absl::Hours(2));
  AwaitState(DeliveryState::kCanceled);
  EXPECT_THAT(receiver.messages(), SizeIs(1));
}

TEST_F(WebhooksTest, WhatWaitsForARateGoesToTheEndpointAsItIsThen) {
  TestReceiver before, after;
  WebhookPolicy slow = options_.policy;
  slow.max_per_second = 0.01;
  slow.burst = 1;
  Create("m1", {.id = "ep", .url = before.url(), .policy = slow});
  Start();
  for (int i = 0; i < 3; ++i) Capture("pay_" + std::to_string(i));
  Await([&] { return webhooks_->Stats()->attempts == 1 && webhooks_->Stats()->in_flight == 2; });
  ASSERT_THAT(webhooks_->UpdateEndpoint("m1", "ep", 1, {.url = after.url()}), IsOk());
  clock_.Advance(absl::Seconds(100));
  after.Await(1);
  EXPECT_THAT(before.messages(), SizeIs(1));
  // Paused, it is not sent; resumed, it is.
  Await([&] { return webhooks_->Stats()->attempts == 2; });
  ASSERT_THAT(webhooks_->PauseEndpoint("m1", "ep"), IsOk());
  clock_.Advance(absl::Seconds(100));
  EXPECT_THAT(after.messages(), SizeIs(1));
  ASSERT_THAT(webhooks_->ResumeEndpoint("m1", "ep"), IsOk());
  clock_.Advance(absl::Seconds(100));
  AwaitState(DeliveryState::kDelivered, 3);
  EXPECT_THAT(after.messages(), SizeIs(2));
}

TEST_F(WebhooksTest, ALeaseThatEndsWhileItsAttemptWaitsLeadsToNoSecondOne) {
  TestReceiver receiver;
  WebhookPolicy slow = options_.policy;
  slow.max_per_second = 0.01;
  slow.burst = 1;
  Create("m1", {.id = "ep", .url = receiver.url(), .policy = slow});
  Start();
  for (int i = 0; i < 3; ++i) Capture("pay_" + std::to_string(i));
  Await([&] { return webhooks_->Stats()->attempts == 1 && webhooks_->Stats()->in_flight == 2; });
  clock_.Advance(absl::Minutes(10));
  Await([&] { return webhooks_->Stats()->attempts == 2 && webhooks_->Stats()->in_flight == 1; });
  clock_.Advance(absl::Seconds(100));
  AwaitState(DeliveryState::kDelivered, 3);
  EXPECT_THAT(receiver.messages(), SizeIs(3));
}

TEST_F(WebhooksTest, TheBreakerLeavesAnEndpointAloneAndProbesOnce) {
  options_.breaker_failures = 5;
  Reopen();
  TestReceiver receiver(Always(500));
  WebhookPolicy policy = options_.policy;
  policy.max_concurrent = 1;
  Create("m1", {.id = "ep", .url = receiver.url(), .policy = policy});
  Start();
  for (int i = 0; i < 20; ++i) Capture("pay_" + std::to_string(i));
  const auto open = [&] { return webhooks_->GetEndpointHealth("m1", "ep")->breaker == EndpointHealth::Breaker::kOpen; };
  Await(open);
  // What was sent has its receipt. Another may have been claimed: it waits here for the endpoint, which counts as in flight.
  Await([&] { return Attempts().size() == receiver.messages().size() && Deliveries().size() == 20; });
  const size_t before = receiver.messages().size();
  EXPECT_GE(before, 5u);
  EXPECT_LT(before, 20u);
  // One probe, which fails: twice the pause.
  clock_.Advance(absl::Seconds(31));
  receiver.Await(before + 1);
  Await(open);
  EXPECT_THAT(receiver.messages(), SizeIs(before + 1));
  EXPECT_GT(webhooks_->GetEndpointHealth("m1", "ep")->retry_at, clock_.Now() + absl::Seconds(31));
  // One that succeeds: all.
  receiver.SetAnswer(Always(204));
  clock_.Advance(absl::Seconds(61));
  AwaitState(DeliveryState::kDelivered, 10);
  EXPECT_EQ(webhooks_->GetEndpointHealth("m1", "ep")->breaker, EndpointHealth::Breaker::kClosed);
}

TEST_F(WebhooksTest, ABreakerDoesNotOutliveTheProcess) {
  options_.breaker_failures = 5;
  Reopen();
  TestReceiver receiver(Always(500));
  Create("m1", {.id = "ep", .url = receiver.url()});
  Start();
  for (int i = 0; i < 3; ++i) Capture("pay_" + std::to_string(i));
  Await([&] { return webhooks_->GetEndpointHealth("m1", "ep")->breaker == EndpointHealth::Breaker::kOpen; });
  Reopen();
  receiver.SetAnswer(Always(204));
  Start();
  Capture("pay_new");
  Await([&] {
    const auto deliveries = Deliveries();
    return deliveries.back().state == DeliveryState::kDelivered;
  });
}

TEST_F(WebhooksTest, PausedEndpointsKeepTheirMessagesUntilTheyAreResumed) {
  TestReceiver receiver;
  Create("m1", {.id = "ep", .url = receiver.url()});
  ASSERT_THAT(webhooks_->PauseEndpoint("m1", "ep"), IsOk());
  Start();
  Capture("pay_1");
  Await([&] { return Deliveries().size() == 1; });
  Reopen();
  Start();
  Capture("pay_2");
  Await([&] { return Deliveries().size() == 2; });
  EXPECT_THAT(receiver.messages(), IsEmpty());
  EXPECT_THAT(Deliveries(), Each(Field(&WebhookDelivery::state, DeliveryState::kPending)));
  ASSERT_THAT(webhooks_->ResumeEndpoint("m1", "ep"), IsOk());
  AwaitState(DeliveryState::kDelivered, 2);
}

TEST_F(WebhooksTest, DeletedEndpointsCancelWhatWaits) {
  TestReceiver receiver;
  Create("m1", {.id = "ep", .url = receiver.url()});
  Create("m1", {.id = "stays", .url = receiver.url(), .events = {"payout.*"}});
  ASSERT_THAT(webhooks_->PauseEndpoint("m1", "ep"), IsOk());
  Capture("pay_1");
  Start();
  Await([&] { return Deliveries().size() == 1; });
  ASSERT_THAT(webhooks_->DeleteEndpoint("m1", "ep"), IsOk());
  Await([&] { return webhooks_->Stats()->waiting == 0; });
  EXPECT_THAT(receiver.messages(), IsEmpty());
  EXPECT_THAT(Deliveries().front().state, ::testing::AnyOf(DeliveryState::kCanceled, DeliveryState::kDead));
  EXPECT_THAT(webhooks_->GetEndpoint("m1", "ep"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(WebhooksTest, ADeliveryKeepsThePolicyThatHeldWhenItsMessageWasMade) {
  TestReceiver receiver(Always(500));
  WebhookPolicy twice = options_.policy;
  twice.retry.delays.resize(2);
  const NewEndpoint made = Create("m1", {.id = "ep", .url = receiver.url(), .policy = twice});
  ASSERT_THAT(webhooks_->PauseEndpoint("m1", "ep"), IsOk());
  Start();
  Capture("pay_1");
  Await([&] { return Deliveries().size() == 1; });
  WebhookPolicy once = twice;
  once.retry.delays.resize(1);
  ASSERT_THAT(webhooks_->UpdateEndpoint("m1", "ep", 2, {.policy = {{once}}}), IsOk());
  ASSERT_THAT(webhooks_->ResumeEndpoint("m1", "ep"), IsOk());
  AwaitState(DeliveryState::kDead, 1);
  EXPECT_THAT(receiver.messages(), SizeIs(2));
  Capture("pay_2");
  AwaitState(DeliveryState::kDead, 2);
  EXPECT_THAT(receiver.messages(), SizeIs(3));
}

TEST_F(WebhooksTest, TheEndpointsPolicyGoesBeforeTheMerchantsAndThatBeforeTheDefault) {
  TestReceiver receiver(Always(500));
  WebhookPolicy three = options_.policy, two = options_.policy;
  three.retry.delays.resize(3);
  two.retry.delays.resize(2);
  Create("m1", {.id = "default", .url = receiver.url()});
  Start();
  Capture("pay_1");
  AwaitState(DeliveryState::kDead, 1, "default");
  EXPECT_THAT(receiver.messages(), SizeIs(4));
  ASSERT_THAT(webhooks_->SetMerchantPolicy("m1", three), IsOk());
  Capture("pay_2");
  AwaitState(DeliveryState::kDead, 2, "default");
  EXPECT_THAT(receiver.messages(), SizeIs(7));
  ASSERT_THAT(webhooks_->UpdateEndpoint("m1", "default", 1, {.policy = {{two}}}), IsOk());
  Capture("pay_3");
  AwaitState(DeliveryState::kDead, 3, "default");
  EXPECT_THAT(receiver.messages(), SizeIs(9));
}

TEST_F(WebhooksTest, AResendIsOneAttemptFromAnyState) {
  TestReceiver receiver(Always(500));
  Create("m1", {.id = "ep", .url = receiver.url()});
  Start();
  Capture("pay_1");
  AwaitState(DeliveryState::kDead);
  const DeliveryName name = Deliveries().front().name;
  // Dead, and it fails again: still dead, one receipt more.
  ASSERT_THAT(webhooks_->Resend(name), IsOk());
  Await([&] { return Attempts().size() == 5; });
  EXPECT_EQ(Attempts().back().trigger, AttemptTrigger::kResend);
  EXPECT_EQ(Deliveries().front().state, DeliveryState::kDead);
  // It succeeds: delivered, and no dead letter any more.
  receiver.SetAnswer(Always(200));
  Await([&] { return webhooks_->Resend(name).ok(); });
  AwaitState(DeliveryState::kDelivered);
  Await([&] { return webhooks_->Stats()->dead == 0; });
  // And once more, though it is delivered.
  Await([&] { return webhooks_->Resend(name).ok(); });
  receiver.Await(7);
  Await([&] { return Attempts().size() == 7; });
  EXPECT_EQ(Deliveries().front().state, DeliveryState::kDelivered);
  EXPECT_EQ(receiver.messages().back().headers.id, name.message_id);
  // Not to an endpoint that is disabled, nor of what is not there.
  ASSERT_THAT(webhooks_->DisableEndpoint("m1", "ep", ""), IsOk());
  EXPECT_THAT(webhooks_->Resend(name), StatusIs(absl::StatusCode::kFailedPrecondition));
  DeliveryName none = name;
  none.message_id = "msg_00000000000000000000000000";
  EXPECT_THAT(webhooks_->Resend(none), StatusIs(absl::StatusCode::kNotFound));
  none = name;
  none.merchant_id = "m2";
  EXPECT_THAT(webhooks_->Resend(none), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(WebhooksTest, AResendOfWhatWaitsDeliversItForGood) {
  TestReceiver receiver(Always(500));
  WebhookPolicy slow = options_.policy;
  slow.retry.delays = {absl::ZeroDuration(), absl::Hours(1), absl::Hours(1)};
  Create("m1", {.id = "ep", .url = receiver.url(), .policy = slow});
  Start();
  Capture("pay_1");
  Await([&] { return Attempts().size() == 1; });
  receiver.SetAnswer(Always(200));
  ASSERT_THAT(webhooks_->Resend(Deliveries().front().name), IsOk());
  AwaitState(DeliveryState::kDelivered);
  clock_.Advance(absl::Hours(2));
  Await([&] { return webhooks_->Stats()->waiting == 0; });
  EXPECT_THAT(receiver.messages(), SizeIs(2));
}

TEST_F(WebhooksTest, ATestIsSentWhateverTheFilterAndTriedOnce) {
  TestReceiver receiver;
  const NewEndpoint made = Create("m1", {.id = "ep", .url = receiver.url(), .events = {"payout.paid"}});
  Start();
  NW_ASSERT_OK_AND_ASSIGN(const DeliveryName name, webhooks_->SendTest("m1", "ep"));
  receiver.Await(1);
  const ReceivedMessage message = receiver.messages().front();
  EXPECT_EQ(message.headers.id, name.message_id);
  EXPECT_THAT(message.body, HasSubstr("webhook.test"));
  EXPECT_THAT(VerifyWebhook(std::vector<std::string>{made.secret}, message.headers, message.body, clock_.Now()),
              IsOk());
  AwaitState(DeliveryState::kDelivered);
  receiver.SetAnswer(Always(500));
  ASSERT_THAT(webhooks_->SendTest("m1", "ep"), IsOk());
  AwaitState(DeliveryState::kDead);
  EXPECT_THAT(receiver.messages(), SizeIs(2));
}

TEST_F(WebhooksTest, ARotatedSecretSignsAtOnceAndTheOldOneUntilItsOverlapEnds) {
  TestReceiver receiver;
  const NewEndpoint made = Create("m1", {.id = "ep", .url = receiver.url()});
  Start();
  Capture("pay_1");
  receiver.Await(1);
  NW_ASSERT_OK_AND_ASSIGN(const NewEndpoint rotated, webhooks_->RotateSecret("m1", "ep", {.overlap = absl::Hours(1)}));
  const auto verifies = [&](const std::string& key, const ReceivedMessage& message) {
    return VerifyWebhook(std::vector<std::string>{key}, message.headers, message.body, clock_.Now()).ok();
  };
  Capture("pay_2");
  receiver.Await(2);
  EXPECT_TRUE(verifies(made.secret, receiver.messages()[1]));
  EXPECT_TRUE(verifies(rotated.secret, receiver.messages()[1]));
  clock_.Advance(absl::Hours(2));
  Capture("pay_3");
  receiver.Await(3);
  EXPECT_FALSE(verifies(made.secret, receiver.messages()[2]));
  EXPECT_TRUE(verifies(rotated.secret, receiver.messages()[2]));
}

TEST_F(WebhooksTest, RedriveTriesTheDeadAgainFromTheBeginningOfTheirPolicy) {
  TestReceiver receiver(Always(500));
  Create("m1", {.id = "ep", .url = receiver.url()});
  Start();
  Capture("pay_1");
  Capture("pay_2");
  AwaitState(DeliveryState::kDead, 2);
  receiver.SetAnswer(Always(204));
  EXPECT_THAT(webhooks_->RedriveDead("m1", "ep"), IsOkAndHolds(2u));
  AwaitState(DeliveryState::kDelivered, 2);
  for (const WebhookDelivery& delivery : Deliveries()) EXPECT_EQ(delivery.attempts, 5u);
}

TEST_F(WebhooksTest, RecoveryMakesWhatWasMissedAndTriesWhatIsDeadAgain) {
  TestReceiver receiver(Always(500)), other;
  Create("m1", {.id = "other", .url = other.url()});
  Create("m1", {.id = "ep", .url = receiver.url(), .events = {"payment.*"}});
  Start();
  Capture("pay_dead");
  AwaitState(DeliveryState::kDead, 1, "ep");
  receiver.SetAnswer(Always(204));
  Capture("pay_good");
  AwaitState(DeliveryState::kDelivered, 1, "ep");
  ASSERT_THAT(webhooks_->DisableEndpoint("m1", "ep", "holidays"), IsOk());
  for (int i = 0; i < 3; ++i) Capture("pay_missed_" + std::to_string(i));
  Apply(OfPayout(EventType::kPayoutRequested, "po1", 2, 300));
  Await([&] { return webhooks_->Stats()->followed == ledger_->Head().sequence; });
  EXPECT_THAT(webhooks_->StartRecovery("m1", "ep", absl::InfinitePast()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_THAT(webhooks_->EnableEndpoint("m1", "ep"), IsOk());
  clock_.Advance(absl::Milliseconds(10));
  EXPECT_THAT(webhooks_->CountRecoverable("m1", "ep", absl::InfinitePast()),
              IsOkAndHolds(RecoveryCount{.delivered = 1, .pending = 0, .dead = 1, .missing = 3}));
  ASSERT_THAT(webhooks_->StartRecovery("m1", "ep", absl::InfinitePast(), 0), IsOk());
  AwaitState(DeliveryState::kDelivered, 5, "ep");
  Await([&] { return webhooks_->GetRecovery("m1", "ep")->state == RecoveryState::kDone; });
  EXPECT_EQ(webhooks_->GetRecovery("m1", "ep")->recovered, 4u);
  EXPECT_EQ(webhooks_->CountRecoverable("m1", "ep", absl::InfinitePast())->recoverable(), 0u);
  // The same messages as at the other endpoint; receipts of before are kept.
  std::set<std::string> ids;
  for (const ReceivedMessage& message : receiver.messages()) ids.insert(message.headers.id);
  EXPECT_THAT(ids, SizeIs(5));
  EXPECT_EQ(Deliveries("m1", "ep").front().attempts, 5u);
}

TEST_F(WebhooksTest, ARecoveryGoesOnAfterARestartAndCanBeCanceled) {
  TestReceiver receiver;
  Create("m1", {.id = "ep", .url = receiver.url()});
  ASSERT_THAT(webhooks_->DisableEndpoint("m1", "ep", ""), IsOk());
  Start();
  for (int i = 0; i < 10; ++i) Capture("pay_" + std::to_string(i));
  Await([&] { return webhooks_->Stats()->followed == ledger_->Head().sequence; });
  webhooks_->Stop();
  ASSERT_THAT(webhooks_->EnableEndpoint("m1", "ep"), IsOk());
  clock_.Advance(absl::Milliseconds(10));
  ASSERT_THAT(webhooks_->StartRecovery("m1", "ep", absl::InfinitePast(), 0), IsOk());
  EXPECT_THAT(webhooks_->StartRecovery("m1", "ep", absl::InfinitePast(), 0),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  Reopen();
  EXPECT_EQ(webhooks_->GetRecovery("m1", "ep")->state, RecoveryState::kRunning);
  ASSERT_THAT(webhooks_->CancelRecovery("m1", "ep"), IsOk());
  EXPECT_THAT(webhooks_->CancelRecovery("m1", "ep"), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_THAT(webhooks_->StartRecovery("m1", "ep", absl::InfinitePast(), 0), IsOk());
  Reopen();
  Start();
  AwaitState(DeliveryState::kDelivered, 10);
  EXPECT_THAT(receiver.messages(), SizeIs(10));
}

TEST_F(WebhooksTest, OldMessagesGoWithTheirReceiptsAndUnfinishedOnesStay) {
  TestReceiver receiver;
  Create("m1", {.id = "good", .url = receiver.url(), .events = {"payment.*"}});
  Create("m1", {.id = "paused", .url = receiver.url(), .events = {"payout.*"}});
  ASSERT_THAT(webhooks_->PauseEndpoint("m1", "paused"), IsOk());
  Start();
  Capture("pay_1");
  Apply(OfPayout(EventType::kPayoutRequested, "po1", 2, 300));
  AwaitState(DeliveryState::kDelivered, 1);
  clock_.Advance(absl::Hours(24 * 31));
  Await([&] { return Attempts().empty(); });
  Await([&] { return Deliveries().size() == 1; });
  EXPECT_EQ(Deliveries().front().name.endpoint_id, "paused");
  EXPECT_EQ(Deliveries().front().state, DeliveryState::kPending);
  EXPECT_THAT(webhooks_->Stats()->retention, IsOk());
}

TEST_F(WebhooksTest, NothingIsLostOrMadeTwiceOverRestarts) {
  TestReceiver receiver;
  // On a slow machine, each restart may abort an attempt.
  options_.policy.retry.delays.resize(20, absl::ZeroDuration());
  Reopen();
  Create("m1", {.id = "ep", .url = receiver.url()});
  for (int round = 0; round < 5; ++round) {
    Start();
    for (int i = 0; i < 20; ++i) Capture("pay_" + std::to_string(round) + "_" + std::to_string(i));
    Reopen();
  }
  Start();
  AwaitState(DeliveryState::kDelivered, 100);
  EXPECT_THAT(Deliveries(), SizeIs(100));
  std::set<std::string> bodies;
  for (const ReceivedMessage& message : receiver.messages()) bodies.insert(message.body);
  EXPECT_THAT(bodies, SizeIs(100));
}

TEST_F(WebhooksTest, ARateIsKept) {
  TestReceiver receiver;
  WebhookPolicy slow = options_.policy;
  slow.max_per_second = 0.01;
  slow.burst = 2;
  Create("m1", {.id = "ep", .url = receiver.url(), .policy = slow});
  Start();
  for (int i = 0; i < 4; ++i) Capture("pay_" + std::to_string(i));
  receiver.Await(2);
  Await([&] { return webhooks_->Stats()->attempts == 2; });
  EXPECT_THAT(receiver.messages(), SizeIs(2));
  clock_.Advance(absl::Seconds(100));
  receiver.Await(3);
  clock_.Advance(absl::Seconds(100));
  AwaitState(DeliveryState::kDelivered, 4);
}

TEST_F(WebhooksTest, StopsWithAttemptsUnderWayAndGoesOnAfterwards) {
  std::atomic<bool> hang{true};
  std::mutex mutex;
  std::condition_variable changed;
  TestReceiver receiver([&](const ReceivedMessage&) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !hang; });
    return TestReceiver::Status(204);
  });
  options_.stop_within = absl::ZeroDuration();
  Reopen();
  Create("m1", {.id = "ep", .url = receiver.url()});
  Start();
  Capture("pay_1");
  receiver.Await(1);
  webhooks_->Stop();
  EXPECT_THAT(Failures(), ElementsAre(AttemptFailure::kAborted));
  {
    const std::lock_guard lock(mutex);
    hang = false;
  }
  changed.notify_all();
  Start();
  AwaitState(DeliveryState::kDelivered);
}

TEST_F(WebhooksTest, BadOptionsAndCallsAreRefusedWithTheFieldAtFault) {
  const auto open = [&](const std::function<void(WebhookOptions&)>& change) {
    WebhookOptions options = options_;
    change(options);
    return Webhooks::Open({*ledger_, *store_, *scheduler_}, options).status();
  };
  webhooks_.reset();
  const auto refused = [](const char* field) { return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)); };
  EXPECT_THAT(open([](WebhookOptions& o) { o.host_keys.clear(); }), refused("host_keys"));
  EXPECT_THAT(open([](WebhookOptions& o) { o.host_keys[0].key = "short"; }), refused("key"));
  EXPECT_THAT(open([](WebhookOptions& o) { o.allowed_networks[0].network = "10.0.0.0/33"; }),
              refused("allowed_networks"));
  EXPECT_THAT(open([](WebhookOptions& o) { o.denied_networks = {"nowhere"}; }), refused("denied_networks"));
  EXPECT_THAT(open([](WebhookOptions& o) { o.max_in_flight = 0; }), refused("max_in_flight"));
  EXPECT_THAT(open([](WebhookOptions& o) { o.max_endpoints_per_merchant = 1001; }),
              refused("max_endpoints_per_merchant"));
  EXPECT_THAT(open([](WebhookOptions& o) { o.keep_for = absl::Seconds(1); }), refused("keep_for"));
  EXPECT_THAT(open([](WebhookOptions& o) { o.breaker_pause = absl::Hours(1); }), refused("breaker_pause"));
  EXPECT_THAT(open([](WebhookOptions& o) { o.policy.timeout = absl::Hours(1); }), refused("timeout"));
  EXPECT_THAT(open([](WebhookOptions& o) { o.ca_bundle = "/does/not/exist"; }), refused("ca_bundle"));
  Reopen();
  EXPECT_THAT(webhooks_->CreateEndpoint("m1", {.url = "ftp://x.example/"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(webhooks_->ListDeliveries({}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(webhooks_->ListAttempts({.merchant_id = "m1", .limit = 0}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(webhooks_->SendTest("m1", "none"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(webhooks_->GetRecovery("m1", "none"), StatusIs(absl::StatusCode::kNotFound));
  Start();
  EXPECT_THAT(webhooks_->Start(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace northwind::testing
