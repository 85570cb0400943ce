// SPDX-License-Identifier: Apache-2.0
//
// The table of docs/events.md, row by row, and backwards. What wrong orders lead to is in intake_test.cc.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/settlement.h"
#include "src/settlement/event.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/status_matchers.h"

namespace northwind {
namespace {

using ::northwind::testing::Adjusted;
using ::northwind::testing::At;
using ::northwind::testing::Captured;
using ::northwind::testing::OfPayment;
using ::northwind::testing::OfPayout;
using ::northwind::testing::Random;
using ::northwind::testing::RandomEvent;
using ::northwind::testing::Refunded;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestSeed;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kMerchant[] = "merchant:m1:available:USD/2";
constexpr char kProcessor[] = "processor:USD/2 external";
constexpr char kFees[] = "platform:fees:USD/2 external";
constexpr char kAdjustments[] = "platform:adjustments:USD/2 external";
constexpr char kClearing[] = "bank:clearing:USD/2 external";

// "from > to amount", in order.
std::vector<std::string> Moves(const MappedEvent& mapped) {
  std::vector<std::string> moves;
  for (const MappedPosting& posting : mapped.postings) {
    const auto name = [&](uint8_t index) {
      const AccountSpec& spec = mapped.accounts[index];
      EXPECT_EQ(spec.asset, "USD/2");
      EXPECT_EQ(spec.min_available, 0);
      return spec.name + (spec.external ? " external" : "");
    };
    moves.push_back(name(posting.debit) + " > " + name(posting.credit) + " " + posting.amount.ToString(0));
  }
  return moves;
}

std::string Move(const std::string& from, const std::string& to, int cents) {
  return from + " > " + to + " " + std::to_string(cents);
}

MappedEvent Map(const PaymentEvent& event) {
  absl::StatusOr<MappedEvent> mapped = MapEvent(event);
  EXPECT_TRUE(mapped.ok()) << mapped.status();
  if (!mapped.ok()) return {};
  const Transaction& t = mapped->transaction;
  EXPECT_EQ(t.code, 1000 + static_cast<int>(event.type));
  EXPECT_EQ(t.effective_at, event.occurred_at);
  EXPECT_EQ(t.key, DeriveKey(t.reference, event.occurred_at, Name(event.type)));
  EXPECT_THAT(t.postings, IsEmpty());
  EXPECT_EQ(t.expires_at, std::nullopt);
  return *std::move(mapped);
}

TEST(MapEvent, CaptureMovesTheGrossAndThenTheFee) {
  const MappedEvent mapped = Map(Captured("p1", 1000, 30));
  EXPECT_THAT(Moves(mapped), ElementsAre(Move(kProcessor, kMerchant, 1000), Move(kMerchant, kFees, 30)));
  EXPECT_EQ(mapped.transaction.kind, TransactionKind::kPost);
  EXPECT_EQ(mapped.transaction.reference, "p1");
  EXPECT_TRUE(mapped.transaction.unique_reference);
  EXPECT_EQ(mapped.transaction.target, std::nullopt);
  EXPECT_EQ(mapped.transaction.metadata, "");
}

TEST(MapEvent, CaptureWithoutFeeOrWithAFeeOfZeroIsOnePosting) {
  PaymentEvent event = Captured("p1", 1000);
  EXPECT_THAT(Moves(Map(event)), ElementsAre(Move(kProcessor, kMerchant, 1000)));
  event.fee = testing::Usd(0);
  const MappedEvent mapped = Map(event);
  EXPECT_THAT(Moves(mapped), ElementsAre(Move(kProcessor, kMerchant, 1000)));
  EXPECT_EQ(mapped.accounts.size(), 2u);
}

TEST(MapEvent, RefundReversesTheCapture) {
  PaymentEvent event = Refunded("p1", 400, 5, "r1");
  event.fee = testing::Usd(12);
  const MappedEvent mapped = Map(event);
  EXPECT_THAT(Moves(mapped), ElementsAre(Move(kMerchant, kProcessor, 400), Move(kFees, kMerchant, 12)));
  EXPECT_EQ(mapped.transaction.kind, TransactionKind::kReverse);
  EXPECT_EQ(mapped.transaction.target, Target::Reference(1001, "p1"));
  EXPECT_EQ(mapped.transaction.reference, "p1/r1");
  EXPECT_TRUE(mapped.transaction.unique_reference);
}

TEST(MapEvent, RefundWithoutItsIdMayHappenAgain) {
  const MappedEvent mapped = Map(Refunded("p1", 400, 5));
  EXPECT_EQ(mapped.transaction.reference, "p1");
  EXPECT_FALSE(mapped.transaction.unique_reference);
  EXPECT_EQ(mapped.transaction.target, Target::Reference(1001, "p1"));
}

TEST(MapEvent, TheLongestRefundStillFitsAReference) {
  PaymentEvent event = Refunded(std::string(kMaxEventIdBytes, 'p'), 1, 1, std::string(kMaxRefundIdBytes, 'r'));
  EXPECT_EQ(Map(event).transaction.reference.size(), kMaxReferenceBytes);
}

TEST(MapEvent, DisputeHoldsAndIsLostOrWon) {
  const MappedEvent opened = Map(OfPayment(EventType::kDisputeOpened, "p1", 1, 700));
  EXPECT_THAT(Moves(opened), ElementsAre(Move(kMerchant, kProcessor, 700)));
  EXPECT_EQ(opened.transaction.kind, TransactionKind::kHold);
  EXPECT_TRUE(opened.transaction.unique_reference);

  const MappedEvent lost = Map(OfPayment(EventType::kDisputeLost, "p1", 2));
  EXPECT_THAT(Moves(lost), IsEmpty());
  EXPECT_EQ(lost.transaction.kind, TransactionKind::kCapture);
  EXPECT_EQ(lost.transaction.target, Target::Reference(1003, "p1"));
  EXPECT_TRUE(lost.transaction.final_capture);
  EXPECT_EQ(lost.transaction.amount, Amount(0));
  EXPECT_EQ(Map(OfPayment(EventType::kDisputeLost, "p1", 2, 500)).transaction.amount, Amount(500));

  const MappedEvent won = Map(OfPayment(EventType::kDisputeWon, "p1", 2));
  EXPECT_EQ(won.transaction.kind, TransactionKind::kRelease);
  EXPECT_EQ(won.transaction.target, Target::Reference(1003, "p1"));
  EXPECT_EQ(won.transaction.reference, "p1");
}

TEST(MapEvent, PayoutHoldsAndEndsInOneOfFourWays) {
  const MappedEvent requested = Map(OfPayout(EventType::kPayoutRequested, "o1", 1, 700));
  EXPECT_THAT(Moves(requested), ElementsAre(Move(kMerchant, kClearing, 700)));
  EXPECT_EQ(requested.transaction.kind, TransactionKind::kHold);
  EXPECT_EQ(requested.transaction.reference, "o1");
  EXPECT_TRUE(requested.transaction.unique_reference);

  const MappedEvent paid = Map(OfPayout(EventType::kPayoutPaid, "o1", 2, 600));
  EXPECT_EQ(paid.transaction.kind, TransactionKind::kCapture);
  EXPECT_EQ(paid.transaction.target, Target::Reference(1006, "o1"));
  EXPECT_EQ(paid.transaction.amount, Amount(600));
  EXPECT_TRUE(paid.transaction.final_capture);

  for (const EventType type : {EventType::kPayoutFailed, EventType::kPayoutCanceled}) {
    const MappedEvent back = Map(OfPayout(type, "o1", 2));
    EXPECT_EQ(back.transaction.kind, TransactionKind::kRelease);
    EXPECT_EQ(back.transaction.target, Target::Reference(1006, "o1"));
  }

  const MappedEvent returned = Map(OfPayout(EventType::kPayoutReturned, "o1", 3));
  EXPECT_THAT(Moves(returned), IsEmpty());
  EXPECT_EQ(returned.transaction.kind, TransactionKind::kReverse);
  EXPECT_EQ(returned.transaction.target, Target::Reference(1007, "o1"));
  EXPECT_THAT(Moves(Map(OfPayout(EventType::kPayoutReturned, "o1", 3, 50))),
              ElementsAre(Move(kClearing, kMerchant, 50)));
}

TEST(MapEvent, AdjustmentGoesEitherWay) {
  EXPECT_THAT(Moves(Map(Adjusted("a1", 9, AdjustmentDirection::kCredit, 1))),
              ElementsAre(Move(kAdjustments, kMerchant, 9)));
  const MappedEvent debit = Map(Adjusted("a1", 9, AdjustmentDirection::kDebit, 1));
  EXPECT_THAT(Moves(debit), ElementsAre(Move(kMerchant, kAdjustments, 9)));
  EXPECT_EQ(debit.transaction.kind, TransactionKind::kPost);
  EXPECT_EQ(debit.transaction.reference, "a1");
  EXPECT_TRUE(debit.transaction.unique_reference);
}

TEST(MapEvent, MetadataIsSortedAndLengthPrefixed) {
  PaymentEvent event = Captured("p1", 1000);
  event.metadata = {{"b", "2"}, {"a", ""}};
  EXPECT_EQ(absl::BytesToHexString(Map(event).transaction.metadata),
            "016100016201"
            "32");
}

// Otherwise two events that differ only in that would be duplicates of each other.
TEST(MapEvent, WithoutPostingsTheMetadataNamesMerchantAndAsset) {
  EXPECT_EQ(Map(OfPayout(EventType::kPayoutFailed, "o1", 2)).transaction.metadata, std::string("\0\2m1", 4));
  EXPECT_EQ(Map(OfPayout(EventType::kPayoutPaid, "o1", 2, 5)).transaction.metadata, std::string("\0\10m1:USD/2", 10));
  EXPECT_EQ(Map(OfPayout(EventType::kPayoutRequested, "o1", 2, 5)).transaction.metadata, "");
}

TEST(MapEvent, RefusesWhatIsNotValid) {
  EXPECT_THAT(MapEvent(PaymentEvent{}), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("type: missing")));
  PaymentEvent event = Captured("p1", 10);
  event.direction = AdjustmentDirection::kCredit;
  EXPECT_THAT(MapEvent(event), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("direction: not a field")));
  event = Adjusted("a1", 1, static_cast<AdjustmentDirection>(9), 1);
  EXPECT_THAT(MapEvent(event), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("direction: must be")));
  event = Captured("p1", 10);
  event.amount->asset.scale = 19;
  EXPECT_THAT(MapEvent(event), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("amount.asset: ")));
  event = Captured("p1", 10);
  event.type = static_cast<EventType>(200);
  EXPECT_THAT(MapEvent(event), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("type: unknown")));
}

TEST(MapEvent, IsPureAndStaysInsideTheLedgersBounds) {
  Random random(TestSeed());
  for (int i = 0; i < 20'000; ++i) {
    const PaymentEvent event = RandomEvent(random);
    NW_ASSERT_OK_AND_ASSIGN(const MappedEvent mapped, MapEvent(event));
    NW_ASSERT_OK_AND_ASSIGN(const MappedEvent again, MapEvent(event));
    ASSERT_EQ(mapped.postings, again.postings);
    ASSERT_EQ(mapped.transaction.metadata, again.transaction.metadata);
    ASSERT_EQ(mapped.transaction.key, again.transaction.key);
    ASSERT_LE(mapped.transaction.reference.size(), kMaxReferenceBytes);
    ASSERT_LE(mapped.transaction.metadata.size(), kMaxMetadataBytes);
    ASSERT_LE(mapped.accounts.size(), 3u);
    for (const AccountSpec& spec : mapped.accounts) {
      ASSERT_LE(spec.name.size(), kMaxAccountNameBytes);
      ASSERT_TRUE(Asset::Parse(spec.asset).ok());
    }
    for (const MappedPosting& posting : mapped.postings) {
      ASSERT_NE(posting.debit, posting.credit);
      ASSERT_LT(std::max(posting.debit, posting.credit), mapped.accounts.size());
      ASSERT_FALSE(posting.amount.is_zero());
    }
  }
}

// The postings of a mapped event by name, as they come back from a ledger.
std::vector<internal::NamedPosting> Named(const MappedEvent& mapped) {
  std::vector<internal::NamedPosting> named;
  for (const MappedPosting& posting : mapped.postings) {
    const AccountSpec& debit = mapped.accounts[posting.debit];
    named.push_back({.debit = debit.name,
                     .credit = mapped.accounts[posting.credit].name,
                     .asset = *Asset::Parse(debit.asset),
                     .amount = posting.amount});
  }
  return named;
}

TEST(UnmapEvent, GivesBackEveryEvent) {
  Random random(TestSeed());
  for (int i = 0; i < 20'000; ++i) {
    PaymentEvent event = RandomEvent(random);
    NW_ASSERT_OK_AND_ASSIGN(const MappedEvent mapped, MapEvent(event));
    if (event.fee.has_value() && event.fee->units.is_zero()) event.fee.reset();
    ASSERT_EQ(internal::UnmapEvent(mapped.transaction, Named(mapped)), event);
  }
}

// Each change of a transaction that no event maps to, for all types that it is a change of.
TEST(UnmapEvent, FindsNoEventInWhatNoEventMapsTo) {
  using Postings = std::vector<internal::NamedPosting>;
  using Change = std::function<void(Transaction&, Postings&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"code", [](Transaction& t, Postings&) { t.code = 1012; }},
      {"kind",
       [](Transaction& t, Postings&) {
         t.kind = t.kind == TransactionKind::kPost ? TransactionKind::kHold : TransactionKind::kPost;
       }},
      {"no reference", [](Transaction& t, Postings&) { t.reference.clear(); }},
      {"reference", [](Transaction& t, Postings&) { t.reference += " "; }},
      {"two slashes", [](Transaction& t, Postings&) { t.reference = "a/b/c"; }},
      {"not unique", [](Transaction& t, Postings&) { t.unique_reference = !t.unique_reference; }},
      {"no time", [](Transaction& t, Postings&) { t.effective_at.reset(); }},
      {"early", [](Transaction& t, Postings&) { t.effective_at = absl::UnixEpoch(); }},
      {"expires", [](Transaction& t, Postings&) { t.expires_at = At(9); }},
      {"metadata", [](Transaction& t, Postings&) { t.metadata += "x"; }},
      {"not UTF-8", [](Transaction& t, Postings&) { t.metadata += std::string("\2zz\1\xff"); }},
      {"final capture", [](Transaction& t, Postings&) { t.final_capture = !t.final_capture; }},
      {"target", [](Transaction& t, Postings&) { t.target = Target::Key(IdempotencyKey()); }},
      {"amount",
       [](Transaction& t, Postings&) {
         t.amount = 77;
         t.metadata = std::string("\0\2m1", 4);
       }},
      {"owner beside postings",
       [](Transaction& t, Postings& p) {
         t.metadata = std::string("\0\2m1", 4);
         if (p.empty()) t.metadata = std::string("\0\2m ", 4);
       }},
      {"no owner, no postings",
       [](Transaction& t, Postings& p) {
         t.metadata.clear();
         p.clear();
       }},
      {"another account", [](Transaction& t, Postings& p) { p.empty() ? t.metadata.clear() : void(p[0].debit = "x"); }},
      {"another asset",
       [](Transaction& t, Postings& p) {
         p.empty() ? t.metadata.clear() : void(p[0].asset = Asset{"EUR", 2});
       }},
      {"turned round",
       [](Transaction& t, Postings& p) {
         if (p.empty() || t.code == 1011) return t.metadata.clear(), p.clear();
         std::swap(p[0].debit, p[0].credit);
       }},
      {"one posting more",
       [](Transaction&, Postings& p) {
         p.push_back({.debit = "a", .credit = "b", .asset = Asset{"USD", 2}, .amount = 1});
       }},
  };
  Random random(TestSeed());
  for (int i = 0; i < 2'000; ++i) {
    NW_ASSERT_OK_AND_ASSIGN(const MappedEvent mapped, MapEvent(RandomEvent(random)));
    for (const auto& [what, change] : changes) {
      Transaction t = mapped.transaction;
      Postings postings = Named(mapped);
      change(t, postings);
      ASSERT_EQ(internal::UnmapEvent(t, postings), std::nullopt) << what << ", code " << t.code;
    }
  }
}

TEST(UnmapEvent, LooksAtNoKey) {
  MappedEvent mapped = Map(OfPayout(EventType::kPayoutFailed, "o1", 2));
  mapped.transaction.key = IdempotencyKey();
  EXPECT_EQ(internal::UnmapEvent(mapped.transaction, {}), OfPayout(EventType::kPayoutFailed, "o1", 2));
}

TEST(MerchantAccounts, AreKnownByNameAndAsset) {
  const Asset usd{.code = "USD", .scale = 2};
  const auto parsed = internal::ParseMerchantAccount("merchant:m_1.x-Y:available:USD/2", usd);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->merchant_id, "m_1.x-Y");
  EXPECT_EQ(parsed->asset, usd);
  for (const std::string name :
       {"", "merchant:", "merchant:m1", "merchant:m1:available:", "merchant:m1:available:EUR/2",
        "merchant:m1:available:USD/2:x", "merchant::available:USD/2", "merchant:m/1:available:USD/2",
        "merchant:m1:held:USD/2", "merchant:a:b:available:USD/2", "processor:USD/2", "xmerchant:m1:available:USD/2"}) {
    EXPECT_EQ(internal::ParseMerchantAccount(name, usd), std::nullopt) << name;
  }
  EXPECT_EQ(internal::ParseMerchantAccount("merchant:" + std::string(65, 'm') + ":available:USD/2", usd), std::nullopt);
}

TEST(EventTypes, HaveCodesAndNamesThatNeverChange) {
  const std::vector<std::string> names = {"PAYMENT_CAPTURED", "PAYMENT_REFUNDED", "DISPUTE_OPENED", "DISPUTE_LOST",
                                          "DISPUTE_WON",      "PAYOUT_REQUESTED", "PAYOUT_PAID",    "PAYOUT_FAILED",
                                          "PAYOUT_CANCELED",  "PAYOUT_RETURNED",  "ADJUSTMENT"};
  ASSERT_EQ(names.size(), kEventTypes);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto type = static_cast<EventType>(i + 1);
    EXPECT_EQ(Name(type), names[i]);
    EXPECT_EQ(EventTypeOfCode(static_cast<uint16_t>(1001 + i)), type);
  }
  EXPECT_EQ(EventTypeOfCode(1000), std::nullopt);
  EXPECT_EQ(EventTypeOfCode(1012), std::nullopt);
  EXPECT_EQ(Name(EventType{}), "");
}

}  // namespace
}  // namespace northwind
