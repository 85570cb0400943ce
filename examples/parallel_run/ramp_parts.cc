// SPDX-License-Identifier: Apache-2.0
#include "examples/parallel_run/ramp_parts.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"

namespace northwind::examples {
namespace {

constexpr absl::Duration kBankTakes = absl::Milliseconds(5);  // up to, for a call

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

absl::StatusOr<RampParts> RampParts::Open(const RampSettings& settings) {
  RampParts parts;
  NW_ASSIGN_OR_RETURN(const std::string text, ReadFile(settings.mapping));
  NW_ASSIGN_OR_RETURN(const LegacyMapping mapping, ParseMappingJson(text));
  if (!absl::LoadTimeZone(mapping.time_zone, &parts.zone)) {
    return absl::InvalidArgumentError(absl::StrCat("no time zone: ", mapping.time_zone));
  }
  NW_ASSIGN_OR_RETURN(parts.store, Store::Open({.path = settings.ledger}));
  NW_ASSIGN_OR_RETURN(parts.ledger, Ledger::Open(*parts.store));
  NW_ASSIGN_OR_RETURN(parts.kept, Store::Open({.path = settings.compare}));
  parts.clock = std::make_unique<PastClock>();
  const PostgresClaimsOptions claims{.connection = settings.connection};
  NW_RETURN_IF_ERROR(PostgresClaims::Migrate(claims));
  NW_ASSIGN_OR_RETURN(parts.claims, PostgresClaims::Open(claims));
  NW_ASSIGN_OR_RETURN(parts.cutover,
                      Cutover::Open(*parts.store, {.salt = "demonstration", .clock = parts.clock.get()}));
  NW_ASSIGN_OR_RETURN(parts.run, ParallelRun::Open(*parts.ledger, *parts.kept,
                                                   {.mapping = mapping,
                                                    .clock = parts.clock.get(),
                                                    .gate_days = settings.gate_days,
                                                    .is_ours = NorthwindPays(*parts.cutover, *parts.claims)}));
  NW_ASSIGN_OR_RETURN(const auto days, parts.run->Days(absl::CivilDay(2000, 1, 1), absl::CivilDay(2200, 1, 1)));
  for (const DayFigures& day : days) {
    if (day.state != DayState::kOpen) parts.last_day = day.day;
  }
  if (days.empty()) return absl::NotFoundError("the parallel run has no days");
  parts.clock->SetLastDay(parts.last_day);
  NW_ASSIGN_OR_RETURN(parts.scheduler, Scheduler::Open(*parts.store));
  NW_ASSIGN_OR_RETURN(parts.intake, Intake::Open(*parts.ledger, *parts.store, {.scheduler = parts.scheduler.get()}));
  // What the bank has not got must be sent again, which waits for minutes if sending is stopped just then: so it gets everything.
  NW_ASSIGN_OR_RETURN(parts.bank,
                      SimulatedRail::Open(settings.bank, {.seed = settings.seed, .lost = 0, .latency = kBankTakes}));
  parts.rail = std::make_unique<ClaimedRail>(*parts.bank, *parts.claims, *parts.cutover);
  PayoutOptions options{.batch = 4};
  options.policy.initial = absl::Milliseconds(20);
  options.policy.cap = absl::Milliseconds(500);
  NW_ASSIGN_OR_RETURN(
      parts.payouts,
      Payouts::Open({*parts.ledger, *parts.store, *parts.scheduler, *parts.intake, *parts.rail}, options));
  return parts;
}

PaymentEvent RampEvent(EventType type, const std::string& merchant, absl::Time at, int64_t units) {
  PaymentEvent event{.type = type};
  event.occurred_at = at;
  event.merchant_id = merchant;
  if (units > 0) event.amount = Money{.asset = {.code = "USD", .scale = 2}, .units = static_cast<uint64_t>(units)};
  return event;
}

}  // namespace northwind::examples
