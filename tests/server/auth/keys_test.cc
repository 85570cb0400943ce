// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/auth/credentials_fixture.h"

namespace northwind::server {
namespace {

using ::northwind::testing::CredentialsTest;
using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

using KeysTest = CredentialsTest;

const KeySpec kReader = {.name = "reader", .scopes = {Scope::kMerchantRead}};

TEST_F(KeysTest, AKeySaysWhoAsksAndWhatTheyMay) {
  const NewKey made =
      MakeKey({.name = "erp", .scopes = {Scope::kMerchantRead, Scope::kEventsWrite}, .merchant = "m_1"});
  EXPECT_THAT(made.view.id, MatchesRegex("key_[0-9a-f]{16}"));
  EXPECT_THAT(made.key, MatchesRegex("nwk_" + made.view.id + "_[0-9a-f]{64}"));
  NW_ASSERT_OK_AND_ASSIGN(const Caller caller, credentials_->Authenticate(Bearer(made.key)));
  EXPECT_EQ(caller.kind, Caller::Kind::kKey);
  EXPECT_EQ(caller.id, made.view.id);
  EXPECT_EQ(caller.actor, "key:erp");
  EXPECT_THAT(caller.scopes, ElementsAre(Scope::kEventsWrite, Scope::kMerchantRead));
  EXPECT_EQ(caller.merchant, "m_1");
  EXPECT_FALSE(credentials_->HasCsrfToken(Bearer(made.key), caller));
  Reopen();
  EXPECT_THAT(Try(Bearer(made.key)), IsOk());
}

TEST_F(KeysTest, WhatIsNotExactlyTheKeyIsNotGood) {
  const std::string key = MakeKey().key;
  for (size_t i = 0; i < key.size(); ++i) {
    std::string other = key;
    other[i] = other[i] == '0' ? '1' : '0';
    EXPECT_THAT(Try(Bearer(other)), StatusIs(absl::StatusCode::kUnauthenticated)) << i;
  }
  for (const std::string& field :
       {std::string(), std::string("Bearer"), std::string("Bearer "), "Basic " + key, key, "Bearer" + key,
        "Bearer " + key + "0", "Bearer " + key.substr(1), "Bearer " + key + " x", "Bearer " + key + "," + key}) {
    EXPECT_THAT(Try(With({{"Authorization", field}})), StatusIs(absl::StatusCode::kUnauthenticated)) << field;
  }
  EXPECT_THAT(Try(With({{"authorization", "bearer " + key}})), IsOk()) << "names of fields and schemes have no case";
}

TEST_F(KeysTest, TwoCredentialsAreOneTooMany) {
  const std::string key = MakeKey().key;
  const std::string cookie = "__Host-northwind=" + SignIn("m_1").cookie;
  const std::string bearer = "Bearer " + key;
  EXPECT_THAT(Try(With({{"Authorization", bearer}, {"authorization", bearer}})),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Try(With({{"Authorization", bearer}, {"Cookie", cookie}})), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Try(With({{"Cookie", cookie + "; " + cookie}})), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Try(With({{"Cookie", cookie}, {"Cookie", cookie}})), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Try(With({{"Authorization", bearer}, {"Cookie", "theme=dark"}})), IsOk());
}

TEST_F(KeysTest, WithoutACredentialItIsNobody) {
  NW_ASSERT_OK_AND_ASSIGN(const Caller caller, credentials_->Authenticate(With({{"Cookie", "theme=dark"}})));
  EXPECT_EQ(caller.kind, Caller::Kind::kNobody);
  EXPECT_THAT(caller.scopes, IsEmpty());
}

TEST_F(KeysTest, ARevokedKeyIsNotGoodAtOnceAndForGood) {
  const NewKey made = MakeKey();
  ASSERT_THAT(Try(Bearer(made.key)), IsOk());
  const auto good = credentials_->StillGood(Bearer(made.key), Caller{.kind = Caller::Kind::kKey, .id = made.view.id});
  EXPECT_TRUE(good());
  ASSERT_THAT(credentials_->RevokeKey(made.view.id), IsOk());
  EXPECT_FALSE(good());
  EXPECT_THAT(Try(Bearer(made.key)), StatusIs(absl::StatusCode::kUnauthenticated));
  const absl::Time revoked = credentials_->GetKey(made.view.id)->revoked_at;
  EXPECT_EQ(revoked, clock_.Now());
  clock_.Advance(absl::Seconds(5));
  EXPECT_THAT(credentials_->RevokeKey(made.view.id), IsOk());
  EXPECT_THAT(credentials_->RevokeKey("key_0000000000000000"), StatusIs(absl::StatusCode::kNotFound));
  CrashAndReopen();
  EXPECT_THAT(Try(Bearer(made.key)), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_EQ(credentials_->GetKey(made.view.id)->revoked_at, revoked);
}

TEST_F(KeysTest, AKeyEndsWhenItWasToEnd) {
  const NewKey made =
      MakeKey({.name = "k", .scopes = {Scope::kEventsWrite}, .expires_at = clock_.Now() + absl::Hours(1)});
  clock_.Advance(absl::Hours(1) - absl::Microseconds(1));
  EXPECT_THAT(Try(Bearer(made.key)), IsOk());
  clock_.Advance(absl::Microseconds(1));
  EXPECT_THAT(Try(Bearer(made.key)), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(credentials_->RotateKey(made.view.id, absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(KeysTest, ARotatedKeyOverlaps) {
  const NewKey old = MakeKey({.name = "erp", .scopes = {Scope::kEventsWrite}, .merchant = "m_1"});
  NW_ASSERT_OK_AND_ASSIGN(const NewKey made, credentials_->RotateKey(old.view.id, absl::Hours(1)));
  EXPECT_NE(made.view.id, old.view.id);
  EXPECT_EQ(made.view.spec.name, "erp");
  EXPECT_EQ(made.view.spec.merchant, "m_1");
  EXPECT_THAT(made.view.spec.scopes, ElementsAre(Scope::kEventsWrite));
  Reopen();
  clock_.Advance(absl::Hours(1) - absl::Microseconds(1));
  EXPECT_THAT(Try(Bearer(old.key)), IsOk());
  clock_.Advance(absl::Microseconds(1));
  EXPECT_THAT(Try(Bearer(old.key)), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(Try(Bearer(made.key)), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const NewKey third, credentials_->RotateKey(made.view.id, absl::ZeroDuration()));
  EXPECT_THAT(Try(Bearer(made.key)), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(Try(Bearer(third.key)), IsOk());
}

TEST_F(KeysTest, ARotationOutOfBoundsChangesNothing) {
  const NewKey made = MakeKey();
  for (const absl::Duration overlap : {absl::Seconds(-1), absl::Hours(24 * 30) + absl::Seconds(1)}) {
    EXPECT_THAT(credentials_->RotateKey(made.view.id, overlap), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(credentials_->RotateKey("key_0000000000000000", absl::Hours(1)), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(credentials_->GetKey(made.view.id)->revoked_at, absl::InfiniteFuture());
  EXPECT_THAT(*credentials_->ListKeys(), SizeIs(1));
}

TEST_F(KeysTest, ASpecOutOfBoundsIsRefused) {
  const std::set<Scope> read = {Scope::kMerchantRead};
  for (const KeySpec& spec : std::vector<KeySpec>{
           {.name = "", .scopes = read},
           {.name = std::string(65, 'a'), .scopes = read},
           {.name = "a b", .scopes = read},
           {.name = "a", .scopes = {}},
           {.name = "a", .scopes = {Scope::kPublic}},
           {.name = "a", .scopes = read, .merchant = "m 1"},
           {.name = "a", .scopes = {Scope::kOperatorRead}, .merchant = "m_1"},
           {.name = "a", .scopes = {Scope::kOperatorWrite}, .merchant = "m_1"},
           {.name = "a", .scopes = read, .expires_at = clock_.Now()},
       }) {
    EXPECT_THAT(credentials_->CreateKey(spec), StatusIs(absl::StatusCode::kInvalidArgument)) << spec.name;
  }
  EXPECT_THAT(*credentials_->ListKeys(), IsEmpty());
}

TEST_F(KeysTest, OneSeedMakesOneKey) {
  NW_ASSERT_OK_AND_ASSIGN(const NewKey made, credentials_->CreateKey(kReader, "seed"));
  EXPECT_THAT(credentials_->CreateKey(kReader, "seed"), StatusIs(absl::StatusCode::kAlreadyExists, made.view.id));
  Reopen();
  EXPECT_THAT(credentials_->CreateKey(kReader, "seed"), StatusIs(absl::StatusCode::kAlreadyExists, made.view.id));
  EXPECT_THAT(credentials_->CreateKey(kReader, "another"), IsOk());
}

TEST_F(KeysTest, ThereAreOnlySoMany) {
  options_.max_keys = 2;
  Reopen();
  const NewKey first = MakeKey();
  MakeKey();
  EXPECT_THAT(credentials_->CreateKey(kReader), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(credentials_->RotateKey(first.view.id, absl::Hours(1)), StatusIs(absl::StatusCode::kResourceExhausted));
  // What has been good for nothing for long makes room.
  ASSERT_THAT(credentials_->RevokeKey(first.view.id), IsOk());
  clock_.Advance(absl::Hours(24 * 90) + absl::Seconds(1));
  Reopen();
  EXPECT_THAT(credentials_->CreateKey(kReader), IsOk());
  EXPECT_THAT(credentials_->GetKey(first.view.id), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(KeysTest, ListedInPagesById) {
  for (int i = 0; i < 5; ++i) MakeKey();
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<KeyView> all, credentials_->ListKeys());
  ASSERT_THAT(all, SizeIs(5));
  std::vector<std::string> ids;
  std::string after;
  for (;;) {
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<KeyView> page, credentials_->ListKeys(after, 2));
    if (page.empty()) break;
    for (const KeyView& view : page) ids.push_back(view.id);
    after = page.back().id;
  }
  EXPECT_THAT(ids, ElementsAre(all[0].id, all[1].id, all[2].id, all[3].id, all[4].id));
  EXPECT_THAT(credentials_->ListKeys("", 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(credentials_->ListKeys("", 1001), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(KeysTest, WhenItWasUsedIsKnownToTheMinuteAndNotWrittenByTheRequest) {
  const NewKey made = MakeKey();
  const std::string record = "server/auth/key/" + made.view.id;
  NW_ASSERT_OK_AND_ASSIGN(const auto before, store_->Get(record));
  EXPECT_EQ(credentials_->GetKey(made.view.id)->last_used_at, absl::InfinitePast());
  for (int i = 0; i < 100; ++i) ASSERT_THAT(Try(Bearer(made.key)), IsOk());
  const absl::Time used = credentials_->GetKey(made.view.id)->last_used_at;
  EXPECT_EQ(absl::ToUnixSeconds(used) % 60, 0);
  EXPECT_LE(used, clock_.Now());
  EXPECT_GT(used, clock_.Now() - absl::Minutes(1));
  NW_ASSERT_OK_AND_ASSIGN(const auto after, store_->Get(record));
  EXPECT_EQ(before, after) << "requests write nothing";
  Reopen();
  EXPECT_EQ(credentials_->GetKey(made.view.id)->last_used_at, used);
}

TEST_F(KeysTest, TheFilesHaveNoKey) {
  const NewKey made = MakeKey({.name = "found-if-looked-for", .scopes = {Scope::kEventsWrite}});
  const std::string secret = made.key.substr(made.key.size() - 64);
  ASSERT_TRUE(FilesHave("found-if-looked-for"));
  EXPECT_FALSE(FilesHave(secret));
  Reopen();
  EXPECT_FALSE(FilesHave(secret));
}

TEST_F(KeysTest, EveryByteOfARecordMatters) {
  MakeKey(
      {.name = "k", .scopes = {Scope::kMerchantRead}, .merchant = "m_1", .expires_at = clock_.Now() + absl::Hours(1)});
  EveryByteMatters("server/auth/key/", [&] { return KeyRing::Open(*store_, 10).status(); });
}

TEST_F(KeysTest, ARecordIsGoodForItsOwnKeyOnly) {
  const NewKey one = MakeKey();
  const NewKey two = MakeKey();
  NW_ASSERT_OK_AND_ASSIGN(const auto record, store_->Get("server/auth/key/" + one.view.id));
  ASSERT_THAT(store_->Write({HostChange{.key = "server/auth/key/" + two.view.id, .value = record}}), IsOk());
  EXPECT_THAT(KeyRing::Open(*store_, 10), StatusIs(absl::StatusCode::kDataLoss, ::testing::HasSubstr(two.view.id)));
}

}  // namespace
}  // namespace northwind::server
