// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_ITEM_BATCH_H_
#define NORTHWIND_SRC_COMPARE_ITEM_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/compare/item.h"
#include "src/compare/journal_side.h"
#include "src/compare/row_ids.h"
#include "src/compare/run_state.h"
#include "src/store/engine.h"

namespace northwind::internal::compare {

// A row of theirs that came.
struct TheirArrival {
  std::string source;
  std::string row_id;
  uint32_t columns = 0;
  RawRow raw;
  MappedRow mapped;
  bool canary = false;
};

// Everything that changes items goes through here: takes changes of many items, brings each item up to them, judges it anew, and puts all
// that follows (items, index, row ids, discrepancies, what came in, days reopened, use of rules) into one write. Items are worked on in the
// order of their keys. For one write; thread-compatible.
class ItemBatch {
 public:
  // What is changed of `standing` holds once the write is durable: pass a copy.
  ItemBatch(const RunState& run, Standing& standing, absl::Time now);

  void Add(OurChange change);
  // Rows of our own making: see canary.h. Not counted.
  void AddCanary(OurChange change);
  // False if the batch has the row id already: write this batch first.
  absl::StatusOr<bool> Add(TheirArrival arrival);
  // Judges the item anew, even if nothing of its rows has changed.
  // `northwind`: whether it pays the item, if that was asked.
  void Review(std::string name, std::optional<bool> northwind = std::nullopt);
  // Changes the item's discrepancy by hand, after it was judged anew. The first error is Run's.
  using Decision = absl::FunctionRef<absl::Status(const Judge&, DiscrepancyRecord&)>;
  absl::Status Decide(std::string_view name, Decision decision, WriteSet& writes);
  // Takes an item away with all that is kept of it. For canaries.
  absl::Status Erase(const Item& item, WriteSet& writes);
  // Reads all kept rows of an item anew; rows that belong to others now go there.
  using Rereader = absl::FunctionRef<MappedRow(const TheirKept&)>;
  absl::Status Reread(const Item& item, Rereader read);

  // Puts all that follows into `writes`.
  absl::Status Run(WriteSet& writes);
  const IngestResult& tally() const { return tally_; }
  bool empty() const { return steps_.empty(); }

 private:
  struct Step {
    enum class Kind : uint8_t { kOurs, kTheirs, kTheirsGone, kDroppedGone, kReview, kOursAnew } kind;
    std::string name;
    size_t index = 0;  // of ours_ or theirs_
    bool canary = false;
    std::optional<DroppedRow> dropped;
    bool known = false;  // kTheirs: the row was known, elsewhere or as dropped
    bool unchanged = false;
    bool late = false;  // reread: as it was
    bool reread = false;
    std::optional<bool> northwind;  // kReview
  };

  absl::Status Work(absl::Span<Step> steps, WriteSet& writes);
  // Whether they change the item.
  bool Apply(Step& step, Item& item);
  bool ApplyOurs(Step& step, Item& item);
  bool ApplyOursAnew(Item& item);
  bool ApplyTheirs(Step& step, Item& item);
  bool ApplyGone(const Step& step, Item& item);
  bool ApplyDroppedGone(const Step& step, Item& item);
  void AddMany(Item& item, Side side, const Place& place, const Asset& asset, absl::int128 units);

  // Judges, and puts the item. `before` is how it was kept; empty: it was not.
  absl::Status Finish(Item& item, std::string_view before, const std::vector<std::string>& keys_before,
                      WriteSet& writes);
  // Whether more than the moment at which it was last seen has changed.
  absl::StatusOr<bool> FinishDiscrepancy(Item& item, const Verdict& verdict, WriteSet& writes);
  void PutItem(const Item& item, const std::string& bytes, const std::vector<std::string>& keys_before,
               WriteSet& writes);
  void FinishLatePuts(WriteSet& writes);
  absl::Status FinishDays(WriteSet& writes);

  void Count(const Item& item, Side side, absl::CivilDay day, const Asset& asset, absl::int128 units, int sign);
  void Touch(absl::CivilDay day);
  void TouchDaysOf(const Item& item);

  const RunState& run_;
  Standing& standing_;
  const absl::Time now_;
  const Judge judge_;
  // Written sorted, after the items: neighbours cost the store a fraction of what keys all over the place do.
  struct LatePut {
    std::string key;
    std::optional<std::string> value;  // nothing: deleted
  };
  std::vector<LatePut> late_puts_;
  std::vector<Step> steps_;
  std::vector<OurChange> ours_;
  std::vector<TheirArrival> theirs_;
  absl::flat_hash_set<std::string> row_keys_;
  std::map<absl::CivilDay, CameIn> came_in_;  // changes
  std::set<absl::CivilDay> touched_;
  std::optional<absl::CivilDay> last_touched_;
  const Decision* decision_ = nullptr;  // of Decide, while it runs
  IngestResult tally_;
};

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_ITEM_BATCH_H_
