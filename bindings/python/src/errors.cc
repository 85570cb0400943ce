// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/errors.h"

#include <csignal>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "bindings/python/src/casters.h"
#include "bindings/python/src/handle.h"

namespace northwind::python {
namespace {

const char* NameOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return "InvalidArgument";
    case absl::StatusCode::kOutOfRange:
      return "OutOfRange";
    case absl::StatusCode::kNotFound:
      return "NotFound";
    case absl::StatusCode::kAlreadyExists:
      return "AlreadyExists";
    case absl::StatusCode::kFailedPrecondition:
      return "FailedPrecondition";
    case absl::StatusCode::kResourceExhausted:
      return "ResourceExhausted";
    case absl::StatusCode::kUnavailable:
      return "Unavailable";
    case absl::StatusCode::kDeadlineExceeded:
      return "DeadlineExceeded";
    case absl::StatusCode::kCancelled:
      return "Cancelled";
    case absl::StatusCode::kAborted:
      return "Indeterminate";
    case absl::StatusCode::kDataLoss:
      return "DataLoss";
    case absl::StatusCode::kPermissionDenied:
      return "PermissionDenied";
    case absl::StatusCode::kUnauthenticated:
      return "Unauthenticated";
    default:
      return "Internal";
  }
}

py::object ErrorClass(const char* name) { return py::module_::import("northwind.errors").attr(name); }

const char* NameOf(const CommitResult& result, Outcome outcome) {
  switch (outcome) {
    case Outcome::kConflict:
      return "Conflict";
    case Outcome::kDeferred:
      return "Deferred";
    case Outcome::kRejected:
      return result.reason == Reason::kInsufficientFunds ? "InsufficientFunds" : "Rejected";
    default:
      return "InvalidTransaction";
  }
}

}  // namespace

namespace {

thread_local SignalWatch* innermost_watch = nullptr;
unsigned long main_thread = 0;  // as Python numbers it
// Of Python's module _signal, whose functions are C: nothing of Python runs by calling them. Never freed.
PyObject* get_handler = nullptr;
PyObject* ctrl_c_handler = nullptr;  // Python's own, which raises KeyboardInterrupt

// Whether Ctrl-C was pressed and its handler, which is Python's own, has not run yet. With the GIL.
bool IsCtrlCPending() {
  PyObject* const handler = PyObject_CallFunction(get_handler, "i", SIGINT);
  if (handler == nullptr) PyErr_Clear();
  Py_XDECREF(handler);
  if (handler != ctrl_c_handler || PyOS_InterruptOccurred() == 0) return false;
  PyErr_SetInterrupt();  // which looking at it has undone
  return true;
}

}  // namespace

void LoadSignals() {
  main_thread = py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
  const py::module_ signals = py::module_::import("_signal");
  get_handler = signals.attr("getsignal").cast<py::object>().release().ptr();
  ctrl_c_handler = signals.attr("default_int_handler").cast<py::object>().release().ptr();
}

SignalWatch::SignalWatch() : outer_(std::exchange(innermost_watch, this)), scope_([this] { return Look(); }) {}
SignalWatch::~SignalWatch() { innermost_watch = outer_; }

bool SignalWatch::Look() {
  if (raised() || Ending()) return true;
  if (PyThread_get_thread_ident() != main_thread) return false;
  const py::gil_scoped_acquire acquire;
  interrupted_ = IsCtrlCPending();
  return interrupted_;
}

void SignalWatch::Rethrow() const {
  if (raised_) std::rethrow_exception(raised_);
  if (!interrupted_) return;
  CheckSignals();
  Raise(absl::CancelledError("interrupted"));  // the handler was changed meanwhile
}

bool KeepInterrupt(const py::error_already_set& raised) {
  if (raised.matches(PyExc_Exception)) return false;
  if (innermost_watch != nullptr) {
    innermost_watch->raised_ = std::current_exception();
  } else if (raised.matches(PyExc_KeyboardInterrupt)) {
    PyErr_SetInterrupt();  // a thread of northwind's
  } else {
    return false;  // ends its thread only, as in Python
  }
  return true;
}

void UnderWay::WaitForAll() {
  while (const int count = count_) {
    py::gil_scoped_release release;
    count_.wait(count);
  }
}

namespace {

// As UTF-8, whatever is in it; nothing if it cannot even be shown, for an exception's __str__ may raise as well.
std::string Shown(const py::object& value) {
  PyObject* text = PyObject_Str(value.ptr());
  PyObject* bytes = text == nullptr ? nullptr : PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
  Py_XDECREF(text);
  if (bytes == nullptr) {
    PyErr_Clear();
    return "";
  }
  return py::reinterpret_steal<py::bytes>(bytes).cast<std::string>();
}

}  // namespace

std::string ReasonOf(const py::error_already_set& raised) {
  return Shown(raised.type().attr("__name__")) + ": " + Shown(raised.value());
}

absl::Status StatusOf(py::error_already_set& raised, const char* where) {
  if (raised.matches(ErrorClass("Error"))) {
    for (int code = 1; code <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++code) {
      if (raised.matches(ErrorClass(NameOf(static_cast<absl::StatusCode>(code))))) {
        return {static_cast<absl::StatusCode>(code), Shown(raised.value())};
      }
    }
  }
  const std::string reason = ReasonOf(raised);
  if (!KeepInterrupt(raised)) raised.discard_as_unraisable(where);
  return absl::UnavailableError(reason);
}

void RaiseObject(const py::object& exception) {
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  throw py::error_already_set();
}

void RaiseNamed(const char* name, const std::string& message) {
  RaiseObject(ErrorClass(name)(py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "backslashreplace"))));
}

py::object ExceptionOf(const absl::Status& status) {
  const auto text = status.message();
  return ErrorClass(NameOf(status.code()))(py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace")));
}

void Raise(const absl::Status& status) { RaiseObject(ExceptionOf(status)); }

py::object ExceptionOf(const CommitResult& result) {
  // What a duplicate repeats is the answer that its key had.
  const Outcome outcome = result.outcome == Outcome::kDuplicate ? result.original : result.outcome;
  if (outcome == Outcome::kApplied) return py::none();
  std::string message(Name(outcome));
  if (outcome == Outcome::kConflict) {
    message += ": the key stands for a transaction with another ";
    message += Name(result.conflict);
  } else {
    message += ": ";
    message += Name(result.reason);
  }
  if (result.sequence.value() != 0) message += " (record " + std::to_string(result.sequence.value()) + ")";
  return ErrorClass(NameOf(result, outcome))(message, result);
}

}  // namespace northwind::python
