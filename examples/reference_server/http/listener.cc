// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/listener.h"

#include <openssl/ssl.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/http/connection.h"
#include "examples/reference_server/http/forwarded.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

// After the last connection was cut, for what still runs on it.
constexpr absl::Duration kAfterCut = absl::Seconds(1);
// Before another accept, when the process may open no more files.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr int kBacklog = 4096;

int ChooseHttp11(SSL* /*tls*/, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                 unsigned int offered_length, void* /*unused*/) {
  static constexpr unsigned char kProtocols[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, kProtocols, sizeof kProtocols - 1, offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

absl::StatusOr<std::unique_ptr<asio::ssl::context>> MakeTls(const ListenerOptions& options) {
  auto tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(tls->native_handle(), SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_alpn_select_cb(tls->native_handle(), ChooseHttp11, nullptr);
  error_code error;
  tls->use_certificate_chain_file(options.tls_certificate, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot use the certificate in ", options.tls_certificate, ": ", error.message()));
  }
  tls->use_private_key_file(options.tls_key, asio::ssl::context::pem, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot use the private key in ", options.tls_key, ": ", error.message()));
  }
  return tls;
}

}  // namespace

class Listener::Core {
 public:
  Core(const ListenerOptions& options, const Router& router, std::function<void(const RequestRecord&)> record)
      : hub_(std::make_shared<Hub>(options, router, std::move(record))),
        acceptor_(asio::make_strand(hub_->io)),
        pause_(acceptor_.get_executor()),
        work_(hub_->io.get_executor()) {}
  ~Core() { Stop(); }  // NOLINT(bugprone-exception-escape): threads that cannot be joined are the end

  absl::Status Begin() {
    const ListenerOptions& options = hub_->options;
    if (options.tls_certificate.empty() != options.tls_key.empty()) {
      return absl::InvalidArgumentError("TLS needs a certificate and its key: give both, or none");
    }
    if (!options.tls_certificate.empty()) {
      NW_ASSIGN_OR_RETURN(hub_->tls, MakeTls(options));
    }
    NW_ASSIGN_OR_RETURN(hub_->options.trusted_proxies, ParseProxies(options.trusted_proxies));
    NW_RETURN_IF_ERROR(Bind());
    for (int i = 0; i < options.io_threads; ++i) {
      threads_.emplace_back([this] { Run(); });
    }
    asio::post(acceptor_.get_executor(), [this] { Accept(); });
    return absl::OkStatus();
  }

  uint16_t port() const { return port_; }

  ListenerStats stats() const {
    ListenerStats stats{.in_flight = hub_->in_flight, .streams = hub_->streams, .body_bytes = hub_->body_bytes};
    stats.accepted = hub_->accepted;
    stats.refused = hub_->refused;
    absl::MutexLock lock(&hub_->mutex);
    stats.connections = hub_->connections.size();
    return stats;
  }

  void Stop() {
    absl::MutexLock stopping(&stop_mutex_);
    if (std::exchange(stopped_, true)) return;
    hub_->draining = true;
    asio::post(acceptor_.get_executor(), [this] {
      error_code error;
      acceptor_.close(error);
      pause_.cancel();
    });
    if (!AwaitNone(&Connection::Drain, hub_->options.drain_timeout)) AwaitNone(&Connection::Cut, kAfterCut);
    // Handlers that block come to their end; nobody hears what they answer.
    hub_->pool.join();
    {
      absl::MutexLock lock(&hub_->end_mutex);
      hub_->ended = true;
    }
    work_.reset();
    hub_->io.stop();
    for (std::thread& thread : threads_) thread.join();
    // What is left in the queue holds connections, and they hold the hub.
    hub_->io.restart();
    hub_->io.poll();
  }

 private:
  void Run() {
    for (bool done = false; !done;) {
      try {
        hub_->io.run();
        done = true;
      } catch (const std::exception&) {
        // Memory that ran out, or of a handler that may not throw: the connection that it was for has gone with it.
      }
    }
  }

  absl::Status Bind() {
    const ListenerOptions& options = hub_->options;
    error_code error;
    const asio::ip::address address = asio::ip::make_address(options.address, error);
    if (error) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", options.address, "' is no IP address to listen on: give one such as 127.0.0.1, 0.0.0.0 or ::"));
    }
    const Tcp::endpoint endpoint(address, options.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(kBacklog, error);
    if (error) {
      return absl::UnavailableError(absl::StrCat("cannot listen on ", options.address, " port ", options.port, ": ",
                                                 error.message(), "; is another process there?"));
    }
    port_ = acceptor_.local_endpoint().port();
    return absl::OkStatus();
  }

  void Accept() {
    if (!acceptor_.is_open()) return;
    acceptor_.async_accept(asio::make_strand(hub_->io), [this](error_code error, Tcp::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
      if (error) {
        // No more files, or memory: those that are open will end. To try again at once would only burn time.
        pause_.expires_after(kAcceptPause);
        return pause_.async_wait([this](error_code stopped) {
          if (!stopped) Accept();
        });
      }
      // First, so that nothing that befalls the new connection ends all accepting.
      Accept();
      Take(std::move(socket));
    });
  }

  void Take(Tcp::socket socket) {
    ++hub_->accepted;
    {
      absl::MutexLock lock(&hub_->mutex);
      if (hub_->connections.size() >= hub_->options.max_connections) {
        ++hub_->refused;
        return;  // closes it
      }
    }
    MakeConnection(hub_, std::move(socket))->Begin();
  }

  // Tells all connections, and waits until there are none.
  bool AwaitNone(void (Connection::*tell)(), absl::Duration timeout) {
    std::vector<std::shared_ptr<Connection>> connections;
    {
      absl::MutexLock lock(&hub_->mutex);
      for (Connection* connection : hub_->connections) connections.push_back(connection->Share());
    }
    for (const auto& connection : connections) {
      if (connection != nullptr) ((*connection).*tell)();
    }
    connections.clear();
    absl::MutexLock lock(&hub_->mutex);
    return hub_->mutex.AwaitWithTimeout(
        absl::Condition(
            +[](Hub* hub) ABSL_NO_THREAD_SAFETY_ANALYSIS { return hub->connections.empty(); }, hub_.get()),
        timeout);
  }

  const std::shared_ptr<Hub> hub_;
  Tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  uint16_t port_ = 0;
  std::vector<std::thread> threads_;
  absl::Mutex stop_mutex_;
  bool stopped_ ABSL_GUARDED_BY(stop_mutex_) = false;
};

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(const ListenerOptions& options, const Router& router,
                                                          std::function<void(const RequestRecord&)> record) {
  auto core = std::make_unique<Core>(options, router, std::move(record));
  NW_RETURN_IF_ERROR(core->Begin());
  return std::unique_ptr<Listener>(new Listener(std::move(core)));
}

Listener::Listener(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Listener::~Listener() = default;
uint16_t Listener::port() const { return core_->port(); }
ListenerStats Listener::stats() const { return core_->stats(); }
void Listener::Stop() { core_->Stop(); }

}  // namespace northwind::server
