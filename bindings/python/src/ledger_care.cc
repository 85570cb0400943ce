// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <memory>
#include <string>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/ledger.h"

namespace northwind::python {
namespace {

std::string PathOf(const py::object& path) {
  return py::module_::import("os").attr("fsencode")(path).cast<std::string>();
}

VerifyReport Verify(const PyLedger& self, const py::object& progress) {
  const std::shared_ptr<Ledger> ledger = self.Get();
  std::exception_ptr raised;
  VerifyOptions options;
  options.progress = [&](const VerifyProgress& at) {
    if (Ending()) return false;
    py::gil_scoped_acquire acquire;
    try {
      CheckSignals();
      if (progress.is_none()) return true;
      return !progress(at.checked, at.head).is(py::bool_(false));
    } catch (...) {
      raised = std::current_exception();
      return false;
    }
  };
  absl::StatusOr<VerifyReport> report = Unlocked([&] { return ledger->Verify(options); });
  if (raised) std::rethrow_exception(raised);
  return Must(std::move(report));
}

}  // namespace

void DefineCare(LedgerClass& type) {
  type.def("verify", &Verify, py::arg("progress") = py::none(),
           "Derives everything from the journal again and compares: every hash, balance and index entry. Runs beside "
           "commits. DataLoss "
           "names the first difference. `progress(checked, head)` is called now and then; it cancels by returning "
           "False.")
      .def(
          "write_indexes",
          [](const PyLedger& self) {
            const std::shared_ptr<Ledger> ledger = self.Get();
            Must(Unlocked([&] { return ledger->WriteIndexes(); }));
          },
          "Writes all indexes up to the head to disk.")
      .def(
          "checkpoint",
          [](const PyLedger& self, const py::object& directory) {
            const std::string path = PathOf(directory);
            const std::shared_ptr<Ledger> ledger = self.Get();
            return Must(Unlocked([&] { return ledger->Checkpoint(path); }));
          },
          py::arg("directory"),
          "A consistent copy of the whole store in a new directory, made beside commits; the head that it holds.")
      .def(
          "export_journal",
          [](const PyLedger& self, const py::object& path) {
            const std::string name = PathOf(path);
            const std::shared_ptr<Ledger> ledger = self.Get();
            return Must(Unlocked([&] { return ledger->ExportJournal(name); }));
          },
          py::arg("path"), "Writes the journal to a new file; the head that it ends with.")
      .def_static(
          "import_journal",
          [](const PyStore& self, const py::object& path) {
            const std::string name = PathOf(path);
            const std::shared_ptr<Store> store = self.Get();
            return Must(Unlocked([&] { return Ledger::ImportJournal(*store, name); }));
          },
          py::arg("store"), py::arg("path"), "Fills an empty store from such a file, checking its hashes; the head.")
      .def(
          "stats",
          [](const PyLedger& self) {
            const std::shared_ptr<Ledger> ledger = self.Get();
            return Unlocked([&] { return ledger->Stats(); });
          },
          "How the ledger is doing.");
}

}  // namespace northwind::python
