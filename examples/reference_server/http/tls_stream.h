// SPDX-License-Identifier: Apache-2.0
//
// TLS straight on a socket that does not block. Asio's own stream keeps four buffers of 17 KB for as long as a connection lives, which is
// most of what thousands of idle streams of events would cost; here OpenSSL has buffers while there is something in them.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_TLS_STREAM_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_TLS_STREAM_H_

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

namespace northwind::server {

// The server's side. What Asio calls an AsyncReadStream and AsyncWriteStream; one read and one write may be under way at a time. On its
// socket's executor only. All handlers are void(error_code, size_t).
class TlsStream {
 public:
  // NOLINTNEXTLINE(readability-identifier-naming): Asio looks for it
  using executor_type = boost::asio::ip::tcp::socket::executor_type;

  TlsStream(boost::asio::ip::tcp::socket socket, SSL_CTX* context);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  boost::asio::ip::tcp::socket& socket() { return socket_; }

  template <typename Handler>
  auto async_handshake(Handler&& handler) {
    return Start([](SSL* tls) { return SSL_accept(tls); }, std::forward<Handler>(handler));
  }
  template <typename Buffers, typename Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    const auto buffer = FirstOf<boost::asio::mutable_buffer>(buffers);
    return Start([buffer](SSL* tls) { return SSL_read(tls, buffer.data(), Length(buffer.size())); },
                 std::forward<Handler>(handler));
  }
  template <typename Buffers, typename Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    const auto buffer = FirstOf<boost::asio::const_buffer>(buffers);
    return Start([buffer](SSL* tls) { return SSL_write(tls, buffer.data(), Length(buffer.size())); },
                 std::forward<Handler>(handler));
  }
  // Tells the peer that nothing more comes, if the socket takes that at once.
  void SayGoodbye();

 private:
  using ErrorCode = boost::system::error_code;

  template <typename Buffer, typename Buffers>
  static Buffer FirstOf(const Buffers& buffers) {
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != end; ++it) {
      if (Buffer(*it).size() > 0) return *it;
    }
    return {};
  }
  static int Length(size_t size) { return static_cast<int>(std::min<size_t>(size, std::numeric_limits<int>::max())); }

  // What OpenSSL's answer to a call was: what it waits for, or an error that is not `waits`.
  enum class Wants : uint8_t { kNothing, kRead, kWrite };
  Wants After(int result, ErrorCode* error);

  // A call, made again each time that the socket has what it waits for, until it is done.
  template <typename Call>
  struct Operation {
    TlsStream* stream;
    Call call;
    bool waited = false;
    bool done = false;
    ErrorCode error = {};
    size_t bytes = 0;

    template <typename Self>
    void operator()(Self& self, ErrorCode wait_error = {}) {
      if (done) return self.complete(error, bytes);
      if (!stream->socket_.is_open()) wait_error = boost::asio::error::operation_aborted;
      error = wait_error;
      if (!error) {
        ERR_clear_error();
        const int result = call(stream->tls_.get());
        const Wants wants = stream->After(result, &error);
        if (wants != Wants::kNothing) {
          waited = true;
          boost::asio::ip::tcp::socket& socket = stream->socket_;
          return socket.async_wait(wants == Wants::kRead ? boost::asio::ip::tcp::socket::wait_read
                                                         : boost::asio::ip::tcp::socket::wait_write,
                                   std::move(self));
        }
        if (!error) bytes = static_cast<size_t>(result);
      }
      if (waited) return self.complete(error, bytes);
      // Never out of the function that began it.
      done = true;
      const executor_type executor = stream->get_executor();
      boost::asio::post(executor, std::move(self));
    }
  };

  template <typename Call, typename Handler>
  auto Start(Call call, Handler&& handler) {
    return boost::asio::async_compose<Handler, void(ErrorCode, size_t)>(
        Operation<Call>{.stream = this, .call = std::move(call)}, handler, socket_);
  }

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<SSL, void (*)(SSL*)> tls_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_TLS_STREAM_H_
