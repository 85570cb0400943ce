// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "absl/strings/str_split.h"
#include "src/settlement/payout_record.h"
#include "src/store/engine.h"
#include "tests/server/merchants/merchants_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class PayoutsTest : public MerchantsFixture {
 protected:
  // Of a merchant with plenty; a second after the one before.
  void Request(const std::string& payout, uint64_t cents, const std::string& merchant = "m1",
               const Asset& asset = {"USD", 2}) {
    clock_.Advance(absl::Seconds(1));
    PaymentEvent money = Captured("pay_" + payout, 1, 0, merchant);
    money.amount = Money{asset, cents};
    EXPECT_EQ(Apply(money).status, EventStatus::kApplied);
    PaymentEvent event = OfPayout(EventType::kPayoutRequested, payout, 1);
    event.merchant_id = merchant;
    event.amount = money.amount;
    EXPECT_EQ(Apply(event).status, EventStatus::kApplied);
  }
  // Until the bank has answered for all.
  void WorkOff() {
    for (int quiet = 0; quiet < 3;) {
      Follow();
      const auto worked = host_.payouts->WorkOnce();
      ASSERT_THAT(worked, IsOk());
      quiet = *worked == 0 ? quiet + 1 : 0;
      clock_.Advance(absl::Hours(1));
    }
  }
  Response Cancel(const std::string& payout, std::string_view who = "operator") {
    return Ask(router_, MakeRequest(Method::kPost, "/v1/operator/payouts/" + payout + "/cancel", who));
  }
  std::vector<std::string> Ids(const std::string& query) {
    std::vector<std::string> ids;
    for (const Json& payout : GetAll("/v1/merchants/m1/payouts?" + query)) ids.push_back(payout.at("payout_id"));
    return ids;
  }
};

TEST_F(PayoutsTest, EveryPayoutEndsAndTheListTellsWhatTheBankAndTheLedgerSay) {
  std::map<std::string, uint64_t> asked;
  for (int i = 0; i < 60; ++i) {
    const std::string id = "po" + std::to_string(100 + i);
    Request(id, asked[id] = 100 + static_cast<uint64_t>(i));
  }
  WorkOff();
  const std::vector<Json> all = GetAll("/v1/merchants/m1/payouts?limit=7");
  ASSERT_THAT(all, SizeIs(asked.size()));
  absl::uint128 paid = 0;
  for (const Json& payout : all) {
    EXPECT_EQ(payout.at("amount").at("units"), std::to_string(asked.at(payout.at("payout_id"))));
    EXPECT_TRUE(payout.at("state") == "paid" || payout.at("state") == "failed");
    EXPECT_TRUE(payout.at("settled_at").is_string());
    EXPECT_EQ(payout.at("merchant_id"), "m1");
    if (payout.at("state") == "paid") paid += asked.at(payout.at("payout_id"));
  }
  NW_ASSERT_OK_AND_ASSIGN(const auto books, examples::SimulatedRail::ReadBooks(directory_ / "bank"));
  EXPECT_EQ(books.totals.at("USD/2"), paid);
  EXPECT_EQ(Ids("state=paid").size() + Ids("state=failed").size(), asked.size());
}

TEST_F(PayoutsTest, DamagedRecordsFailNoListAndSayWhichPayoutIsSetAside) {
  for (int i = 0; i < 4; ++i) Request("po" + std::to_string(i), 300);
  WorkOff();
  const std::vector<Json> before = GetAll("/v1/merchants/m1/payouts");
  Request("po9", 300);
  Follow();
  internal::WriteSet writes;
  writes.Put(internal::Space::kHost, internal::PayoutViewKey("po1"), "damaged");
  writes.Put(internal::Space::kHost, internal::PayoutViewKey("po9"), "damaged");
  writes.Put(internal::Space::kHost, internal::PayoutRailKey("po9"), "damaged");
  ASSERT_THAT(host_.store->engine().Write(writes), IsOk());
  Request("poA", 300);
  WorkOff();
  ASSERT_THAT(host_.payouts->status(), IsOk());
  const std::vector<Json> after = GetAll("/v1/merchants/m1/payouts?limit=2");
  ASSERT_THAT(after, SizeIs(6));
  EXPECT_EQ(after[0].at("payout_id"), "poA");
  EXPECT_TRUE(after[0].at("state") == "paid" || after[0].at("state") == "failed");
  EXPECT_EQ(after[1].at("payout_id"), "po9");
  EXPECT_EQ(after[1].at("state"), "submitted");
  EXPECT_EQ(after[1].at("amount").at("units"), "300");
  EXPECT_THAT(after[1].at("attention").get<std::string>(), StartsWith("the record of its rail calls was damaged"));
  EXPECT_EQ(std::vector<Json>(after.begin() + 2, after.end()), before) << "as if nothing had been";
  EXPECT_EQ(GetJson("/v1/merchants/m1/payouts/po9", "m1").at("attention"), after[1].at("attention"));
  EXPECT_EQ(Get("/v1/merchants/m1/payouts.csv").status, 200);
  EXPECT_EQ(Cancel("po9").status, 409);
  EXPECT_EQ(host_.scheduler->ListDead({.queue = "nw/payout"})->tasks.size(), 1U);
}

TEST_F(PayoutsTest, ListsAreFilteredAndPagedWithoutLossForAnyLimit) {
  for (int i = 0; i < 12; ++i)
    Request("po" + std::to_string(100 + i), 100 + static_cast<uint64_t>(i), "m1",
            i % 3 == 0 ? Asset{"JPY", 0} : Asset{"USD", 2});
  Request("other", 100, "m2");
  Follow();
  const std::vector<std::string> whole = Ids("limit=1000");
  ASSERT_THAT(whole, SizeIs(12));
  for (const std::string filter : {"", "&asset=USD/2", "&min_units=104&max_units=109", "&asset=JPY/0&min_units=103"}) {
    const std::vector<std::string> expected = Ids("limit=1000" + filter);
    for (size_t limit = 1; limit <= 13; ++limit) {
      EXPECT_EQ(Ids("limit=" + std::to_string(limit) + filter), expected) << limit << filter;
    }
  }
  EXPECT_THAT(Ids("min_units=104&max_units=106"), ElementsAre("po106", "po105", "po104")) << "the newest first";
  EXPECT_THAT(Ids("asset=JPY/0&max_units=103"), ElementsAre("po103", "po100"));
  EXPECT_THAT(Ids("state=paid"), IsEmpty());
  const std::string at = GetJson("/v1/merchants/m1/payouts/po106").at("requested_at");
  EXPECT_THAT(Ids("before=" + at), SizeIs(6));
  for (const char* query :
       {"state=done", "min_units=-1", "min_units=1.5", "max_units=x", "asset=x", "from=x", "cursor=eA", "x=1"}) {
    EXPECT_EQ(Get(std::string("/v1/merchants/m1/payouts?") + query).status, 400) << query;
  }
}

TEST_F(PayoutsTest, AnotherTenantsPayoutIsNotThereByteForByte) {
  Request("mine", 100);
  Request("theirs", 100, "m2");
  Follow();
  EXPECT_EQ(Get("/v1/merchants/m1/payouts/mine", "m1").status, 200);
  const Response none = Get("/v1/merchants/m1/payouts/none", "m1");
  EXPECT_EQ(none.status, 404);
  for (const auto& [target, who] :
       std::vector<std::pair<std::string, std::string>>{{"/v1/merchants/m1/payouts/theirs", "m1"},
                                                        {"/v1/merchants/m2/payouts/theirs", "m1"},
                                                        {"/v1/merchants/m1/payouts/theirs", "operator"},
                                                        {"/v1/merchants/m1/payouts/no%20id%0a", "m1"},
                                                        {"/v1/merchants/m1/payouts/" + std::string(300, 'x'), "m1"}}) {
    const Response response = Get(target, who);
    EXPECT_EQ(response.status, none.status) << target;
    EXPECT_EQ(response.body, none.body) << target;
    EXPECT_EQ(response.content_type, none.content_type);
    EXPECT_EQ(response.fields.size(), none.fields.size());
  }
  EXPECT_EQ(Get("/v1/merchants/m2/payouts", "m1").status, 404);
  EXPECT_EQ(Get("/v1/merchants/m2/payouts.csv", "m1").status, 404);
}

TEST_F(PayoutsTest, OneTellsItsStoryAndTheProviderKeyToOperatorsOnly) {
  Request("po1", 100);
  WorkOff();
  const Json json = GetJson("/v1/merchants/m1/payouts/po1");
  EXPECT_THAT(json.at("provider_key").get<std::string>(), StartsWith("nw"));
  EXPECT_EQ(json.at("timeline").at(0).at("what"), "PAYOUT_REQUESTED");
  EXPECT_EQ(json.at("timeline").at(1).at("what"), "submit");
  EXPECT_TRUE(json.at("timeline").at(1).at("sequence").is_null());
  ASSERT_EQ(json.at("transactions").size(), 2U);
  EXPECT_EQ(json.at("transactions").at(0), json.at("timeline").at(0).at("sequence"));
  EXPECT_EQ(
      GetJson("/v1/merchants/m1/transactions/" + json.at("transactions").at(0).get<std::string>()).at("payout_id"),
      "po1");
  EXPECT_TRUE(json.at("next_attempt").is_null());
  const Json seen = GetJson("/v1/merchants/m1/payouts/po1", "m1");
  EXPECT_FALSE(seen.contains("provider_key"));
  EXPECT_EQ(seen.at("timeline"), json.at("timeline"));
  const Json end = GetJson("/v1/merchants/m1/transactions/" + json.at("transactions").at(1).get<std::string>(), "m1");
  EXPECT_EQ(end.at("type"), "PAYOUT_PAID");
  EXPECT_FALSE(end.at("metadata").contains("provider_key")) << end;
}

TEST_F(PayoutsTest, OneListsWhatItsMerchantWasTold) {
  // Nobody listens there: the messages are made, and wait.
  NW_ASSERT_OK_AND_ASSIGN(const NewEndpoint endpoint,
                          host_.webhooks->CreateEndpoint("m1", {.id = "ep", .url = "http://127.0.0.1:1/"}));
  Request("po1", 100);
  Request("po2", 100);
  Follow();
  ASSERT_THAT(host_.webhooks->Start(), IsOk());
  while (host_.webhooks->Stats()->followed < host_.ledger->Head().sequence) std::this_thread::yield();
  const Json json = GetJson("/v1/merchants/m1/payouts/po1", "m1");
  ASSERT_EQ(json.at("deliveries").size(), 1U);
  EXPECT_EQ(json.at("deliveries").at(0).at("type"), "payout.requested");
  EXPECT_EQ(json.at("deliveries").at(0).at("endpoint_id"), "ep");
  EXPECT_EQ(json.at("deliveries").at(0).at("sequence"), json.at("transactions").at(0));
  const Json summary = GetJson("/v1/merchants/m1/summary?from=2020-01-01T00:00:00Z");
  EXPECT_EQ(summary.at("endpoints").at("enabled"), "1");
  EXPECT_EQ(summary.at("deliveries").at("pending"), "4");
}

TEST_F(PayoutsTest, AnExportHoldsTheWholeList) {
  for (int i = 0; i < 5; ++i) Request("po" + std::to_string(i), 1050 + static_cast<uint64_t>(i));
  Follow();
  const Response response = Get("/v1/merchants/m1/payouts.csv?min_units=1052", "m1");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.content_type, StartsWith("text/csv"));
  const std::vector<std::string> lines = absl::StrSplit(response.body, "\r\n");
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_EQ(lines[0], "payout_id,merchant_id,asset,amount,state,reason,requested_at,settled_at,submits,queries");
  EXPECT_THAT(lines[1], StartsWith("po2,m1,USD/2,10.52,requested,,2"));
  EXPECT_EQ(lines[4], "");
  EXPECT_EQ(Get("/v1/merchants/m1/payouts.csv?limit=1").status, 400);
  EXPECT_EQ(Get("/v1/merchants/m1/payouts.csv?state=x").status, 400);
}

TEST_F(PayoutsTest, ACancelIsWrittenToTheTrailBeforeAndAfter) {
  Request("po1", 100);
  Follow();
  const Response response = Cancel("po1");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(Json::parse(response.body).at("state"), "canceled");
  Follow();
  EXPECT_EQ(GetJson("/v1/merchants/m1/payouts/po1").at("state"), "canceled");
  EXPECT_EQ(GetJson("/v1/merchants/m1/balances").at("balances").at(0).at("held"), "0");
  NW_ASSERT_OK_AND_ASSIGN(const auto entries, host_.audit->List());
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[1].detail, R"({"stage":"asked"})");
  EXPECT_EQ(entries[0].detail, R"({"stage":"done","outcome":"canceled"})");
  for (const auto& entry : entries) {
    EXPECT_EQ(entry.actor, "key:operator");
    EXPECT_EQ(entry.action, "cancelPayout");
    EXPECT_EQ(entry.subject, "payout po1");
    EXPECT_EQ(entry.request_id, "req_test");
  }
}

TEST_F(PayoutsTest, WhatCannotBeCanceledIsNotAndTheTrailSaysSo) {
  Request("po1", 100);
  WorkOff();
  const Json before = GetJson("/v1/merchants/m1/payouts/po1");
  const Response response = Cancel("po1");
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(Json::parse(response.body).at("code"), "wrong_state");
  EXPECT_EQ(GetJson("/v1/merchants/m1/payouts/po1"), before);
  NW_ASSERT_OK_AND_ASSIGN(const auto entries, host_.audit->List());
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(Json::parse(entries[0].detail).at("outcome"), "refused");
  EXPECT_EQ(Cancel("none").status, 404);
  EXPECT_EQ(Cancel("po1", "m1").status, 403);
}

TEST_F(PayoutsTest, WithoutPayoutsTheyAreNotConfigured) {
  host_.payouts.reset();
  for (const char* target :
       {"/v1/merchants/m1/payouts", "/v1/merchants/m1/payouts/po1", "/v1/merchants/m1/payouts.csv"}) {
    const Response response = Get(target, "m1");
    EXPECT_EQ(response.status, 409);
    EXPECT_EQ(Json::parse(response.body).at("code"), "not_configured");
  }
  EXPECT_EQ(Cancel("po1").status, 409);
}

}  // namespace
}  // namespace northwind::testing
