// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/errors.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "northwind/transaction.h"

namespace northwind::python {

void BindCommitResult(py::module_& m) {
  Record<CommitResult>(m, "CommitResult", "The answer to one transaction.")
      .Field("outcome", Member(&CommitResult::outcome), "")
      .Field("original", Member(&CommitResult::original),
             "Of a duplicate: what the key's first transaction came to; else `outcome`.")
      .Field("reason", Member(&CommitResult::reason), "Why, unless applied.")
      .Field("conflict", Member(&CommitResult::conflict),
             "Of a conflict: the first field that differs from what the key stands for.")
      .Field("posting", Member(&CommitResult::posting), "The posting that the reason is about.")
      .Field("sequence", Member(&CommitResult::sequence),
             "Where the key's transaction stands in the journal; 0 if it does not.")
      .Field("recorded_at", Member(&CommitResult::recorded_at), "When that was recorded; None if it was not.")
      .Field(
          "balances",
          [](const CommitResult& r) {
            py::dict balances;
            for (const ResultingBalance& balance : r.balances)
              balances[py::cast(balance.account)] = py::cast(balance.totals);
            return balances;
          },
          "By account, right after the transaction; empty unless asked for.")
      .Kept(&CommitResult::balances)
      .Also(
          "recorded_at_ns", [](const CommitResult& r) { return NanosOf(r.recorded_at); }, "To the nanosecond.")
      .Also(
          "applied",
          [](const CommitResult& r) {
            return r.outcome == Outcome::kApplied ||
                   (r.outcome == Outcome::kDuplicate && r.original == Outcome::kApplied);
          },
          "Whether it is applied, by this call or by an earlier one.")
      .Def(
          "raise_for_outcome",
          [](const CommitResult& r) {
            if (const py::object exception = ExceptionOf(r); !exception.is_none()) RaiseObject(exception);
          },
          "Raises what committing it by itself would have raised; nothing if it is applied.");
}

}  // namespace northwind::python
