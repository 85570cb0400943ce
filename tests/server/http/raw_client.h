// SPDX-License-Identifier: Apache-2.0
//
// Sends bytes as they are given, and reads what comes back, on a blocking socket of loopback.
#ifndef NORTHWIND_TESTS_SERVER_HTTP_RAW_CLIENT_H_
#define NORTHWIND_TESTS_SERVER_HTTP_RAW_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace northwind::testing {

struct RawAnswer {
  int status = 0;  // 0: the connection ended before an answer
  std::string head;
  std::string body;
};

class RawClient {
 public:
  // A test that waits for longer than this for an answer has failed.
  static constexpr int kPatienceSeconds = 60;

  explicit RawClient(uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{.tv_sec = kPatienceSeconds, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  int descriptor() const { return socket_; }

  // False once the peer has closed.
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void FinishSending() const { shutdown(socket_, SHUT_WR); }

  // The next answer, by its Content-Length; of a chunked one the body is left to Read.
  RawAnswer Answer(bool head_only = false) {
    RawAnswer answer;
    size_t end = 0;
    while ((end = bytes_.find("\r\n\r\n")) == std::string::npos) {
      if (!More()) return answer;
    }
    answer.head = bytes_.substr(0, end + 4);
    bytes_.erase(0, end + 4);
    answer.status = std::atoi(answer.head.c_str() + sizeof "HTTP/1.1");
    const size_t at = answer.head.find("Content-Length: ");
    const size_t length =
        at == std::string::npos || head_only ? 0 : std::strtoull(answer.head.c_str() + at + 16, nullptr, 10);
    while (bytes_.size() < length) {
      if (!More()) break;
    }
    answer.body = bytes_.substr(0, length);
    bytes_.erase(0, length);
    return answer;
  }
  // All until the peer closes.
  std::string Rest() {
    while (More()) {
    }
    return std::move(bytes_);
  }
  // What has come once it holds `text`, moved out up to and with it; all of it if the peer closes before.
  std::string Until(std::string_view text) {
    size_t at = 0;
    while ((at = bytes_.find(text)) == std::string::npos) {
      if (!More()) return std::move(bytes_);
    }
    std::string found = bytes_.substr(0, at + text.size());
    bytes_.erase(0, at + text.size());
    return found;
  }
  bool closed() const { return closed_; }

 private:
  bool More() {
    char piece[4096];
    const ssize_t got = recv(socket_, piece, sizeof piece, 0);
    if (got <= 0) {
      closed_ = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
      return false;
    }
    bytes_.append(piece, static_cast<size_t>(got));
    return true;
  }

  const int socket_;
  bool connected_ = false;
  bool closed_ = false;
  std::string bytes_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SERVER_HTTP_RAW_CLIENT_H_
