// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "northwind/ledger.h"

namespace northwind::python {

void BindLedgerReports(py::module_& m) {
  Record<Head>(m, "Head", "Where a journal ends.")
      .Field("sequence", Member(&Head::sequence), "Its last record.")
      .Field("hash", Member(&Head::hash), "Of its last block: 32 bytes that pin every byte before.");

  using V = VerifyReport;
  Record<V>(m, "VerifyReport", "What was derived from the journal again, and found to agree.")
      .Field("head", Member(&V::head), "")
      .Field("blocks", Member(&V::blocks), "")
      .Field("records", Member(&V::records), "")
      .Field("transactions_applied", Member(&V::transactions_applied), "")
      .Field("transactions_rejected", Member(&V::transactions_rejected), "")
      .Field("accounts", Member(&V::accounts), "")
      .Field("entries", Member(&V::entries), "")
      .Field("open_holds", Member(&V::open_holds), "");

  using S = LedgerStats;
  Record<S>(m, "LedgerStats", "How a ledger is doing.")
      .Field("head", Member(&S::head), "")
      .Field("checkpointed", Member(&S::checkpointed), "Indexes on disk cover the journal up to here.")
      .Field("accounts", Member(&S::accounts), "")
      .Field("open_holds", Member(&S::open_holds), "")
      .Field("queued_transactions", Member(&S::queued_transactions), "")
      .Field("replayed_at_open", Member(&S::replayed_at_open), "Records replayed after the last checkpoint.")
      .Field("disk_bytes", Member(&S::disk_bytes), "");
}

}  // namespace northwind::python
