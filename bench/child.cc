// SPDX-License-Identifier: Apache-2.0
#include "bench/child.h"

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>

namespace northwind::bench {

std::string RunChild(std::string_view mode, const std::string& directory, uint64_t count, int& wait_status) {
  std::array<int, 2> ends;
  if (pipe(ends.data()) != 0) std::abort();
  std::string what(mode), number = std::to_string(count), path = directory, name = "bench";
  std::array<char*, 5> arguments = {name.data(), what.data(), path.data(), number.data(), nullptr};
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

void RunChildThatDies(std::string_view mode, const std::string& directory, uint64_t count) {
  int status = 0;
  RunChild(mode, directory, count, status);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    std::cerr << "the child did not get as far as being killed\n";
    std::abort();
  }
}

double RunChildForNumber(std::string_view mode, const std::string& directory, uint64_t count) {
  int status = 0;
  const std::string output = RunChild(mode, directory, count, status);
  if (status != 0) std::abort();
  return std::strtod(output.c_str(), nullptr);
}

uint64_t ResidentBytes() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace northwind::bench
