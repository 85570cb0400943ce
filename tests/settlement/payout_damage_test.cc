// SPDX-License-Identifier: Apache-2.0
//
// What is kept of one payout, changed behind its back: that one is set aside, and nobody else's waits for it. And what is
// everybody's, changed: all stop. docs/adr/0009-one-damaged-payout.md.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "src/settlement/payout_reader.h"
#include "src/settlement/payout_record.h"
#include "src/store/engine.h"
#include "tests/settlement/payout_fixture.h"

namespace northwind::testing {
namespace {

using internal::Space;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

const std::string kAttention = "the record of its rail calls was damaged or lost: it may have been submitted";

class PayoutDamage : public PayoutTest {
 protected:
  std::string Bytes(const std::string& key) {
    const auto bytes = store_->Get(key);
    EXPECT_THAT(bytes, IsOk());
    EXPECT_TRUE(bytes->has_value()) << key;
    return bytes->value_or("");
  }
  // Past Store::Write, which does not touch what is northwind's own.
  void Put(const std::string& key, std::string_view value) {
    internal::WriteSet writes;
    writes.Put(Space::kHost, key, value);
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
  }
  void Lose(const std::string& key) {
    internal::WriteSet writes;
    writes.Delete(Space::kHost, key);
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
  }
  static std::string Rail(const std::string& id) { return internal::PayoutRailKey(id); }
  static std::string View(const std::string& id) { return internal::PayoutViewKey(id); }
  void Damage(const std::string& key) { Put(key, Bytes(key).substr(1)); }

  // Three merchants, two payouts each: po1 and po2 of m1, and so on. All are told to the rail, which does not answer.
  void SubmitSix() {
    for (int i = 0; i < 6; ++i) {
      Request("po" + std::to_string(1 + i), 300, 1, "m" + std::to_string(1 + i / 2));
      clock_.Advance(absl::Seconds(1));
    }
    Follow();
    rail_.answers.assign(6, {.state = RailState::kUnknown, .reason = "timed out"});
    EXPECT_EQ(Work(), 6U);
    clock_.Advance(absl::Seconds(1));
    Follow();
    rail_.calls.clear();
  }
  // Nothing is left to do for threads.
  bool Quiet() {
    const QueueStats queue = scheduler_->Stats()->queues[0];
    return queue.waiting + queue.leased == 0 && payouts_->followed() == ledger_->Head().sequence;
  }
  std::vector<TaskInfo> Dead() {
    const auto page = scheduler_->ListDead({.queue = "nw/payout"});
    EXPECT_THAT(page, IsOk());
    return page.ok() ? page->tasks : std::vector<TaskInfo>();
  }
  void Redrive(const std::string& id) {
    ASSERT_THAT(scheduler_->Redrive(std::vector<std::string>{"nw/payout/" + id}), IsOkAndHolds(1U));
  }
  std::vector<Payout> List(const std::string& merchant) {
    const auto page = payouts_->ListPayouts({.merchant_id = merchant});
    EXPECT_THAT(page, IsOk());
    return page.ok() ? page->payouts : std::vector<Payout>();
  }
  // The merchant's at that place of so many.
  Payout Listed(const std::string& merchant, size_t at, size_t of) {
    const std::vector<Payout> list = List(merchant);
    EXPECT_THAT(list, SizeIs(of));
    return at < list.size() ? list[at] : Payout();
  }
  void ExpectSetAside(const std::string& id, const std::string& why) {
    const std::vector<TaskInfo> dead = Dead();
    ASSERT_THAT(dead, SizeIs(1));
    EXPECT_EQ(dead[0].id, "nw/payout/" + id);
    EXPECT_THAT(dead[0].last_error, StartsWith("set aside, the rail was not called: payout " + id + ": " + why));
    EXPECT_EQ(scheduler_->Stats()->queues[0].dead, 1U);
    EXPECT_EQ(scheduler_->Stats()->tasks, 1U) << "every payout that has not ended has a task";
  }
};

// ---- The rail record ------------------------------------------------------------------------------------------------

TEST_F(PayoutDamage, OfARailRecordSetsItsPayoutAsideAndHoldsUpNoOther) {
  SubmitSix();
  Damage(Rail("po3"));
  EXPECT_EQ(Work(), 6U);
  EXPECT_THAT(rail_.calls, UnorderedElementsAre("query po1 300 USD/2", "query po2 300 USD/2", "query po4 300 USD/2",
                                                "query po5 300 USD/2", "query po6 300 USD/2"));
  Follow();
  for (const char* id : {"po1", "po2", "po4", "po5", "po6"}) EXPECT_EQ(Get(id).state, PayoutState::kPaid) << id;
  ExpectSetAside("po3", "its rail record is damaged, 25 bytes: ");
  EXPECT_EQ(Merchant("m2").debits_held, 300U) << "nothing is released, nothing is paid";
  EXPECT_EQ(Merchant("m2").debits_posted, 300U) << "po4";

  // As they see it who look.
  EXPECT_EQ(Get("po3").state, PayoutState::kSubmitted);
  EXPECT_EQ(Get("po3").attention, kAttention);
  EXPECT_EQ(Get("po3").next_attempt, std::nullopt);
  const std::vector<Payout> list = List("m2");
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[0].payout_id, "po3");
  EXPECT_EQ(list[0].attention, kAttention);
  EXPECT_EQ(list[1].attention, "");
  EXPECT_THAT(payouts_->Cancel("po3"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("submitted")));

  // And so it stays.
  rail_.calls.clear();
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(absl::Hours(24));
    EXPECT_EQ(Work(), 0U);
    Shut();
    Open();
  }
  EXPECT_THAT(rail_.calls, IsEmpty());
  ExpectSetAside("po3", "its rail record is damaged");
  EXPECT_EQ(Merchant("m2").debits_held, 300U);
}

TEST_F(PayoutDamage, OfARecordIsSeenInListsBeforeAWorkerComesToIt) {
  SubmitSix();
  Damage(Rail("po3"));
  EXPECT_EQ(Get("po3").attention, kAttention);
  EXPECT_EQ(Get("po3").state, PayoutState::kSubmitted);
  EXPECT_EQ(Listed("m2", 0, 2).attention, kAttention);
  EXPECT_THAT(payouts_->Cancel("po3"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("po3 may have been submitted: its rail record")));
  EXPECT_EQ(Merchant("m2").debits_held, 600U);
}

TEST_F(PayoutDamage, RedrivenTheBankIsAskedAndItsAnswerEndsIt) {
  SubmitSix();
  Damage(Rail("po3"));
  Work();
  rail_.calls.clear();
  Redrive("po3");
  EXPECT_EQ(Work(), 1U);
  Follow();
  EXPECT_THAT(rail_.calls, ElementsAre("query po3 300 USD/2"));
  EXPECT_EQ(Get("po3").state, PayoutState::kPaid);
  EXPECT_EQ(Get("po3").attention, "");
  EXPECT_EQ(Merchant("m2").debits_posted, 600U);
  EXPECT_EQ(Merchant("m2").debits_held, 0U);
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(PayoutDamage, RedrivenItIsSubmittedOnlyIfTheBankIsSureNotToHaveIt) {
  SubmitSix();
  Damage(Rail("po3"));
  Work();
  rail_.calls.clear();
  rail_.keys.clear();
  Redrive("po3");
  rail_.answers = {{.state = RailState::kUnknown}, {.state = RailState::kNotFound}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Work(), 1U);
    clock_.Advance(absl::Minutes(1));
  }
  EXPECT_THAT(rail_.calls, ElementsAre("query po3 300 USD/2", "query po3 300 USD/2", "submit po3 300 USD/2"));
  EXPECT_THAT(rail_.keys, ElementsAre(rail_.keys[0], rail_.keys[0], rail_.keys[0]));
  Follow();
  EXPECT_EQ(Get("po3").state, PayoutState::kPaid);
}

TEST_F(PayoutDamage, AnEventFromElsewhereSettlesItAndTheBankIsAskedNotTold) {
  SubmitSix();
  Damage(Rail("po3"));
  Damage(Rail("po4"));
  Work();
  rail_.calls.clear();
  for (const char* id : {"po3", "po4"}) {
    PaymentEvent event = OfPayout(std::string(id) == "po3" ? EventType::kPayoutPaid : EventType::kPayoutFailed, id, 50);
    event.merchant_id = "m2";
    EXPECT_EQ(Apply(event).status, EventStatus::kApplied);
    Redrive(id);
  }
  Follow();
  EXPECT_EQ(Get("po3").state, PayoutState::kPaid);
  EXPECT_EQ(Get("po4").state, PayoutState::kFailed);
  EXPECT_EQ(Merchant("m2").debits_posted, 300U);
  EXPECT_EQ(Merchant("m2").debits_held, 0U);
  EXPECT_EQ(Work(), 2U);
  EXPECT_THAT(rail_.calls, UnorderedElementsAre("query po3 300 USD/2", "query po4 300 USD/2"));
  EXPECT_EQ(Get("po3").attention, "");
  EXPECT_THAT(Get("po4").attention, HasSubstr("the rail says paid, but in the ledger 0.00")) << "that one was executed";
}

TEST_F(PayoutDamage, ASettledOneOfWhichTheBankKnowsNothingEndsWhenNothingCanBeOnItsWay) {
  SubmitSix();
  Damage(Rail("po3"));
  Work();
  PaymentEvent event = OfPayout(EventType::kPayoutCanceled, "po3", 50);
  event.merchant_id = "m2";
  Apply(event);
  Redrive("po3");
  rail_.calls.clear();
  rail_.answers.assign(2, {.state = RailState::kNotFound});
  EXPECT_EQ(Work(), 1U);
  EXPECT_EQ(scheduler_->Stats()->tasks, 1U) << "who knows when it was submitted";
  clock_.Advance(absl::Minutes(20));
  EXPECT_EQ(Work(), 1U);
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
  EXPECT_THAT(rail_.calls, Each(HasSubstr("query po3")));
}

TEST_F(PayoutDamage, ALostRailRecordIsNotTakenForAPayoutThatTheRailNeverHeardOf) {
  SubmitSix();
  Lose(Rail("po3"));
  EXPECT_THAT(payouts_->Cancel("po3"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no record")));
  EXPECT_EQ(Merchant("m2").debits_held, 600U);
  EXPECT_EQ(Work(), 6U);
  EXPECT_THAT(rail_.calls, Not(Contains(HasSubstr("po3"))));
  ExpectSetAside("po3", "its rail record is lost");
  // Nor once it was redriven.
  Lose(Rail("po3"));
  Redrive("po3");
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(rail_.calls, Not(Contains(HasSubstr("po3"))));
  ExpectSetAside("po3", "its rail record is lost");
}

TEST_F(PayoutDamage, OnThreadsOfTheirOwnTheOthersEndAndNothingStops) {
  SubmitSix();
  Damage(Rail("po3"));
  Damage(View("po5"));
  ASSERT_THAT(payouts_->Start(), IsOk());
  while (payouts_->status().ok() && !Quiet()) std::this_thread::yield();
  ASSERT_THAT(payouts_->status(), IsOk());
  payouts_->Stop();
  ASSERT_THAT(payouts_->FollowOnce(), IsOk());
  for (const char* id : {"po1", "po2", "po4", "po5", "po6"}) EXPECT_EQ(Get(id).state, PayoutState::kPaid) << id;
  ExpectSetAside("po3", "its rail record is damaged");
}

// Whatever bit of a record changes, and wherever it is cut or zeroed: a payout that the rail was told is never one that it was not.
TEST(PayoutDamageOfBytes, NoBitMakesAToldPayoutAnUntoldOne) {
  using Call = RailAttempt::Call;
  const auto attempt = [](Call call, RailState answer, const char* reason = "") {
    return RailAttempt{.at = At(5), .call = call, .answer = answer, .reason = reason};
  };
  std::vector<internal::PayoutRailRecord> told(8);
  told[0] = {.submitted = true, .submits = 1};
  told[0].Add(attempt(Call::kSubmit, RailState::kUnknown, "no answer"));
  told[1] = {.submitted = true, .submits = 1, .queries = 2};
  told[1].Add(attempt(Call::kSubmit, RailState::kUnknown, "timed out"));
  told[1].Add(attempt(Call::kQuery, RailState::kPending));
  told[1].Add(attempt(Call::kQuery, RailState::kUnknown));
  told[2] = {.submitted = true, .submits = 1};
  told[2].Add(attempt(Call::kSubmit, RailState::kPaid));
  told[3] = internal::MayHaveBeenTold(At(5));
  // Asked about for hours: the list has its last questions only.
  told[4] = {.submitted = true, .submits = 1, .queries = 27};
  for (size_t i = 0; i < kMaxRailAttempts; ++i) told[4].Add(attempt(Call::kQuery, RailState::kPending));
  // Told again after the rail knew nothing of it, and after it withheld it.
  told[5] = {.submitted = true, .submits = 2, .queries = 1};
  told[5].Add(attempt(Call::kSubmit, RailState::kUnknown));
  told[5].Add(attempt(Call::kQuery, RailState::kNotFound));
  told[5].Add(attempt(Call::kSubmit, RailState::kUnknown));
  told[6] = {.submitted = true, .submits = 1};
  told[6].Add(attempt(Call::kSubmit, RailState::kWithheld));
  told[6].Add(attempt(Call::kSubmit, RailState::kPending));
  told[7] = {.submitted = true, .submits = 2, .queries = 30};
  told[7].Add(attempt(Call::kQuery, RailState::kNotFound));
  told[7].Add(attempt(Call::kSubmit, RailState::kUnknown));
  for (size_t i = 2; i < kMaxRailAttempts; ++i) told[7].Add(attempt(Call::kQuery, RailState::kPending));
  size_t found = 0, tried = 0;
  const auto check = [&](const std::string& bytes) {
    const internal::RailReading reading = internal::ReadPayoutRail("po1", bytes, At(9));
    EXPECT_TRUE(reading.found);
    EXPECT_TRUE(reading.record.submitted) << absl::BytesToHexString(bytes);
    EXPECT_GT(reading.record.submits, 0U) << absl::BytesToHexString(bytes);
    found += reading.damage.empty() ? 0 : 1;
    ++tried;
  };
  for (const internal::PayoutRailRecord& record : told) {
    const std::string good = internal::EncodePayoutRail(record);
    for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
      std::string bytes = good;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      check(bytes);
    }
    for (size_t size = 0; size < good.size(); ++size) {
      check(good.substr(0, size));
      check(good.substr(0, size) + std::string(good.size() - size, '\0'));
      check(std::string(size + 1, '\0') + good.substr(size + 1));
    }
  }
  EXPECT_GT(found, tried / 4) << "the rest are texts and times";
}

// Whatever the workers write is good: of each state that a payout's calls can come to, in every order of answers.
TEST_F(PayoutDamage, NoRecordThatIsWrittenIsTakenForDamage) {
  const std::vector<RailState> answers = {RailState::kPending, RailState::kUnknown, RailState::kNotFound,
                                          RailState::kWithheld};
  constexpr int kCalls = 3;
  int runs = 0;
  for (int order = 0; order < 64; ++order) {
    for (int settled = 1; settled <= kCalls; ++settled, ++runs) {
      const std::string id = "po" + std::to_string(runs);
      Request(id, 1, 1 + runs, "m" + std::to_string(runs));
      Follow();
      for (int call = 0, rest = order; call < kCalls; ++call, rest /= 4) {
        rail_.answers = {{.state = answers[static_cast<size_t>(rest % 4)]}};
        clock_.Advance(absl::Hours(2));
        ASSERT_EQ(Work(), 1U);
        const internal::RailReading reading = internal::ReadPayoutRail(id, Bytes(Rail(id)), clock_.Now());
        ASSERT_EQ(reading.damage, "") << "answers " << order << ", settled after " << settled << ", call " << call;
        if (call + 1 == settled) {
          PaymentEvent event = OfPayout(EventType::kPayoutCanceled, id, 5000 + runs);
          event.merchant_id = "m" + std::to_string(runs);
          ASSERT_EQ(Apply(event).status, EventStatus::kApplied);
        }
        if (scheduler_->Stats()->tasks == 0) break;
      }
      // It ends: what was paid though it was canceled is a dead letter.
      rail_.answers.clear();
      clock_.Advance(absl::Hours(2));
      Work();
      for (const TaskInfo& dead : Dead()) {
        EXPECT_THAT(dead.last_error, Not(HasSubstr("set aside")));
        EXPECT_THAT(scheduler_->Discard(std::vector<std::string>{dead.id}), IsOk());
      }
      ASSERT_EQ(scheduler_->Stats()->tasks, 0U);
    }
  }
}

TEST_F(PayoutDamage, ASettledOneAskedAboutForEverIsGoodThoughTheListHasNeitherTellingNorTakingBack) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kUnknown}, {.state = RailState::kNotFound}};
  EXPECT_EQ(Work(), 1U);
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(Work(), 1U);
  Apply(OfPayout(EventType::kPayoutCanceled, "po1", 50));
  rail_.answers.assign(kMaxRailAttempts + 3, {.state = RailState::kUnknown});
  rail_.calls.clear();
  while (!rail_.answers.empty()) {
    clock_.Advance(absl::Hours(2));
    ASSERT_EQ(Work(), 1U);
  }
  EXPECT_THAT(rail_.calls, Each(HasSubstr("query po1")));
  EXPECT_THAT(Dead(), IsEmpty());
  EXPECT_EQ(Get().attention, "");
}

TEST_F(PayoutDamage, OfARecordWithAFullListIsAskedNotTold) {
  Request();
  Follow();
  rail_.answers.assign(kMaxRailAttempts + 3, {.state = RailState::kPending});
  while (!rail_.answers.empty()) {
    ASSERT_EQ(Work(), 1U);
    clock_.Advance(absl::Hours(2));
  }
  std::string bytes = Bytes(Rail("po1"));
  ASSERT_EQ(bytes[1], 1) << "submitted";
  bytes[1] = 0;
  Put(Rail("po1"), bytes);
  rail_.calls.clear();
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(rail_.calls, ElementsAre("query po1 300 USD/2"));
}

// Set aside before anybody's rail is called: a worker that dies in those calls has not made it an attempt of which nobody knows.
TEST_F(PayoutDamage, IsSetAsideBeforeTheOthersAreCalledFor) {
  SubmitSix();
  Lose(Rail("po3"));
  size_t dead = 0;
  rail_.during = [&] { dead = Dead().size(); };
  EXPECT_EQ(Work(), 6U);
  EXPECT_EQ(dead, 1U);
  ExpectSetAside("po3", "its rail record is lost");
}

TEST_F(PayoutDamage, ALostRecordOfARedrivenTaskIsMissedAfterAnAttemptThatEndedUnknownToo) {
  SubmitSix();
  Damage(Rail("po3"));
  EXPECT_EQ(Work(), 6U);
  rail_.calls.clear();
  Lose(Rail("po3"));
  Redrive("po3");
  // A worker that claims it, and dies.
  NW_ASSERT_OK_AND_ASSIGN(const auto claimed,
                          scheduler_->Claim({.queue = "nw/payout", .max = 1, .lease = absl::Seconds(1)}));
  ASSERT_THAT(claimed, SizeIs(1));
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Work(), 0U) << "its lease has run out, and it waits for the next try";
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(rail_.calls, IsEmpty());
  ExpectSetAside("po3", "its rail record is lost");
}

TEST_F(PayoutDamage, OfATaskIsForgottenOnceItsPayoutIsCanceled) {
  Request();
  Follow();
  NW_ASSERT_OK_AND_ASSIGN(TaskInfo task, scheduler_->GetTask("nw/payout/po1"));
  ASSERT_THAT(scheduler_->Schedule({.id = task.id, .queue = task.queue, .key = "m1", .payload = "x"}), IsOk());
  EXPECT_EQ(Work(), 1U);
  ExpectSetAside("po1", "its task is damaged");
  EXPECT_EQ(Get().attention, "its task is damaged");
  EXPECT_THAT(payouts_->Cancel("po1"), IsOk());
  Redrive("po1");
  EXPECT_EQ(Work(), 1U);
  Follow();
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
  EXPECT_EQ(Get().state, PayoutState::kCanceled);
  EXPECT_EQ(Get().attention, "");
  EXPECT_THAT(rail_.calls, IsEmpty());
}

// What else a host commits under a payout's code and name is no payout, whatever it looks like.
TEST_F(PayoutDamage, AReleaseUnderAPayoutsNameIsNoHold) {
  Apply(Captured("pay_1", 1000));
  NW_ASSERT_OK_AND_ASSIGN(const AccountId shop, ledger_->FindAccount("merchant:m1:available:USD/2"));
  NW_ASSERT_OK_AND_ASSIGN(const AccountId world,
                          ledger_->OpenAccount({.name = "world:x", .asset = "USD/2", .external = true}));
  const Transaction hold{
      .key = DeriveKey("h", At(1)), .kind = TransactionKind::kHold, .postings = {{shop, world, Amount(5)}}};
  const Transaction release{.key = DeriveKey("r", At(1)),
                            .kind = TransactionKind::kRelease,
                            .target = Target::Key(hold.key),
                            .code = EventCode(EventType::kPayoutRequested),
                            .reference = "po1"};
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<CommitResult> results,
                          ledger_->Commit(std::vector<Transaction>{hold, release}));
  for (const CommitResult& result : results) EXPECT_EQ(result.outcome, Outcome::kApplied) << Name(result.reason);
  PaymentEvent request = OfPayout(EventType::kPayoutRequested, "po1", 2, 300);
  EXPECT_EQ(Apply(request).reason, Reason::kReferenceUsed);
  Follow();
  EXPECT_THAT(payouts_->Cancel("po1"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(PayoutDamage, OfANumberThatStillDecodesIsDamageAllTheSame) {
  SubmitSix();
  std::string bytes = Bytes(Rail("po3"));
  ASSERT_EQ(bytes[1], 1) << "submitted";
  bytes[1] = 0;
  ASSERT_THAT(internal::DecodePayoutRail("po3", bytes), IsOk());
  Put(Rail("po3"), bytes);
  EXPECT_EQ(Work(), 6U);
  EXPECT_THAT(rail_.calls, Not(Contains(HasSubstr("po3"))));
  ExpectSetAside("po3", "its rail record is damaged");
}

// ---- The view -------------------------------------------------------------------------------------------------------

TEST_F(PayoutDamage, OfAViewChangesNothingForItIsDerivedFromTheLedgerAgain) {
  SubmitSix();
  const std::string good = Bytes(View("po3"));
  for (const char* id : {"po1", "po2", "po3", "po4", "po5", "po6"}) Damage(View(id));
  EXPECT_EQ(Get("po3").state, PayoutState::kSubmitted);
  EXPECT_EQ(Get("po3").amount, Amount(300));
  EXPECT_EQ(Get("po3").merchant_id, "m2");
  EXPECT_THAT(List("m2"), SizeIs(2));
  EXPECT_EQ(Work(), 6U);
  Follow();
  EXPECT_EQ(payouts_->followed(), ledger_->Head().sequence);
  // The follower has come to their ends, and written them again.
  NW_ASSERT_OK_AND_ASSIGN(internal::PayoutView view, internal::DecodePayoutView("po3", Bytes(View("po3"))));
  EXPECT_EQ(view.state, PayoutState::kPaid);
  view.state = PayoutState::kRequested;
  view.settled_at = 0;
  EXPECT_EQ(internal::EncodePayoutView(view), good) << "as it was, but for its end";
  for (const char* id : {"po1", "po6"}) EXPECT_EQ(Get(id).state, PayoutState::kPaid);
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(PayoutDamage, OfTheViewOfAnEndedPayoutLeavesItsEndAsItWas) {
  SubmitSix();
  rail_.answers = {{.state = RailState::kPaid}, {.state = RailState::kFailed}};
  Work();
  Apply(OfPayout(EventType::kPayoutReturned, "po1", 60));
  Follow();
  std::vector<Payout> before = List("m1");
  ASSERT_THAT(before, SizeIs(2));
  EXPECT_EQ(before[0].state, PayoutState::kReturned);
  EXPECT_EQ(before[1].state, PayoutState::kFailed);
  Damage(View("po1"));
  Damage(View("po2"));
  const std::vector<Payout> after = List("m1");
  ASSERT_THAT(after, SizeIs(2));
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(after[i].state, before[i].state);
    EXPECT_EQ(after[i].settled_at, before[i].settled_at);
    EXPECT_EQ(after[i].requested_at, before[i].requested_at);
    EXPECT_EQ(after[i].provider_key, before[i].provider_key);
    EXPECT_EQ(after[i].amount, before[i].amount);
  }
  Lose(View("po1"));
  EXPECT_EQ(Listed("m1", 0, 2).state, PayoutState::kReturned) << "it is in the list, and so it was there";
}

TEST_F(PayoutDamage, OfAViewIsNotReadAheadOfTheFollower) {
  SubmitSix();
  Damage(View("po1"));
  Apply(OfPayout(EventType::kPayoutPaid, "po1", 50));
  EXPECT_EQ(Get("po1").state, PayoutState::kSubmitted);
  Follow();
  EXPECT_EQ(Get("po1").state, PayoutState::kPaid);
}

TEST_F(PayoutDamage, OfARejectedOnesViewItIsFoundInTheJournalAndMayBeRequestedAgain) {
  Apply(Captured("pay1", 100));
  Request("po7");
  EXPECT_EQ(Apply(OfPayout(EventType::kPayoutRequested, "po1", 1, 30'000)).status, EventStatus::kRejected);
  clock_.Advance(absl::Seconds(1));
  Request("po8");
  Follow();
  Damage(View("po1"));
  const std::vector<Payout> list = List("m1");
  ASSERT_THAT(list, SizeIs(3));
  EXPECT_EQ(list[1].payout_id, "po1");
  EXPECT_EQ(list[1].state, PayoutState::kRejected);
  EXPECT_EQ(list[1].reason, Reason::kInsufficientFunds);
  EXPECT_EQ(list[1].amount, Amount(30'000));
  EXPECT_EQ(list[1].settled_at, list[1].requested_at);
  EXPECT_THAT(payouts_->GetPayout("po1"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("payout po1: its view")));
  EXPECT_THAT(payouts_->Cancel("po1"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("po1 was rejected")));
  Apply(Captured("pay2", 100'000));
  EXPECT_EQ(Apply(OfPayout(EventType::kPayoutRequested, "po1", 2, 30'000)).status, EventStatus::kApplied);
  Follow();
  EXPECT_EQ(Get("po1").state, PayoutState::kRequested);
  EXPECT_EQ(Work(), 3U);
  Follow();
  EXPECT_EQ(Get("po1").state, PayoutState::kPaid);
  EXPECT_THAT(List("m1"), SizeIs(3)) << "once, though it was requested twice";
}

TEST_F(PayoutDamage, OfTheViewAPayoutIsCanceledAllTheSame) {
  Request();
  Follow();
  Damage(View("po1"));
  EXPECT_THAT(payouts_->Cancel("po1"), IsOk());
  EXPECT_EQ(Merchant().available(), 1000);
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kCanceled);
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(rail_.calls, IsEmpty());
}

// ---- The task -------------------------------------------------------------------------------------------------------

// The scheduler's log is hashed, and so these are what only a host or the memory can have done.
TEST_F(PayoutDamage, OfATaskSetsItsPayoutAside) {
  Request("po1");
  Request("po2");
  Follow();
  NW_ASSERT_OK_AND_ASSIGN(const TaskInfo task, scheduler_->GetTask("nw/payout/po1"));
  NW_ASSERT_OK_AND_ASSIGN(const TaskInfo other, scheduler_->GetTask("nw/payout/po2"));
  std::string more = task.payload;
  const size_t amount = more.find("USD/2") + 5;
  ASSERT_EQ(more.substr(amount, 2), "\xac\x02") << "300";
  more[amount] = '\xad';
  std::string merchant = task.payload;
  merchant[merchant.find("m1") + 1] = '2';
  std::string key = task.payload;
  key[amount + 5] = static_cast<char>(key[amount + 5] ^ 1);
  for (const auto& [payload, why] : std::vector<std::pair<std::string, std::string>>{
           {task.payload.substr(0, 10), "its task is damaged"},
           {other.payload, "its task is damaged"},
           {more, "its task is not what the ledger holds: 301 of USD/2 of merchant m1 against 300 of USD/2 of m1"},
           {merchant, "its task is not what the ledger holds: 300 of USD/2 of merchant m2 against 300 of USD/2 of m1"},
           {key,
            "its task is not what the ledger holds: 300 of USD/2 of merchant m1 against 300 of USD/2 of m1, under "
            "another key"}}) {
    ASSERT_THAT(scheduler_->Schedule({.id = task.id, .queue = task.queue, .key = "m1", .payload = payload}), IsOk());
    for (int i = 0; i < 2; ++i) {  // a redrive does not mend it
      rail_.calls.clear();
      Work();
      EXPECT_THAT(rail_.calls, Not(Contains(HasSubstr("po1")))) << why;
      ExpectSetAside("po1", why);
      EXPECT_EQ(Get("po1").attention, why.substr(0, why.find(':'))) << "nothing of another merchant's";
      EXPECT_EQ(Listed("m1", 0, 2).attention, Get("po1").attention);
      EXPECT_EQ(Get("po1").state, PayoutState::kRequested) << "that the rail was not told is known";
      if (i == 0) Redrive("po1");
    }
  }
  Follow();
  EXPECT_EQ(Get("po2").state, PayoutState::kPaid);
  EXPECT_EQ(Merchant().debits_held, 300U);
  // It can be canceled, and its task ends then.
  EXPECT_THAT(payouts_->Cancel("po1"), IsOk());
  Redrive("po1");
  EXPECT_EQ(Work(), 1U);
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
  EXPECT_EQ(Merchant().debits_held, 0U);
}

TEST_F(PayoutDamage, ATaskOfNoPayoutHoldsUpNone) {
  Request("po1");
  Follow();
  for (const char* id : {"nw/payout/", "nw/payout/a/b", "mine", "nw/payout/unheard-of"}) {
    NW_ASSERT_OK_AND_ASSIGN(const TaskInfo task, scheduler_->GetTask("nw/payout/po1"));
    ASSERT_THAT(scheduler_->Schedule({.id = id, .queue = "nw/payout", .payload = task.payload}), IsOk());
  }
  EXPECT_EQ(Work(), 5U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2"));
  EXPECT_THAT(Dead(), SizeIs(4));
  EXPECT_EQ(Merchant().debits_posted, 300U);
}

// ---- What is everybody's --------------------------------------------------------------------------------------------

TEST_F(PayoutDamage, OfTheCursorStopsAll) {
  SubmitSix();
  Damage(std::string(internal::kPayoutCursorKey));
  payouts_.reset();
  EXPECT_THAT(Payouts::Open({*ledger_, *store_, *scheduler_, *intake_, rail_}, {}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cursor")));
}

TEST_F(PayoutDamage, OfABlockOnDiskStopsAllForItIsNotOnePayoutsAlone) {
  SubmitSix();
  // So that rail records have a block of their own.
  Put("nw/payout/rai!", std::string(256 << 10, 'x'));
  Put("nw/payout/rail~", std::string(256 << 10, 'x'));
  Shut();
  Open();  // what was in the log is in tables now
  Shut();
  size_t flipped = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory_ / "store")) {
    if (file.path().extension() != ".sst") continue;
    std::fstream table(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(table), std::istreambuf_iterator<char>()};
    const size_t keys = bytes.find("nw/payout/rail/po1");
    if (keys == std::string::npos) continue;
    table.clear();
    table.seekp(static_cast<std::streamoff>(bytes.find("timed out", keys)));
    table.put('T');
    ++flipped;
  }
  ASSERT_EQ(flipped, 1U);
  Open();
  clock_.Advance(absl::Minutes(1));
  ASSERT_THAT(payouts_->Start(), IsOk());
  while (payouts_->status().ok() && !Quiet()) std::this_thread::yield();
  payouts_->Stop();
  EXPECT_THAT(payouts_->status(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(".sst")));
  EXPECT_THAT(payouts_->ListPayouts({.merchant_id = "m1"}), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(rail_.calls, IsEmpty());
  EXPECT_THAT(Dead(), IsEmpty());
  EXPECT_EQ(Merchant("m1").debits_held, 600U);
}

}  // namespace
}  // namespace northwind::testing
