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

bool CoverageHolds(const DayFigures& day) {
  return std::all_of(day.assets.begin(), day.assets.end(),
                     [](const auto& entry) { return entry.second.ours.holds() && entry.second.theirs.holds(); });
}

// One sentence for each thing that keeps the day from being clean.
void WhyNotClean(const DayFigures& day, std::vector<std::string>& reasons) {
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
  if (!day.sound) {
    reasons.push_back(day.canaries.empty()
                          ? absl::StrCat(name, " has no row that agrees, so no canary could be sent.")
                          : absl::StrCat(name, " is not sound: a canary was not found as what it is."));
  }
  if (!CoverageHolds(day))
    reasons.push_back(absl::StrCat("Of ", name, " not every row that came in is accounted for."));
  if (reasons.size() == before) reasons.push_back(absl::StrCat("On ", name, " nothing was compared."));
}

}  // namespace

GateStatus JudgeGate(const std::vector<DayFigures>& days, int needed, const std::string& rules_hash) {
  GateStatus gate{.rules_hash = rules_hash};
  if (days.empty()) {
    gate.reasons.push_back("No day has been closed yet.");
    return gate;
  }
  std::vector<std::string> ending;
  absl::CivilDay next = days.back().day;
  for (auto day = days.rbegin(); day != days.rend(); ++day, --next) {
    if (day->day != next) {
      ending.push_back(absl::StrCat(absl::FormatCivilTime(next), " was not closed."));
      break;
    }
    if (!day->clean() && !IsBlank(*day)) {
      WhyNotClean(*day, ending);
      break;
    }
    if (day->rules_hash != rules_hash) {
      ending.push_back(absl::StrCat(absl::FormatCivilTime(next), " was closed under another mapping or other rules."));
      break;
    }
    if (day->clean()) gate.days.push_back(day->day);
  }
  std::reverse(gate.days.begin(), gate.days.end());
  gate.open = gate.days.size() >= static_cast<size_t>(needed);
  if (gate.open) return gate;
  gate.reasons = std::move(ending);
  gate.reasons.push_back(absl::StrCat(gate.days.size(), gate.days.size() == 1 ? " clean day" : " clean days",
                                      " in a row up to ", absl::FormatCivilTime(days.back().day), "; ", needed,
                                      needed == 1 ? " is needed." : " are needed."));
  return gate;
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
