// SPDX-License-Identifier: Apache-2.0
//
// Messages of a real ledger's records. The exact bodies, one of each type, are the examples of docs/webhooks.md.
#include "src/webhook/message.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/settlement.h"
#include "src/webhook/event_filter.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/ledger_fixture.h"
#include "tests/support/seed.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::Adjusted;
using ::northwind::testing::At;
using ::northwind::testing::Captured;
using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::Key;
using ::northwind::testing::LedgerFixture;
using ::northwind::testing::OfPayment;
using ::northwind::testing::OfPayout;
using ::northwind::testing::Random;
using ::northwind::testing::RandomText;
using ::northwind::testing::Refunded;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;
using ::northwind::testing::Usd;
using ::testing::ElementsAreArray;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::array<uint8_t, 16> kStore = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

std::array<uint8_t, 10> Bits(uint8_t each) {
  std::array<uint8_t, 10> bits;
  bits.fill(each);
  return bits;
}

// ---- Ids ----------------------------------------------------------------------------------------------------

TEST(MessageIds, AreUlids) {
  // Of the implementations that the specification names: of ulid/javascript the first ten characters of a time, of
  // suyash/ulid all.
  EXPECT_THAT(MessageId(absl::FromUnixMillis(1'469'918'176'385), Bits(0)), StartsWith("msg_01ARYZ6S41"));
  EXPECT_EQ(MessageId(absl::FromUnixMillis(1'484'581'420), Bits(4)), "msg_0001C7STHC0G2081040G208104");
  EXPECT_EQ(MessageId(absl::UnixEpoch(), Bits(0)), "msg_00000000000000000000000000");
  EXPECT_EQ(MessageId(absl::FromUnixMillis(281'474'976'710'655), Bits(0xff)), "msg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(MessageTime("msg_01ARYZ6S410000000000000000"), absl::FromUnixMillis(1'469'918'176'385));
  EXPECT_EQ(MessageId(At(0), Bits(0)).size(), kMessageIdBytes);
}

TEST(MessageIds, AreInTheOrderOfTime) {
  Random random(TestSeed());
  for (int i = 0; i < 2'000; ++i) {
    const auto draw = [&random] { return random.Between(0, (int64_t{1} << 48) - 1) >> random.Below(48); };
    const int64_t a = draw(), b = draw();
    std::array<uint8_t, 10> bits;
    for (uint8_t& byte : bits) byte = static_cast<uint8_t>(random.Below(256));
    const std::string id = MessageId(absl::FromUnixMillis(a), bits);
    ASSERT_EQ(MessageTime(id), absl::FromUnixMillis(a)) << id;
    ASSERT_EQ(FirstMessageIdAt(absl::FromUnixMillis(b)) <= id, b <= a) << id;
    ASSERT_EQ(id < MessageId(absl::FromUnixMillis(b), Bits(0)), a < b) << id;
  }
}

TEST(MessageIds, AreRoundedDownAndClamped) {
  const absl::Time last = absl::FromUnixMillis((int64_t{1} << 48) - 1);
  EXPECT_EQ(FirstMessageIdAt(At(1) + absl::Nanoseconds(999'999)), FirstMessageIdAt(At(1)));
  EXPECT_LT(FirstMessageIdAt(At(1) - absl::Nanoseconds(1)), FirstMessageIdAt(At(1)));
  EXPECT_EQ(MessageTime(FirstMessageIdAt(At(1) - absl::Nanoseconds(1))), At(1) - absl::Milliseconds(1));
  for (const absl::Time early : {absl::InfinitePast(), absl::UnixEpoch() - absl::Nanoseconds(1)}) {
    EXPECT_EQ(FirstMessageIdAt(early), "msg_00000000000000000000000000");
  }
  for (const absl::Time late : {absl::InfiniteFuture(), last + absl::Hours(1)}) {
    EXPECT_EQ(FirstMessageIdAt(late), "msg_7ZZZZZZZZZ0000000000000000");
  }
}

TEST(MessageIds, OfOtherFormsSayNoTime) {
  for (const std::string id :
       {"", "msg_", "01ARYZ6S410000000000000000", "msg_01ARYZ6S41000000000000000", "msg_01ARYZ6S4100000000000000000",
        "msg_81ARYZ6S410000000000000000", "msg_01arYZ6S410000000000000000", "msg_01ARYZ6S4100000000000000I0",
        "MSG_01ARYZ6S410000000000000000", "msg-01ARYZ6S410000000000000000"}) {
    EXPECT_EQ(MessageTime(id), std::nullopt) << id;
  }
  EXPECT_EQ(MessageTime(std::string("msg_01ARYZ6S4100000000000000\0", 29) + "0"), std::nullopt);
}

// printf 'northwind/message/v1\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\0\0\0\0\0\0\0\7' | sha256sum
TEST(MessageIds, OfRecordsComeFromStoreAndSequence) {
  const std::array<uint8_t, 10> golden = {0x7c, 0x4b, 0x57, 0xab, 0x43, 0x05, 0x07, 0x04, 0xde, 0x3c};
  EXPECT_EQ(MessageBits(kStore, Sequence(7)), golden);
  EXPECT_NE(MessageBits(kStore, Sequence(8)), golden);
  std::array<uint8_t, 16> other = kStore;
  other[15] ^= 1;
  EXPECT_NE(MessageBits(other, Sequence(7)), golden);
}

TEST(MessageIds, OfNoRecordAreRandom) {
  NW_ASSERT_OK_AND_ASSIGN(const auto first, RandomMessageBits());
  NW_ASSERT_OK_AND_ASSIGN(const auto second, RandomMessageBits());
  EXPECT_NE(first, second);
}

// ---- Records ------------------------------------------------------------------------------------------------

class MessageMakerTest : public LedgerFixture {
 protected:
  void SetUp() override {
    LedgerFixture::SetUp();
    clock_.Set(At(0));
    OpenIntake();
  }
  void TearDown() override {
    intake_.reset();
    LedgerFixture::TearDown();
  }
  void OpenIntake() { NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_)); }

  EventOutcome Apply(const PaymentEvent& event) {
    const auto result = intake_->Apply({event});
    EXPECT_THAT(result, IsOk());
    return result.ok() ? result->outcomes[0] : EventOutcome();
  }
  // Applies the event, which comes to `status`; what is made of its record.
  std::optional<Message> MessageOf(const PaymentEvent& event, EventStatus status = EventStatus::kApplied) {
    const EventOutcome outcome = Apply(event);
    EXPECT_EQ(outcome.status, status) << Name(outcome.status) << " " << Name(outcome.reason) << " " << outcome.detail;
    return Make(RecordAt(outcome.sequence));
  }
  JournalRecord RecordAt(Sequence sequence) {
    auto records = ledger_->ReadJournal(Sequence(sequence.value() - 1)).Next(1);
    EXPECT_THAT(records, IsOk());
    return records.ok() && !records->empty() ? std::move(records->front()) : JournalRecord();
  }
  std::optional<Message> Make(const JournalRecord& record) {
    auto message = maker().Make(record);
    EXPECT_THAT(message, IsOk());
    return message.ok() ? *std::move(message) : std::nullopt;
  }
  MessageMaker& maker() {
    if (!maker_.has_value()) maker_.emplace(*ledger_, kStore);
    return *maker_;
  }

  AccountId OpenMerchant(std::string_view merchant) {
    return OpenAccount({.name = "merchant:" + std::string(merchant) + ":available:USD/2", .asset = "USD/2"});
  }
  // A new payment with so much money, of which nobody is asked.
  void Earn(std::string_view merchant, uint64_t cents) {
    ASSERT_EQ(Apply(Captured("earned" + std::to_string(++earned_), cents, 0, merchant)).status, EventStatus::kApplied);
  }

  std::unique_ptr<Intake> intake_;

 private:
  std::optional<MessageMaker> maker_;
  int earned_ = 0;
};

PaymentEvent Of(std::string_view merchant, PaymentEvent event) {
  event.merchant_id = merchant;
  return event;
}

PaymentEvent With(std::map<std::string, std::string> metadata, PaymentEvent event) {
  event.metadata = std::move(metadata);
  return event;
}

// ---- The catalogue ------------------------------------------------------------------------------------------

std::string EventsSection() {
  std::ifstream file(NORTHWIND_WEBHOOKS_PAGE);
  std::stringstream page;
  page << file.rdbuf();
  const std::string text = page.str();
  const size_t begin = text.find("\n## Events\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find("\n## ", begin + 1) - begin);
}

// Its examples by type. A body has no line ends: the page breaks it, and indents what follows.
std::multimap<std::string, std::string> Examples(const std::string& section) {
  std::multimap<std::string, std::string> examples;
  std::istringstream lines(section);
  std::string line, body;
  bool inside = false;
  while (std::getline(lines, line)) {
    if (line == "```json") {
      inside = true;
      body.clear();
    } else if (line == "```") {
      if (inside) examples.emplace(nlohmann::json::parse(body).at("type").get<std::string>(), body);
      inside = false;
    } else if (inside) {
      body += line.substr(std::min(line.find_first_not_of(' '), line.size()));
    }
  }
  return examples;
}

// One day of merchant m_42, on which everything happens.
class MessageCatalogue : public MessageMakerTest {
 protected:
  void SetUp() override {
    MessageMakerTest::SetUp();
    for (const char* const name :
         {"processor:USD/2", "platform:fees:USD/2", "platform:adjustments:USD/2", "bank:clearing:USD/2"}) {
      OpenAccount({.name = name, .asset = "USD/2", .external = true});
    }
    merchant_ = OpenMerchant("m_42");
  }

  // Something happens a minute after what was before, and is recorded a moment later. The first message of a type is kept.
  void Happens(PaymentEvent event, EventStatus status = EventStatus::kApplied) {
    event.merchant_id = "m_42";
    event.occurred_at = At(60 * ++minute_);
    clock_.Set(event.occurred_at + absl::Microseconds(412'345));
    const std::optional<Message> message = MessageOf(event, status);
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->merchant_id, "m_42");
    bodies_.emplace(message->type, message->body);
  }
  void Fails(PaymentEvent event) { Happens(std::move(event), EventStatus::kRejected); }

  void PaymentsAndDisputes() {
    PaymentEvent capture = With({{"order", "A-17"}}, Captured("pay_1001", 12'500, 365));
    Happens(capture);
    PaymentEvent refund = Refunded("pay_1001", 2'500, 0, "re_1");
    refund.fee = Usd(73);
    Happens(refund);
    Fails(Refunded("pay_1001", 20'000, 0, "re_2"));

    Happens(Captured("pay_1002", 8'000));
    Fails(OfPayment(EventType::kDisputeOpened, "pay_1001", 0, 25'000));
    Happens(OfPayment(EventType::kDisputeOpened, "pay_1002", 0, 8'000));
    Fails(OfPayment(EventType::kDisputeLost, "pay_1002", 0, 9'000));
    Happens(OfPayment(EventType::kDisputeLost, "pay_1002", 0, 5'000));
    Fails(OfPayment(EventType::kDisputeWon, "pay_1002", 0));
    Happens(Captured("pay_1003", 6'000));
    Happens(OfPayment(EventType::kDisputeOpened, "pay_1003", 0, 6'000));
    Happens(OfPayment(EventType::kDisputeWon, "pay_1003", 0));
  }

  void PayoutsAndAdjustments() {
    Happens(OfPayout(EventType::kPayoutRequested, "po_501", 0, 7'000));
    Fails(OfPayout(EventType::kPayoutRequested, "po_502", 0, 500'000));
    Happens(OfPayout(EventType::kPayoutPaid, "po_501", 0));
    Fails(OfPayout(EventType::kPayoutFailed, "po_501", 0));
    Fails(OfPayout(EventType::kPayoutCanceled, "po_501", 0));
    Happens(OfPayout(EventType::kPayoutRequested, "po_503", 0, 4'000));
    Happens(OfPayout(EventType::kPayoutFailed, "po_503", 0));
    Fails(OfPayout(EventType::kPayoutPaid, "po_503", 0, 4'000));
    Happens(OfPayout(EventType::kPayoutRequested, "po_504", 0, 3'000));
    Happens(OfPayout(EventType::kPayoutCanceled, "po_504", 0));
    Fails(OfPayout(EventType::kPayoutReturned, "po_501", 0, 9'000));
    Happens(OfPayout(EventType::kPayoutReturned, "po_501", 0));

    Happens(With({{"note", "goodwill"}}, Adjusted("adj_7", 1'500, AdjustmentDirection::kCredit, 0)));
    Fails(Adjusted("adj_8", 900'000, AdjustmentDirection::kDebit, 0));
  }

  void WholeDay() {
    PaymentsAndDisputes();
    PayoutsAndAdjustments();
    ASSERT_THAT(ledger_->Freeze(merchant_), IsOk());
    Fails(Captured("pay_1004", 3'000, 90));
    const absl::Time evening = At(6 * 3600);
    bodies_[std::string(kTestType)] = TestMessage("m_42", "ep_1", evening, Bits(0)).body;
    bodies_[std::string(kEndpointDisabledType)] =
        EndpointDisabledMessage("m_42", "ep_1", "gone", evening, Bits(0)).body;
  }

  std::map<std::string, std::string> bodies_;

 private:
  AccountId merchant_;
  int64_t minute_ = 0;
};

TEST_F(MessageCatalogue, HasEveryTypeOnceAndInOrder) {
  const std::vector<std::string_view> types(MessageTypes().begin(), MessageTypes().end());
  EXPECT_EQ(types.size(), 24u);
  EXPECT_TRUE(std::is_sorted(types.begin(), types.end()));
  EXPECT_EQ(std::set<std::string_view>(types.begin(), types.end()).size(), types.size());
  for (const std::string_view type : types) EXPECT_TRUE(IsEventType(type)) << type;

  WholeDay();
  std::vector<std::string> made;
  for (const auto& [type, body] : bodies_) made.push_back(type);
  EXPECT_THAT(made, ElementsAreArray(types));
}

TEST_F(MessageCatalogue, IsAsTheDocumentShowsItByteForByte) {
  WholeDay();
  const std::string section = EventsSection();
  const std::multimap<std::string, std::string> examples = Examples(section);
  for (const auto& [type, body] : bodies_) {
    EXPECT_THAT(section, HasSubstr("\n| `" + type + "` | ")) << "not in the table";
    EXPECT_EQ(examples.count(type), 1u) << type << " needs one example:\n" << body;
    if (examples.count(type) == 1) {
      EXPECT_EQ(examples.find(type)->second, body);
    }
  }
  EXPECT_EQ(examples.size(), bodies_.size());
}

// ---- What is told, and to whom ------------------------------------------------------------------------------

TEST_F(MessageMakerTest, AMessageSaysItsRecord) {
  OpenMerchant("m1");
  clock_.Set(At(3) + absl::Nanoseconds(123'456'789));
  const EventOutcome outcome = Apply(With({{"k\"1", "größe\n"}}, Captured("pay:1", 1000, 30)));
  const JournalRecord record = RecordAt(outcome.sequence);
  const std::optional<Message> message = Make(record);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->sequence, outcome.sequence);
  EXPECT_EQ(message->merchant_id, "m1");
  EXPECT_EQ(message->type, "payment.captured");
  EXPECT_EQ(message->created_at, At(3) + absl::Milliseconds(123));
  EXPECT_EQ(message->id, MessageId(record.recorded_at, MessageBits(kStore, outcome.sequence)));
  EXPECT_EQ(MessageTime(message->id), message->created_at);
  EXPECT_THAT(message->body, StartsWith(R"({"type":"payment.captured","timestamp":"2024-03-01T12:00:03.12345)"));
  EXPECT_THAT(
      message->body,
      EndsWith(R"(Z","data":{"merchant_id":"m1","payment_id":"pay:1","amount":{"asset":"USD/2","units":"1000"},)"
               R"("fee":{"asset":"USD/2","units":"30"},"occurred_at":"2024-03-01T12:00:00Z",)"
               R"("metadata":{"k\"1":"größe\n"}}})"));
}

TEST_F(MessageMakerTest, WhatIsBetweenHostAndRailIsNotTheMerchants) {
  OpenMerchant("m1");
  Apply(Captured("pay:1", 1000, 0));
  Apply(OfPayout(EventType::kPayoutRequested, "po:1", 1, 500));
  PaymentEvent paid = OfPayout(EventType::kPayoutPaid, "po:1", 2);
  paid.metadata = {{"provider_key", "nw_secret"}, {"note", "thanks"}};
  const std::optional<Message> message = Make(RecordAt(Apply(paid).sequence));
  ASSERT_TRUE(message.has_value());
  EXPECT_THAT(message->body, EndsWith(R"("metadata":{"note":"thanks"}}})"));
}

TEST_F(MessageMakerTest, TheSameThingUnderANewTimeIsNoNews) {
  EXPECT_TRUE(MessageOf(Captured("p1", 1000)).has_value());
  PaymentEvent again = Captured("p1", 1000);
  again.occurred_at = At(5);
  EXPECT_EQ(MessageOf(again, EventStatus::kAlreadySettled), std::nullopt);
}

TEST_F(MessageMakerTest, AccountsAndOtherCodesAreNoNews) {
  const AccountId merchant = OpenMerchant("m1");
  Give(merchant, 500);
  ASSERT_THAT(ledger_->SetMinAvailable(merchant, -100), IsOk());
  Transaction hold = testing::MakeHold(1, merchant, world_, 50);
  hold.code = 1012;
  hold.effective_at = At(0);
  hold.expires_at = At(10);
  Commit(hold);
  clock_.Set(At(20));
  ASSERT_EQ(*ledger_->ExpireHolds(), 1u);
  for (const JournalRecord& record : JournalAfter(0)) EXPECT_EQ(Make(record), std::nullopt);
}

TEST_F(MessageMakerTest, AnEndIsToldToTheOneWhoseMoneyItIs) {
  Earn("m1", 9'000);
  ASSERT_TRUE(MessageOf(OfPayout(EventType::kPayoutRequested, "o1", 1, 3'000)).has_value());
  ASSERT_TRUE(MessageOf(OfPayout(EventType::kPayoutRequested, "o2", 1, 2'000)).has_value());
  ASSERT_TRUE(MessageOf(OfPayment(EventType::kDisputeOpened, "p9", 1, 1'000)).has_value());

  const std::map<std::string, std::string> secret = {{"of", "m2"}};
  for (const PaymentEvent& event : {
           OfPayout(EventType::kPayoutPaid, "o1", 2, 2'500),
           OfPayout(EventType::kPayoutCanceled, "o2", 2),
           OfPayout(EventType::kPayoutReturned, "o1", 3),
           OfPayment(EventType::kDisputeLost, "p9", 2),
       }) {
    const std::optional<Message> message = MessageOf(Of("m2", With(secret, event)));
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->merchant_id, "m1");
    EXPECT_THAT(message->body, HasSubstr(R"("data":{"merchant_id":"m1",)"));
    EXPECT_THAT(message->body, Not(HasSubstr("m2")));
  }
}

TEST_F(MessageMakerTest, NobodyIsToldOfARefusalThatConcernsAnothersMoney) {
  Earn("m1", 9'000);
  Earn("m2", 9'000);
  ASSERT_EQ(Apply(Captured("p1", 100)).status, EventStatus::kApplied);
  ASSERT_EQ(Apply(OfPayout(EventType::kPayoutRequested, "o1", 1, 3'000)).status, EventStatus::kApplied);
  const auto refused = EventStatus::kRejected;
  EXPECT_EQ(MessageOf(Of("m2", OfPayout(EventType::kPayoutPaid, "o1", 2, 9'999)), refused), std::nullopt);
  EXPECT_EQ(MessageOf(Of("m2", Refunded("p1", 5, 2, "r1")), refused), std::nullopt);
  // The same of one's own.
  EXPECT_TRUE(MessageOf(OfPayout(EventType::kPayoutPaid, "o1", 3, 9'999), refused).has_value());
  EXPECT_TRUE(MessageOf(Refunded("p1", 500, 3, "r1"), refused).has_value());
}

TEST_F(MessageMakerTest, WhatWasPaidIsInTheAssetOfTheHold) {
  Earn("m1", 9'000);
  ASSERT_EQ(Apply(OfPayout(EventType::kPayoutRequested, "o1", 1, 3'000)).status, EventStatus::kApplied);
  PaymentEvent paid = OfPayout(EventType::kPayoutPaid, "o1", 2);
  paid.amount = Money{.asset = {.code = "EUR", .scale = 2}, .units = 1'000};
  const std::optional<Message> message = MessageOf(paid);
  ASSERT_TRUE(message.has_value());
  EXPECT_THAT(message->body, HasSubstr(R"("amount":{"asset":"USD/2","units":"1000"},"released":{"asset":"USD/2",)"
                                       R"("units":"2000"},)"));
}

TEST_F(MessageMakerTest, AnAccountKeepsItsNameInTheCacheWhenItIsClosed) {
  Earn("m1", 100);
  ASSERT_EQ(Apply(Adjusted("a1", 100, AdjustmentDirection::kDebit, 1)).status, EventStatus::kApplied);
  NW_ASSERT_OK_AND_ASSIGN(const AccountId merchant, ledger_->FindAccount("merchant:m1:available:USD/2"));
  ASSERT_THAT(ledger_->CloseAccount(merchant), IsOk());
  const std::optional<Message> message = MessageOf(Captured("p2", 100), EventStatus::kRejected);
  ASSERT_TRUE(message.has_value());
  EXPECT_THAT(message->body, HasSubstr(R"("reason":"account_closed")"));
}

// ---- Hosts that use settlement's codes themselves -----------------------------------------------------------

TEST_F(MessageMakerTest, WhatAHostMadeOfOtherAccountsIsNoNews) {
  const AccountId merchant = OpenMerchant("m1");
  const AccountId other = OpenMerchant("m2");
  Give(alice_, 10'000);
  Give(merchant, 10'000);
  // Holds that no event placed, and their ends that events are.
  Commit(testing::Unique(testing::MakeHold(1, alice_, world_, 500), 1006, "o1"));
  Commit(testing::Unique(testing::MakeHold(2, alice_, world_, 500), 1006, "o2"));
  Commit(testing::Unique(testing::MakePost(3, {{merchant, other, 10}, {merchant, world_, 20}}), 1007, "o3"));
  EXPECT_EQ(MessageOf(OfPayout(EventType::kPayoutPaid, "o1", 2)), std::nullopt);
  EXPECT_EQ(MessageOf(OfPayout(EventType::kPayoutFailed, "o2", 2)), std::nullopt);
  EXPECT_EQ(MessageOf(OfPayout(EventType::kPayoutReturned, "o3", 2)), std::nullopt);
  // But a merchant's money is, whoever held it.
  Commit(testing::Unique(testing::MakeHold(4, merchant, alice_, 500), 1006, "o4"));
  EXPECT_TRUE(MessageOf(OfPayout(EventType::kPayoutPaid, "o4", 2)).has_value());
}

TEST_F(MessageMakerTest, NothingThatAHostCommitsStopsIt) {
  Random random(TestSeed());
  const std::vector<AccountId> accounts = {
      world_,
      alice_,
      bob_,
      OpenMerchant("m1"),
      OpenMerchant("m2"),
      OpenAccount({.name = "processor:USD/2", .asset = "USD/2", .external = true})};
  for (const AccountId account : accounts) {
    if (account != world_) Give(account, 1'000'000);
  }
  const std::vector<std::string> references = {"", "a", "b", "c", "a/b", "a b", "\xff", std::string(128, 'x')};
  const std::vector<std::string> metadata = {"",
                                             "x",
                                             std::string("\0\2m1", 4),
                                             std::string("\1a\1\xff", 4),
                                             std::string("\0\10m1:USD/2", 10),
                                             std::string("\0\6m1:USD", 8)};
  for (uint64_t i = 1; i <= 2'000; ++i) {
    Transaction t{.key = Key(i), .kind = static_cast<TransactionKind>(1 + random.Below(5))};
    t.code = static_cast<uint16_t>(1001 + random.Below(11));
    t.reference = random.Pick(references);
    t.unique_reference = !t.reference.empty() && random.OneIn(8);
    t.metadata = random.Pick(metadata);
    if (random.Percent(70)) t.effective_at = At(random.Between(0, 1'000'000));
    const bool needs_target = t.kind >= TransactionKind::kCapture;
    if (needs_target) {
      t.target = random.Percent(50) ? Target::Key(Key(1 + random.Below(i)))
                                    : Target::Reference(static_cast<uint16_t>(1001 + random.Below(11)),
                                                        references[1 + random.Below(references.size() - 1)]);
    } else {
      const size_t most = t.kind == TransactionKind::kHold ? 1 : random.OneIn(10) ? kMaxPostings : 3;
      for (size_t n = 1 + random.Below(most); n > 0; --n) {
        const size_t debit = random.Below(accounts.size());
        const size_t credit = (debit + 1 + random.Below(accounts.size() - 1)) % accounts.size();
        t.postings.push_back({accounts[debit], accounts[credit], 1 + random.Below(50)});
      }
      if (t.kind == TransactionKind::kHold && random.OneIn(4)) t.expires_at = At(1'000'000'000);
    }
    Commit(t);
  }
  // Events upon all that.
  for (const std::string reference : {"a", "b", "c"}) {
    for (int64_t at = 1; at < 4; ++at) {
      for (const EventType type : {EventType::kDisputeLost, EventType::kDisputeWon})
        Apply(OfPayment(type, reference, at));
      for (const EventType type : {EventType::kPayoutPaid, EventType::kPayoutFailed, EventType::kPayoutReturned}) {
        Apply(OfPayout(type, reference, at));
      }
      Apply(Refunded(reference, 1, at));
    }
  }
  for (const JournalRecord& record : JournalAfter(0)) {
    const auto* recorded = std::get_if<TransactionRecorded>(&record.body);
    const std::optional<Message> message = Make(record);
    if (message.has_value()) {
      ASSERT_NE(recorded, nullptr);
      EXPECT_TRUE(recorded->transaction.effective_at.has_value());
      EXPECT_TRUE(recorded->transaction.unique_reference || recorded->transaction.code == 1002);
      EXPECT_TRUE(nlohmann::json::accept(message->body)) << message->body;
    }
  }
}

TEST_F(MessageMakerTest, AsksWhetherTheMerchantWhoseMoneyItIsIsWanted) {
  Earn("m1", 1'000);
  const JournalRecord earned = RecordAt(ledger_->Head().sequence);
  EXPECT_THAT(maker().Make(earned, [](std::string_view merchant) { return merchant != "m1"; }),
              IsOkAndHolds(std::nullopt));
  EXPECT_THAT(maker().Make(earned, [](std::string_view merchant) { return merchant == "m1"; }),
              IsOkAndHolds(Make(earned)));
}

TEST_F(MessageMakerTest, ErrorsOfTheLedgerAreReturned) {
  Earn("m1", 100);
  JournalRecord record = RecordAt(ledger_->Head().sequence);
  std::get<TransactionRecorded>(record.body).transaction.postings[0].credit = AccountId(9'999);
  EXPECT_THAT(maker().Make(record), StatusIs(absl::StatusCode::kNotFound));
}

// ---- Against an oracle --------------------------------------------------------------------------------------

// Says what should be told, from the events and their outcomes alone.
class Oracle {
 public:
  using Json = nlohmann::json;

  // In the order of the journal. Null: nobody is told.
  Json Tell(const PaymentEvent& event, const EventOutcome& outcome) {
    if (outcome.status == EventStatus::kAlreadySettled) return nullptr;
    const bool applied = outcome.status == EventStatus::kApplied;
    const auto type = static_cast<size_t>(event.type) - 1;
    Json data = {{"merchant_id", event.merchant_id},
                 {"occurred_at", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", event.occurred_at, absl::UTCTimeZone())}};
    if (!event.payment_id.empty()) data["payment_id"] = event.payment_id;
    if (!event.payout_id.empty()) data["payout_id"] = event.payout_id;
    if (!event.refund_id.empty()) data["refund_id"] = event.refund_id;
    if (event.amount.has_value()) data["amount"] = Show(event.amount->asset, event.amount->units);
    if (event.fee.has_value()) data["fee"] = Show(event.fee->asset, event.fee->units);
    if (event.direction.has_value())
      data["direction"] = event.direction == AdjustmentDirection::kDebit ? "DEBIT" : "CREDIT";
    if (!event.metadata.empty()) data["metadata"] = event.metadata;

    const Lot* const lot = LotOf(event);
    if (applied) {
      Resolve(event, lot, data);
    } else {
      if (lot != nullptr && lot->merchant != event.merchant_id) return nullptr;
      data["reason"] = std::string(Name(outcome.reason));
    }
    return {{"type", applied ? kApplied[type] : kRejected[type]}, {"data", data}};
  }

 private:
  // Money that later events work on.
  struct Lot {
    std::string merchant;
    Asset asset;
    absl::uint128 units = 0;
  };

  static constexpr const char* kApplied[] = {"payment.captured", "payment.refunded",  "dispute.opened",
                                             "dispute.lost",     "dispute.won",       "payout.requested",
                                             "payout.paid",      "payout.failed",     "payout.canceled",
                                             "payout.returned",  "adjustment.applied"};
  static constexpr const char* kRejected[] = {
      "payment.capture_rejected", "payment.refund_rejected", "dispute.open_rejected",   "dispute.loss_rejected",
      "dispute.win_rejected",     "payout.rejected",         "payout.payment_rejected", "payout.failure_rejected",
      "payout.cancel_rejected",   "payout.return_rejected",  "adjustment.rejected"};

  static Json Show(const Asset& asset, Amount units) {
    return {{"asset", asset.ToString()}, {"units", units.ToString(0)}};
  }
  static Json Show(const Lot& lot, absl::uint128 units) { return Show(lot.asset, *Amount::FromUnits(units)); }

  const Lot* LotOf(const PaymentEvent& event) {
    const auto in = [](const std::map<std::string, Lot>& lots, const std::string& id) -> const Lot* {
      const auto found = lots.find(id);
      return found == lots.end() ? nullptr : &found->second;
    };
    switch (event.type) {
      case EventType::kPaymentRefunded:
        return in(captured_, event.payment_id);
      case EventType::kDisputeLost:
      case EventType::kDisputeWon:
        return in(disputed_, event.payment_id);
      case EventType::kPayoutPaid:
      case EventType::kPayoutFailed:
      case EventType::kPayoutCanceled:
        return in(requested_, event.payout_id);
      case EventType::kPayoutReturned:
        return in(paid_, event.payout_id);
      default:
        return nullptr;
    }
  }

  void Resolve(const PaymentEvent& event, const Lot* lot, Json& data) {
    const auto made = [&event] { return Lot{event.merchant_id, event.amount->asset, event.amount->units.units()}; };
    switch (event.type) {
      case EventType::kPaymentCaptured:
        captured_[event.payment_id] = made();
        return;
      case EventType::kDisputeOpened:
        disputed_[event.payment_id] = made();
        return;
      case EventType::kPayoutRequested:
        requested_[event.payout_id] = made();
        return;
      case EventType::kPaymentRefunded:
      case EventType::kAdjustment:
        return;
      default:
        break;
    }
    ASSERT_NE(lot, nullptr);
    const absl::uint128 units = event.amount.has_value() ? event.amount->units.units() : lot->units;
    data["amount"] = Show(*lot, units);
    const bool takes = event.type == EventType::kDisputeLost || event.type == EventType::kPayoutPaid;
    if (takes && units < lot->units) data["released"] = Show(*lot, lot->units - units);
    if (event.type == EventType::kPayoutPaid) paid_[event.payout_id] = {lot->merchant, lot->asset, units};
    if (lot->merchant != event.merchant_id) data.erase("metadata");
    data["merchant_id"] = lot->merchant;
  }

  std::map<std::string, Lot> captured_, disputed_, requested_, paid_;
};

// Events about few things, so that they meet: in any order, twice, and now and then of the wrong merchant.
PaymentEvent DrawEvent(Random& random) {
  const uint64_t thing = random.Below(120);
  PaymentEvent event{.type = static_cast<EventType>(1 + random.Below(kEventTypes))};
  const bool payout = event.type >= EventType::kPayoutRequested && event.type <= EventType::kPayoutReturned;
  (payout ? event.payout_id : event.payment_id) = "t" + std::to_string(thing);
  event.merchant_id = "m" + std::to_string(random.OneIn(12) ? random.Below(3) : thing % 3);
  event.occurred_at = At(random.Between(0, 20));
  const Asset asset{.code = (thing % 2 == 0) != random.OneIn(30) ? "USD" : "JPY", .scale = thing % 2 == 0 ? 2 : 0};
  const auto money = [&](uint64_t most) { return Money{.asset = asset, .units = 1 + random.Below(most)}; };
  switch (event.type) {
    case EventType::kPaymentCaptured:
      event.amount = money(100'000);
      event.amount->units = *event.amount->units.CheckedAdd(1'000);
      if (random.Percent(60)) event.fee = Money{asset, 1 + random.Below(500)};
      break;
    case EventType::kPaymentRefunded:
      event.amount = money(20'000);
      event.amount->units = *event.amount->units.CheckedAdd(500);
      if (random.Percent(30)) event.fee = Money{asset, 1 + random.Below(200)};
      if (random.Percent(70)) event.refund_id = "r" + std::to_string(random.Below(4));
      break;
    case EventType::kDisputeOpened:
    case EventType::kPayoutRequested:
      event.amount = money(40'000);
      break;
    case EventType::kAdjustment:
      event.amount = money(60'000);
      event.direction = random.Percent(50) ? AdjustmentDirection::kCredit : AdjustmentDirection::kDebit;
      break;
    case EventType::kDisputeLost:
    case EventType::kPayoutPaid:
    case EventType::kPayoutReturned:
      if (random.Percent(50)) event.amount = money(40'000);
      break;
    default:
      break;
  }
  for (uint64_t n = random.Below(3); n > 0; --n) {
    event.metadata[RandomText(random, 1, 4, "ab\"\\\n.")] = RandomText(random, 0, 8, "xyz \t\"\x01");
  }
  return event;
}

TEST_F(MessageMakerTest, TellsWhatAnOracleMakesOfTheEvents) {
  Random random(TestSeed());
  std::vector<PaymentEvent> events;
  std::map<Sequence, std::pair<size_t, EventOutcome>> journaled;
  const auto keep = [&](size_t position, const EventOutcome& outcome) {
    if (outcome.status == EventStatus::kApplied || outcome.status == EventStatus::kRejected ||
        outcome.status == EventStatus::kAlreadySettled) {
      ASSERT_TRUE(journaled.emplace(outcome.sequence, std::pair(position, outcome)).second);
    }
  };
  const uint64_t ops = TestOps(6'000);
  while (events.size() < ops) {
    const size_t first = events.size();
    std::vector<PaymentEvent> batch;
    for (size_t n = 1 + random.Below(40); n > 0; --n) {
      batch.push_back(!events.empty() && random.OneIn(20) ? random.Pick(events) : DrawEvent(random));
    }
    events.insert(events.end(), batch.begin(), batch.end());
    clock_.Advance(absl::Nanoseconds(random.Between(0, 3'000'000)));
    NW_ASSERT_OK_AND_ASSIGN(const IntakeResult result, intake_->Apply(batch, first));
    for (size_t i = 0; i < batch.size(); ++i) keep(first + i, result.outcomes[i]);
    for (const LateOutcome& late : result.late) keep(late.position, late.outcome);
    if (random.OneIn(10)) {
      const auto account = ledger_->FindAccount("merchant:m" + std::to_string(random.Below(3)) + ":available:USD/2");
      if (account.ok()) {
        ASSERT_THAT(random.Percent(30) ? ledger_->Freeze(*account) : ledger_->Unfreeze(*account), IsOk());
      }
    }
  }

  Oracle oracle;
  std::map<std::string, int> told;
  std::set<std::string> ids;
  std::vector<Message> all;
  JournalReader reader = ledger_->ReadJournal(Sequence(0));
  for (auto records = reader.Next(100); records.ok() && !records->empty(); records = reader.Next(100)) {
    for (const JournalRecord& record : *records) {
      const std::optional<Message> message = Make(record);
      nlohmann::json expected;
      if (const auto found = journaled.find(record.sequence); found != journaled.end()) {
        expected = oracle.Tell(events[found->second.first], found->second.second);
      }
      ASSERT_EQ(message.has_value(), !expected.is_null()) << record.sequence.value() << " " << expected;
      if (!message.has_value()) continue;
      nlohmann::json said = nlohmann::json::parse(message->body);
      absl::Time timestamp;
      ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, said.at("timestamp").get<std::string>(), &timestamp, nullptr));
      ASSERT_EQ(timestamp, record.recorded_at);
      said.erase("timestamp");
      ASSERT_EQ(said, expected) << "record " << record.sequence.value();
      ASSERT_EQ(message->type, expected.at("type"));
      ASSERT_EQ(message->merchant_id, expected.at("data").at("merchant_id"));
      ASSERT_EQ(message->sequence, record.sequence);
      ASSERT_EQ(message->created_at, absl::FromUnixMillis(absl::ToUnixMillis(record.recorded_at)));
      ASSERT_EQ(message->id, MessageId(record.recorded_at, MessageBits(kStore, record.sequence)));
      ASSERT_TRUE(ids.insert(message->id).second);
      ++told[message->type];
      all.push_back(*message);
    }
  }
  if (ops >= 6'000) {
    EXPECT_EQ(told.size(), 2 * kEventTypes) << ::testing::PrintToString(told);
  }

  // What is made depends on the journal alone: not on the process, nor on what was looked at before.
  intake_.reset();
  Reopen();
  MessageMaker afresh(*ledger_, kStore);
  std::shuffle(all.begin(), all.end(), std::mt19937_64(random.Next()));
  for (size_t i = 0; i < std::min<size_t>(all.size(), 500); ++i) {
    NW_ASSERT_OK_AND_ASSIGN(const auto again, afresh.Make(RecordAt(all[i].sequence)));
    ASSERT_EQ(again, all[i]);
  }
}

}  // namespace
}  // namespace northwind::internal
