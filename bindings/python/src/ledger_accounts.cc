// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/ledger.h"
#include "bindings/python/src/pages.h"

namespace northwind::python {
namespace {

template <typename Change>
auto Changing(Change change) {
  return [change](const PyLedger& self, const py::object& account) {
    const std::shared_ptr<Ledger> ledger = self.Get();
    const AccountId id = ResolveAccount(*ledger, account);
    Must(Unlocked([&] { return change(*ledger, id); }));
  };
}

Pages Accounts(std::shared_ptr<PyLedger> self, std::string prefix) {
  self->CheckOpen();
  return PagesOf<Account>([self = std::move(self), prefix = std::move(prefix),
                           after = std::string()](std::vector<Account>& accounts) mutable {
    const std::shared_ptr<Ledger> ledger = self->Get();
    AccountPage page = Must(Unlocked([&] { return ledger->ListAccounts(prefix, after, kMaxAccountPage); }));
    accounts = std::move(page.accounts);
    after = std::move(page.next);
    return !after.empty();
  });
}

}  // namespace

void DefineAccounts(LedgerClass& type) {
  type.def(
          "open_account",
          [](const PyLedger& self, std::string name, std::string asset, bool external, absl::int128 min_available) {
            const std::shared_ptr<Ledger> ledger = self.Get();
            const AccountSpec spec{std::move(name), std::move(asset), external, min_available};
            return Must(Unlocked([&] { return ledger->OpenAccount(spec); }));
          },
          py::arg("name"), py::arg("asset"), py::kw_only(), py::arg("external") = false, py::arg("min_available") = 0,
          "The number of a new account, or of the one that has this name and is the same; else AlreadyExists.")
      .def(
          "open_accounts",
          [](const PyLedger& self, const py::iterable& specs) {
            std::vector<AccountSpec> list;
            for (const py::handle spec : specs) list.push_back(As<AccountSpec>(spec, "a spec"));
            const std::shared_ptr<Ledger> ledger = self.Get();
            return Must(Unlocked([&] { return ledger->OpenAccounts(list); }));
          },
          py::arg("specs"),
          "All or none of up to 100,000 AccountSpecs, by one disk sync; their numbers in the order given.")
      .def("freeze", Changing([](Ledger& l, AccountId id) { return l.Freeze(id); }), py::arg("account"),
           "Nothing new moves or is held on it.")
      .def("unfreeze", Changing([](Ledger& l, AccountId id) { return l.Unfreeze(id); }), py::arg("account"), "")
      .def("close_account", Changing([](Ledger& l, AccountId id) { return l.CloseAccount(id); }), py::arg("account"),
           "For ever. FailedPrecondition unless nothing is held on it and its balance is zero, if it is not external.")
      .def(
          "set_min_available",
          [](const PyLedger& self, const py::object& account, absl::int128 min_available) {
            const std::shared_ptr<Ledger> ledger = self.Get();
            const AccountId id = ResolveAccount(*ledger, account);
            Must(Unlocked([&] { return ledger->SetMinAvailable(id, min_available); }));
          },
          py::arg("account"), py::arg("min_available"), "FailedPrecondition if it has less available than that.")
      .def(
          "account",
          [](const PyLedger& self, const py::object& account) {
            const std::shared_ptr<Ledger> ledger = self.Get();
            const AccountId id = ResolveAccount(*ledger, account);
            return Must(Unlocked([&] { return ledger->GetAccount(id); }));
          },
          py::arg("account"), "An Account as it stands. NotFound.")
      .def("accounts", &Accounts, py::arg("prefix") = "",
           "Accounts whose names begin with `prefix`, by name, read page by page.");
}

}  // namespace northwind::python
