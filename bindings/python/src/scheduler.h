// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_SCHEDULER_H_
#define NORTHWIND_BINDINGS_PYTHON_SCHEDULER_H_

#include <memory>

#include "bindings/python/src/handle.h"
#include "bindings/python/src/store.h"
#include "northwind/scheduler.h"

namespace northwind::python {

class PyScheduler final : public Closable {
 public:
  static std::shared_ptr<PyScheduler> Open(const std::shared_ptr<PyStore>& store, SchedulerOptions options,
                                           const py::object& clock);
  std::shared_ptr<Scheduler> Get() const { return handle_.Get(); }
  Use NewUse() const { return handle_.NewUse(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override;

 private:
  Handle<Scheduler> handle_{"scheduler"};
};

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_SCHEDULER_H_
