// SPDX-License-Identifier: Apache-2.0
//
// Every absl::Status becomes an exception of northwind/errors.py. All of this needs the GIL.
#ifndef NORTHWIND_BINDINGS_PYTHON_ERRORS_H_
#define NORTHWIND_BINDINGS_PYTHON_ERRORS_H_

#include <pybind11/pybind11.h>

#include <atomic>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/transaction.h"

namespace northwind::python {

namespace py = pybind11;

// Raises the exception of that name.
[[noreturn]] void RaiseNamed(const char* name, const std::string& message);
[[noreturn]] void Raise(const absl::Status& status);
// The exception of a status, not raised.
py::object ExceptionOf(const absl::Status& status);
// The exception of a transaction that was not applied; None for one that was, now or by an earlier call.
py::object ExceptionOf(const CommitResult& result);
// What a function of Python raised that northwind called: the code of an exception of northwind; of any other Unavailable, and it
// is reported as unraisable, for nobody else will see where it came from.
absl::Status StatusOf(py::error_already_set& raised, const char* where);
// "OSError: line is dead", without where it came from.
std::string ReasonOf(const py::error_already_set& raised);
[[noreturn]] void RaiseObject(const py::object& exception);

inline void Must(const absl::Status& status) {
  if (!status.ok()) Raise(status);
}
template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) Raise(result.status());
  return *std::move(result);
}

// Counts the calls that are under way without the GIL: Python must not end under them, as a thread that wants the GIL back after that
// is ended in the middle of C++.
class UnderWay {
 public:
  UnderWay() { ++count_; }
  ~UnderWay() {
    --count_;
    count_.notify_all();
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

  // Waits until there are none. Needs the GIL, and lets it go meanwhile.
  static void WaitForAll();

 private:
  inline static std::atomic<int> count_ = 0;
};

// Runs what may block without the GIL, so that other threads of Python go on.
template <typename F>
auto Unlocked(F&& function) {
  const UnderWay under_way;
  py::gil_scoped_release release;
  return std::forward<F>(function)();
}

// Lets Ctrl-C, and whatever else a signal handler raises, end a long call.
inline void CheckSignals() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_ERRORS_H_
