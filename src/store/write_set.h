// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_STORE_WRITE_SET_H_
#define NORTHWIND_SRC_STORE_WRITE_SET_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rocksdb/write_batch.h"
#include "src/store/database.h"
#include "src/store/engine.h"

namespace northwind::internal {

// A write set knows no engine, so it keeps its operations in a form of its own until one writes them.
struct WriteSet::Rep {
  enum class Kind : uint8_t { kPut, kDelete };
  struct Operation {
    Kind kind;
    Space space;
    size_t key_begin;  // in `bytes`; the value, if any, begins where the key ends
    size_t value_begin;
    size_t value_end;
  };

  // The operations as RocksDB takes them; valid until the next call.
  rocksdb::WriteBatch& Build(const Database& database);

  std::vector<Operation> operations;
  std::string bytes;
  rocksdb::WriteBatch batch;  // kept for its memory

  Rep();
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_WRITE_SET_H_
