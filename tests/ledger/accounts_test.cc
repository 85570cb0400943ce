// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <variant>
#include <vector>

#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LedgerAccounts : public LedgerFixture {
 protected:
  Account Get(AccountId id) {
    const auto account = ledger_->GetAccount(id);
    EXPECT_THAT(account, IsOk());
    return account.value_or(Account{});
  }
  std::vector<std::string> Names(const AccountPage& page) {
    std::vector<std::string> names;
    for (const Account& account : page.accounts) names.push_back(account.name);
    return names;
  }
};

TEST_F(LedgerAccounts, IdsAreDenseFromOneInTheOrderOfOpening) {
  EXPECT_EQ(world_, AccountId(1));
  EXPECT_EQ(alice_, AccountId(2));
  EXPECT_EQ(bob_, AccountId(3));
  EXPECT_THAT(
      ledger_->OpenAccounts(std::vector<AccountSpec>{
          {.name = "d", .asset = "USD/2"}, {.name = "alice", .asset = "USD/2"}, {.name = "c", .asset = "EUR/2"}}),
      IsOkAndHolds(ElementsAre(AccountId(4), alice_, AccountId(5))));
}

TEST_F(LedgerAccounts, ANewAccountIsOpenAndEmpty) {
  const AccountId id = OpenAccount({.name = "merchant:42:available", .asset = "JPY/0", .min_available = -7});
  const Account account = Get(id);
  EXPECT_EQ(account.id, id);
  EXPECT_EQ(account.name, "merchant:42:available");
  EXPECT_EQ(account.asset, (Asset{.code = "JPY", .scale = 0}));
  EXPECT_FALSE(account.external);
  EXPECT_EQ(account.min_available, -7);
  EXPECT_EQ(account.state, AccountState::kOpen);
  EXPECT_EQ(account.totals, Totals{});
}

TEST_F(LedgerAccounts, OpeningIsJournaledWithItsSpec) {
  const std::vector<JournalRecord> records = JournalAfter(0);
  ASSERT_THAT(records, SizeIs(3));
  const auto& opened = std::get<AccountOpened>(records[0].body);
  EXPECT_EQ(records[0].sequence, Sequence(1));
  EXPECT_EQ(records[0].recorded_at, clock_.Now());
  EXPECT_EQ(opened.id, world_);
  EXPECT_EQ(opened.spec.name, "world");
  EXPECT_EQ(opened.spec.asset, "USD/2");
  EXPECT_TRUE(opened.spec.external);
}

TEST_F(LedgerAccounts, OpeningAgainAlikeGivesTheSameIdAndRecordsNothing) {
  EXPECT_EQ(OpenAccount({.name = "alice", .asset = "USD/2"}), alice_);
  EXPECT_EQ(HeadSequence(), 3U);
}

TEST_F(LedgerAccounts, OpeningAgainWithAnotherAssetIsRefusedAndNamesIt) {
  EXPECT_THAT(ledger_->OpenAccount({.name = "alice", .asset = "EUR/2"}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("alice")));
}

TEST_F(LedgerAccounts, OpeningAgainAsExternalIsRefused) {
  EXPECT_THAT(ledger_->OpenAccount({.name = "alice", .asset = "USD/2", .external = true}),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(ledger_->OpenAccount({.name = "world", .asset = "USD/2"}), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(LedgerAccounts, OpeningAgainTakesTheFirstLimitOrThePresentOneAndNoOther) {
  ASSERT_THAT(ledger_->SetMinAvailable(alice_, -50), IsOk());
  EXPECT_THAT(ledger_->OpenAccount({.name = "alice", .asset = "USD/2", .min_available = 0}), IsOkAndHolds(alice_));
  EXPECT_THAT(ledger_->OpenAccount({.name = "alice", .asset = "USD/2", .min_available = -50}), IsOkAndHolds(alice_));
  EXPECT_THAT(ledger_->OpenAccount({.name = "alice", .asset = "USD/2", .min_available = -49}),
              StatusIs(absl::StatusCode::kAlreadyExists));
  Reopen();
  EXPECT_THAT(ledger_->OpenAccount({.name = "alice", .asset = "USD/2", .min_available = 0}), IsOkAndHolds(alice_));
  EXPECT_THAT(ledger_->OpenAccount({.name = "alice", .asset = "USD/2", .min_available = -50}), IsOkAndHolds(alice_));
}

TEST_F(LedgerAccounts, OneBadSpecOpensNone) {
  EXPECT_THAT(ledger_->OpenAccounts(
                  std::vector<AccountSpec>{{.name = "c", .asset = "USD/2"}, {.name = "alice", .asset = "EUR/2"}}),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(
      ledger_->OpenAccounts(std::vector<AccountSpec>{{.name = "c", .asset = "USD/2"}, {.name = "", .asset = "USD/2"}}),
      StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ledger_->FindAccount("c"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(HeadSequence(), 3U);
}

TEST_F(LedgerAccounts, OneNameTwiceInACallIsOneAccountIfTheSpecsAgree) {
  EXPECT_THAT(
      ledger_->OpenAccounts(std::vector<AccountSpec>{{.name = "c", .asset = "USD/2"}, {.name = "c", .asset = "USD/2"}}),
      IsOkAndHolds(ElementsAre(AccountId(4), AccountId(4))));
  EXPECT_THAT(
      ledger_->OpenAccounts(std::vector<AccountSpec>{{.name = "d", .asset = "USD/2"}, {.name = "d", .asset = "EUR/2"}}),
      StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(HeadSequence(), 4U);
}

TEST_F(LedgerAccounts, NamesAreOneTo255PrintableBytesWithoutBlanks) {
  const auto open = [this](const std::string& name) { return ledger_->OpenAccount({.name = name, .asset = "USD/2"}); };
  EXPECT_THAT(open(std::string(255, 'n')), IsOk());
  EXPECT_THAT(open("!~"), IsOk());
  for (const std::string& name :
       {std::string(), std::string(256, 'n'), std::string("a b"), std::string("a\tb"), std::string("a\nb"),
        std::string("\x7f"), std::string("\x80"), std::string("é"), std::string("a\0b", 3)}) {
    EXPECT_THAT(open(name), StatusIs(absl::StatusCode::kInvalidArgument)) << name;
  }
}

TEST_F(LedgerAccounts, AssetsAreACodeAndAScale) {
  const auto open = [this](const std::string& asset) {
    return ledger_->OpenAccount({.name = "c:" + asset, .asset = asset});
  };
  EXPECT_THAT(open("BTC/8"), IsOk());
  EXPECT_THAT(open("X/18"), IsOk());
  for (const char* asset :
       {"", "USD", "usd/2", "USD/", "USD/02", "USD/19", "USD/-1", "2USD/2", "USD/2 ", "ABCDEFGHIJKLMNOPQ/2"}) {
    EXPECT_THAT(open(asset), StatusIs(absl::StatusCode::kInvalidArgument)) << asset;
  }
}

TEST_F(LedgerAccounts, AnExternalAccountCannotHaveALimit) {
  EXPECT_THAT(ledger_->OpenAccount({.name = "c", .asset = "USD/2", .external = true, .min_available = -1}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ledger_->SetMinAvailable(world_, -1), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(LedgerAccounts, TenThousandAccountsOpenInOneBlock) {
  std::vector<AccountSpec> specs;
  for (int i = 0; i < 10'000; ++i) specs.push_back({.name = "many:" + std::to_string(i), .asset = "USD/2"});
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<AccountId> ids, ledger_->OpenAccounts(specs));
  ASSERT_THAT(ids, SizeIs(10'000));
  EXPECT_EQ(ids.front(), AccountId(4));
  EXPECT_EQ(ids.back(), AccountId(10'003));
  NW_ASSERT_OK_AND_ASSIGN(const VerifyReport report, ledger_->Verify());
  EXPECT_EQ(report.blocks, 4U);
  EXPECT_EQ(report.accounts, 10'003U);
}

TEST_F(LedgerAccounts, MoreThanTheBoundInOneCallIsRefused) {
  std::vector<AccountSpec> specs;
  for (size_t i = 0; i <= kMaxAccountsPerCall; ++i) specs.push_back({.name = std::to_string(i), .asset = "USD/2"});
  EXPECT_THAT(ledger_->OpenAccounts(specs), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(HeadSequence(), 3U);
}

TEST_F(LedgerAccounts, FreezingAndUnfreezingAreJournaledOnce) {
  EXPECT_THAT(ledger_->Freeze(alice_), IsOk());
  EXPECT_THAT(ledger_->Freeze(alice_), IsOk());
  EXPECT_EQ(HeadSequence(), 4U);
  EXPECT_EQ(Get(alice_).state, AccountState::kFrozen);
  EXPECT_THAT(ledger_->Unfreeze(alice_), IsOk());
  EXPECT_THAT(ledger_->Unfreeze(alice_), IsOk());
  EXPECT_EQ(HeadSequence(), 5U);
  EXPECT_EQ(Get(alice_).state, AccountState::kOpen);
  const std::vector<JournalRecord> records = JournalAfter(3);
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(std::get<AccountChanged>(records[0].body).id, alice_);
  EXPECT_EQ(std::get<AccountChanged>(records[0].body).state, AccountState::kFrozen);
  EXPECT_EQ(std::get<AccountChanged>(records[1].body).state, AccountState::kOpen);
}

TEST_F(LedgerAccounts, AChangeOfLimitIsJournaledWithTheStateAsItStands) {
  ASSERT_THAT(ledger_->Freeze(alice_), IsOk());
  ASSERT_THAT(ledger_->SetMinAvailable(alice_, -10), IsOk());
  ASSERT_THAT(ledger_->SetMinAvailable(alice_, -10), IsOk());
  EXPECT_EQ(HeadSequence(), 5U);
  const auto changed = std::get<AccountChanged>(JournalAfter(4).at(0).body);
  EXPECT_EQ(changed.state, AccountState::kFrozen);
  EXPECT_EQ(changed.min_available, -10);
}

TEST_F(LedgerAccounts, ALimitCannotBeSetAboveWhatIsAvailable) {
  Give(alice_, 100);
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(ledger_->SetMinAvailable(alice_, 71), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->SetMinAvailable(alice_, 70), IsOk());
  EXPECT_THAT(Commit(MakePost(2, alice_, bob_, 1)), HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds));
}

TEST_F(LedgerAccounts, AnAccountThatHasLessThanTheLimitItWasOpenedWithChangesItsStateAllTheSame) {
  const AccountId reserve = OpenAccount({.name = "reserve", .asset = "USD/2", .min_available = 50});
  EXPECT_THAT(ledger_->Freeze(reserve), IsOk());
  EXPECT_THAT(ledger_->Unfreeze(reserve), IsOk());
  EXPECT_EQ(HeadSequence(), 6U);
  EXPECT_THAT(ledger_->SetMinAvailable(reserve, 50), IsOk()) << "changes nothing";
  EXPECT_THAT(ledger_->SetMinAvailable(reserve, 49), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(HeadSequence(), 6U);
  EXPECT_THAT(ledger_->Verify(), IsOk());
  EXPECT_THAT(ledger_->CloseAccount(reserve), IsOk());
  EXPECT_THAT(ledger_->Verify(), IsOk());
}

TEST_F(LedgerAccounts, ANegativeLimitGrantsCredit) {
  ASSERT_THAT(ledger_->SetMinAvailable(alice_, -100), IsOk());
  EXPECT_THAT(Commit(MakePost(1, alice_, bob_, 100)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakePost(2, alice_, bob_, 1)), HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds));
  EXPECT_EQ(Available(alice_), -100);
}

TEST_F(LedgerAccounts, ClosingNeedsAnEmptyAccount) {
  Give(alice_, 10);
  EXPECT_THAT(ledger_->CloseAccount(alice_), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 10)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(ledger_->CloseAccount(alice_), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->CloseAccount(bob_), StatusIs(absl::StatusCode::kFailedPrecondition)) << "credits held";
  ASSERT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(ledger_->CloseAccount(alice_), IsOk());
  EXPECT_EQ(Get(alice_).state, AccountState::kClosed);
  EXPECT_THAT(ledger_->CloseAccount(bob_), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(LedgerAccounts, AnExternalAccountMayCloseWithABalanceButNotWithAHold) {
  Give(alice_, 10);
  ASSERT_THAT(Commit(MakeHold(1, alice_, world_, 5)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(ledger_->CloseAccount(world_), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_THAT(Commit(MakeRelease(2, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(ledger_->CloseAccount(world_), IsOk());
}

TEST_F(LedgerAccounts, AFrozenAccountMayClose) {
  ASSERT_THAT(ledger_->Freeze(alice_), IsOk());
  EXPECT_THAT(ledger_->CloseAccount(alice_), IsOk());
}

TEST_F(LedgerAccounts, AClosedAccountStaysClosedForEver) {
  ASSERT_THAT(ledger_->CloseAccount(alice_), IsOk());
  EXPECT_THAT(ledger_->CloseAccount(alice_), IsOk());
  EXPECT_THAT(ledger_->Freeze(alice_), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->Unfreeze(alice_), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->SetMinAvailable(alice_, -1), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(HeadSequence(), 4U);
  Reopen();
  EXPECT_EQ(Get(alice_).state, AccountState::kClosed);
  EXPECT_THAT(ledger_->OpenAccount({.name = "alice", .asset = "USD/2"}), IsOkAndHolds(alice_));
  EXPECT_EQ(Get(alice_).state, AccountState::kClosed);
}

TEST_F(LedgerAccounts, StatesAndLimitsSurviveReopening) {
  ASSERT_THAT(ledger_->Freeze(alice_), IsOk());
  ASSERT_THAT(ledger_->SetMinAvailable(bob_, -25), IsOk());
  Reopen();
  EXPECT_EQ(Get(alice_).state, AccountState::kFrozen);
  EXPECT_EQ(Get(bob_).min_available, -25);
  EXPECT_EQ(Get(bob_).state, AccountState::kOpen);
}

TEST_F(LedgerAccounts, WhatDoesNotExistIsNotFound) {
  for (const AccountId id : {AccountId(0), AccountId(4), AccountId(UINT32_MAX)}) {
    EXPECT_THAT(ledger_->GetAccount(id), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(ledger_->Freeze(id), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(ledger_->Unfreeze(id), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(ledger_->CloseAccount(id), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(ledger_->SetMinAvailable(id, 0), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(ledger_->Balance(id), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(ledger_->Balances(std::vector<AccountId>{alice_, id}), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(ledger_->BalanceAt(id, Sequence(0)), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(ledger_->History(id), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(ledger_->OpenHolds(id), StatusIs(absl::StatusCode::kNotFound));
  }
  EXPECT_THAT(ledger_->FindAccount("carol"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("carol")));
}

TEST_F(LedgerAccounts, AreListedByNameByPrefixAndByPage) {
  for (const char* name : {"m:2", "m:10", "m:1", "n", "m", "l:9"}) OpenAccount({.name = name, .asset = "USD/2"});
  NW_ASSERT_OK_AND_ASSIGN(const AccountPage all, ledger_->ListAccounts(""));
  EXPECT_THAT(Names(all), ElementsAre("alice", "bob", "l:9", "m", "m:1", "m:10", "m:2", "n", "world"));
  EXPECT_EQ(all.next, "");
  NW_ASSERT_OK_AND_ASSIGN(const AccountPage first, ledger_->ListAccounts("m:", "", 2));
  EXPECT_THAT(Names(first), ElementsAre("m:1", "m:10"));
  EXPECT_EQ(first.next, "m:10");
  NW_ASSERT_OK_AND_ASSIGN(const AccountPage second, ledger_->ListAccounts("m:", first.next, 2));
  EXPECT_THAT(Names(second), ElementsAre("m:2"));
  EXPECT_EQ(second.next, "");
  NW_ASSERT_OK_AND_ASSIGN(const AccountPage none, ledger_->ListAccounts("z"));
  EXPECT_THAT(none.accounts, IsEmpty());
  NW_ASSERT_OK_AND_ASSIGN(const AccountPage between, ledger_->ListAccounts("m:", "m:1a", 10));
  EXPECT_THAT(Names(between), ElementsAre("m:2"));
}

TEST_F(LedgerAccounts, AFullLastPageSaysThatItIsTheLast) {
  NW_ASSERT_OK_AND_ASSIGN(const AccountPage page, ledger_->ListAccounts("", "", 3));
  EXPECT_THAT(Names(page), ElementsAre("alice", "bob", "world"));
  EXPECT_EQ(page.next, "");
}

TEST_F(LedgerAccounts, ListingOutsideItsBoundsIsRefused) {
  EXPECT_THAT(ledger_->ListAccounts("", "", 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ledger_->ListAccounts("", "", kMaxAccountPage + 1), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ledger_->ListAccounts("", "", kMaxAccountPage), IsOk());
}

TEST_F(LedgerAccounts, EveryBlockExpiresHoldsEvenOneThatRecordsNothingElse) {
  Give(alice_, 10);
  Transaction hold = MakeHold(1, alice_, bob_, 10);
  hold.expires_at = clock_.Now() + absl::Seconds(1);
  ASSERT_THAT(Commit(hold), HasOutcome(Outcome::kApplied));
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(OpenAccount({.name = "alice", .asset = "USD/2"}), alice_);
  EXPECT_EQ(HeadSequence(), 6U);
  EXPECT_EQ(Available(alice_), 10);
}

}  // namespace
}  // namespace northwind::testing
