// SPDX-License-Identifier: Apache-2.0
#include "examples/receivers/receiver.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace northwind::examples {
namespace {

constexpr std::array<std::string_view, 10> kNames = {"ok",       "hang", "drip",     "reset",   "error",
                                                     "redirect", "gone", "throttle", "endless", "flaky"};

Answer Plain(int status, absl::string_view reason, absl::string_view headers = "") {
  return {.status = status, .head = absl::StrCat("HTTP/1.1 ", status, " ", reason, "\r\n", headers)};
}

Answer WithText(int status, absl::string_view reason, absl::string_view headers = "") {
  return Plain(status, reason, absl::StrCat("Content-Length: 0\r\n", headers));
}

bool Acknowledges(const Answer& answer) {
  return answer.reaction == Reaction::kEndless || (answer.reaction == Reaction::kAnswer && answer.status / 100 == 2);
}

}  // namespace

std::string_view Name(Behaviour behaviour) { return kNames[static_cast<size_t>(behaviour)]; }

std::optional<Behaviour> BehaviourNamed(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Behaviour>(i);
  }
  return std::nullopt;
}

ReceiverStats& ReceiverStats::operator+=(const ReceiverStats& other) {
  requests += other.requests;
  verified += other.verified;
  signature_failures += other.signature_failures;
  distinct += other.distinct;
  duplicates += other.duplicates;
  acknowledged += other.acknowledged;
  distinct_acknowledged += other.distinct_acknowledged;
  repeated_after_acknowledged += other.repeated_after_acknowledged;
  return *this;
}

Receiver::Receiver(const ReceiverSpec& spec, uint64_t seed, const Observer& observer)
    : spec_(spec), observer_(observer), behaviour_(spec.behaviour), keys_(spec.keys), random_(seed) {}

Answer Receiver::Take(const WebhookHeaders& headers, std::string_view body) {
  const absl::Time now = absl::Now();
  const std::vector<std::string> keys = [this] {
    absl::MutexLock lock(&mutex_);
    return keys_;
  }();
  const absl::Status verified = keys.empty() ? absl::OkStatus() : VerifyWebhook(keys, headers, body, now);
  Answer answer;
  {
    absl::MutexLock lock(&mutex_);
    answer = Decide();
    ++stats_.requests;
    stats_.acknowledged += Acknowledges(answer);
    if (!keys.empty()) ++(verified.ok() ? stats_.verified : stats_.signature_failures);
    if (!headers.id.empty()) CountMessage(headers.id, Acknowledges(answer));
  }
  if (observer_ && !headers.id.empty()) {
    observer_({.receiver = spec_.name,
               .headers = headers,
               .body = body,
               .at = now,
               .verified = verified,
               .answer = answer.reaction == Reaction::kAnswer    ? answer.status
                         : answer.reaction == Reaction::kEndless ? 200
                                                                 : 0});
  }
  return answer;
}

void Receiver::CountMessage(const std::string& id, bool acknowledged) {
  const auto [seen, is_new] = seen_.try_emplace(id, false);
  ++(is_new ? stats_.distinct : stats_.duplicates);
  stats_.repeated_after_acknowledged += seen->second;
  if (acknowledged && !std::exchange(seen->second, true)) ++stats_.distinct_acknowledged;
}

Answer Receiver::Decide() {
  switch (behaviour_) {
    case Behaviour::kOk:
      break;
    case Behaviour::kHang:
      return {.reaction = Reaction::kHang};
    case Behaviour::kDrip:
      return {.reaction = Reaction::kDrip};
    case Behaviour::kReset:
      return {.reaction = Reaction::kReset};
    case Behaviour::kError:
      return WithText(500, "Internal Server Error");
    case Behaviour::kRedirect:
      return WithText(302, "Found", absl::StrCat("Location: ", spec_.location, "\r\n"));
    case Behaviour::kGone:
      return WithText(410, "Gone");
    case Behaviour::kThrottle:
      return WithText(429, "Too Many Requests",
                      absl::StrCat("Retry-After: ", absl::ToInt64Seconds(spec_.retry_after), "\r\n"));
    case Behaviour::kEndless:
      return {.reaction = Reaction::kEndless};
    case Behaviour::kFlaky:
      // 53 bits, as many as a double holds.
      if (static_cast<double>(Random() >> 11) * 0x1p-53 >= spec_.fail_rate) break;
      switch (Random() % 3) {
        case 0:
          return WithText(500, "Internal Server Error");
        case 1:
          return {.reaction = Reaction::kReset};
        default:
          return {.reaction = Reaction::kClose};
      }
  }
  return Plain(204, "No Content");
}

// SplitMix64.
uint64_t Receiver::Random() {
  uint64_t z = random_ += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

void Receiver::SetBehaviour(Behaviour behaviour) {
  absl::MutexLock lock(&mutex_);
  behaviour_ = behaviour;
}

void Receiver::SetKeys(std::vector<std::string> keys) {
  absl::MutexLock lock(&mutex_);
  keys_ = std::move(keys);
}

ReceiverStats Receiver::stats() const {
  absl::MutexLock lock(&mutex_);
  return stats_;
}

}  // namespace northwind::examples
