// SPDX-License-Identifier: Apache-2.0
//
// The reference server as a process of its own: started on a directory and a port that is free, killed at the end.
#ifndef NORTHWIND_BENCH_SERVER_PROCESS_H_
#define NORTHWIND_BENCH_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace northwind::bench {

// Aborts if the server does not start. Its log goes to a file in `directory`, as a service's goes to the journal's socket: nobody of the
// benchmark reads it meanwhile.
class ServerProcess {
 public:
  ServerProcess(const std::string& directory, const std::vector<std::string>& flags);
  ~ServerProcess();  // Kill()
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // SIGKILL: what is not on the disk by now is lost. Idempotent.
  void Kill();
  uint16_t port() const { return port_; }
  const std::string& key() const { return key_; }  // may do all
  const std::string& store() const { return store_; }

  uint64_t ResidentBytes() const;
  uint64_t PeakResidentBytes() const;
  double CpuSeconds() const;  // of all its threads, so far

 private:
  uint64_t KilobytesOf(const std::string& name) const;

  const std::string store_;
  pid_t process_ = -1;
  uint16_t port_ = 0;
  std::string key_;
};

}  // namespace northwind::bench

#endif  // NORTHWIND_BENCH_SERVER_PROCESS_H_
