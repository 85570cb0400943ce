// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/rate_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/auth/credentials_fixture.h"

namespace northwind::server {
namespace {

using ::northwind::testing::CredentialsTest;
using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::Eq;
using ::testing::Optional;

TEST(RateLimiter, ABurstAndThenSteadily) {
  RateLimiter limiter(2, 3, 10);
  const absl::Duration start = absl::Seconds(100);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.Take("a", start), std::nullopt);
  EXPECT_THAT(limiter.Take("a", start), Optional(Eq(absl::Milliseconds(500))));
  EXPECT_THAT(limiter.Take("a", start + absl::Milliseconds(250)), Optional(Eq(absl::Milliseconds(250))))
      << "what is refused costs nothing";
  EXPECT_EQ(limiter.Take("b", start), std::nullopt) << "to each their own";
  EXPECT_EQ(limiter.Take("a", start + absl::Milliseconds(500)), std::nullopt);
  EXPECT_THAT(limiter.Take("a", start + absl::Milliseconds(500)), Optional(Eq(absl::Milliseconds(500))));
  // It never fills higher than the burst.
  const absl::Duration later = start + absl::Hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.Take("a", later), std::nullopt);
  EXPECT_THAT(limiter.Take("a", later), Optional(Eq(absl::Milliseconds(500))));
  EXPECT_THAT(limiter.Take("a", start), Optional(Eq(absl::Milliseconds(500)))) << "an older reading fills nothing";
}

TEST(RateLimiter, ToWaitTakesNothing) {
  RateLimiter limiter(1, 1, 10);
  EXPECT_EQ(limiter.Wait("a", absl::Seconds(1)), std::nullopt);
  EXPECT_EQ(limiter.size(), 0U);
  EXPECT_EQ(limiter.Take("a", absl::Seconds(1)), std::nullopt);
  EXPECT_THAT(limiter.Wait("a", absl::Seconds(1)), Optional(Eq(absl::Seconds(1))));
  EXPECT_EQ(limiter.Wait("a", absl::Seconds(2)), std::nullopt);
  EXPECT_EQ(limiter.Take("a", absl::Seconds(2)), std::nullopt);
}

TEST(RateLimiter, ForgetsWhoAskedLongestAgo) {
  RateLimiter limiter(1, 1, 2);
  EXPECT_EQ(limiter.Take("a", absl::Seconds(1)), std::nullopt);
  EXPECT_EQ(limiter.Take("b", absl::Seconds(1)), std::nullopt);
  EXPECT_NE(limiter.Take("a", absl::Seconds(1)), std::nullopt);
  EXPECT_EQ(limiter.Take("c", absl::Seconds(1)), std::nullopt);  // b goes
  EXPECT_EQ(limiter.size(), 2U);
  EXPECT_NE(limiter.Take("a", absl::Seconds(1)), std::nullopt);
  EXPECT_EQ(limiter.Take("b", absl::Seconds(1)), std::nullopt);  // as new; c goes
  EXPECT_EQ(limiter.size(), 2U);
}

TEST(RateName, IsTheNetworkForIpv6) {
  EXPECT_EQ(RateName("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(RateName("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(RateName("2001:db8:1:2::9"), RateName("2001:db8:1:2:3:4:5:6"));
  EXPECT_NE(RateName("2001:db8:1:3::9"), RateName("2001:db8:1:2::9"));
  EXPECT_EQ(RateName("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(RateName("unix"), "unix");
}

class OverRateTest : public CredentialsTest {
 protected:
  void SetUp() override {
    options_.key_rate = 10;
    options_.key_burst = 4;
    options_.session_rate = 10;
    options_.session_burst = 3;
    options_.address_rate = 10;
    options_.address_burst = 2;
    CredentialsTest::SetUp();
  }
  std::optional<absl::Duration> Ask(const Request& request) {
    const auto caller = credentials_->Authenticate(request);
    return credentials_->OverRate(request, caller.ok() ? *caller : Caller{});
  }
  int UntilRefused(const Request& request) {
    for (int i = 0; i < 100; ++i) {
      if (Ask(request).has_value()) return i;
    }
    return 100;
  }
};

TEST_F(OverRateTest, EachCallerHasItsOwn) {
  const std::string one = MakeKey().key;
  const std::string two = MakeKey().key;
  const std::string cookie = SignIn("m_1").cookie;
  EXPECT_EQ(UntilRefused(Bearer(one)), 4);
  EXPECT_EQ(UntilRefused(Bearer(two)), 4);
  EXPECT_EQ(UntilRefused(Cookie(cookie)), 3);
  EXPECT_EQ(UntilRefused(With({})), 2);
  Request other = With({});
  other.remote = "192.0.2.2";
  EXPECT_EQ(UntilRefused(other), 2);
  clock_.Jump(absl::Hours(-1));
  EXPECT_THAT(Ask(Bearer(one)), Optional(Eq(absl::Milliseconds(100)))) << "the wall clock makes no difference";
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(Ask(Bearer(one)), std::nullopt);
}

TEST_F(OverRateTest, ACredentialThatIsNotGoodCountsAgainstItsAddress) {
  const Request bad = Bearer("nwk_guess");
  EXPECT_THAT(Try(bad), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(Try(Cookie("guess")), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_NE(credentials_->OverRate(With({}), Caller{}), std::nullopt);
  EXPECT_NE(credentials_->OverRate(bad, Caller{}), std::nullopt);
  Request other = bad;
  other.remote = "192.0.2.2";
  EXPECT_EQ(credentials_->OverRate(other, Caller{}), std::nullopt);
  const std::string good = MakeKey().key;
  EXPECT_EQ(Ask(Bearer(good)), std::nullopt) << "who is known is not limited by who else is at their address";
}

TEST_F(OverRateTest, OneRequestIsCountedOnce) {
  const Request stale = Cookie(std::string(64, '0'));
  EXPECT_EQ(Ask(stale), std::nullopt);
  EXPECT_EQ(credentials_->OverRate(With({}), Caller{}), std::nullopt) << "the second of two";
  EXPECT_NE(credentials_->OverRate(With({}), Caller{}), std::nullopt);
}

TEST_F(OverRateTest, OptionsOutOfBoundsAreRefused) {
  using Alter = void (*)(CredentialsOptions&);
  for (const Alter alter : std::vector<Alter>{
           [](CredentialsOptions& o) { o.key_rate = 0; }, [](CredentialsOptions& o) { o.session_rate = -1; },
           [](CredentialsOptions& o) { o.address_burst = 0.5; }, [](CredentialsOptions& o) { o.max_addresses = 0; },
           [](CredentialsOptions& o) { o.session_idle = absl::ZeroDuration(); },
           [](CredentialsOptions& o) { o.session_lifetime = absl::InfiniteDuration(); }}) {
    CredentialsOptions options = options_;
    alter(options);
    EXPECT_THAT(Credentials::Open(*store_, options), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(Credentials::Open(*store_, options_), IsOk());
}

}  // namespace
}  // namespace northwind::server
