// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/arrays.h"

#include <bit>
#include <memory>
#include <string>
#include <utility>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/parts.h"

namespace northwind::python {
namespace {

py::module_ Numpy() { return py::module_::import("numpy"); }

// Times of numpy have no buffer: their nanoseconds do.
py::object WithBuffer(const py::object& object) {
  py::object array = object;
  if (!py::hasattr(array, "dtype")) {
    if (PyObject_CheckBuffer(array.ptr()) != 0) return array;
    array = Numpy().attr("asarray")(array);
  } else if (PyObject_CheckBuffer(array.ptr()) == 0) {
    array = Numpy().attr("asarray")(array);  // a column of pandas
  }
  if (array.attr("dtype").attr("kind").cast<std::string>() != "M") return array;
  return array.attr("astype")("datetime64[ns]").attr("view")("int64");
}

[[noreturn]] void Mismatch(const char* name, size_t rows, size_t expected) {
  RaiseNamed("InvalidArgument",
             std::string(name) + " has " + std::to_string(rows) + " rows, and keys have " + std::to_string(expected));
}

// The kind of an integer's format, as IntegerColumn has it; 0: none.
int KindOf(const Py_buffer& view) {
  std::string_view format = view.format == nullptr ? "B" : view.format;
  constexpr char kForeign = std::endian::native == std::endian::little ? '>' : '<';
  if (format.size() == 2 && (format[0] == kForeign || format[0] == '!') && view.itemsize > 1) return 0;
  if (format.size() == 2) format.remove_prefix(1);
  if (format.size() != 1) return 0;
  const int size = static_cast<int>(view.itemsize);
  if (std::string_view("BHILQN").find(format[0]) != std::string_view::npos) return size;
  if (std::string_view("bhilqn").find(format[0]) != std::string_view::npos) return -size;
  return 0;
}

}  // namespace

BufferView::BufferView(const py::object& object, const char* column) {
  const py::object buffer = WithBuffer(object);
  if (PyObject_GetBuffer(buffer.ptr(), &view_, PyBUF_STRIDED_RO | PyBUF_FORMAT) == 0) return;
  PyErr_Clear();
  throw py::type_error(std::string(column) + " is neither a buffer nor anything that numpy makes a plain array of");
}

CopiedRows::CopiedRows(const char* first, size_t rows, size_t width, ptrdiff_t stride)
    : bytes_(new char[rows * width]), width_(width) {
  if (stride == static_cast<ptrdiff_t>(width)) {
    std::memcpy(bytes_.get(), first, rows * width);
    return;
  }
  for (size_t row = 0; row < rows; ++row) {
    std::memcpy(bytes_.get() + row * width, first + static_cast<ptrdiff_t>(row) * stride, width);
  }
}

IntegerColumn::IntegerColumn(const py::object& object, const char* name, size_t rows, uint64_t max)
    : name_(name), max_(max) {
  absl::int128 one;
  if (ToInt128(object, one)) {
    if (one < 0 || one > absl::int128(absl::uint128(max))) {
      RaiseNamed("InvalidArgument", std::string(name) + " is from 0 to " + std::to_string(max));
    }
    constant_ = static_cast<uint64_t>(one);
    return;
  }
  const BufferView view(object, name);
  kind_ = KindOf(*view);
  if (kind_ == 0 || view->ndim != 1) throw py::type_error(std::string(name) + " is not a column of integers");
  if (static_cast<size_t>(view->shape[0]) != rows) Mismatch(name, static_cast<size_t>(view->shape[0]), rows);
  rows_ = CopiedRows(static_cast<const char*>(view->buf), rows, static_cast<size_t>(view->itemsize), view->strides[0]);
}

BytesColumn BytesColumn::Keys(const py::object& object) {
  const BufferView buffer(object, "keys");
  const Py_buffer& view = *buffer;
  if (view.ndim == 1 && view.itemsize == IdempotencyKey::kSize) {
    return {view, static_cast<size_t>(view.shape[0]), IdempotencyKey::kSize, view.strides[0]};
  }
  // Anything else must be those bytes and no others, one after the other.
  const bool row_wise = view.ndim == 2 && view.shape[1] * view.itemsize == IdempotencyKey::kSize;
  const bool flat = view.ndim == 1 && view.itemsize == 1 && view.len % IdempotencyKey::kSize == 0;
  if ((!row_wise && !flat) || PyBuffer_IsContiguous(&view, 'C') == 0) {
    throw py::type_error(
        "keys are 16 bytes a row, such as an array of S16, of (n, 16) bytes, or bytes one after the other");
  }
  return {view, static_cast<size_t>(view.len) / IdempotencyKey::kSize, IdempotencyKey::kSize, IdempotencyKey::kSize};
}

BytesColumn BytesColumn::Text(const py::object& object, const char* name, size_t rows, size_t max) {
  const BufferView buffer(object, name);
  const Py_buffer& view = *buffer;
  const std::string_view format = view.format == nullptr ? "" : view.format;
  if (view.ndim != 1 || format.empty() || format.back() != 's') {
    throw py::type_error(std::string(name) + " is not an array of byte strings (numpy's S)");
  }
  if (static_cast<size_t>(view.itemsize) > max) {
    RaiseNamed("InvalidArgument", std::string(name) + " is wider than " + std::to_string(max) + " bytes");
  }
  if (static_cast<size_t>(view.shape[0]) != rows) Mismatch(name, static_cast<size_t>(view.shape[0]), rows);
  return {view, rows, static_cast<size_t>(view.itemsize), view.strides[0]};
}

py::object ArrayOver(Block block, const std::vector<FieldOfRow>& fields, size_t row_bytes) {
  py::list names, formats, offsets;
  for (const FieldOfRow& field : fields) {
    names.append(field.name);
    formats.append(field.type);
    offsets.append(field.offset);
  }
  py::dict layout;
  layout["names"] = names;
  layout["formats"] = formats;
  layout["offsets"] = offsets;
  layout["itemsize"] = row_bytes;
  const py::object type = Numpy().attr("dtype")(layout);
  if (block.bytes() == 0) return Numpy().attr("empty")(0, type);
  return Numpy().attr("frombuffer")(py::cast(std::move(block)), type);
}

void BindArrays(py::module_& m) {
  py::class_<Block>(m, "_Block", py::buffer_protocol()).def_buffer([](Block& block) {
    return py::buffer_info(static_cast<uint8_t*>(block.data()), static_cast<py::ssize_t>(block.bytes()));
  });
}

}  // namespace northwind::python
