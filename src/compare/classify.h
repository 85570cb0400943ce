// SPDX-License-Identifier: Apache-2.0
//
// What the rows of both sides under one leg and id come to. Pure: no clock, no store.
//
// Rows are compared as multisets. Pairs that agree cancel first, those of the same day before those that only the tolerance lets
// agree. What is left on both sides is paired, the most alike first, and each pair is what differs in it. What is then left on
// one side stands alone: a duplicate if it equals a row of its side that has a partner, else missing on the other side once its day has been
// closed, and pending before that. Of refunds without an id, two that are equal may well be two: whatever of them is left waits until
// its day is closed. Of a payout that northwind pays, what is left of ours is as it should be, and a row of theirs that pays it is a duplicate.
#ifndef NORTHWIND_SRC_COMPARE_CLASSIFY_H_
#define NORTHWIND_SRC_COMPARE_CLASSIFY_H_

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/civil_time.h"
#include "northwind/compare.h"
#include "src/compare/item.h"
#include "src/compare/terms.h"

namespace northwind::internal::compare {

// Whether a day has ever been closed.
using WasClosed = absl::FunctionRef<bool(absl::CivilDay)>;

struct Verdict {
  static constexpr size_t kAlone = static_cast<size_t>(-1);
  struct Pair {
    size_t ours;
    size_t theirs;
  };
  std::vector<DiscrepancyClass> classes;  // ascending; empty: nothing differs (or not yet)
  std::vector<RowFate> ours;              // one for each row
  std::vector<RowFate> theirs;
  std::vector<int> their_hours;  // in which they are filed: that of the row of ours that they go with, else their own
  std::vector<Pair> differing;   // pairs that do not agree
  std::vector<Pair>
      both_pay;  // what northwind is to pay and the batch pays too; `ours` is kAlone if the ledger has no such row
  bool pending = false;  // a row waits
};

Verdict Classify(const Item& item, const Terms& terms, WasClosed was_closed);

// What differs, in words: "amount: -100.00 here, -100.01 there (USD)"; "; " between several.
std::string Describe(const Item& item, const Verdict& verdict, const Terms& terms);

// A seam for tests alone: sees each verdict before it is used. Null otherwise.
using VerdictSpoiler = void (*)(const Item&, Verdict&);
extern std::atomic<VerdictSpoiler> verdict_spoiler_for_testing;

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_CLASSIFY_H_
