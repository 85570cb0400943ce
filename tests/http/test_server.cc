// SPDX-License-Identifier: Apache-2.0
#include "tests/http/test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/http/block_signals.h"

namespace northwind::testing {
namespace {

// OpenSSL's callback: takes the protocol offered, if the client knows it too.
int SelectProtocol(SSL* /*tls*/, const unsigned char** selected, unsigned char* selected_size,
                   const unsigned char* offered, unsigned offered_size, void* protocol) {
  const auto& own = *static_cast<const std::string*>(protocol);
  const int found = SSL_select_next_proto(const_cast<unsigned char**>(selected), selected_size,
                                          reinterpret_cast<const unsigned char*>(own.data()),
                                          static_cast<unsigned>(own.size()), offered, offered_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

std::optional<std::string> ServedRequest::Header(std::string_view name) const {
  const std::string line = "\r\n" + std::string(name) + ": ";
  const size_t at = head.find(line);
  if (at == std::string::npos) return std::nullopt;
  const size_t begin = at + line.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

bool ServedConnection::Fill() {
  char bytes[16384];
  const ssize_t count = tls_ != nullptr ? SSL_read(tls_, bytes, sizeof(bytes)) : recv(socket_, bytes, sizeof(bytes), 0);
  if (count <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(count));
  return true;
}

std::optional<ServedRequest> ServedConnection::Read() {
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return std::nullopt;
  }
  ServedRequest request = {.head = buffer_.substr(0, end + 4)};
  buffer_.erase(0, end + 4);
  const size_t space = request.head.find(' ');
  request.method = request.head.substr(0, space);
  request.target = request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
  size_t length = 0;
  if (const auto text = request.Header("Content-Length")) NW_CHECK(absl::SimpleAtoi(*text, &length), "bad length");
  while (buffer_.size() < length) {
    if (!Fill()) return std::nullopt;
  }
  request.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return request;
}

bool ServedConnection::HasBytes() const {
  pollfd ready = {.fd = socket_, .events = POLLIN, .revents = 0};
  return !buffer_.empty() || (tls_ != nullptr && SSL_pending(tls_) > 0) || poll(&ready, 1, 0) > 0;
}

std::optional<std::string> ServedConnection::ReadBytes() {
  if (buffer_.empty() && !Fill()) return std::nullopt;
  return std::exchange(buffer_, {});
}

bool ServedConnection::Write(std::string_view bytes) {
  if (tls_ != nullptr) return bytes.empty() || SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  while (!bytes.empty()) {
    const ssize_t count = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

void ServedConnection::AwaitEnd() {
  while (Fill()) buffer_.clear();
}

void ServedConnection::Reset() {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  if (tls_ != nullptr) SSL_set_quiet_shutdown(tls_, 1);
}

void ServedConnection::Cut() {
  if (tls_ != nullptr) SSL_set_quiet_shutdown(tls_, 1);
}

TestServer::TestServer(Script script, const Options& options) : script_(std::move(script)), address_(options.address) {
  const bool v6 = address_.find(':') != std::string::npos;
  sockaddr_in6 six = {};
  six.sin6_family = AF_INET6;
  sockaddr_in four = {};
  four.sin_family = AF_INET;
  auto* const name = v6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four);
  socklen_t size = v6 ? sizeof(six) : sizeof(four);
  void* const host = v6 ? static_cast<void*>(&six.sin6_addr) : static_cast<void*>(&four.sin_addr);
  NW_CHECK(inet_pton(name->sa_family, address_.c_str(), host) == 1, "bad address");
  listening_ = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  NW_CHECK(bind(listening_, name, size) == 0 && listen(listening_, 4096) == 0, "cannot listen");
  NW_CHECK(getsockname(listening_, name, &size) == 0, "no port");
  port_ = ntohs(v6 ? six.sin6_port : four.sin_port);
  if (options.identity != nullptr) {
    tls_ = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_max_proto_version(tls_, options.max_tls_version);
    // Versions before 1.2 are only spoken at security level 0.
    if (options.max_tls_version < TLS1_2_VERSION) {
      SSL_CTX_set_min_proto_version(tls_, TLS1_VERSION);
      SSL_CTX_set_security_level(tls_, 0);
    }
    if (!options.protocol.empty()) {
      protocol_ = static_cast<char>(options.protocol.size()) + options.protocol;
      SSL_CTX_set_alpn_select_cb(tls_, &SelectProtocol, &protocol_);
    }
    NW_CHECK(SSL_CTX_use_certificate(tls_, options.identity->certificate.get()) == 1, "bad certificate");
    NW_CHECK(SSL_CTX_use_PrivateKey(tls_, options.identity->key.get()) == 1, "bad key");
  }
  thread_ = std::thread([this] { Accept(); });
}

TestServer::~TestServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    shutdown(listening_, SHUT_RDWR);
    for (ServedConnection& connection : connections_) {
      if (connection.socket_ >= 0) shutdown(connection.socket_, SHUT_RDWR);
    }
  }
  thread_.join();
  for (ServedConnection& connection : connections_) connection.thread_.join();
  close(listening_);
  SSL_CTX_free(tls_);
}

void TestServer::Accept() {
  internal::http::BlockSignals();
  while (true) {
    const int accepted = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      if (accepted >= 0) close(accepted);
      return;
    }
    if (accepted < 0) continue;
    ServedConnection& connection = connections_.emplace_back();
    connection.socket_ = accepted;
    connection.index_ = connections_.size() - 1;
    connection.thread_ = std::thread([this, &connection] { Serve(connection); });
  }
}

void TestServer::Serve(ServedConnection& connection) {
  internal::http::BlockSignals();
  bool ready = true;
  if (tls_ != nullptr) {
    connection.tls_ = SSL_new(tls_);
    SSL_set_fd(connection.tls_, connection.socket_);
    ready = SSL_accept(connection.tls_) == 1;
  }
  if (ready) script_(connection);
  if (connection.tls_ != nullptr) {
    if (ready) SSL_shutdown(connection.tls_);
    SSL_free(connection.tls_);
  }
  const std::lock_guard lock(mutex_);
  close(std::exchange(connection.socket_, -1));
}

TestServer::Script TestServer::Answer(std::function<std::string(const ServedRequest&)> answer) {
  return [answer = std::move(answer)](ServedConnection& connection) {
    while (const std::optional<ServedRequest> request = connection.Read()) {
      if (!connection.Write(answer(*request))) return;
    }
  };
}

std::string TestServer::Ok(std::string_view body) {
  return absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(), "\r\n\r\n", std::string(body));
}

std::string TestServer::authority() const {
  const bool v6 = address_.find(':') != std::string::npos;
  return absl::StrCat(v6 ? "[" : "", address_, v6 ? "]" : "", ":", port_);
}

size_t TestServer::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

}  // namespace northwind::testing
