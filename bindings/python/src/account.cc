// SPDX-License-Identifier: Apache-2.0
#include "northwind/account.h"

#include <string>

#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"

namespace northwind::python {

void BindAccount(py::module_& m) {
  Record<AccountSpec>(m, "AccountSpec", "What an account is opened with.")
      .Def(py::init([](std::string name, std::string asset, bool external, absl::int128 min_available) {
             return AccountSpec{std::move(name), std::move(asset), external, min_available};
           }),
           py::arg("name"), py::arg("asset"), py::kw_only(), py::arg("external") = false, py::arg("min_available") = 0)
      .Field("name", Member(&AccountSpec::name), "A unique path such as \"merchant:42:available\".")
      .Field("asset", Member(&AccountSpec::asset), "Code and scale, such as \"USD/2\".")
      .Field("external", Member(&AccountSpec::external), "Whether it stands for the outside world, without a limit.")
      .Field("min_available", Member(&AccountSpec::min_available), "The least that `available` may fall to.");

  Record<Totals>(m, "Balance", "The totals of an account, in minor units.")
      .Field("available", &Totals::available, "What can still be moved away: posted less what is held.")
      .Field("posted", &Totals::posted, "Credits less debits, holds not counted.")
      .Field("debits_posted", Member(&Totals::debits_posted), "")
      .Field("credits_posted", Member(&Totals::credits_posted), "")
      .Field("debits_held", Member(&Totals::debits_held), "")
      .Field("credits_held", Member(&Totals::credits_held), "");

  Record<Account>(m, "Account", "An account as it stands.")
      .Field("id", Member(&Account::id), "Its number in this ledger, from 1.")
      .Field("name", Member(&Account::name), "")
      .Field("asset", Member(&Account::asset), "")
      .Field("external", Member(&Account::external), "")
      .Field("min_available", Member(&Account::min_available), "")
      .Field("state", Member(&Account::state), "")
      .Field("balance", Member(&Account::totals), "");
}

}  // namespace northwind::python
