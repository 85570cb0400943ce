// SPDX-License-Identifier: Apache-2.0
//
// How northwind sets RocksDB up, and why. Every setting that matters for durability or speed is here.
#ifndef NORTHWIND_SRC_STORE_OPTIONS_H_
#define NORTHWIND_SRC_STORE_OPTIONS_H_

#include <memory>

#include "rocksdb/cache.h"
#include "rocksdb/listener.h"
#include "rocksdb/options.h"
#include "src/store/engine.h"

namespace northwind::internal {

rocksdb::DBOptions DatabaseOptions(const StoreOptions& options, rocksdb::Env* env,
                                   std::shared_ptr<rocksdb::EventListener> listener);
rocksdb::ColumnFamilyOptions SpaceOptions(Space space, const StoreOptions& options,
                                          std::shared_ptr<rocksdb::Cache> block_cache);
rocksdb::WriteOptions SyncedWrite();
rocksdb::ReadOptions PointRead(Space space);
rocksdb::ReadOptions CursorRead(const CursorOptions& options);

// Of a batch, and of the write of it: bytes of checksum per key, checked on the way from the caller into the log
// and the memtable.
inline constexpr size_t kProtectionBytesPerKey = 8;

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_OPTIONS_H_
