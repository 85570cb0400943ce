// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/endpoint_book.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/webhook/signature.h"
#include "tests/support/status_matchers.h"
#include "tests/webhook/endpoint_book_fixture.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

// ---- Making -------------------------------------------------------------------------------------------------

TEST_F(EndpointBookTest, ANewEndpointIsEnabledAtVersionOne) {
  EndpointSpec spec = Spec("ep_1");
  spec.url = "HTTPS://Shop.Example:443";
  spec.events = {"payout.paid", "payout.*"};
  spec.headers = {{"Authorization", "Bearer hush"}};
  spec.policy = WebhookPolicy{.timeout = absl::Microseconds(1'500'900), .max_per_second = 2.0004};
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret made, book_->Create("m_42", spec));
  const Endpoint& endpoint = *made.endpoint;
  EXPECT_EQ(endpoint.merchant_id, "m_42");
  EXPECT_EQ(endpoint.id, "ep_1");
  EXPECT_EQ(endpoint.version, 1u);
  EXPECT_EQ(endpoint.created_at, clock_.Now());
  EXPECT_EQ(endpoint.updated_at, clock_.Now());
  EXPECT_EQ(endpoint.state, EndpointState::kEnabled);
  EXPECT_FALSE(endpoint.disabled.has_value());
  EXPECT_EQ(endpoint.url, "https://shop.example/");
  EXPECT_THAT(endpoint.events.patterns(), ElementsAre("payout.*"));
  const WebhookPolicy kept = {.timeout = absl::Milliseconds(1500), .max_per_second = 2};
  EXPECT_EQ(endpoint.policy, kept) << "as it is stored";
  EXPECT_THAT(book_->Headers(endpoint), IsOkAndHolds(spec.headers));
  EXPECT_THAT(book_->Get("m_42", "ep_1"), IsOkAndHolds(made.endpoint));
  EXPECT_EQ(book_->size(), 1u);
}

TEST_F(EndpointBookTest, IdsAreDrawnAtRandomUnlessTheyAreChosen) {
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret a, book_->Create("m", Spec()));
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret b, book_->Create("m", Spec()));
  EXPECT_THAT(a.endpoint->id, AllOf(StartsWith("ep_"), SizeIs(3 + 32)));
  EXPECT_NE(a.endpoint->id, b.endpoint->id);
  Make("m", "mine");
  EXPECT_THAT(book_->Create("m", Spec("mine")), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(book_->Create("n", Spec("mine")), IsOk()) << "another merchant's";
  EXPECT_EQ(book_->size(), 4u);
}

TEST_F(EndpointBookTest, WhatIsMalformedIsRefusedByFieldAndMakesNothing) {
  const auto refused = [&](const EndpointSpec& spec, const char* field) {
    EXPECT_THAT(book_->Create("m", spec), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(field)));
  };
  EndpointSpec bad = Spec("a/b");
  refused(bad, "endpoint_id");
  bad = Spec();
  bad.url = "http://shop.example/";
  refused(bad, "url: must begin with https");
  bad = Spec();
  bad.events = {};
  refused(bad, "events");
  bad = Spec();
  bad.headers = {{"Host", "x"}};
  refused(bad, "headers[0]");
  bad = Spec();
  bad.policy = WebhookPolicy{.burst = 0};
  refused(bad, "policy.burst");
  EXPECT_THAT(book_->Create("m/1", Spec()), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("merchant_id")));
  EXPECT_EQ(book_->size(), 0u);
  EXPECT_EQ(StoredBytes(), "");
}

TEST_F(EndpointBookTest, PlainHttpIsTakenIfTheHostAllowsIt) {
  options_.plain_http = PlainHttp::kAllowed;
  Reopen();
  EndpointSpec spec = Spec();
  spec.url = "http://127.0.0.1:8080/";
  EXPECT_THAT(book_->Create("m", spec), IsOk());
}

TEST_F(EndpointBookTest, NumbersAreBoundedPerMerchantAndInAll) {
  for (const char* merchant : {"a", "b"}) {
    for (int i = 0; i < 5; ++i) Make(merchant, "ep_" + std::to_string(i));
    EXPECT_THAT(book_->Create(merchant, Spec()), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("merchant")));
  }
  Make("c", "ep_0");
  Make("c", "ep_1");
  EXPECT_THAT(book_->Create("c", Spec()), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("12")));
  EXPECT_THAT(book_->Delete("a", "ep_3"), IsOk());
  EXPECT_THAT(book_->Create("c", Spec()), IsOk());
  EXPECT_EQ(book_->size(), 12u);
}

// ---- Secrets ------------------------------------------------------------------------------------------------

TEST_F(EndpointBookTest, TheSecretIsShownOnceAndSignsWhatItVerifies) {
  for (const SignatureScheme scheme : {SignatureScheme::kHmacSha256, SignatureScheme::kEd25519}) {
    EndpointSpec spec = Spec();
    spec.scheme = scheme;
    NW_ASSERT_OK_AND_ASSIGN(const NewSecret made, book_->Create("m", spec));
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<SigningKey> keys, book_->SigningKeys(*made.endpoint));
    NW_ASSERT_OK_AND_ASSIGN(const MessageHeaders headers, SignMessage(keys, "msg_1", clock_.Now(), "body"));
    std::vector<VerificationKey> known;
    known.push_back(*VerificationKey::Parse(made.verification_key.view()));
    EXPECT_EQ(known[0].scheme(), scheme);
    EXPECT_THAT(VerifyMessage(known, headers, "body", clock_.Now()), IsOk());
  }
}

TEST_F(EndpointBookTest, NothingSecretIsStoredInTheClear) {
  EndpointSpec spec = Spec();
  spec.headers = {{"Authorization", "Bearer hush-hush"}};
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret made, book_->Create("m", spec));
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<SigningKey> keys, book_->SigningKeys(*made.endpoint));
  const std::string stored = StoredBytes();
  EXPECT_THAT(stored, HasSubstr(std::string(kUrl)));
  EXPECT_THAT(stored, Not(HasSubstr("hush-hush")));
  EXPECT_THAT(stored, Not(HasSubstr("whsec_")));
  EXPECT_THAT(stored, Not(HasSubstr(std::string(made.verification_key.view().substr(6)))));
  EXPECT_THAT(stored, Not(HasSubstr(std::string(DecodeBase64(made.verification_key.view().substr(6))->view()))));
}

TEST_F(EndpointBookTest, ARotatedSecretStaysGoodForTheOverlap) {
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret first, book_->Create("m", Spec("e")));
  clock_.Advance(absl::Hours(1));
  NW_ASSERT_OK_AND_ASSIGN(
      const NewSecret second,
      book_->RotateSecret("m", "e", {.overlap = absl::Hours(24), .scheme = SignatureScheme::kEd25519}));
  EXPECT_EQ(second.endpoint->version, 2u);
  EXPECT_EQ(second.endpoint->updated_at, clock_.Now());
  EXPECT_THAT(std::string(second.verification_key.view()), StartsWith("whpk_"));

  const auto shown = [&] {
    std::vector<std::string> texts;
    const auto keys = book_->SigningKeys(*second.endpoint);
    EXPECT_THAT(keys, IsOk());
    for (const SigningKey& key : *keys) texts.emplace_back(key.verification_key().Text().view());
    return texts;
  };
  const std::string old_text(first.verification_key.view()), new_text(second.verification_key.view());
  EXPECT_THAT(shown(), ElementsAre(new_text, old_text));
  clock_.Advance(absl::Hours(24) - absl::Nanoseconds(1));
  EXPECT_THAT(shown(), ElementsAre(new_text, old_text));
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(shown(), ElementsAre(new_text));

  // With the next change it leaves the store.
  EXPECT_THAT((*book_->Get("m", "e"))->secrets, SizeIs(2));
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr paused, book_->Pause("m", "e"));
  EXPECT_THAT(paused->secrets, SizeIs(1));
  EXPECT_EQ(paused->secrets[0].number, 2u);
}

TEST_F(EndpointBookTest, ALeakedSecretEndsAtOnce) {
  Make("m", "e");
  ASSERT_THAT(book_->RotateSecret("m", "e", {.overlap = absl::Hours(24)}), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret made, book_->RotateSecret("m", "e", {.overlap = absl::ZeroDuration()}));
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<SigningKey> keys, book_->SigningKeys(*made.endpoint));
  ASSERT_THAT(keys, SizeIs(1));
  EXPECT_EQ(keys[0].Text().view(), made.verification_key.view());
  EXPECT_EQ(made.endpoint->secrets[0].number, 3u);
}

TEST_F(EndpointBookTest, AnOverlapIsNeverMadeLongerAndFourSecretsAreGoodAtMost) {
  Make("m", "e");
  const absl::Time start = clock_.Now();
  ASSERT_THAT(book_->RotateSecret("m", "e", {.overlap = absl::Hours(1)}), IsOk());
  ASSERT_THAT(book_->RotateSecret("m", "e", {.overlap = absl::Hours(9)}), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret made, book_->RotateSecret("m", "e", {.overlap = absl::Hours(5)}));
  ASSERT_THAT(made.endpoint->secrets, SizeIs(4));
  EXPECT_EQ(made.endpoint->secrets[0].expires_at, absl::InfiniteFuture());
  EXPECT_EQ(made.endpoint->secrets[1].expires_at, start + absl::Hours(5));
  EXPECT_EQ(made.endpoint->secrets[2].expires_at, start + absl::Hours(5));
  EXPECT_EQ(made.endpoint->secrets[3].expires_at, start + absl::Hours(1));
  EXPECT_THAT(book_->RotateSecret("m", "e", {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("4 secrets")));
  EXPECT_THAT(book_->Get("m", "e"), IsOkAndHolds(made.endpoint)) << "and nothing was changed";
  clock_.Advance(absl::Hours(1));
  EXPECT_THAT(book_->RotateSecret("m", "e", {}), IsOk());
  for (const absl::Duration bad :
       {-absl::Nanoseconds(1), kMaxSecretOverlap + absl::Nanoseconds(1), absl::InfiniteDuration()}) {
    EXPECT_THAT(book_->RotateSecret("m", "e", {.overlap = bad}),
                StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("overlap")));
  }
}

TEST_F(EndpointBookTest, TheHostsKeyIsRotatedUnderTheEndpoints) {
  EndpointSpec spec = Spec("e");
  spec.headers = {{"Cookie", "a=b"}};
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret made, book_->Create("m", spec));
  Make("m", "f");
  Make("n", "e");
  EXPECT_THAT(book_->Reseal(10), IsOkAndHolds(0u)) << "all by the only key";

  const auto with = [](std::vector<std::pair<std::string, char>> ids) {
    std::vector<HostKey> keys;
    for (const auto& [id, first] : ids) keys.push_back(Key(id, first));
    return *SecretBox::Make(std::move(keys));
  };
  book_.reset();
  EXPECT_THAT(TryOpen(with({{"k2", 2}})),
              StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("m/e"), HasSubstr("host key k1"))));
  EXPECT_THAT(TryOpen(with({{"k1", 2}})), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("host key k1")));
  ASSERT_THAT(TryOpen(with({{"k2", 2}, {"k1", 1}})), IsOk());
  EXPECT_THAT(book_->Reseal(0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(book_->Reseal(2), IsOkAndHolds(2u));
  EXPECT_THAT(book_->Reseal(2), IsOkAndHolds(1u));
  EXPECT_THAT(book_->Reseal(2), IsOkAndHolds(0u));

  book_.reset();
  ASSERT_THAT(TryOpen(with({{"k2", 2}})), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr endpoint, book_->Get("m", "e"));
  EXPECT_EQ(endpoint->version, 1u);
  EXPECT_THAT(book_->Headers(*endpoint), IsOkAndHolds(spec.headers));
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<SigningKey> keys, book_->SigningKeys(*endpoint));
  ASSERT_THAT(keys, SizeIs(1));
  EXPECT_EQ(keys[0].Text().view(), made.verification_key.view());
}

TEST_F(EndpointBookTest, ASecretThatWasCopiedToAnotherEndpointIsRefused) {
  const EndpointPtr mine = Make("m", "e");
  Endpoint theirs = *Make("n", "e");
  theirs.secrets = mine->secrets;
  WriteSet writes;
  writes.Put(Space::kHost, EndpointKey("n", "e"), EncodeEndpoint(theirs));
  ASSERT_THAT(engine_->Write(writes), IsOk());
  EXPECT_THAT(TryOpen(Box()), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("n/e")));
}

// ---- Changing -----------------------------------------------------------------------------------------------

TEST_F(EndpointBookTest, AnUpdateChangesWhatIsSetAndNothingElse) {
  EndpointSpec spec = Spec("e");
  spec.headers = {{"X-A", "1"}};
  spec.policy = WebhookPolicy{.burst = 3};
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret made, book_->Create("m", spec));
  clock_.Advance(absl::Seconds(5));
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr second, book_->Update("m", "e", 1, {.url = "https://new.example"}));
  Endpoint expected = *made.endpoint;
  expected.version = 2;
  expected.url = "https://new.example/";
  expected.updated_at = clock_.Now();
  EXPECT_EQ(*second, expected);

  const std::vector<CustomHeader> headers = {{"X-B", "2"}};
  NW_ASSERT_OK_AND_ASSIGN(
      const EndpointPtr third,
      book_->Update("m", "e", 2,
                    {.events = {{"a", "a.*"}}, .headers = headers, .policy = std::optional<WebhookPolicy>()}));
  EXPECT_THAT(third->events.patterns(), ElementsAre("a", "a.*"));
  EXPECT_THAT(book_->Headers(*third), IsOkAndHolds(headers));
  EXPECT_EQ(third->policy, std::nullopt);
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr fourth,
                          book_->Update("m", "e", 3, {.headers = std::vector<CustomHeader>()}));
  EXPECT_EQ(fourth->sealed_headers, "");
  EXPECT_EQ(fourth->version, 4u);
  // What was handed out stays as it was.
  EXPECT_THAT(book_->Headers(*made.endpoint), IsOkAndHolds(spec.headers));
}

TEST_F(EndpointBookTest, AnUpdateThatChangesNothingMakesNoVersion) {
  EndpointSpec spec = Spec("e");
  spec.headers = {{"X-A", "1"}};
  spec.policy = WebhookPolicy{.max_per_second = 0.0125};
  NW_ASSERT_OK_AND_ASSIGN(const NewSecret made, book_->Create("m", spec));
  const uint64_t before = disk_.changes();
  clock_.Advance(absl::Seconds(5));
  EXPECT_THAT(book_->Update("m", "e", 1, {}), IsOkAndHolds(made.endpoint));
  EXPECT_THAT(
      book_->Update(
          "m", "e", 1,
          {.url = "https://SHOP.example/hook", .events = {{"*", "a"}}, .headers = spec.headers, .policy = spec.policy}),
      IsOkAndHolds(made.endpoint));
  EXPECT_THAT(book_->Resume("m", "e"), IsOkAndHolds(made.endpoint));
  EXPECT_THAT(book_->Enable("m", "e"), IsOkAndHolds(made.endpoint));
  EXPECT_EQ(disk_.changes(), before) << "nothing is written either";
}

TEST_F(EndpointBookTest, AChangeOfAnotherVersionIsAConflictAndChangesNothing) {
  Make("m", "e");
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr now, book_->Update("m", "e", 1, {.url = "https://new.example/"}));
  for (const uint64_t stale : {0, 1, 3}) {
    const absl::Status statuses[] = {
        book_->Update("m", "e", stale, {.url = "https://newer.example/"}).status(),
        book_->Pause("m", "e", stale).status(),
        book_->Resume("m", "e", stale).status(),
        book_->Disable("m", "e", DisableReason::kGone, "410", stale).status(),
        book_->Enable("m", "e", stale).status(),
        book_->RotateSecret("m", "e", {}, stale).status(),
        book_->Delete("m", "e", stale),
    };
    for (const absl::Status& status : statuses) {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("version 2")));
      EXPECT_TRUE(IsVersionConflict(status));
    }
  }
  EXPECT_THAT(book_->Get("m", "e"), IsOkAndHolds(now));
  EXPECT_FALSE(IsVersionConflict(book_->Get("m", "none").status()));
}

TEST_F(EndpointBookTest, AMalformedUpdateChangesNothing) {
  const EndpointPtr made = Make("m", "e");
  EXPECT_THAT(book_->Update("m", "e", 1, {.url = "https://good.example/", .events = {{"**"}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("events[0]")));
  EXPECT_THAT(book_->Update("m", "e", 1, {.url = "https://u:pw@x.example/"}),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(StartsWith("url"), Not(HasSubstr("pw@")))));
  EXPECT_THAT(book_->Update("m", "e", 1, {.headers = {{{"te", "x"}}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("headers[0]")));
  EXPECT_THAT(book_->Update("m", "e", 1, {.policy = WebhookPolicy{.max_concurrent = 0}}),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("policy.max_concurrent")));
  EXPECT_THAT(book_->Get("m", "e"), IsOkAndHolds(made));
}

TEST_F(EndpointBookTest, PausedAndDisabledAreStatesOfTheirOwn) {
  Make("m", "e");
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr paused, book_->Pause("m", "e", 1));
  EXPECT_EQ(paused->state, EndpointState::kPaused);
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr resumed, book_->Resume("m", "e", 2));
  EXPECT_EQ(resumed->state, EndpointState::kEnabled);

  clock_.Advance(absl::Seconds(1));
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr gone, book_->Disable("m", "e", DisableReason::kGone,
                                                                 "HTTP\r\n410 \xc3\xbc" + std::string(300, 'x'), 3));
  EXPECT_EQ(gone->state, EndpointState::kDisabled);
  EXPECT_EQ(gone->disabled->reason, DisableReason::kGone);
  EXPECT_EQ(gone->disabled->at, clock_.Now());
  EXPECT_EQ(gone->disabled->detail, "HTTP??410 ??" + std::string(kMaxDisableDetailBytes - 12, 'x'));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(book_->Disable("m", "e", DisableReason::kFailing, "again"), IsOkAndHolds(gone))
      << "the first reason stays";
  EXPECT_THAT(book_->Pause("m", "e"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("enable it first")));
  EXPECT_THAT(book_->Resume("m", "e"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("enable it first")));
  Reopen();
  EXPECT_EQ(**book_->Get("m", "e"), *gone);

  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr enabled, book_->Enable("m", "e", 4));
  EXPECT_EQ(enabled->state, EndpointState::kEnabled);
  EXPECT_FALSE(enabled->disabled.has_value());
  ASSERT_THAT(book_->Pause("m", "e"), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr still, book_->Enable("m", "e"));
  EXPECT_EQ(still->state, EndpointState::kPaused);
}

TEST_F(EndpointBookTest, DisablingIsWrittenTogetherWithWhatBelongsToIt) {
  Make("m", "e");
  int calls = 0;
  const auto write = [&](const HostRecord& record) {
    ++calls;
    EXPECT_EQ((*book_->Get("m", "e"))->state, EndpointState::kEnabled) << "not seen before it is written";
    WriteSet writes;
    writes.Put(Space::kHost, record.key, record.value);
    writes.Put(Space::kHost, "beside", "it");
    return engine_->Write(writes);
  };
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr gone,
                          book_->DisableWith("m", "e", DisableReason::kGone, "4\n10", 1, write));
  EXPECT_EQ(gone->state, EndpointState::kDisabled);
  EXPECT_EQ(gone->version, 2u);
  EXPECT_EQ(*gone->disabled, (Disabled{DisableReason::kGone, clock_.Now(), "4?10"}));
  EXPECT_THAT(book_->Get("m", "e"), IsOkAndHolds(gone));
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(StoredBytes(), HasSubstr("besideit"));
  Reopen();
  EXPECT_EQ(**book_->Get("m", "e"), *gone);
}

TEST_F(EndpointBookTest, DisablingThatChangesNothingIsNotWritten) {
  Make("m", "e");
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr first, book_->Disable("m", "e", DisableReason::kByHand, "first"));
  const auto never = [](const HostRecord&) -> absl::Status {
    ADD_FAILURE() << "written";
    return absl::OkStatus();
  };
  EXPECT_THAT(book_->DisableWith("m", "e", DisableReason::kGone, "", std::nullopt, never), IsOkAndHolds(first));
  EXPECT_THAT(book_->DisableWith("m", "e", DisableReason::kGone, "", 2, never), IsOkAndHolds(first));
  EXPECT_TRUE(IsVersionConflict(book_->DisableWith("m", "e", DisableReason::kGone, "", 1, never).status()));
  EXPECT_THAT(book_->DisableWith("m", "f", DisableReason::kGone, "", std::nullopt, never),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(EndpointBookTest, DisablingThatCouldNotBeWrittenIsNotSeen) {
  const EndpointPtr made = Make("m", "e");
  const auto fails = [](const HostRecord&) { return absl::ResourceExhaustedError("full"); };
  EXPECT_THAT(book_->DisableWith("m", "e", DisableReason::kFailing, "", std::nullopt, fails),
              StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  EXPECT_THAT(book_->Get("m", "e"), IsOkAndHolds(made));
  EXPECT_THAT(book_->Pause("m", "e", 1), IsOk()) << "and the book goes on";
}

TEST_F(EndpointBookTest, NothingStaysOfADeletedEndpoint) {
  const EndpointPtr held = Make("m", "e");
  ASSERT_THAT(book_->Delete("m", "e", 1), IsOk());
  EXPECT_EQ(StoredBytes(), "");
  EXPECT_EQ(book_->size(), 0u);
  EXPECT_THAT(book_->Get("m", "e"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(book_->Delete("m", "e"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(book_->Update("m", "e", 1, {}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(book_->SigningKeys(*held), IsOk()) << "a delivery under way can still be signed";
  EXPECT_EQ(Make("m", "e")->version, 1u);
}

TEST_F(EndpointBookTest, TimesNeverGoBackWhateverTheClockDoes) {
  const EndpointPtr made = Make("m", "e");
  clock_.Advance(-absl::Hours(5));
  NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr paused, book_->Pause("m", "e"));
  EXPECT_EQ(paused->updated_at, made->updated_at);
  clock_.Set(absl::FromUnixSeconds(-5));
  EXPECT_EQ(Make("m", "f")->created_at, absl::UnixEpoch());
  Reopen();
  EXPECT_EQ(book_->size(), 2u);
}

// ---- Reading ------------------------------------------------------------------------------------------------

TEST_F(EndpointBookTest, ListsByMerchantInPages) {
  for (const char* id : {"c", "a", "e", "b", "d"}) Make("m", id);
  Make("m.1", "x");
  Make("m-1", "y");
  EXPECT_THAT(Ids(All("m")), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(All("nobody"), IsEmpty());
  std::vector<std::string> seen;
  std::string after;
  do {
    NW_ASSERT_OK_AND_ASSIGN(const EndpointPage page, book_->List("m", after, 2));
    for (const EndpointPtr& endpoint : page.endpoints) seen.push_back(endpoint->id);
    after = page.next;
  } while (!after.empty());
  EXPECT_THAT(seen, ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(Ids(book_->List("m", "bb", 9)->endpoints), ElementsAre("c", "d", "e")) << "after one that is not there";
  EXPECT_EQ(book_->List("m", "", 5)->next, "") << "no empty page at the end";
  for (const size_t bad : {size_t{0}, kMaxEndpointPage + 1}) {
    EXPECT_THAT(book_->List("m", "", bad), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST_F(EndpointBookTest, MatchesEnabledAndPausedEndpointsOfTheMerchant) {
  Make("m", "all");
  Make("m", "payouts", {"payout.*"});
  Make("m", "refunds", {"payment.refunded"});
  Make("m", "paused");
  Make("m", "disabled");
  Make("n", "other");
  ASSERT_THAT(book_->Pause("m", "paused"), IsOk());
  ASSERT_THAT(book_->Disable("m", "disabled", DisableReason::kByHand, ""), IsOk());
  EXPECT_THAT(Ids(*book_->MatchingEndpoints("m", "payout.paid")), ElementsAre("all", "paused", "payouts"));
  EXPECT_THAT(Ids(*book_->MatchingEndpoints("m", "payment.refunded")), ElementsAre("all", "paused", "refunds"));
  EXPECT_THAT(Ids(*book_->MatchingEndpoints("n", "payment.refunded")), ElementsAre("other"));
  EXPECT_THAT(*book_->MatchingEndpoints("nobody", "payout.paid"), IsEmpty());
  EXPECT_THAT(book_->MatchingEndpoints("m", "payout.*"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(book_->MatchingEndpoints("m/", "payout"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(EndpointBookTest, VisitsEveryEndpointOnceWhateverIsChangedMeanwhile) {
  book_->Visit([](const EndpointPtr&) { ADD_FAILURE() << "of an empty book"; });
  for (const char* merchant : {"a", "b", "c"}) {
    Make(merchant, "1");
    Make(merchant, "2");
  }
  std::vector<std::string> seen;
  book_->Visit([&](const EndpointPtr& endpoint) {
    seen.push_back(endpoint->merchant_id + "/" + endpoint->id);
    ASSERT_THAT(book_->Delete(endpoint->merchant_id, endpoint->id), IsOk());
    Make(endpoint->merchant_id, "new" + endpoint->id);
  });
  EXPECT_THAT(seen, UnorderedElementsAre("a/1", "a/2", "b/1", "b/2", "c/1", "c/2"));
  EXPECT_EQ(book_->size(), 6u);
}

// ---- Opening ------------------------------------------------------------------------------------------------

TEST_F(EndpointBookTest, LivesBesideOtherRecordsAndRefusesDamagedOnes) {
  const EndpointPtr made = Make("m", "e");
  WriteSet writes;
  for (const char* key : {"nw/webhook/endpoint", "nw/webhook/endpoint0", "nw/webhook/endpoinu/m/e", "a", "z"}) {
    writes.Put(Space::kHost, key, "other");
  }
  ASSERT_THAT(engine_->Write(writes), IsOk());
  Reopen();
  EXPECT_EQ(book_->size(), 1u);
  EXPECT_EQ(**book_->Get("m", "e"), *made);
  writes.Clear();
  writes.Put(Space::kHost, EndpointKey("m", "f"), "damaged");
  ASSERT_THAT(engine_->Write(writes), IsOk());
  EXPECT_THAT(TryOpen(Box()), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("m/f")));
}

}  // namespace
}  // namespace northwind::internal
