// SPDX-License-Identifier: Apache-2.0
#include "bench/ledger_child.h"

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string_view>

#include "bench/workload.h"

namespace northwind::bench {
namespace {

constexpr std::string_view kDie = "--child-commit-and-die";
constexpr std::string_view kMemory = "--child-memory-per-account";

uint64_t ResidentBytes() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

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

// Starts this program again with three arguments; its standard output.
std::string RunChild(std::string_view what, const std::string& directory, uint64_t count, int& wait_status) {
  std::array<int, 2> ends;
  if (pipe(ends.data()) != 0) std::abort();
  std::string mode(what), number = std::to_string(count), path = directory, name = "ledger_bench";
  std::array<char*, 5> arguments = {name.data(), mode.data(), path.data(), number.data(), nullptr};
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    execv("/proc/self/exe", arguments.data());
    _exit(127);
  }
  close(ends[1]);
  std::string output;
  std::array<char, 256> buffer;
  for (ssize_t n; (n = read(ends[0], buffer.data(), buffer.size())) > 0;)
    output.append(buffer.data(), static_cast<size_t>(n));
  close(ends[0]);
  waitpid(child, &wait_status, 0);
  return output;
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
  int status = 0;
  RunChild(kDie, directory, transactions, status);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    std::cerr << "the child did not get as far as being killed\n";
    std::abort();
  }
}

double MemoryPerAccount(const std::string& directory, uint64_t accounts) {
  int status = 0;
  const std::string output = RunChild(kMemory, directory, accounts, status);
  if (status != 0) std::abort();
  return std::strtod(output.c_str(), nullptr);
}

}  // namespace northwind::bench
