// SPDX-License-Identifier: Apache-2.0
//
// Random merchants, endpoints, messages, deliveries in every state and attempts: in a store with a scheduler, and as plain
// lists that say what must be read of them.
#ifndef NORTHWIND_TESTS_WEBHOOK_DELIVERY_WORLD_H_
#define NORTHWIND_TESTS_WEBHOOK_DELIVERY_WORLD_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "northwind/scheduler.h"
#include "northwind/store.h"
#include "src/store/engine.h"
#include "src/webhook/delivery_record.h"
#include "tests/support/fake_clock.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_on.h"
#include "tests/support/temp_dir.h"

namespace northwind::internal {

// What happened to a delivery: its record, and its task.
enum class Fate : uint8_t {
  kDelivered,
  kDeliveredBesideDead,     // by a re-send, after its task had died
  kDeliveredBesideWaiting,  // by a re-send, before the policy's next attempt
  kCanceled,
  kWaits,
  kClaimed,
  kCrashed,  // pending, and its task died without a word
  kLost,     // pending, without a task
  kDead,
  kRedriven,   // dead, and its task waits again
  kDiscarded,  // dead, without a task
  kCount,
};

// Of a re-send beside it.
enum class ResendFate : uint8_t { kNone, kWaits, kDead };

struct WorldDelivery {
  WebhookDelivery expected;  // as GetDelivery is to give it
  Fate fate = Fate::kDelivered;
  ResendFate resend = ResendFate::kNone;
  std::vector<WebhookAttempt> attempts;
  std::set<uint32_t> swept;  // attempts whose receipt is gone, but not their line
};

struct WorldMessage {
  Message message;
  std::vector<WorldDelivery> deliveries;
};

inline std::string IdOf(absl::Time at, std::string_view rest) {
  return FirstMessageIdFrom(at).substr(0, kMessageIdBytes - rest.size()).append(rest);
}

class DeliveryWorld {
 public:
  static constexpr std::string_view kTypes[] = {"payout.paid", "payout.failed", "payment.captured", kTestType};
  // Of these, some are the beginning of others, and signs in them sort before and after "/".
  static constexpr const char* kMerchants[] = {"m", "m-1", "m.1", "m1", "M_"};
  static constexpr const char* kEndpoints[] = {"e", "e-1", "e1", "E"};

  struct Options {
    std::string path;
    rocksdb::Env* env = nullptr;
    int messages = 100;
    absl::Duration span = absl::Minutes(10);  // of the messages, up to now
    bool lines_without_receipts = true;
  };

  DeliveryWorld(const Options& options, uint64_t seed) : options_(options), random_(seed) {}
  ~DeliveryWorld() { Shut(); }

  absl::Status Open() {
    const StoreOptions store{.path = options_.path,
                             .free_space_floor_bytes = 0,
                             .block_cache_bytes = 1 << 20,
                             .write_buffer_bytes = 1 << 20};
    if (options_.env != nullptr) {
      NW_ASSIGN_OR_RETURN(store_, testing::OpenStoreOn(options_.env, store));
    } else {
      NW_ASSIGN_OR_RETURN(store_, Store::Open(store));
    }
    NW_ASSIGN_OR_RETURN(scheduler_, Scheduler::Open(*store_, {.clock = &clock_, .seed = 1}));
    return absl::OkStatus();
  }
  void Shut() {
    scheduler_.reset();
    store_.reset();
  }

  // Makes everything up and puts it into the store and the scheduler.
  void Fill() {
    for (int i = 0; i < options_.messages; ++i) AddMessage();
    std::sort(messages_.begin(), messages_.end(), [](const WorldMessage& a, const WorldMessage& b) {
      return std::pair(a.message.merchant_id, a.message.id) < std::pair(b.message.merchant_id, b.message.id);
    });
    NW_CHECK(StoreRecords().ok(), "the records are stored");
    NW_CHECK(MakeTasks().ok(), "the tasks are made");
  }

  // ---- What is to be read -----------------------------------------------------------------------------------

  std::vector<const WorldDelivery*> Deliveries(std::string_view merchant) const {
    std::vector<const WorldDelivery*> found;
    for (const WorldMessage& message : messages_) {
      if (message.message.merchant_id != merchant) continue;
      for (const WorldDelivery& delivery : message.deliveries) found.push_back(&delivery);
    }
    return found;  // by message and endpoint, as they were sorted
  }
  std::vector<WebhookAttempt> Attempts(std::string_view merchant) const {
    std::vector<WebhookAttempt> found;
    for (const WorldDelivery* delivery : Deliveries(merchant)) {
      for (const WebhookAttempt& attempt : delivery->attempts) {
        if (!delivery->swept.contains(attempt.number)) found.push_back(attempt);
      }
    }
    return found;
  }

  // Every key of webhooks that there is.
  std::set<std::string> StoredKeys() const {
    std::set<std::string> keys;
    Cursor cursor = engine().NewCursor(Space::kHost);
    for (cursor.Seek("nw/webhook/"); cursor.Valid() && cursor.key().starts_with("nw/webhook/"); cursor.Next()) {
      keys.emplace(cursor.key());
    }
    EXPECT_THAT(cursor.status(), testing::IsOk());
    return keys;
  }
  static std::set<std::string> KeysOf(const WorldMessage& message) {
    std::set<std::string> keys = {MessageKey(message.message.merchant_id, message.message.id)};
    for (const WorldDelivery& delivery : message.deliveries) {
      keys.insert(DeliveryKey(delivery.expected.name));
      for (const WebhookAttempt& attempt : delivery.attempts) {
        keys.insert(TimeKey(attempt.delivery, attempt.at, attempt.number));
        if (!delivery.swept.contains(attempt.number)) keys.insert(AttemptKey(attempt.delivery, attempt.number));
      }
    }
    return keys;
  }

  absl::StatusOr<TaskState> StateOf(const std::string& task) const {
    NW_ASSIGN_OR_RETURN(const TaskInfo info, scheduler_->GetTask(task));
    return info.state;
  }

  const std::vector<WorldMessage>& messages() const { return messages_; }
  Engine& engine() const { return store_->engine(); }
  Scheduler& scheduler() const { return *scheduler_; }
  testing::FakeClock& clock() { return clock_; }
  testing::Random& random() { return random_; }

  std::string RandomMerchant() { return kMerchants[random_.Below(std::size(kMerchants))]; }
  std::string RandomEndpoint() { return kEndpoints[random_.Below(std::size(kEndpoints))]; }
  std::string RandomType() { return std::string(kTypes[random_.Below(std::size(kTypes))]); }
  // Of a message or attempt; often one that some have.
  absl::Time RandomTime() {
    if (random_.OneIn(3) && !messages_.empty()) return random_.Pick(messages_).message.created_at;
    const int64_t ago = random_.Between(0, absl::ToInt64Nanoseconds(options_.span));
    return clock_.Now() - absl::Nanoseconds(ago);
  }
  AttemptFailure RandomFailure() {
    constexpr AttemptFailure kFailures[] = {AttemptFailure::kNone, AttemptFailure::kStatus, AttemptFailure::kTimeout};
    return kFailures[random_.Below(std::size(kFailures))];
  }
  int RandomStatus() {
    constexpr int kStatuses[] = {0, 200, 404, 500};
    return kStatuses[random_.Below(std::size(kStatuses))];
  }

 private:
  void AddMessage() {
    WorldMessage one;
    Message& message = one.message;
    message.merchant_id = RandomMerchant();
    // Often in the millisecond of another.
    const int64_t spans = absl::ToInt64Milliseconds(options_.span);
    const int64_t ago = random_.OneIn(3) ? 1000 * random_.Between(0, spans / 1000) : random_.Between(0, spans);
    const absl::Time at = clock_.Now() - absl::Milliseconds(ago);
    constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    std::string rest;
    for (int i = 0; i < 16; ++i) rest.push_back(kDigits[random_.Below(kDigits.size())]);
    message.id = IdOf(at, rest);
    message.created_at = absl::FromUnixMillis(absl::ToUnixMillis(at));
    message.type = RandomType();
    message.sequence = Sequence(random_.Below(1000));
    message.body = "{\"n\":" + std::to_string(random_.Below(1000)) + "}";
    std::vector<std::string> endpoints(std::begin(kEndpoints), std::end(kEndpoints));
    std::sort(endpoints.begin(), endpoints.end());
    for (const std::string& endpoint : endpoints) {
      if (random_.Percent(60)) one.deliveries.push_back(RandomDelivery(message, endpoint));
    }
    messages_.push_back(std::move(one));
  }

  WorldDelivery RandomDelivery(const Message& message, const std::string& endpoint) {
    WorldDelivery one;
    WebhookDelivery& delivery = one.expected;
    delivery.name = {.merchant_id = message.merchant_id, .endpoint_id = endpoint, .message_id = message.id};
    delivery.type = message.type;
    delivery.sequence = message.sequence;
    delivery.created_at = message.created_at;
    delivery.body = message.body;
    one.fate = static_cast<Fate>(random_.Below(static_cast<uint64_t>(Fate::kCount)));
    one.resend = static_cast<ResendFate>(random_.OneIn(6) ? 1 + random_.Below(2) : 0);
    delivery.attempts = static_cast<uint32_t>(random_.Below(4));
    if (random_.OneIn(40)) delivery.attempts += 300;  // numbers of two bytes
    for (uint32_t number = 1; number <= delivery.attempts; ++number) {
      WebhookAttempt attempt;
      attempt.delivery = delivery.name;
      attempt.type = delivery.type;
      attempt.number = number;
      attempt.at = RandomTime();
      attempt.failure = RandomFailure();
      attempt.status = RandomStatus();
      attempt.message = std::to_string(random_.Next());
      attempt.total = absl::Milliseconds(static_cast<int64_t>(random_.Below(1000)));
      delivery.last_attempt_at = attempt.at;
      delivery.last_failure = attempt.failure;
      delivery.last_status = attempt.status;
      if (options_.lines_without_receipts && random_.OneIn(20)) one.swept.insert(number);
      one.attempts.push_back(std::move(attempt));
    }
    switch (one.fate) {
      case Fate::kDelivered:
      case Fate::kDeliveredBesideDead:
      case Fate::kDeliveredBesideWaiting:
        delivery.state = DeliveryState::kDelivered;
        delivery.delivered_at = RandomTime();
        break;
      case Fate::kCanceled:
        delivery.state = DeliveryState::kCanceled;
        break;
      case Fate::kWaits:
        delivery.next_attempt = clock_.Now() + absl::Seconds(random_.Between(1, 1000));
        break;
      case Fate::kRedriven:
        delivery.next_attempt = clock_.Now();
        break;
      case Fate::kCrashed:
      case Fate::kLost:
      case Fate::kDead:
      case Fate::kDiscarded:
        delivery.state = DeliveryState::kDead;
        break;
      case Fate::kClaimed:
      case Fate::kCount:
        break;
    }
    return one;
  }

  static WebhookDelivery Stored(const WorldDelivery& one) {
    WebhookDelivery stored = one.expected;
    if (one.fate == Fate::kCrashed || one.fate == Fate::kLost) stored.state = DeliveryState::kPending;
    if (one.fate == Fate::kRedriven) stored.state = DeliveryState::kDead;
    return stored;
  }

  absl::Status StoreRecords() {
    WriteSet writes;
    for (const WorldMessage& one : messages_) {
      writes.Put(Space::kHost, MessageKey(one.message.merchant_id, one.message.id), EncodeMessage(one.message));
      for (const WorldDelivery& delivery : one.deliveries) {
        writes.Put(Space::kHost, DeliveryKey(delivery.expected.name), EncodeDelivery(Stored(delivery)));
        for (const WebhookAttempt& attempt : delivery.attempts) {
          writes.Put(Space::kHost, TimeKey(attempt.delivery, attempt.at, attempt.number),
                     EncodeAttemptLine({.failure = attempt.failure, .status = attempt.status, .type = attempt.type}));
          if (delivery.swept.contains(attempt.number)) continue;
          writes.Put(Space::kHost, AttemptKey(attempt.delivery, attempt.number), EncodeAttempt(attempt));
        }
      }
    }
    return engine().Write(writes);
  }

  absl::Status MakeTasks() {
    std::vector<TaskSpec> tasks;
    std::vector<std::string> again;
    const auto add = [&](std::string id, const char* queue, absl::Time due) {
      tasks.push_back({.id = std::move(id), .queue = queue, .due = due});
    };
    for (const WorldMessage& one : messages_) {
      for (const WorldDelivery& delivery : one.deliveries) {
        const std::string id = DeliveryTaskId(delivery.expected.name);
        switch (delivery.fate) {
          case Fate::kDeliveredBesideDead:
          case Fate::kCrashed:
          case Fate::kDead:
            add(id, "dies", clock_.Now());
            break;
          case Fate::kRedriven:
            add(id, "dies", clock_.Now());
            again.push_back(id);
            break;
          case Fate::kClaimed:
            add(id, "claimed", clock_.Now());
            break;
          case Fate::kWaits:
            add(id, "waits", *delivery.expected.next_attempt);
            break;
          case Fate::kDeliveredBesideWaiting:
            add(id, "waits", clock_.Now() + absl::Hours(1));
            break;
          default:
            break;
        }
        if (delivery.resend == ResendFate::kNone) continue;
        add(ResendTaskId(delivery.expected.name), delivery.resend == ResendFate::kDead ? "dies" : "waits",
            clock_.Now());
      }
    }
    NW_RETURN_IF_ERROR(scheduler_->Schedule(tasks).status());
    const size_t all = std::max<size_t>(1, tasks.size());
    NW_RETURN_IF_ERROR(scheduler_->Claim({.queue = "claimed", .max = all, .lease = absl::Hours(24 * 30)}).status());
    NW_ASSIGN_OR_RETURN(const std::vector<ClaimedTask> dying, scheduler_->Claim({.queue = "dies", .max = all}));
    std::vector<Finish> ends;
    for (const ClaimedTask& task : dying) {
      ends.push_back({.task = task.handle, .verdict = Verdict::kKill, .error = "given up"});
    }
    if (!ends.empty()) NW_RETURN_IF_ERROR(scheduler_->FinishAll(ends).status());
    return again.empty() ? absl::OkStatus() : scheduler_->Redrive(again).status();
  }

  const Options options_;
  testing::Random random_;
  testing::FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<WorldMessage> messages_;  // by merchant and id; their deliveries by endpoint
};

}  // namespace northwind::internal

#endif  // NORTHWIND_TESTS_WEBHOOK_DELIVERY_WORLD_H_
