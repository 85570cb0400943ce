// SPDX-License-Identifier: Apache-2.0
//
// A class of immutable values: fields that are read, a repr that shows them, equality by them, a hash, match_args, asdict().
//
//   Record<Head>(m, "Head", "Where a journal ends.")
//       .Field("sequence", [](const Head& h) { return h.sequence; }, "Its last record.")
//       .Field("hash", ...);
#ifndef NORTHWIND_BINDINGS_PYTHON_RECORD_H_
#define NORTHWIND_BINDINGS_PYTHON_RECORD_H_

#include <pybind11/pybind11.h>

#include <string>
#include <utility>
#include <vector>

#include "bindings/python/src/casters.h"

namespace northwind::python {

// What all records have in common, by the names of their fields.
py::object RecordRepr(py::handle self, const std::vector<std::string>& fields);
py::object RecordEquals(py::handle self, py::handle other, const std::vector<std::string>& fields);
py::object RecordHash(py::handle self, const std::vector<std::string>& fields);
py::object RecordAsDict(py::handle self, const std::vector<std::string>& fields);

template <typename T>
class Record {
 public:
  Record(py::module_& m, const char* name, const char* doc) : class_(m, name, doc) {
    Fields().clear();
    class_.def("__repr__", [](py::handle self) { return RecordRepr(self, Fields()); });
    class_.def("__eq__", [](py::handle self, py::handle other) { return RecordEquals(self, other, Fields()); });
    class_.def("__hash__", [](py::handle self) { return RecordHash(self, Fields()); });
    class_.def("__copy__", [](py::object self) { return self; });
    class_.def("__deepcopy__", [](py::object self, py::handle) { return self; });
    class_.def(
        "asdict", [](py::handle self) { return RecordAsDict(self, Fields()); },
        "The fields by name; values that are records, and tuples of them, likewise.");
    class_.attr("__match_args__") = py::tuple();
  }

  template <typename Getter>
  Record& Field(const char* name, Getter getter, const char* doc) {
    Fields().emplace_back(name);
    class_.def_property_readonly(name, std::move(getter), doc);
    py::tuple names(Fields().size());
    for (size_t i = 0; i < Fields().size(); ++i) names[i] = py::str(Fields()[i]);
    class_.attr("__match_args__") = names;
    return *this;
  }

  // Readable like a field, but made of fields, or another form of one.
  template <typename Getter>
  Record& Also(const char* name, Getter getter, const char* doc) {
    class_.def_property_readonly(name, std::move(getter), doc);
    return *this;
  }

  template <typename... Arguments>
  Record& Def(Arguments&&... arguments) {
    class_.def(std::forward<Arguments>(arguments)...);
    return *this;
  }

  template <typename Function, typename... Extra>
  Record& Static(const char* name, Function function, const char* doc, const Extra&... extra) {
    class_.def_static(name, std::move(function), doc, extra...);
    return *this;
  }

 private:
  static std::vector<std::string>& Fields() {
    static std::vector<std::string> fields;
    return fields;
  }

  py::class_<T> class_;
};

// A field that is a member as it is; text is TextOf it.
template <typename T, typename M>
auto Member(M T::*member) {
  if constexpr (std::is_same_v<M, std::string>) {
    return [member](const T& value) { return TextOf(value.*member); };
  } else {
    return [member](const T& value) { return value.*member; };
  }
}

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_RECORD_H_
