// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/signature.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestSeed;
using ::testing::HasSubstr;

constexpr absl::StatusCode kMalformed = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kNoMatch = absl::StatusCode::kUnauthenticated;
constexpr absl::StatusCode kStale = absl::StatusCode::kOutOfRange;

constexpr std::string_view kPrivateText =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

SigningKey Key(std::string_view text) { return *SigningKey::Parse(text); }
SigningKey Fresh(SignatureScheme scheme) { return *SigningKey::Generate(scheme); }

template <typename... Keys>
std::vector<SigningKey> All(Keys&&... keys) {
  std::vector<SigningKey> all;
  (all.push_back(std::forward<Keys>(keys)), ...);
  return all;
}

std::vector<VerificationKey> VerificationKeys(const std::vector<SigningKey>& keys) {
  std::vector<VerificationKey> all;
  for (const SigningKey& key : keys) all.push_back(key.verification_key());
  return all;
}

// A signed message, and the keys to check it with.
struct Message {
  explicit Message(std::vector<SigningKey> signed_by) : keys(std::move(signed_by)), known(VerificationKeys(keys)) {
    headers = *SignMessage(keys, "msg_1", at, body);
  }
  explicit Message(SignatureScheme scheme) : Message(All(Fresh(scheme))) {}

  absl::Status Verify() const { return VerifyMessage(known, headers, body, now); }
  absl::Status VerifySignature(std::string signature) const {
    MessageHeaders changed = headers;
    changed.signature = std::move(signature);
    return VerifyMessage(known, changed, body, now);
  }

  absl::Time at = absl::FromUnixSeconds(1'700'000'000);
  absl::Time now = at;
  std::string body = R"({"type":"payout.paid"})";
  std::vector<SigningKey> keys;
  std::vector<VerificationKey> known;
  MessageHeaders headers;
};

// ---- Vectors ------------------------------------------------------------------------------------------------

struct Vector {
  std::string_view signing_key;
  std::string_view verification_key;
  std::string_view id;
  int64_t timestamp;
  std::string_view body;
  std::string_view signature;
};

constexpr Vector kVectors[] = {
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
     1614265330, R"({"test": 2432232314})", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
     "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553, R"({"email":"test@example.com","username":"test_user"})",
     "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
    {kPrivateText, "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
     R"({"test": 2432232314})",
     "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="},
};

TEST(SignMessage, GivesTheVectorsOfTheStandard) {
  for (const Vector& vector : kVectors) {
    const absl::Time at = absl::FromUnixSeconds(vector.timestamp);
    NW_ASSERT_OK_AND_ASSIGN(const MessageHeaders headers,
                            SignMessage(All(Key(vector.signing_key)), vector.id, at, vector.body));
    EXPECT_EQ(headers.id, vector.id);
    EXPECT_EQ(headers.timestamp, std::to_string(vector.timestamp));
    EXPECT_EQ(headers.signature, vector.signature);
  }
}

TEST(VerifyMessage, AcceptsTheVectorsOfTheStandard) {
  for (const Vector& vector : kVectors) {
    std::vector<VerificationKey> known;
    known.push_back(*VerificationKey::Parse(vector.verification_key));
    const MessageHeaders headers = {std::string(vector.id), std::to_string(vector.timestamp),
                                    std::string(vector.signature)};
    const absl::Time at = absl::FromUnixSeconds(vector.timestamp);
    EXPECT_THAT(VerifyMessage(known, headers, vector.body, at), IsOk());
    EXPECT_THAT(VerifyMessage(known, headers, std::string(vector.body) + " ", at), StatusIs(kNoMatch));
  }
}

// ---- Signing ------------------------------------------------------------------------------------------------

TEST(SignMessage, CutsTheTimeToSeconds) {
  const std::vector<SigningKey> keys = All(Fresh(SignatureScheme::kHmacSha256));
  const absl::Time second = absl::FromUnixSeconds(1'700'000'000);
  NW_ASSERT_OK_AND_ASSIGN(const MessageHeaders late,
                          SignMessage(keys, "a", second + absl::Nanoseconds(999'999'999), ""));
  NW_ASSERT_OK_AND_ASSIGN(const MessageHeaders early, SignMessage(keys, "a", second, ""));
  EXPECT_EQ(late.timestamp, "1700000000");
  EXPECT_EQ(late.signature, early.signature);
}

TEST(SignMessage, RefusesWhatCouldNotBeVerified) {
  const std::vector<SigningKey> keys = All(Fresh(SignatureScheme::kHmacSha256));
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  for (const std::string& id :
       {std::string(), std::string("a.b"), std::string("."), std::string("a b"), std::string("a\n"),
        std::string("\x7f"), std::string("\xc3\xbc"), std::string(kMaxMessageIdBytes + 1, 'a')}) {
    EXPECT_THAT(SignMessage(keys, id, now, ""), StatusIs(kMalformed, HasSubstr("webhook-id"))) << id;
  }
  EXPECT_THAT(SignMessage(keys, std::string(kMaxMessageIdBytes, 'a'), now, ""), IsOk());
  EXPECT_THAT(SignMessage(keys, "a", absl::FromUnixSeconds(-1), ""), StatusIs(kMalformed));
  EXPECT_THAT(SignMessage(keys, "a", absl::InfiniteFuture(), ""), StatusIs(kMalformed));
  EXPECT_THAT(SignMessage({}, "a", now, ""), StatusIs(kMalformed));
  std::vector<SigningKey> many;
  while (many.size() < kMaxSigningKeys) many.push_back(Fresh(SignatureScheme::kHmacSha256));
  EXPECT_THAT(SignMessage(many, "a", now, ""), IsOk());
  many.push_back(Fresh(SignatureScheme::kHmacSha256));
  EXPECT_THAT(SignMessage(many, "a", now, ""), StatusIs(kMalformed));
}

// ---- Verifying ----------------------------------------------------------------------------------------------

TEST(VerifyMessage, AcceptsWhatSignMessageMade) {
  Random random(TestSeed());
  for (int i = 0; i < 200; ++i) {
    Message message(random.OneIn(2) ? SignatureScheme::kHmacSha256 : SignatureScheme::kEd25519);
    message.body.assign(random.Below(300), '\0');
    for (char& c : message.body) c = static_cast<char>(random.Next());  // any bytes, UTF-8 or not
    message.headers = *SignMessage(message.keys, "msg_" + std::to_string(random.Next()), message.at, message.body);
    EXPECT_THAT(message.Verify(), IsOk());
    if (message.body.empty()) continue;
    message.body[random.Below(message.body.size())] ^= static_cast<char>(1 + random.Below(255));
    EXPECT_THAT(message.Verify(), StatusIs(kNoMatch));
  }
}

TEST(VerifyMessage, RefusesAnotherIdTimeBodyOrKey) {
  for (const SignatureScheme scheme : {SignatureScheme::kHmacSha256, SignatureScheme::kEd25519}) {
    const Message good(scheme);
    EXPECT_THAT(good.Verify(), IsOk());
    Message changed(scheme);
    changed.headers = good.headers;
    EXPECT_THAT(changed.Verify(), StatusIs(kNoMatch)) << "other keys";
    EXPECT_THAT(
        VerifyMessage(good.known, {"msg_2", good.headers.timestamp, good.headers.signature}, good.body, good.now),
        StatusIs(kNoMatch));
    EXPECT_THAT(VerifyMessage(good.known, {good.headers.id, "1700000001", good.headers.signature}, good.body, good.now),
                StatusIs(kNoMatch));
    EXPECT_THAT(VerifyMessage(good.known, good.headers, "", good.now), StatusIs(kNoMatch));
  }
}

// The border between time and body cannot be moved, as neither id nor time has a dot.
TEST(VerifyMessage, PartsCannotBeShifted) {
  const std::vector<SigningKey> keys = All(Fresh(SignatureScheme::kHmacSha256));
  const absl::Time at = absl::FromUnixSeconds(1'700'000'000);
  NW_ASSERT_OK_AND_ASSIGN(const MessageHeaders headers, SignMessage(keys, "a", at, "17.b"));
  EXPECT_THAT(VerifyMessage(VerificationKeys(keys), {"a.1700000000", "17", headers.signature}, "b", at),
              StatusIs(kMalformed, HasSubstr("webhook-id")));
  EXPECT_THAT(VerifyMessage(VerificationKeys(keys), {"a", "1700000000.17", headers.signature}, "b", at),
              StatusIs(kMalformed, HasSubstr("webhook-timestamp")));
}

TEST(VerifyMessage, IsGoodFor300SecondsEitherWay) {
  Message message(SignatureScheme::kHmacSha256);
  for (const int64_t seconds : {-300, -1, 0, 1, 300}) {
    message.now = message.at + absl::Seconds(seconds);
    EXPECT_THAT(message.Verify(), IsOk()) << seconds;
  }
  message.now = message.at + absl::Seconds(300) + absl::Nanoseconds(1);
  EXPECT_THAT(message.Verify(), StatusIs(kStale, HasSubstr("too old")));
  message.now = message.at - absl::Seconds(300) - absl::Nanoseconds(1);
  EXPECT_THAT(message.Verify(), StatusIs(kStale, HasSubstr("too new")));
}

TEST(VerifyMessage, DuringARotationEitherKeyIsEnough) {
  const Message both(All(Fresh(SignatureScheme::kHmacSha256), Fresh(SignatureScheme::kHmacSha256)));
  for (const SigningKey& key : both.keys) {
    EXPECT_THAT(VerifyMessage(VerificationKeys(All(Key(key.Text().view()))), both.headers, both.body, both.now),
                IsOk());
  }
  // The other way: a receiver that knows two keys, a sender that uses one.
  for (const SigningKey& key : both.keys) {
    const std::vector<SigningKey> one = All(Key(key.Text().view()));
    NW_ASSERT_OK_AND_ASSIGN(const MessageHeaders headers, SignMessage(one, "msg_1", both.at, both.body));
    EXPECT_THAT(VerifyMessage(both.known, headers, both.body, both.now), IsOk());
  }
}

TEST(VerifyMessage, TakesEachVersionByItsOwnKeysAndPassesOverUnknownOnes) {
  const Message both(All(Fresh(SignatureScheme::kHmacSha256), Key(kPrivateText)));
  const std::string& header = both.headers.signature;
  const size_t blank = header.find(' ');
  const std::string v1 = header.substr(0, blank), v1a = header.substr(blank + 1);
  EXPECT_EQ(v1.substr(0, 3), "v1,");
  EXPECT_EQ(v1a.substr(0, 4), "v1a,");
  EXPECT_THAT(both.VerifySignature(v1), IsOk());
  EXPECT_THAT(both.VerifySignature(v1a), IsOk());
  EXPECT_THAT(both.VerifySignature(v1a + " " + v1), IsOk());
  EXPECT_THAT(both.VerifySignature("v2,what,ever== " + v1), IsOk());
  EXPECT_THAT(both.VerifySignature("v2, " + v1a + " v0,x"), IsOk());
  EXPECT_THAT(both.VerifySignature("v2,whatever"), StatusIs(kNoMatch));
  const std::vector<VerificationKey> hmac_only = VerificationKeys(All(Key(both.keys[0].Text().view())));
  EXPECT_THAT(VerifyMessage(hmac_only, {both.headers.id, both.headers.timestamp, v1a}, both.body, both.now),
              StatusIs(kNoMatch));
}

// The public key is public: it must not be good as a secret.
TEST(VerifyMessage, AnEd25519KeyIsNeverUsedAsASecret) {
  const Message message(All(Key(kPrivateText)));
  const SecretBytes public_text = message.known[0].Text();
  const std::vector<SigningKey> forged = All(Key("whsec_" + std::string(public_text.view().substr(5))));
  NW_ASSERT_OK_AND_ASSIGN(const MessageHeaders headers, SignMessage(forged, "msg_1", message.at, message.body));
  EXPECT_THAT(VerifyMessage(message.known, headers, message.body, message.now), StatusIs(kNoMatch));
}

TEST(VerifyMessage, SaysWhichHeaderIsMalformed) {
  const Message good(SignatureScheme::kHmacSha256);
  const auto verify = [&](std::string id, std::string timestamp, std::string signature) {
    return VerifyMessage(good.known, {std::move(id), std::move(timestamp), std::move(signature)}, good.body, good.now);
  };
  const std::string &id = good.headers.id, &time = good.headers.timestamp, &signature = good.headers.signature;
  EXPECT_THAT(verify("", time, signature), StatusIs(kMalformed, HasSubstr("webhook-id: missing")));
  EXPECT_THAT(verify("a b", time, signature), StatusIs(kMalformed, HasSubstr("webhook-id")));
  for (const char* bad : {"", " ", "x", "-1", "+1700000000", "01700000000", " 1700000000", "1700000000 ", "1.7e9",
                          "0x1", "1700000000.5", "253402300800", "1700000000000", "99999999999999999999"}) {
    EXPECT_THAT(verify(id, bad, signature), StatusIs(kMalformed, HasSubstr("webhook-timestamp"))) << bad;
  }
  for (const std::string& bad :
       {std::string(), std::string("v1"), std::string("v1,"), std::string(",") + signature.substr(3), signature + " ",
        " " + signature, signature + "  " + signature, signature + "=", signature.substr(0, signature.size() - 1),
        signature + ",x", signature.substr(3), "v1a," + signature.substr(3), std::string("v1,AAAA"),
        signature + "\tv2,x", signature + "\n", std::string(kMaxSignatureHeaderBytes + 1, 'a')}) {
    EXPECT_THAT(verify(id, time, bad), StatusIs(kMalformed, HasSubstr("webhook-signature"))) << bad;
  }
  std::string many = signature;
  for (size_t i = 1; i < kMaxSignatures; ++i) many += " v9,x";
  EXPECT_THAT(verify(id, time, many), IsOk());
  EXPECT_THAT(verify(id, time, many + " v9,x"), StatusIs(kMalformed, HasSubstr("too many")));
  EXPECT_THAT(VerifyMessage({}, good.headers, good.body, good.now), StatusIs(kMalformed));
}

}  // namespace
}  // namespace northwind::internal
