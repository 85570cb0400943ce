// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/clock.h"

#include <algorithm>
#include <memory>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/errors.h"

namespace northwind::python {

PyClock::~PyClock() {
  py::gil_scoped_acquire acquire;
  now_ = py::object();
}

absl::Time PyClock::Now() {
  py::gil_scoped_acquire acquire;
  try {
    if (!ToTime(now_(), last_)) throw py::type_error("a clock returns a datetime, or an int of nanoseconds since 1970");
  } catch (py::error_already_set& error) {
    if (!KeepInterrupt(error)) error.discard_as_unraisable("northwind's clock");
  } catch (const py::builtin_exception& error) {
    error.set_error();
    PyErr_WriteUnraisable(now_.ptr());
  }
  greatest_ = std::max(greatest_, last_);
  return last_;
}

absl::Duration PyClock::Elapsed() {
  py::gil_scoped_acquire acquire;
  Now();
  return greatest_ - absl::UnixEpoch();
}

std::shared_ptr<PyClock> ClockOf(const py::object& now) {
  if (now.is_none()) return nullptr;
  absl::Time time;
  if (!ToTime(now(), time)) throw py::type_error("a clock returns a datetime, or an int of nanoseconds since 1970");
  return std::make_shared<PyClock>(now, time);
}

}  // namespace northwind::python
