// SPDX-License-Identifier: Apache-2.0
//
// Webhooks in a process that is killed again and again, told to receivers that outlive it. Events are applied all the while, some
// receivers fail now and then, endpoints are changed. In the end every record of the journal that is news was told to every endpoint
// that wants it, under one id, and a message came again only if an attempt at it was cut off. NORTHWIND_TEST_KILLS sets the number of kills.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "examples/receivers/receiver_fleet.h"
#include "gtest/gtest.h"
#include "northwind/journal.h"
#include "northwind/ledger.h"
#include "northwind/webhook.h"
#include "tests/support/child_process.h"
#include "tests/support/invariants.h"
#include "tests/support/killer.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/webhook/webhook_load.h"

namespace northwind::testing {
namespace {

using examples::Behaviour;
using examples::ReceiverFleet;

constexpr const char* kEndpoints[] = {"all", "payouts", "disputes", "flaky"};

// Written out again, so that nothing rests on the filters' own code.
std::vector<std::string> Filter(const std::string& endpoint) {
  if (endpoint == "payouts") return {"payout.*"};
  if (endpoint == "disputes") return {"dispute.*", "payment.captured"};
  return {"*"};
}
bool Wants(const std::string& endpoint, const std::string& type) {
  if (endpoint == "payouts") return type.starts_with("payout.");
  if (endpoint == "disputes") return type.starts_with("dispute.") || type == "payment.captured";
  return true;
}
std::string TypeOf(const PaymentEvent& event) {
  switch (event.type) {
    case EventType::kPaymentCaptured:
      return "payment.captured";
    case EventType::kPaymentRefunded:
      return "payment.refunded";
    case EventType::kDisputeOpened:
      return "dispute.opened";
    case EventType::kDisputeLost:
      return "dispute.lost";
    case EventType::kDisputeWon:
      return "dispute.won";
    case EventType::kPayoutRequested:
      return event.payout_id.starts_with("big") ? "payout.rejected" : "payout.requested";
    case EventType::kPayoutPaid:
      return "payout.paid";
    case EventType::kPayoutFailed:
      return "payout.failed";
    case EventType::kPayoutCanceled:
      return "payout.canceled";
    case EventType::kAdjustment:
      return "adjustment.applied";
    default:
      return "?";
  }
}

// What came to receivers: by receiver and webhook-id.
class Mailbox {
 public:
  struct Letter {
    uint64_t arrivals = 0;
    uint64_t acknowledged = 0;
  };
  void Take(const examples::ReceivedMessage& message) {
    const absl::MutexLock lock(&mutex_);
    Letter& letter = letters_[{std::string(message.receiver), message.headers.id}];
    ++letter.arrivals;
    letter.acknowledged += message.answer / 100 == 2;
  }
  std::map<std::pair<std::string, std::string>, Letter> letters() const {
    const absl::MutexLock lock(&mutex_);
    return letters_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::map<std::pair<std::string, std::string>, Letter> letters_ ABSL_GUARDED_BY(mutex_);
};

// Ledger, scheduler and webhooks of a store that no child has open.
struct Opened {
  std::unique_ptr<Store> store;
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Webhooks> webhooks;
};

class WebhookKill : public ::testing::Test {
 protected:
  struct Delivered {
    WebhookDelivery delivery;
    std::vector<WebhookAttempt> attempts;
  };
  // A record of the journal that is news.
  struct News {
    std::string merchant;
    std::string type;
  };

  void SetUp() override {
    examples::ReceiverFleetOptions options;
    options.seed = seed_;
    options.on_message = [this](const examples::ReceivedMessage& message) { mailbox_.Take(message); };
    NW_ASSERT_OK_AND_ASSIGN(fleet_, ReceiverFleet::Start(options));
    Opened opened;
    ASSERT_NO_FATAL_FAILURE(Open(opened));
    for (uint64_t m = 0; m < kLoadMerchants; ++m) {
      for (const std::string endpoint : kEndpoints) {
        const std::string name = LoadMerchant(m) + "-" + endpoint;
        NW_ASSERT_OK_AND_ASSIGN(const std::string url,
                                fleet_->Add({.name = name, .behaviour = Usual(name), .fail_rate = 0.1}));
        const EndpointSpec spec = {.id = endpoint,
                                   .url = url,
                                   .events = Filter(endpoint),
                                   .scheme = m % 2 == 0 ? SignatureScheme::kHmacSha256 : SignatureScheme::kEd25519};
        NW_ASSERT_OK_AND_ASSIGN(const NewEndpoint made, opened.webhooks->CreateEndpoint(LoadMerchant(m), spec));
        ASSERT_THAT(fleet_->SetKeys(name, {made.secret}), IsOk());
        receivers_.push_back(name);
      }
    }
  }

  static Behaviour Usual(const std::string& receiver) {
    return receiver.ends_with("-flaky") ? Behaviour::kFlaky : Behaviour::kOk;
  }

  void Open(Opened& opened) {
    NW_ASSERT_OK_AND_ASSIGN(opened.store, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(opened.ledger, Ledger::Open(*opened.store));
    NW_ASSERT_OK_AND_ASSIGN(opened.scheduler, Scheduler::Open(*opened.store));
    NW_ASSERT_OK_AND_ASSIGN(opened.webhooks,
                            Webhooks::Open({*opened.ledger, *opened.store, *opened.scheduler}, LoadOptions()));
  }

  // Kills the child once, at some moment after it has begun, or while it opens.
  void RunAndKill() {
    // One receiver is down or silent for this life of the child.
    const std::string& troubled = random_.Pick(receivers_);
    ASSERT_THAT(fleet_->SetBehaviour(troubled, random_.OneIn(2) ? Behaviour::kError : Behaviour::kHang), IsOk());
    Begin();
    ASSERT_NO_FATAL_FAILURE(
        killer_.RunAndKill(Command(acknowledged_ + 1'000'000), [this](char message) { return Take(message); }));
    ASSERT_THAT(fleet_->SetBehaviour(troubled, Usual(troubled)), IsOk());
  }

  // Lets the child come to an end.
  void RunToTheEnd() {
    Begin();
    ChildProcess child(Command(acknowledged_ + 20));
    std::string said;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(240);
    while (!said.ends_with('d')) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the deliveries do not come to an end";
      ASSERT_TRUE(child.Read(said, 50)) << "the child ended by itself with " << child.Wait();
    }
    ASSERT_EQ(child.Wait(), 0);
    for (const char message : said) Take(message);
  }

  // Sends again a little of what was acknowledged, as sources do, and all that was not.
  void Begin() { began_ = next_ = acknowledged_ - std::min<uint64_t>(acknowledged_, 3); }
  std::vector<std::string> Command(uint64_t end) const {
    return {NORTHWIND_WEBHOOK_CHILD, directory_.path(), std::to_string(began_), std::to_string(end)};
  }
  // Whether the child has opened.
  bool Take(char message) {
    if (message == 'a') acknowledged_ = std::max(acknowledged_, ++next_);
    return message == 'o';
  }

  // Which records are news, by the events that were sent; nothing else is in the journal.
  void ReadJournal(Ledger& ledger) {
    std::map<IdempotencyKey, std::pair<Sequence, TransactionRecorded>> recorded;
    JournalReader reader = ledger.ReadJournal(Sequence());
    while (reader.position() < ledger.Head().sequence) {
      NW_ASSERT_OK_AND_ASSIGN(const auto records, reader.Next(kMaxJournalPage));
      for (const JournalRecord& record : records) {
        const auto* const transaction = std::get_if<TransactionRecorded>(&record.body);
        if (transaction == nullptr) continue;
        ASSERT_TRUE(recorded.emplace(transaction->transaction.key, std::pair(record.sequence, *transaction)).second);
      }
    }
    std::set<IdempotencyKey> known;
    for (uint64_t number = 0; number < acknowledged_; ++number) {
      for (const PaymentEvent& event : LoadEvents(number)) {
        NW_ASSERT_OK_AND_ASSIGN(const MappedEvent mapped, MapEvent(event));
        const IdempotencyKey& key = mapped.transaction.key;
        if (!known.insert(key).second) continue;  // word for word
        const auto found = recorded.find(key);
        ASSERT_NE(found, recorded.end()) << "an event of payment " << number << " is not in the journal";
        const auto& [sequence, record] = found->second;
        if (event.type == EventType::kPaymentCaptured && event.occurred_at != At(0)) {
          ASSERT_EQ(record.reason, Reason::kReferenceUsed) << number;
          continue;
        }
        const std::string type = TypeOf(event);
        ASSERT_EQ(record.outcome, type == "payout.rejected" ? Outcome::kRejected : Outcome::kApplied) << number;
        news_[sequence.value()] = {.merchant = event.merchant_id, .type = type};
      }
    }
    ASSERT_EQ(known.size(), recorded.size()) << "the journal has what nobody sent";
  }

  void ReadDeliveries(const Webhooks& webhooks) {
    for (uint64_t m = 0; m < kLoadMerchants; ++m) {
      DeliveryQuery query{.merchant_id = LoadMerchant(m), .limit = kMaxDeliveryPage};
      do {
        NW_ASSERT_OK_AND_ASSIGN(const WebhookDeliveryPage page, webhooks.ListDeliveries(query));
        for (const WebhookDelivery& each : page.deliveries) {
          const DeliveryName& name = each.name;
          ASSERT_TRUE(deliveries_[name.merchant_id + "-" + name.endpoint_id]
                          .emplace(name.message_id, Delivered{.delivery = each, .attempts = {}})
                          .second);
        }
        query.after = page.next;
      } while (!query.after.empty());
      AttemptQuery receipts{.merchant_id = LoadMerchant(m), .limit = kMaxAttemptPage};
      do {
        NW_ASSERT_OK_AND_ASSIGN(const WebhookAttemptPage page, webhooks.ListAttempts(receipts));
        for (const WebhookAttempt& attempt : page.attempts) {
          const DeliveryName& name = attempt.delivery;
          auto& of_endpoint = deliveries_[name.merchant_id + "-" + name.endpoint_id];
          ASSERT_TRUE(of_endpoint.contains(name.message_id)) << "a receipt of no delivery";
          of_endpoint[name.message_id].attempts.push_back(attempt);
        }
        receipts.after = page.next;
      } while (!receipts.after.empty());
    }
  }

  // One message of each record that is news, and one delivery of it to each endpoint that wants it; and none besides.
  void CheckMessages() {
    std::map<std::string, uint64_t> sequences;  // of message ids
    std::map<std::pair<std::string, uint64_t>, uint64_t> told;
    for (const auto& [receiver, of_endpoint] : deliveries_) {
      for (const auto& [id, delivered] : of_endpoint) {
        const WebhookDelivery& delivery = delivered.delivery;
        const auto news = news_.find(delivery.sequence.value());
        ASSERT_NE(news, news_.end()) << id << ", " << delivery.type << ", is of record " << delivery.sequence.value()
                                     << ", which is no news";
        ASSERT_EQ(news->second.merchant, delivery.name.merchant_id) << id;
        ASSERT_EQ(news->second.type, delivery.type) << id;
        ASSERT_TRUE(Wants(delivery.name.endpoint_id, delivery.type)) << receiver << " was told of " << delivery.type;
        ASSERT_EQ(sequences.try_emplace(id, news->first).first->second, news->first) << id << " is of two records";
        ASSERT_EQ(++told[std::pair(receiver, news->first)], 1u) << receiver << " was told twice of " << news->first;
      }
    }
    ASSERT_EQ(sequences.size(), news_.size()) << "one id for each record";
    for (const auto& [sequence, news] : news_) {
      for (const std::string endpoint : kEndpoints) {
        if (!Wants(endpoint, news.type)) continue;
        ASSERT_TRUE(told.contains({news.merchant + "-" + endpoint, sequence}))
            << "lost: " << news.type << ", record " << sequence << ", to " << news.merchant << "-" << endpoint;
        ++expected_;
      }
    }
  }

  // Each was delivered and has the receipt of that, and receivers got neither more nor, but for cause, more often.
  void CheckReceipts() {
    const auto letters = mailbox_.letters();
    for (const auto& [address, letter] : letters) {
      ASSERT_TRUE(deliveries_[address.first].contains(address.second)) << address.first << " got " << address.second;
      arrivals_ += letter.arrivals;
      repeated_ += letter.acknowledged - std::min<uint64_t>(letter.acknowledged, 1);
    }
    for (const auto& [receiver, of_endpoint] : deliveries_) {
      for (const auto& [id, delivered] : of_endpoint) {
        ASSERT_EQ(delivered.delivery.state, DeliveryState::kDelivered) << receiver << " " << id;
        const auto letter = letters.find({receiver, id});
        ASSERT_TRUE(letter != letters.end() && letter->second.acknowledged > 0) << receiver << " never took " << id;
        uint64_t successes = 0, cut_off = 0;
        std::set<uint32_t> numbers;
        for (const WebhookAttempt& attempt : delivered.attempts) {
          numbers.insert(attempt.number);
          successes += attempt.failure == AttemptFailure::kNone;
          unknown_ += attempt.failure == AttemptFailure::kUnknown;
          failed_ += attempt.failure != AttemptFailure::kNone && attempt.failure != AttemptFailure::kUnknown;
          cut_off += attempt.failure == AttemptFailure::kUnknown || attempt.failure == AttemptFailure::kTimeout ||
                     attempt.failure == AttemptFailure::kAborted;
        }
        ASSERT_EQ(successes, 1u) << receiver << " " << id;
        ASSERT_EQ(numbers.size(), delivered.attempts.size()) << "receipts with one number";
        ASSERT_EQ(*numbers.rbegin(), numbers.size()) << "a receipt is missing";
        ASSERT_EQ(delivered.delivery.attempts, numbers.size()) << receiver << " " << id;
        ASSERT_LE(letter->second.acknowledged, 1 + cut_off)
            << receiver << " took " << id << " again though no attempt at it was cut off";
      }
    }
    for (const auto& [name, stats] : fleet_->Stats()) EXPECT_EQ(stats.signature_failures, 0u) << name;
  }

  const uint64_t seed_ = TestSeed();
  Random random_{seed_};
  Killer<char> killer_{random_, {.while_opening = 2, .messages = 30, .after_opening = std::chrono::milliseconds(250)}};
  TempDir directory_;
  Mailbox mailbox_;
  std::unique_ptr<ReceiverFleet> fleet_;  // after what it writes to
  std::vector<std::string> receivers_;
  uint64_t began_ = 0, next_ = 0, acknowledged_ = 0;                    // payments
  std::map<uint64_t, News> news_;                                       // by sequence
  std::map<std::string, std::map<std::string, Delivered>> deliveries_;  // by receiver and message id
  uint64_t expected_ = 0, arrivals_ = 0, repeated_ = 0, unknown_ = 0, failed_ = 0;
};

TEST_F(WebhookKill, EveryRecordThatIsNewsIsToldToEveryEndpointThatWantsIt) {
  const uint64_t kills = TestOps(15, "NORTHWIND_TEST_KILLS");
  while (killer_.kills() < kills) ASSERT_NO_FATAL_FAILURE(RunAndKill()) << "kill " << killer_.kills();
  ASSERT_NO_FATAL_FAILURE(RunToTheEnd());

  Opened opened;
  ASSERT_NO_FATAL_FAILURE(Open(opened));
  NW_ASSERT_OK_AND_ASSIGN(const WebhookStats stats, opened.webhooks->Stats());
  EXPECT_EQ(stats.waiting, 0u);
  EXPECT_EQ(stats.dead, 0u);
  for (uint64_t m = 0; m < kLoadMerchants; ++m) {
    NW_ASSERT_OK_AND_ASSIGN(const WebhookEndpointPage page, opened.webhooks->ListEndpoints(LoadMerchant(m)));
    for (const WebhookEndpoint& endpoint : page.endpoints) {
      EXPECT_EQ(endpoint.state, EndpointState::kEnabled)
          << endpoint.merchant_id << "-" << endpoint.id << ": " << (endpoint.disabled ? endpoint.disabled->detail : "");
    }
  }
  ASSERT_NO_FATAL_FAILURE(ReadJournal(*opened.ledger));
  ASSERT_NO_FATAL_FAILURE(ReadDeliveries(*opened.webhooks));
  ASSERT_NO_FATAL_FAILURE(CheckMessages());
  ASSERT_NO_FATAL_FAILURE(CheckReceipts());
  std::printf(
      "%llu kills, %llu while opening; %llu payments, %zu records that are news, %llu deliveries: none lost; "
      "%llu arrivals, %llu of them acknowledged once more; receipts: %llu unknown, %llu failed\n",
      killer_.kills(), killer_.kills_while_opening(), static_cast<unsigned long long>(acknowledged_), news_.size(),
      static_cast<unsigned long long>(expected_), static_cast<unsigned long long>(arrivals_),
      static_cast<unsigned long long>(repeated_), static_cast<unsigned long long>(unknown_),
      static_cast<unsigned long long>(failed_));
  if (kills >= 10) {
    EXPECT_GT(unknown_, 0u) << "not one kill came during an attempt";
  }
  EXPECT_THAT(opened.ledger->Verify(), IsOk());
  ExpectInvariants(*opened.ledger);
}

}  // namespace
}  // namespace northwind::testing
