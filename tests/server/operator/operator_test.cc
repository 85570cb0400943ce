// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "examples/reference_server/assigned_rail.h"
#include "examples/reference_server/observe/log.h"
#include "examples/reference_server/upkeep.h"
#include "tests/server/operator/operator_world.h"
#include "tests/support/memory_claims.h"
#include "tests/support/status_matchers.h"

namespace northwind::server {
namespace {

using ::northwind::testing::CaptureText;
using ::northwind::testing::MemoryClaims;
using ::northwind::testing::OperatorWorld;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TempDir;
using ::testing::HasSubstr;

constexpr char kO[] = "/v1/operator";

// ---- Host

TEST(ServerHost, OpensStartsStopsAndOpensAgain) {
  const TempDir folder;
  const ServerOptions options{.data = folder / "data"};
  for (int round = 0; round < 2; ++round) {
    NW_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Host> host, Host::Open(options));
    EXPECT_EQ(host->Start(), absl::OkStatus());
    EXPECT_THAT(Host::Open(options),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("One server has one directory")));
    EXPECT_NE(host->payouts, nullptr);
    EXPECT_EQ(host->cutover, nullptr);
    host->Stop();
    host->Stop();
  }
}

TEST(ServerHost, AShadowSendsNothingUntilItIsLeft) {
  const TempDir folder;
  ServerOptions options{.data = folder / "data", .shadow = true};
  {
    NW_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Host> host, Host::Open(options));
    EXPECT_EQ(host->Start(), absl::OkStatus());
    EXPECT_EQ(host->payouts, nullptr);
    EXPECT_EQ(host->webhooks, nullptr);
    host->Stop();
  }
  options.shadow = false;
  EXPECT_THAT(Host::Open(options), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("start with --shadow")));
  options.leave_shadow = true;
  // A batch pays beside it, for all that is known: without claims both could pay.
  EXPECT_THAT(Host::Open(options), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("cutover-salt")));
  options.batch_gone = true;
  NW_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Host> host, Host::Open(options));
  EXPECT_NE(host->payouts, nullptr);
  host->Stop();
}

TEST(ServerHost, AKeyThatOthersMayReadIsRefused) {
  const TempDir folder;
  const ServerOptions options{.data = folder / "data"};
  const auto path = std::filesystem::path(options.data) / "host.key";
  ASSERT_TRUE(Host::Open(options).ok());
  EXPECT_EQ(std::filesystem::file_size(path), 32);
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  EXPECT_THAT(Host::Open(options), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("can be read by others")));
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  std::filesystem::resize_file(path, 31);
  EXPECT_THAT(Host::Open(options), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("must have 32 bytes")));
}

// ---- Quarantine and dead letters

TEST(OperatorRoutes, WhatIsInQuarantineIsShownAndDiscarded) {
  OperatorWorld world;
  world.Settle({"{\"type\":\"NOTHING\"}", "\xFF\xFE", CaptureText("pay_1")});
  const auto listed = world.Get(absl::StrCat(kO, "/quarantine"));
  ASSERT_EQ(listed.status, 200) << listed.text;
  ASSERT_EQ(listed.body["data"].size(), 2);
  Json ids = Json::array();
  int encoded = 0;
  for (const Json& event : listed.body["data"]) {
    ids.push_back(event["id"]);
    EXPECT_EQ(event["cause"], "malformed");
    if (event.contains("raw_encoding")) {
      ++encoded;
      EXPECT_EQ(event["raw"], "//4=");
    }
  }
  EXPECT_EQ(encoded, 1);
  // In pages.
  const auto first = world.Get(absl::StrCat(kO, "/quarantine?limit=1"));
  ASSERT_TRUE(first.body["next_cursor"].is_string()) << first.text;
  EXPECT_EQ(world.Get(absl::StrCat(kO, "/quarantine?cursor=", first.body["next_cursor"].get<std::string>()))
                .body["data"][0]["id"],
            ids[1]);

  const auto redriven = world.Post(absl::StrCat(kO, "/quarantine/redrive"), {{"ids", ids}});
  ASSERT_EQ(redriven.status, 200) << redriven.text;
  EXPECT_EQ(redriven.body["outcomes"][1]["status"], "quarantined");
  EXPECT_EQ(world.Post(absl::StrCat(kO, "/quarantine/discard"), {{"ids", ids}}).body["discarded"], 2);
  EXPECT_EQ(world.Get(absl::StrCat(kO, "/quarantine")).body["data"].size(), 0);
  EXPECT_EQ(world.Post(absl::StrCat(kO, "/quarantine/redrive"), {{"ids", ids}}).status, 404);
  for (const Json& bad : {Json{{"ids", {"x"}}}, Json{{"ids", Json::array()}}, Json{{"ids", 1}}, Json::object()}) {
    EXPECT_EQ(world.Post(absl::StrCat(kO, "/quarantine/discard"), bad).status, 400) << bad;
  }
}

TEST(OperatorRoutes, DeadLettersAreOfTheQueueThatIsNamed) {
  OperatorWorld world;
  Scheduler& scheduler = *world.host->scheduler;
  for (const char* id : {"a", "b"}) {
    ASSERT_TRUE(scheduler.Schedule({.id = id, .queue = "mail"}).ok());
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<ClaimedTask> tasks, scheduler.Claim({.queue = "mail"}));
    ASSERT_EQ(tasks.size(), 1);
    ASSERT_TRUE(scheduler.Kill(tasks[0].handle, "no such address").ok());
  }
  const std::string path = absl::StrCat(kO, "/dead-letters");
  const auto page = world.Get(path + "?limit=1");
  ASSERT_EQ(page.body["data"].size(), 1) << page.text;
  EXPECT_EQ(page.body["data"][0]["id"], "a");
  EXPECT_EQ(page.body["data"][0]["last_error"], "no such address");
  EXPECT_EQ(world.Get(path + "?cursor=" + page.body["next_cursor"].get<std::string>()).body["data"][0]["id"], "b");
  EXPECT_EQ(world.Get(path + "?queue=other").body["data"].size(), 0);
  EXPECT_EQ(world.Post(path + "/redrive", {{"queue", "other"}, {"ids", {"a"}}}).status, 400);
  EXPECT_EQ(world.Post(path + "/redrive", {{"queue", "mail"}, {"ids", {"a", "gone"}}}).body["redriven"], 1);
  EXPECT_EQ(world.Post(path + "/discard", {{"queue", "mail"}, {"ids", {"b"}}}).body["discarded"], 1);
  EXPECT_EQ(world.Get(path).body["data"].size(), 0);
  EXPECT_EQ(world.Post(absl::StrCat(kO, "/deliveries/redrive")).body["redriven"], 0);
}

// ---- Care

TEST(OperatorRoutes, ABackupIsAStoreThatHolds) {
  OperatorWorld world;
  world.Settle({CaptureText("pay_1")});
  const auto verified = world.Post(absl::StrCat(kO, "/verify"));
  ASSERT_EQ(verified.status, 200) << verified.text;
  EXPECT_EQ(verified.body["transactions_applied"], "1");
  const auto made = world.Post(absl::StrCat(kO, "/backup"), {{"name", "monday"}});
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(world.Post(absl::StrCat(kO, "/backup"), {{"name", "monday"}}).status, 409);
  for (const char* bad : {"..", ".", "", "a/b", "../x", "a b"}) {
    EXPECT_EQ(world.Post(absl::StrCat(kO, "/backup"), {{"name", bad}}).status, 400) << bad;
  }
  NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = made.body["directory"].get<std::string>()}));
  NW_ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Open(*store));
  NW_ASSERT_OK_AND_ASSIGN(const VerifyReport report, ledger->Verify());
  EXPECT_EQ(report.transactions_applied, 1);
  EXPECT_EQ(made.body["head"]["sequence"], std::to_string(report.head.sequence.value()));
}

TEST(OperatorRoutes, AChangeHasTwoLinesAndAReadNone) {
  OperatorWorld world;
  EXPECT_EQ(world.Get(absl::StrCat(kO, "/overview")).status, 200);
  EXPECT_EQ(world.Post(absl::StrCat(kO, "/verify")).status, 200);
  EXPECT_EQ(world.Post(absl::StrCat(kO, "/cutover/stop-sending"), {{"reason", "drill"}}).body["code"],
            "not_configured");
  // Who may not, leaves none either.
  EXPECT_EQ(world.Ask(Method::kPost, absl::StrCat(kO, "/verify"), Json::object(), "reader").status, 403);
  EXPECT_EQ(world.Ask(Method::kPost, absl::StrCat(kO, "/verify"), Json::object(), "").status, 401);
  const auto log = world.Get(absl::StrCat(kO, "/audit-log"));
  ASSERT_EQ(log.body["data"].size(), 4) << log.text;
  const Json& newest = log.body["data"][0];
  EXPECT_EQ(newest["action"], "stopSending");
  EXPECT_EQ(newest["actor"], "key:ada");
  EXPECT_EQ(newest["request_id"], "req_1");
  EXPECT_THAT(newest["detail"].get<std::string>(), HasSubstr("failed"));
  EXPECT_THAT(log.body["data"][1]["detail"].get<std::string>(), HasSubstr("drill"));
  EXPECT_EQ(log.body["data"][3]["action"], "verifyLedger");
  const auto page = world.Get(absl::StrCat(kO, "/audit-log?limit=3"));
  EXPECT_EQ(world.Get(absl::StrCat(kO, "/audit-log?cursor=", page.body["next_cursor"].get<std::string>()))
                .body["data"][0]["number"],
            "1");
}

// ---- Cutover and parallel run

TEST(OperatorRoutes, TheCutoverGoesUpByForceAndDownByNothing) {
  MemoryClaims* claims = nullptr;
  OperatorWorld world(nullptr, [&](Host& host) {
    auto opened = Cutover::Open(*host.store, {.salt = "s"});
    ASSERT_TRUE(opened.ok()) << opened.status();
    host.cutover = *std::move(opened);
    auto arbiter = std::make_unique<MemoryClaims>();
    claims = arbiter.get();
    host.claims = std::move(arbiter);
  });
  const std::string path = absl::StrCat(kO, "/cutover");
  EXPECT_EQ(world.Post(path + "/merchants", Json{{"merchant_ids", Json::array({"m_1", "m_2"})}}).body["merchants"], 2);
  world.Settle({CaptureText("pay_1")});
  const auto preview = world.Get(path + "/preview?threshold=10000");
  EXPECT_EQ(preview.body["then"]["merchants"], 2) << preview.text;
  EXPECT_EQ(preview.body["units"]["USD/2"], "1000");
  EXPECT_EQ(world.Get(path + "/preview?threshold=10001").status, 400);
  // Without a parallel run there is no gate to be open.
  EXPECT_EQ(world.Post(path + "/raise", {{"reason", "r"}}).body["code"], "not_configured");
  const auto raised = world.Post(path + "/raise", {{"reason", "drill"}, {"threshold", 500}, {"force", true}});
  EXPECT_EQ(raised.body["threshold"], 500) << raised.text;
  EXPECT_EQ(claims->published(), raised.body["epoch"].get<uint64_t>());
  EXPECT_EQ(world.Post(path + "/lower", {{"reason", "drill"}, {"threshold", 600}}).status, 400);
  EXPECT_EQ(world.Post(path + "/lower", {{"reason", "drill"}, {"threshold", 100}}).body["threshold"], 100);
  EXPECT_EQ(world.Post(path + "/route-to-batch", {{"reason", "odd"}}).body["routed_to_batch"], true);
  EXPECT_EQ(world.Post(path + "/stop-sending", {{"reason", "odd"}}).body["sending_stopped"], true);
  EXPECT_EQ(world.Post(path + "/stop-sending").status, 400);  // no reason
  EXPECT_EQ(world.Post(path + "/resume-sending", {{"reason", "even"}}).body["sending_stopped"], false);
  EXPECT_EQ(world.Post(path + "/resume-routing", {{"reason", "even"}, {"force", true}}).body["routed_to_batch"], false);
  EXPECT_EQ(
      world.Ask(Method::kPut, path + "/overrides/m_1", {{"override", "allow"}, {"reason", "pilot"}}).body["allowed"],
      1);
  EXPECT_EQ(world.Ask(Method::kDelete, path + "/overrides/m_1", {{"reason", "over"}}).body["allowed"], 0);

  EXPECT_EQ(world.Ask(Method::kPut, path + "/overrides/m_1", {{"override", "allow"}, {"reason", "pilot"}}).status, 200);
  const auto overrides = world.Get(path + "/overrides");
  ASSERT_EQ(overrides.body["data"].size(), 1U) << overrides.text;
  EXPECT_EQ(overrides.body["data"][0]["line"], 10);
  ASSERT_TRUE(world.host->cutover->Assign({RouteRequest{.id = "po_1", .merchant_id = "m_1"}}).ok());
  EXPECT_EQ(world.Get(path + "/residue").body["data"][0]["id"], "po_1");
  const auto log = world.Get(path + "/log");
  EXPECT_EQ(log.body["data"][1]["action"], "force_raise") << log.text;
  EXPECT_EQ(log.body["data"][1]["actor"], "key:ada");
  EXPECT_EQ(world.Get(absl::StrCat(kO, "/audit-log")).body["data"][0]["subject"], "m_1");
}

TEST(OperatorRoutes, OverridesOfMerchantsAreListedInPages) {
  OperatorWorld world(nullptr, [](Host& host) { host.cutover = *Cutover::Open(*host.store, {.salt = "s"}); });
  const std::string path = absl::StrCat(kO, "/cutover/overrides");
  EXPECT_EQ(world.Get(path).body, (Json{{"data", Json::array()}, {"next_cursor", nullptr}}));
  for (const auto& [merchant, value] : {std::pair("m_3", "allow"), {"m_1", "deny"}, {"m_2", "deny"}}) {
    const Json body = {{"override", value}, {"reason", absl::StrCat("because of ", merchant)}};
    ASSERT_EQ(world.Ask(Method::kPut, absl::StrCat(path, "/", merchant), body).status, 200);
  }
  const size_t audited = world.Get(absl::StrCat(kO, "/audit-log")).body["data"].size();
  const auto first = world.Get(path + "?limit=2");
  ASSERT_EQ(first.body["data"].size(), 2U) << first.text;
  EXPECT_EQ(first.body["data"][0]["merchant_id"], "m_1");
  EXPECT_EQ(first.body["data"][0]["override"], "deny");
  EXPECT_EQ(first.body["data"][0]["actor"], "key:ada");
  EXPECT_EQ(first.body["data"][0]["reason"], "because of m_1");
  EXPECT_EQ(first.body["data"][0]["line"], 2);
  EXPECT_TRUE(first.body["data"][0]["at"].is_string());
  const auto last = world.Get(absl::StrCat(path, "?cursor=", first.body["next_cursor"].get<std::string>()));
  ASSERT_EQ(last.body["data"].size(), 1U) << last.text;
  EXPECT_EQ(last.body["data"][0]["merchant_id"], "m_3");
  EXPECT_EQ(last.body["data"][0]["override"], "allow");
  EXPECT_EQ(last.body["next_cursor"], nullptr);
  EXPECT_EQ(world.Get(absl::StrCat(kO, "/audit-log")).body["data"].size(), audited) << "to read is no change";
  EXPECT_EQ(world.Ask(Method::kDelete, path + "/m_1", {{"reason", "mended"}}).status, 200);
  EXPECT_EQ(world.Get(path).body["data"][0]["merchant_id"], "m_2");
  EXPECT_EQ(world.Get(path + "?limit=0").status, 400);
  EXPECT_EQ(world.Get(path + "?limit=100000").status, 400);
  EXPECT_EQ(world.Get(path + "?merchant=m_1").status, 400);
}

TEST(OperatorRoutes, OverridesOfAServerWithoutACutoverAreNotConfigured) {
  OperatorWorld world;
  const auto answer = world.Get(absl::StrCat(kO, "/cutover/overrides"));
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.body["code"], "not_configured") << answer.text;
}

struct PayingRail final : PayoutRail {
  RailAnswer Submit(const PayoutInstruction& /*payout*/) override {
    ++submitted;
    return {.state = RailState::kPaid};
  }
  RailAnswer Query(const PayoutInstruction& /*payout*/) override { return {.state = RailState::kNotFound}; }
  int submitted = 0;
};

TEST(ServerRail, APayoutIsAssignedWhenItIsToBePaid) {
  const TempDir folder;
  NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = folder / "store"}));
  NW_ASSERT_OK_AND_ASSIGN(const auto cutover, Cutover::Open(*store, {.salt = "s"}));
  MemoryClaims claims;
  PayingRail bank;
  ClaimedRail claimed(bank, claims, *cutover);
  AssignedRail rail(claimed, *cutover);
  EXPECT_TRUE(rail.ClaimsFirst());
  const std::vector<std::string> merchants = {"m_1"};
  ASSERT_EQ(cutover->AddMerchants(merchants, "ada"), absl::OkStatus());
  EXPECT_EQ(rail.Submit({.payout_id = "po_1", .merchant_id = "m_1"}).state, RailState::kWithheld);
  EXPECT_EQ(bank.submitted, 0);
  ASSERT_EQ(cutover->ForceRaise(kBasisPoints, "ada", "drill"), absl::OkStatus());
  EXPECT_EQ(rail.Submit({.payout_id = "po_2", .merchant_id = "m_1"}).state, RailState::kPaid);
  EXPECT_EQ(rail.Submit({.payout_id = "po_1", .merchant_id = "m_1"}).state, RailState::kWithheld);
  EXPECT_EQ(bank.submitted, 1);
}

// A disk that takes nothing, and an operator who must stop the money.
TEST(OperatorRoutes, GoingDownNeedsNoLineInTheAuditTrail) {
  const TempDir other;
  const auto full = *Store::Open({.path = other / "store", .free_space_floor_bytes = ~uint64_t{0}});
  OperatorWorld world(nullptr, [&](Host& host) {
    host.cutover = *Cutover::Open(*host.store, {.salt = "s"});
    host.audit = *AuditTrail::Open(*full);
  });
  const std::string path = "/v1/operator/cutover";
  EXPECT_EQ(world.Post(path + "/stop-sending", {{"reason", "odd figures"}}).status, 200);
  EXPECT_EQ(world.Post(path + "/route-to-batch", {{"reason", "odd figures"}}).status, 200);
  EXPECT_TRUE(world.host->cutover->Status().sending_stopped);
  EXPECT_TRUE(world.host->cutover->Status().routed_to_batch);
  EXPECT_EQ(world.Post(path + "/resume-sending", {{"reason", "too early"}}).status, 503);
  EXPECT_TRUE(world.host->cutover->Status().sending_stopped) << "up is not down";
  world.host->audit.reset();
}

TEST(ServerUpkeep, TellsTheCutoverWhatHasEnded) {
  OperatorWorld world(nullptr, [](Host& host) { host.cutover = *Cutover::Open(*host.store, {.salt = "s"}); });
  Upkeep upkeep(*world.host, world.metrics);
  const std::string merchant = "m_1";
  ASSERT_EQ(world.host->cutover->AddMerchants({&merchant, 1}, "ada"), absl::OkStatus());
  ASSERT_EQ(world.host->cutover->ForceRaise(kBasisPoints, "ada", "drill"), absl::OkStatus());
  const std::vector<RouteRequest> requests = {{.id = "po_1", .merchant_id = "m_1"},
                                              {.id = "po_2", .merchant_id = "m_1"}};
  ASSERT_TRUE(world.host->cutover->Assign(requests).ok());
  const auto payout = [](const std::string& type, const std::string& id, const std::string& amount) {
    return R"({"type":")" + type + R"(","payout_id":")" + id +
           R"(","merchant_id":"m_1","occurred_at":"2026-03-02T12:00:00Z")" + amount + "}";
  };
  world.Settle(
      {CaptureText("pay_1"), payout("PAYOUT_REQUESTED", "po_1", R"(,"amount":{"asset":"USD/2","units":"300"})")});
  upkeep.RunOnce();
  EXPECT_EQ(world.host->cutover->Status().residue, 2);
  // The one is canceled. The other's request was rejected, and made again, before anybody looked: it is live, and stays what somebody has to pay.
  const std::string later = R"({"type":"PAYOUT_REQUESTED","payout_id":"po_2","merchant_id":"m_1",)"
                            R"("occurred_at":"2026-03-02T13:00:00Z","amount":{"asset":"USD/2","units":"200"}})";
  world.Settle({payout("PAYOUT_CANCELED", "po_1", ""),
                payout("PAYOUT_REQUESTED", "po_2", R"(,"amount":{"asset":"USD/2","units":"9999"})"), later});
  upkeep.RunOnce();
  EXPECT_EQ(world.host->cutover->Status().residue, 1);
  world.Settle({payout("PAYOUT_PAID", "po_2", "")});
  upkeep.RunOnce();
  EXPECT_EQ(world.host->cutover->Status().residue, 0);
  EXPECT_THAT(upkeep.trouble(), ::testing::IsEmpty());
}

TEST(OperatorRoutes, DaysAreClosedAndDifferencesExplained) {
  TempDir files;
  const std::string mapping = files / "mapping.json";
  const std::string csv = files / "rows.csv";
  std::ofstream(mapping)
      << R"({"row_id":"id","only_leg":"capture","id":"payment","merchant_id":"merchant","asset":"asset","amount":"amount","day":"day"})";
  std::ofstream(csv) << "id,payment,merchant,asset,amount,day\n1,pay_1,m_1,USD/2,10.00,2026-03-02\n2,pay_2,m_1,USD/"
                        "2,10.01,2026-03-02\n";
  OperatorWorld world([&](ServerOptions& options) { options.compare_mapping = mapping; });
  world.Settle({CaptureText("pay_1"), CaptureText("pay_2")});
  NW_ASSERT_OK_AND_ASSIGN(const auto file, LegacyFile::Open(csv, LegacyFileFormat::kCsv));
  NW_ASSERT_OK_AND_ASSIGN(const LegacyFilePage page, file->Read(100));
  ASSERT_TRUE(world.host->run->Ingest("batch", page.columns, page.rows).ok());

  const std::string path = absl::StrCat(kO, "/parallel-run");
  const auto closed = world.Post(path + "/days/2026-03-02/close");
  ASSERT_EQ(closed.status, 200) << closed.text;
  EXPECT_EQ(closed.body["state"], "closed");
  EXPECT_EQ(closed.body["assets"]["USD/2"]["ours"]["matched"]["count"], 1);
  EXPECT_EQ(closed.body["by_class"]["amount"], 1);
  EXPECT_EQ(world.Get(path + "/days").body["data"].size(), 1);
  EXPECT_EQ(world.Get(path + "/days?from=2026-03-03").body["data"].size(), 0);
  EXPECT_EQ(world.Get(path + "/days?from=yesterday").status, 400);

  const auto found = world.Get(path + "/discrepancies?class=amount");
  ASSERT_EQ(found.body["data"].size(), 1) << found.text;
  const std::string id = found.body["data"][0]["id"];
  EXPECT_EQ(id, "capture:pay_2");
  EXPECT_EQ(world.Get(path + "/discrepancies?class=nonsense").status, 400);
  const auto one = world.Get(path + "/discrepancies/" + id);
  EXPECT_EQ(one.body["theirs"][0]["raw"]["amount"], "10.01") << one.text;
  EXPECT_THAT(one.body["ours"][0]["raw"].get<std::string>(), HasSubstr("pay_2"));
  const auto explained = world.Post(path + "/discrepancies/" + id + "/explain", {{"reason", "rounding"}});
  EXPECT_EQ(explained.body["state"], "explained") << explained.text;
  EXPECT_EQ(explained.body["history"].back()["actor"], "key:ada");
  EXPECT_EQ(world.Post(path + "/discrepancies/" + id + "/reopen", {{"reason", "no"}}).body["state"], "open");
  EXPECT_EQ(world.Post(path + "/discrepancies/capture:none/resolve", {{"reason", "r"}}).status, 404);
  EXPECT_EQ(world.Get(path + "/gate").body["open"], false);
  EXPECT_THAT(world.Get(path + "/report?format=text").text, HasSubstr("2026-03-02"));
  EXPECT_THAT(world.Get(path + "/report?format=html").text, HasSubstr("<html"));
}

// The gate opens in a server that stands alone: rows and totals come in, two days are closed.
TEST(OperatorRoutes, RowsAndTotalsOfTheBatchComeInAndTheGateOpens) {
  TempDir files;
  const std::string mapping = files / "mapping.json";
  std::ofstream(mapping)
      << R"({"row_id":"id","only_leg":"capture","id":"payment","merchant_id":"merchant","asset":"asset","amount":"amount","day":"day"})";
  OperatorWorld world([&](ServerOptions& options) {
    options.compare_mapping = mapping;
    options.gate_days = 1;
  });
  const std::string path = absl::StrCat(kO, "/parallel-run");
  // Yesterday, which alone can make the gate open.
  const absl::CivilDay yesterday = absl::ToCivilDay(absl::Now(), absl::UTCTimeZone()) - 1;
  const std::string day = absl::FormatCivilTime(yesterday);
  std::string capture = CaptureText("pay_1");
  capture.replace(capture.find("2026-03-02"), 10, day);
  ASSERT_EQ(world.Settle({capture})[0].status, EventStatus::kApplied);

  const auto rows = [&](const Json& list) {
    return Json{{"source", "batch"},
                {"columns", {"id", "payment", "merchant", "asset", "amount", "day"}},
                {"rows", list},
                {"next", "1"}};
  };
  const Json row = {"1", "pay_1", "m_1", "USD/2", "10.00", day};
  for (const Json& wrong : {Json{{"1"}}, Json{{"1", "pay_1", "m_1", "USD/2", 10, day}}, Json("all")}) {
    EXPECT_EQ(world.Post(path + "/rows", rows(wrong)).status, 400) << wrong;
  }
  EXPECT_EQ(world.Get(path + "/sources/batch").body["next"], "");
  const auto taken = world.Post(path + "/rows", rows(Json::array({row})));
  ASSERT_EQ(taken.status, 200) << taken.text;
  EXPECT_EQ(taken.body["new_rows"], 1);
  EXPECT_EQ(world.Post(path + "/rows", rows(Json::array({row}))).body["unchanged"], 1) << "again is no more";
  EXPECT_EQ(world.Get(path + "/sources/batch").body["next"], "1");

  const std::string close = absl::StrCat(path, "/days/", day, "/close");
  for (const Json& wrong :
       {Json("none"), Json{{"USD/2", 1}}, Json{{"USD/2", {{"count", 1}, {"sum", "1.0"}}}},
        Json{{"USD/2", {{"count", 1}, {"sum", " 1"}}}}, Json{{"USD/2", {{"count", -1}, {"sum", "1"}}}},
        Json{{"gold", {{"count", 1}, {"sum", "1"}}}}}) {
    EXPECT_EQ(world.Post(close, {{"expected", wrong}}).status, 400) << wrong;
  }
  const auto short_of = world.Post(close, {{"expected", {{"USD/2", {{"count", 2}, {"sum", "1500"}}}}}});
  ASSERT_EQ(short_of.status, 200) << short_of.text;
  EXPECT_EQ(short_of.body["clean"], false);
  EXPECT_FALSE(short_of.body["incomplete"].empty());
  EXPECT_EQ(world.Get(path + "/gate").body["open"], false);
  const auto clean = world.Post(close, {{"expected", {{"USD/2", {{"count", 1}, {"sum", "1000"}}}}}});
  EXPECT_EQ(clean.body["clean"], true) << clean.text;
  EXPECT_EQ(world.Get(path + "/gate").body["open"], true) << world.Get(path + "/gate").text;
  const auto signed_off = world.Post(path + "/report/sign-off", {{"from", day}, {"to", day}, {"note", "seen"}});
  EXPECT_EQ(signed_off.status, 200) << signed_off.text;
  EXPECT_THAT(world.Get(path + "/report?format=text").text, HasSubstr(day));

  // A rule begins the count of days anew.
  Json rule = {{"id", "r1"},
               {"owner", "ann"},
               {"reason", "known"},
               {"class", "missing_here"},
               {"from", day},
               {"to", day},
               {"expires_at", "2190-01-01T00:00:00Z"},
               {"max_count", 3},
               {"max_units", {{"USD/2", "500"}}}};
  for (const auto& [name, value] : std::vector<std::pair<const char*, Json>>{
           {"class", "amount"}, {"leg", "none"}, {"from", "today"}, {"max_units", {{"USD/2", 5}}}, {"max_count", 0}}) {
    Json wrong = rule;
    wrong[name] = value;
    EXPECT_EQ(world.Post(path + "/rules", wrong).status, 400) << name;
  }
  EXPECT_EQ(world.Post(path + "/rules", rule).status, 201);
  EXPECT_EQ(world.Post(path + "/rules", rule).status, 409);
  const auto listed = world.Get(path + "/rules");
  ASSERT_EQ(listed.body["data"].size(), 1) << listed.text;
  EXPECT_EQ(listed.body["data"][0]["max_units"]["USD/2"], "500");
  Json shown = rule;
  shown["expires_at"] = "2190-01-01T00:00:00.000000Z";
  EXPECT_EQ(listed.body["data"][0], shown) << "as it was posted, so that it may be posted elsewhere";
  EXPECT_EQ(world.Get(path + "/gate").body["open"], false);
  EXPECT_EQ(world.Post(path + "/rules/r1/retire").body["data"].size(), 0);
  EXPECT_EQ(world.Post(path + "/rules/r2/retire").status, 404);
  // However long: a place of 60 KB and totals of 100 assets leave what they are told by in the trail.
  Json far = rows(Json::array());
  far["next"] = std::string(60'000, 'n');
  EXPECT_EQ(world.Post(path + "/rows", far).status, 200);
  Json many = Json::object();
  for (int i = 0; i < 100; ++i) many[absl::StrCat("X", i, "/2")] = {{"count", 0}, {"sum", "0"}};
  EXPECT_EQ(world.Post(close, {{"expected", many}}).status, 200);
  const std::string lines = world.Get(absl::StrCat(kO, "/audit-log")).text;
  EXPECT_THAT(lines, ::testing::Not(HasSubstr("too_long")));
  EXPECT_THAT(lines, HasSubstr(R"(next\":\"sha256:)"));
  EXPECT_THAT(lines, HasSubstr(R"(assets\":100)"));
  // The trail has how many rows came, and not what they say.
  const std::string trail = world.Get(absl::StrCat(kO, "/audit-log")).text;
  EXPECT_THAT(trail, HasSubstr("ingestRunRows"));
  EXPECT_THAT(trail, ::testing::Not(HasSubstr("pay_1")));
}

// ---- Figures and logs

TEST(ServerMetrics, AreWhatPrometheusReads) {
  OperatorWorld world;
  world.Settle({CaptureText("pay_1")});
  const Request request{.path = "/v1/events"};
  world.metrics.Observe(
      {.request = request, .route = "postEvents", .status = 202, .bytes = 10, .took = absl::Milliseconds(3)});
  world.metrics.Observe({.request = request, .route = "", .status = 404});
  EXPECT_EQ(world.Ask(Method::kGet, "/metrics", nullptr, "").status, 401);
  const std::string text = world.Get("/metrics").text;
  const std::regex name("northwind_[a-z_]+");
  std::set<std::string> helped, typed, counters;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n', absl::SkipEmpty()))) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 3));
    if (words[0] == "#") {
      EXPECT_TRUE(std::regex_match(words[2], name)) << line;
      EXPECT_TRUE((words[1] == "HELP" ? helped : typed).insert(words[2]).second) << line;
      if (words[1] == "TYPE" && words[3] == "counter") counters.insert(words[2]);
      continue;
    }
    const std::string sample = line.substr(0, line.find_first_of(" {"));
    const bool known = std::any_of(typed.begin(), typed.end(), [&](const std::string& family) {
      return sample == family || sample == family + "_bucket" || sample == family + "_sum" ||
             sample == family + "_count";
    });
    EXPECT_TRUE(known) << line;
  }
  EXPECT_EQ(helped, typed);
  EXPECT_GT(typed.size(), 20);
  for (const std::string& counter : counters) EXPECT_TRUE(absl::EndsWith(counter, "_total")) << counter;
  for (const std::string& family : typed)
    EXPECT_EQ(absl::EndsWith(family, "_total"), counters.count(family) == 1) << family;
  EXPECT_THAT(text, HasSubstr(R"(northwind_http_requests_total{method="GET",route="postEvents",status="202"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(route="none")"));
}

TEST(ServerLog, LinesAreJsonWithoutSecrets) {
  Request request{.path = "/v1/merchants/m_secret/balances",
                  .query = {{"q", "hunter2"}},
                  .fields = {{"Authorization", "Bearer hunter2"}}};
  request.body = "hunter2";
  request.id = "req_1";
  ::testing::internal::CaptureStderr();
  LogRequest({.request = request,
              .route = "getBalances",
              .caller = "key_1",
              .status = 503,
              .bytes = 7,
              .took = absl::Microseconds(1500)});
  Log(Severity::kWarning, "a \"quoted\" line\n", {{"why", "\xFF"}});
  const std::string text = ::testing::internal::GetCapturedStderr();
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 2) << text;
  const Json asked = Json::parse(lines[0]);
  EXPECT_EQ(asked["route"], "getBalances");
  EXPECT_EQ(asked["severity"], "error");
  EXPECT_EQ(asked["took_ms"], 1.5);
  EXPECT_EQ(asked["request_id"], "req_1");
  EXPECT_EQ(Json::parse(lines[1])["message"], "a \"quoted\" line\n");
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
  EXPECT_EQ(text.find("m_secret"), std::string::npos);
}

TEST(ServerHealth, AServerThatIsEndingIsNotReady) {
  OperatorWorld world;
  EXPECT_EQ(world.Ask(Method::kGet, "/healthz", nullptr, "").status, 200);
  const auto ready = world.Ask(Method::kGet, "/readyz", nullptr, "");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body["reasons"][0], "the server is starting or ending");
}

}  // namespace
}  // namespace northwind::server
