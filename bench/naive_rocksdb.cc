// SPDX-License-Identifier: Apache-2.0
#include "bench/naive_rocksdb.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <vector>

#include "bench/workload.h"
#include "rocksdb/db.h"
#include "src/base/coding.h"

namespace northwind::bench {
namespace {

using internal::PutBigEndian32;
using internal::PutBigEndian64;

void MustBeOk(const rocksdb::Status& status) {
  if (status.ok()) return;
  std::cerr << "benchmark failed: " << status.ToString() << "\n";
  std::abort();
}

class NaiveLedger {
 public:
  explicit NaiveLedger(const std::string& directory) : balances_(kAccounts + 1) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.write_buffer_size = 64 << 20;
    options.max_write_buffer_number = 4;
    options.max_background_jobs = 2;
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {"default", options}, {"entries", options}, {"balances", options}};
    rocksdb::DB* db = nullptr;
    MustBeOk(rocksdb::DB::Open(options, directory, families, &handles_, &db));
    db_.reset(db);
  }

  ~NaiveLedger() {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) MustBeOk(db_->DestroyColumnFamilyHandle(handle));
  }

  void Commit(const std::vector<Transaction>& batch) {
    rocksdb::WriteBatch writes;
    std::string key, value;
    touched_.clear();
    for (const Transaction& t : batch) {
      const Posting& posting = t.postings.front();
      ++sequence_;
      value.clear();
      PutBigEndian64(value, sequence_);
      PutBigEndian32(value, posting.debit.value());
      PutBigEndian32(value, posting.credit.value());
      internal::PutVarint128(value, posting.amount.units());
      PutBigEndian32(value, t.code);
      const std::string_view id = t.key.bytes();
      MustBeOk(writes.Put(handles_[0], rocksdb::Slice(id.data(), id.size()), value));
      for (const AccountId account : {posting.debit, posting.credit}) {
        Totals& totals = balances_[account.value()];
        (account == posting.debit ? totals.debits_posted : totals.credits_posted) += posting.amount.units();
        key.clear();
        PutBigEndian32(key, account.value());
        PutBigEndian64(key, sequence_);
        MustBeOk(writes.Put(handles_[1], key, value));
        touched_.push_back(account.value());
      }
    }
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
    for (const uint32_t account : touched_) {
      key.clear();
      PutBigEndian32(key, account);
      const Totals& totals = balances_[account];
      MustBeOk(writes.Put(handles_[2], key, rocksdb::Slice(reinterpret_cast<const char*>(&totals), sizeof(totals))));
    }
    rocksdb::WriteOptions synced;
    synced.sync = true;
    MustBeOk(db_->Write(synced, &writes));
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::vector<Totals> balances_;
  std::vector<uint32_t> touched_;
  uint64_t sequence_ = 0;
};

}  // namespace

void CommitNaively(const std::string& directory, uint64_t transactions) {
  NaiveLedger ledger(directory);
  TransactionSource source(1, Keys::kTimeOrdered, Skew::kUniform);
  for (uint64_t done = 0; done < transactions; done += kBatch) {
    ledger.Commit(source.Batch(static_cast<size_t>(std::min<uint64_t>(kBatch, transactions - done))));
  }
}

}  // namespace northwind::bench
