// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/record.h"

#include <string>
#include <vector>

namespace northwind::python {
namespace {

py::object Plain(const py::object& value) {
  if (py::hasattr(value, "asdict")) return value.attr("asdict")();
  if (py::isinstance<py::dict>(value)) {
    py::dict dict;
    for (const auto& [key, item] : value.cast<py::dict>()) dict[key] = Plain(py::reinterpret_borrow<py::object>(item));
    return dict;
  }
  if (!py::isinstance<py::tuple>(value)) return value;
  py::list list;
  for (const py::handle item : value) list.append(Plain(py::reinterpret_borrow<py::object>(item)));
  return py::tuple(list);
}

}  // namespace

py::object RecordRepr(py::handle self, const std::vector<std::string>& fields) {
  std::string text = py::type::of(self).attr("__name__").cast<std::string>() + "(";
  for (size_t i = 0; i < fields.size(); ++i) {
    text += (i == 0 ? "" : ", ") + fields[i] + "=" + py::repr(self.attr(fields[i].c_str())).cast<std::string>();
  }
  return py::str(text + ")");
}

py::object RecordEquals(py::handle self, py::handle other, const std::vector<std::string>& fields) {
  if (!py::type::of(self).is(py::type::of(other))) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
  for (const std::string& field : fields) {
    if (!self.attr(field.c_str()).equal(other.attr(field.c_str()))) return py::bool_(false);
  }
  return py::bool_(true);
}

py::object RecordHash(py::handle self, const std::vector<std::string>& fields) {
  py::tuple values(fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    py::object value = self.attr(fields[i].c_str());
    // Of a mapping, its items, in any order.
    if (py::isinstance<py::dict>(value)) value = py::frozenset(value.attr("items")());
    values[i] = value;
  }
  return py::int_(py::hash(values));
}

py::object RecordReduce(py::handle self, const py::tuple& state) {
  const py::object restore = py::module_::import("northwind._values").attr("restore");
  return py::make_tuple(restore, py::make_tuple(py::type::of(self), state));
}

py::object RecordAsDict(py::handle self, const std::vector<std::string>& fields) {
  py::dict dict;
  for (const std::string& field : fields) dict[field.c_str()] = Plain(self.attr(field.c_str()));
  return dict;
}

}  // namespace northwind::python
