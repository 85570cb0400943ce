// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/endpoint_traffic.h"

#include <algorithm>

#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

// Attempts that somebody asked for, at one endpoint at a time.
constexpr uint32_t kMaxNowPerEndpoint = 2;
constexpr size_t kMaxKeptSettings = 1000;  // told in one call

std::pair<std::string, std::string> NameOf(const Endpoint& endpoint) { return {endpoint.merchant_id, endpoint.id}; }

absl::Status LimitPerKey(Scheduler& scheduler, std::string_view queue, uint32_t limit) {
  NW_ASSIGN_OR_RETURN(QueueConfig config, scheduler.GetQueue(queue));
  if (config.max_per_key == limit) return absl::OkStatus();
  config.max_per_key = limit;
  return scheduler.ConfigureQueue(queue, config);
}

}  // namespace

absl::Status EndpointTraffic::Open() {
  NW_RETURN_IF_ERROR(LimitPerKey(scheduler_, kWebhookQueue, max_concurrent_));
  NW_RETURN_IF_ERROR(LimitPerKey(scheduler_, kWebhookNowQueue, kMaxNowPerEndpoint));
  std::vector<Name> names;
  book_.Visit([&names](const EndpointPtr& endpoint) { names.push_back(NameOf(*endpoint)); });
  const absl::MutexLock settling(&settings_mutex_);
  for (const Name& name : names) NW_RETURN_IF_ERROR(TellSoon(name));
  return absl::OkStatus();
}

absl::Status EndpointTraffic::Refresh(std::string_view merchant, std::string_view endpoint) {
  const absl::MutexLock settling(&settings_mutex_);
  return TellSoon({std::string(merchant), std::string(endpoint)});
}

absl::Status EndpointTraffic::TellSoon(const Name& name) {
  const absl::Status told = Tell(name);
  if (!absl::IsResourceExhausted(told)) return told;
  const absl::MutexLock lock(&mutex_);
  changed_.push_back(name);
  return absl::OkStatus();
}

EndpointTraffic::Line& EndpointTraffic::LineOf(const Endpoint& endpoint) {
  std::unique_ptr<Line>& line = lines_[NameOf(endpoint)];
  if (line == nullptr) line = std::make_unique<Line>(breaker_, *policies_.Of(endpoint));
  return *line;
}

absl::Status EndpointTraffic::ReadFailing(const Endpoint& endpoint, Line& line) {
  if (line.read) return absl::OkStatus();
  const absl::StatusOr<std::optional<std::string>> bytes = store_.Get(FailingKey(endpoint.merchant_id, endpoint.id));
  // A damaged one is as good as none: the endpoint begins anew.
  if (!bytes.ok() && !absl::IsDataLoss(bytes.status())) return bytes.status();
  if (bytes.ok() && bytes->has_value()) {
    const absl::StatusOr<FailingRecord> record = DecodeFailing(endpoint.merchant_id, endpoint.id, **bytes);
    if (record.ok() && record->since != absl::InfinitePast()) line.failing = *record;
  }
  line.read = true;
  return absl::OkStatus();
}

absl::Status EndpointTraffic::Tell(const Name& name) {
  const absl::StatusOr<EndpointPtr> endpoint = book_.Get(name.first, name.second);
  if (!endpoint.ok() && !absl::IsNotFound(endpoint.status())) return endpoint.status();
  KeyConfig config;
  {
    const absl::MutexLock lock(&mutex_);
    if (!endpoint.ok()) {
      if (const auto line = lines_.find(name); line != lines_.end()) {
        probes_.erase({line->second->breaker.retry_at(), name});
        lines_.erase(line);
      }
    } else {
      const std::shared_ptr<const WebhookPolicy> policy = policies_.Of(**endpoint);
      Line& line = LineOf(**endpoint);
      line.bucket.Change(policy->max_per_second, policy->burst);
      config.max_leased = policy->max_concurrent == max_concurrent_ ? 0 : policy->max_concurrent;
      const Breaker::State breaker = line.breaker.state();
      if ((*endpoint)->state == EndpointState::kDisabled) {
        config = KeyConfig();  // what is there comes out, and dies
      } else if ((*endpoint)->state == EndpointState::kPaused || breaker == Breaker::State::kOpen) {
        config.paused = true;
      } else if (breaker == Breaker::State::kProbing) {
        config.max_leased = 1;
      }
      if (line.told == config) return absl::OkStatus();
    }
  }
  NW_RETURN_IF_ERROR(scheduler_.ConfigureKey(kWebhookQueue, EndpointTaskKey(name.first, name.second), config));
  const absl::MutexLock lock(&mutex_);
  if (const auto line = lines_.find(name); line != lines_.end()) line->second->told = config;
  return absl::OkStatus();
}

absl::Duration EndpointTraffic::Admit(const Endpoint& endpoint) {
  const absl::MutexLock lock(&mutex_);
  return LineOf(endpoint).bucket.Take(clock_.Elapsed());
}

bool EndpointTraffic::IsProven(const Endpoint& endpoint) {
  const absl::MutexLock lock(&mutex_);
  return LineOf(endpoint).proven;
}

bool EndpointTraffic::IsOpen(const Endpoint& endpoint) {
  if (endpoint.state == EndpointState::kPaused) return false;
  const absl::MutexLock lock(&mutex_);
  return LineOf(endpoint).breaker.state() != Breaker::State::kOpen;
}

Breaker::Attempt EndpointTraffic::KindOf(const Endpoint& endpoint) {
  const absl::MutexLock lock(&mutex_);
  return LineOf(endpoint).breaker.state() == Breaker::State::kProbing ? Breaker::Attempt::kProbe
                                                                      : Breaker::Attempt::kOrdinary;
}

absl::StatusOr<std::shared_ptr<const EndpointKeys>> EndpointTraffic::Keys(const EndpointPtr& endpoint) {
  const absl::Time now = clock_.Now();
  {
    const absl::MutexLock lock(&mutex_);
    const Line& line = LineOf(*endpoint);
    if (line.keys != nullptr && line.keys_version == endpoint->version && now < line.keys_until) return line.keys;
  }
  auto keys = std::make_shared<EndpointKeys>();
  NW_ASSIGN_OR_RETURN(keys->keys, book_.SigningKeys(*endpoint));
  NW_ASSIGN_OR_RETURN(keys->headers, book_.Headers(*endpoint));
  absl::Time until = absl::InfiniteFuture();
  for (const EndpointSecret& secret : endpoint->secrets) {
    if (secret.expires_at > now) until = std::min(until, secret.expires_at);
  }
  const absl::MutexLock lock(&mutex_);
  Line& line = LineOf(*endpoint);
  line.keys = keys;
  line.keys_version = endpoint->version;
  line.keys_until = until;
  return std::shared_ptr<const EndpointKeys>(std::move(keys));
}

absl::StatusOr<EndpointTraffic::Change> EndpointTraffic::Record(const Endpoint& endpoint, Result result,
                                                                Breaker::Attempt kind, absl::Time until) {
  Change change;
  if (result == Result::kNeither) return change;
  const absl::Time wall = clock_.Now();
  const absl::Duration now = clock_.Elapsed();
  const Name name = NameOf(endpoint);
  const absl::MutexLock lock(&mutex_);
  Line& line = LineOf(endpoint);
  NW_RETURN_IF_ERROR(ReadFailing(endpoint, line));

  line.proven = result == Result::kSuccess;
  const bool success = result == Result::kSuccess || result == Result::kSlowSuccess;
  const Breaker::State before = line.breaker.state();
  const absl::Duration probe_before = line.breaker.retry_at();
  if (success) {
    line.breaker.OnSuccess();
  } else if (result == Result::kThrottled && until != absl::InfinitePast()) {
    line.breaker.OnHold(now + (until - wall), now);
  } else {
    line.breaker.OnFailure(kind, now);
  }
  const Breaker::State after = line.breaker.state();
  if (before == Breaker::State::kOpen) probes_.erase({probe_before, name});
  if (after == Breaker::State::kOpen) probes_.insert({line.breaker.retry_at(), name});
  if (after != before) changed_.push_back(name);

  if (success) {
    if (!line.failing) return change;
    line.failing.reset();
    change.record = HostRecord{FailingKey(name.first, name.second),
                               EncodeFailing({.endpoint_version = endpoint.version, .since = absl::InfinitePast()})};
    return change;
  }
  // What an endpoint was before it was changed is not held against it.
  if (!line.failing || line.failing->endpoint_version < endpoint.version) {
    line.failing = FailingRecord{.endpoint_version = endpoint.version, .since = wall};
    change.record = HostRecord{FailingKey(name.first, name.second), EncodeFailing(*line.failing)};
  }
  change.failing_for = std::max(absl::ZeroDuration(), wall - line.failing->since);
  return change;
}

absl::Status EndpointTraffic::Settle() {
  const absl::Duration now = clock_.Elapsed();
  std::vector<Name> changed;
  {
    const absl::MutexLock lock(&mutex_);
    while (!probes_.empty() && probes_.begin()->first <= now) {
      const Name name = probes_.begin()->second;
      probes_.erase(probes_.begin());
      lines_.at(name)->breaker.OnTime(now);
      changed_.push_back(name);
    }
    if (changed_.empty()) return absl::OkStatus();
    std::sort(changed_.begin(), changed_.end());
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    const size_t count = std::min(changed_.size(), kMaxKeptSettings);
    changed.assign(changed_.end() - static_cast<ptrdiff_t>(count), changed_.end());
    changed_.resize(changed_.size() - count);
  }
  const absl::MutexLock settling(&settings_mutex_);
  for (const Name& name : changed) NW_RETURN_IF_ERROR(TellSoon(name));
  return absl::OkStatus();
}

absl::Duration EndpointTraffic::NextProbe() const {
  const absl::MutexLock lock(&mutex_);
  return probes_.empty() ? absl::InfiniteDuration() : probes_.begin()->first;
}

absl::StatusOr<EndpointHealth> EndpointTraffic::Health(const Endpoint& endpoint) {
  const absl::MutexLock lock(&mutex_);
  Line& line = LineOf(endpoint);
  NW_RETURN_IF_ERROR(ReadFailing(endpoint, line));
  EndpointHealth health{.consecutive_failures = line.breaker.failures()};
  switch (line.breaker.state()) {
    case Breaker::State::kClosed:
      break;
    case Breaker::State::kOpen:
      health.breaker = EndpointHealth::Breaker::kOpen;
      health.retry_at = clock_.Now() + (line.breaker.retry_at() - clock_.Elapsed());
      break;
    case Breaker::State::kProbing:
      health.breaker = EndpointHealth::Breaker::kProbing;
      break;
  }
  if (line.failing && line.failing->endpoint_version >= endpoint.version) health.failing_since = line.failing->since;
  return health;
}

}  // namespace northwind::internal
