// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/signing_keys.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>

#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

using internal::sqs::AwsCredentials;
using internal::sqs::AwsKeys;
using internal::sqs::SigningKeys;
using ::testing::HasSubstr;

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

// Answers as it is told, when it is told. What it is asked waits until then.
class ScriptedSource final : public AwsCredentials {
 public:
  explicit ScriptedSource(ScriptedSource** self) { *self = this; }

  absl::StatusOr<AwsKeys> Get() override {
    absl::MutexLock lock(&mutex_);
    ++asked_;
    const auto may_answer = [this] { return answer_ || closed_; };
    mutex_.Await(absl::Condition(&may_answer));
    if (!answer_) return absl::UnavailableError("closed");
    absl::StatusOr<AwsKeys> answer = *std::move(answer_);
    answer_.reset();
    return answer;
  }
  void Answer(absl::StatusOr<AwsKeys> answer) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(answer);
  }
  // From now on nothing waits.
  void Close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  void AwaitAsked(int times) {
    absl::MutexLock lock(&mutex_);
    const auto is_asked = [&] { return asked_ >= times; };
    mutex_.Await(absl::Condition(&is_asked));
  }
  int asked() const {
    absl::MutexLock lock(&mutex_);
    return asked_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::optional<absl::StatusOr<AwsKeys>> answer_;
  int asked_ = 0;
  bool closed_ = false;
};

AwsKeys Named(const std::string& id, std::optional<absl::Time> expires_at = {}) {
  return {id, "secret", "", expires_at};
}

class SigningKeysTest : public ::testing::Test {
 protected:
  void TearDown() override { source_->Close(); }

  void Advance(absl::Duration by) { now_ = now_.load() + absl::ToInt64Seconds(by); }
  std::future<absl::StatusOr<SigningKeys::Keys>> Get() {
    auto promise = std::make_shared<std::promise<absl::StatusOr<SigningKeys::Keys>>>();
    keys_.Get([promise](absl::StatusOr<SigningKeys::Keys> keys) { promise->set_value(std::move(keys)); });
    return promise->get_future();
  }
  // What Get answers at once.
  std::string Current() {
    auto keys = Get();
    if (keys.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return "not yet";
    return keys.get().value()->access_key_id;
  }
  // Until the thread has taken in what the source was told to answer.
  void AwaitCurrent(const std::string& id) {
    while (Current() != id) std::this_thread::yield();
  }

  std::atomic<int64_t> now_ = 0;  // seconds after kStart
  ScriptedSource* source_ = nullptr;
  SigningKeys keys_{std::make_unique<ScriptedSource>(&source_), [this] { return kStart + absl::Seconds(now_.load()); }};
};

TEST_F(SigningKeysTest, AreAskedForOnceByAllWhoWaitAndThenRemembered) {
  auto first = Get();
  auto second = Get();
  source_->AwaitAsked(1);
  source_->Answer(Named("A"));
  EXPECT_EQ(first.get().value()->access_key_id, "A");
  EXPECT_EQ(second.get().value()->access_key_id, "A");
  EXPECT_EQ(Current(), "A");
  Advance(absl::Hours(10'000));
  EXPECT_EQ(Current(), "A");
  EXPECT_EQ(source_->asked(), 1);
}

TEST_F(SigningKeysTest, AreRenewedAQuarterOfAnHourBeforeTheyExpireWhileTheOldOnesServe) {
  source_->Answer(Named("A", kStart + absl::Hours(1)));
  EXPECT_EQ(Get().get().value()->access_key_id, "A");
  Advance(absl::Minutes(44));
  EXPECT_EQ(Current(), "A");
  EXPECT_EQ(source_->asked(), 1);
  Advance(absl::Minutes(1));
  EXPECT_EQ(Current(), "A");  // which also has the thread look at the clock
  source_->AwaitAsked(2);
  EXPECT_EQ(Current(), "A");
  source_->Answer(Named("B", kStart + absl::Hours(2)));
  AwaitCurrent("B");
  EXPECT_EQ(source_->asked(), 2);
}

TEST_F(SigningKeysTest, AreUsedWhileTheirSourceFailsAsLongAsTheyAreGood) {
  source_->Answer(Named("A", kStart + absl::Hours(1)));
  EXPECT_EQ(Get().get().value()->access_key_id, "A");
  Advance(absl::Minutes(46));
  for (int asked = 2; asked <= 5; ++asked) {
    EXPECT_EQ(Current(), "A");
    source_->AwaitAsked(asked);
    source_->Answer(absl::UnavailableError("down"));
    Advance(absl::Minutes(2));
  }
  Advance(absl::Minutes(59) + absl::Seconds(50) - absl::Seconds(now_.load()));
  auto late = Get();
  source_->Answer(absl::UnavailableError("still down"));
  EXPECT_THAT(late.get(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("down")));
}

TEST_F(SigningKeysTest, ThatWereRefusedAreAskedForAnew) {
  source_->Answer(Named("A"));
  const SigningKeys::Keys refused = Get().get().value();
  keys_.Refuse(refused);
  auto next = Get();
  source_->AwaitAsked(2);
  source_->Answer(Named("B"));
  EXPECT_EQ(next.get().value()->access_key_id, "B");
  keys_.Refuse(refused);  // by an answer that comes late: the others stay
  EXPECT_EQ(Current(), "B");
}

TEST_F(SigningKeysTest, OfASourceThatFailsTheErrorIsAnsweredAndItIsAskedAgain) {
  source_->Answer(absl::UnauthenticatedError("none"));
  EXPECT_THAT(Get().get(), StatusIs(absl::StatusCode::kUnauthenticated));
  source_->Answer(Named("A"));
  EXPECT_EQ(Get().get().value()->access_key_id, "A");
}

TEST_F(SigningKeysTest, ThoseWhoWaitWhenItStopsAreCancelled) {
  auto waiting = Get();
  source_->AwaitAsked(1);
  auto stopped = std::async(std::launch::async, [this] { keys_.Stop(); });
  // Once it stops, an answer comes at once.
  while (Get().wait_for(std::chrono::seconds(0)) != std::future_status::ready) std::this_thread::yield();
  source_->Answer(Named("A"));
  EXPECT_THAT(waiting.get(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(Get().get(), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace northwind::testing
