// SPDX-License-Identifier: Apache-2.0
//
// Every absl::Status becomes an exception of northwind/errors.py. All of this needs the GIL.
#ifndef NORTHWIND_BINDINGS_PYTHON_ERRORS_H_
#define NORTHWIND_BINDINGS_PYTHON_ERRORS_H_

#include <pybind11/pybind11.h>

#include <atomic>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/interrupt.h"
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

// Runs the handlers of signals that have come, and raises what they raise. Where no locks of C++ are held only.
inline void CheckSignals() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
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

// While one lives, a call of northwind's on this thread looks for Ctrl-C as it goes, if it takes long, and is ended by it with Cancelled; Rethrow
// then raises KeyboardInterrupt. It looks under locks of C++, so no handler runs there: one might call what waits for them. Handlers of the
// program's own run after the call, as Python's do, and therefore end nothing. Made and destroyed with the GIL.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  bool raised() const { return interrupted_ || raised_ != nullptr; }
  void Rethrow() const;

 private:
  friend bool KeepInterrupt(const py::error_already_set& raised);
  bool Look();

  SignalWatch* const outer_;
  std::exception_ptr raised_;
  bool interrupted_ = false;
  InterruptScope scope_;
};

// Of what a function of Python raised that northwind called and that can answer nothing: if it is Ctrl-C, or another end of the program such as
// SystemExit, the call of Python's that is under way raises it once it is done. Whether it is kept. Within a catch of it.
bool KeepInterrupt(const py::error_already_set& raised);
// Only the main thread is told of signals.
void LoadSignals();

// Runs what may block without the GIL, so that other threads of Python go on.
template <typename F>
auto Unlocked(F&& function) {
  using Result = decltype(function());
  const UnderWay under_way;
  const SignalWatch watch;
  if constexpr (std::is_void_v<Result>) {
    {
      py::gil_scoped_release release;
      function();
    }
    watch.Rethrow();
  } else {
    std::optional<Result> result;
    {
      py::gil_scoped_release release;
      result.emplace(function());
      // Something that was opened waits for its threads, which may want the GIL.
      if (watch.raised()) result.reset();
    }
    watch.Rethrow();
    return *std::move(result);
  }
}

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_ERRORS_H_
