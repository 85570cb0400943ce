// SPDX-License-Identifier: Apache-2.0
//
// Each change of what decides: when it is allowed, and what it makes of the settings.
#include <algorithm>
#include <set>

#include "absl/strings/str_join.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/cutover/audit_log.h"
#include "src/cutover/core.h"

namespace northwind {

using internal::Error;
using internal::MerchantStanding;
using internal::Space;
using internal::WriteSet;

namespace {

constexpr size_t kNamesInLog = 20;

absl::Status CheckGate(const GateStatus& gate) {
  if (gate.open) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "cutover: the gate is shut: ", absl::StrJoin(gate.reasons, "; "));
}

// Days are compared by the date in UTC.
absl::CivilDay DayOf(absl::Time at) { return absl::ToCivilDay(at, absl::UTCTimeZone()); }
uint32_t NumberOf(absl::CivilDay day) { return static_cast<uint32_t>(day - absl::CivilDay(1970, 1, 1)); }

// Each stage is judged by days of its own: those that were clean before the last raise say nothing of what it moved.
absl::Status CheckDaysSinceRaise(const GateStatus& gate, uint32_t raised_on, uint32_t needed) {
  if (raised_on == 0 || needed == 0) return absl::OkStatus();
  const absl::CivilDay raise = absl::CivilDay(1970, 1, 1) + raised_on;
  const auto days =
      std::count_if(gate.days.begin(), gate.days.end(), [raise](absl::CivilDay day) { return day > raise; });
  if (days >= needed) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "cutover: the last raise was on ", absl::FormatCivilTime(raise),
               ", and ", days, " of the gate's clean days are later; it takes ", needed);
}

// What the gate was open by.
std::string Describe(const GateStatus& gate) {
  std::string out = absl::StrCat("gate: ", gate.days.size(), " clean days");
  if (!gate.days.empty()) {
    absl::StrAppend(&out, ", ", absl::FormatCivilTime(gate.days.front()), " to ",
                    absl::FormatCivilTime(gate.days.back()));
  }
  if (!gate.rules_hash.empty()) absl::StrAppend(&out, ", rules ", gate.rules_hash);
  return out;
}

}  // namespace

// A shadow cannot pay: what it took from the batch, nobody would.
absl::Status Cutover::Core::CheckLive() const {
  if (!store_.shadow()) return absl::OkStatus();
  return absl::FailedPreconditionError("cutover: in a shadow store everything stays with the batch");
}

// ---- Up -----------------------------------------------------------------------------------------------------

absl::Status Cutover::Core::Raise(const GateStatus& gate, std::string_view actor, std::string_view reason) {
  NW_RETURN_IF_ERROR(CheckGate(gate));
  NW_RETURN_IF_ERROR(CheckLive());
  return Change({actor, "raise", reason, Describe(gate)}, Direction::kUp, [this, &gate](Settings& settings) {
    if (settings.routed_to_batch) return absl::FailedPreconditionError("cutover: routing is switched to the batch");
    const auto stage = std::upper_bound(options_.stages.begin(), options_.stages.end(), settings.threshold);
    if (stage == options_.stages.end()) return absl::FailedPreconditionError("cutover: this is the last stage");
    NW_RETURN_IF_ERROR(CheckDaysSinceRaise(gate, settings.raised_on, options_.days_between_raises));
    settings.threshold = *stage;
    settings.raised_on = NumberOf(DayOf(clock_.Now()));
    return absl::OkStatus();
  });
}

absl::Status Cutover::Core::ForceRaise(uint32_t threshold, std::string_view actor, std::string_view reason) {
  NW_RETURN_IF_ERROR(CheckLive());
  return Change({actor, "force_raise", reason, "without the gate"}, Direction::kUp,
                [this, threshold](Settings& settings) {
                  if (threshold <= settings.threshold || threshold > kBasisPoints) {
                    return Error(absl::StatusCode::kInvalidArgument, "cutover: the threshold is ", settings.threshold,
                                 " and can be raised to at most ", kBasisPoints, ", not to ", threshold);
                  }
                  settings.threshold = threshold;
                  settings.raised_on = NumberOf(DayOf(clock_.Now()));
                  return absl::OkStatus();
                });
}

absl::Status Cutover::Core::ResumeRouting(const GateStatus& gate, std::string_view actor, std::string_view reason) {
  NW_RETURN_IF_ERROR(CheckGate(gate));
  return Change({actor, "resume_routing", reason, Describe(gate)}, Direction::kUp, [](Settings& settings) {
    settings.routed_to_batch = false;
    return absl::OkStatus();
  });
}

absl::Status Cutover::Core::ForceResumeRouting(std::string_view actor, std::string_view reason) {
  return Change({actor, "force_resume_routing", reason, "without the gate"}, Direction::kUp, [](Settings& settings) {
    settings.routed_to_batch = false;
    return absl::OkStatus();
  });
}

absl::Status Cutover::Core::ResumeSending(std::string_view actor, std::string_view reason) {
  return Change({actor, "resume_sending", reason}, Direction::kUp, [](Settings& settings) {
    settings.sending_stopped = false;
    return absl::OkStatus();
  });
}

absl::Status Cutover::Core::AdvanceEpoch(uint64_t epoch, std::string_view actor, std::string_view reason) {
  return Change(
      {actor, "advance_epoch", reason, absl::StrCat("epoch: to ", epoch)}, Direction::kUp, [epoch](Settings& settings) {
        if (epoch <= settings.epoch) {
          return Error(absl::StatusCode::kInvalidArgument, "cutover: the epoch is ", settings.epoch, " already");
        }
        settings.epoch = epoch;
        return absl::OkStatus();
      });
}

// ---- Down ---------------------------------------------------------------------------------------------------

absl::Status Cutover::Core::Lower(uint32_t threshold, std::string_view actor, std::string_view reason) {
  return Change({actor, "lower", reason}, Direction::kDown, [this, threshold](Settings& settings) {
    // One that could not be written may be asked for again.
    if (threshold > settings.threshold || threshold >= durable().threshold) {
      return Error(absl::StatusCode::kInvalidArgument, "cutover: the threshold is ", settings.threshold,
                   ", which is not above ", threshold);
    }
    settings.threshold = threshold;
    return absl::OkStatus();
  });
}

absl::Status Cutover::Core::RouteToBatch(std::string_view actor, std::string_view reason) {
  return Change({actor, "route_to_batch", reason}, Direction::kDown, [](Settings& settings) {
    settings.routed_to_batch = true;
    return absl::OkStatus();
  });
}

absl::Status Cutover::Core::StopSending(std::string_view actor, std::string_view reason) {
  return Change({actor, "stop_sending", reason}, Direction::kDown, [](Settings& settings) {
    settings.sending_stopped = true;
    return absl::OkStatus();
  });
}

// ---- Merchants ----------------------------------------------------------------------------------------------

absl::Status Cutover::Core::AddMerchants(absl::Span<const std::string> merchant_ids, std::string_view actor) {
  NW_RETURN_IF_ERROR(internal::CheckActor(actor));
  if (merchant_ids.size() > kMaxAssignBatch) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: up to ", kMaxAssignBatch, " merchants at a time");
  }
  for (const std::string& merchant_id : merchant_ids) NW_RETURN_IF_ERROR(internal::CheckMerchantId(merchant_id));
  absl::MutexLock write_lock(&write_mutex_);
  WriteSet writes;
  std::set<std::string_view> added;
  for (const std::string& merchant_id : merchant_ids) {
    NW_ASSIGN_OR_RETURN(MerchantStanding standing, internal::ReadStanding(engine_, merchant_id));
    if (standing.known || !added.insert(merchant_id).second) continue;
    standing.known = true;
    writes.Put(Space::kHost, internal::CutoverKey(internal::kMerchantPrefix, merchant_id),
               internal::EncodeStanding(standing));
  }
  if (added.empty()) return absl::OkStatus();
  Counts counts = this->counts();
  counts.merchants += added.size();
  std::string detail = absl::StrCat("merchants: ", added.size(), " new:");
  size_t named = 0;
  for (auto it = added.begin(); it != added.end() && named < kNamesInLog; ++it, ++named) {
    absl::StrAppend(&detail, " ", internal::ToAbsl(*it));
  }
  if (added.size() > named) absl::StrAppend(&detail, " and ", added.size() - named, " more");
  return Commit({actor, "add_merchants", "", std::move(detail)}, live(), counts, writes);
}

absl::Status Cutover::Core::SetOverride(std::string_view merchant_id, std::optional<Override> value,
                                        std::string_view actor, std::string_view reason) {
  NW_RETURN_IF_ERROR(internal::CheckActor(actor));
  NW_RETURN_IF_ERROR(internal::CheckReason(reason));
  NW_RETURN_IF_ERROR(internal::CheckMerchantId(merchant_id));
  if (value == Override::kAllow) NW_RETURN_IF_ERROR(CheckLive());
  if (value.has_value() && *value != Override::kAllow && *value != Override::kDeny) {
    return absl::InvalidArgumentError("cutover: an override is to allow or to deny");
  }
  absl::MutexLock write_lock(&write_mutex_);
  NW_ASSIGN_OR_RETURN(MerchantStanding standing, internal::ReadStanding(engine_, merchant_id));
  if (standing.override == value) return absl::OkStatus();
  Counts counts = this->counts();
  const auto text = [](std::optional<Override> of) {
    return !of ? "none" : *of == Override::kAllow ? "allow" : "deny";
  };
  const auto count = [&counts](std::optional<Override> of) -> uint64_t* {
    return !of ? nullptr : *of == Override::kAllow ? &counts.allowed : &counts.denied;
  };
  std::string detail =
      absl::StrCat(internal::OverrideDetail(merchant_id), text(standing.override), " -> ", text(value));
  if (uint64_t* before = count(standing.override)) --*before;
  if (uint64_t* after = count(value)) ++*after;
  standing.override = value;
  WriteSet writes;
  const std::string key = internal::CutoverKey(internal::kMerchantPrefix, merchant_id);
  if (standing == MerchantStanding()) {
    writes.Delete(Space::kHost, key);
  } else {
    writes.Put(Space::kHost, key, internal::EncodeStanding(standing));
  }
  const std::string index_key = internal::CutoverKey(internal::kOverridePrefix, merchant_id);
  if (value.has_value()) {
    writes.Put(Space::kHost, index_key, internal::EncodeOverride({.value = *value, .line = NextLine()}));
  } else {
    writes.Delete(Space::kHost, index_key);
  }
  return Commit({actor, internal::kSetOverride, reason, std::move(detail)}, live(), counts, writes);
}

}  // namespace northwind
