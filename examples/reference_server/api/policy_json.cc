// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/policy_json.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/body.h"
#include "examples/reference_server/text.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr std::string_view kRetry = "policy.retry.";
constexpr std::pair<Jitter, std::string_view> kJitters[] = {{Jitter::kNone, "none"},
                                                            {Jitter::kFull, "full"},
                                                            {Jitter::kEqual, "equal"},
                                                            {Jitter::kDecorrelated, "decorrelated"}};
// The nanoseconds of a time must fit 63 bits.
constexpr double kMostSeconds = 9e9;
constexpr int64_t kMostCount = std::numeric_limits<uint32_t>::max();

Json NumberJson(double number) {
  if (number == std::floor(number) && std::abs(number) < 9e15) return static_cast<int64_t>(number);
  return number;
}

Json SecondsJson(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return nullptr;
  if (duration % absl::Seconds(1) == absl::ZeroDuration()) return absl::ToInt64Seconds(duration);
  return static_cast<double>(absl::ToInt64Nanoseconds(duration)) / 1e9;
}

absl::StatusOr<absl::Duration> ReadSeconds(const Json& value, std::string_view where) {
  if (value.is_number() && std::abs(value.get<double>()) <= kMostSeconds) {
    if (value.is_number_integer()) return absl::Seconds(value.get<int64_t>());
    // Apart, so that what stands behind the point keeps all its digits.
    double whole = 0;
    const double fraction = std::modf(value.get<double>(), &whole);
    return absl::Seconds(static_cast<int64_t>(whole)) + absl::Nanoseconds(std::llround(fraction * 1e9));
  }
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(where), ": must be a number of seconds"));
}

// Leaves `duration` as it is if the object says nothing of it.
absl::Status SecondsAt(const Json& object, const std::string& name, std::string_view where, absl::Duration& duration) {
  if (!object.contains(name)) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(duration, ReadSeconds(object[name], absl::StrCat(ToAbsl(where), name)));
  return absl::OkStatus();
}

absl::Status CountAt(const Json& object, std::string_view name, std::string_view where, uint32_t& count) {
  NW_ASSIGN_OR_RETURN(const auto value, WholeAt(object, name, 0, kMostCount, where));
  if (value.has_value()) count = static_cast<uint32_t>(*value);
  return absl::OkStatus();
}

absl::Status NumberInto(const Json& object, std::string_view name, std::string_view where, double& number) {
  NW_ASSIGN_OR_RETURN(const auto value, NumberAt(object, name, where));
  if (value.has_value()) number = *value;
  return absl::OkStatus();
}

absl::Status ReadJitter(const Json& retry, Jitter& jitter) {
  NW_ASSIGN_OR_RETURN(const auto text, TextAt(retry, "jitter", kRetry));
  if (!text.has_value()) return absl::OkStatus();
  for (const auto& [value, name] : kJitters) {
    if (*text != name) continue;
    jitter = value;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("policy.retry.jitter: must be none, full, equal or decorrelated");
}

absl::Status ReadDelays(const Json& retry, std::vector<absl::Duration>& delays) {
  NW_RETURN_IF_ERROR(
      CheckObject(retry, "policy.retry", {"delays_seconds", "max_attempts", "max_age_seconds", "jitter"}));
  const Json& values = retry["delays_seconds"];
  if (!values.is_array() || values.empty() || values.size() > kMaxPolicyDelays) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy.retry.delays_seconds: must be 1 to ", kMaxPolicyDelays, " numbers of seconds"));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    NW_ASSIGN_OR_RETURN(const absl::Duration delay,
                        ReadSeconds(values[i], absl::StrCat("policy.retry.delays_seconds[", i, "]")));
    delays.push_back(delay);
  }
  return absl::OkStatus();
}

absl::StatusOr<RetryPolicy> ReadRetry(const Json& value) {
  RetryPolicy retry;
  if (value.is_object() && value.contains("delays_seconds")) {
    NW_RETURN_IF_ERROR(ReadDelays(value, retry.delays));
  } else {
    NW_RETURN_IF_ERROR(
        CheckObject(value, "policy.retry",
                    {"initial_seconds", "multiplier", "cap_seconds", "max_attempts", "max_age_seconds", "jitter"}));
    if (!value.contains("initial_seconds")) {
      return absl::InvalidArgumentError("policy.retry: needs delays_seconds, or initial_seconds and what goes with it");
    }
    NW_RETURN_IF_ERROR(SecondsAt(value, "initial_seconds", kRetry, retry.initial));
    NW_RETURN_IF_ERROR(NumberInto(value, "multiplier", kRetry, retry.multiplier));
    NW_RETURN_IF_ERROR(SecondsAt(value, "cap_seconds", kRetry, retry.cap));
  }
  NW_RETURN_IF_ERROR(CountAt(value, "max_attempts", kRetry, retry.max_attempts));
  if (value.contains("max_age_seconds") && !value["max_age_seconds"].is_null()) {
    NW_RETURN_IF_ERROR(SecondsAt(value, "max_age_seconds", kRetry, retry.max_age));
  }
  NW_RETURN_IF_ERROR(ReadJitter(value, retry.jitter));
  return retry;
}

Json RetryJson(const RetryPolicy& retry) {
  Json json;
  if (!retry.delays.empty()) {
    json["delays_seconds"] = Json::array();
    for (const absl::Duration delay : retry.delays) json["delays_seconds"].push_back(SecondsJson(delay));
    // As it is said in the usual case: by its delays alone.
    if (retry.max_attempts != 0) json["max_attempts"] = retry.max_attempts;
    if (retry.max_age != absl::InfiniteDuration()) json["max_age_seconds"] = SecondsJson(retry.max_age);
  } else {
    json["initial_seconds"] = SecondsJson(retry.initial);
    json["multiplier"] = NumberJson(retry.multiplier);
    json["cap_seconds"] = SecondsJson(retry.cap);
    json["max_attempts"] = retry.max_attempts;
    json["max_age_seconds"] = SecondsJson(retry.max_age);
  }
  for (const auto& [value, name] : kJitters) {
    if (value == retry.jitter && (retry.delays.empty() || value != Jitter::kNone)) json["jitter"] = name;
  }
  return json;
}

}  // namespace

Json PolicyJson(const std::optional<WebhookPolicy>& policy) {
  if (!policy.has_value()) return nullptr;
  return {{"retry", RetryJson(policy->retry)},
          {"timeout_seconds", SecondsJson(policy->timeout)},
          {"max_concurrent", policy->max_concurrent},
          {"max_per_second", NumberJson(policy->max_per_second)},
          {"burst", policy->burst}};
}

absl::StatusOr<std::optional<WebhookPolicy>> ReadPolicy(const Json& value) {
  if (value.is_null()) return std::nullopt;
  NW_RETURN_IF_ERROR(
      CheckObject(value, "policy", {"retry", "timeout_seconds", "max_concurrent", "max_per_second", "burst"}));
  WebhookPolicy policy;
  if (value.contains("retry")) {
    NW_ASSIGN_OR_RETURN(policy.retry, ReadRetry(value["retry"]));
  }
  NW_RETURN_IF_ERROR(SecondsAt(value, "timeout_seconds", "policy.", policy.timeout));
  NW_RETURN_IF_ERROR(CountAt(value, "max_concurrent", "policy.", policy.max_concurrent));
  NW_RETURN_IF_ERROR(NumberInto(value, "max_per_second", "policy.", policy.max_per_second));
  NW_RETURN_IF_ERROR(CountAt(value, "burst", "policy.", policy.burst));
  return policy;
}

absl::StatusOr<std::optional<WebhookPolicy>> ParsePolicy(std::string_view body) {
  if (absl::StripAsciiWhitespace(ToAbsl(body)) == "null") return std::nullopt;
  NW_ASSIGN_OR_RETURN(const Json value,
                      ParseObject(body, {"retry", "timeout_seconds", "max_concurrent", "max_per_second", "burst"}));
  return ReadPolicy(value);
}

absl::StatusOr<Json> PlanJson(const WebhookPolicy& policy) {
  NW_ASSIGN_OR_RETURN(std::vector<absl::Duration> plan, PlanWebhookAttempts(policy, kMaxPlannedAttempts + 1));
  const bool whole = plan.size() <= kMaxPlannedAttempts;
  if (!whole) plan.pop_back();
  Json attempts = Json::array();
  for (const absl::Duration at : plan) attempts.push_back(SecondsJson(at));
  return Json{{"attempts_at_seconds", std::move(attempts)},
              {"gives_up_after_seconds", whole ? SecondsJson(plan.back()) : Json()}};
}

}  // namespace northwind::server
