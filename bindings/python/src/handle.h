// SPDX-License-Identifier: Apache-2.0
//
// What has to be closed: a C++ object, held by a Python object until that is closed, and by every call that is under way, so that
// closing from one thread pulls nothing from under another.
#ifndef NORTHWIND_BINDINGS_PYTHON_HANDLE_H_
#define NORTHWIND_BINDINGS_PYTHON_HANDLE_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <new>
#include <string>
#include <utility>

#include "bindings/python/src/errors.h"

namespace northwind::python {

// Raises ForkedProcess in a child of a process that had northwind open when it was forked: the threads are not here, and a
// lock may be held for ever.
void RefuseAfterFork();
bool Forked();
// Something is being opened: from here on a fork counts. Raises ForkedProcess, and Closed when Python is ending.
void NoteOpening();
// Whether Python is ending: long calls come to an end.
bool Ending();

// Anything that has close(). Python's exit closes what is still open, the newest first.
class Closable : public std::enable_shared_from_this<Closable> {
 public:
  virtual ~Closable() = default;
  // Needs the GIL. Idempotent.
  virtual void Close() = 0;
  // Is to be called once it is held by a shared_ptr.
  void CloseAtExit();
};

// One for each object that stands on another: while there is any, that one cannot be closed.
using Use = std::shared_ptr<const int>;

template <typename T>
class Handle {
 public:
  explicit Handle(const char* what) : what_(what), use_(std::make_shared<const int>(0)) {}

  // `parts` are kept until the object is gone. Destroying it waits for threads, which may wait for the GIL.
  template <typename Parts>
  void Set(std::unique_ptr<T> object, Parts parts) {
    object_ =
        std::shared_ptr<T>(object.release(), [parts = std::make_shared<Parts>(std::move(parts))](T* gone) mutable {
          if (Forked()) {
            new std::shared_ptr<Parts>(std::move(parts));  // never destroyed: its threads are in another process
            return;
          }
          if (PyGILState_Check() != 0) {
            const UnderWay under_way;
            py::gil_scoped_release release;
            delete gone;
          } else {
            delete gone;
          }
          parts.reset();
        });
  }

  // For one call. Raises Closed.
  std::shared_ptr<T> Get() const {
    RefuseAfterFork();
    if (object_ == nullptr) RaiseNamed("Closed", std::string("the ") + what_ + " is closed");
    return object_;
  }
  Use NewUse() const { return use_; }
  bool UsedBeside(int own) const { return use_.use_count() > 1 + own; }
  bool closed() const { return object_ == nullptr; }

  // Takes the object out, to be closed; nothing if it is closed already. Raises FailedPrecondition while something stands on it.
  std::shared_ptr<T> Take() {
    RefuseAfterFork();
    if (object_ != nullptr && UsedBeside(0)) {
      RaiseNamed("FailedPrecondition", std::string("something still uses the ") + what_ + ": close that first");
    }
    return std::exchange(object_, nullptr);
  }

 private:
  const char* what_;
  Use use_;
  std::shared_ptr<T> object_;
};

// Gives a class close(), closed and the protocol of `with`.
template <typename T, typename... Extra>
void DefineClosable(py::class_<T, Extra...>& type, const char* doc) {
  type.def(
          "close", [](T& self) { self.Close(); }, doc)
      .def_property_readonly(
          "closed", [](const T& self) { return self.closed(); }, "Whether it was closed.")
      .def("__enter__",
           [](const py::object& self) {
             self.cast<T&>().CheckOpen();
             return self;
           })
      .def("__exit__", [](T& self, const py::args&) { self.Close(); });
}

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_HANDLE_H_
