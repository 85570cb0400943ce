// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BENCH_NAIVE_ROCKSDB_H_
#define NORTHWIND_BENCH_NAIVE_ROCKSDB_H_

#include <cstdint>
#include <string>

namespace northwind::bench {

// The obvious ledger over RocksDB, for comparison: per transaction one key with its record, per side of it one key in the history of
// the account, and per batch one key for each balance touched; all in one synced write. No idempotency check, no limits,
// no hash chain. Commits `transactions` in batches of kBatch.
void CommitNaively(const std::string& directory, uint64_t transactions);

}  // namespace northwind::bench

#endif  // NORTHWIND_BENCH_NAIVE_ROCKSDB_H_
