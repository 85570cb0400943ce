// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>
#include <vector>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/ledger.h"
#include "bindings/python/src/transaction.h"

namespace northwind::python {
namespace {

py::list ListOf(std::vector<CommitResult> results) {
  py::list list(results.size());
  for (size_t i = 0; i < results.size(); ++i) list[i] = py::cast(std::move(results[i]));
  return list;
}

CommitResult CommitOne(const PyLedger& self, const Transaction& transaction, bool balances) {
  const std::shared_ptr<Ledger> ledger = self.Get();
  CommitResult result = Must(Unlocked([&] { return ledger->Commit(transaction, {.balances = balances}); }));
  if (const py::object exception = ExceptionOf(result); !exception.is_none()) RaiseObject(exception);
  return result;
}

py::list CommitBatch(const PyLedger& self, const py::iterable& batch, bool balances, DeferredPolicy deferred) {
  const std::vector<Transaction> transactions = TransactionsOf(batch);
  const std::shared_ptr<Ledger> ledger = self.Get();
  return ListOf(
      Must(Unlocked([&] { return ledger->Commit(transactions, {.balances = balances, .deferred = deferred}); })));
}

// The future of asyncio that waits for a batch. What it holds of Python is let go with the GIL.
struct Waiting {
  py::object loop;
  py::object future;
  bool single = false;

  Waiting(py::object running, bool one) : loop(std::move(running)), future(loop.attr("create_future")()), single(one) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    py::gil_scoped_acquire acquire;
    loop = py::object();
    future = py::object();
  }

  void Answer(absl::StatusOr<std::vector<CommitResult>> results) {
    py::gil_scoped_acquire acquire;
    try {
      py::object value = py::none();
      py::object error = py::none();
      if (!results.ok()) {
        error = ExceptionOf(results.status());
      } else if (single) {
        error = ExceptionOf(results->front());
        if (error.is_none()) value = py::cast(std::move(results->front()));
      } else {
        value = ListOf(*std::move(results));
      }
      loop.attr("call_soon_threadsafe")(py::module_::import("northwind._aio").attr("resolve"), future, value, error);
    } catch (py::error_already_set& raised) {
      // A loop that was closed meanwhile has nobody who waits.
      if (!raised.matches(PyExc_RuntimeError)) raised.discard_as_unraisable("northwind's commit_async");
    }
  }
};

py::object Start(const PyLedger& self, std::vector<Transaction> batch, bool single, const CommitOptions& options) {
  const std::shared_ptr<Ledger> ledger = self.Get();
  auto waiting = std::make_shared<Waiting>(py::module_::import("asyncio").attr("get_running_loop")(), single);
  py::object future = waiting->future;
  CommitCallback callback = [waiting = std::move(waiting)](absl::StatusOr<std::vector<CommitResult>> results) mutable {
    waiting->Answer(std::move(results));
  };
  Must(Unlocked([&] { return ledger->CommitAsync(std::move(batch), std::move(callback), options); }));
  return future;
}

}  // namespace

void DefineCommits(LedgerClass& type) {
  type.def("commit", &CommitOne, py::arg("transaction"), py::kw_only(), py::arg("balances") = false,
           "Applies one transaction and returns when it is durable. Raises a TransactionError unless it is applied, by "
           "this call or "
           "by an earlier one.")
      .def("commit", &CommitBatch, py::arg("transactions"), py::kw_only(), py::arg("balances") = false,
           py::arg("deferred") = DeferredPolicy::kReturn,
           "Applies up to 8,190 transactions in order, by one disk sync: one result for each, none of them raised.")
      .def(
          "commit_async",
          [](const PyLedger& self, const Transaction& transaction, bool balances) {
            return Start(self, {transaction}, true, {.balances = balances});
          },
          py::arg("transaction"), py::kw_only(), py::arg("balances") = false, "As commit, to be awaited.")
      .def(
          "commit_async",
          [](const PyLedger& self, const py::iterable& batch, bool balances, DeferredPolicy deferred) {
            return Start(self, TransactionsOf(batch), false, {.balances = balances, .deferred = deferred});
          },
          py::arg("transactions"), py::kw_only(), py::arg("balances") = false,
          py::arg("deferred") = DeferredPolicy::kReturn,
          "As commit, to be awaited. Batches are applied in the order of the calls; cancelling the wait does not take "
          "one back.")
      .def(
          "expire_holds",
          [](const PyLedger& self) {
            const std::shared_ptr<Ledger> ledger = self.Get();
            return Must(Unlocked([&] { return ledger->ExpireHolds(); }));
          },
          "Releases every hold whose time has come, as each commit does before its own; how many.");
}

}  // namespace northwind::python
