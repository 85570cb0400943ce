// SPDX-License-Identifier: Apache-2.0
//
// The sender's finisher: what came of attempts, written down, and what follows from it.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/webhook/sender_ending.h"
#include "src/webhook/verdict.h"

namespace northwind::internal {
namespace {

constexpr absl::Duration kQuick = absl::Seconds(2);
constexpr size_t kMaxEnds = 512;
// However long a Retry-After is, that long only are other messages kept from the endpoint.
constexpr absl::Duration kLongestHold = absl::Hours(1);
constexpr size_t kMaxReceiptMessage = 512;

EndpointTraffic::Result TrafficResult(AttemptFailure failure, absl::Duration took) {
  switch (failure) {
    case AttemptFailure::kNone:
      return took <= kQuick ? EndpointTraffic::Result::kSuccess : EndpointTraffic::Result::kSlowSuccess;
    case AttemptFailure::kThrottled:
      return EndpointTraffic::Result::kThrottled;
    case AttemptFailure::kAborted:
    case AttemptFailure::kInternal:
    case AttemptFailure::kInvalidRequest:
    case AttemptFailure::kUnknown:
    case AttemptFailure::kDisabled:
      return EndpointTraffic::Result::kNeither;
    default:
      return EndpointTraffic::Result::kFailure;
  }
}

}  // namespace

std::vector<Sender::AttemptPtr> Sender::TakeEnded() {
  const absl::Duration now = parts_.clock.Elapsed();
  absl::Duration wait = std::min(kSenderWait, traffic_.NextProbe() - now);
  const absl::MutexLock lock(&mutex_);
  if (!delayed_.empty()) wait = std::min(wait, delayed_.begin()->first - now);
  const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !ended_.empty() || poked_; };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), std::max(wait, absl::ZeroDuration()));
  poked_ = false;
  const size_t count = std::min(ended_.size(), kMaxEnds);
  std::vector<AttemptPtr> ended(std::make_move_iterator(ended_.begin()),
                                std::make_move_iterator(ended_.begin() + static_cast<ptrdiff_t>(count)));
  ended_.erase(ended_.begin(), ended_.begin() + static_cast<ptrdiff_t>(count));
  return ended;
}

void Sender::FinishLoop() {
  while (true) {
    const std::vector<AttemptPtr> ended = TakeEnded();
    absl::Status status;
    if (!ended.empty()) status = FinishAll(ended);
    if (status.ok()) status = traffic_.Settle();
    if (status.ok()) status = ExtendDelayed();
    if (!status.ok()) Fail(status);
    if (!stopping_) LaunchDelayed();
    const absl::MutexLock lock(&mutex_);
    if (!ending_) continue;
    // Here, where they are put back: none may be left for the next start, whose leases are others.
    for (auto& [begin, attempt] : delayed_) {
      attempt->end = Attempt::End::kStopped;
      ended_.push_back(std::move(attempt));
      ++in_flight_;
    }
    delayed_.clear();
    if (ended_.empty() && in_flight_ == 0) return;
  }
}

absl::Status Sender::FinishAll(const std::vector<AttemptPtr>& attempts) {
  Ending ending;
  absl::Status status;
  {
    const absl::MutexLock lock(&records_mutex_);
    for (const AttemptPtr& attempt : attempts) {
      if (status.ok()) status = FinishOne(*attempt, ending);
    }
    if (status.ok()) status = Write(ending);
  }
  if (status.ok()) status = FollowUp(ending);
  const absl::MutexLock lock(&mutex_);
  in_flight_ -= attempts.size();
  for (const AttemptPtr& attempt : attempts) ReleaseUnproven(*attempt);
  return status;
}

absl::StatusOr<WebhookDelivery*> Sender::LoadDelivery(const DeliveryName& name, Ending& ending) const {
  std::string key = DeliveryKey(name);
  const auto found = ending.deliveries.find(key);
  if (found != ending.deliveries.end()) return &found->second;
  const absl::StatusOr<std::optional<std::string>> bytes = parts_.store.Get(key);
  if (absl::IsDataLoss(bytes.status())) return nullptr;
  NW_RETURN_IF_ERROR(bytes.status());
  if (!bytes->has_value()) return nullptr;
  absl::StatusOr<WebhookDelivery> delivery = DecodeDelivery(name, **bytes);
  if (absl::IsDataLoss(delivery.status())) return nullptr;
  NW_RETURN_IF_ERROR(delivery.status());
  return &ending.deliveries.emplace(std::move(key), *std::move(delivery)).first->second;
}

void Sender::AddReceipt(const Attempt& attempt, WebhookAttempt receipt, WebhookDelivery& delivery,
                        Finish& finish) const {
  receipt.delivery = attempt.task.name;
  receipt.type = delivery.type;
  receipt.number = ++delivery.attempts;
  receipt.trigger = attempt.task.trigger;
  receipt.at = attempt.at;
  receipt.endpoint_version = attempt.endpoint == nullptr ? 0 : attempt.endpoint->version;
  receipt.message.resize(std::min(receipt.message.size(), kMaxReceiptMessage));
  delivery.last_attempt_at = receipt.at;
  delivery.last_failure = receipt.failure;
  delivery.last_status = receipt.status;
  finish.host_records.push_back({AttemptKey(receipt.delivery, receipt.number), EncodeAttempt(receipt)});
  finish.host_records.push_back(
      {TimeKey(receipt.delivery, receipt.at, receipt.number),
       EncodeAttemptLine({.failure = receipt.failure, .status = receipt.status, .type = receipt.type})});
}

namespace {

WebhookAttempt ReceiptOf(const http::Result& result, const AttemptVerdict& verdict) {
  WebhookAttempt receipt{.failure = verdict.failure,
                         .status = result.status,
                         .message = verdict.message,
                         .retry_at = verdict.retry_at,
                         .response_body = result.body.substr(0, kMaxKeptResponseBytes),
                         .response_truncated = result.truncated || result.body.size() > kMaxKeptResponseBytes,
                         .reused_connection = result.reused_connection,
                         .dns = result.times.dns,
                         .connect = result.times.connect,
                         .tls = result.times.tls,
                         .first_byte = result.times.first_byte,
                         .total = result.times.total};
  if (result.remote_address) {
    const std::string address = result.remote_address->ToString();
    receipt.remote_address = address.find(':') == std::string::npos
                                 ? absl::StrCat(address, ":", result.remote_port)
                                 : absl::StrCat("[", address, "]:", result.remote_port);
  }
  return receipt;
}

}  // namespace

absl::Status Sender::FinishOne(Attempt& attempt, Ending& ending) {
  Finish finish{.task = attempt.handle};
  Ending::Sequel sequel{.attempt = &attempt};
  const bool scheduled = attempt.task.trigger == AttemptTrigger::kSchedule;
  // Somebody asked for it: the next process does it.
  if (!scheduled && attempt.end == Attempt::End::kStopped) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(WebhookDelivery* const delivery, LoadDelivery(attempt.task.name, ending));
  const bool was_delivered = delivery != nullptr && delivery->state == DeliveryState::kDelivered;
  if (delivery != nullptr && attempt.previous_unknown) {
    AddReceipt(attempt, UnknownReceipt(), *delivery, finish);
  }

  WebhookAttempt receipt;
  bool to_note = true;
  switch (attempt.end) {
    case Attempt::End::kDelivered:
      to_note = false;
      break;
    case Attempt::End::kDeleted:
      to_note = false;
      if (delivery != nullptr && !was_delivered) delivery->state = DeliveryState::kCanceled;
      break;
    case Attempt::End::kDisabled:
      receipt = {.failure = AttemptFailure::kDisabled, .message = "the endpoint is disabled"};
      finish.verdict = Verdict::kKill;
      break;
    case Attempt::End::kDamaged:
      receipt = {.failure = AttemptFailure::kInternal, .message = "what is to be sent cannot be read"};
      finish.verdict = Verdict::kKill;
      break;
    case Attempt::End::kStopped:
      receipt = {.failure = AttemptFailure::kAborted, .message = "stopped before it was sent"};
      finish.verdict = Verdict::kRetry;
      break;
    case Attempt::End::kAnswered: {
      AttemptVerdict verdict = internal::Judge(attempt.result, parts_.clock.Now());
      receipt = ReceiptOf(attempt.result, verdict);
      finish.not_before = verdict.retry_at;
      if (verdict.failure == AttemptFailure::kGone) {
        finish.verdict = Verdict::kKill;
      } else if (verdict.failure != AttemptFailure::kNone) {
        finish.verdict = Verdict::kRetry;
      }
      NW_ASSIGN_OR_RETURN(EndpointTraffic::Change change,
                          traffic_.Record(*attempt.endpoint, TrafficResult(verdict.failure, attempt.result.times.total),
                                          attempt.kind, std::min(verdict.retry_at, parts_.clock.Now() + kLongestHold)));
      if (change.record) finish.host_records.push_back(*std::move(change.record));
      sequel.answered = true;
      sequel.failing_for = change.failing_for;
      break;
    }
  }
  sequel.failure = receipt.failure;
  sequel.message = receipt.message;
  if (finish.verdict != Verdict::kComplete) {
    finish.error =
        absl::StrCat(ToAbsl(Name(receipt.failure)), ": ", attempt.problem.empty() ? receipt.message : attempt.problem);
  }
  // What somebody asked for is tried once.
  if (!scheduled) finish.verdict = Verdict::kComplete;

  if (delivery != nullptr) {
    if (to_note) {
      const bool good = sequel.answered && receipt.failure == AttemptFailure::kNone;
      AddReceipt(attempt, std::move(receipt), *delivery, finish);
      if (good && !was_delivered) {
        delivery->state = DeliveryState::kDelivered;
        delivery->delivered_at = parts_.clock.Now();
        sequel.rescued = attempt.task.trigger == AttemptTrigger::kResend;
      }
      if (!good && attempt.task.trigger == AttemptTrigger::kTest && !was_delivered)
        delivery->state = DeliveryState::kDead;
    }
    finish.host_records.push_back({DeliveryKey(attempt.task.name), EncodeDelivery(*delivery)});
  }
  ending.finishes.push_back(std::move(finish));
  ending.sequels.push_back(std::move(sequel));
  return absl::OkStatus();
}

absl::Status Sender::Write(const Ending& ending) {
  absl::StatusOr<std::vector<FinishOutcome>> outcomes = parts_.scheduler.FinishAll(ending.finishes);
  while (absl::IsResourceExhausted(outcomes.status()) && !stopping_) {  // a full disk
    {
      const absl::MutexLock lock(&mutex_);
      const auto stopping = [this] { return stopping_.load(); };
      mutex_.AwaitWithTimeout(absl::Condition(&stopping), kSenderRoomAgain);
    }
    outcomes = parts_.scheduler.FinishAll(ending.finishes);
  }
  NW_RETURN_IF_ERROR(outcomes.status());
  // An attempt whose lease was lost has happened all the same.
  std::vector<HostRecord> records;
  for (size_t i = 0; i < outcomes->size(); ++i) {
    const Ending::Sequel& sequel = ending.sequels[i];
    if ((*outcomes)[i] == FinishOutcome::kStale) {
      for (const HostRecord& record : ending.finishes[i].host_records) {
        const auto delivery = ending.deliveries.find(record.key);
        records.push_back(
            delivery == ending.deliveries.end() ? record : HostRecord{record.key, EncodeDelivery(delivery->second)});
      }
    }
    if (sequel.answered) ++attempts_;
    if (sequel.answered) ++(sequel.failure == AttemptFailure::kNone ? delivered_ : failed_);
  }
  if (records.empty()) return absl::OkStatus();
  return parts_.scheduler.Schedule({}, records).status();
}

absl::Status Sender::FollowUp(const Ending& ending) {
  std::vector<std::string> rescued;
  for (const Ending::Sequel& sequel : ending.sequels) {
    const Attempt& attempt = *sequel.attempt;
    if (sequel.rescued) rescued.push_back(DeliveryTaskId(attempt.task.name));
    if (!sequel.answered) continue;
    if (sequel.failure == AttemptFailure::kGone) {
      NW_RETURN_IF_ERROR(DisableEndpoint(*attempt.endpoint, DisableReason::kGone, "it answered 410 Gone"));
    } else if (sequel.failing_for >= options_.disable_after) {
      NW_RETURN_IF_ERROR(
          DisableEndpoint(*attempt.endpoint, DisableReason::kFailing,
                          absl::StrCat("nothing was delivered for ",
                                       absl::FormatDuration(absl::Trunc(sequel.failing_for, absl::Seconds(1))),
                                       "; last: ", sequel.message)));
    }
  }
  if (rescued.empty()) return absl::OkStatus();
  // Dead letters that are delivered now. One that waits finds out when its time comes.
  const absl::Status discarded = parts_.scheduler.Discard(rescued).status();
  return absl::IsResourceExhausted(discarded) ? absl::OkStatus() : discarded;
}

absl::Status Sender::DisableEndpoint(const Endpoint& endpoint, DisableReason reason, std::string_view detail) {
  const absl::Time now = parts_.clock.Now();
  const auto write = [&](const HostRecord& record) -> absl::Status {
    DeliveryBatch batch;
    batch.AddRecord(record);
    NW_ASSIGN_OR_RETURN(const auto bits, RandomMessageBits());
    const Message notice = EndpointDisabledMessage(endpoint.merchant_id, endpoint.id, Name(reason), now, bits);
    batch.AddMessage(notice);
    NW_ASSIGN_OR_RETURN(const std::vector<EndpointPtr> others,
                        parts_.book.MatchingEndpoints(endpoint.merchant_id, notice.type));
    for (const EndpointPtr& other : others) {
      if (other->id != endpoint.id) batch.AddDelivery(notice, *other, *parts_.policies.Of(*other));
    }
    return batch.Write(parts_.scheduler).status();
  };
  const absl::StatusOr<EndpointPtr> disabled =
      parts_.book.DisableWith(endpoint.merchant_id, endpoint.id, reason, detail, endpoint.version, write);
  // Changed or gone meanwhile, or no room: what it answers from now on decides.
  if (absl::IsNotFound(disabled.status()) || IsVersionConflict(disabled.status()) ||
      absl::IsResourceExhausted(disabled.status()) || absl::IsUnavailable(disabled.status())) {
    return absl::OkStatus();
  }
  NW_RETURN_IF_ERROR(disabled.status());
  ++disabled_;
  const absl::Status told = traffic_.Refresh(endpoint.merchant_id, endpoint.id);
  return absl::IsResourceExhausted(told) ? absl::OkStatus() : told;
}

}  // namespace northwind::internal
