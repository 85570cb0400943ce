// SPDX-License-Identifier: Apache-2.0
//
// Columns in, rows out, with no Python object for any of their values. numpy is asked for when it is needed, and not before.
#ifndef NORTHWIND_BINDINGS_PYTHON_ARRAYS_H_
#define NORTHWIND_BINDINGS_PYTHON_ARRAYS_H_

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/time/time.h"

namespace northwind::python {

namespace py = pybind11;

// The buffer of an object, until this is gone (which needs the GIL). What has no buffer is made an array by numpy, such as
// a column of pandas or Arrow; times become nanoseconds.
class BufferView {
 public:
  // TypeError names the column.
  BufferView(const py::object& object, const char* column);
  ~BufferView() { PyBuffer_Release(&view_); }
  BufferView(const BufferView&) = delete;
  BufferView& operator=(const BufferView&) = delete;
  const Py_buffer& operator*() const { return view_; }
  const Py_buffer* operator->() const { return &view_; }

 private:
  Py_buffer view_{};
};

// Rows of one width, copied one after the other: what is written into the arrays while they are committed is not seen.
class CopiedRows {
 public:
  CopiedRows() = default;
  CopiedRows(const char* first, size_t rows, size_t width, ptrdiff_t stride);
  const char* At(size_t row) const { return bytes_.get() + row * width_; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t width_ = 0;
};

// A column of integers, or one integer for all rows.
class IntegerColumn {
 public:
  // `max`: the largest value there may be. InvalidArgument names the column if it has another number of rows.
  IntegerColumn(const py::object& object, const char* name, size_t rows, uint64_t max);
  // The value of a row; nothing if it is negative or above `max`. Does not need the GIL.
  std::optional<uint64_t> At(size_t row) const {
    if (kind_ == 0) return constant_;
    const char* const at = rows_.At(row);
    uint64_t value = 0;
    switch (kind_) {
      case 1:
        value = Load<uint8_t>(at);
        break;
      case 2:
        value = Load<uint16_t>(at);
        break;
      case 4:
        value = Load<uint32_t>(at);
        break;
      case 8:
        value = Load<uint64_t>(at);
        break;
      case -1:
        return Signed(Load<int8_t>(at));
      case -2:
        return Signed(Load<int16_t>(at));
      case -4:
        return Signed(Load<int32_t>(at));
      default:
        return Signed(Load<int64_t>(at));
    }
    if (value > max_) return std::nullopt;
    return value;
  }
  const char* name() const { return name_; }

 private:
  template <typename T>
  static T Load(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  std::optional<uint64_t> Signed(int64_t value) const {
    if (value < 0 || static_cast<uint64_t>(value) > max_) return std::nullopt;
    return static_cast<uint64_t>(value);
  }

  const char* name_;
  uint64_t max_;
  int kind_ = 0;  // bytes of a value, negative if it is signed; 0: the constant
  uint64_t constant_ = 0;
  CopiedRows rows_;
};

// A column of byte strings of one width.
class BytesColumn {
 public:
  // Keys: 16 bytes a row, in any shape that holds just that.
  static BytesColumn Keys(const py::object& object);
  // Fixed-width text (numpy's S), zero bytes at the end cut off.
  static BytesColumn Text(const py::object& object, const char* name, size_t rows, size_t max);

  size_t rows() const { return rows_; }
  std::string_view At(size_t row) const { return {bytes_.At(row), width_}; }

 private:
  BytesColumn(const Py_buffer& view, size_t rows, size_t width, ptrdiff_t stride)
      : bytes_(static_cast<const char*>(view.buf), rows, width, stride), rows_(rows), width_(width) {}

  CopiedRows bytes_;
  size_t rows_;
  size_t width_;
};

// A member of a row, as numpy calls its type.
struct FieldOfRow {
  const char* name;
  const char* type;
  size_t offset;
};

// Rows in one block of memory, which an array of numpy is then made over.
class Block {
 public:
  explicit Block(std::shared_ptr<void> memory, void* data, size_t bytes)
      : memory_(std::move(memory)), data_(data), bytes_(bytes) {}
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<void> memory_;
  void* data_;
  size_t bytes_;
};

py::object ArrayOver(Block block, const std::vector<FieldOfRow>& fields, size_t row_bytes);

template <typename Row>
py::object ArrayOf(std::vector<Row> rows, const std::vector<FieldOfRow>& fields) {
  auto memory = std::make_shared<std::vector<Row>>(std::move(rows));
  return ArrayOver(Block(memory, memory->data(), memory->size() * sizeof(Row)), fields, sizeof(Row));
}

// What numpy has for "no time".
inline constexpr int64_t kNotATime = INT64_MIN;
inline int64_t NanosOrNone(absl::Time time) {
  return time == absl::InfinitePast() || time == absl::InfiniteFuture() ? kNotATime : absl::ToUnixNanos(time);
}
inline uint64_t Low(absl::uint128 value) { return absl::Uint128Low64(value); }
inline uint64_t High(absl::uint128 value) { return absl::Uint128High64(value); }

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_ARRAYS_H_
