// SPDX-License-Identifier: Apache-2.0
//
// The front of payouts: their threads, and what can be read of them.
#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "northwind/payout.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/scheduler/policy.h"
#include "src/settlement/event_text.h"
#include "src/settlement/payout_follower.h"
#include "src/settlement/payout_reader.h"
#include "src/settlement/payout_record.h"
#include "src/settlement/payout_worker.h"
#include "src/store/engine.h"

namespace northwind {

using internal::Cursor;
using internal::Error;
using internal::PayoutRailRecord;
using internal::PayoutView;
using internal::Printable;
using internal::Space;

namespace {

constexpr size_t kMaxLooks = 10'000;
constexpr size_t kMaxBatch = 256;
// Every rail record of a batch, as long as it may become, fits one call of the scheduler.
static_assert(kMaxBatch * (kMaxRailAttempts + 2) * (kMaxTaskErrorBytes + 32) <= kMaxTaskCallBytes);
constexpr absl::Duration kWait = absl::Milliseconds(500);  // how long threads wait before they look whether to stop
constexpr size_t kFollowPage = 1000;

}  // namespace

RetryPolicy PayoutOptions::DefaultPolicy() {
  RetryPolicy policy;
  policy.cap = absl::Minutes(15);
  policy.jitter = Jitter::kEqual;
  return policy;
}

// Whoever claims and does not answer this would let the batch pay what is canceled.
absl::Status PayoutRail::ClaimToCancel(const PayoutInstruction& payout) {
  if (!ClaimsFirst()) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "payout ", Printable(payout.payout_id),
               " cannot be canceled: its rail claims first, and does not claim to cancel");
}

class Payouts::Core {
 public:
  Core(const Parts& parts, const PayoutOptions& options)
      : parts_(parts),
        options_(options),
        follower_(parts.ledger, parts.store, parts.scheduler, options.policy),
        worker_(parts, options, options.clock != nullptr ? *options.clock : *Clock::System()) {}
  ~Core() {
    Stop();
    parts_.store.engine().ReleaseSlot(internal::Engine::Slot::kPayouts);
  }

  absl::Status Load() { return follower_.Load(); }
  absl::Status Start();
  void Stop();
  absl::Status status() const {
    absl::MutexLock lock(&mutex_);
    return status_;
  }
  absl::StatusOr<size_t> FollowOnce(size_t limit, absl::Time deadline) {
    absl::MutexLock lock(&follow_mutex_);
    return follower_.Step(limit, deadline);
  }
  absl::StatusOr<size_t> WorkOnce() { return worker_.Step(absl::ZeroDuration()); }
  absl::Status Cancel(std::string_view payout_id) { return worker_.Cancel(payout_id); }
  absl::StatusOr<Payout> Get(std::string_view payout_id) const;
  absl::StatusOr<PayoutPage> List(const PayoutQuery& query) const;
  Sequence followed() const { return follower_.position(); }

 private:
  template <typename StepOnce>
  void Loop(const StepOnce& step);
  absl::StatusOr<PayoutRailRecord> RailRecordOf(std::string_view payout_id, const PayoutView& view) const;
  // The view of an entry of the list; nothing if it is one of a request that was made again.
  absl::StatusOr<std::optional<PayoutView>> ListedView(std::string_view payout_id, int64_t requested_at) const;
  absl::StatusOr<Payout> Describe(std::string_view payout_id, const PayoutView& view,
                                  const PayoutRailRecord& record) const;
  absl::Status AddEvents(EventType type, Payout& payout) const;
  absl::Status AddTimeline(const PayoutView& view, const PayoutRailRecord& record, Payout& payout) const;

  const Parts parts_;
  const PayoutOptions options_;
  absl::Mutex follow_mutex_;
  internal::PayoutFollower follower_;
  internal::PayoutWorker worker_;

  absl::Mutex lifecycle_mutex_;  // before mutex_; held while threads begin and end
  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> stopping_{false};
};

absl::Status Payouts::Core::Start() {
  absl::MutexLock one_at_a_time(&lifecycle_mutex_);
  absl::MutexLock lock(&mutex_);
  if (!threads_.empty()) return absl::FailedPreconditionError("payouts have been started");
  stopping_ = false;
  status_ = absl::OkStatus();
  threads_.emplace_back([this] { Loop([this] { return FollowOnce(kFollowPage, absl::Now() + kWait).status(); }); });
  for (int i = 0; i < options_.workers; ++i) {
    threads_.emplace_back([this] { Loop([this] { return worker_.Step(kWait).status(); }); });
  }
  return absl::OkStatus();
}

template <typename StepOnce>
void Payouts::Core::Loop(const StepOnce& step) {
  while (!stopping_) {
    const absl::Status status = step();
    if (status.ok()) continue;
    if (absl::IsResourceExhausted(status)) {  // a full disk or queue: in a while, again
      absl::SleepFor(kWait / 5);
      continue;
    }
    absl::MutexLock lock(&mutex_);
    if (status_.ok() && !stopping_) status_ = status;
    stopping_ = true;
  }
}

void Payouts::Core::Stop() {
  absl::MutexLock one_at_a_time(&lifecycle_mutex_);
  stopping_ = true;
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

absl::StatusOr<PayoutRailRecord> Payouts::Core::RailRecordOf(std::string_view payout_id, const PayoutView& view) const {
  NW_ASSIGN_OR_RETURN(internal::RailReading reading,
                      internal::ReadPayoutRail(parts_.store, payout_id, absl::FromUnixNanos(view.requested_at)));
  return std::move(reading.record);
}

absl::StatusOr<Payout> Payouts::Core::Describe(std::string_view payout_id, const PayoutView& view,
                                               const PayoutRailRecord& record) const {
  NW_ASSIGN_OR_RETURN(const Asset asset, Asset::Parse(view.asset));
  Payout payout{.payout_id = std::string(payout_id),
                .merchant_id = view.merchant,
                .asset = asset,
                .amount = view.amount,
                .state = view.state,
                .reason = view.reason,
                .requested_at = absl::FromUnixNanos(view.requested_at),
                .settled_at = view.settled_at == 0 ? absl::InfinitePast() : absl::FromUnixNanos(view.settled_at),
                .provider_key = internal::ProviderKey(view.key),
                .submits = record.submits,
                .queries = record.queries,
                .attention = record.attention};
  if (view.state == PayoutState::kRequested && record.submits > 0) payout.state = PayoutState::kSubmitted;
  return payout;
}

absl::Status Payouts::Core::AddEvents(EventType type, Payout& payout) const {
  NW_ASSIGN_OR_RETURN(const std::vector<TransactionView> events,
                      parts_.ledger.FindByReference(EventCode(type), payout.payout_id));
  for (const TransactionView& event : events) {
    payout.timeline.push_back(
        {.at = event.recorded_at, .what = std::string(northwind::Name(type)), .sequence = event.sequence});
  }
  return absl::OkStatus();
}

absl::Status Payouts::Core::AddTimeline(const PayoutView& view, const PayoutRailRecord& record, Payout& payout) const {
  if (view.state == PayoutState::kRejected) {
    payout.timeline.push_back(
        {.at = payout.requested_at, .what = "rejected", .detail = std::string(northwind::Name(view.reason))});
  }
  // In the order in which what happens at one moment belongs.
  NW_RETURN_IF_ERROR(AddEvents(EventType::kPayoutRequested, payout));
  for (const RailAttempt& attempt : record.attempts) {
    std::string detail(northwind::Name(attempt.answer));
    if (!attempt.reason.empty()) detail.append(": ").append(attempt.reason);
    payout.timeline.push_back({.at = attempt.at,
                               .what = attempt.call == RailAttempt::Call::kSubmit ? "submit" : "query",
                               .detail = std::move(detail)});
  }
  for (const EventType type :
       {EventType::kPayoutPaid, EventType::kPayoutFailed, EventType::kPayoutCanceled, EventType::kPayoutReturned}) {
    NW_RETURN_IF_ERROR(AddEvents(type, payout));
  }
  std::stable_sort(payout.timeline.begin(), payout.timeline.end(),
                   [](const PayoutMoment& a, const PayoutMoment& b) { return a.at < b.at; });
  return absl::OkStatus();
}

absl::StatusOr<Payout> Payouts::Core::Get(std::string_view payout_id) const {
  NW_ASSIGN_OR_RETURN(const internal::ViewReading reading,
                      internal::ReadPayoutView(parts_.store, parts_.ledger, payout_id, followed()));
  if (!reading.view) {
    if (!reading.damaged) return Error(absl::StatusCode::kNotFound, "no payout '", Printable(payout_id), "'");
    return Error(absl::StatusCode::kDataLoss, "payout ", Printable(payout_id),
                 ": its view is damaged, and the ledger holds nothing for it");
  }
  const PayoutView& view = *reading.view;
  NW_ASSIGN_OR_RETURN(const PayoutRailRecord record, RailRecordOf(payout_id, view));
  NW_ASSIGN_OR_RETURN(Payout payout, Describe(payout_id, view, record));
  NW_RETURN_IF_ERROR(AddTimeline(view, record, payout));
  const absl::StatusOr<TaskInfo> task = parts_.scheduler.GetTask(internal::PayoutTaskId(payout_id));
  if (task.ok() && task->state == TaskState::kWaiting) payout.next_attempt = task->due;
  if (!task.ok() && !absl::IsNotFound(task.status())) return task.status();
  return payout;
}

absl::StatusOr<std::optional<PayoutView>> Payouts::Core::ListedView(std::string_view payout_id,
                                                                    int64_t requested_at) const {
  NW_ASSIGN_OR_RETURN(internal::ViewReading reading,
                      internal::ReadPayoutView(parts_.store, parts_.ledger, payout_id, followed()));
  // Where there is an entry there has been a view.
  if (!reading.view && !reading.damaged) {
    NW_ASSIGN_OR_RETURN(reading.view, internal::DerivePayoutView(parts_.ledger, payout_id, followed()));
  }
  // One that was rejected more than once is shown each time then: which request was the last only the view has known.
  if (!reading.view) {
    NW_ASSIGN_OR_RETURN(reading.view, internal::ViewOfRequestAt(parts_.ledger, payout_id, requested_at));
  }
  if (!reading.view) {
    return Error(absl::StatusCode::kDataLoss, "payout ", Printable(payout_id),
                 ": its view is damaged, and the journal has no such request at ",
                 absl::FormatTime(absl::FromUnixNanos(requested_at), absl::UTCTimeZone()));
  }
  if (reading.view->requested_at != requested_at) reading.view.reset();  // requested again, after it was rejected
  return std::move(reading.view);
}

absl::StatusOr<PayoutPage> Payouts::Core::List(const PayoutQuery& query) const {
  if (query.limit < 1 || query.limit > kMaxPayoutPage) {
    return Error(absl::StatusCode::kInvalidArgument, "a page holds 1 to ", kMaxPayoutPage, " payouts, not ",
                 query.limit);
  }
  if (query.merchant_id.empty() || !internal::IsIdText(query.merchant_id, internal::Colon::kRefused)) {
    return absl::InvalidArgumentError("payouts are listed by a merchant's id");
  }
  const std::string prefix = internal::PayoutListPrefix(query.merchant_id);
  const bool forward = query.direction == Direction::kForward;
  const absl::Time first = std::max(forward ? query.from : query.before, absl::UnixEpoch());
  std::string start = prefix;
  internal::PutBigEndian64(start, static_cast<uint64_t>(absl::ToUnixNanos(first)));
  if (!forward) start.push_back('\xff');  // behind all ids of that moment
  if (!query.after.empty()) {
    std::string after;
    if (query.after.size() % 2 != 0 || query.after.size() > 2 * kMaxHostKeyBytes) {
      return absl::InvalidArgumentError("payouts: `after` is not what a page gave");
    }
    after = absl::HexStringToBytes(query.after);
    start = forward ? std::max(start, prefix + after) : std::min(start, prefix + after);
  }
  PayoutPage page;
  std::string last;
  Cursor cursor = parts_.store.engine().NewCursor(Space::kHost);
  size_t looks = 0;
  if (forward) cursor.Seek(start);
  if (!forward) cursor.SeekForPrev(start);
  for (; cursor.Valid() && cursor.key().starts_with(prefix); forward ? cursor.Next() : cursor.Prev(), ++looks) {
    const std::string_view rest = cursor.key().substr(prefix.size());
    if (rest.size() <= 8) {
      return Error(absl::StatusCode::kDataLoss, "payouts: a key of merchant ", Printable(query.merchant_id),
                   "'s list is damaged: ", absl::CHexEscape(internal::ToAbsl(cursor.key())));
    }
    const auto requested_at = static_cast<int64_t>(internal::LoadBigEndian64(rest.data()));
    const absl::Time at = absl::FromUnixNanos(requested_at);
    if (forward ? at >= query.before : at < query.from) break;
    if (!forward && at >= query.before) continue;  // of the very moment that the walk begins at
    if (!query.after.empty() && cursor.key() == start) continue;
    if (page.payouts.size() == query.limit || looks >= kMaxLooks) {
      page.next = absl::BytesToHexString(last);
      break;
    }
    last = rest;
    const std::string payout_id(rest.substr(8));
    NW_ASSIGN_OR_RETURN(const std::optional<PayoutView> view, ListedView(payout_id, requested_at));
    if (!view) continue;
    NW_ASSIGN_OR_RETURN(const PayoutRailRecord record, RailRecordOf(payout_id, *view));
    NW_ASSIGN_OR_RETURN(Payout payout, Describe(payout_id, *view, record));
    if (!query.state || payout.state == *query.state) page.payouts.push_back(std::move(payout));
  }
  NW_RETURN_IF_ERROR(cursor.status());
  return page;
}

// ---- The front ------------------------------------------------------------------------------------------------------

Payouts::Payouts(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Payouts::~Payouts() = default;

namespace {

// What src/cutover keeps, which stands above this.
constexpr std::string_view kCutoverSettingsKey = "nw/cutover/settings";

// Where both pay, each payment would be paid twice without claims.
absl::Status CheckClaims(const Payouts::Parts& parts, const PayoutOptions& options) {
  if (options.batch_system == BatchSystem::kGone || parts.rail.ClaimsFirst()) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const auto cutover, parts.store.Get(kCutoverSettingsKey));
  if (!cutover.has_value() && !parts.store.engine().was_shadow()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "payouts: there is a batch system beside this store, and the rail does not claim before it pays: give a "
      "ClaimedRail, or say with PayoutOptions::batch_system that the batch is gone");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Payouts>> Payouts::Open(const Parts& parts, const PayoutOptions& options) {
  // Before there is anything that could call the rail.
  if (parts.store.shadow()) return absl::FailedPreconditionError("a shadow store pays nothing: payouts do not open");
  NW_RETURN_IF_ERROR(CheckClaims(parts, options));
  if (options.workers < 1 || options.workers > 256)
    return absl::InvalidArgumentError("payouts: workers must be 1 to 256");
  if (options.batch < 1 || options.batch > kMaxBatch) {
    return Error(absl::StatusCode::kInvalidArgument, "payouts: batch must be 1 to ", kMaxBatch);
  }
  if (options.lease < absl::Seconds(1) || options.lease > absl::Hours(24)) {
    return absl::InvalidArgumentError("payouts: lease must be 1 s to 24 h");
  }
  NW_RETURN_IF_ERROR(internal::CheckPolicy(options.policy));
  if (options.policy.max_attempts != 0 || options.policy.max_age != absl::InfiniteDuration() ||
      !options.policy.delays.empty()) {
    return absl::InvalidArgumentError("payouts: the policy must not end");
  }
  if (!parts.store.engine().AcquireSlot(internal::Engine::Slot::kPayouts)) {
    return absl::FailedPreconditionError("the store has payouts open");
  }
  auto core = std::make_unique<Core>(parts, options);
  NW_RETURN_IF_ERROR(core->Load());
  return std::unique_ptr<Payouts>(new Payouts(std::move(core)));
}

absl::Status Payouts::Start() { return core_->Start(); }
void Payouts::Stop() { core_->Stop(); }
absl::Status Payouts::status() const { return core_->status(); }
absl::StatusOr<size_t> Payouts::FollowOnce(size_t limit) { return core_->FollowOnce(limit, absl::InfinitePast()); }
absl::StatusOr<size_t> Payouts::WorkOnce() { return core_->WorkOnce(); }
absl::Status Payouts::Cancel(std::string_view payout_id) { return core_->Cancel(payout_id); }
absl::StatusOr<Payout> Payouts::GetPayout(std::string_view payout_id) const { return core_->Get(payout_id); }
absl::StatusOr<PayoutPage> Payouts::ListPayouts(const PayoutQuery& query) const { return core_->List(query); }
Sequence Payouts::followed() const { return core_->followed(); }

}  // namespace northwind
