// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/delivery_record.h"

#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/transaction.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/webhook/endpoint.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;
using ::testing::HasSubstr;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;
// Of 1,700,000,000,000 ms.
constexpr std::string_view kId = "msg_01HF7YAT0000000000000000ZZ";
constexpr absl::StatusCode kOk = absl::StatusCode::kOk;

std::string Hex(std::string_view bytes) { return absl::BytesToHexString(ToAbsl(bytes)); }
absl::Time At(int64_t nanos) { return absl::FromUnixNanos(nanos); }
DeliveryName Name() { return {.merchant_id = "m.1", .endpoint_id = "ep", .message_id = std::string(kId)}; }
DeliveryName LongestName() {
  return {.merchant_id = std::string(kMaxMerchantIdBytes, 'm'),
          .endpoint_id = std::string(kMaxEndpointIdBytes, 'e'),
          .message_id = std::string(kId)};
}

Message SampleMessage() {
  return {.id = std::string(kId),
          .merchant_id = "m.1",
          .type = "a.b",
          .sequence = Sequence(300),
          .created_at = absl::FromUnixMillis(1'700'000'000'000),
          .body = "{}"};
}

WebhookDelivery SampleDelivery() {
  return {.name = Name(),
          .type = "a.b",
          .sequence = Sequence(300),
          .created_at = absl::FromUnixMillis(1'700'000'000'000),
          .state = DeliveryState::kDelivered,
          .attempts = 2,
          .last_attempt_at = At(128),
          .last_failure = AttemptFailure::kStatus,
          .last_status = 503,
          .delivered_at = At(127)};
}

WebhookAttempt SampleAttempt() {
  return {.delivery = Name(),
          .type = "a.b",
          .number = 3,
          .trigger = AttemptTrigger::kResend,
          .at = At(128),
          .endpoint_version = 7,
          .failure = AttemptFailure::kThrottled,
          .status = 429,
          .message = "too many",
          .retry_at = At(5),
          .response_body = "no",
          .response_truncated = true,
          .remote_address = "[::1]:443",
          .reused_connection = true,
          .dns = absl::Nanoseconds(1),
          .connect = absl::Nanoseconds(2),
          .tls = absl::Nanoseconds(3),
          .first_byte = absl::Nanoseconds(4),
          .total = absl::Nanoseconds(128)};
}

RecoveryRecord SampleRecovery() {
  return {.state = RecoveryState::kDone,
          .since = At(1),
          .until = At(128),
          .reached = std::string(kId),
          .recovered = 300,
          .per_second = 100};
}

DeliveryTask SampleTask() {
  return {.name = Name(), .trigger = AttemptTrigger::kTest, .timeout = absl::Milliseconds(300)};
}

// A kind of record: bytes of it, and what reading them and writing what was read gives.
struct Kind {
  const char* what;
  std::vector<std::string> samples;
  std::function<absl::StatusOr<std::string>(std::string_view)> again;
};

template <typename T, typename Encode>
absl::StatusOr<std::string> Again(const absl::StatusOr<T>& decoded, const Encode& encode) {
  if (!decoded.ok()) return decoded.status();
  return encode(*decoded);
}

std::vector<Kind> Kinds() {
  WebhookDelivery fresh = SampleDelivery();
  fresh.state = DeliveryState::kPending;
  fresh.attempts = 0;
  WebhookDelivery dead = SampleDelivery();
  dead.state = DeliveryState::kDead;
  WebhookAttempt plain = SampleAttempt();
  plain.failure = AttemptFailure::kNone;
  plain.message.clear();
  plain.retry_at = absl::InfinitePast();
  RecoveryRecord begun = SampleRecovery();
  begun.since = absl::InfinitePast();
  begun.reached.clear();
  return {
      {"message",
       {EncodeMessage(SampleMessage())},
       [](std::string_view bytes) { return Again(DecodeMessage("m.1", kId, bytes), EncodeMessage); }},
      {"delivery",
       {EncodeDelivery(SampleDelivery()), EncodeDelivery(fresh), EncodeDelivery(dead)},
       [](std::string_view bytes) { return Again(DecodeDelivery(Name(), bytes), EncodeDelivery); }},
      {"attempt",
       {EncodeAttempt(SampleAttempt()), EncodeAttempt(plain)},
       [](std::string_view bytes) { return Again(DecodeAttempt(Name(), 3, bytes), EncodeAttempt); }},
      {"line",
       {EncodeAttemptLine({.failure = AttemptFailure::kStatus, .status = 500, .type = "a.b"})},
       [](std::string_view bytes) { return Again(DecodeAttemptLine(Name(), bytes), EncodeAttemptLine); }},
      {"failing",
       {EncodeFailing({.endpoint_version = 300, .since = At(128)})},
       [](std::string_view bytes) { return Again(DecodeFailing("m.1", "ep", bytes), EncodeFailing); }},
      {"recovery",
       {EncodeRecovery(SampleRecovery()), EncodeRecovery(begun)},
       [](std::string_view bytes) { return Again(DecodeRecovery("m.1", "ep", bytes), EncodeRecovery); }},
      {"task",
       {EncodeDeliveryTask(SampleTask())},
       [](std::string_view bytes) { return Again(DecodeDeliveryTask(bytes), EncodeDeliveryTask); }},
  };
}

// ---- What is on disk ------------------------------------------------------------------------------------------------

TEST(DeliveryRecord, GoldenKeys) {
  const std::string id(kId);
  EXPECT_EQ(kWebhookQueue, "nw/webhook");
  EXPECT_EQ(kWebhookNowQueue, "nw/webhook/now");
  EXPECT_EQ(kWebhookCursorKey, "nw/webhook/cursor");
  EXPECT_EQ(MessagePrefix("m.1"), "nw/webhook/message/m.1/");
  EXPECT_EQ(MessageKey("m.1", kId), "nw/webhook/message/m.1/" + id);
  EXPECT_EQ(DeliveryPrefix("m.1"), "nw/webhook/delivery/m.1/");
  EXPECT_EQ(DeliveryPrefix("m.1", kId), "nw/webhook/delivery/m.1/" + id + "/");
  EXPECT_EQ(DeliveryKey(Name()), "nw/webhook/delivery/m.1/" + id + "/ep");
  EXPECT_EQ(AttemptPrefix("m.1", kId), "nw/webhook/attempt/m.1/" + id + "/");
  EXPECT_EQ(AttemptPrefix(Name()), "nw/webhook/attempt/m.1/" + id + "/ep/");
  EXPECT_EQ(AttemptKey(Name(), 0x01020304), "nw/webhook/attempt/m.1/" + id + "/ep/\x01\x02\x03\x04");
  EXPECT_EQ(TimePrefix("m.1"), "nw/webhook/time/m.1/");
  EXPECT_EQ(TimeKey(Name(), At(0x0102030405060708), 0x01020304),
            "nw/webhook/time/m.1/\x01\x02\x03\x04\x05\x06\x07\x08" + id + "/ep/\x01\x02\x03\x04");
  EXPECT_EQ(FailingKey("m.1", "ep"), "nw/webhook/failing/m.1/ep");
  EXPECT_EQ(RecoveryKey("m.1", "ep"), "nw/webhook/recovery/m.1/ep");
  EXPECT_EQ(DeliveryTaskId(Name()), "w/m.1/ep/01HF7YAT0000000000000000ZZ");
  EXPECT_EQ(ResendTaskId(Name()), "r/m.1/ep/01HF7YAT0000000000000000ZZ");
  EXPECT_EQ(EndpointTaskKey("m.1", "ep"), "m.1/ep");
}

TEST(DeliveryRecord, GoldenBytesOfAMessage) {
  EXPECT_EQ(Hex(EncodeMessage(SampleMessage())),
            "01"        // format
            "ac02"      // sequence
            "03612e62"  // type
            "027b7d");  // body
}

TEST(DeliveryRecord, GoldenBytesOfADelivery) {
  WebhookDelivery delivery = SampleDelivery();
  EXPECT_EQ(Hex(EncodeDelivery(delivery)),
            "01"        // format
            "02"        // delivered
            "ac02"      // sequence
            "03612e62"  // type
            "02"        // attempts
            "8001"      // the last one: when
            "20"        // its failure
            "f703"      // its status
            "7f");      // delivered at
  delivery.state = DeliveryState::kPending;
  delivery.attempts = 0;
  EXPECT_EQ(Hex(EncodeDelivery(delivery)), "0101ac0203612e6200");
  delivery.state = DeliveryState::kDead;
  delivery.attempts = 1;
  EXPECT_EQ(Hex(EncodeDelivery(delivery)), "0103ac0203612e6201800120f703");
}

TEST(DeliveryRecord, GoldenBytesOfAnAttempt) {
  EXPECT_EQ(Hex(EncodeAttempt(SampleAttempt())),
            "01"                    // format
            "02"                    // by a re-send
            "23"                    // throttled
            "ad03"                  // status
            "8001"                  // when
            "03612e62"              // type
            "07"                    // the endpoint's version
            "08746f6f206d616e79"    // why
            "05"                    // retry at
            "026e6f"                // response
            "03"                    // truncated, over a connection that was there
            "095b3a3a315d3a343433"  // address
            "01"
            "02"
            "03"
            "04"
            "8001");  // phases
  EXPECT_EQ(Hex(EncodeAttempt({.delivery = Name(), .type = "a.b", .at = At(128), .status = 200})),
            "010100c801800103612e62000000000000"
            "0000000000");
}

TEST(DeliveryRecord, GoldenBytesOfALineAFailingRecordARecoveryAndATask) {
  EXPECT_EQ(Hex(EncodeAttemptLine({.failure = AttemptFailure::kStatus, .status = 500, .type = "a.b"})),
            "0120f40303612e62");
  EXPECT_EQ(Hex(EncodeFailing({.endpoint_version = 300, .since = At(128)})), "01ac028001");
  EXPECT_EQ(Hex(EncodeFailing({.endpoint_version = 300, .since = absl::InfinitePast()})), "01ac0200");
  EXPECT_EQ(Hex(EncodeRecovery(SampleRecovery())),
            "01"
            "02"                                                          // done
            "01"                                                          // since
            "8001"                                                        // until
            "1e6d73675f303148463759415430303030303030303030303030303030"  // reached
            "5a5a"
            "ac02"  // recovered
            "64");  // per second
  EXPECT_EQ(Hex(EncodeDeliveryTask(SampleTask())),
            "01"
            "03"                                                          // a test
            "036d2e31"                                                    // merchant
            "026570"                                                      // endpoint
            "1e6d73675f303148463759415430303030303030303030303030303030"  // message
            "5a5a"
            "ac02");  // timeout
}

TEST(DeliveryRecord, PersistedValuesArePinned) {
  EXPECT_EQ(static_cast<int>(DeliveryState::kPending), 1);
  EXPECT_EQ(static_cast<int>(DeliveryState::kDelivered), 2);
  EXPECT_EQ(static_cast<int>(DeliveryState::kDead), 3);
  EXPECT_EQ(static_cast<int>(DeliveryState::kCanceled), 4);
  EXPECT_EQ(static_cast<int>(AttemptTrigger::kSchedule), 1);
  EXPECT_EQ(static_cast<int>(AttemptTrigger::kResend), 2);
  EXPECT_EQ(static_cast<int>(AttemptTrigger::kTest), 3);
  EXPECT_EQ(static_cast<int>(RecoveryState::kRunning), 1);
  EXPECT_EQ(static_cast<int>(RecoveryState::kDone), 2);
  EXPECT_EQ(static_cast<int>(RecoveryState::kCanceled), 3);
  using F = AttemptFailure;
  const std::vector<F> failures = {
      F::kNone, F::kInvalidUrl, F::kInvalidRequest, F::kDns,     F::kBlockedAddress,  F::kBlockedPort, F::kConnect,
      F::kTls,  F::kTimeout,    F::kSend,           F::kReceive, F::kHeadersTooLarge, F::kAborted,     F::kInternal};
  for (size_t i = 0; i < failures.size(); ++i) EXPECT_EQ(static_cast<size_t>(failures[i]), i);
  const std::vector<F> answers = {F::kStatus, F::kRedirect, F::kGone, F::kThrottled, F::kUnknown, F::kDisabled};
  for (size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(static_cast<size_t>(answers[i]), 32 + i);
}

TEST(DeliveryRecord, TheLongestNamesFitKeysAndTasks) {
  const DeliveryName name = LongestName();
  EXPECT_LE(MessageKey(name.merchant_id, name.message_id).size(), kMaxHostKeyBytes);
  EXPECT_LE(DeliveryKey(name).size(), kMaxHostKeyBytes);
  EXPECT_LE(AttemptKey(name, 1).size(), kMaxHostKeyBytes);
  EXPECT_LE(TimeKey(name, At(1), 1).size(), kMaxHostKeyBytes);
  EXPECT_LE(FailingKey(name.merchant_id, name.endpoint_id).size(), kMaxHostKeyBytes);
  EXPECT_LE(RecoveryKey(name.merchant_id, name.endpoint_id).size(), kMaxHostKeyBytes);
  EXPECT_LE(DeliveryTaskId(name).size(), kMaxTaskIdBytes);
  EXPECT_LE(ResendTaskId(name).size(), kMaxTaskIdBytes);
  EXPECT_LE(EndpointTaskKey(name.merchant_id, name.endpoint_id).size(), kMaxTaskKeyBytes);
}

// ---- Keys -----------------------------------------------------------------------------------------------------------

TEST(DeliveryRecord, KeysSayWhatTheyAreOf) {
  for (const DeliveryName& name : {Name(), LongestName()}) {
    // Numbers and times whose bytes look like the signs between names.
    for (const uint32_t number : {1U, 0x2f2f2f2fU, 0xffffffffU}) {
      const absl::Time at = At(0x2f2f2f2f2f2f2f2f);
      EXPECT_EQ(ParseMessageKey(MessageKey(name.merchant_id, name.message_id)),
                std::pair(name.merchant_id, name.message_id));
      const auto delivery = ParseDeliveryKey(DeliveryKey(name));
      ASSERT_TRUE(delivery.has_value());
      EXPECT_EQ(delivery->name, name);
      const auto attempt = ParseAttemptKey(AttemptKey(name, number));
      ASSERT_TRUE(attempt.has_value());
      EXPECT_EQ(attempt->name, name);
      EXPECT_EQ(attempt->number, number);
      const auto line = ParseTimeKey(TimeKey(name, at, number));
      ASSERT_TRUE(line.has_value());
      EXPECT_EQ(line->name, name);
      EXPECT_EQ(line->number, number);
      EXPECT_EQ(line->at, at);
      EXPECT_EQ(ParseDeliveryTaskId(DeliveryTaskId(name)), name);
      EXPECT_EQ(ParseDeliveryTaskId(ResendTaskId(name)), name);
    }
  }
}

TEST(DeliveryRecord, AChangedKeyIsRefusedOrIsAnother) {
  const auto check = [](const std::string& key, const auto& parse, const auto& make) {
    const auto survives = [&](const std::string& changed) {
      if (const auto names = parse(changed)) {
        EXPECT_EQ(make(*names), changed);
      }
    };
    for (size_t n = 0; n < key.size(); ++n) {
      survives(key.substr(0, n));
      for (int bit = 0; bit < 8; ++bit) {
        std::string changed = key;
        changed[n] = static_cast<char>(changed[n] ^ (1 << bit));
        survives(changed);
      }
    }
    survives(key + "/");
    survives(key + "x");
  };
  using Names = WebhookKeyNames;
  check(MessageKey("m.1", kId), ParseMessageKey, [](const auto& n) { return MessageKey(n.first, n.second); });
  check(DeliveryKey(Name()), ParseDeliveryKey, [](const Names& n) { return DeliveryKey(n.name); });
  check(AttemptKey(Name(), 9), ParseAttemptKey, [](const Names& n) { return AttemptKey(n.name, n.number); });
  check(TimeKey(Name(), At(9), 9), ParseTimeKey, [](const Names& n) { return TimeKey(n.name, n.at, n.number); });
  check(DeliveryTaskId(Name()), ParseDeliveryTaskId, DeliveryTaskId);
}

TEST(DeliveryRecord, WhatIsNoKeyIsRefused) {
  const std::string id(kId);
  for (const std::string& bad :
       {std::string(), std::string("nw/webhook/delivery/"), "nw/webhook/delivery/m/" + id,
        "nw/webhook/delivery/m/" + id + "/", "nw/webhook/delivery//" + id + "/e", "nw/webhook/delivery/m/" + id + "/e/",
        "nw/webhook/delivery/m/" + id + "/e.f", "nw/webhook/delivery/m/" + id.substr(1) + "/e",
        "nw/webhook/delivery/m/" + id + "0/e", "nw/webhook/message/m/" + id + "/e"}) {
    EXPECT_FALSE(ParseDeliveryKey(bad).has_value()) << bad;
  }
  EXPECT_FALSE(ParseAttemptKey(AttemptKey(Name(), 0)).has_value()) << "attempts count from 1";
  std::string late = TimeKey(Name(), At(1), 1);
  late[TimePrefix("m.1").size()] = '\x80';
  EXPECT_FALSE(ParseTimeKey(late).has_value()) << "a time after 2262";
  for (const char* bad : {"", "w/", "w/m/e", "x/m/e/01HF7YAT0000000000000000ZZ", "w/m/e/01HF7YAT0000000000000000Z",
                          "w/m/e/f/01HF7YAT0000000000000000ZZ", "w/m//01HF7YAT0000000000000000ZZ"}) {
    EXPECT_FALSE(ParseDeliveryTaskId(bad).has_value()) << bad;
  }
}

TEST(DeliveryRecord, AMessageIdIsAUlidInUpperCase) {
  EXPECT_TRUE(MessageTime(kId));
  EXPECT_TRUE(MessageTime("msg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
  for (const char* bad :
       {"", "msg_", "msg_8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "msg_01HF7YAT0000000000000000ZI",
        "msg_01HF7YAT0000000000000000ZL", "msg_01HF7YAT0000000000000000ZO", "msg_01HF7YAT0000000000000000ZU",
        "msg_01HF7YAT0000000000000000Zz", "MSG_01HF7YAT0000000000000000ZZ", "msg_01HF7YAT0000000000000000ZZ0"}) {
    EXPECT_FALSE(MessageTime(bad)) << bad;
  }
}

TEST(DeliveryRecord, TheFirstIdFromATimeIsNotBeforeIt) {
  const absl::Time at = absl::FromUnixMillis(1'700'000'000'000);
  EXPECT_EQ(FirstMessageIdFrom(at), "msg_01HF7YAT000000000000000000");
  EXPECT_EQ(FirstMessageIdFrom(at + absl::Nanoseconds(1)), "msg_01HF7YAT010000000000000000");
  EXPECT_EQ(FirstMessageIdFrom(at - absl::Nanoseconds(1)), "msg_01HF7YAT000000000000000000");
  EXPECT_EQ(FirstMessageIdFrom(absl::InfinitePast()), "msg_00000000000000000000000000");
  EXPECT_EQ(FirstMessageIdFrom(absl::UnixEpoch() - absl::Nanoseconds(1)), "msg_00000000000000000000000000");
  EXPECT_EQ(FirstMessageIdFrom(absl::FromUnixMillis((int64_t{1} << 48) - 1)), "msg_7ZZZZZZZZZ0000000000000000");
  EXPECT_GT(FirstMessageIdFrom(absl::FromUnixMillis(int64_t{1} << 48)), "msg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  EXPECT_GT(FirstMessageIdFrom(absl::InfiniteFuture()), "msg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

TEST(DeliveryRecord, KeysOfAMerchantAreInTheOrderOfTime) {
  DeliveryName later = Name();
  later.message_id = "msg_01HF7YAT01000000000000ZZZZ";
  EXPECT_LT(DeliveryKey(Name()), DeliveryKey(later));
  EXPECT_LT(TimeKey(later, At(255), 9), TimeKey(Name(), At(256), 1));
  EXPECT_LT(AttemptKey(Name(), 255), AttemptKey(Name(), 256));
}

// ---- Round trips ----------------------------------------------------------------------------------------------------

TEST(DeliveryRecord, WhatIsWrittenIsRead) {
  const auto message = DecodeMessage("m.1", kId, EncodeMessage(SampleMessage()));
  ASSERT_THAT(message, IsOk());
  EXPECT_EQ(*message, SampleMessage());

  const auto delivery = DecodeDelivery(Name(), EncodeDelivery(SampleDelivery()));
  ASSERT_THAT(delivery, IsOk());
  const WebhookDelivery written = SampleDelivery();
  EXPECT_EQ(delivery->name, written.name);
  EXPECT_EQ(delivery->type, written.type);
  EXPECT_EQ(delivery->sequence, written.sequence);
  EXPECT_EQ(delivery->created_at, written.created_at);
  EXPECT_EQ(delivery->state, written.state);
  EXPECT_EQ(delivery->attempts, written.attempts);
  EXPECT_EQ(delivery->last_attempt_at, written.last_attempt_at);
  EXPECT_EQ(delivery->last_failure, written.last_failure);
  EXPECT_EQ(delivery->last_status, written.last_status);
  EXPECT_EQ(delivery->delivered_at, written.delivered_at);

  const auto attempt = DecodeAttempt(Name(), 3, EncodeAttempt(SampleAttempt()));
  ASSERT_THAT(attempt, IsOk());
  const WebhookAttempt made = SampleAttempt();
  EXPECT_EQ(attempt->delivery, made.delivery);
  EXPECT_EQ(attempt->type, made.type);
  EXPECT_EQ(attempt->number, made.number);
  EXPECT_EQ(attempt->trigger, made.trigger);
  EXPECT_EQ(attempt->at, made.at);
  EXPECT_EQ(attempt->endpoint_version, made.endpoint_version);
  EXPECT_EQ(attempt->failure, made.failure);
  EXPECT_EQ(attempt->status, made.status);
  EXPECT_EQ(attempt->message, made.message);
  EXPECT_EQ(attempt->retry_at, made.retry_at);
  EXPECT_EQ(attempt->response_body, made.response_body);
  EXPECT_EQ(attempt->response_truncated, made.response_truncated);
  EXPECT_EQ(attempt->remote_address, made.remote_address);
  EXPECT_EQ(attempt->reused_connection, made.reused_connection);
  EXPECT_EQ(attempt->dns, made.dns);
  EXPECT_EQ(attempt->connect, made.connect);
  EXPECT_EQ(attempt->tls, made.tls);
  EXPECT_EQ(attempt->first_byte, made.first_byte);
  EXPECT_EQ(attempt->total, made.total);

  const auto recovery = DecodeRecovery("m.1", "ep", EncodeRecovery(SampleRecovery()));
  ASSERT_THAT(recovery, IsOk());
  EXPECT_EQ(recovery->state, RecoveryState::kDone);
  EXPECT_EQ(recovery->since, At(1));
  EXPECT_EQ(recovery->until, At(128));
  EXPECT_EQ(recovery->reached, kId);
  EXPECT_EQ(recovery->recovered, 300U);
  EXPECT_EQ(recovery->per_second, 100U);

  const auto task = DecodeDeliveryTask(EncodeDeliveryTask(SampleTask()));
  ASSERT_THAT(task, IsOk());
  EXPECT_EQ(task->name, Name());
  EXPECT_EQ(task->trigger, AttemptTrigger::kTest);
  EXPECT_EQ(task->timeout, absl::Milliseconds(300));

  const auto failing = DecodeFailing("m.1", "ep", EncodeFailing({.endpoint_version = 300, .since = At(128)}));
  ASSERT_THAT(failing, IsOk());
  EXPECT_EQ(failing->endpoint_version, 300U);
  EXPECT_EQ(failing->since, At(128));
  const auto recovered =
      DecodeFailing("m.1", "ep", EncodeFailing({.endpoint_version = 300, .since = absl::InfinitePast()}));
  ASSERT_THAT(recovered, IsOk());
  EXPECT_EQ(recovered->since, absl::InfinitePast());
}

TEST(DeliveryRecord, AnEndpointThatWorksAgainHasNotBeenFailingSinceAnyTime) {
  const std::string bytes = EncodeFailing({.endpoint_version = 3, .since = absl::InfinitePast()});
  EXPECT_EQ(Hex(bytes), "010300");
  const auto failing = DecodeFailing("m.1", "ep", bytes);
  ASSERT_THAT(failing, IsOk());
  EXPECT_EQ(failing->since, absl::InfinitePast());
}

TEST(DeliveryRecord, WhatIsNotThereIsReadAsNothing) {
  WebhookAttempt attempt = SampleAttempt();
  attempt.retry_at = absl::InfinitePast();
  EXPECT_EQ(DecodeAttempt(Name(), 3, EncodeAttempt(attempt))->retry_at, absl::InfinitePast());
  RecoveryRecord recovery = SampleRecovery();
  recovery.since = absl::InfinitePast();
  recovery.reached.clear();
  EXPECT_EQ(DecodeRecovery("m", "e", EncodeRecovery(recovery))->since, absl::InfinitePast());
  EXPECT_EQ(DecodeRecovery("m", "e", EncodeRecovery(recovery))->reached, "");
  WebhookDelivery delivery = SampleDelivery();
  delivery.state = DeliveryState::kPending;
  delivery.attempts = 0;
  const auto read = DecodeDelivery(Name(), EncodeDelivery(delivery));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->last_attempt_at, absl::InfinitePast());
  EXPECT_EQ(read->last_failure, AttemptFailure::kNone);
  EXPECT_EQ(read->last_status, 0);
  EXPECT_EQ(read->delivered_at, absl::InfinitePast());
}

TEST(DeliveryRecord, WhatTheWorldOverdoesIsCut) {
  WebhookAttempt attempt = SampleAttempt();
  attempt.message.assign(kMaxAttemptMessageBytes + 1, 'm');
  attempt.response_body.assign(kMaxKeptResponseBytes + 1, 'b');
  attempt.response_truncated = false;
  attempt.remote_address.assign(kMaxRemoteAddressBytes + 1, 'a');
  attempt.status = 1000;
  attempt.at = absl::InfiniteFuture();
  attempt.dns = -absl::Seconds(1);
  attempt.total = absl::InfiniteDuration();
  const auto read = DecodeAttempt(Name(), 3, EncodeAttempt(attempt));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->message.size(), kMaxAttemptMessageBytes);
  EXPECT_EQ(read->response_body.size(), kMaxKeptResponseBytes);
  EXPECT_TRUE(read->response_truncated);
  EXPECT_EQ(read->remote_address.size(), kMaxRemoteAddressBytes);
  EXPECT_EQ(read->status, 999);
  EXPECT_EQ(read->at, At(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(read->dns, absl::ZeroDuration());
  EXPECT_EQ(read->total, absl::Nanoseconds(std::numeric_limits<int64_t>::max()));

  attempt.at = absl::UnixEpoch() - absl::Hours(1);
  EXPECT_EQ(DecodeAttempt(Name(), 3, EncodeAttempt(attempt))->at, At(1));
  EXPECT_EQ(ParseTimeKey(TimeKey(Name(), attempt.at, 1))->at, At(1));
  DeliveryTask task = SampleTask();
  task.timeout = absl::InfiniteDuration();
  EXPECT_EQ(DecodeDeliveryTask(EncodeDeliveryTask(task))->timeout, kMaxWebhookTimeout);
}

// ---- Damage ---------------------------------------------------------------------------------------------------------

TEST(DeliveryRecord, EveryTruncationAndEveryByteTooManyIsSeen) {
  for (const Kind& kind : Kinds()) {
    for (const std::string& whole : kind.samples) {
      EXPECT_THAT(kind.again(whole), ::northwind::testing::IsOkAndHolds(whole)) << kind.what;
      for (size_t n = 0; n < whole.size(); ++n) {
        EXPECT_THAT(kind.again(whole.substr(0, n)), StatusIs(kDamaged)) << kind.what << " " << n;
      }
      EXPECT_THAT(kind.again(whole + "x"), StatusIs(kDamaged)) << kind.what;
      EXPECT_THAT(kind.again(whole + std::string(1, '\0')), StatusIs(kDamaged)) << kind.what;
    }
  }
}

TEST(DeliveryRecord, EveryFlippedBitIsSeenOrMakesAnotherRecord) {
  for (const Kind& kind : Kinds()) {
    for (const std::string& whole : kind.samples) {
      for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string changed = whole;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        const absl::StatusOr<std::string> again = kind.again(changed);
        if (again.ok()) {
          EXPECT_EQ(Hex(*again), Hex(changed)) << kind.what;
        } else {
          EXPECT_THAT(again, StatusIs(kDamaged)) << kind.what << " bit " << bit;
        }
      }
    }
  }
}

TEST(DeliveryRecord, ManyRandomChangesAreSeenOrMakeAnotherRecord) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  const std::vector<Kind> kinds = Kinds();
  for (uint64_t i = TestOps(20'000); i > 0; --i) {
    const Kind& kind = random.Pick(kinds);
    std::string bytes = random.Pick(kind.samples);
    for (uint64_t changes = 1 + random.Below(4); changes > 0; --changes) {
      const size_t at = random.Below(bytes.size());
      if (random.OneIn(4)) {
        bytes.insert(at, 1, static_cast<char>(random.Next()));
      } else if (random.OneIn(3) && bytes.size() > 1) {
        bytes.erase(at, 1);
      } else {
        bytes[at] = static_cast<char>(random.Next());
      }
    }
    const absl::StatusOr<std::string> again = kind.again(bytes);
    ASSERT_TRUE(again.ok() ? *again == bytes : absl::IsDataLoss(again.status()))
        << kind.what << " " << Hex(bytes) << ", seed " << seed;
  }
}

TEST(DeliveryRecord, ValuesOutOfRangeAreSeen) {
  const auto code = [](const absl::StatusOr<std::string>& again) { return again.status().code(); };
  std::vector<Kind> kinds = Kinds();
  const auto with = [&](size_t kind, size_t sample, size_t place, int value) {
    std::string bytes = kinds[kind].samples[sample];
    bytes[place] = static_cast<char>(value);
    return code(kinds[kind].again(bytes));
  };
  for (size_t kind = 0; kind < kinds.size(); ++kind) {
    EXPECT_EQ(with(kind, 0, 0, 1), kOk);
    EXPECT_EQ(with(kind, 0, 0, 2), kDamaged) << "format of " << kinds[kind].what;
    EXPECT_EQ(with(kind, 0, 0, 0), kDamaged) << "format of " << kinds[kind].what;
  }
  EXPECT_EQ(with(1, 2, 1, 0), kDamaged) << "state";
  EXPECT_EQ(with(1, 2, 1, 4), kOk);
  EXPECT_EQ(with(1, 2, 1, 5), kDamaged) << "state";
  EXPECT_EQ(with(2, 0, 1, 0), kDamaged) << "trigger";
  EXPECT_EQ(with(2, 0, 1, 4), kDamaged) << "trigger";
  EXPECT_EQ(with(2, 0, 2, 13), kOk);
  EXPECT_EQ(with(2, 0, 2, 14), kDamaged) << "failure";
  EXPECT_EQ(with(2, 0, 2, 31), kDamaged) << "failure";
  EXPECT_EQ(with(2, 0, 2, 37), kOk);
  EXPECT_EQ(with(2, 0, 2, 38), kDamaged) << "failure";
  EXPECT_EQ(with(3, 0, 3, 6), kOk) << "status 884";
  EXPECT_EQ(with(3, 0, 3, 7), kDamaged) << "status 1012";
  EXPECT_EQ(with(5, 0, 1, 4), kDamaged) << "state of a recovery";
  EXPECT_EQ(with(6, 0, 1, 4), kDamaged) << "trigger of a task";
}

TEST(DeliveryRecord, WhatNoRecordCanHoldIsDamage) {
  const auto from = [](std::string_view hex) { return absl::HexStringToBytes(ToAbsl(hex)); };
  EXPECT_THAT(DecodeMessage("m", kId,
                            from("0100"
                                 "0141"
                                 "00")),
              StatusIs(kDamaged))
      << "no type has capitals";
  EXPECT_THAT(DecodeMessage("m", kId,
                            from("0100"
                                 "00"
                                 "00")),
              StatusIs(kDamaged))
      << "no type";
  EXPECT_THAT(DecodeMessage("m", kId,
                            from("0100"
                                 "0161"
                                 "00")),
              IsOk());
  EXPECT_THAT(DecodeMessage("m", "msg_1",
                            from("0100"
                                 "0161"
                                 "00")),
              StatusIs(kDamaged))
      << "id";
  EXPECT_THAT(DecodeDelivery(Name(), from("0101"
                                          "00"
                                          "0161"
                                          "01"
                                          "00"
                                          "00"
                                          "00")),
              StatusIs(kDamaged))
      << "an attempt has a time";
  EXPECT_THAT(DecodeDelivery(Name(), from("0102"
                                          "00"
                                          "0161"
                                          "00"
                                          "00")),
              StatusIs(kDamaged))
      << "what was delivered has a time";
  EXPECT_THAT(DecodeDelivery(Name(), from("0101"
                                          "00"
                                          "0161"
                                          "ffffffff1f")),
              StatusIs(kDamaged))
      << "attempts";
  EXPECT_THAT(DecodeFailing("m", "e",
                            from("0101"
                                 "ffffffffffffffffff01")),
              StatusIs(kDamaged))
      << "after 2262";
  const std::string body(kMaxMessageBodyBytes, 'x');
  Message large = SampleMessage();
  large.body = body;
  EXPECT_THAT(DecodeMessage("m", kId, EncodeMessage(large)), IsOk());
  std::string larger = from("01000161");
  PutBytes(larger, body + "x");
  EXPECT_THAT(DecodeMessage("m", kId, larger), StatusIs(kDamaged));
}

TEST(DeliveryRecord, DamageNamesMerchantMessageAndEndpoint) {
  EXPECT_THAT(DecodeDelivery(Name(), ""), StatusIs(kDamaged, HasSubstr("m.1/" + std::string(kId) + "/ep")));
  EXPECT_THAT(DecodeMessage("m.1", kId, ""), StatusIs(kDamaged, HasSubstr("m.1/" + std::string(kId))));
  EXPECT_THAT(DecodeRecovery("m.1", "ep", ""), StatusIs(kDamaged, HasSubstr("m.1/ep")));
  EXPECT_THAT(DecodeMessage("m\n", kId, ""), StatusIs(kDamaged, HasSubstr("m\\n/")));
}

}  // namespace
}  // namespace northwind::internal
