// SPDX-License-Identifier: Apache-2.0
#include "examples/receivers/receiver_fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "src/webhook/signature.h"
#include "src/webhook/signing_key.h"
#include "tests/http/client_fixture.h"
#include "tests/support/seed.h"

namespace northwind::examples {
namespace {

namespace http = ::northwind::internal::http;
using ::northwind::internal::MessageHeaders;
using ::northwind::internal::SigningKey;
using ::northwind::testing::Fetch;
using ::northwind::testing::kNever;
using ::northwind::testing::MakeClient;
using ::northwind::testing::Results;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr char kBody[] = R"({"type":"payout.paid"})";

class ReceiverFleetTest : public ::testing::Test {
 protected:
  ReceiverFleetTest() { Begin({}); }

  void Begin(const ReceiverFleetOptions& options) {
    fleet_.reset();
    fleet_ = *ReceiverFleet::Start(options);
  }
  std::string Add(ReceiverSpec spec) {
    const absl::StatusOr<std::string> url = fleet_->Add(spec);
    EXPECT_TRUE(url.ok()) << url.status();
    return url.value_or("");
  }
  ReceiverStats StatsOf(std::string_view name) const { return fleet_->Stats(name).value_or(ReceiverStats{}); }

  static http::Request Post(const std::string& url, const std::string& id, absl::Duration timeout = kNever) {
    return {.url = url, .headers = {{"webhook-id", id}}, .body = kBody, .timeout = timeout, .connect_timeout = kNever};
  }
  static http::Request Signed(const std::string& url, const std::string& id, const SigningKey& key) {
    const absl::StatusOr<MessageHeaders> headers = internal::SignMessage({&key, 1}, id, absl::Now(), kBody);
    EXPECT_TRUE(headers.ok());
    http::Request request = Post(url, id);
    request.headers.push_back({"webhook-timestamp", headers->timestamp});
    request.headers.push_back({"webhook-signature", headers->signature});
    return request;
  }
  static std::string PublicText(const SigningKey& key) { return std::string(key.verification_key().Text().view()); }

  std::unique_ptr<ReceiverFleet> fleet_;
  std::unique_ptr<http::Client> client_ = MakeClient();
};

TEST_F(ReceiverFleetTest, AnswersAndCountsEveryIdOnce) {
  const std::string url = Add({.name = "shop"});
  EXPECT_EQ(Fetch(*client_, Post(url, "msg_1")).status, 204);
  EXPECT_EQ(Fetch(*client_, Post(url, "msg_2")).status, 204);
  EXPECT_EQ(Fetch(*client_, Post(url, "msg_1")).status, 204);
  EXPECT_EQ(StatsOf("shop"), (ReceiverStats{.requests = 3,
                                            .distinct = 2,
                                            .duplicates = 1,
                                            .acknowledged = 3,
                                            .distinct_acknowledged = 2,
                                            .repeated_after_acknowledged = 1}));
}

TEST_F(ReceiverFleetTest, KeepsConnections) {
  const std::string url = Add({.name = "shop"});
  EXPECT_FALSE(Fetch(*client_, Post(url, "msg_1")).reused_connection);
  EXPECT_TRUE(Fetch(*client_, Post(url, "msg_2")).reused_connection);
}

TEST_F(ReceiverFleetTest, VerifiesBothSchemesAndCountsWhatIsForged) {
  const SigningKey secret = *SigningKey::Generate(SignatureScheme::kHmacSha256);
  const SigningKey pair = *SigningKey::Generate(SignatureScheme::kEd25519);
  const SigningKey foreign = *SigningKey::Generate(SignatureScheme::kHmacSha256);
  const std::string url = Add({.name = "shop", .keys = {PublicText(secret), PublicText(pair)}});
  Fetch(*client_, Signed(url, "msg_1", secret));
  Fetch(*client_, Signed(url, "msg_2", pair));
  EXPECT_EQ(StatsOf("shop").verified, 2u);
  Fetch(*client_, Signed(url, "msg_3", foreign));
  Fetch(*client_, Post(url, "msg_4"));
  EXPECT_EQ(StatsOf("shop").verified, 2u);
  EXPECT_EQ(StatsOf("shop").signature_failures, 2u);
}

TEST_F(ReceiverFleetTest, KeysCanChange) {
  const SigningKey old_key = *SigningKey::Generate(SignatureScheme::kHmacSha256);
  const SigningKey new_key = *SigningKey::Generate(SignatureScheme::kHmacSha256);
  const std::string url = Add({.name = "shop", .keys = {PublicText(old_key)}});
  EXPECT_TRUE(fleet_->SetKeys("shop", {PublicText(new_key)}).ok());
  Fetch(*client_, Signed(url, "msg_1", old_key));
  Fetch(*client_, Signed(url, "msg_2", new_key));
  EXPECT_EQ(StatsOf("shop").signature_failures, 1u);
  EXPECT_EQ(StatsOf("shop").verified, 1u);
}

TEST_F(ReceiverFleetTest, WhatHangsOrDripsIsCountedAndNeverEnds) {
  const std::string good = Add({.name = "good"});
  for (const Behaviour behaviour : {Behaviour::kHang, Behaviour::kDrip}) {
    const std::string name(Name(behaviour));
    Results results;
    ASSERT_TRUE(client_->Start(Post(Add({.name = name, .behaviour = behaviour}), "msg_1"), results.Callback()).ok());
    while (StatsOf(name).requests == 0) Fetch(*client_, Post(good, "msg_1"));
    EXPECT_TRUE(results.all().empty());
    client_ = MakeClient();
    results.Await(1);
    EXPECT_THAT(results.all()[0], testing::FailsWith(http::Failure::kAborted));
    EXPECT_EQ(StatsOf(name), (ReceiverStats{.requests = 1, .distinct = 1}));
  }
}

TEST_F(ReceiverFleetTest, AResetIsNoAnswer) {
  const std::string url = Add({.name = "shop", .behaviour = Behaviour::kReset});
  EXPECT_THAT(Fetch(*client_, Post(url, "msg_1")), testing::FailsWith(http::Failure::kReceive));
  EXPECT_EQ(StatsOf("shop"), (ReceiverStats{.requests = 1, .distinct = 1}));
}

TEST_F(ReceiverFleetTest, BadAnswersSayWhatTheyAre) {
  const std::string error = Add({.name = "error", .behaviour = Behaviour::kError});
  EXPECT_EQ(Fetch(*client_, Post(error, "msg_1")).status, 500);
  const std::string gone = Add({.name = "gone", .behaviour = Behaviour::kGone});
  EXPECT_EQ(Fetch(*client_, Post(gone, "msg_1")).status, 410);
  const std::string moved = Add({.name = "moved", .behaviour = Behaviour::kRedirect, .location = "http://x.example/"});
  const http::Result redirect = Fetch(*client_, Post(moved, "msg_1"));
  EXPECT_EQ(redirect.status, 302);
  EXPECT_THAT(redirect.FindHeader("location"), Optional(std::string_view("http://x.example/")));
  const std::string busy = Add({.name = "busy", .behaviour = Behaviour::kThrottle, .retry_after = absl::Seconds(7)});
  const http::Result throttled = Fetch(*client_, Post(busy, "msg_1"));
  EXPECT_EQ(throttled.status, 429);
  EXPECT_THAT(throttled.FindHeader("retry-after"), Optional(std::string_view("7")));
  for (const auto& [name, stats] : fleet_->Stats()) EXPECT_EQ(stats.acknowledged, 0u) << name;
}

TEST_F(ReceiverFleetTest, AnEndlessBodyIsThereToBeCut) {
  const std::string url = Add({.name = "shop", .behaviour = Behaviour::kEndless});
  http::Request request = Post(url, "msg_1");
  request.max_body_bytes = 100'000;
  const http::Result result = Fetch(*client_, request);
  EXPECT_EQ(result.status, 200);
  EXPECT_TRUE(result.truncated);
  EXPECT_EQ(StatsOf("shop").acknowledged, 1u);
}

TEST_F(ReceiverFleetTest, AFlakyOneFailsInThreeWaysAndIsHonestAboutIt) {
  const uint64_t seed = testing::TestSeed();
  Begin({.seed = seed});
  const std::string url = Add({.name = "shop", .behaviour = Behaviour::kFlaky, .fail_rate = 0.5});
  constexpr uint64_t kRequests = 400;
  uint64_t acknowledged = 0, errors = 0, unanswered = 0;
  for (uint64_t i = 0; i < kRequests; ++i) {
    const http::Result result = Fetch(*client_, Post(url, absl::StrCat("msg_", i)));
    acknowledged += result.status == 204;
    errors += result.status == 500;
    unanswered += !result.ok();
  }
  EXPECT_EQ(acknowledged + errors + unanswered, kRequests);
  EXPECT_GT(errors, 0u);
  EXPECT_GT(unanswered, 0u);
  const ReceiverStats stats = StatsOf("shop");
  EXPECT_EQ(stats.distinct, kRequests);
  EXPECT_EQ(stats.acknowledged, acknowledged);
  EXPECT_EQ(stats.distinct_acknowledged, acknowledged);
  // A request on a kept connection that ended without an answer was sent again by the client itself.
  EXPECT_EQ(stats.requests, kRequests + stats.duplicates);
  EXPECT_EQ(stats.repeated_after_acknowledged, 0u);
}

TEST_F(ReceiverFleetTest, BehaviourCanChange) {
  const std::string url = Add({.name = "shop", .behaviour = Behaviour::kError});
  EXPECT_EQ(Fetch(*client_, Post(url, "msg_1")).status, 500);
  EXPECT_TRUE(fleet_->SetBehaviour("shop", Behaviour::kOk).ok());
  EXPECT_EQ(Fetch(*client_, Post(url, "msg_1")).status, 204);
  EXPECT_EQ(StatsOf("shop").duplicates, 1u);
  EXPECT_EQ(StatsOf("shop").repeated_after_acknowledged, 0u);
}

TEST_F(ReceiverFleetTest, NamesAreUniqueAndMustBeKnown) {
  Add({.name = "shop"});
  EXPECT_EQ(fleet_->Add({.name = "shop"}).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(fleet_->SetBehaviour("other", Behaviour::kOk).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fleet_->SetKeys("other", {}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fleet_->Stats("other").status().code(), absl::StatusCode::kNotFound);
  for (int i = 0; i <= static_cast<int>(Behaviour::kFlaky); ++i) {
    EXPECT_THAT(BehaviourNamed(Name(static_cast<Behaviour>(i))), Optional(static_cast<Behaviour>(i)));
  }
  EXPECT_EQ(BehaviourNamed("perfect"), std::nullopt);
}

TEST_F(ReceiverFleetTest, TellsOfEveryMessageBeforeItIsAnswered) {
  absl::Mutex mutex;
  std::map<std::string, std::string> told;
  Begin({.on_message = [&](const ReceivedMessage& message) {
    absl::MutexLock lock(&mutex);
    told[absl::StrCat(std::string(message.receiver), " ", message.headers.id)] =
        absl::StrCat(message.answer, " ", std::string(message.body));
  }});
  Fetch(*client_, Post(Add({.name = "a"}), "msg_1"));
  Fetch(*client_, Post(Add({.name = "b", .behaviour = Behaviour::kReset}), "msg_1"));
  absl::MutexLock lock(&mutex);
  EXPECT_THAT(told, ::testing::ElementsAre(::testing::Pair("a msg_1", absl::StrCat("204 ", kBody)),
                                           ::testing::Pair("b msg_1", absl::StrCat("0 ", kBody))));
}

TEST_F(ReceiverFleetTest, HundredsThatHangLeaveOthersAloneAndEndWithTheFleet) {
  Begin({.threads = 2});
  const std::string hanging = Add({.name = "hanging", .behaviour = Behaviour::kHang});
  const std::string good = Add({.name = "good"});
  constexpr size_t kHanging = 300;
  Results hung;
  for (size_t i = 0; i < kHanging; ++i) {
    ASSERT_TRUE(client_->Start(Post(hanging, absl::StrCat("msg_", i)), hung.Callback()).ok());
  }
  EXPECT_EQ(Fetch(*client_, Post(good, "msg_1")).status, 204);
  while (StatsOf("hanging").requests < kHanging) Fetch(*client_, Post(good, "msg_2"));
  EXPECT_TRUE(hung.all().empty());
  fleet_->Stop();
  hung.Await(kHanging);
  EXPECT_EQ(StatsOf("hanging"), (ReceiverStats{.requests = kHanging, .distinct = kHanging}));
  EXPECT_EQ(fleet_->Add({.name = "late"}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace northwind::examples
