// SPDX-License-Identifier: Apache-2.0
#include "src/compare/gate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/fields.h"
#include "src/compare/keys.h"

namespace northwind::internal::compare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kMaxText = 1 << 16;

bool NothingCameIn(const DayFigures& day) {
  return std::all_of(day.assets.begin(), day.assets.end(), [](const auto& entry) {
    return entry.second.ours.ingested.count == 0 && entry.second.theirs.ingested.count == 0;
  });
}

uint64_t OpenIn(const DayFigures& day) {
  const auto found = day.by_state.find(DiscrepancyState::kOpen);
  return found == day.by_state.end() ? 0 : found->second;
}

// A day without business: nothing to compare, and nothing wrong.
bool IsBlank(const DayFigures& day) {
  return day.state == DayState::kClosed && NothingCameIn(day) && day.incomplete.empty() && OpenIn(day) == 0;
}

bool IsTold(const DayFigures& day, bool needs_totals) { return day.totals_told || !needs_totals; }
bool IsGood(const DayFigures& day, bool needs_totals) {
  return (day.clean() || IsBlank(day)) && IsTold(day, needs_totals);
}

bool CoverageHolds(const DayFigures& day) {
  return std::all_of(day.assets.begin(), day.assets.end(),
                     [](const auto& entry) { return entry.second.ours.holds() && entry.second.theirs.holds(); });
}

// A day on which nothing agreed, so that no canary could be made, and all of which was looked into: nothing can make it clean. It proves
// nothing, and does not hold up what comes after it for ever.
bool IsDecided(const DayFigures& day, bool needs_totals) {
  return IsTold(day, needs_totals) && day.state == DayState::kClosed && day.canaries.empty() &&
         day.incomplete.empty() && OpenIn(day) == 0 && CoverageHolds(day);
}

// One sentence for each thing that keeps the day from being clean.
void WhyNotClean(const DayFigures& day, bool needs_totals, std::vector<std::string>& reasons) {
  const std::string name = absl::FormatCivilTime(day.day);
  const size_t before = reasons.size();
  if (day.state == DayState::kReopened) {
    reasons.push_back(absl::StrCat(name, " has changed since it was closed, and is to be closed again."));
    return;
  }
  if (const uint64_t open = OpenIn(day); open != 0) {
    reasons.push_back(absl::StrCat(name, " has ", open, open == 1 ? " discrepancy" : " discrepancies", " open."));
  }
  for (const std::string& what : day.incomplete) reasons.push_back(absl::StrCat(name, " is not complete: ", what, "."));
  if (!IsTold(day, needs_totals)) {
    reasons.push_back(absl::StrCat("Of ", name, " it was not told what the batch itself counts."));
  }
  if (!day.sound && !IsBlank(day)) {
    reasons.push_back(day.canaries.empty()
                          ? absl::StrCat(name, " has no row that agrees, so no canary could be sent.")
                          : absl::StrCat(name, " is not sound: a canary was not found as what it is."));
  }
  if (!CoverageHolds(day))
    reasons.push_back(absl::StrCat("Of ", name, " not every row that came in is accounted for."));
  if (reasons.size() == before) reasons.push_back(absl::StrCat("On ", name, " nothing was compared."));
}

std::string Text(absl::CivilDay day) { return absl::FormatCivilTime(day); }

// What nobody has looked into stays in the way, however long ago it was.
void WhatIsWrongBefore(const GateView& view, absl::CivilDay first, std::vector<std::string>& reasons) {
  for (const DayFigures& day : view.closed) {
    if (day.day >= first || IsGood(day, view.needs_totals) || IsDecided(day, view.needs_totals)) continue;
    WhyNotClean(day, view.needs_totals, reasons);
  }
}

void WhatWasNeverClosed(const GateView& view, std::vector<std::string>& reasons) {
  if (view.never_closed.empty()) return;
  const size_t others = view.never_closed.size() - 1;
  reasons.push_back(absl::StrCat(Text(view.never_closed.front()),
                                 others == 0   ? " has rows and was"
                                 : others == 1 ? " and another day have rows and were"
                                               : absl::StrCat(" and ", others, " other days have rows and were"),
                                 " never closed."));
}

// Whatever day it is filed under: what is not looked into may be of today, or of a row of which no day is known.
void WhatIsOpen(const GateView& view, std::vector<std::string>& reasons) {
  if (view.open == 0) return;
  reasons.push_back(view.open == 1 ? "1 discrepancy is open, of all days."
                                   : absl::StrCat(view.open, " discrepancies are open, of all days."));
}

void WhatIsStale(const GateView& view, std::vector<std::string>& reasons) {
  const absl::CivilDay last = view.closed.back().day;
  if (last < view.due) {
    reasons.push_back(
        absl::StrCat("Nothing was compared since ", Text(last), ": ", Text(view.due), " should have been closed."));
  }
  if (view.journal_lags) {
    reasons.push_back(
        absl::StrCat("The journal has records of before the end of ", Text(last), " that were not followed."));
  }
}

// The clean days in a row, up to the last closed one; what ends them, or nothing; the first day of them, or the one that ends them.
absl::CivilDay CountBack(const GateView& view, std::vector<absl::CivilDay>& clean, std::vector<std::string>& ending) {
  absl::CivilDay next = view.closed.back().day;
  for (auto day = view.closed.rbegin(); day != view.closed.rend(); ++day, --next) {
    if (day->day != next) {
      ending.push_back(absl::StrCat(Text(next), " was not closed."));
      return next;
    }
    if (!IsGood(*day, view.needs_totals)) {
      WhyNotClean(*day, view.needs_totals, ending);
      return next;
    }
    if (day->rules_hash != view.rules_hash) {
      ending.push_back(absl::StrCat(Text(next), " was closed under another mapping or other rules."));
      return next;
    }
    if (day->clean()) clean.push_back(day->day);
  }
  return next;
}

}  // namespace

GateStatus JudgeGate(const GateView& view) {
  GateStatus gate{.rules_hash = view.rules_hash};
  if (view.closed.empty()) {
    gate.reasons.emplace_back("No day has been closed yet.");
  } else {
    std::vector<std::string> ending;
    absl::CivilDay first = CountBack(view, gate.days, ending);
    std::reverse(gate.days.begin(), gate.days.end());
    if (gate.days.size() < static_cast<size_t>(view.needed)) {
      gate.reasons = std::move(ending);
      gate.reasons.push_back(absl::StrCat(gate.days.size(), gate.days.size() == 1 ? " clean day" : " clean days",
                                          " in a row up to ", Text(view.closed.back().day), "; ", view.needed,
                                          view.needed == 1 ? " is needed." : " are needed."));
    } else {
      first = gate.days.front();
    }
    WhatIsWrongBefore(view, first, gate.reasons);
    WhatIsStale(view, gate.reasons);
  }
  WhatWasNeverClosed(view, gate.reasons);
  WhatIsOpen(view, gate.reasons);
  gate.open = gate.reasons.empty();
  return gate;
}

std::string WhyNotSigned(const std::vector<DayFigures>& days, absl::CivilDay from, absl::CivilDay to,
                         bool needs_totals) {
  absl::CivilDay next = from;
  bool any = false;
  for (const DayFigures& day : days) {
    if (day.day != next) break;
    if (day.state == DayState::kOpen) break;
    if (!IsGood(day, needs_totals)) {
      std::vector<std::string> reasons;
      WhyNotClean(day, needs_totals, reasons);
      return reasons.front();
    }
    any = any || day.clean();
    ++next;
  }
  if (next <= to) return absl::StrCat(Text(next), " was not closed.");
  return any ? "" : absl::StrCat("There is no clean day from ", Text(from), " to ", Text(to), ".");
}

std::string EncodeSignOff(const KeptSignOff& sign_off) {
  std::string out;
  PutByte(out, kVersion);
  PutBytes(out, sign_off.actor);
  PutBytes(out, sign_off.note);
  PutTime(out, sign_off.at);
  return out.append(AsBytes(sign_off.figures));
}

absl::StatusOr<KeptSignOff> DecodeSignOff(std::string_view bytes) {
  ByteReader in(bytes);
  KeptSignOff sign_off;
  uint8_t version;
  std::string_view figures;
  if (!in.GetByte(version) || version != kVersion || !GetText(in, kMaxText, sign_off.actor) ||
      !GetText(in, kMaxText, sign_off.note) || !GetTime(in, sign_off.at) ||
      !in.GetRaw(sign_off.figures.size(), figures) || !in.AtEnd()) {
    return absl::DataLossError("compare: a sign-off is damaged");
  }
  std::copy(figures.begin(), figures.end(), sign_off.figures.begin());
  return sign_off;
}

std::string SignOffKey(absl::CivilDay from, absl::CivilDay to) {
  std::string key(kSignOffPrefix);
  PutDay(key, from);
  PutDay(key, to);
  return key;
}

Hash256 FiguresHash(const RunReport& report) {
  std::string text;
  PutBytes(text, report.gate.rules_hash);
  for (const DayFigures& day : report.days) {
    PutDayField(text, day.day);
    PutBytes(text, EncodeFigures(day));
  }
  return Sha256::Of(text);
}

}  // namespace northwind::internal::compare
