// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/parts.h"
#include "northwind/idempotency_key.h"

namespace northwind::python {

void BindKeys(py::module_& m) {
  m.def(
      "derive_key",
      [](const py::object& subject, absl::Time occurred_at, const py::object& type) {
        std::string id;
        std::string kind;
        if (!ToText(subject, id) || !ToText(type, kind)) throw py::type_error("subject_id and type are str or bytes");
        return DeriveKey(id, occurred_at, kind);
      },
      py::arg("subject_id"), py::arg("occurred_at"), py::arg("type") = "",
      "The key of one event: 48 bits of its time, then 80 bits of SHA-256 of type, subject and time. The same in every "
      "language.");
}

}  // namespace northwind::python
