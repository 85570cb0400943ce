// SPDX-License-Identifier: Apache-2.0
//
// Parts of benchmarks that need a process of their own: to be killed, or to have its memory measured.
#ifndef NORTHWIND_BENCH_LEDGER_CHILD_H_
#define NORTHWIND_BENCH_LEDGER_CHILD_H_

#include <cstdint>
#include <optional>
#include <string>

namespace northwind::bench {

// If this process was started by one of the functions below: does that work and returns the exit status.
std::optional<int> RunAsChild(int argc, char** argv);

// A child opens the ledger, commits so many more transactions and dies by SIGKILL.
void CommitAndDie(const std::string& directory, uint64_t transactions);

// Bytes of resident memory that a child grew by for each of so many accounts that it opened, names not counted.
double MemoryPerAccount(const std::string& directory, uint64_t accounts);

}  // namespace northwind::bench

#endif  // NORTHWIND_BENCH_LEDGER_CHILD_H_
