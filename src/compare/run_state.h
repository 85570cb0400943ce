// SPDX-License-Identifier: Apache-2.0
//
// What the parts of a parallel run share.
//
//   meta    = u8(1) ledger(16) bytes(mapping as JSON) u8(rereading) bytes(reread up to)
//   columns = n × bytes(name)
#ifndef NORTHWIND_SRC_COMPARE_RUN_STATE_H_
#define NORTHWIND_SRC_COMPARE_RUN_STATE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/compare/day_figures.h"
#include "src/compare/discrepancy.h"
#include "src/compare/rules.h"
#include "src/compare/terms.h"
#include "src/store/engine.h"

namespace northwind::internal::compare {

// What every write may change. Changed on a copy, which replaces the original once the write is durable.
struct Standing {
  uint64_t followed = 0;
  RuleBook rules;
  DayBook days;
  uint64_t open = 0;  // discrepancies that are open, of whatever day; canaries are none. Counted at Open
};

struct Meta {
  std::array<uint8_t, 16> ledger{};
  std::string mapping_json;
  bool rereading = false;   // kept rows are being read by another mapping than before …
  std::string reread_upto;  // … those of items up to this name are done
};
std::string EncodeMeta(const Meta& meta);
absl::StatusOr<Meta> DecodeMeta(std::string_view bytes);

// The heads of the rows that were kept. Thread-compatible.
class ColumnSets {
 public:
  static absl::StatusOr<ColumnSets> Load(const Engine& engine);
  // The number of a head; one that is new is put into `writes`. ResourceExhausted if there are too many.
  absl::StatusOr<uint32_t> Number(absl::Span<const std::string> columns, WriteSet& writes);
  const std::vector<std::string>& at(uint32_t number) const { return sets_[number]; }
  size_t size() const { return sets_.size(); }

 private:
  std::vector<std::vector<std::string>> sets_;
};

// What does not change while a run is open, but for `standing`, which one thread at a time may replace.
struct RunState {
  Engine& engine;
  const LegacyMapping mapping;
  const std::string mapping_json;
  const Terms terms;
  Standing standing;
  ColumnSets columns;

  Hash256 RulesHash() const { return standing.rules.HashWith(mapping_json); }
  std::string RulesHashText() const;
  // For a change of `on`.
  Judge JudgeAt(absl::Time now, Standing& on) const {
    return {.now = now, .rules_hash = on.rules.HashWith(mapping_json), .rules = &on.rules};
  }
};

absl::StatusOr<std::optional<Item>> ReadItem(const Engine& engine, std::string_view name);
absl::StatusOr<std::optional<DiscrepancyRecord>> ReadDiscrepancy(const Engine& engine, std::string_view name);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_RUN_STATE_H_
