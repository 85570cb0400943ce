// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/retention.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/webhook/delivery_record.h"
#include "src/webhook/delivery_state.h"

namespace northwind::internal {
namespace {

constexpr char kBeyond = '\xff';  // beyond every name

absl::Status DamagedKey(std::string_view key) {
  return Error(absl::StatusCode::kDataLoss,
               "webhook record's key damaged: ", absl::CHexEscape(ToAbsl(key.substr(0, kMaxHostKeyBytes))));
}

}  // namespace

// A message to be deleted, with all its deliveries.
struct Retention::Doomed {
  std::string merchant;
  std::string message;
  std::vector<DeliveryName> deliveries;
};

struct Retention::Deletions {
  void Add(std::string_view key) {
    writes.Delete(Space::kHost, key);
    ++count;
  }
  absl::Status Write(Engine& engine) {
    NW_RETURN_IF_ERROR(engine.Write(writes));
    writes.Clear();
    count = 0;
    return absl::OkStatus();
  }

  WriteSet writes;
  size_t count = 0;
};

absl::StatusOr<SweepResult> Retention::Sweep(absl::Time before, size_t limit, std::string_view after) {
  if (limit < 1 || limit > kMaxSweep) {
    return Error(absl::StatusCode::kInvalidArgument, "limit: must be 1 to ", kMaxSweep);
  }
  if (!after.empty() && !after.starts_with(kMessageSpace)) {
    return Error(absl::StatusCode::kInvalidArgument, "after: is not what a sweep gave");
  }
  const std::string end = FirstMessageIdFrom(before);
  SweepResult result;
  std::vector<Doomed> doomed;
  Cursor messages = engine_.NewCursor(Space::kHost, {.fill_cache = false});
  Cursor deliveries = engine_.NewCursor(Space::kHost, {.fill_cache = false});
  std::string place(after.empty() ? kMessageSpace : after);
  messages.Seek(place);
  for (size_t looks = 0; messages.Valid() && messages.key().starts_with(kMessageSpace); ++looks) {
    if (looks == limit) {
      result.next = place;
      break;
    }
    auto key = ParseMessageKey(messages.key());
    if (!key) return DamagedKey(messages.key());
    Doomed message{.merchant = std::move(key->first), .message = std::move(key->second)};
    if (message.message >= end) {
      place = MessagePrefix(message.merchant).append(1, kBeyond);
      messages.Seek(place);
      continue;
    }
    place.assign(messages.key()).append(1, '\0');
    NW_ASSIGN_OR_RETURN(const bool finished, IsFinished(deliveries, message));
    if (finished) {
      doomed.push_back(std::move(message));
      if (doomed.size() >= bounds_.messages) NW_RETURN_IF_ERROR(Delete(doomed, result));
    } else {
      ++result.kept;
    }
    messages.Next();
  }
  NW_RETURN_IF_ERROR(messages.status());
  NW_RETURN_IF_ERROR(Delete(doomed, result));
  return result;
}

absl::StatusOr<bool> Retention::IsFinished(Cursor& cursor, Doomed& message) const {
  const std::string prefix = DeliveryPrefix(message.merchant, message.message);
  for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    const std::optional<WebhookKeyNames> names = ParseDeliveryKey(cursor.key());
    if (!names) return DamagedKey(cursor.key());
    NW_ASSIGN_OR_RETURN(const std::optional<WebhookDelivery> delivery,
                        ResolveDelivery(engine_, scheduler_, names->name, std::string(cursor.value())));
    if (delivery && delivery->state == DeliveryState::kPending) return false;
    const absl::StatusOr<TaskInfo> resend = scheduler_.GetTask(ResendTaskId(names->name));
    if (!resend.ok() && !absl::IsNotFound(resend.status())) return resend.status();
    if (resend.ok() && resend->state != TaskState::kDead) return false;
    message.deliveries.push_back(names->name);
  }
  NW_RETURN_IF_ERROR(cursor.status());
  return true;
}

absl::Status Retention::Delete(std::vector<Doomed>& messages, SweepResult& result) {
  NW_RETURN_IF_ERROR(CancelTasks(messages));
  Deletions deletions;
  for (const Doomed& message : messages) {
    NW_RETURN_IF_ERROR(DeleteAttempts(message, deletions, result));
    for (const DeliveryName& name : message.deliveries) deletions.Add(DeliveryKey(name));
    deletions.Add(MessageKey(message.merchant, message.message));
    result.deliveries += message.deliveries.size();
    ++result.messages;
    if (deletions.count >= bounds_.deletions) NW_RETURN_IF_ERROR(deletions.Write(engine_));
  }
  messages.clear();
  return deletions.Write(engine_);
}

absl::Status Retention::CancelTasks(const std::vector<Doomed>& messages) {
  std::vector<std::string> ids;
  for (const Doomed& message : messages) {
    for (const DeliveryName& name : message.deliveries) {
      ids.push_back(DeliveryTaskId(name));
      ids.push_back(ResendTaskId(name));
    }
  }
  const absl::Span<const std::string> all(ids);
  for (size_t i = 0; i < all.size(); i += kMaxTasksPerCall) {
    NW_RETURN_IF_ERROR(scheduler_.Cancel(all.subspan(i, kMaxTasksPerCall)).status());
  }
  return absl::OkStatus();
}

absl::Status Retention::DeleteAttempts(const Doomed& message, Deletions& deletions, SweepResult& result) {
  // Made after the tasks were cancelled: an attempt that ended until then has left its receipt, and none comes after.
  Cursor cursor = engine_.NewCursor(Space::kHost, {.fill_cache = false});
  const std::string prefix = AttemptPrefix(message.merchant, message.message);
  for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    const std::optional<WebhookKeyNames> names = ParseAttemptKey(cursor.key());
    if (!names) return DamagedKey(cursor.key());
    NW_ASSIGN_OR_RETURN(const WebhookAttempt attempt, DecodeAttempt(names->name, names->number, cursor.value()));
    deletions.Add(AttemptKey(names->name, names->number));
    deletions.Add(TimeKey(names->name, attempt.at, names->number));
    ++result.attempts;
    if (deletions.count >= bounds_.deletions) NW_RETURN_IF_ERROR(deletions.Write(engine_));
  }
  return cursor.status();
}

}  // namespace northwind::internal
