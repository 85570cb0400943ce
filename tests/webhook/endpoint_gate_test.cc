// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/endpoint_gate.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/numeric/int128.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::Random;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;

using State = Breaker::State;
using Attempt = Breaker::Attempt;

// ---- TokenBucket --------------------------------------------------------------------------------------------

std::vector<absl::Duration> TakeMany(TokenBucket& bucket, absl::Duration now, int count) {
  std::vector<absl::Duration> times;
  for (int i = 0; i < count; ++i) times.push_back(bucket.Take(now));
  return times;
}

TEST(TokenBucket, IsFullAtFirstAndThenGivesCredit) {
  TokenBucket bucket(2, 3);
  const absl::Duration now = absl::Hours(5);
  EXPECT_EQ(TakeMany(bucket, now, 5),
            (std::vector<absl::Duration>{now, now, now, now + absl::Milliseconds(500), now + absl::Seconds(1)}));
}

TEST(TokenBucket, FillsUpWithTimeButNoFurther) {
  TokenBucket bucket(2, 3);
  TakeMany(bucket, absl::ZeroDuration(), 3);
  absl::Duration now = absl::Seconds(1);  // two have come in
  EXPECT_EQ(TakeMany(bucket, now, 3), (std::vector<absl::Duration>{now, now, now + absl::Milliseconds(500)}));
  for (const absl::Duration idle : {absl::Seconds(2), absl::Hours(24 * 365 * 100)}) {
    now += absl::Seconds(1) + idle;
    EXPECT_EQ(TakeMany(bucket, now, 4), (std::vector<absl::Duration>{now, now, now, now + absl::Milliseconds(500)}));
  }
}

TEST(TokenBucket, IsNeverFasterThanARateThatIsNoWholeNumberOfNanoseconds) {
  TokenBucket bucket(3, 1);
  std::vector<absl::Duration> times = TakeMany(bucket, absl::ZeroDuration(), 4);
  EXPECT_EQ(times[1], absl::Nanoseconds(333'333'334));
  EXPECT_EQ(times[3], absl::Nanoseconds(1'000'000'002)) << "four in a closed second would be one too many";
}

TEST(TokenBucket, KnowsTheSlowestAndTheFastestRates) {
  TokenBucket slow(0.01, 100'000);
  EXPECT_EQ(TakeMany(slow, absl::ZeroDuration(), 100'001).back(), absl::Seconds(100));
  TokenBucket fast(100'000, 1);
  EXPECT_EQ(TakeMany(fast, absl::ZeroDuration(), 100'001).back(), absl::Seconds(1));
}

TEST(TokenBucket, WithoutARateNothingWaits) {
  TokenBucket bucket(0, 1);
  for (const absl::Duration now : {absl::ZeroDuration(), absl::Hours(1)}) {
    for (const absl::Duration time : TakeMany(bucket, now, 1000)) EXPECT_EQ(time, now);
  }
}

TEST(TokenBucket, WhatWasTakenOnCreditStaysOwedAtAnotherRate) {
  for (const double rate : {10.0, 1.0, 0.1}) {
    TokenBucket bucket(1, 1);
    const absl::Duration last = TakeMany(bucket, absl::ZeroDuration(), 4).back();
    EXPECT_EQ(last, absl::Seconds(3));
    bucket.Change(rate, 5);
    const absl::Duration interval = absl::Seconds(1) / rate;
    EXPECT_EQ(bucket.Take(absl::Seconds(1)), last + interval) << rate;
    EXPECT_EQ(bucket.Take(absl::Seconds(1)), last + 2 * interval) << rate;
  }
}

TEST(TokenBucket, NothingIsOwedToARateThatIsNoMore) {
  TokenBucket bucket(0.01, 1);
  TakeMany(bucket, absl::ZeroDuration(), 100);
  bucket.Change(0, 1);
  EXPECT_EQ(bucket.Take(absl::Seconds(1)), absl::Seconds(1));
}

TEST(TokenBucket, TimesWithoutEndDoNotWrap) {
  TokenBucket bucket(0.01, 100'000);
  EXPECT_EQ(bucket.Take(absl::InfiniteDuration()), absl::InfiniteDuration());
  EXPECT_EQ(bucket.Take(absl::InfiniteDuration()), absl::InfiniteDuration());
}

// Starts and what may be known of them from the bound alone, by going through all of them.
class BucketOracle {
 public:
  BucketOracle(int64_t thousandths, int64_t burst) : thousandths_(thousandths), burst_(burst) {}

  // Whether one at `time` would be one too many in some window: from start number j on, up to `time`.
  bool TooMany(int64_t time) const {
    for (size_t j = 0; j < starts_.size(); ++j) {
      const int64_t in_window = static_cast<int64_t>(starts_.size() - j) + 1;
      // in_window > burst + window × rate, in 1 / 10^12 of a token
      if (absl::int128(in_window - burst_) * 1'000'000'000'000 > absl::int128(time - starts_[j]) * thousandths_) {
        return true;
      }
    }
    return false;
  }
  void Add(int64_t time) { starts_.push_back(time); }
  int64_t last() const { return starts_.empty() ? std::numeric_limits<int64_t>::min() : starts_.back(); }
  size_t size() const { return starts_.size(); }

 private:
  const int64_t thousandths_;
  const int64_t burst_;
  std::vector<int64_t> starts_;
};

TEST(TokenBucket, KeepsTheRateInEveryWindowAndWastesNothing) {
  Random random(TestSeed());
  const uint64_t series = TestOps(300);
  for (uint64_t i = 0; i < series; ++i) {
    const std::vector<int64_t> rates = {10, 333, 1000, 3000, 7001, 99'999, 1'000'000, 33'333'333, 100'000'000};
    const int64_t thousandths = random.OneIn(2) ? random.Pick(rates) : random.Between(10, 100'000);
    const int64_t burst = random.OneIn(3) ? 1 : random.Between(1, 20);
    TokenBucket bucket(static_cast<double>(thousandths) / 1000, static_cast<uint32_t>(burst));
    BucketOracle oracle(thousandths, burst);
    const int64_t interval = 1'000'000'000'000 / thousandths;
    int64_t now = random.Between(0, 1'000'000'000'000);
    for (int takes = 0; takes < 100; ++takes) {
      switch (random.Below(8)) {
        case 0:
          now += random.Between(0, 3 * interval);
          break;
        case 1:
          now += random.Between(0, 2 * burst * interval);
          break;
        case 2:
          now += random.OneIn(10) ? 1'000'000'000'000'000'000 / 200 : 1;
          break;
        default:
          break;
      }
      const int64_t start = absl::ToInt64Nanoseconds(bucket.Take(absl::Nanoseconds(now)));
      ASSERT_GE(start, now);
      ASSERT_GE(start, oracle.last());
      ASSERT_FALSE(oracle.TooMany(start)) << thousandths << " of 1000 s, burst " << burst;
      // Earlier by what rounding may have cost since the first one, and it would have been too many.
      const int64_t earlier = start - static_cast<int64_t>(oracle.size()) - 1;
      if (earlier >= std::max(now, oracle.last())) {
        ASSERT_TRUE(oracle.TooMany(earlier)) << thousandths << " of 1000 s, burst " << burst;
      }
      oracle.Add(start);
    }
  }
}

// ---- Breaker ------------------------------------------------------------------------------------------------

constexpr Breaker::Options kOptions = {.failures = 3, .pause = absl::Seconds(10), .longest_pause = absl::Seconds(35)};

// Opened at second 0.
Breaker OpenBreaker() {
  Breaker breaker(kOptions);
  for (int i = 0; i < 3; ++i) breaker.OnFailure(Attempt::kOrdinary, absl::ZeroDuration());
  EXPECT_EQ(breaker.state(), State::kOpen);
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(10));
  return breaker;
}

TEST(Breaker, OpensAfterSoManyFailuresInARow) {
  Breaker breaker(kOptions);
  EXPECT_EQ(breaker.OnFailure(Attempt::kOrdinary, absl::Seconds(1)), State::kClosed);
  EXPECT_EQ(breaker.OnFailure(Attempt::kOrdinary, absl::Seconds(2)), State::kClosed);
  EXPECT_EQ(breaker.failures(), 2u);
  EXPECT_EQ(breaker.OnSuccess(), State::kClosed) << "then they are not in a row";
  EXPECT_EQ(breaker.failures(), 0u);
  EXPECT_EQ(breaker.OnFailure(Attempt::kOrdinary, absl::Seconds(3)), State::kClosed);
  EXPECT_EQ(breaker.OnFailure(Attempt::kOrdinary, absl::Seconds(4)), State::kClosed);
  EXPECT_EQ(breaker.OnFailure(Attempt::kOrdinary, absl::Seconds(5)), State::kOpen);
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(15));
  EXPECT_EQ(breaker.failures(), 3u);
}

TEST(Breaker, ProbesWhenItsPauseIsOverAndNotBefore) {
  Breaker breaker = OpenBreaker();
  EXPECT_EQ(breaker.OnTime(absl::Seconds(10) - absl::Nanoseconds(1)), State::kOpen);
  EXPECT_EQ(breaker.OnTime(absl::Seconds(10)), State::kProbing);
  EXPECT_EQ(breaker.OnTime(absl::Hours(1)), State::kProbing);
  EXPECT_EQ(breaker.OnSuccess(), State::kClosed);
  EXPECT_EQ(breaker.OnTime(absl::Hours(2)), State::kClosed);
}

TEST(Breaker, EachFailedProbeDoublesThePauseUpToTheLongest) {
  Breaker breaker = OpenBreaker();
  absl::Duration now = absl::Seconds(10);
  for (const int pause : {20, 35, 35, 35}) {
    ASSERT_EQ(breaker.OnTime(now), State::kProbing);
    now += absl::Seconds(1);
    ASSERT_EQ(breaker.OnFailure(Attempt::kProbe, now), State::kOpen);
    ASSERT_EQ(breaker.retry_at(), now + absl::Seconds(pause));
    now = breaker.retry_at();
  }
  EXPECT_EQ(breaker.failures(), 7u);
  // A success makes the pauses short again.
  ASSERT_EQ(breaker.OnTime(now), State::kProbing);
  EXPECT_EQ(breaker.OnSuccess(), State::kClosed);
  for (int i = 0; i < 3; ++i) breaker.OnFailure(Attempt::kOrdinary, now);
  EXPECT_EQ(breaker.retry_at(), now + absl::Seconds(10));
}

TEST(Breaker, WhatBeganBeforeItOpenedTellsNothingNewByFailing) {
  Breaker breaker = OpenBreaker();
  EXPECT_EQ(breaker.OnFailure(Attempt::kOrdinary, absl::Seconds(9)), State::kOpen);
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(10));
  breaker.OnTime(absl::Seconds(10));
  EXPECT_EQ(breaker.OnFailure(Attempt::kOrdinary, absl::Seconds(11)), State::kProbing);
  EXPECT_EQ(breaker.failures(), 3u);
  EXPECT_EQ(breaker.OnFailure(Attempt::kProbe, absl::Seconds(12)), State::kOpen);
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(32));
  EXPECT_EQ(breaker.OnFailure(Attempt::kProbe, absl::Seconds(13)), State::kOpen) << "a second probe";
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(32));
}

TEST(Breaker, ButBySucceedingItShowsThatTheEndpointIsBack) {
  Breaker breaker = OpenBreaker();
  EXPECT_EQ(breaker.OnSuccess(), State::kClosed);
  // A probe's failure that comes after that is one like any other.
  EXPECT_EQ(breaker.OnFailure(Attempt::kProbe, absl::Seconds(1)), State::kClosed);
  EXPECT_EQ(breaker.failures(), 1u);
}

TEST(Breaker, AHoldIsKeptAndIsNoFailure) {
  Breaker breaker(kOptions);
  EXPECT_EQ(breaker.OnHold(absl::Seconds(5), absl::Seconds(5)), State::kClosed) << "no wait";
  EXPECT_EQ(breaker.OnHold(absl::Seconds(105), absl::Seconds(5)), State::kOpen);
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(105));
  EXPECT_EQ(breaker.failures(), 0u);
  EXPECT_EQ(breaker.OnHold(absl::Seconds(50), absl::Seconds(6)), State::kOpen) << "the longer one holds";
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(105));
  EXPECT_EQ(breaker.OnTime(absl::Seconds(105)), State::kProbing);
  EXPECT_EQ(breaker.OnHold(absl::Seconds(205), absl::Seconds(106)), State::kOpen);
  EXPECT_EQ(breaker.OnTime(absl::Seconds(205)), State::kProbing);
  EXPECT_EQ(breaker.OnFailure(Attempt::kProbe, absl::Seconds(206)), State::kOpen);
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(216)) << "the first pause, as no hold has doubled it";
}

TEST(Breaker, AHoldOfAProbeEndsTheProbeEvenIfItIsOverAlready) {
  Breaker breaker = OpenBreaker();
  breaker.OnTime(absl::Seconds(10));
  EXPECT_EQ(breaker.OnHold(absl::ZeroDuration(), absl::Seconds(11)), State::kOpen);
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(11));
  EXPECT_EQ(breaker.OnTime(absl::Seconds(11)), State::kProbing) << "by another attempt";
}

TEST(Breaker, AHoldDoesNotShortenAPause) {
  Breaker breaker = OpenBreaker();
  EXPECT_EQ(breaker.OnHold(absl::Seconds(2), absl::Seconds(1)), State::kOpen);
  EXPECT_EQ(breaker.retry_at(), absl::Seconds(10));
}

TEST(Breaker, TimesWithoutEndDoNotWrap) {
  Breaker breaker({.failures = 1, .pause = absl::Hours(1), .longest_pause = absl::InfiniteDuration()});
  for (int i = 0; i < 100; ++i) {
    breaker.OnFailure(i == 0 ? Attempt::kOrdinary : Attempt::kProbe, absl::ZeroDuration());
    ASSERT_EQ(breaker.state(), State::kOpen);
    ASSERT_GE(breaker.retry_at(), absl::Hours(1));
    breaker.OnTime(absl::InfiniteDuration());
    ASSERT_EQ(breaker.state(), State::kProbing);
  }
  EXPECT_EQ(breaker.OnHold(absl::InfiniteDuration(), absl::ZeroDuration()), State::kOpen);
  EXPECT_EQ(breaker.OnTime(absl::Hours(1'000'000)), State::kOpen);
  EXPECT_EQ(breaker.OnSuccess(), State::kClosed);
}

// What happened since the last success, and what follows from it, in whole seconds.
struct BreakerModel {
  int64_t limit, pause, longest;
  int64_t failures = 0;
  int64_t openings = 0;  // by failures
  bool leaving_alone = false;
  bool looking = false;
  int64_t until = 0;

  void Success() { failures = openings = 0, leaving_alone = looking = false; }
  void Failure(bool probe, int64_t now) {
    if (leaving_alone || (looking && !probe)) return;
    ++failures;
    if (!looking && failures < limit) return;
    int64_t length = pause;
    for (int64_t i = 0; i < openings && length < longest; ++i) length *= 2;
    ++openings;
    leaving_alone = true, looking = false;
    until = now + std::min(length, longest);
  }
  void Hold(int64_t asked, int64_t now) {
    if (leaving_alone) {
      until = std::max(until, asked);
    } else if (looking || asked > now) {
      leaving_alone = true, looking = false;
      until = std::max(asked, now);
    }
  }
  void Time(int64_t now) {
    if (leaving_alone && until <= now) leaving_alone = false, looking = true;
  }
  State state() const { return leaving_alone ? State::kOpen : looking ? State::kProbing : State::kClosed; }
};

TEST(Breaker, BehavesAsTheModelDoes) {
  Random random(TestSeed());
  const uint64_t walks = TestOps(500);
  for (uint64_t i = 0; i < walks; ++i) {
    BreakerModel model{
        .limit = random.Between(1, 6), .pause = random.Between(1, 40), .longest = random.Between(40, 600)};
    Breaker breaker({.failures = static_cast<uint32_t>(model.limit),
                     .pause = absl::Seconds(model.pause),
                     .longest_pause = absl::Seconds(model.longest)});
    // Some walks hardly ever succeed, so that pauses become long.
    const unsigned successes = random.OneIn(2) ? 1 : 15;
    int64_t now = random.Between(0, 1000);
    for (int step = 0; step < 200; ++step) {
      now += random.OneIn(5) ? random.Between(0, model.longest) : random.Between(0, 3);
      State state;
      if (random.Percent(successes)) {
        model.Success();
        state = breaker.OnSuccess();
      } else if (random.OneIn(8)) {
        const int64_t until = now + random.Between(-50, 100);
        model.Hold(until, now);
        state = breaker.OnHold(absl::Seconds(until), absl::Seconds(now));
      } else if (random.OneIn(2)) {
        model.Time(now);
        state = breaker.OnTime(absl::Seconds(now));
      } else {
        const bool probe = random.OneIn(2);
        model.Failure(probe, now);
        state = breaker.OnFailure(probe ? Attempt::kProbe : Attempt::kOrdinary, absl::Seconds(now));
      }
      ASSERT_EQ(state, model.state()) << "step " << step;
      ASSERT_EQ(breaker.state(), state);
      ASSERT_EQ(breaker.failures(), model.failures);
      if (state == State::kOpen) {
        ASSERT_EQ(breaker.retry_at(), absl::Seconds(model.until));
      }
    }
  }
}

}  // namespace
}  // namespace northwind::internal
