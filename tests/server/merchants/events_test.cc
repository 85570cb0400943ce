// SPDX-License-Identifier: Apache-2.0
#include "tests/server/merchants/merchants_fixture.h"

namespace northwind::testing {
namespace {

class EventsTest : public MerchantsFixture {
 protected:
  void SetUp() override {
    MerchantsFixture::SetUp();
    batcher_ = std::make_unique<server::EventBatcher>(*host_.intake);
    server::AddEventRoutes(router_, *batcher_);
  }
  void TearDown() override {
    batcher_->Stop();
    MerchantsFixture::TearDown();
  }
  Response Post(std::string body, std::string_view who = "operator", std::string type = "application/json") {
    Request request = MakeRequest(Method::kPost, "/v1/events", who);
    request.body = std::move(body);
    request.fields.push_back({"Content-Type", std::move(type)});
    return Ask(router_, std::move(request));
  }
  static std::string JsonOf(const PaymentEvent& event) { return *EncodeEventJson(event); }
  Sequence Head() { return host_.ledger->Head().sequence; }

  std::unique_ptr<server::EventBatcher> batcher_;
};

TEST_F(EventsTest, OneObjectHasOneOutcome) {
  const Response response = Post(JsonOf(Captured("p1", 500)) + "\n");
  EXPECT_EQ(response.status, 202);
  const Json outcome = Json::parse(response.body).at("outcomes").at(0);
  const std::string sequence = outcome.at("sequence");
  EXPECT_EQ(outcome.dump(), R"({"status":"applied","type":"PAYMENT_CAPTURED","sequence":")" + sequence +
                                R"(","reason":null,"cause":null,"detail":null})");
  EXPECT_EQ(Json::parse(Post(JsonOf(Captured("p1", 500))).body)["outcomes"][0]["status"], "duplicate");
}

TEST_F(EventsTest, AnArrayHasOneOutcomeEachInOrderAndMalformedOnesAreQuarantined) {
  const Response response = Post("[" + JsonOf(Captured("p1", 500)) + ", {\"type\":\"x\"} ,7," +
                                 JsonOf(OfPayout(EventType::kPayoutRequested, "po1", 1, 900)) + "," +
                                 JsonOf(Refunded("none", 1, 1, "r")) + "]");
  EXPECT_EQ(response.status, 202);
  const Json outcomes = Json::parse(response.body).at("outcomes");
  ASSERT_EQ(outcomes.size(), 5U);
  EXPECT_EQ(outcomes[0]["status"], "applied");
  EXPECT_EQ(outcomes[1]["status"], "quarantined");
  EXPECT_EQ(outcomes[1]["cause"], "malformed");
  EXPECT_TRUE(outcomes[1]["type"].is_null());
  EXPECT_TRUE(outcomes[1]["detail"].is_string());
  EXPECT_EQ(outcomes[2]["status"], "quarantined");
  EXPECT_EQ(outcomes[3]["status"], "rejected");
  EXPECT_EQ(outcomes[3]["reason"], "insufficient_funds");
  EXPECT_EQ(outcomes[4]["status"], "parked");
  EXPECT_EQ(Post("[]").body, R"({"outcomes":[]})");
}

TEST_F(EventsTest, LinesAreAnsweredByLines) {
  const Response response = Post(JsonOf(Captured("p1", 5)) + "\r\n\n" + JsonOf(Captured("p1", 5)), "operator",
                                 "Application/X-NDJSON; charset=utf-8");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.content_type, "application/x-ndjson");
  const size_t end = response.body.find('\n');
  EXPECT_EQ(Json::parse(response.body.substr(0, end))["status"], "applied");
  EXPECT_EQ(Json::parse(response.body.substr(end))["status"], "duplicate");
}

TEST_F(EventsTest, WhatIsNoBodyOfEventsChangesNothing) {
  const Sequence before = Head();
  for (const std::string& body : {std::string("nonsense"), std::string(), "[" + JsonOf(Captured("p1", 5)),
                                  "[" + JsonOf(Captured("p1", 5)) + "] x"}) {
    const Response response = Post(body);
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_EQ(Json::parse(response.body)["code"], "invalid_request");
  }
  EXPECT_EQ(Post(JsonOf(Captured("p1", 5)), "operator", "text/plain").status, 415);
  EXPECT_EQ(Head(), before);
}

TEST_F(EventsTest, AKeyOfOneMerchantSendsItsOwnEventsOnly) {
  EXPECT_EQ(Post(JsonOf(Captured("p1", 500)), "bound").status, 202);
  const Sequence before = Head();
  const std::string mine = JsonOf(Captured("p2", 500));
  const Response response = Post("[" + mine + "," + JsonOf(Captured("p3", 500, 0, "m2")) + "]", "bound");
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(Json::parse(response.body)["code"], "forbidden");
  EXPECT_EQ(Head(), before);
  EXPECT_EQ(Json::parse(Post("{\"type\":1}", "bound").body)["outcomes"][0]["status"], "quarantined");
}

// The ledger goes by the payout's id: an end that names m1 would give m2's money back.
TEST_F(EventsTest, AKeyOfOneMerchantEndsNothing) {
  ASSERT_EQ(Apply(Captured("p1", 500, 0, "m2")).status, EventStatus::kApplied);
  PaymentEvent request = OfPayout(EventType::kPayoutRequested, "po1", 1, 500);
  request.merchant_id = "m2";
  ASSERT_EQ(Apply(request).status, EventStatus::kApplied);
  const Sequence before = Head();
  EXPECT_EQ(Post(JsonOf(OfPayout(EventType::kPayoutCanceled, "po1", 2)), "bound").status, 403);
  EXPECT_EQ(Head(), before);
  EXPECT_EQ(Post(JsonOf(OfPayout(EventType::kPayoutCanceled, "po1", 2))).status, 202);
  EXPECT_GT(Head(), before);
}

TEST_F(EventsTest, AClosedLedgerIsForLaterAndSoIsAStoppedBatcher) {
  ASSERT_THAT(host_.ledger->Close(), IsOk());
  readable_ = false;
  const Response closed = Post(JsonOf(Captured("p1", 5)));
  EXPECT_EQ(closed.status, 503);
  EXPECT_EQ(Json::parse(closed.body)["code"], "unavailable");
  batcher_->Stop();
  EXPECT_EQ(Post(JsonOf(Captured("p1", 5))).status, 503);
}

}  // namespace
}  // namespace northwind::testing
