// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/tls_stream.h"

#include <openssl/bio.h>
#include <sys/socket.h>

#include <cerrno>

namespace northwind::server {

namespace asio = boost::asio;

namespace {

using Socket = asio::ip::tcp::socket;

// OpenSSL's own BIO of a socket writes to peers that have gone as a file is written, which ends the process by SIGPIPE.
template <typename Call>
int Transfer(BIO* bio, int retry, Call call) {
  BIO_clear_retry_flags(bio);
  Socket& socket = *static_cast<Socket*>(BIO_get_data(bio));
  if (!socket.is_open()) return -1;
  const ssize_t bytes = call(socket.native_handle());
  if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
  return static_cast<int>(bytes);
}

int WriteBio(BIO* bio, const char* data, int size) {
  return Transfer(bio, BIO_FLAGS_WRITE,
                  [&](int socket) { return send(socket, data, static_cast<size_t>(size), MSG_NOSIGNAL); });
}
int ReadBio(BIO* bio, char* data, int size) {
  return Transfer(bio, BIO_FLAGS_READ, [&](int socket) { return recv(socket, data, static_cast<size_t>(size), 0); });
}
long ControlBio(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO* NewBio(Socket* socket) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "northwind socket");
    BIO_meth_set_write(made, WriteBio);
    BIO_meth_set_read(made, ReadBio);
    BIO_meth_set_ctrl(made, ControlBio);
    return made;
  }();
  BIO* bio = BIO_new(method);
  if (bio != nullptr) {
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
  }
  return bio;
}

}  // namespace

TlsStream::TlsStream(asio::ip::tcp::socket socket, SSL_CTX* context)
    : socket_(std::move(socket)), tls_(SSL_new(context), SSL_free) {
  ErrorCode error;
  socket_.native_non_blocking(true, error);
  BIO* bio = tls_ == nullptr ? nullptr : NewBio(&socket_);
  // Without a socket that works, or memory for TLS, the first call fails.
  if (bio == nullptr || error) {
    BIO_free(bio);
    socket_.close(error);
    return;
  }
  SSL_set_mode(tls_.get(),
               SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_set_bio(tls_.get(), bio, bio);  // which holds it from here on
}

void TlsStream::SayGoodbye() {
  if (!socket_.is_open()) return;
  ERR_clear_error();
  SSL_shutdown(tls_.get());
}

TlsStream::Wants TlsStream::After(int result, ErrorCode* error) {
  if (result > 0) return Wants::kNothing;
  const int system_error = errno;
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Wants::kRead;
    case SSL_ERROR_WANT_WRITE:
      return Wants::kWrite;
    case SSL_ERROR_ZERO_RETURN:
      *error = asio::error::eof;
      return Wants::kNothing;
    case SSL_ERROR_SYSCALL:
      if (system_error != 0) {
        *error = ErrorCode(system_error, asio::error::get_system_category());
        return Wants::kNothing;
      }
      [[fallthrough]];
    default:
      // What is no TLS, or was cut off.
      *error = asio::error::connection_reset;
      return Wants::kNothing;
  }
}

}  // namespace northwind::server
