// SPDX-License-Identifier: Apache-2.0
//
// A class of immutable values: fields that are read, a repr that shows them, equality by them, a hash, match_args, asdict(), pickle and copy.
//
//   Record<Head>(m, "Head", "Where a journal ends.")
//       .Field("sequence", Member(&Head::sequence), "Its last record.")
//       .Field("age", [](const Head& h) { return ...; }, "")   // what is no member as it is,
//       .Kept(&Head::recorded_at);                             // and the members behind it: a pickle has what is kept, to the nanosecond
#ifndef NORTHWIND_BINDINGS_PYTHON_RECORD_H_
#define NORTHWIND_BINDINGS_PYTHON_RECORD_H_

#include <pybind11/pybind11.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/state.h"

namespace northwind::python {

// What all records have in common, by the names of their fields.
py::object RecordRepr(py::handle self, const std::vector<std::string>& fields);
py::object RecordEquals(py::handle self, py::handle other, const std::vector<std::string>& fields);
py::object RecordHash(py::handle self, const std::vector<std::string>& fields);
py::object RecordAsDict(py::handle self, const std::vector<std::string>& fields);

// What pickle makes of one: its class and its state.
py::object RecordReduce(py::handle self, const py::tuple& state);

template <typename T, typename M>
struct MemberOf {
  M T::*member;

  auto operator()(const T& value) const { return Shown(value.*member); }

 private:
  static py::object Shown(const std::string& text) { return TextOf(text); }
  static py::object Shown(const Asset& asset) { return TextOf(asset.ToString()); }
  template <typename E>
  static py::object Shown(const std::vector<E>& values) {
    return TupleOf(values);
  }
  template <typename V>
  static const V& Shown(const V& value) {
    return value;
  }
};

// A field that is a member as it is; text is TextOf it, a list a tuple.
template <typename T, typename M>
MemberOf<T, M> Member(M T::*member) {
  return {member};
}

// A field that is bytes.
template <typename T>
struct BytesOf {
  std::string T::*member;
  py::bytes operator()(const T& value) const { return py::bytes(value.*member); }
};
template <typename T>
BytesOf<T> Bytes(std::string T::*member) {
  return {member};
}

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
    Keepers().clear();
    class_.def("__reduce__", [](const py::object& self) {
      const T& value = self.cast<const T&>();
      py::tuple state(Keepers().size());
      for (size_t i = 0; i < Keepers().size(); ++i) state[i] = Keepers()[i].save(value);
      return RecordReduce(self, state);
    });
    class_.def_static("_restore", [](const py::tuple& state) {
      if (state.size() != Keepers().size()) throw py::value_error("a pickle of another version of northwind");
      T value{};
      for (size_t i = 0; i < Keepers().size(); ++i) Keepers()[i].load(value, state[i]);
      return value;
    });
  }

  template <typename Getter>
  Record& Field(const char* name, Getter getter, const char* doc) {
    Fields().emplace_back(name);
    if constexpr (requires { getter.member; }) Kept(getter.member);
    class_.def_property_readonly(name, std::move(getter), doc);
    py::tuple names(Fields().size());
    for (size_t i = 0; i < Fields().size(); ++i) names[i] = py::str(Fields()[i]);
    class_.attr("__match_args__") = names;
    return *this;
  }

  // Members that are not fields as they are, or not at all.
  template <typename... M>
  Record& Kept(M T::*... members) {
    (Keepers().push_back({[members](const T& value) { return SaveState(value.*members); },
                          [members](T& value, py::handle state) { LoadState(state, value.*members); }}),
     ...);
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
  struct Keeper {
    std::function<py::object(const T&)> save;
    std::function<void(T&, py::handle)> load;
  };
  static std::vector<Keeper>& Keepers() {
    static std::vector<Keeper> keepers;
    return keepers;
  }

  py::class_<T> class_;
};

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_RECORD_H_
