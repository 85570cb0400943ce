// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/endpoint.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;

EventFilter Events(const std::vector<std::string>& patterns) { return *EventFilter::Make(patterns); }

Endpoint Small() {
  return {.merchant_id = "m.42",
          .id = "ep_1",
          .version = 300,
          .since = Sequence(7),
          .created_at = absl::FromUnixNanos(1),
          .updated_at = absl::FromUnixNanos(128),
          .url = "https://a.example/",
          .events = Events({"*"}),
          .secrets = {{.number = 1, .created_at = absl::FromUnixNanos(1), .sealed = "S"}}};
}

Endpoint Full() {
  Endpoint endpoint = Small();
  endpoint.state = EndpointState::kDisabled;
  endpoint.disabled = Disabled{DisableReason::kGone, absl::FromUnixNanos(9), "410"};
  endpoint.events = Events({"payout.*", "a"});
  endpoint.sealed_headers = "HH";
  endpoint.secrets = {
      {.number = 3, .scheme = SignatureScheme::kEd25519, .created_at = absl::FromUnixNanos(5), .sealed = "N"},
      {.number = 1, .created_at = absl::FromUnixNanos(1), .expires_at = absl::FromUnixNanos(7), .sealed = "O"},
  };
  endpoint.policy = WebhookPolicy{.timeout = absl::Seconds(1), .max_concurrent = 1, .max_per_second = 0.5, .burst = 2};
  return endpoint;
}

std::string Key(const Endpoint& endpoint) { return EndpointKey(endpoint.merchant_id, endpoint.id); }

TEST(EndpointRecord, GoldenBytes) {
  const Endpoint small = Small();
  EXPECT_EQ(Key(small), "nw/webhook/endpoint/m.42/ep_1");
  EXPECT_EQ(absl::BytesToHexString(EncodeEndpoint(small)),
            "01"    // format
            "ac02"  // version
            "07"    // since
            "01"
            "8001"                                    // created, updated
            "01"                                      // enabled
            "1268747470733a2f2f612e6578616d706c652f"  // url
            "01"
            "012a"  // events
            "00"    // no headers
            "01"
            "01"
            "01"
            "01"
            "00"
            "0153"  // one secret: number, scheme, created, never expires, sealed
            "00");  // no policy
  EXPECT_THAT(DecodeEndpoint(Key(small), EncodeEndpoint(small)), IsOkAndHolds(small));

  const Endpoint full = Full();
  EXPECT_EQ(absl::BytesToHexString(EncodeEndpoint(full)),
            "01"
            "ac02"
            "07"
            "01"
            "8001"
            "03"
            "02"
            "09"
            "03343130"  // disabled: reason, since, detail
            "1268747470733a2f2f612e6578616d706c652f"
            "02"
            "0161"
            "087061796f75742e2a"  // events
            "024848"              // sealed headers
            "02"
            "03"
            "02"
            "05"
            "00"
            "014e"  // the newest secret
            "01"
            "01"
            "01"
            "07"
            "014f"  // the one before, until 7
            "13"
            "01"
            "410000ffffffffffffffff7f"
            "e807"
            "01"
            "f403"
            "02");  // policy: format, the usual retries, timeout, concurrency, rate, burst
  EXPECT_THAT(DecodeEndpoint(Key(full), EncodeEndpoint(full)), IsOkAndHolds(full));
}

TEST(EndpointRecord, PersistedValuesArePinned) {
  EXPECT_EQ(static_cast<int>(EndpointState::kEnabled), 1);
  EXPECT_EQ(static_cast<int>(EndpointState::kPaused), 2);
  EXPECT_EQ(static_cast<int>(EndpointState::kDisabled), 3);
  EXPECT_EQ(static_cast<int>(DisableReason::kByHand), 1);
  EXPECT_EQ(static_cast<int>(DisableReason::kGone), 2);
  EXPECT_EQ(static_cast<int>(DisableReason::kFailing), 3);
  EXPECT_EQ(static_cast<int>(SignatureScheme::kHmacSha256), 1);
  EXPECT_EQ(static_cast<int>(SignatureScheme::kEd25519), 2);
}

TEST(EndpointRecord, CutsAndLeftoversAreDamage) {
  const Endpoint endpoint = Full();
  const std::string value = EncodeEndpoint(endpoint);
  for (size_t size = 0; size < value.size(); ++size) {
    EXPECT_THAT(DecodeEndpoint(Key(endpoint), value.substr(0, size)), StatusIs(kDamaged)) << size;
  }
  EXPECT_THAT(DecodeEndpoint(Key(endpoint), value + "x"), StatusIs(kDamaged, HasSubstr("m.42/ep_1")));
}

TEST(EndpointRecord, WhatNoEndpointCanBeIsDamage) {
  const std::pair<const char*, std::function<void(Endpoint&)>> wrongs[] = {
      {"version", [](Endpoint& e) { e.version = 0; }},
      {"updated before created", [](Endpoint& e) { e.updated_at = e.created_at - absl::Nanoseconds(1); }},
      {"state", [](Endpoint& e) { e.disabled.reset(), e.state = static_cast<EndpointState>(4); }},
      {"no state", [](Endpoint& e) { e.disabled.reset(), e.state = static_cast<EndpointState>(0); }},
      {"reason", [](Endpoint& e) { e.disabled->reason = static_cast<DisableReason>(4); }},
      {"detail not printable", [](Endpoint& e) { e.disabled->detail = "a\nb"; }},
      {"detail too long", [](Endpoint& e) { e.disabled->detail.assign(kMaxDisableDetailBytes + 1, 'd'); }},
      {"no url", [](Endpoint& e) { e.url.clear(); }},
      {"url not canonical", [](Endpoint& e) { e.url = "https://a.example"; }},
      {"url with a user", [](Endpoint& e) { e.url = "https://u@a.example/"; }},
      {"no events", [](Endpoint& e) { e.events = EventFilter(); }},
      {"headers too long", [](Endpoint& e) { e.sealed_headers.assign(kMaxSealedHeadersBytes + 1, 'h'); }},
      {"no secrets", [](Endpoint& e) { e.secrets.clear(); }},
      {"secret's number", [](Endpoint& e) { e.secrets[1].number = 0; }},
      {"secret's scheme", [](Endpoint& e) { e.secrets[0].scheme = static_cast<SignatureScheme>(3); }},
      {"empty secret", [](Endpoint& e) { e.secrets[0].sealed.clear(); }},
      {"secret too long", [](Endpoint& e) { e.secrets[0].sealed.assign(kMaxSealedKeyBytes + 1, 's'); }},
      {"newest expires", [](Endpoint& e) { e.secrets[0].expires_at = absl::FromUnixNanos(7); }},
      {"old one does not", [](Endpoint& e) { e.secrets[1].expires_at = absl::InfiniteFuture(); }},
      {"secrets out of order", [](Endpoint& e) { e.secrets[1].number = 3; }},
      {"too many secrets",
       [](Endpoint& e) {
         e.secrets.clear();
         for (uint32_t n = 9; n > 4; --n) {
           e.secrets.push_back(
               {.number = n, .expires_at = n == 9 ? absl::InfiniteFuture() : absl::FromUnixNanos(7), .sealed = "s"});
         }
       }},
      {"policy out of range", [](Endpoint& e) { e.policy->timeout = absl::ZeroDuration(); }},
  };
  for (const auto& [name, make_wrong] : wrongs) {
    Endpoint endpoint = Full();
    make_wrong(endpoint);
    EXPECT_THAT(DecodeEndpoint(Key(endpoint), EncodeEndpoint(endpoint)), StatusIs(kDamaged)) << name;
  }
}

TEST(EndpointRecord, EventsMustBeInCanonicalForm) {
  const std::string value = EncodeEndpoint(Full());
  const std::string events = absl::HexStringToBytes("020161087061796f75742e2a");
  const std::string swapped = absl::HexStringToBytes("02087061796f75742e2a0161");
  std::string changed = value;
  changed.replace(changed.find(events), events.size(), swapped);
  EXPECT_THAT(DecodeEndpoint(Key(Full()), changed), StatusIs(kDamaged));
}

TEST(EndpointRecord, TheKeyNamesMerchantAndEndpoint) {
  const std::string value = EncodeEndpoint(Full());
  for (const char* good : {"nw/webhook/endpoint/m/e", "nw/webhook/endpoint/a.b-c_D/e-_1"}) {
    EXPECT_THAT(DecodeEndpoint(good, value), IsOk()) << good;
  }
  for (const char* bad : {"", "nw/webhook/endpoint/", "nw/webhook/endpoint/m", "nw/webhook/endpoint/m/",
                          "nw/webhook/endpoint//e", "nw/webhook/endpoint/m/e/f", "nw/webhook/endpoint/m/e.f",
                          "nw/webhook/endpoint/m e/f", "nw/webhook/endpoin/m/e", "x/webhook/endpoint/m/e"}) {
    EXPECT_THAT(DecodeEndpoint(bad, value), StatusIs(kDamaged)) << bad;
  }
}

TEST(Endpoint, IdsAreBounded) {
  EXPECT_THAT(ValidateMerchantId(std::string(64, 'm')), IsOk());
  EXPECT_THAT(ValidateMerchantId(std::string(65, 'm')), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ValidateMerchantId(""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ValidateMerchantId("a/b"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ValidateEndpointId(std::string(64, 'e')), IsOk());
  EXPECT_THAT(ValidateEndpointId(std::string(65, 'e')), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ValidateEndpointId("a.b"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace northwind::internal
