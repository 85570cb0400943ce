// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/ledger.h"

#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/clock.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/transaction.h"

namespace northwind::python {

std::shared_ptr<PyLedger> PyLedger::Open(const py::object& where, LedgerOptions options, const py::object& clock) {
  auto self = std::make_shared<PyLedger>();
  self->owns_store_ = !py::isinstance<PyStore>(where);
  self->store_ = self->owns_store_
                     ? py::module_::import("northwind._northwind").attr("Store")(where).cast<std::shared_ptr<PyStore>>()
                     : where.cast<std::shared_ptr<PyStore>>();
  const std::shared_ptr<Store> store = self->store_->Get();
  const std::shared_ptr<PyClock> own_clock = ClockOf(clock);
  options.clock = own_clock.get();
  self->handle_.Set(Must(Unlocked([&] { return Ledger::Open(*store, options); })),
                    std::make_tuple(own_clock, store, self->store_->NewUse()));
  self->CloseAtExit();
  return self;
}

void PyLedger::Close() {
  // The ledger itself is one use of its store.
  if (owns_store_ && !closed() && store_->UsedBeside(1)) {
    RaiseNamed("FailedPrecondition", "something still uses the ledger's store: close that first");
  }
  std::shared_ptr<Ledger> ledger = handle_.Take();
  if (ledger == nullptr) return;
  const absl::Status status = Unlocked([&] { return ledger->Close(); });
  ledger.reset();
  // A call of another thread may hold the ledger for a moment more; the directory is free once it has returned.
  if (Ending()) UnderWay::WaitForAll();
  if (owns_store_ && !store_->UsedBeside(0)) store_->Close();
  Must(status);
}

AccountId ResolveAccount(const Ledger& ledger, const py::object& account) {
  if (!PyUnicode_Check(account.ptr())) return AccountIdOf(account);
  std::string name;
  ToText(account, name);
  return Must(Unlocked([&] { return ledger.FindAccount(name); }));
}

void BindLedger(py::module_& m) {
  const LedgerOptions defaults;
  LedgerClass type(m, "Ledger",
                   "An idempotent double-entry ledger on a Store; one per store at a time. Thread-safe.\n\n"
                   "What it answers is on disk. Accounts are given by number, by name, or as an Account.");
  type.def(py::init([](const py::object& where, uint64_t max_queued_transactions, uint64_t max_queued_bytes,
                       uint64_t checkpoint_interval, bool rebuild_indexes, uint64_t journal_cache_bytes,
                       const py::object& clock) {
             return PyLedger::Open(where,
                                   {.max_queued_transactions = max_queued_transactions,
                                    .max_queued_bytes = max_queued_bytes,
                                    .checkpoint_interval = checkpoint_interval,
                                    .rebuild_indexes = rebuild_indexes,
                                    .journal_cache_bytes = journal_cache_bytes},
                                   clock);
           }),
           py::arg("store"), py::kw_only(), py::arg("max_queued_transactions") = defaults.max_queued_transactions,
           py::arg("max_queued_bytes") = defaults.max_queued_bytes,
           py::arg("checkpoint_interval") = defaults.checkpoint_interval, py::arg("rebuild_indexes") = false,
           py::arg("journal_cache_bytes") = defaults.journal_cache_bytes, py::arg("clock") = py::none(),
           "Opens the ledger of a Store, or of a directory, whose store is then closed with it.")
      .def_property_readonly("store", &PyLedger::store, "The store that it is on.")
      .def("__repr__", [](const PyLedger& self) {
        return "<northwind.Ledger on " + py::repr(TextOf(self.store()->path())).cast<std::string>() +
               (self.closed() ? ", closed>" : ">");
      });
  DefineAccounts(type);
  DefineCommits(type);
  DefineReads(type);
  DefineJournal(type);
  DefineCare(type);
  DefineCommitArrays(type);
  DefineReadArrays(type);
  DefineClosable(type,
                 "Finishes what is queued and writes an index checkpoint, so that the next opening is quick. "
                 "FailedPrecondition while "
                 "anything is open on it. Idempotent.");
}

}  // namespace northwind::python
