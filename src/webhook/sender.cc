// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/sender.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/webhook/sender_ending.h"
#include "src/webhook/signature.h"
#include "src/webhook/verdict.h"

namespace northwind::internal {
namespace {

// What waits for a place asks for it so often.
constexpr absl::Duration kPlaceAgain = absl::Milliseconds(100);
constexpr absl::Duration kOpenAgain = absl::Seconds(1);  // and what waits for its endpoint
// Held under their leases for a rate or a place. Without their bodies, some hundred bytes each.
constexpr size_t kMaxDelayed = 50'000;
constexpr size_t kMaxClaim = 256;
// Longer than any attempt (kMaxWebhookTimeout), and than what it waits for besides a rate.
constexpr absl::Duration kLease = absl::Minutes(3);
constexpr absl::Duration kConnectTimeout = absl::Seconds(10);
// Read, so that the connection can be used again; kept is less.
constexpr size_t kMaxReadBytes = 16 << 10;
constexpr size_t kMaxReadHeaderBytes = 16 << 10;

std::string DeliveryText(const DeliveryName& name) {
  return absl::StrCat(name.merchant_id, "/", name.endpoint_id, "/", name.message_id);
}

}  // namespace

Sender::Sender(const Parts& parts, const SenderOptions& options)
    : parts_(parts),
      options_(options),
      traffic_(parts.store, parts.scheduler, parts.book, parts.policies, parts.clock, options.breaker,
               options.max_concurrent),
      records_mutex_(parts.records_mutex) {}

Sender::~Sender() { Stop(); }

absl::Status Sender::Start() {
  const absl::MutexLock one_at_a_time(&lifecycle_mutex_);
  if (finisher_.joinable()) return absl::FailedPreconditionError("webhooks have been started");
  NW_RETURN_IF_ERROR(traffic_.Open());
  http::ClientOptions client = options_.client;
  client.max_in_flight = options_.max_in_flight + 2 * kMaxClaim;  // each claimer may be one claim over
  NW_ASSIGN_OR_RETURN(std::unique_ptr<http::Client> created, http::Client::Create(std::move(client)));
  {
    const absl::MutexLock lock(&mutex_);
    client_ = std::move(created);
    status_ = absl::OkStatus();
    in_flight_ = unproven_ = 0;
    unproven_at_.clear();
  }
  stopping_ = ending_ = false;
  finisher_ = std::thread([this] { FinishLoop(); });
  for (const std::string_view queue : {kWebhookQueue, kWebhookNowQueue}) {
    claimers_.emplace_back([this, queue] { Claim(queue); });
  }
  return absl::OkStatus();
}

void Sender::Stop() {
  const absl::MutexLock one_at_a_time(&lifecycle_mutex_);
  if (!finisher_.joinable()) return;
  stopping_ = true;
  for (std::thread& claimer : claimers_) claimer.join();
  claimers_.clear();
  {
    const absl::MutexLock lock(&mutex_);
    const auto done = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return in_flight_ == 0 || !status_.ok(); };
    mutex_.AwaitWithTimeout(absl::Condition(&done), options_.stop_within);
  }
  std::shared_ptr<http::Client> client;
  {
    const absl::MutexLock lock(&mutex_);
    client.swap(client_);
  }
  client.reset();  // aborts what is under way, and so ends it
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
    poked_ = true;
  }
  finisher_.join();
  finisher_ = std::thread();
}

absl::Status Sender::status() const {
  const absl::MutexLock lock(&mutex_);
  return status_;
}

void Sender::Fail(const absl::Status& status) {
  const absl::MutexLock lock(&mutex_);
  if (status_.ok()) status_ = status;
  stopping_ = true;
}

Sender::Counts Sender::counts() const {
  Counts counts{.attempts = attempts_, .delivered = delivered_, .failed = failed_, .disabled = disabled_};
  const absl::MutexLock lock(&mutex_);
  counts.in_flight = in_flight_ + delayed_.size();
  return counts;
}

// ---- Claiming ------------------------------------------------------------------------------------------------

size_t Sender::AwaitRoom() {
  const absl::MutexLock lock(&mutex_);
  const auto room = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return in_flight_ < options_.max_in_flight && delayed_.size() < kMaxDelayed;
  };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&room), kSenderWait)) return 0;
  return std::min(options_.max_in_flight - in_flight_, kMaxClaim);
}

void Sender::Claim(std::string_view queue) {
  while (!stopping_) {
    const size_t room = AwaitRoom();
    if (room == 0) continue;
    absl::StatusOr<std::vector<ClaimedTask>> claimed =
        parts_.scheduler.Claim({.queue = std::string(queue), .max = room, .lease = kLease, .wait = kSenderWait});
    if (absl::IsResourceExhausted(claimed.status())) {  // a full disk: in a while, again
      const absl::MutexLock lock(&mutex_);
      const auto stopping = [this] { return stopping_.load(); };
      mutex_.AwaitWithTimeout(absl::Condition(&stopping), kSenderRoomAgain);
      continue;
    }
    if (!claimed.ok()) return Fail(claimed.status());
    {
      const absl::MutexLock lock(&mutex_);
      in_flight_ += claimed->size();
    }
    if (const absl::Status noted = NoteUnknown(*claimed); !noted.ok()) {
      Fail(noted);
      const absl::MutexLock lock(&mutex_);
      in_flight_ -= claimed->size();
      return;
    }
    for (const ClaimedTask& task : *claimed) {
      if (const absl::Status begun = Begin(task); !begun.ok()) Fail(begun);
    }
  }
}

absl::Status Sender::NoteUnknown(std::vector<ClaimedTask>& claimed) {
  const auto unknown = [](const ClaimedTask& task) { return task.previous_unknown; };
  // Nearly always: without waiting for the finisher, which holds the mutex while it writes.
  if (std::none_of(claimed.begin(), claimed.end(), unknown)) return absl::OkStatus();
  std::vector<Extension> leases;
  Ending ending;
  const absl::MutexLock lock(&records_mutex_);
  for (const ClaimedTask& task : claimed) {
    if (!task.previous_unknown) continue;
    absl::StatusOr<DeliveryTask> decoded = DecodeDeliveryTask(task.payload);
    if (!decoded.ok()) continue;  // Begin sees to it
    NW_ASSIGN_OR_RETURN(WebhookDelivery* const delivery, LoadDelivery(decoded->name, ending));
    if (delivery == nullptr) continue;
    Attempt attempt;
    attempt.task = *std::move(decoded);
    attempt.at = parts_.clock.Now();
    Finish finish;
    AddReceipt(attempt, UnknownReceipt(), *delivery, finish);
    finish.host_records.push_back({DeliveryKey(attempt.task.name), EncodeDelivery(*delivery)});
    leases.push_back({task.handle, std::move(finish.host_records)});
  }
  if (leases.empty()) return absl::OkStatus();
  const absl::Status written = parts_.scheduler.Extend(leases, kLease).status();
  if (absl::IsResourceExhausted(written))
    return absl::OkStatus();  // a full disk: with the end of the next attempt, then
  NW_RETURN_IF_ERROR(written);
  for (ClaimedTask& task : claimed) task.previous_unknown = false;
  return absl::OkStatus();
}

absl::Status Sender::Begin(const ClaimedTask& claimed) {
  auto attempt = std::make_shared<Attempt>();
  attempt->handle = claimed.handle;
  attempt->previous_unknown = claimed.previous_unknown;
  attempt->leased_until = parts_.clock.Elapsed() + kLease;
  attempt->at = parts_.clock.Now();
  absl::StatusOr<DeliveryTask> task = DecodeDeliveryTask(claimed.payload);
  absl::StatusOr<bool> to_send = false;
  if (task.ok()) {
    attempt->task = *std::move(task);
    to_send = Check(*attempt);
  } else {
    attempt->end = Attempt::End::kDamaged;
    attempt->problem = std::string(task.status().message());
  }
  if (!to_send.ok()) {
    const absl::MutexLock lock(&mutex_);
    --in_flight_;
    return to_send.status();
  }
  if (*to_send) {
    Dispatch(std::move(attempt));
  } else {
    End(std::move(attempt));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Sender::Check(Attempt& attempt) const {
  absl::StatusOr<bool> to_send = LookUp(attempt);
  if (!absl::IsDataLoss(to_send.status())) return to_send;
  attempt.end = Attempt::End::kDamaged;  // this one; the others go on
  attempt.problem = std::string(to_send.status().message());
  return false;
}

absl::StatusOr<bool> Sender::LookUp(Attempt& attempt) const {
  const DeliveryName& name = attempt.task.name;
  absl::StatusOr<EndpointPtr> endpoint = parts_.book.Get(name.merchant_id, name.endpoint_id);
  if (absl::IsNotFound(endpoint.status())) {
    attempt.end = Attempt::End::kDeleted;
    return false;
  }
  NW_RETURN_IF_ERROR(endpoint.status());
  attempt.endpoint = *std::move(endpoint);
  if (attempt.endpoint->state == EndpointState::kDisabled) {
    attempt.end = Attempt::End::kDisabled;
    return false;
  }
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> delivery, parts_.store.Get(DeliveryKey(name)));
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> message,
                      parts_.store.Get(MessageKey(name.merchant_id, name.message_id)));
  if (!delivery || !message) {
    return Error(absl::StatusCode::kDataLoss, "delivery ", DeliveryText(name), " has no ",
                 delivery ? "message" : "record");
  }
  NW_ASSIGN_OR_RETURN(const WebhookDelivery before, DecodeDelivery(name, *delivery));
  if (before.state == DeliveryState::kDelivered && attempt.task.trigger == AttemptTrigger::kSchedule) {
    attempt.end = Attempt::End::kDelivered;  // by a re-send
    return false;
  }
  NW_ASSIGN_OR_RETURN(Message found, DecodeMessage(name.merchant_id, name.message_id, *message));
  attempt.type = std::move(found.type);
  attempt.body = std::move(found.body);
  return true;
}

bool Sender::TakePlace(Attempt& attempt, Counted counted) {
  const bool proven = traffic_.IsProven(*attempt.endpoint);
  const absl::MutexLock lock(&mutex_);
  if (counted == Counted::kNo && in_flight_ >= options_.max_in_flight) return false;
  if (!proven) {
    const size_t half = (options_.max_in_flight + 1) / 2;
    const std::string key = EndpointTaskKey(attempt.endpoint->merchant_id, attempt.endpoint->id);
    const bool first = !unproven_at_.contains(key);
    // Those that hang must not keep others from showing that they work, as after a restart.
    if (unproven_ >= half || (!first && unproven_ >= (half + 1) / 2)) return false;
    ++unproven_at_[key];
    ++unproven_;
  }
  attempt.unproven = !proven;
  if (counted == Counted::kNo) ++in_flight_;
  return true;
}

void Sender::ReleaseUnproven(Attempt& attempt) {
  if (!std::exchange(attempt.unproven, false)) return;
  --unproven_;
  const auto here = unproven_at_.find(EndpointTaskKey(attempt.endpoint->merchant_id, attempt.endpoint->id));
  if (--here->second == 0) unproven_at_.erase(here);
}

void Sender::Delay(absl::Duration until, AttemptPtr attempt) {
  attempt->body = std::string();  // read again when its time has come
  delayed_.emplace(until, std::move(attempt));
  poked_ = true;
}

void Sender::DelayAgain(absl::Duration until, AttemptPtr attempt) {
  const absl::MutexLock lock(&mutex_);
  --in_flight_;
  ReleaseUnproven(*attempt);
  Delay(until, std::move(attempt));
}

bool Sender::MayCall(const Attempt& attempt) {
  return attempt.task.trigger != AttemptTrigger::kSchedule || traffic_.IsOpen(*attempt.endpoint);
}

void Sender::Dispatch(AttemptPtr attempt) {
  const absl::Duration begin = traffic_.Admit(*attempt->endpoint);
  const absl::Duration now = parts_.clock.Elapsed();  // after that: without a rate, it begins at once
  if (begin > now) return DelayAgain(begin, std::move(attempt));
  if (!MayCall(*attempt)) return DelayAgain(now + kOpenAgain, std::move(attempt));
  if (!TakePlace(*attempt, Counted::kYes)) return DelayAgain(now + kPlaceAgain, std::move(attempt));
  Launch(std::move(attempt));
}

absl::StatusOr<http::Request> Sender::MakeRequest(const Attempt& attempt) {
  NW_ASSIGN_OR_RETURN(const std::shared_ptr<const EndpointKeys> keys, traffic_.Keys(attempt.endpoint));
  NW_ASSIGN_OR_RETURN(MessageHeaders signed_headers,
                      SignMessage(keys->keys, attempt.task.name.message_id, attempt.at, attempt.body));
  http::Request request{.method = http::Method::kPost,
                        .url = attempt.endpoint->url,
                        .headers = {{"content-type", "application/json"},
                                    {std::string(kMessageIdHeader), std::move(signed_headers.id)},
                                    {std::string(kMessageTimestampHeader), std::move(signed_headers.timestamp)},
                                    {std::string(kMessageSignatureHeader), std::move(signed_headers.signature)}},
                        .body = attempt.body,
                        .timeout = attempt.task.timeout,
                        .connect_timeout = std::min(attempt.task.timeout, kConnectTimeout),
                        .max_header_bytes = kMaxReadHeaderBytes,
                        .max_body_bytes = kMaxReadBytes};
  for (const CustomHeader& header : keys->headers) request.headers.push_back({header.name, header.value});
  return request;
}

void Sender::Launch(AttemptPtr attempt) {
  attempt->at = parts_.clock.Now();
  attempt->kind = traffic_.KindOf(*attempt->endpoint);
  absl::StatusOr<http::Request> request = MakeRequest(*attempt);
  if (!request.ok()) {
    if (absl::IsDataLoss(request.status())) {
      attempt->end = Attempt::End::kDamaged;
    } else {
      attempt->result.failure = http::Failure::kInternal;
      attempt->result.message = "it could not be prepared";
    }
    attempt->problem = std::string(request.status().message());
    return End(std::move(attempt));
  }
  std::shared_ptr<http::Client> client;
  {
    const absl::MutexLock lock(&mutex_);
    client = client_;
  }
  if (client == nullptr) {
    attempt->end = Attempt::End::kStopped;
    return End(std::move(attempt));
  }
  const absl::Status started = client->Start(*std::move(request), [this, attempt](http::Result result) mutable {
    attempt->result = std::move(result);
    End(std::move(attempt));
  });
  if (started.ok()) return;
  attempt->result.failure = http::Failure::kInternal;
  attempt->result.message = "too many requests are under way";
  End(std::move(attempt));
}

void Sender::End(AttemptPtr attempt) {
  const absl::MutexLock lock(&mutex_);
  ended_.push_back(std::move(attempt));
}

// ---- Delayed by a rate ---------------------------------------------------------------------------------------

void Sender::LaunchDelayed() {
  const absl::Duration now = parts_.clock.Elapsed();
  std::vector<AttemptPtr> due;
  {
    const absl::MutexLock lock(&mutex_);
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      due.push_back(std::move(delayed_.begin()->second));
      delayed_.erase(delayed_.begin());
    }
  }
  for (AttemptPtr& attempt : due) {
    if (attempt->lost || now >= attempt->leased_until) continue;  // somebody else's by now
    if (!TakePlace(*attempt, Counted::kNo)) {
      const absl::MutexLock lock(&mutex_);
      Delay(now + kPlaceAgain, std::move(attempt));
      continue;
    }
    // By now the endpoint may be another, or gone.
    const absl::StatusOr<bool> to_send = Check(*attempt);
    if (!to_send.ok()) Fail(to_send.status());
    if (!to_send.ok() || (*to_send && stopping_)) attempt->end = Attempt::End::kStopped;
    if (attempt->end != Attempt::End::kAnswered) {
      End(std::move(attempt));
    } else if (!MayCall(*attempt)) {
      DelayAgain(now + kOpenAgain, std::move(attempt));
    } else {
      Launch(std::move(attempt));
    }
  }
}

absl::Status Sender::ExtendDelayed() {
  const absl::Duration now = parts_.clock.Elapsed();
  if (now - extended_ < kLease / 4) return absl::OkStatus();
  extended_ = now;
  std::vector<AttemptPtr> held;
  {
    const absl::MutexLock lock(&mutex_);
    for (const auto& [begin, attempt] : delayed_) held.push_back(attempt);
  }
  for (size_t first = 0; first < held.size(); first += kMaxTasksPerCall) {
    const auto page = absl::MakeConstSpan(held).subspan(first, kMaxTasksPerCall);
    std::vector<Extension> leases;
    leases.reserve(page.size());
    for (const AttemptPtr& attempt : page) leases.push_back({attempt->handle, {}});
    const absl::StatusOr<std::vector<FinishOutcome>> outcomes = parts_.scheduler.Extend(leases, kLease);
    if (absl::IsResourceExhausted(outcomes.status())) return absl::OkStatus();
    NW_RETURN_IF_ERROR(outcomes.status());
    for (size_t i = 0; i < page.size(); ++i) {
      page[i]->lost = (*outcomes)[i] == FinishOutcome::kStale;
      page[i]->leased_until = now + kLease;
    }
  }
  return absl::OkStatus();
}

}  // namespace northwind::internal
