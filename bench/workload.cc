// SPDX-License-Identifier: Apache-2.0
#include "bench/workload.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <utility>

#include "absl/time/clock.h"

namespace northwind::bench {

ScratchDirectory::ScratchDirectory() {
  const char* parent = std::getenv("NORTHWIND_BENCH_DIR");
  std::string pattern = (parent != nullptr ? std::string(parent) : std::string(".")) + "/northwind-bench.XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    std::cerr << "cannot make a directory like " << pattern << ": " << std::strerror(errno) << "\n";
    std::exit(1);
  }
  path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "benchmark failed: " << status << "\n";
  std::abort();
}

OpenLedger OpenAt(const std::string& directory, size_t accounts) {
  OpenLedger open;
  open.store = Must(Store::Open({.path = directory}));
  open.ledger = Must(Ledger::Open(*open.store));
  for (size_t first = 0; first < accounts; first += kMaxAccountsPerCall) {
    std::vector<AccountSpec> specs;
    for (size_t i = first; i < std::min(accounts, first + kMaxAccountsPerCall); ++i) {
      specs.push_back({.name = "bench:" + std::to_string(i), .asset = "USD/2", .external = true});
    }
    Must(open.ledger->OpenAccounts(specs).status());
  }
  return open;
}

TransactionSource::TransactionSource(uint64_t seed, Keys keys, Skew skew, size_t accounts)
    : random_(seed),
      keys_(keys),
      accounts_(accounts),
      first_millisecond_(static_cast<uint64_t>(absl::ToUnixMillis(absl::Now()))) {
  if (skew == Skew::kUniform) return;
  double sum = 0;
  for (size_t i = 0; i < accounts; ++i) cumulative_.push_back(sum += 1.0 / static_cast<double>(i + 1));
}

AccountId TransactionSource::RandomAccount() {
  size_t index;
  if (cumulative_.empty()) {
    index = random_() % accounts_;
  } else {
    const double at = std::uniform_real_distribution<double>(0, cumulative_.back())(random_);
    index = static_cast<size_t>(std::lower_bound(cumulative_.begin(), cumulative_.end(), at) - cumulative_.begin());
    index = std::min(index, accounts_ - 1);
  }
  return AccountId(static_cast<uint32_t>(index + 1));
}

void TransactionSource::Fill(Transaction& transaction) {
  std::array<uint8_t, IdempotencyKey::kSize> key;
  const uint64_t words[] = {random_(), random_()};
  std::memcpy(key.data(), words, key.size());
  if (keys_ == Keys::kTimeOrdered) {
    const uint64_t millisecond = first_millisecond_ + count_ / 1000;
    for (size_t i = 0; i < 6; ++i) key[i] = static_cast<uint8_t>(millisecond >> (40 - 8 * i));
  }
  ++count_;
  const AccountId debit = RandomAccount();
  AccountId credit = RandomAccount();
  if (credit == debit) credit = AccountId(debit.value() == 1 ? 2 : debit.value() - 1);
  transaction.key = IdempotencyKey(key);
  transaction.postings = {{debit, credit, Amount(random_() % 1'000'000 + 1)}};
  transaction.code = 7;
}

std::vector<Transaction> TransactionSource::Batch(size_t size) {
  std::vector<Transaction> batch(size);
  for (Transaction& transaction : batch) Fill(transaction);
  return batch;
}

void InFlight::Begin() {
  absl::MutexLock lock(&mutex_);
  const auto room = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return count_ < limit_; };
  mutex_.Await(absl::Condition(&room));
  ++count_;
}

void InFlight::End() {
  absl::MutexLock lock(&mutex_);
  --count_;
}

void InFlight::WaitForAll() {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return count_ == 0; };
  mutex_.Await(absl::Condition(&none));
}

uint64_t CommitAll(Ledger& ledger, TransactionSource& source, uint64_t transactions) {
  constexpr size_t kBatchesInFlight = 4;
  InFlight in_flight(kBatchesInFlight);
  std::atomic<uint64_t> applied{0};
  for (uint64_t done = 0; done < transactions; done += kBatch) {
    std::vector<Transaction> batch = source.Batch(static_cast<size_t>(std::min<uint64_t>(kBatch, transactions - done)));
    in_flight.Begin();
    Must(ledger.CommitAsync(std::move(batch), [&](absl::StatusOr<std::vector<CommitResult>> results) {
      uint64_t count = 0;
      for (const CommitResult& result : Must(std::move(results))) count += result.outcome == Outcome::kApplied;
      applied += count;
      in_flight.End();
    }));
  }
  in_flight.WaitForAll();
  return applied;
}

double Percentile(std::vector<double>& values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<size_t>(std::lround(p * last))];
}

}  // namespace northwind::bench
