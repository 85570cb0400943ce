// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_LEDGER_H_
#define NORTHWIND_BINDINGS_PYTHON_LEDGER_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include "bindings/python/src/handle.h"
#include "bindings/python/src/store.h"
#include "northwind/ledger.h"

namespace northwind::python {

class PyLedger final : public Closable {
 public:
  // `where` is a Store, or the directory of one that is opened and closed with the ledger.
  static std::shared_ptr<PyLedger> Open(const py::object& where, LedgerOptions options, const py::object& clock);
  std::shared_ptr<Ledger> Get() const { return handle_.Get(); }
  Use NewUse() const { return handle_.NewUse(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override;

  const std::shared_ptr<PyStore>& store() const { return store_; }

 private:
  Handle<Ledger> handle_{"ledger"};
  std::shared_ptr<PyStore> store_;
  bool owns_store_ = false;
};

using LedgerClass = py::class_<PyLedger, std::shared_ptr<PyLedger>>;

// From an int, an Account, or a name, which the ledger is asked for.
AccountId ResolveAccount(const Ledger& ledger, const py::object& account);

void DefineAccounts(LedgerClass& type);
void DefineCommits(LedgerClass& type);
void DefineReads(LedgerClass& type);
void DefineJournal(LedgerClass& type);
void DefineCare(LedgerClass& type);
void DefineCommitArrays(LedgerClass& type);
void DefineReadArrays(LedgerClass& type);

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_LEDGER_H_
