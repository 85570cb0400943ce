// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/journal.h"

#include <string>
#include <utility>
#include <variant>

#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "bindings/python/src/transaction.h"

namespace northwind::python {
namespace {

// The fields that all kinds have.
template <typename Body>
Record<RecordOf<Body>> Bind(py::module_& m, const char* name, const char* doc) {
  using R = RecordOf<Body>;
  return Record<R>(m, name, doc)
      .Field("sequence", Member(&R::sequence), "Its place in the journal, from 1.")
      .Field("recorded_at", Member(&R::recorded_at), "")
      .Also(
          "recorded_at_ns", [](const R& r) { return NanosOf(r.recorded_at); }, "To the nanosecond.")
      .Kept(&R::body);
}

}  // namespace

py::object ObjectOf(JournalRecord record) {
  return std::visit(
      [&](auto& body) {
        return py::cast(RecordOf<std::decay_t<decltype(body)>>{record.sequence, record.recorded_at, std::move(body)});
      },
      record.body);
}

void BindJournal(py::module_& m) {
  using Opened = RecordOf<AccountOpened>;
  Bind<AccountOpened>(m, "AccountOpened", "A record of the journal: an account was opened.")
      .Field(
          "id", [](const Opened& r) { return r.body.id; }, "")
      .Field(
          "spec", [](const Opened& r) { return r.body.spec; }, "");

  using Changed = RecordOf<AccountChanged>;
  Bind<AccountChanged>(m, "AccountChanged", "A record of the journal: an account's state or limit was changed.")
      .Field(
          "id", [](const Changed& r) { return r.body.id; }, "")
      .Field(
          "state", [](const Changed& r) { return r.body.state; }, "As it stands afterwards.")
      .Field(
          "min_available", [](const Changed& r) { return r.body.min_available; }, "As it stands afterwards.");

  using Recorded = RecordOf<TransactionRecorded>;
  Bind<TransactionRecorded>(m, "TransactionRecorded", "A record of the journal: a transaction was applied or rejected.")
      .Field(
          "transaction", [](const Recorded& r) { return r.body.transaction; },
          "As requested; host records are not journaled.")
      .Field(
          "outcome", [](const Recorded& r) { return r.body.outcome; }, "")
      .Field(
          "reason", [](const Recorded& r) { return r.body.reason; }, "")
      .Field(
          "target", [](const Recorded& r) { return r.body.target; }, "The record it worked on; 0 if none.")
      .Field(
          "moved", [](const Recorded& r) { return PostingsOf(r.body.moved); }, "What moved, if it was applied.")
      .Field(
          "released", [](const Recorded& r) { return r.body.released; }, "What went back to the hold's debit account.");

  using Expired = RecordOf<HoldExpired>;
  Bind<HoldExpired>(m, "HoldExpired", "A record of the journal: a hold ran out, and what remained of it went back.")
      .Field(
          "hold", [](const Expired& r) { return r.body.hold; }, "The record of the hold.")
      .Field(
          "released", [](const Expired& r) { return r.body.released; }, "");
}

}  // namespace northwind::python
