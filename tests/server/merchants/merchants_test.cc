// SPDX-License-Identifier: Apache-2.0
//
// What merchants are told of their money, against a recount of the journal that shares nothing with it.
#include <map>
#include <set>

#include "absl/strings/str_split.h"
#include "tests/server/merchants/merchants_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Asset kUsd{.code = "USD", .scale = 2};
const Asset kJpy{.code = "JPY", .scale = 0};
const Asset kBhd{.code = "BHD", .scale = 3};

// A merchant's line in one record: account, kind and units; and what it has after it.
struct Line {
  std::string asset;
  std::string kind;
  int64_t units = 0;
  int64_t available_after = 0;
};

// The journal told anew, for one merchant.
struct Fold {
  std::map<uint64_t, std::vector<Line>> records;         // by sequence
  std::map<std::string, std::array<int64_t, 4>> totals;  // asset → debits, credits, held debits, held credits
};

class MerchantsTest : public MerchantsFixture {
 protected:
  Fold FoldJournal(const std::string& merchant) {
    Fold fold;
    std::map<AccountId, std::string> assets;  // of the merchant's accounts
    std::map<uint64_t, Posting> holds;
    JournalReader reader = host_.ledger->ReadJournal(Sequence());
    for (auto records = reader.Next(1000); records.ok() && !records->empty(); records = reader.Next(1000)) {
      for (const JournalRecord& record : *records) {
        if (const auto* opened = std::get_if<AccountOpened>(&record.body)) {
          if (opened->spec.name.starts_with("merchant:" + merchant + ":")) assets[opened->id] = opened->spec.asset;
        }
        const auto* t = std::get_if<TransactionRecorded>(&record.body);
        if (t == nullptr || t->outcome != Outcome::kApplied) continue;
        const uint64_t sequence = record.sequence.value();
        const auto part = [&](AccountId account, Amount amount, size_t total, int sign, size_t moved_to,
                              const char* kind) {
          if (assets.count(account) == 0) return;
          std::array<int64_t, 4>& totals = fold.totals[assets[account]];
          const auto units = static_cast<int64_t>(absl::Uint128Low64(amount.units()));
          totals[total] += sign * units;
          if (moved_to < 4) totals[moved_to] += units;
          fold.records[sequence].push_back({assets[account], kind, units, totals[1] - totals[0] - totals[2]});
        };
        if (t->transaction.kind == TransactionKind::kHold) holds[sequence] = t->moved.front();
        for (const Posting& p : t->moved) {
          switch (t->transaction.kind) {
            case TransactionKind::kHold:
              part(p.debit, p.amount, 2, 1, 4, "hold_debit");
              part(p.credit, p.amount, 3, 1, 4, "hold_credit");
              break;
            case TransactionKind::kCapture:
              part(p.debit, p.amount, 2, -1, 0, "capture_debit");
              part(p.credit, p.amount, 3, -1, 1, "capture_credit");
              break;
            default:
              part(p.debit, p.amount, 0, 1, 4, "debit");
              part(p.credit, p.amount, 1, 1, 4, "credit");
          }
        }
        if (t->released.is_zero()) continue;
        part(holds[t->target.value()].debit, t->released, 2, -1, 4, "release_debit");
        part(holds[t->target.value()].credit, t->released, 3, -1, 4, "release_credit");
      }
    }
    return fold;
  }

  // Payments, refunds, disputes and payouts of two merchants in three assets.
  void Play(uint64_t seed, int steps) {
    Random random(seed);
    const Asset assets[] = {kUsd, kJpy, kBhd};
    for (int i = 0; i < steps; ++i) {
      const std::string n = std::to_string(i);
      const std::string earlier = std::to_string(random.Below(static_cast<uint64_t>(i) + 1));
      PaymentEvent event{.occurred_at = At(i), .merchant_id = random.Percent(70) ? "m1" : "m2"};
      const Money money{assets[random.Below(3)], 1 + random.Below(1000)};
      switch (random.Below(8)) {
        case 0:
          event.type = EventType::kPaymentRefunded;
          event.payment_id = "p" + earlier;
          event.refund_id = "r" + n;
          event.amount = money;
          break;
        case 1:
          event.type = EventType::kDisputeOpened;
          event.payment_id = "p" + earlier;
          event.amount = money;
          break;
        case 2:
          event.type = random.Percent(50) ? EventType::kDisputeLost : EventType::kDisputeWon;
          event.payment_id = "p" + earlier;
          break;
        case 3:
          event.type = EventType::kPayoutRequested;
          event.payout_id = "o" + n;
          event.amount = money;
          break;
        case 4: {
          constexpr EventType kEnds[] = {EventType::kPayoutPaid, EventType::kPayoutFailed, EventType::kPayoutReturned};
          event.type = kEnds[random.Below(3)];
          event.payout_id = "o" + earlier;
          break;
        }
        default:
          event.type = EventType::kPaymentCaptured;
          event.payment_id = "p" + n;
          event.amount = money;
          if (random.Percent(50)) event.fee = Money{money.asset, absl::Uint128Low64(money.units.units()) / 10};
      }
      Apply(event);
      clock_.Advance(absl::Seconds(1));
    }
  }
};

std::string Text(int64_t value) { return std::to_string(value); }

TEST_F(MerchantsTest, BalancesTransactionsAndStatementsAreWhatARecountFinds) {
  Play(TestSeed(), 400);
  const Fold fold = FoldJournal("m1");
  const Json balances = GetJson("/v1/merchants/m1/balances").at("balances");
  ASSERT_EQ(balances.size(), fold.totals.size());
  for (const Json& balance : balances) {
    const auto& totals = fold.totals.at(balance.at("asset"));
    EXPECT_EQ(balance.at("available"), Text(totals[1] - totals[0] - totals[2]));
    EXPECT_EQ(balance.at("held"), Text(totals[2]));
    EXPECT_EQ(balance.at("debits_posted"), Text(totals[0]));
    EXPECT_EQ(balance.at("credits_posted"), Text(totals[1]));
  }
  const std::vector<Json> all = GetAll("/v1/merchants/m1/transactions?limit=1000");
  ASSERT_EQ(all.size(), fold.records.size());
  auto expected = fold.records.rbegin();
  for (const Json& transaction : all) {
    ASSERT_EQ(transaction.at("sequence"), std::to_string(expected->first));
    ASSERT_EQ(transaction.at("entries").size(), expected->second.size());
    for (size_t i = 0; i < expected->second.size(); ++i) {
      const Json& entry = transaction.at("entries")[i];
      EXPECT_EQ(entry.at("account"), "available");
      EXPECT_EQ(entry.at("kind"), expected->second[i].kind);
      EXPECT_EQ(entry.at("amount").at("asset"), expected->second[i].asset);
      EXPECT_EQ(entry.at("amount").at("units"), Text(expected->second[i].units));
    }
    ++expected;
  }
  for (const Asset& asset : {kUsd, kJpy, kBhd}) {
    const Response response = Get("/v1/merchants/m1/statement?asset=" + asset.ToString());
    ASSERT_EQ(response.status, 200);
    std::vector<std::string> lines = absl::StrSplit(response.body, "\r\n");
    ASSERT_EQ(lines.front(), "sequence,recorded_at,type,payment_id,payout_id,kind,amount,available_after");
    ASSERT_EQ(lines.back(), "");
    size_t at = 0;
    for (const auto& [sequence, parts] : fold.records) {
      for (const Line& part : parts) {
        if (part.asset != asset.ToString()) continue;
        ASSERT_LT(++at, lines.size() - 1);
        const std::vector<std::string> cells = absl::StrSplit(lines[at], ',');
        ASSERT_EQ(cells.size(), 8U);
        EXPECT_EQ(cells[0], std::to_string(sequence));
        EXPECT_EQ(cells[5], part.kind);
        EXPECT_EQ(cells[6], FormatUnits(part.units, asset.scale));
        EXPECT_EQ(cells[7], FormatUnits(part.available_after, asset.scale));
      }
    }
    EXPECT_EQ(at + 2, lines.size());
  }
}

TEST_F(MerchantsTest, PagesOfAnySizeCoverAllExactlyOnceAlsoWhileMoreIsRecorded) {
  Play(TestSeed(), 120);
  const auto sequences = [](const std::vector<Json>& list) {
    std::vector<std::string> all;
    for (const Json& item : list) all.push_back(item.at("sequence"));
    return all;
  };
  for (const std::string filter :
       {"", "&asset=USD/2", "&type=PAYOUT_REQUESTED", "&asset=JPY/0&type=PAYMENT_CAPTURED"}) {
    const std::vector<std::string> whole = sequences(GetAll("/v1/merchants/m1/transactions?limit=1000" + filter));
    ASSERT_FALSE(whole.empty());
    EXPECT_EQ(std::set<std::string>(whole.begin(), whole.end()).size(), whole.size());
    for (size_t limit = 1; limit <= whole.size() + 1; limit = limit < 12 ? limit + 1 : 2 * limit) {
      EXPECT_EQ(sequences(GetAll("/v1/merchants/m1/transactions?limit=" + std::to_string(limit) + filter)), whole);
    }
  }
  const Json first = GetJson("/v1/merchants/m1/transactions?limit=5");
  const Json second =
      GetJson("/v1/merchants/m1/transactions?limit=5&cursor=" + first.at("next_cursor").get<std::string>());
  ASSERT_EQ(Apply(Captured("later", 100)).status, EventStatus::kApplied);
  EXPECT_EQ(GetJson("/v1/merchants/m1/transactions?limit=5&cursor=" + first.at("next_cursor").get<std::string>()),
            second);
}

TEST_F(MerchantsTest, ATransactionSaysWhatItIsAndWhatWorkedOnIt) {
  PaymentEvent captured = Captured("pay:1", 1000, 30);
  captured.metadata["order"] = "A-17";
  const Sequence capture = Apply(captured).sequence;
  const Sequence refund = Apply(Refunded("pay:1", 400, 1, "r1")).sequence;
  const std::string path = "/v1/merchants/m1/transactions/";
  const Json json = GetJson(path + std::to_string(capture.value()), "m1");
  EXPECT_EQ(json.at("type"), "PAYMENT_CAPTURED");
  EXPECT_EQ(json.at("payment_id"), "pay:1");
  EXPECT_TRUE(json.at("payout_id").is_null());
  EXPECT_EQ(json.at("metadata").dump(), R"({"order":"A-17"})");
  EXPECT_EQ(json.at("effective_at"), "2024-03-01T12:00:00.000000Z");
  EXPECT_EQ(json.at("entries").dump(),
            R"([{"account":"available","kind":"credit","amount":{"asset":"USD/2","units":"1000"}},)"
            R"({"account":"available","kind":"debit","amount":{"asset":"USD/2","units":"30"}}])");
  EXPECT_EQ(json.at("links").dump(), "[\"" + std::to_string(refund.value()) + "\"]");
  EXPECT_EQ(GetJson(path + std::to_string(refund.value())).at("payment_id"), "pay:1");
  // Not there, of nobody, another's, rejected, no number: all the same.
  const Sequence rejected = Apply(OfPayout(EventType::kPayoutRequested, "po", 1, 9'000)).sequence;
  const Response none = Get(path + "999999", "m1");
  EXPECT_EQ(none.status, 404);
  for (const std::string& sequence : {std::string("1"), std::to_string(rejected.value()), std::string("0"),
                                      std::string("007"), std::string("x"), std::string("99999999999999999999")}) {
    EXPECT_EQ(Get(path + sequence, "m1").body, none.body) << sequence;
  }
  EXPECT_EQ(Get("/v1/merchants/m2/transactions/" + std::to_string(capture.value()), "m2").body, none.body);
  EXPECT_EQ(Get(path + std::to_string(capture.value()), "m2").body, none.body);
}

// The end of a payout may be told in another merchant's name: what that wrote is not this one's to read.
TEST_F(MerchantsTest, MetadataOfAnotherMerchantIsNotShown) {
  Apply(Captured("p1", 1000));
  Apply(OfPayout(EventType::kPayoutRequested, "po1", 1, 1000));
  PaymentEvent end = OfPayout(EventType::kPayoutFailed, "po1", 2);
  end.merchant_id = "m2";
  end.metadata["secret"] = "of m2";
  const Sequence sequence = Apply(end).sequence;
  const Json json = GetJson("/v1/merchants/m1/transactions/" + std::to_string(sequence.value()), "m1");
  EXPECT_EQ(json.at("metadata").dump(), "{}");
  EXPECT_EQ(json.at("entries").at(0).at("kind"), "release_debit");
  EXPECT_EQ(Get("/v1/merchants/m2/transactions/" + std::to_string(sequence.value()), "m2").status, 404);
}

TEST_F(MerchantsTest, AHostsHoldThatRanOutIsATransactionOfNoType) {
  Apply(Captured("p1", 1000));
  NW_ASSERT_OK_AND_ASSIGN(const AccountId mine, host_.ledger->FindAccount("merchant:m1:available:USD/2"));
  NW_ASSERT_OK_AND_ASSIGN(const AccountId other, host_.ledger->FindAccount("processor:USD/2"));
  Transaction hold{.key = DeriveKey("h", At(0)), .kind = TransactionKind::kHold, .postings = {{mine, other, 300}}};
  hold.code = EventCode(EventType::kPayoutRequested);
  hold.expires_at = clock_.Now() + absl::Seconds(10);
  NW_ASSERT_OK_AND_ASSIGN(const CommitResult held, host_.ledger->Commit(hold));
  ASSERT_EQ(held.outcome, Outcome::kApplied);
  clock_.Advance(absl::Minutes(1));
  EXPECT_THAT(host_.ledger->ExpireHolds(), IsOkAndHolds(1U));
  const std::vector<Json> all = GetAll("/v1/merchants/m1/transactions?limit=1");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_TRUE(all[0].at("type").is_null());
  EXPECT_EQ(all[0].at("entries").at(0).at("kind"), "release_debit");
  EXPECT_EQ(GetJson("/v1/merchants/m1/transactions/" + all[0].at("sequence").get<std::string>()).at("links").size(),
            0U);
  EXPECT_EQ(GetAll("/v1/merchants/m1/transactions?limit=1&type=PAYOUT_REQUESTED").size(), 1U);
  EXPECT_THAT(Get("/v1/merchants/m1/statement?asset=USD/2").body, HasSubstr(",,,,release_debit,3.00,10.00\r\n"));
}

TEST_F(MerchantsTest, BalancesAndListsAsOfATime) {
  Apply(Captured("p1", 1000));
  clock_.Advance(absl::Hours(1));
  const std::string between = server::TimeJson(clock_.Now()).get<std::string>();
  clock_.Advance(absl::Hours(1));
  Apply(Captured("p2", 500));
  const Json then = GetJson("/v1/merchants/m1/balances?at=" + between);
  EXPECT_EQ(then.at("balances").at(0).at("available"), "1000");
  EXPECT_EQ(then.at("at"), between);
  EXPECT_EQ(GetJson("/v1/merchants/m1/balances").at("balances").at(0).at("available"), "1500");
  EXPECT_EQ(GetAll("/v1/merchants/m1/transactions?from=" + between).at(0).at("payment_id"), "p2");
  EXPECT_EQ(GetAll("/v1/merchants/m1/transactions?before=" + between).at(0).at("payment_id"), "p1");
  EXPECT_THAT(Get("/v1/merchants/m1/statement?asset=USD/2&from=" + between).body, HasSubstr("p2,,credit,5.00,15.00"));
}

TEST_F(MerchantsTest, MerchantsAreListedWithTheirBalancesPageByPage) {
  // ':' sorts between '9' and 'A': names that begin alike do not mix.
  const std::set<std::string> ids = {"a", "a-1", "a.b", "a1", "aA", "a_", "b"};
  for (const std::string& id : ids) {
    Apply(Captured("p-" + id, 700, 0, id));
    PaymentEvent yen = Captured("q-" + id, 5, 0, id);
    yen.amount = Money{kJpy, 5};
    Apply(yen);
  }
  for (const size_t limit : {1, 2, 3, 7, 8}) {
    std::set<std::string> seen;
    for (const Json& merchant : GetAll("/v1/merchants?limit=" + std::to_string(limit))) {
      EXPECT_TRUE(seen.insert(merchant.at("merchant_id")).second);
      ASSERT_EQ(merchant.at("balances").size(), 2U);
      EXPECT_EQ(merchant.at("balances").at(1).at("available"), "700");
    }
    EXPECT_EQ(seen, ids);
  }
  EXPECT_EQ(Get("/v1/merchants", "m1").status, 403);
}

TEST_F(MerchantsTest, AMerchantWithoutAccountsHasEmptyLists) {
  for (const char* who : {"operator", "m1"}) {
    EXPECT_EQ(Get("/v1/merchants/m1/balances", who).body, R"({"merchant_id":"m1","at":null,"balances":[]})");
    EXPECT_EQ(Get("/v1/merchants/m1/transactions", who).body, R"({"data":[],"next_cursor":null})");
    EXPECT_EQ(Get("/v1/merchants/m1/statement?asset=USD/2", who).body,
              "sequence,recorded_at,type,payment_id,payout_id,kind,amount,available_after\r\n");
  }
  // No part of another's name is a merchant.
  Apply(Captured("p1", 1000));
  EXPECT_THAT(GetJson("/v1/merchants/m1:available/balances").at("balances"), IsEmpty());
  EXPECT_THAT(GetAll("/v1/merchants/m/transactions?limit=9"), IsEmpty());
}

TEST_F(MerchantsTest, WhatIsAskedWronglyIsRefused) {
  Apply(Captured("p1", 1000));
  const std::string one = "/v1/merchants/m1";
  for (const std::string target :
       {"/balances?at=yesterday", "/balances?limit=1", "/balances?x=1", "/transactions?limit=0",
        "/transactions?limit=1001", "/transactions?type=SALE", "/transactions?asset=usd", "/transactions?cursor=MDA3",
        "/transactions?cursor=%", "/transactions?from=1",
        "/transactions?from=2026-01-01T00:00:00Z&from=2026-01-01T00:00:00Z", "/statement", "/statement?asset=USD",
        "/statement?asset=USD/2&limit=5", "/summary?cursor=x"}) {
    EXPECT_EQ(Get(one + target).status, 400) << target;
  }
  EXPECT_EQ(Get("/v1/merchants?cursor=eA").status, 400);
  for (const char* route : {"/balances", "/transactions", "/statement?asset=USD/2", "/summary"}) {
    EXPECT_EQ(Get(one + route, "m2").status, 404) << route;
    EXPECT_EQ(Get(one + route, "nobody").status, 401) << route;
  }
}

TEST_F(MerchantsTest, TheSummaryCountsTheDay) {
  Apply(Captured("old", 5000));
  clock_.Advance(absl::Hours(48));
  Apply(Captured("p1", 1000, 50));
  Apply(Captured("p2", 500));
  Apply(Refunded("p1", 400, 1, "r1"));
  Apply(OfPayout(EventType::kPayoutRequested, "po1", 1, 300));
  Apply(OfPayout(EventType::kPayoutRequested, "po2", 1, 200));
  Apply(OfPayout(EventType::kPayoutPaid, "po1", 2));
  Request request = MakeRequest(Method::kGet, "/v1/merchants/m1/summary", "m1");
  request.received_at = clock_.Now();
  // The day may have begun since the first of them: say when it did.
  request.query = {{"from", server::TimeJson(clock_.Now() - absl::Hours(1)).get<std::string>()}};
  const Json json = Json::parse(Ask(router_, request).body);
  EXPECT_EQ(json.at("today").dump(),
            R"({"captured":[{"asset":"USD/2","units":"1500"}],"refunded":[{"asset":"USD/2","units":"400"}],)"
            R"("payouts":[{"asset":"USD/2","units":"300"}],"events":"6"})");
  EXPECT_EQ(json.at("payouts_under_way"), "1");
  EXPECT_EQ(json.at("endpoints").dump(), R"({"enabled":"0","paused":"0","disabled":"0","failing":"0"})");
  EXPECT_TRUE(json.at("deliveries").at("success_rate").is_null());
  EXPECT_EQ(json.at("truncated"), false);
  request.query = {};
  request.received_at = clock_.Now() + absl::Hours(24);
  EXPECT_EQ(Json::parse(Ask(router_, request).body).at("today").at("events"), "0");
}

}  // namespace
}  // namespace northwind::testing
