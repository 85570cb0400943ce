// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/payout_worker.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/settlement/event_text.h"
#include "src/settlement/payout_reader.h"

namespace northwind::internal {
namespace {

// What an attempt is said to have answered until it has.
constexpr char kNoAnswer[] = "no answer";
constexpr size_t kMaxReasonInEvent = 512;

// Whether a worker must have written a rail record before: an attempt before this one has ended with an answer, or the task was redriven
// (whatever makes it a dead letter writes one). What is missing then must not be taken for a payout that the rail has never
// heard of. Of an attempt that ended unknown it cannot be told: the worker may not have got so far.
bool IsRecordExpected(const ClaimedTask& task) {
  const bool redriven = task.handle.epoch > task.attempt;  // which counts attempts anew
  return redriven || (task.attempt > 1 && !task.previous_unknown);
}

absl::StatusOr<PayoutInstruction> InstructionOf(std::string_view payout_id, const PayoutView& view) {
  NW_ASSIGN_OR_RETURN(Asset asset, Asset::Parse(view.asset));
  return PayoutInstruction{.provider_key = ProviderKey(view.key),
                           .payout_id = std::string(payout_id),
                           .merchant_id = view.merchant,
                           .asset = std::move(asset),
                           .amount = view.amount,
                           .requested_at = absl::FromUnixNanos(view.requested_at)};
}

}  // namespace

absl::StatusOr<PayoutWorker::Hold> PayoutWorker::HoldOf(std::string_view payout_id) const {
  NW_ASSIGN_OR_RETURN(const std::vector<TransactionView> holds,
                      parts_.ledger.FindByReference(EventCode(EventType::kPayoutRequested), payout_id, 1));
  // A payout's reference is unique: where a host has committed something else under it, there is no payout, nor will there be.
  if (holds.empty() || !IsPayoutRequest(holds.front().record.transaction)) return Hold();
  const TransactionView& hold = holds.front();
  const Posting& posting = hold.record.transaction.postings.front();
  return Hold{.found = true,
              .open = !hold.remaining.is_zero(),
              .captured = hold.captured,
              .account = posting.debit,
              .amount = posting.amount,
              .provider_key = ProviderKey(hold.record.transaction.key)};
}

absl::StatusOr<size_t> PayoutWorker::Step(absl::Duration wait) {
  NW_ASSIGN_OR_RETURN(
      std::vector<ClaimedTask> tasks,
      parts_.scheduler.Claim(
          {.queue = std::string(kPayoutQueue), .max = options_.batch, .lease = options_.lease, .wait = wait}));
  std::vector<Job> jobs(tasks.size());
  for (size_t i = 0; i < tasks.size(); ++i) {
    jobs[i].task = std::move(tasks[i]);
    jobs[i].finish.task = jobs[i].task.handle;
    NW_RETURN_IF_ERROR(Load(jobs[i]));
  }
  NW_RETURN_IF_ERROR(Intend(jobs));
  absl::Duration fenced = clock_.Elapsed();
  for (size_t i = 0; i < jobs.size(); ++i) {
    // Those before it took long: nobody else may have these by the time that they are called for.
    if (clock_.Elapsed() - fenced > options_.lease / 2) {
      NW_RETURN_IF_ERROR(Prolong(jobs, i));
      fenced = clock_.Elapsed();
    }
    Call(jobs[i]);
  }
  NW_RETURN_IF_ERROR(Settle(jobs));
  std::vector<Finish> ends;
  for (Job& job : jobs) {
    if (job.lost) continue;
    if (job.kind != Job::Kind::kNothing) {
      job.finish.host_records.push_back({PayoutRailKey(job.payout.payout_id), EncodePayoutRail(job.record)});
    }
    ends.push_back(std::move(job.finish));
  }
  // Stale ones are somebody else's by now, who will ask the rail again.
  NW_RETURN_IF_ERROR(parts_.scheduler.FinishAll(ends).status());
  return jobs.size();
}

absl::Status PayoutWorker::Load(Job& job) const {
  absl::StatusOr<PayoutInstruction> payout = DecodeInstruction(job.task.payload);
  const std::string payout_id(PayoutIdOfTask(job.task.id));
  if (payout_id.empty()) {
    job.damage = absl::StrCat("task ", Printable(job.task.id), " is no payout's");
    return absl::OkStatus();
  }
  NW_ASSIGN_OR_RETURN(RailReading rail, ReadPayoutRail(parts_.store, payout_id, clock_.Now()));
  if (!rail.found && IsRecordExpected(job.task)) {
    rail.record = MayHaveBeenTold(clock_.Now());
    rail.damage = "its rail record is lost";
  }
  job.record = std::move(rail.record);
  job.damage = std::move(rail.damage);
  if (payout.ok() && payout->payout_id == payout_id) {
    job.payout = *std::move(payout);
    return absl::OkStatus();
  }
  job.payout = {.payout_id = payout_id};
  if (job.damage.empty()) job.damage = job.record.attention = "its task is damaged";
  return absl::OkStatus();
}

absl::StatusOr<std::string> PayoutWorker::Compare(const PayoutInstruction& payout, const Hold& hold) const {
  if (!hold.found) return "the ledger has held nothing for it";
  NW_ASSIGN_OR_RETURN(const std::optional<PayoutOwner> owner, PayoutOwnerOf(parts_.ledger, hold.account));
  if (owner == PayoutOwner(payout.merchant_id, payout.asset.ToString()) && payout.amount == hold.amount &&
      payout.provider_key == hold.provider_key) {
    return "";
  }
  const auto& [merchant, asset] = owner.value_or(PayoutOwner("nobody", ""));
  return absl::StrCat("its task is not what the ledger holds: ", payout.amount.ToString(0), " of ",
                      payout.asset.ToString(), " of merchant ", Printable(payout.merchant_id), " against ",
                      hold.amount.ToString(0), " of ", asset, " of ", Printable(merchant),
                      payout.provider_key == hold.provider_key ? "" : ", under another key");
}

void PayoutWorker::SetAside(Job& job) {
  job.finish.verdict = Verdict::kKill;
  job.finish.error =
      absl::StrCat("set aside, the rail was not called: payout ", Printable(job.payout.payout_id), ": ", job.damage);
  if (job.payout.payout_id.empty()) return;
  // One that is damaged becomes one that can be read, in the write that makes the dead letter: whoever redrives it asks.
  job.finish.host_records.push_back({PayoutRailKey(job.payout.payout_id), EncodePayoutRail(job.record)});
}

absl::Status PayoutWorker::Intend(std::vector<Job>& jobs) {
  absl::MutexLock lock(&intent_mutex_);
  std::vector<Extension> leases;
  std::vector<Job*> of;
  std::vector<Finish> aside;
  for (Job& job : jobs) {
    Hold hold;
    if (!job.payout.payout_id.empty()) {
      NW_ASSIGN_OR_RETURN(hold, HoldOf(job.payout.payout_id));
    }
    // Settled before the rail was told: the task is done, whatever it says.
    if (hold.found && !hold.open && job.record.submits == 0) {
      if (!job.record.attention.empty()) {
        job.record.attention.clear();
        job.finish.host_records.push_back({PayoutRailKey(job.payout.payout_id), EncodePayoutRail(job.record)});
      }
      continue;
    }
    if (job.damage.empty()) {
      NW_ASSIGN_OR_RETURN(job.damage, Compare(job.payout, hold));
      // Merchants see it: what the task says may be another's.
      if (!job.damage.empty()) job.record.attention = job.damage.substr(0, job.damage.find(':'));
    }
    if (!job.damage.empty()) {
      SetAside(job);
      aside.push_back(job.finish);
      job.lost = true;
      continue;
    }
    // What was settled by an event from elsewhere after the rail was told is asked about nevertheless: it may have been
    // executed. It is not submitted again, whatever the rail has not found.
    job.settled = !hold.open;
    job.kind = job.record.submitted || job.settled ? Job::Kind::kQuery : Job::Kind::kSubmit;
    RailAttempt attempt{.at = clock_.Now(), .call = RailAttempt::Call::kQuery, .reason = kNoAnswer};
    if (job.kind == Job::Kind::kSubmit) {
      job.record.submitted = true;
      ++job.record.submits;
      attempt.call = RailAttempt::Call::kSubmit;
    } else {
      ++job.record.queries;
    }
    job.record.Add(std::move(attempt));
    leases.push_back({job.task.handle, {{PayoutRailKey(job.payout.payout_id), EncodePayoutRail(job.record)}}});
    of.push_back(&job);
  }
  // At once, not with the others' ends: the calls of those take minutes, and an attempt that does not end would be one more of which it
  // cannot be told what it did.
  if (!aside.empty()) NW_RETURN_IF_ERROR(parts_.scheduler.FinishAll(aside).status());
  NW_ASSIGN_OR_RETURN(const std::vector<FinishOutcome> outcomes, parts_.scheduler.Extend(leases, options_.lease));
  for (size_t i = 0; i < outcomes.size(); ++i) of[i]->lost = outcomes[i] == FinishOutcome::kStale;
  return absl::OkStatus();
}

absl::Status PayoutWorker::Prolong(std::vector<Job>& jobs, size_t next) {
  std::vector<Extension> leases;
  leases.reserve(jobs.size());
  for (const Job& job : jobs) leases.push_back({job.task.handle, {}});
  NW_ASSIGN_OR_RETURN(const std::vector<FinishOutcome> outcomes, parts_.scheduler.Extend(leases, options_.lease));
  for (size_t i = next; i < jobs.size(); ++i) jobs[i].lost = jobs[i].lost || outcomes[i] == FinishOutcome::kStale;
  return absl::OkStatus();
}

RailAnswer PayoutWorker::Ask(const Job& job) const {
  RailAnswer answer;
  try {
    answer = job.kind == Job::Kind::kSubmit ? parts_.rail.Submit(job.payout) : parts_.rail.Query(job.payout);
  } catch (const std::exception& thrown) {
    answer = {.state = RailState::kUnknown, .reason = std::string("the rail threw: ").append(thrown.what())};
  } catch (...) {
    answer = {.state = RailState::kUnknown, .reason = "the rail threw"};
  }
  if (answer.state < RailState::kPaid || answer.state > RailState::kWithheld) answer.state = RailState::kUnknown;
  if (job.kind == Job::Kind::kSubmit && answer.state == RailState::kNotFound) {
    answer.state = RailState::kUnknown;  // no answer to a submission
  }
  answer.reason.resize(std::min(answer.reason.size(), kMaxTaskErrorBytes));
  answer.not_before = std::min(answer.not_before, clock_.Now() + kMaxRailDelay);
  return answer;
}

void PayoutWorker::Call(Job& job) {
  if (job.lost || job.kind == Job::Kind::kNothing) return;
  job.answer = Ask(job);
  RailAttempt& attempt = job.record.attempts.back();
  attempt.answer = job.answer.state;
  attempt.reason = job.answer.reason;
  job.finish.verdict = Verdict::kRetry;
  job.finish.not_before = job.answer.not_before;
  job.finish.error = std::string(Name(job.answer.state));
  if (!job.answer.reason.empty()) job.finish.error.append(": ").append(job.answer.reason);
  if (job.answer.state == RailState::kNotFound && !job.settled) {
    job.record.submitted = false;  // and so the next call submits
    job.finish.not_before = absl::InfinitePast();
  }
  if (job.answer.state == RailState::kWithheld && !job.settled) {
    job.record.submitted = false;
    if (job.kind == Job::Kind::kSubmit) --job.record.submits;
  }
}

bool PayoutWorker::IsFinal(const Job& job) const {
  switch (job.answer.state) {
    case RailState::kPaid:
    case RailState::kFailed:
      return true;
    case RailState::kNotFound:
    case RailState::kWithheld: {
      // Of a settled one, the rail's last word, once nothing can be on its way any more.
      const auto& attempts = job.record.attempts;
      return job.settled && std::none_of(attempts.begin(), attempts.end(), [this](const RailAttempt& attempt) {
               return attempt.call == RailAttempt::Call::kSubmit && attempt.answer != RailState::kWithheld &&
                      attempt.at > clock_.Now() - options_.lease;
             });
    }
    default:
      return false;
  }
}

absl::Status PayoutWorker::Settle(std::vector<Job>& jobs) {
  std::vector<PaymentEvent> events;
  std::vector<Job*> of;
  for (Job& job : jobs) {
    if (job.lost || job.kind == Job::Kind::kNothing || !IsFinal(job)) continue;
    if (job.settled) {
      NW_RETURN_IF_ERROR(Judge(job, ""));
      continue;
    }
    const bool paid = job.answer.state == RailState::kPaid;
    PaymentEvent event{.type = paid ? EventType::kPayoutPaid : EventType::kPayoutFailed,
                       .payout_id = job.payout.payout_id,
                       .occurred_at = clock_.Now(),
                       .merchant_id = job.payout.merchant_id};
    event.metadata[std::string(kProviderKeyMetadata)] = job.payout.provider_key;
    if (!paid && !job.answer.reason.empty() && job.answer.reason.size() <= kMaxReasonInEvent &&
        IsUtf8(job.answer.reason)) {
      event.metadata["reason"] = job.answer.reason;
    }
    events.push_back(std::move(event));
    of.push_back(&job);
  }
  if (events.empty()) return absl::OkStatus();
  const absl::StatusOr<IntakeResult> result = parts_.intake.Apply(events);
  if (absl::IsResourceExhausted(result.status())) {
    // The answers are kept; the rail is asked again when there is room.
    for (Job* job : of) job->finish.error = result.status().ToString();
    return absl::OkStatus();
  }
  NW_RETURN_IF_ERROR(result.status());
  for (size_t i = 0; i < of.size(); ++i) {
    const EventOutcome& outcome = result->outcomes[i];
    NW_RETURN_IF_ERROR(Judge(*of[i], absl::StrCat("; its event: ", ToAbsl(Name(outcome.status)), " ",
                                                  ToAbsl(Name(outcome.reason)), " ", outcome.detail)));
  }
  return absl::OkStatus();
}

absl::Status PayoutWorker::Judge(Job& job, absl::string_view outcome) {
  // By what the ledger holds, not by what became of the event: somebody else's may have been faster, and have said
  // something else.
  NW_ASSIGN_OR_RETURN(const Hold hold, HoldOf(job.payout.payout_id));
  const bool paid = job.answer.state == RailState::kPaid;
  // What the rail withheld, somebody else has paid or not: there is nothing that it contradicts.
  const bool elsewhere = job.answer.state == RailState::kWithheld;
  if (!hold.open && (elsewhere || hold.captured == (paid ? job.payout.amount : Amount()))) {
    job.record.attention.clear();
    job.finish.verdict = Verdict::kComplete;
    return absl::OkStatus();
  }
  const int scale = job.payout.asset.scale;
  job.record.attention = absl::StrCat("the rail says ", ToAbsl(Name(job.answer.state)), ", but in the ledger ",
                                      hold.captured.ToString(scale), " of ", job.payout.amount.ToString(scale),
                                      " are paid and the rest is ", hold.open ? "held" : "released", outcome);
  job.record.attention.resize(std::min(job.record.attention.size(), kMaxTaskErrorBytes));
  job.finish.verdict = Verdict::kKill;
  job.finish.error = job.record.attention;
  return absl::OkStatus();
}

absl::Status PayoutWorker::Cancel(std::string_view payout_id) {
  absl::MutexLock lock(&intent_mutex_);
  NW_ASSIGN_OR_RETURN(const ViewReading reading,
                      ReadPayoutView(parts_.store, parts_.ledger, payout_id, parts_.ledger.Head().sequence));
  if (!reading.view) {
    if (!reading.damaged) return Error(absl::StatusCode::kNotFound, "no payout '", Printable(payout_id), "'");
    return Error(absl::StatusCode::kFailedPrecondition, "payout ", Printable(payout_id),
                 " was rejected: the ledger holds nothing for it");
  }
  const PayoutView& view = *reading.view;
  NW_ASSIGN_OR_RETURN(const Hold hold, HoldOf(payout_id));
  NW_ASSIGN_OR_RETURN(const RailReading rail, ReadPayoutRail(parts_.store, payout_id, clock_.Now()));
  const PayoutRailRecord& record = rail.record;
  if (hold.open && !rail.damage.empty()) {
    return Error(absl::StatusCode::kDataLoss, "payout ", Printable(payout_id),
                 " may have been submitted: ", rail.damage);
  }
  if (hold.open && !rail.found) {
    // Of one that its first worker has at this moment there is none yet, and no intent is made meanwhile.
    const absl::StatusOr<TaskInfo> task = parts_.scheduler.GetTask(PayoutTaskId(payout_id));
    if (!task.ok() && !absl::IsNotFound(task.status())) return task.status();
    if (task.ok() && task->epoch > (task->state == TaskState::kLeased ? 1 : 0)) {
      return Error(absl::StatusCode::kFailedPrecondition, "payout ", Printable(payout_id),
                   " may have been submitted: a worker has had it, and there is no record of what it did");
    }
  }
  // Once submitted, for ever: what the rail has not found may still arrive there. And what it withheld may be paid elsewhere.
  if (!hold.open || record.submits > 0 || !record.attempts.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "payout ", Printable(payout_id),
                 hold.open ? " has been submitted to the rail, or withheld by it" : " is settled");
  }
  // Before the event: what is canceled the batch can never have claimed.
  NW_ASSIGN_OR_RETURN(const PayoutInstruction payout, InstructionOf(payout_id, view));
  NW_RETURN_IF_ERROR(parts_.rail.ClaimToCancel(payout));
  const PaymentEvent event{.type = EventType::kPayoutCanceled,
                           .payout_id = std::string(payout_id),
                           .occurred_at = clock_.Now(),
                           .merchant_id = view.merchant};
  NW_ASSIGN_OR_RETURN(const IntakeResult result, parts_.intake.Apply({&event, 1}));
  const EventOutcome& outcome = result.outcomes.front();
  if (outcome.status == EventStatus::kApplied || outcome.status == EventStatus::kDuplicate) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "payout ", Printable(payout_id),
               " cannot be canceled: ", ToAbsl(Name(outcome.status)), " ", ToAbsl(Name(outcome.reason)));
}

}  // namespace northwind::internal
