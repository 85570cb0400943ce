// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "gtest/gtest.h"
#include "northwind/webhook.h"

namespace northwind {
namespace {

// The names of all values that fit into the byte that each is stored in.
template <typename Enum>
std::multiset<std::string> Names() {
  std::multiset<std::string> names;
  for (int value = 0; value < 256; ++value) {
    const std::string name(Name(static_cast<Enum>(value)));
    if (name != "invalid") names.insert(name);
  }
  return names;
}

template <typename Enum>
void ExpectDistinctNames(size_t values) {
  const std::multiset<std::string> names = Names<Enum>();
  EXPECT_EQ(names.size(), values);
  for (const std::string& name : names) {
    EXPECT_EQ(names.count(name), 1u) << name;
    EXPECT_TRUE(absl::ascii_islower(static_cast<unsigned char>(name[0]))) << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789"), std::string::npos) << name;
  }
}

TEST(WebhookNames, EachValueHasANameOfItsOwn) {
  ExpectDistinctNames<EndpointState>(3);
  ExpectDistinctNames<DisableReason>(3);
  ExpectDistinctNames<SignatureScheme>(2);
  ExpectDistinctNames<DeliveryState>(4);
  ExpectDistinctNames<AttemptFailure>(20);
  ExpectDistinctNames<AttemptTrigger>(3);
  ExpectDistinctNames<RecoveryState>(3);
}

TEST(WebhookNames, AreWordsInSnakeCase) {
  EXPECT_EQ(Name(EndpointState::kEnabled), "enabled");
  EXPECT_EQ(Name(DisableReason::kByHand), "by_hand");
  EXPECT_EQ(Name(SignatureScheme::kEd25519), "v1a");
  EXPECT_EQ(Name(DeliveryState::kCanceled), "canceled");
  EXPECT_EQ(Name(AttemptFailure::kBlockedAddress), "blocked_address");
  EXPECT_EQ(Name(AttemptFailure::kNone), "none");
  EXPECT_EQ(Name(AttemptTrigger::kResend), "resend");
  EXPECT_EQ(Name(RecoveryState::kRunning), "running");
}

}  // namespace
}  // namespace northwind
