// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/pages.h"

#include "bindings/python/src/parts.h"

namespace northwind::python {

void BindPages(py::module_& m) {
  py::class_<Pages>(m, "Pages", "An iterator that reads its next page when it needs it. Not for two threads at once.")
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", [](Pages& self) { return self(); });
}

}  // namespace northwind::python
