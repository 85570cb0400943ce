// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_POSTGRES_CUTTING_PROXY_H_
#define NORTHWIND_TESTS_POSTGRES_CUTTING_PROXY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace northwind::testing {

// A network between a client and a server on this machine that can break: a port of its own, behind which the server's is.
// Thread-safe. Threads: one.
class CuttingProxy {
 public:
  enum class Direction : uint8_t { kToServer = 0, kToClient = 1 };
  enum class Fault : uint8_t {
    kCut,     // resets all connections; new ones are welcome
    kFreeze,  // nothing goes either way any more, of any connection, until Mend; new ones are accepted and hear nothing
    kRefuse,  // resets all connections, and new ones as soon as they come, until Mend
  };

  explicit CuttingProxy(uint16_t server_port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  uint16_t port() const { return port_; }

  // In force when it returns.
  void Break(Fault fault);
  // Once so many more bytes have gone in this direction, to the byte; takes the place of what was asked for before.
  void BreakAfter(Direction direction, uint64_t bytes, Fault fault);
  // All is well again; connections that were frozen go on.
  void Mend();

  size_t connections() const;  // accepted so far
  uint64_t forwarded(Direction direction) const;
  bool broken() const;  // frozen or refusing

 private:
  struct Link {
    std::array<int, 2> sockets;          // the client's, the server's
    std::array<std::string, 2> pending;  // read but not yet sent, by direction
    std::array<bool, 2> ended = {};      // by direction: its source has no more
    std::array<bool, 2> end_passed_on = {};
  };
  struct Trigger {
    Direction direction;
    uint64_t at;  // of forwarded_
    Fault fault;
  };

  void Run();
  void Accept();
  // What may be done now, without waiting; false once it is over.
  bool Move(Link& link);
  bool Pump(Link& link, Direction direction);
  void BreakLocked(Fault fault);
  static void ResetBoth(Link& link);

  const uint16_t server_port_;
  uint16_t port_ = 0;
  int listening_ = -1;
  int wake_ = -1;

  mutable std::mutex mutex_;  // guards what follows
  std::list<Link> links_;
  std::array<uint64_t, 2> forwarded_ = {};
  std::optional<Trigger> trigger_;
  size_t connections_ = 0;
  bool frozen_ = false;
  bool refusing_ = false;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_POSTGRES_CUTTING_PROXY_H_
