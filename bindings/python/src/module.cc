// SPDX-License-Identifier: Apache-2.0
//
// The extension module northwind._northwind. People import northwind, which shows what is public.
#include <pybind11/pybind11.h>

#include <exception>

#include "bindings/python/src/compare.h"
#include "bindings/python/src/cutover.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/services.h"

PYBIND11_MODULE(_northwind, m) {
  using namespace northwind::python;  // NOLINT(google-build-using-namespace)
  m.doc() = "The compiled part of northwind.";
  m.attr("__version__") = NORTHWIND_VERSION;
  py::register_local_exception_translator([](std::exception_ptr raised) {
    try {
      if (raised) std::rethrow_exception(raised);
    } catch (const py::cast_error& error) {
      PyErr_SetString(PyExc_TypeError, error.what());
    }
  });
  LoadTimes();
  LoadEnums();
  LoadHandles(m);

  // A class is known before another one names it.
  BindArrays(m);
  BindPages(m);
  BindKeys(m);
  BindAmounts(m);
  BindStore(m);
  BindAccount(m);
  BindTransaction(m);
  BindCommitResult(m);
  BindJournal(m);
  BindEntry(m);
  BindTransactionView(m);
  BindLedgerReports(m);
  BindLedger(m);
  BindPolicy(m);
  BindTask(m);
  BindScheduler(m);
  BindEvent(m);
  BindIntake(m);
  BindRail(m);
  BindPayouts(m);
  BindEndpoint(m);
  BindDelivery(m);
  BindWebhooks(m);
  BindSqs(m);
  BindMirror(m);
  BindLegacy(m);
  BindFigures(m);
  BindClaims(m);
  BindParallelRun(m);
  BindCutover(m);
  BindClaimedRail(m);
}
