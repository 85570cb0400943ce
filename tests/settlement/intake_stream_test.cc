// SPDX-License-Identifier: Apache-2.0
//
// Long random streams: the books at the end do not depend on how the stream is cut, on crashes, or on runs repeated.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "examples/make_events/stream.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/settlement/intake_fixture.h"
#include "tests/support/seed.h"

namespace northwind {
namespace {

using ::northwind::testing::Books;
using ::northwind::testing::IntakeWorld;
using ::northwind::testing::IsOk;
using ::northwind::testing::Random;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;

// Lines of few merchants (so that they meet often), with their numbers; neighbourhoods shuffled.
struct Stream {
  Stream(Random& random, uint64_t events) {
    examples::EventStream source({.events = events,
                                  .merchants = 1 + random.Below(20),
                                  .seed = random.Next(),
                                  .duplicates_ppm = 200'000,
                                  .malformed_ppm = 5'000,
                                  .conflicts_ppm = 5'000});
    for (std::string line; source.Next(line);) lines.push_back(line);
    const size_t window = 1 + random.Below(200);
    for (size_t i = 0; i + 1 < lines.size(); ++i) {
      const size_t reach = std::min(window, lines.size() - i);
      if (random.Percent(20)) std::swap(lines[i], lines[i + random.Below(reach)]);
    }
    for (size_t i = 0; i < lines.size(); ++i) events_.push_back({.bytes = lines[i], .position = i + 1});
  }
  absl::Span<const RawEvent> events() const { return events_; }

  std::vector<std::string> lines;

 private:
  std::vector<RawEvent> events_;
};

using Outcomes = std::map<uint64_t, std::string>;  // position → final outcome

void Note(uint64_t position, const EventOutcome& outcome, Outcomes& outcomes) {
  outcomes[position] = std::string(Name(outcome.status)) + " " + std::string(Name(outcome.reason)) + " " +
                       std::string(Name(outcome.cause)) + " " + outcome.detail;
  // Where in the journal the first of the two stands depends on what else is in there.
  if (const size_t at = outcomes[position].find("sequence"); at != std::string::npos) outcomes[position].resize(at);
}

// Applies events in calls of random sizes up to `call`.
void Feed(IntakeWorld& world, absl::Span<const RawEvent> events, size_t call, Random& random, Outcomes& outcomes) {
  for (size_t first = 0; first < events.size();) {
    const size_t n = std::min(events.size() - first, 1 + random.Below(call));
    const IntakeResult result = world.ApplyLines(events.subspan(first, n));
    ASSERT_EQ(result.outcomes.size(), n);
    for (size_t i = 0; i < n; ++i) Note(events[first + i].position, result.outcomes[i], outcomes);
    for (const LateOutcome& late : result.late) Note(late.position, late.outcome, outcomes);
    first += n;
  }
}

void Finish(IntakeWorld& world, Outcomes& outcomes) {
  for (const LateOutcome& late : world.Finish()) Note(late.position, late.outcome, outcomes);
}

Books WithoutSequences(Books books) {
  for (auto& [raw, why] : books.quarantine) {
    const size_t from = why.find("sequence");
    if (from != std::string::npos) why.erase(from, why.find(',', from) - from);
  }
  return books;
}

TEST(IntakeStream, TheResultDoesNotDependOnHowTheStreamIsCut) {
  Random random(TestSeed());
  for (uint64_t round = TestOps(2); round > 0; --round) {
    const Stream stream(random, 3'000);
    Outcomes expected;
    IntakeWorld one_by_one({.batch_size = 1, .decode_threads = 0});
    Feed(one_by_one, stream.events(), 1, random, expected);
    Finish(one_by_one, expected);
    const Books books = WithoutSequences(one_by_one.Look());
    EXPECT_EQ(expected.size(), stream.events().size());

    const size_t all = stream.events().size();
    for (const auto& [batch, call] :
         std::vector<std::pair<size_t, size_t>>{{1, 900}, {7, 13}, {7, all}, {100, 900}, {4096, 13}, {4096, all}}) {
      SCOPED_TRACE(::testing::Message() << "batch " << batch << ", call " << call);
      Outcomes outcomes;
      IntakeWorld world({.batch_size = batch, .decode_threads = static_cast<int>(random.Below(4))});
      Feed(world, stream.events(), call, random, outcomes);
      Finish(world, outcomes);
      EXPECT_EQ(outcomes, expected);
      EXPECT_EQ(WithoutSequences(world.Look()), books);
    }
    testing::ExpectInvariants(*one_by_one.ledger_);
  }
}

TEST(IntakeStream, CrashesAndRunsFromTheStartEndAsOneRun) {
  Random random(TestSeed());
  for (uint64_t round = TestOps(2); round > 0; --round) {
    const Stream stream(random, 3'000);
    Outcomes ignored;
    IntakeWorld smooth({.decode_threads = 0});
    Feed(smooth, stream.events(), 1000, random, ignored);
    Finish(smooth, ignored);
    const Books books = WithoutSequences(smooth.Look());

    IntakeWorld world({.batch_size = 1 + random.Below(300)}, random.Next());
    for (uint64_t crash = 1 + random.Below(4); crash > 0; --crash) {
      world.disk_.CutPowerAfter(random.Below(200));
      for (size_t first = 0; first < stream.events().size(); first += 250) {
        if (!world.intake_->Apply(stream.events().subspan(first, 250)).ok()) break;
      }
      world.Crash();
      if (::testing::Test::HasFatalFailure()) return;
    }
    Outcomes outcomes;
    Feed(world, stream.events(), 1000, random, outcomes);
    Finish(world, outcomes);
    EXPECT_EQ(WithoutSequences(world.Look()), books);
    testing::ExpectInvariants(*world.ledger_);

    // Once more, whole: nothing changes.
    const Books before = world.Look();
    const Head head = world.ledger_->Head();
    world.Reopen();
    Feed(world, stream.events(), 1000, random, outcomes);
    Finish(world, outcomes);
    EXPECT_EQ(world.Look(), before);
    EXPECT_EQ(world.ledger_->Head(), head);
  }
}

}  // namespace
}  // namespace northwind
