// SPDX-License-Identifier: Apache-2.0
//
// Parts of a benchmark that need a process of their own, to be killed or to have its memory measured: the program starts
// itself again with three arguments.
#ifndef NORTHWIND_BENCH_CHILD_H_
#define NORTHWIND_BENCH_CHILD_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace northwind::bench {

// Runs this program as `this MODE DIRECTORY COUNT`; its standard output, and its status as of waitpid.
std::string RunChild(std::string_view mode, const std::string& directory, uint64_t count, int& wait_status);

// The same for a mode that ends by SIGKILL, or for one that prints a number; aborts if the child does neither.
void RunChildThatDies(std::string_view mode, const std::string& directory, uint64_t count);
double RunChildForNumber(std::string_view mode, const std::string& directory, uint64_t count);

// Of this process, after what is free has been given back.
uint64_t ResidentBytes();

}  // namespace northwind::bench

#endif  // NORTHWIND_BENCH_CHILD_H_
