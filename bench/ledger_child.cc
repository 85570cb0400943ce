// SPDX-License-Identifier: Apache-2.0
#include "bench/ledger_child.h"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "bench/child.h"
#include "bench/workload.h"

namespace northwind::bench {
namespace {

constexpr std::string_view kDie = "--child-commit-and-die";
constexpr std::string_view kMemory = "--child-memory-per-account";

double MeasureAccounts(const std::string& directory, uint64_t accounts) {
  // Buffers and caches that are bounded whatever the number of accounts are made small, so that they do not count.
  OpenLedger open;
  open.store = Must(Store::Open({.path = directory, .block_cache_bytes = 1 << 20, .write_buffer_bytes = 1 << 20}));
  open.ledger = Must(Ledger::Open(*open.store, {.journal_cache_bytes = 1 << 20}));
  const uint64_t before = ResidentBytes();
  uint64_t names = 0;
  for (uint64_t first = 0; first < accounts; first += kMaxAccountsPerCall) {
    std::vector<AccountSpec> specs;
    for (uint64_t i = first; i < first + kMaxAccountsPerCall && i < accounts; ++i) {
      specs.push_back({.name = "merchant:" + std::to_string(i) + ":available", .asset = "USD/2"});
      names += specs.back().name.size();
    }
    Must(open.ledger->OpenAccounts(specs).status());
  }
  Must(open.ledger->WriteIndexes());
  return static_cast<double>(ResidentBytes() - before - names) / static_cast<double>(accounts);
}

}  // namespace

std::optional<int> RunAsChild(int argc, char** argv) {
  if (argc != 4) return std::nullopt;
  const std::string_view mode = argv[1];
  const uint64_t count = std::strtoull(argv[3], nullptr, 10);
  if (mode == kMemory) {
    std::printf("%f\n", MeasureAccounts(argv[2], count));
    return 0;
  }
  if (mode != kDie) return std::nullopt;
  const OpenLedger open = OpenAt(argv[2]);
  TransactionSource source(2, Keys::kTimeOrdered, Skew::kUniform);
  CommitAll(*open.ledger, source, count);
  raise(SIGKILL);
  return 1;
}

void CommitAndDie(const std::string& directory, uint64_t transactions) {
  RunChildThatDies(kDie, directory, transactions);
}

double MemoryPerAccount(const std::string& directory, uint64_t accounts) {
  return RunChildForNumber(kMemory, directory, accounts);
}

}  // namespace northwind::bench
