// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_HTTP_TEST_SERVER_H_
#define NORTHWIND_TESTS_HTTP_TEST_SERVER_H_

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "tests/http/test_certificates.h"

namespace northwind::testing {

// A request as it came.
struct ServedRequest {
  std::string method;
  std::string target;
  std::string head;  // all of it, with the lines' ends
  std::string body;

  // The value of the first header of this name (as spelled), or nothing.
  std::optional<std::string> Header(std::string_view name) const;
};

// The server's end of a connection, for the script that serves it. Whatever it writes is on the wire when it returns.
class ServedConnection {
 public:
  // The next request, its body by Content-Length. Nothing at the end of the connection.
  std::optional<ServedRequest> Read();
  // Whether ReadBytes would return at once.
  bool HasBytes() const;
  // Whatever comes next. Nothing at the end of the connection.
  std::optional<std::string> ReadBytes();
  // False once the peer is gone.
  bool Write(std::string_view bytes);
  // Says nothing until the peer, or the server, ends the connection.
  void AwaitEnd();
  // Ends it with a reset instead of an orderly close.
  void Reset();
  // Ends the stream without TLS's own goodbye.
  void Cut();
  // How many connections the server had accepted before this one.
  size_t index() const { return index_; }

 private:
  friend class TestServer;

  // More into buffer_; false at the end.
  bool Fill();

  int socket_ = -1;
  SSL* tls_ = nullptr;
  size_t index_ = 0;
  std::string buffer_;
  std::thread thread_;
};

// A server on a port of its own on this machine, scripted by a function that serves one connection, on that
// connection's own thread, and closes it by returning. Plain sockets, so that it can be as wrong as any server.
class TestServer {
 public:
  struct Options {
    std::string address = "127.0.0.1";   // or "::1"
    const Identity* identity = nullptr;  // speaks TLS with this
    int max_tls_version = TLS1_3_VERSION;
    std::string protocol = {};  // offered with TLS (ALPN): "h2"
  };
  using Script = std::function<void(ServedConnection&)>;

  explicit TestServer(Script script) : TestServer(std::move(script), Options{}) {}
  TestServer(Script script, const Options& options);
  // Ends all connections and waits for their scripts.
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  // Answers every request of a connection with what the function returns.
  static Script Answer(std::function<std::string(const ServedRequest&)> answer);
  // A response with status 200 and this body.
  static std::string Ok(std::string_view body);

  uint16_t port() const { return port_; }
  // "127.0.0.1:4711", or "[::1]:4711"
  std::string authority() const;
  // Connections accepted so far.
  size_t connections() const;

 private:
  void Accept();
  void Serve(ServedConnection& connection);

  const Script script_;
  std::string address_;
  std::string protocol_;  // as ALPN has it, behind its length
  uint16_t port_ = 0;
  int listening_ = -1;
  SSL_CTX* tls_ = nullptr;

  mutable std::mutex mutex_;  // guards the list and the sockets in it
  std::list<ServedConnection> connections_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_HTTP_TEST_SERVER_H_
