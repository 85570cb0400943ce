// SPDX-License-Identifier: Apache-2.0
//
// Whether enough days in a row are clean, and who has put a name under that.
//
//   sign-off = u8(1) bytes(actor) bytes(note) time hash(32)      -- of the report's figures as they stood
#ifndef NORTHWIND_SRC_COMPARE_GATE_H_
#define NORTHWIND_SRC_COMPARE_GATE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/compare/day_figures.h"
#include "src/store/engine.h"

namespace northwind::internal::compare {

// All that the gate is judged by.
struct GateView {
  std::vector<DayFigures> closed;              // days that were ever closed, ascending
  std::vector<absl::CivilDay> never_closed;    // days that may be closed, have rows, and never were; ascending
  uint64_t open = 0;                           // discrepancies that are open, whatever their day
  absl::CivilDay due = absl::CivilDay::min();  // the last day that should have been closed by now
  bool journal_lags = false;  // there are records of before the end of the last closed day that were not followed
  int needed = 1;             // clean days in a row
  bool needs_totals = false;  // of each day
  std::string rules_hash;
};

// Pure. Days are counted backwards from the last that was closed; one on which neither side has a row neither counts nor ends the row of
// days, if it is closed and nothing else is wrong with it. One that is not there ends it.
GateStatus JudgeGate(const GateView& view);

// Why nobody can sign for these days: each must be closed and clean or without rows, and one clean. Empty: somebody can.
std::string WhyNotSigned(const std::vector<DayFigures>& days, absl::CivilDay from, absl::CivilDay to,
                         bool needs_totals);

struct KeptSignOff {
  std::string actor;
  std::string note;
  absl::Time at;
  Hash256 figures{};
};
std::string EncodeSignOff(const KeptSignOff& sign_off);
absl::StatusOr<KeptSignOff> DecodeSignOff(std::string_view bytes);
std::string SignOffKey(absl::CivilDay from, absl::CivilDay to);

// Over all figures of a report, and the rules that they were made by.
Hash256 FiguresHash(const RunReport& report);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_GATE_H_
