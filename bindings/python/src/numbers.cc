// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <vector>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/errors.h"

namespace northwind::python {
namespace {

py::object Steal(PyObject* object) {
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

// An integer of Python or of numpy, as an int; nothing for floats, booleans and all else.
py::object Integer(py::handle object) {
  if (PyLong_CheckExact(object.ptr())) return py::reinterpret_borrow<py::object>(object);
  if (PyBool_Check(object.ptr()) || !PyIndex_Check(object.ptr())) return py::object();
  PyObject* index = PyNumber_Index(object.ptr());
  if (index == nullptr) PyErr_Clear();
  return py::reinterpret_steal<py::object>(index);
}

}  // namespace

py::object IntOf(absl::uint128 value) {
  const py::object low = Steal(PyLong_FromUnsignedLongLong(absl::Uint128Low64(value)));
  if (absl::Uint128High64(value) == 0) return low;
  const py::object high = Steal(PyLong_FromUnsignedLongLong(absl::Uint128High64(value)));
  return Steal(PyNumber_Or(Steal(PyNumber_Lshift(high.ptr(), py::int_(64).ptr())).ptr(), low.ptr()));
}

py::object IntOf(absl::int128 value) {
  if (value >= INT64_MIN && value <= INT64_MAX) return Steal(PyLong_FromLongLong(static_cast<int64_t>(value)));
  if (value >= 0) return IntOf(static_cast<absl::uint128>(value));
  return Steal(PyNumber_Negative(IntOf(-static_cast<absl::uint128>(value)).ptr()));
}

bool ToInt128(py::handle object, absl::int128& value) {
  const py::object integer = Integer(object);
  if (!integer) return false;
  int overflow = 0;
  const long long small = PyLong_AsLongLongAndOverflow(integer.ptr(), &overflow);
  if (overflow == 0) {
    value = small;
    return true;
  }
  const py::object high = Steal(PyNumber_Rshift(integer.ptr(), py::int_(64).ptr()));
  const long long top = PyLong_AsLongLongAndOverflow(high.ptr(), &overflow);
  if (overflow != 0) RaiseNamed("InvalidArgument", "the number has more than 128 bits");
  value = absl::MakeInt128(top, PyLong_AsUnsignedLongLongMask(integer.ptr()));
  return true;
}

bool ToUint128(py::handle object, absl::uint128& value) {
  const py::object integer = Integer(object);
  if (!integer) return false;
  int overflow = 0;
  const py::object high = Steal(PyNumber_Rshift(integer.ptr(), py::int_(64).ptr()));
  const py::object above = Steal(PyNumber_Rshift(high.ptr(), py::int_(64).ptr()));
  if (PyLong_AsLongLongAndOverflow(above.ptr(), &overflow) != 0 || overflow != 0) {
    RaiseNamed("InvalidArgument", "the number is negative, or has more than 128 bits");
  }
  value = absl::MakeUint128(PyLong_AsUnsignedLongLongMask(high.ptr()), PyLong_AsUnsignedLongLongMask(integer.ptr()));
  return true;
}

bool ToAmount(py::handle object, Amount& amount) {
  absl::int128 units;
  if (!ToInt128(object, units)) return false;
  if (units < 0) RaiseNamed("InvalidArgument", "an amount cannot be negative");
  amount = *Amount::FromUnits(static_cast<absl::uint128>(units));
  return true;
}

bool ToUnsigned(py::handle object, uint64_t max, const char* what, uint64_t& value) {
  absl::int128 number;
  if (!ToInt128(object, number)) return false;
  if (number < 0 || number > absl::int128(absl::uint128(max))) {
    RaiseNamed("InvalidArgument", std::string(what) + " is a number from 0 to " + std::to_string(max));
  }
  value = static_cast<uint64_t>(number);
  return true;
}

py::bytes KeyOf(const IdempotencyKey& key) { return {key.bytes().data(), IdempotencyKey::kSize}; }

bool ToKey(py::handle object, IdempotencyKey& key) {
  if (PyUnicode_Check(object.ptr())) {
    key = Must(IdempotencyKey::Parse(object.cast<std::string>()));
    return true;
  }
  std::string bytes;
  if (ToBytes(object, bytes)) {
    key = Must(IdempotencyKey::FromBytes(bytes));
    return true;
  }
  static PyObject* const uuid = py::object(py::module_::import("uuid").attr("UUID")).release().ptr();
  if (PyObject_IsInstance(object.ptr(), uuid) != 1) {
    PyErr_Clear();
    return false;
  }
  key = Must(IdempotencyKey::FromBytes(object.attr("bytes").cast<std::string>()));
  return true;
}

py::object TextOf(std::string_view text) {
  return Steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape"));
}

bool ToText(py::handle object, std::string& text) {
  if (!PyUnicode_Check(object.ptr())) return ToBytes(object, text);
  const py::object bytes = Steal(PyUnicode_AsEncodedString(object.ptr(), "utf-8", "surrogateescape"));
  text.assign(PyBytes_AS_STRING(bytes.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.ptr())));
  return true;
}

std::vector<std::string> TextsOf(const py::iterable& texts, const char* what) {
  std::string text;
  // One text is an iterable of texts as well, of its letters.
  if (ToText(texts, text)) throw py::type_error(std::string(what) + " are an iterable of str, and not one str");
  std::vector<std::string> all;
  for (const py::handle item : texts) {
    if (!ToText(item, text)) throw py::type_error(std::string(what) + " are str or bytes");
    all.push_back(text);
  }
  return all;
}

bool ToBytes(py::handle object, std::string& bytes) {
  if (PyBytes_Check(object.ptr())) {
    bytes.assign(PyBytes_AS_STRING(object.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(object.ptr())));
    return true;
  }
  if (!PyByteArray_Check(object.ptr()) && !PyMemoryView_Check(object.ptr())) return false;
  return ToBytes(Steal(PyBytes_FromObject(object.ptr())), bytes);
}

}  // namespace northwind::python
