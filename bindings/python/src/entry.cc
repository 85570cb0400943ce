// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "northwind/ledger.h"

namespace northwind::python {

void BindEntry(py::module_& m) {
  Record<HistoryCursor>(m, "HistoryCursor", "A place in an account's history, which entries recorded later never move.")
      .Def(py::init([](Sequence sequence, uint32_t index) {
             return HistoryCursor{sequence, index};
           }),
           py::arg("sequence"), py::arg("index") = 0)
      .Field("sequence", Member(&HistoryCursor::sequence), "")
      .Field("index", Member(&HistoryCursor::index), "");

  Record<Entry>(m, "Entry", "One line of an account's history.")
      .Field("sequence", Member(&Entry::sequence), "The record of the journal.")
      .Field("index", Member(&Entry::index), "Among that record's entries on this account.")
      .Field("recorded_at", Member(&Entry::recorded_at), "")
      .Field("kind", Member(&Entry::kind), "")
      .Field("amount", Member(&Entry::amount), "")
      .Field("code", Member(&Entry::code), "Of the transaction; of the hold, for an expiry.")
      .Field("after", Member(&Entry::after), "The account's balance right after this entry.")
      .Also(
          "recorded_at_ns", [](const Entry& e) { return NanosOf(e.recorded_at); }, "To the nanosecond.")
      .Also(
          "cursor",
          [](const Entry& e) {
            return HistoryCursor{e.sequence, e.index};
          },
          "Its place, to go on from.");

  Record<Hold>(m, "Hold", "An open hold.")
      .Field("sequence", Member(&Hold::sequence), "")
      .Field("key", Member(&Hold::key), "")
      .Field("posting", Member(&Hold::posting), "As placed.")
      .Field("remaining", Member(&Hold::remaining), "Not yet captured.")
      .Field("code", Member(&Hold::code), "")
      .Field("reference", Member(&Hold::reference), "")
      .Field("expires_at", Member(&Hold::expires_at), "")
      .Also(
          "expires_at_ns", [](const Hold& h) { return h.expires_at ? NanosOf(*h.expires_at) : py::none(); },
          "To the nanosecond.");
}

}  // namespace northwind::python
