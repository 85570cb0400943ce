// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_INTAKE_H_
#define NORTHWIND_BINDINGS_PYTHON_INTAKE_H_

#include <memory>

#include "bindings/python/src/handle.h"
#include "bindings/python/src/ledger.h"
#include "bindings/python/src/scheduler.h"
#include "northwind/settlement.h"

namespace northwind::python {

class PyIntake final : public Closable {
 public:
  static std::shared_ptr<PyIntake> Open(const std::shared_ptr<PyLedger>& ledger,
                                        const std::shared_ptr<PyScheduler>& scheduler, IntakeOptions options);
  std::shared_ptr<Intake> Get() const { return handle_.Get(); }
  Use NewUse() const { return handle_.NewUse(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override;

 private:
  Handle<Intake> handle_{"intake"};
};

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_INTAKE_H_
