// SPDX-License-Identifier: Apache-2.0
//
// What the benchmarks feed a ledger with, and the directories that they leave behind empty.
#ifndef NORTHWIND_BENCH_WORKLOAD_H_
#define NORTHWIND_BENCH_WORKLOAD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "northwind/ledger.h"
#include "northwind/store.h"

namespace northwind::bench {

inline constexpr size_t kAccounts = 10'000;
inline constexpr size_t kBatch = 8190;

// A new directory, removed with all that is in it: under $NORTHWIND_BENCH_DIR, or the current directory.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Aborts with the status: a benchmark that met an error has no figure.
void Must(const absl::Status& status);
template <typename T>
T Must(absl::StatusOr<T> result) {
  Must(result.status());
  return *std::move(result);
}

// A store with a ledger, and `accounts` external accounts (ids 1 …) opened in it.
struct OpenLedger {
  std::unique_ptr<Store> store;
  std::unique_ptr<Ledger> ledger;
};
OpenLedger OpenAt(const std::string& directory, size_t accounts = kAccounts);

enum class Keys : uint8_t { kTimeOrdered, kRandom };
enum class Skew : uint8_t { kUniform, kZipf };

// One-posting transactions between random accounts. Time-ordered keys are like derived ones: 48 bits of milliseconds (a
// thousand transactions each), then random bits.
class TransactionSource {
 public:
  TransactionSource(uint64_t seed, Keys keys, Skew skew, size_t accounts = kAccounts);
  void Fill(Transaction& transaction);
  std::vector<Transaction> Batch(size_t size);

 private:
  AccountId RandomAccount();

  std::mt19937_64 random_;
  const Keys keys_;
  const size_t accounts_;
  std::vector<double> cumulative_;  // Zipf only
  uint64_t count_ = 0;
  const uint64_t first_millisecond_;
};

// Bounds the batches under way.
class InFlight {
 public:
  explicit InFlight(size_t limit) : limit_(limit) {}
  void Begin();
  void End();
  void WaitForAll();

 private:
  const size_t limit_;
  absl::Mutex mutex_;
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Commits `transactions` in batches of kBatch from one thread, a few batches in flight; returns how many were applied.
uint64_t CommitAll(Ledger& ledger, TransactionSource& source, uint64_t transactions);

// The p-th percentile (0 … 1) of some durations. Sorts them.
double Percentile(std::vector<double>& values, double p);

}  // namespace northwind::bench

#endif  // NORTHWIND_BENCH_WORKLOAD_H_
