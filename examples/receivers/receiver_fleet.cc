// SPDX-License-Identifier: Apache-2.0
//
// The only file that includes Boost: its headers take long to compile. Callbacks rather than coroutines, which Debian 12's clang
// cannot compile with its standard library.

// Every context is run by one thread, so that handlers need no fences between them; ThreadSanitizer does not know fences.
#define BOOST_ASIO_DISABLE_FENCED_BLOCK 1

#include "examples/receivers/receiver_fleet.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/receivers/receiver.h"
#include "northwind/status.h"

namespace northwind::examples {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using Error = boost::system::error_code;
using Timer = asio::steady_timer;

constexpr std::chrono::seconds kDripEvery(1);
constexpr std::chrono::milliseconds kAcceptAgain(10);

// A chunk of an endless body.
const std::string& EndlessChunk() {
  static const std::string* chunk = new std::string("4000\r\n" + std::string(0x4000, '.') + "\r\n");
  return *chunk;
}

std::string Text(const beast::http::fields& fields, beast::string_view name) {
  const beast::string_view value = fields[name];
  return std::string(value.data(), value.size());
}

// One connection: reads requests and answers them, one after the other. Lives as long as something of it is under way.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, std::shared_ptr<Receiver> receiver)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), receiver_(std::move(receiver)) {}

  void Read() {
    parser_.emplace();
    parser_->body_limit(kMaxReceivedBytes);
    beast::http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](Error error, size_t) {
      if (!error) self->Take();  // else the peer is gone, or does not speak HTTP
    });
  }

 private:
  void Take() {
    const auto& request = parser_->get();
    keep_ = request.keep_alive();
    const WebhookHeaders headers{.id = Text(request, "webhook-id"),
                                 .timestamp = Text(request, "webhook-timestamp"),
                                 .signature = Text(request, "webhook-signature")};
    answer_ = receiver_->Take(headers, request.body());
    if (receiver_->delay() <= absl::ZeroDuration()) return React();
    timer_.expires_after(absl::ToChronoNanoseconds(receiver_->delay()));
    timer_.async_wait([self = shared_from_this()](Error error) {
      if (!error) self->React();
    });
  }

  void React() {
    switch (answer_.reaction) {
      case Reaction::kAnswer:
        return Respond();
      case Reaction::kHang:
        return AwaitEnd();
      case Reaction::kDrip:
        out_ = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
        AwaitEnd();
        return Drip(0);
      case Reaction::kReset: {
        Error ignored;
        socket_.set_option(asio::socket_base::linger(true, 0), ignored);
        socket_.close(ignored);
        return;
      }
      case Reaction::kClose:
        return Close();
      case Reaction::kEndless:
        out_ = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        return asio::async_write(socket_, asio::buffer(out_), [self = shared_from_this()](Error error, size_t) {
          if (!error) self->Pour();
        });
    }
  }

  void Respond() {
    out_ = std::move(answer_.head);
    out_ += keep_ ? "\r\n" : "Connection: close\r\n\r\n";
    asio::async_write(socket_, asio::buffer(out_), [self = shared_from_this()](Error error, size_t) {
      if (error) return;
      if (self->keep_) return self->Read();
      self->Close();
    });
  }

  // Reads and throws away until the peer ends the connection; without that, nobody would notice.
  void AwaitEnd() {
    socket_.async_read_some(asio::buffer(thrown_away_), [self = shared_from_this()](Error error, size_t) {
      if (!error) return self->AwaitEnd();
      self->Close();
      self->timer_.cancel();
    });
  }

  void Drip(size_t sent) {
    const char* byte = sent < out_.size() ? &out_[sent] : ".";
    asio::async_write(socket_, asio::buffer(byte, 1), [self = shared_from_this(), sent](Error error, size_t) {
      if (error || !self->socket_.is_open()) return;
      self->timer_.expires_after(kDripEvery);
      self->timer_.async_wait([self, sent](Error stopped) {
        if (!stopped) self->Drip(sent + 1);
      });
    });
  }

  void Pour() {
    asio::async_write(socket_, asio::buffer(EndlessChunk()), [self = shared_from_this()](Error error, size_t) {
      if (!error) self->Pour();
    });
  }

  void Close() {
    Error ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

  tcp::socket socket_;
  Timer timer_;
  const std::shared_ptr<Receiver> receiver_;
  beast::flat_buffer buffer_;
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  bool keep_ = false;
  Answer answer_;
  std::string out_;
  std::array<char, 256> thrown_away_;
};

// Accepts for one receiver.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(tcp::acceptor acceptor, std::shared_ptr<Receiver> receiver)
      : acceptor_(std::move(acceptor)), timer_(acceptor_.get_executor()), receiver_(std::move(receiver)) {}

  void Accept() {
    acceptor_.async_accept([self = shared_from_this()](Error error, tcp::socket socket) {
      if (error) return self->AcceptLater();
      Error ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<Session>(std::move(socket), self->receiver_)->Read();
      self->Accept();
    });
  }

 private:
  // As when there are no descriptors left.
  void AcceptLater() {
    timer_.expires_after(kAcceptAgain);
    timer_.async_wait([self = shared_from_this()](Error error) {
      if (!error) self->Accept();
    });
  }

  tcp::acceptor acceptor_;
  Timer timer_;
  const std::shared_ptr<Receiver> receiver_;
};

// Listens; the port is then known.
absl::StatusOr<tcp::acceptor> Listen(asio::io_context& context, uint16_t port) {
  const tcp::endpoint where(asio::ip::address_v4::loopback(), port);
  tcp::acceptor acceptor(context);
  Error error;
  acceptor.open(where.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(where, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot listen on 127.0.0.1:", port, ": ", error.message()));
  return acceptor;
}

}  // namespace

class ReceiverFleet::Core {
 public:
  explicit Core(const ReceiverFleetOptions& options) : options_(options) {
    for (size_t i = 0; i < options.threads; ++i) {
      contexts_.push_back(std::make_unique<asio::io_context>(1));
      threads_.emplace_back([context = contexts_.back().get()] {
        const auto work = asio::make_work_guard(*context);
        context->run();
      });
    }
  }

  ~Core() { Stop(); }

  absl::StatusOr<std::string> Add(const ReceiverSpec& spec) {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return absl::FailedPreconditionError("the fleet is stopped");
    if (receivers_.contains(spec.name)) return absl::AlreadyExistsError(absl::StrCat("receiver ", spec.name));
    asio::io_context& context = *contexts_[receivers_.size() % contexts_.size()];
    NW_ASSIGN_OR_RETURN(tcp::acceptor acceptor, Listen(context, spec.port));
    Error error;
    const uint16_t port = acceptor.local_endpoint(error).port();
    auto receiver = std::make_shared<Receiver>(spec, options_.seed + receivers_.size(), options_.on_message);
    receivers_.emplace(spec.name, receiver);
    auto listener = std::make_shared<Listener>(std::move(acceptor), std::move(receiver));
    asio::post(context, [listener] { listener->Accept(); });
    return absl::StrCat("http://127.0.0.1:", port, "/", spec.name);
  }

  absl::StatusOr<std::shared_ptr<Receiver>> Find(std::string_view name) const {
    absl::MutexLock lock(&mutex_);
    const auto found = receivers_.find(name);
    if (found == receivers_.end()) return absl::NotFoundError(absl::StrCat("receiver ", std::string(name)));
    return found->second;
  }

  std::map<std::string, ReceiverStats> Stats() const {
    absl::MutexLock lock(&mutex_);
    std::map<std::string, ReceiverStats> stats;
    for (const auto& [name, receiver] : receivers_) stats.emplace(name, receiver->stats());
    return stats;
  }

  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      if (std::exchange(stopped_, true)) return;
    }
    for (const auto& context : contexts_) context->stop();
    for (std::thread& thread : threads_) thread.join();
    contexts_.clear();  // with what waits in them: connections and listeners
  }

 private:
  const ReceiverFleetOptions options_;
  std::vector<std::unique_ptr<asio::io_context>> contexts_;
  std::vector<std::thread> threads_;
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::shared_ptr<Receiver>, std::less<>> receivers_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::unique_ptr<ReceiverFleet>> ReceiverFleet::Start(const ReceiverFleetOptions& options) {
  if (options.threads < 1 || options.threads > 64) return absl::InvalidArgumentError("threads: must be 1 to 64");
  return std::unique_ptr<ReceiverFleet>(new ReceiverFleet(std::make_unique<Core>(options)));
}

ReceiverFleet::ReceiverFleet(std::unique_ptr<Core> core) : core_(std::move(core)) {}
ReceiverFleet::~ReceiverFleet() = default;

absl::StatusOr<std::string> ReceiverFleet::Add(const ReceiverSpec& spec) { return core_->Add(spec); }

absl::Status ReceiverFleet::SetBehaviour(std::string_view name, Behaviour behaviour) {
  NW_ASSIGN_OR_RETURN(const std::shared_ptr<Receiver> receiver, core_->Find(name));
  receiver->SetBehaviour(behaviour);
  return absl::OkStatus();
}

absl::Status ReceiverFleet::SetKeys(std::string_view name, std::vector<std::string> keys) {
  NW_ASSIGN_OR_RETURN(const std::shared_ptr<Receiver> receiver, core_->Find(name));
  receiver->SetKeys(std::move(keys));
  return absl::OkStatus();
}

absl::StatusOr<ReceiverStats> ReceiverFleet::Stats(std::string_view name) const {
  NW_ASSIGN_OR_RETURN(const std::shared_ptr<Receiver> receiver, core_->Find(name));
  return receiver->stats();
}

std::map<std::string, ReceiverStats> ReceiverFleet::Stats() const { return core_->Stats(); }

void ReceiverFleet::Stop() { core_->Stop(); }

}  // namespace northwind::examples
