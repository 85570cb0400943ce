// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_CLOCK_H_
#define NORTHWIND_BINDINGS_PYTHON_CLOCK_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include "northwind/clock.h"

namespace northwind::python {

namespace py = pybind11;

// A function of Python that tells the time, and by that what time has passed: as the machine's own goes on while such a one stands still. One that raises is reported as an unraisable exception, and the time before holds.
class PyClock final : public Clock {
 public:
  PyClock(py::object now, absl::Time first) : now_(std::move(now)), last_(first), greatest_(first) {}
  ~PyClock() override;
  absl::Time Now() override;
  absl::Duration Elapsed() override;

 private:
  py::object now_;
  absl::Time last_;      // guarded by the GIL
  absl::Time greatest_;  // likewise
};

// Null for None: the machine's clock.
std::shared_ptr<PyClock> ClockOf(const py::object& now);

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_CLOCK_H_
