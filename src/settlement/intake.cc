// SPDX-License-Identifier: Apache-2.0
//
// Events into the ledger. Decoding runs ahead on other threads; everything that decides runs here, in order, one batch
// after the other: a batch is composed only when the one before it is durable, because what it left parked may have to go
// into this one.
//
// Why the result does not depend on where batches are cut: an event that waits for T stands at the front of the batch
// that brings T. There the ledger defers it again, applies T, and right after T decides it (DeferredPolicy::kRetryInBatch),
// in order of arrival: exactly what happens when both stand in one batch, and when every event is a batch of its own. As
// a batch is atomic, a crash leaves either none of that or all.
#include <algorithm>
#include <atomic>
#include <iterator>
#include <optional>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "northwind/interrupt.h"
#include "src/base/error.h"
#include "src/scheduler/policy.h"
#include "src/settlement/durable_parking.h"
#include "src/settlement/event.h"
#include "src/settlement/parking.h"
#include "src/settlement/prepare.h"
#include "src/settlement/quarantine.h"

namespace northwind {
namespace {

using internal::Delivery;
using internal::DurableParking;
using internal::Error;
using internal::Events;
using internal::ParkedEvent;
using internal::Parking;
using internal::Prepared;
using internal::Subject;
using internal::ToAbsl;

constexpr size_t kMaxWaitingPerTarget = 512;
constexpr int kMaxDecodeThreads = 64;
constexpr size_t kMaxRetries = 1000;  // of one RetryParked
// A batch is closed at this; twice as much always fits the ledger's bound.
constexpr size_t kBatchBytes = kMaxBatchBytes / 2;

// At least what the transaction takes in the journal.
size_t BytesOf(const Transaction& t) {
  constexpr size_t kFixed = 256;  // of an event's transaction: key, times, numbers, two postings
  return kFixed + t.metadata.size() + t.reference.size() + (t.target.has_value() ? t.target->reference.size() : 0);
}

std::string NameOf(const Subject& subject) {
  const std::optional<EventType> type = EventTypeOfCode(subject.code);
  return absl::StrCat(ToAbsl(type.has_value() ? Name(*type) : "transaction"), " ", ToAbsl(subject.reference));
}

// The fields of an event that a field of its transaction is made of.
absl::string_view EventFieldsOf(Field field) {
  switch (field) {
    case Field::kPostings:
      return "amount, fee, merchant_id or direction";
    case Field::kAmount:
      return "amount";
    case Field::kMetadata:
      return "metadata, merchant_id or amount.asset";
    default:
      return ToAbsl(Name(field));
  }
}

// The event's transaction, whole; its accounts are known.
Transaction TakeTransaction(Prepared& event) {
  Transaction transaction = std::move(event.mapped.transaction);
  for (const MappedPosting& posting : event.mapped.postings) {
    transaction.postings.push_back(
        {.debit = event.accounts[posting.debit], .credit = event.accounts[posting.credit], .amount = posting.amount});
  }
  return transaction;
}

EventOutcome Quarantined(QuarantineCause cause, std::string detail, std::optional<EventType> type) {
  return {.status = EventStatus::kQuarantined, .cause = cause, .type = type, .detail = std::move(detail)};
}

// What the ledger's answer (anything but deferred) means for the event.
EventOutcome OutcomeOf(const CommitResult& result, EventType type) {
  EventOutcome outcome{.reason = result.reason, .type = type, .sequence = result.sequence};
  switch (result.outcome) {
    case Outcome::kApplied:
      outcome.status = EventStatus::kApplied;
      break;
    case Outcome::kDuplicate:
      outcome.status = EventStatus::kDuplicate;
      break;
    case Outcome::kRejected:
      outcome.status = result.reason == Reason::kReferenceUsed ? EventStatus::kAlreadySettled : EventStatus::kRejected;
      break;
    case Outcome::kConflict:
      outcome.cause = QuarantineCause::kConflict;
      outcome.detail = absl::StrCat(EventFieldsOf(result.conflict), ": not as in the event recorded under this key at ",
                                    "sequence ", result.sequence.value());
      break;
    case Outcome::kInvalid:
    case Outcome::kDeferred:
      outcome.cause = QuarantineCause::kInvalid;
      outcome.detail = absl::StrCat("posting ", result.posting, ": ", ToAbsl(Name(result.reason)));
      break;
  }
  return outcome;
}

// What is committed at once: parked events that are set free (at the front), then new ones.
struct Batch {
  std::vector<uint64_t> front;            // arrival numbers, ascending
  std::vector<size_t> members;            // places of the new ones in the chunk
  std::vector<Transaction> transactions;  // of the new ones; when it is committed, those of the front come before
  size_t bytes = 0;

  size_t size() const { return front.size() + members.size(); }
};

}  // namespace

class Intake::Core {
 public:
  Core(Ledger& ledger, Store& store, const IntakeOptions& options)
      : options_(options),
        ledger_(ledger),
        quarantine_(store.engine()),
        parking_({.events = options.max_parked,
                  .bytes = options.max_parked_bytes,
                  .per_target = options.max_waiting_per_target}),
        ahead_(options.decode_threads) {
    if (options.scheduler != nullptr) kept_.emplace(*options.scheduler, options.park_policy);
  }

  absl::Status Load() ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<IntakeResult> Apply(const Events& events) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<LateOutcome>> Finish() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<LateOutcome>> RetryParked(size_t limit) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<QuarantinedEvent>> FindQuarantined(absl::Span<const std::string> ids)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<size_t> Discard(absl::Span<const std::string> ids) ABSL_LOCKS_EXCLUDED(mutex_);
  // Keeps them for the next call that returns late outcomes.
  void TellLater(std::vector<LateOutcome>&& late) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t parked() const { return parked_.load(std::memory_order_relaxed); }
  bool parks_durably() const { return options_.scheduler != nullptr; }
  absl::StatusOr<QuarantinePage> ListQuarantine(std::string_view after, size_t limit) const {
    return quarantine_.List(after, limit);
  }

 private:
  // All below: with mutex_ held, by the thread in Apply or Finish.
  absl::Status CommitChunk(std::vector<Prepared>& chunk, size_t first);
  absl::Status ResolveAccounts(std::vector<Prepared>& chunk);
  // Fills in the ids of the accounts that an event needs; false if one is not known.
  bool FindAccounts(Prepared& event) const;
  // Refuses those that need an account beyond the bounds of the ledger.
  absl::Status OpenAccountsOrRefuse(absl::Span<Prepared* const> events);
  absl::Status OpenAccountsOf(absl::Span<Prepared* const> events);
  void SetFree(std::vector<uint64_t> waiting, Batch& batch) const;
  std::vector<uint64_t> WaitingFor(const Subject& subject, const Batch& batch) const;
  absl::Status TryAnew(const std::vector<DurableParking::Due>& due);
  absl::Status Commit(std::vector<Prepared>& chunk, size_t first, Batch& batch);
  absl::Status Deliver(std::vector<Prepared>& chunk, size_t first, Batch& batch,
                       absl::Span<const CommitResult> results);
  absl::Status ParkOrQuarantine(Prepared& event, size_t index, Transaction&& transaction);
  absl::Status Resolve(uint64_t arrival, const CommitResult& result);
  // Takes a parked event out, and its task.
  ParkedEvent Unpark(uint64_t arrival);
  // Gives up on a parked event that is in quarantine by now, or was.
  void GiveUp(uint64_t arrival);
  absl::Status Quarantine(const ParkedEvent& event, QuarantineCause cause, std::string_view detail) {
    return quarantine_.Add({.bytes = event.raw, .position = event.delivery.position, .format = event.format}, cause,
                           detail);
  }
  // Begins a call that was given `events` events.
  void BeginCall(size_t events);
  // Makes what is parked durable, if it is to be.
  absl::Status Flush() {
    return kept_ ? Patiently([this] { return kept_->Flush(); }) : absl::OkStatus();
  }
  // Answers one delivery, of this call or of an earlier one.
  void Answer(const Delivery& delivery, EventOutcome outcome);
  // Calls `work` until it answers anything but ResourceExhausted, or this call has waited long enough.
  template <typename Work>
  absl::Status Patiently(Work work);

  const IntakeOptions options_;
  Ledger& ledger_;
  internal::Quarantine quarantine_;
  std::atomic<size_t> parked_{0};

  absl::Mutex mutex_;
  Parking parking_;
  std::optional<DurableParking> kept_;
  internal::PrepareAhead ahead_;
  absl::flat_hash_map<std::string, AccountId> accounts_;  // every name used so far; as many as the ledger itself holds
  std::vector<LateOutcome> late_;                         // not yet returned
  std::vector<EventOutcome> outcomes_;                    // of this call
  uint64_t first_serial_ = 0;                             // of this call
  uint64_t next_serial_ = 0;
  absl::Duration waited_;  // in this call
};

namespace {

std::string NeverCame(const ParkedEvent& event) {
  return absl::StrCat("never came: ", NameOf(Subject::TargetOf(event.transaction)));
}

}  // namespace

void Intake::Core::BeginCall(size_t events) {
  first_serial_ = next_serial_;
  next_serial_ += events;
  waited_ = absl::ZeroDuration();
  outcomes_.assign(events, EventOutcome());
}

absl::Status Intake::Core::Load() {
  absl::MutexLock lock(&mutex_);
  NW_RETURN_IF_ERROR(quarantine_.Load());
  if (!kept_) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const std::vector<DurableParking::Kept> all, kept_->Load());
  std::vector<RawEvent> raw;
  raw.reserve(all.size());
  for (const DurableParking::Kept& kept : all) {
    raw.push_back({.bytes = kept.raw, .position = kept.position, .format = kept.format});
  }
  BeginCall(raw.size());
  std::vector<Prepared> chunk(raw.size());
  for (size_t i = 0; i < chunk.size(); ++i) internal::Prepare({.raw = raw}, i, chunk[i]);
  NW_RETURN_IF_ERROR(ResolveAccounts(chunk));
  for (size_t i = 0; i < chunk.size(); ++i) {
    Prepared& event = chunk[i];
    if (!event.status.ok()) {  // as by an older version that read events less strictly
      NW_RETURN_IF_ERROR(quarantine_.Add(event.raw, event.cause, std::string(event.status.message())));
      kept_->Remove(event.raw.bytes);
      continue;
    }
    Transaction transaction = TakeTransaction(event);
    if (all[i].given_up) {
      NW_RETURN_IF_ERROR(quarantine_.Add(event.raw, QuarantineCause::kTargetNotFound,
                                         absl::StrCat("never came: ", NameOf(Subject::TargetOf(transaction)))));
      kept_->Remove(event.raw.bytes);
      continue;
    }
    const Parking::Answer answer =
        parking_.Park({.delivery = {.serial = first_serial_ + i, .position = raw[i].position},
                       .format = raw[i].format,
                       .raw = all[i].raw,
                       .transaction = std::move(transaction)});
    if (answer == Parking::Answer::kParked) {
      kept_->Know(all[i].raw, parking_.newest());
    } else {  // the bounds have become narrower
      NW_RETURN_IF_ERROR(quarantine_.Add(event.raw, QuarantineCause::kParkingFull, "parking is full"));
      kept_->Remove(event.raw.bytes);
    }
  }
  parked_.store(parking_.size(), std::memory_order_relaxed);
  NW_RETURN_IF_ERROR(quarantine_.Write());
  return kept_->Flush();
}

absl::StatusOr<IntakeResult> Intake::Core::Apply(const Events& events) {
  absl::MutexLock lock(&mutex_);
  BeginCall(events.size());

  std::vector<Prepared> chunks[2];
  const size_t step = options_.batch_size;
  absl::Status status;
  if (events.size() > 0) ahead_.Start(events, 0, std::min(step, events.size()), chunks[0]);
  for (size_t first = 0, turn = 0; first < events.size() && status.ok(); first += step, turn ^= 1) {
    ahead_.Wait();
    if (first > 0) status = internal::CheckInterrupted();
    if (!status.ok()) break;
    const size_t next = first + step;
    if (next < events.size()) ahead_.Start(events, next, std::min(next + step, events.size()), chunks[turn ^ 1]);
    status = CommitChunk(chunks[turn], first);
  }
  ahead_.Wait();
  parked_.store(parking_.size(), std::memory_order_relaxed);
  // After an error, too: what was parked stays parked.
  const absl::Status flushed = Flush();
  NW_RETURN_IF_ERROR(status);
  NW_RETURN_IF_ERROR(flushed);
  return IntakeResult{.outcomes = std::move(outcomes_), .late = std::exchange(late_, {})};
}

absl::Status Intake::Core::CommitChunk(std::vector<Prepared>& chunk, size_t first) {
  NW_RETURN_IF_ERROR(ResolveAccounts(chunk));
  Batch batch;
  for (size_t i = 0; i < chunk.size(); ++i) {
    Prepared& event = chunk[i];
    if (!event.status.ok()) {
      std::string detail(event.status.message());
      const bool decoded = event.cause != QuarantineCause::kMalformed;
      NW_RETURN_IF_ERROR(quarantine_.Add(event.raw, event.cause, detail));
      outcomes_[first + i] =
          Quarantined(event.cause, std::move(detail), decoded ? std::optional(event.type) : std::nullopt);
      continue;
    }
    Transaction transaction = TakeTransaction(event);
    std::vector<uint64_t> waiting = WaitingFor(Subject::Of(transaction), batch);
    const bool full = batch.size() + waiting.size() + 1 > options_.batch_size || batch.bytes > kBatchBytes;
    if (full && batch.size() > 0) {
      // What an event sets free goes with it into the next batch, whatever this one parks or resolves.
      NW_RETURN_IF_ERROR(Commit(chunk, first, batch));
      waiting = WaitingFor(Subject::Of(transaction), batch);
    }
    SetFree(std::move(waiting), batch);
    batch.bytes += BytesOf(transaction);
    batch.transactions.push_back(std::move(transaction));
    batch.members.push_back(i);
  }
  if (batch.size() > 0) NW_RETURN_IF_ERROR(Commit(chunk, first, batch));
  return Patiently([this] { return quarantine_.Write(); });
}

absl::Status Intake::Core::ResolveAccounts(std::vector<Prepared>& chunk) {
  std::vector<Prepared*> incomplete;
  for (Prepared& event : chunk) {
    if (event.status.ok() && !FindAccounts(event)) incomplete.push_back(&event);
  }
  if (incomplete.empty()) return absl::OkStatus();
  NW_RETURN_IF_ERROR(OpenAccountsOrRefuse(absl::MakeConstSpan(incomplete)));
  for (Prepared* event : incomplete) {
    NW_CHECK(!event->status.ok() || FindAccounts(*event), "every account that an event needs is open");
  }
  return absl::OkStatus();
}

bool Intake::Core::FindAccounts(Prepared& event) const {
  event.accounts.clear();
  for (const AccountSpec& spec : event.mapped.accounts) {
    const auto known = accounts_.find(spec.name);
    if (known == accounts_.end()) return false;
    event.accounts.push_back(known->second);
  }
  return true;
}

absl::Status Intake::Core::OpenAccountsOrRefuse(absl::Span<Prepared* const> events) {
  absl::Status status = OpenAccountsOf(events);
  if (!absl::IsOutOfRange(status)) return status;
  if (events.size() == 1) {
    events[0]->cause = QuarantineCause::kInvalid;
    events[0]->status = std::move(status);
    return absl::OkStatus();
  }
  // All or none were opened. In halves, in order: what there is room for is not refused for the sake of another.
  const size_t half = events.size() / 2;
  NW_RETURN_IF_ERROR(OpenAccountsOrRefuse(events.first(half)));
  return OpenAccountsOrRefuse(events.subspan(half));
}

absl::Status Intake::Core::OpenAccountsOf(absl::Span<Prepared* const> events) {
  absl::flat_hash_map<std::string_view, const AccountSpec*> missing;
  for (const Prepared* event : events) {
    for (const AccountSpec& spec : event->mapped.accounts) {
      if (!accounts_.contains(spec.name)) missing.emplace(spec.name, &spec);
    }
  }
  std::vector<AccountSpec> specs;
  for (const auto& [name, spec] : missing) {
    // An account that the host opened with terms of its own, such as a credit line, is used as it is.
    const absl::StatusOr<AccountId> id = ledger_.FindAccount(name);
    if (id.ok()) {
      accounts_.emplace(name, *id);
    } else if (absl::IsNotFound(id.status())) {
      specs.push_back(*spec);
    } else {
      return id.status();
    }
  }
  if (specs.empty()) return absl::OkStatus();
  // By name, so that ids do not depend on the order of a hash table.
  std::sort(specs.begin(), specs.end(), [](const AccountSpec& a, const AccountSpec& b) { return a.name < b.name; });
  std::vector<AccountId> ids;
  NW_RETURN_IF_ERROR(Patiently([&]() -> absl::Status {
    NW_ASSIGN_OR_RETURN(ids, ledger_.OpenAccounts(specs));
    return absl::OkStatus();
  }));
  for (size_t i = 0; i < specs.size(); ++i) accounts_.emplace(specs[i].name, ids[i]);
  return absl::OkStatus();
}

std::vector<uint64_t> Intake::Core::WaitingFor(const Subject& subject, const Batch& batch) const {
  if (parking_.empty()) return {};
  std::vector<uint64_t> waiting = parking_.WaitingFor(subject);
  std::erase_if(waiting, [&batch](uint64_t arrival) {
    return std::binary_search(batch.front.begin(), batch.front.end(), arrival);
  });
  return waiting;
}

void Intake::Core::SetFree(std::vector<uint64_t> waiting, Batch& batch) const {
  if (waiting.empty()) return;
  for (const uint64_t arrival : waiting) batch.bytes += BytesOf(parking_.Find(arrival)->transaction);
  const auto middle = batch.front.insert(batch.front.end(), waiting.begin(), waiting.end());
  std::inplace_merge(batch.front.begin(), middle, batch.front.end());
}

absl::Status Intake::Core::Commit(std::vector<Prepared>& chunk, size_t first, Batch& batch) {
  if (!batch.front.empty()) {
    std::vector<Transaction> front;
    front.reserve(batch.size());
    for (const uint64_t arrival : batch.front) front.push_back(parking_.Find(arrival)->transaction);
    std::move(batch.transactions.begin(), batch.transactions.end(), std::back_inserter(front));
    batch.transactions = std::move(front);
  }
  std::vector<CommitResult> results;
  NW_RETURN_IF_ERROR(Patiently([&]() -> absl::Status {
    NW_ASSIGN_OR_RETURN(results, ledger_.Commit(batch.transactions, {.deferred = DeferredPolicy::kRetryInBatch}));
    return absl::OkStatus();
  }));
  NW_RETURN_IF_ERROR(Deliver(chunk, first, batch, results));
  batch = Batch();
  return absl::OkStatus();
}

absl::Status Intake::Core::Deliver(std::vector<Prepared>& chunk, size_t first, Batch& batch,
                                   absl::Span<const CommitResult> results) {
  // The batch is durable: after an error of the quarantine all the others are still to be taken note of.
  absl::Status status;
  for (size_t i = 0; i < batch.front.size(); ++i) {
    if (results[i].outcome == Outcome::kDeferred) continue;  // what it waits for was not applied: it stays parked
    status.Update(Resolve(batch.front[i], results[i]));
  }
  for (size_t i = 0; i < batch.members.size(); ++i) {
    const CommitResult& result = results[batch.front.size() + i];
    Prepared& event = chunk[batch.members[i]];
    const size_t index = first + batch.members[i];
    if (result.outcome == Outcome::kDeferred && result.reason == Reason::kTargetNotFound) {
      status.Update(ParkOrQuarantine(event, index, std::move(batch.transactions[batch.front.size() + i])));
      continue;
    }
    EventOutcome outcome = OutcomeOf(result, event.type);
    if (outcome.status == EventStatus::kQuarantined) {
      status.Update(quarantine_.Add(event.raw, outcome.cause, outcome.detail));
    } else {
      quarantine_.Settled(event.raw.bytes);
    }
    outcomes_[index] = std::move(outcome);
  }
  return status;
}

absl::Status Intake::Core::ParkOrQuarantine(Prepared& event, size_t index, Transaction&& transaction) {
  const std::string target = NameOf(Subject::TargetOf(transaction));
  const Parking::Answer answer =
      parking_.Park({.delivery = {.serial = first_serial_ + index, .position = event.raw.position},
                     .format = event.raw.format,
                     .raw = std::string(event.raw.bytes),
                     .transaction = std::move(transaction)});
  if (answer == Parking::Answer::kParked && kept_) kept_->Add(event.raw, parking_.newest());
  if (answer == Parking::Answer::kParked || answer == Parking::Answer::kCopy) {
    outcomes_[index] = {.status = EventStatus::kParked,
                        .reason = Reason::kTargetNotFound,
                        .type = event.type,
                        .detail = absl::StrCat("waits for ", target)};
    return absl::OkStatus();
  }
  std::string detail = answer == Parking::Answer::kTargetFull
                           ? absl::StrCat("more than ", options_.max_waiting_per_target, " events wait for ", target)
                           : absl::StrCat("parking is full; it would wait for ", target);
  NW_RETURN_IF_ERROR(quarantine_.Add(event.raw, QuarantineCause::kParkingFull, detail));
  outcomes_[index] = Quarantined(QuarantineCause::kParkingFull, std::move(detail), event.type);
  return absl::OkStatus();
}

absl::Status Intake::Core::Resolve(uint64_t arrival, const CommitResult& result) {
  const ParkedEvent& parked = *parking_.Find(arrival);
  const EventOutcome outcome = OutcomeOf(result, *EventTypeOfCode(parked.transaction.code));
  EventOutcome of_copies = outcome;
  if (outcome.status == EventStatus::kQuarantined) {
    NW_RETURN_IF_ERROR(Quarantine(parked, outcome.cause, outcome.detail));
  } else {
    quarantine_.Settled(parked.raw);
    of_copies.status = EventStatus::kDuplicate;
  }
  const ParkedEvent event = Unpark(arrival);
  Answer(event.delivery, outcome);
  for (const Delivery& copy : event.copies) Answer(copy, of_copies);
  return absl::OkStatus();
}

ParkedEvent Intake::Core::Unpark(uint64_t arrival) {
  if (kept_) kept_->Remove(arrival);
  return parking_.Remove(arrival);
}

void Intake::Core::GiveUp(uint64_t arrival) {
  const ParkedEvent event = Unpark(arrival);
  const EventOutcome outcome =
      Quarantined(QuarantineCause::kTargetNotFound, NeverCame(event), EventTypeOfCode(event.transaction.code));
  Answer(event.delivery, outcome);
  for (const Delivery& copy : event.copies) Answer(copy, outcome);
}

void Intake::Core::Answer(const Delivery& delivery, EventOutcome outcome) {
  if (delivery.serial >= first_serial_ && delivery.serial - first_serial_ < outcomes_.size()) {
    outcomes_[delivery.serial - first_serial_] = std::move(outcome);
  } else {
    late_.push_back({.position = delivery.position, .outcome = std::move(outcome)});
  }
}

template <typename Work>
absl::Status Intake::Core::Patiently(Work work) {
  absl::Duration pause = absl::Milliseconds(1);
  while (true) {
    absl::Status status = work();
    if (!absl::IsResourceExhausted(status) || waited_ >= options_.max_wait) return status;
    absl::SleepFor(pause);
    waited_ += pause;
    pause = std::min(2 * pause, absl::Milliseconds(100));
  }
}

absl::StatusOr<std::vector<LateOutcome>> Intake::Core::Finish() {
  constexpr size_t kSlice = 1000;  // events made durable at a time
  absl::MutexLock lock(&mutex_);
  BeginCall(0);
  while (!parking_.empty()) {
    const std::vector<uint64_t> slice = parking_.Oldest(kSlice);
    for (const uint64_t arrival : slice) {
      const ParkedEvent& event = *parking_.Find(arrival);
      NW_RETURN_IF_ERROR(Quarantine(event, QuarantineCause::kTargetNotFound, NeverCame(event)));
    }
    NW_RETURN_IF_ERROR(Patiently([this] { return quarantine_.Write(); }));
    for (const uint64_t arrival : slice) GiveUp(arrival);
    parked_.store(parking_.size(), std::memory_order_relaxed);
    NW_RETURN_IF_ERROR(Flush());
  }
  return std::exchange(late_, {});
}

absl::Status Intake::Core::TryAnew(const std::vector<DurableParking::Due>& due) {
  std::vector<uint64_t> arrivals;
  arrivals.reserve(due.size());
  for (const DurableParking::Due& one : due) arrivals.push_back(one.arrival);
  std::sort(arrivals.begin(), arrivals.end());
  std::vector<Prepared> none;
  Batch batch;
  for (const uint64_t arrival : arrivals) {
    const ParkedEvent* event = parking_.Find(arrival);
    if (event == nullptr) continue;  // resolved by a batch before
    // With all that wait for the same, or in turn for those: due or not, they are applied in the order in which they came.
    std::vector<uint64_t> waiting = WaitingFor(Subject::TargetOf(event->transaction), batch);
    if (batch.size() > 0 && batch.size() + waiting.size() > options_.batch_size) {
      NW_RETURN_IF_ERROR(Commit(none, 0, batch));
      event = parking_.Find(arrival);
      if (event == nullptr) continue;
      waiting = WaitingFor(Subject::TargetOf(event->transaction), batch);
    }
    SetFree(std::move(waiting), batch);
    if (batch.bytes > kBatchBytes) NW_RETURN_IF_ERROR(Commit(none, 0, batch));
  }
  return batch.size() > 0 ? Commit(none, 0, batch) : absl::OkStatus();
}

absl::StatusOr<std::vector<LateOutcome>> Intake::Core::RetryParked(size_t limit) {
  absl::MutexLock lock(&mutex_);
  if (!kept_) return absl::FailedPreconditionError("intake: parked events are in memory, without a scheduler");
  BeginCall(0);
  NW_ASSIGN_OR_RETURN(std::vector<DurableParking::Due> due, kept_->Claim(limit));
  NW_RETURN_IF_ERROR(TryAnew(due));
  std::erase_if(due, [this](const DurableParking::Due& one) { return parking_.Find(one.arrival) == nullptr; });
  NW_ASSIGN_OR_RETURN(const std::vector<uint64_t> given_up, kept_->WaitOn(due));
  for (const uint64_t arrival : given_up) {
    const ParkedEvent& event = *parking_.Find(arrival);
    NW_RETURN_IF_ERROR(Quarantine(event, QuarantineCause::kTargetNotFound, NeverCame(event)));
  }
  NW_RETURN_IF_ERROR(Patiently([this] { return quarantine_.Write(); }));
  for (const uint64_t arrival : given_up) GiveUp(arrival);
  parked_.store(parking_.size(), std::memory_order_relaxed);
  NW_RETURN_IF_ERROR(Flush());
  return std::exchange(late_, {});
}

// ---- Quarantine ---------------------------------------------------------------------------------------------

absl::StatusOr<std::vector<QuarantinedEvent>> Intake::Core::FindQuarantined(absl::Span<const std::string> ids) {
  absl::MutexLock lock(&mutex_);
  std::vector<QuarantinedEvent> events;
  for (const std::string& id : ids) {
    NW_ASSIGN_OR_RETURN(std::optional<QuarantinedEvent> event, quarantine_.Find(id));
    if (!event) {
      return Error(absl::StatusCode::kNotFound, "quarantine: no event ", absl::BytesToHexString(id.substr(0, 64)));
    }
    events.push_back(*std::move(event));
  }
  return events;
}

void Intake::Core::TellLater(std::vector<LateOutcome>&& late) {
  absl::MutexLock lock(&mutex_);
  late_.insert(late_.begin(), std::make_move_iterator(late.begin()), std::make_move_iterator(late.end()));
}

absl::StatusOr<size_t> Intake::Core::Discard(absl::Span<const std::string> ids) {
  absl::MutexLock lock(&mutex_);
  BeginCall(0);
  const std::set<std::string_view> distinct(ids.begin(), ids.end());
  size_t count = 0;
  std::vector<uint64_t> parked;
  for (const std::string_view id : distinct) {
    NW_ASSIGN_OR_RETURN(const std::optional<QuarantinedEvent> event, quarantine_.Find(id));
    if (!event) continue;
    quarantine_.Discard(*event);
    ++count;
    // What was redriven and waits again must not be applied any more.
    const RawEvent raw{.bytes = event->raw, .position = event->position, .format = event->format};
    Prepared prepared;
    internal::Prepare({.raw = {&raw, 1}}, 0, prepared);
    if (!prepared.status.ok()) continue;
    const std::optional<uint64_t> arrival = parking_.FindRaw(prepared.mapped.transaction.key, event->raw);
    if (arrival) parked.push_back(*arrival);
  }
  NW_RETURN_IF_ERROR(Patiently([this] { return quarantine_.Write(); }));
  for (const uint64_t arrival : parked) GiveUp(arrival);
  parked_.store(parking_.size(), std::memory_order_relaxed);
  NW_RETURN_IF_ERROR(Flush());
  return count;
}

// ---- The front ----------------------------------------------------------------------------------------------

Intake::Intake(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Intake::~Intake() = default;

absl::StatusOr<std::unique_ptr<Intake>> Intake::Open(Ledger& ledger, Store& store, const IntakeOptions& options) {
  const auto refuse = [](absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("intake: ", what)); };
  if (options.batch_size < 1 || options.batch_size > kMaxBatchTransactions)
    return refuse("batch_size must be 1 to 8190");
  if (options.max_waiting_per_target < 1 || options.max_waiting_per_target > kMaxWaitingPerTarget) {
    return refuse("max_waiting_per_target must be 1 to 512");
  }
  if (options.decode_threads < 0 || options.decode_threads > kMaxDecodeThreads) {
    return refuse("decode_threads must be 0 to 64");
  }
  if (options.max_wait < absl::ZeroDuration()) return refuse("max_wait must not be negative");
  if (options.park_policy.delays.empty() && options.park_policy.max_attempts == 0 &&
      options.park_policy.max_age == absl::InfiniteDuration()) {
    return refuse("park_policy must end");
  }
  NW_RETURN_IF_ERROR(internal::CheckPolicy(options.park_policy));
  auto core = std::make_unique<Core>(ledger, store, options);
  NW_RETURN_IF_ERROR(core->Load());
  return std::unique_ptr<Intake>(new Intake(std::move(core)));
}

absl::StatusOr<IntakeResult> Intake::Apply(absl::Span<const RawEvent> events) { return core_->Apply({.raw = events}); }

absl::StatusOr<IntakeResult> Intake::Apply(absl::Span<const PaymentEvent> events, uint64_t first_position) {
  return core_->Apply({.built = events, .first_position = first_position});
}

absl::StatusOr<std::vector<LateOutcome>> Intake::Finish() { return core_->Finish(); }
size_t Intake::parked() const { return core_->parked(); }
bool Intake::parks_durably() const { return core_->parks_durably(); }

absl::StatusOr<std::vector<LateOutcome>> Intake::RetryParked(size_t limit) {
  if (limit < 1 || limit > kMaxRetries) {
    return Error(absl::StatusCode::kInvalidArgument, "RetryParked takes 1 to ", kMaxRetries, " events, not ", limit);
  }
  return core_->RetryParked(limit);
}

absl::StatusOr<std::vector<EventOutcome>> Intake::RedriveQuarantined(absl::Span<const std::string> ids) {
  if (ids.size() > kMaxQuarantinePage) {
    return Error(absl::StatusCode::kInvalidArgument, "at most ", kMaxQuarantinePage, " events, not ", ids.size());
  }
  NW_ASSIGN_OR_RETURN(const std::vector<QuarantinedEvent> events, core_->FindQuarantined(ids));
  std::vector<EventOutcome> outcomes(events.size());
  std::vector<RawEvent> raw;
  std::vector<size_t> places;
  for (size_t i = 0; i < events.size(); ++i) {
    const QuarantinedEvent& event = events[i];
    if (event.raw.size() < event.raw_size) {  // not the event, only its beginning
      outcomes[i] = Quarantined(event.cause, event.detail, std::nullopt);
      continue;
    }
    raw.push_back({.bytes = event.raw, .position = event.position, .format = event.format});
    places.push_back(i);
  }
  NW_ASSIGN_OR_RETURN(IntakeResult result, core_->Apply({.raw = raw}));
  core_->TellLater(std::move(result.late));
  for (size_t i = 0; i < places.size(); ++i) outcomes[places[i]] = std::move(result.outcomes[i]);
  return outcomes;
}

absl::StatusOr<size_t> Intake::DiscardQuarantined(absl::Span<const std::string> ids) { return core_->Discard(ids); }

absl::StatusOr<QuarantinePage> Intake::ListQuarantine(std::string_view after, size_t limit) const {
  return core_->ListQuarantine(after, limit);
}

}  // namespace northwind
