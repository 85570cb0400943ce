// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/ledger.h"
#include "bindings/python/src/pages.h"

namespace northwind::python {
namespace {

Totals BalanceOf(const PyLedger& self, const py::object& account, const py::object& at) {
  const std::shared_ptr<Ledger> ledger = self.Get();
  const AccountId id = ResolveAccount(*ledger, account);
  if (at.is_none()) return Must(Unlocked([&] { return ledger->Balance(id); }));
  if (PyLong_Check(at.ptr())) {
    const auto sequence = at.cast<Sequence>();
    return Must(Unlocked([&] { return ledger->BalanceAt(id, sequence); }));
  }
  const absl::Time time = EndOf(at, As<absl::Time>(at, "at"));
  return Must(Unlocked([&] { return ledger->BalanceAt(id, time); }));
}

py::list Balances(const PyLedger& self, const py::iterable& accounts) {
  const std::shared_ptr<Ledger> ledger = self.Get();
  std::vector<AccountId> ids;
  for (const py::handle account : accounts) {
    ids.push_back(ResolveAccount(*ledger, py::reinterpret_borrow<py::object>(account)));
  }
  return py::cast(Must(Unlocked([&] { return ledger->Balances(ids); })));
}

Pages History(std::shared_ptr<PyLedger> self, const py::object& account, bool reverse, std::optional<uint16_t> code,
              const py::object& start, const py::object& end, const std::optional<HistoryCursor>& after) {
  const AccountId id = ResolveAccount(*self->Get(), account);
  HistoryQuery query{.direction = reverse ? Direction::kBackward : Direction::kForward,
                     .limit = kMaxHistoryPage,
                     .cursor = after,
                     .code = code};
  if (!start.is_none()) query.from = As<absl::Time>(start, "start");
  if (!end.is_none()) query.to = As<absl::Time>(end, "end");
  return PagesOf<Entry>([self = std::move(self), id, query](std::vector<Entry>& entries) mutable {
    const std::shared_ptr<Ledger> ledger = self->Get();
    HistoryPage page = Must(Unlocked([&] { return ledger->History(id, query); }));
    entries = std::move(page.entries);
    query.cursor = page.next;
    return page.next.has_value();
  });
}

Pages OpenHolds(std::shared_ptr<PyLedger> self, const py::object& account) {
  const AccountId id = ResolveAccount(*self->Get(), account);
  return PagesOf<Hold>([self = std::move(self), id, after = Sequence()](std::vector<Hold>& holds) mutable {
    const std::shared_ptr<Ledger> ledger = self->Get();
    HoldPage page = Must(Unlocked([&] { return ledger->OpenHolds(id, after, kMaxHoldPage); }));
    holds = std::move(page.holds);
    after = page.next;
    return after.value() != 0;
  });
}

TransactionView GetTransaction(const PyLedger& self, const py::object& name) {
  const std::shared_ptr<Ledger> ledger = self.Get();
  if (PyLong_Check(name.ptr())) {
    const auto sequence = name.cast<Sequence>();
    return Must(Unlocked([&] { return ledger->GetTransaction(sequence); }));
  }
  const auto key = As<IdempotencyKey>(name, "a key");
  return Must(Unlocked([&] { return ledger->GetTransaction(key); }));
}

std::vector<TransactionView> FindByReference(const PyLedger& self, uint16_t code, const py::object& reference,
                                             size_t limit) {
  std::string text;
  if (!ToText(reference, text)) throw py::type_error("a reference is str or bytes");
  const std::shared_ptr<Ledger> ledger = self.Get();
  return Must(Unlocked([&] { return ledger->FindByReference(code, text, limit); }));
}

}  // namespace

void DefineReads(LedgerClass& type) {
  type.def("balance", &BalanceOf, py::arg("account"), py::kw_only(), py::arg("at") = py::none(),
           "The balance now; or as it was right after record `at`, if that is an int; or at the end of the microsecond "
           "that a datetime "
           "names.")
      .def("balances", &Balances, py::arg("accounts"), "Of several accounts, all at one moment.")
      .def("history", &History, py::arg("account"), py::kw_only(), py::arg("reverse") = false,
           py::arg("code") = py::none(), py::arg("start") = py::none(), py::arg("end") = py::none(),
           py::arg("after") = py::none(),
           "The account's entries, the oldest first, or the newest with `reverse`: recorded at or after `start` and "
           "before `end`, going "
           "on after a cursor. Read page by page.")
      .def("open_holds", &OpenHolds, py::arg("account"),
           "Holds that stand open on the account, on either side, by sequence.")
      .def("transaction", &GetTransaction, py::arg("key_or_sequence"),
           "A transaction by its key (bytes, uuid.UUID or text), or by its place in the journal (int). NotFound.")
      .def("find_by_reference", &FindByReference, py::arg("code"), py::arg("reference"), py::kw_only(),
           py::arg("limit") = 100, "Applied transactions of that code and reference, by sequence.");
}

}  // namespace northwind::python
