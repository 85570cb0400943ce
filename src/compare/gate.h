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

// Pure. `days` are those that were ever closed, ascending. Days are counted backwards from the last of them; one on which neither side has
// a row neither counts nor ends the row of days, if it is closed and nothing else is wrong with it. One that is not there ends it.
GateStatus JudgeGate(const std::vector<DayFigures>& days, int needed, const std::string& rules_hash);

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
