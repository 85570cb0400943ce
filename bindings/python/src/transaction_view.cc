// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/journal.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "northwind/ledger.h"

namespace northwind::python {

void BindTransactionView(py::module_& m) {
  using V = TransactionView;
  Record<V>(m, "TransactionView", "A transaction of the journal, and what became of it.")
      .Field(
          "record",
          [](const V& v) {
            return RecordOf<TransactionRecorded>{v.sequence, v.recorded_at, v.record};
          },
          "")
      .Kept(&V::sequence, &V::recorded_at, &V::record)
      .Field("links", Member(&V::links), "Records that worked on it, in order; the first 1,000.")
      .Field("captured", Member(&V::captured), "Of a hold.")
      .Field("released", Member(&V::released), "Of a hold.")
      .Field("remaining", Member(&V::remaining), "Of a hold.")
      .Field("reversed", Member(&V::reversed), "Of a post or capture.")
      .Also("sequence", Member(&V::sequence), "")
      .Also("recorded_at", Member(&V::recorded_at), "");
}

}  // namespace northwind::python
