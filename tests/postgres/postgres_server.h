// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_POSTGRES_POSTGRES_SERVER_H_
#define NORTHWIND_TESTS_POSTGRES_POSTGRES_SERVER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temp_dir.h"

namespace northwind::testing {

// A PostgreSQL of its own: a cluster in a temporary directory, run by an unprivileged user (a test that runs as root takes an account
// that exists), with the settings that initdb gives. It ends with the test, also with one that is killed, provided that the thread that
// starts it lives as long as it is to run. The superuser is `postgres`; everybody on this machine may be any role without a password, unless
// `hba` says otherwise. Aborts if there is no server to be started.
class PostgresServer {
 public:
  struct Options {
    bool tcp = false;                        // listens at 127.0.0.1 too
    std::vector<std::string> settings = {};  // lines of postgresql.conf
    std::vector<std::string> hba = {};       // lines of pg_hba.conf, before those that let everybody in
    std::string certificate_pem = {};        // with a key: TLS
    std::string key_pem = {};
    const PostgresServer* standby_of = nullptr;  // a copy of this one, that follows it until it is promoted
  };
  enum class Shutdown : uint8_t { kSmart, kFast, kImmediate };

  PostgresServer() : PostgresServer(Options{}) {}
  // Makes the cluster and starts it, in what the calling thread sees as the file system.
  explicit PostgresServer(const Options& options);
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // The one of this program, made by the first call.
  static PostgresServer& Shared();

  // Through the socket in its directory, as the superuser.
  std::string Connection(std::string_view database = "postgres") const;
  // "host=127.0.0.1 port=… dbname=… user=postgres"; needs Options::tcp.
  std::string TcpConnection(std::string_view database = "postgres") const;
  uint16_t port() const { return port_; }

  // A new database, empty; its name, which no other of this server has.
  std::string MakeDatabase();

  // Where it was before: same directory, same port. Waits until it lets clients in.
  void Start();
  // Waits until it has ended. Smart waits for the clients to go, fast cuts them off, immediate crashes.
  void Stop(Shutdown how);
  // kill -9 of the postmaster and of all its sessions.
  void Kill();
  bool running() const { return postmaster_ > 0; }
  // What it wrote to its log.
  std::string Log() const;
  // Waits for a command of this many arguments as the user of the server; false unless it ended with 0.
  bool RunAsServer(const std::vector<std::string>& command) const;
  // Of one of PostgreSQL's programs, such as psql.
  std::string Program(std::string_view name) const { return binaries_ + std::string(name); }
  // A path inside the cluster's directory.
  std::string DataPath(std::string_view name) const { return directory_ / ("data/" + std::string(name)); }

 private:
  void MakeCluster(const PostgresServer* standby_of) const;
  pid_t Spawn(const std::vector<std::string>& command) const;
  void Configure(const Options& options) const;
  // Starts it once; false if it ended instead of letting clients in.
  bool TryStart();

  TempDir directory_;
  std::string binaries_;
  uid_t user_ = 0;
  gid_t group_ = 0;
  uint16_t port_ = 5432;  // of the socket's name only, if it does not listen
  pid_t postmaster_ = 0;
  int databases_ = 0;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_POSTGRES_POSTGRES_SERVER_H_
