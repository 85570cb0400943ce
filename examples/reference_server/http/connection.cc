// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/reference_server/http/deadline.h"
#include "examples/reference_server/http/forwarded.h"
#include "examples/reference_server/http/problem.h"
#include "examples/reference_server/http/request_head.h"
#include "examples/reference_server/http/request_id.h"
#include "examples/reference_server/http/response_head.h"
#include "examples/reference_server/http/tls_stream.h"
#include "examples/reference_server/text.h"

namespace northwind::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Socket = asio::ip::tcp::socket;

constexpr size_t kReadPiece = 4096;
constexpr size_t kBodyBuffer = 64 << 10;
// A connection that waits for its next request holds no more than this for it, and as much of its last answer.
constexpr size_t kIdleBuffer = 8 << 10;
// After the last answer, what the peer still sends is read and thrown away for a moment, so that a reset does not take the answer away.
constexpr size_t kMaxLingerBytes = 1 << 20;
constexpr absl::Duration kLinger = absl::Seconds(2);

void Shrink(std::string& text) {
  text.clear();
  if (text.capacity() > kIdleBuffer) std::string().swap(text);
}

template <typename Stream>
class StreamConnection final : public Connection, public std::enable_shared_from_this<StreamConnection<Stream>> {
 public:
  static constexpr bool kTls = !std::is_same_v<Stream, beast::tcp_stream>;

  template <typename... Args>
  StreamConnection(std::shared_ptr<Hub> hub, std::string remote, Args&&... args)
      : hub_(std::move(hub)),
        stream_(std::forward<Args>(args)...),
        deadline_(stream_.get_executor()),
        heartbeat_(stream_.get_executor()),
        buffer_(std::max(hub_->options.max_header, kBodyBuffer)),
        peer_(std::move(remote)) {
    absl::MutexLock lock(&hub_->mutex);
    hub_->connections.insert(this);
  }
  ~StreamConnection() override {
    if (counted_) --hub_->in_flight;
    LetBodyGo();
    if (events_ != nullptr) {
      events_->Close();
      --hub_->streams;
    }
    Forget();
  }

  std::shared_ptr<Connection> Share() override { return this->weak_from_this().lock(); }
  void Begin() override {
    Post([](StreamConnection& c) {
      c.deadline_.OnLate(c.weak_from_this(), [connection = &c] { connection->TimeOut(); });
      c.Handshake();
    });
  }
  void Drain() override {
    Post([](StreamConnection& c) {
      if (c.idle_) c.Close();
      if (c.events_ != nullptr) c.events_->Close();
    });
  }
  void Cut() override {
    Post([](StreamConnection& c) { c.Close(); });
  }

 private:
  using Self = std::shared_ptr<StreamConnection>;
  using Step = void (StreamConnection::*)();
  // What follows when all is written.
  enum class After : uint8_t { kNext, kReadBody, kPiece, kPump, kEnd };

  Self self() { return this->shared_from_this(); }

  template <typename Function>
  void Post(Function function) {
    if (Self connection = this->weak_from_this().lock()) {
      asio::post(stream_.get_executor(),
                 [connection, function = std::move(function)]() mutable { function(*connection); });
    }
  }

  // ---- Deadlines

  // Of the step that begins now.
  void SetDeadline(absl::Duration duration) {
    timed_out_ = false;
    deadline_.Set(duration);
  }

  // What is under way is told `aborted`: reading a request is then refused with a word, anything else is the end.
  void TimeOut() {
    if (idle_ || writing_ || ending_) return Close();
    timed_out_ = true;
    error_code error;
    stream_.socket().cancel(error);
  }

  // ---- Reading

  void Handshake() {
    if constexpr (kTls) {
      SetDeadline(hub_->options.header_timeout);
      stream_.async_handshake([c = self()](error_code error, size_t /*nothing*/) {
        if (error) return c->Close();
        c->ReadFirst();
      });
    } else {
      ReadFirst();
    }
  }

  void ReadFirst() {
    if (closed_) return;
    if (hub_->draining) return Close();
    if (buffer_.size() > 0) return ReadHead();
    if (buffer_.capacity() > kIdleBuffer) buffer_.shrink_to_fit();
    idle_ = true;
    SetDeadline(hub_->options.idle_timeout);
    ReadMore([](StreamConnection& c) { c.ReadHead(); });
  }

  template <typename Then>
  void ReadMore(Then then) {
    const size_t room = buffer_.max_size() - buffer_.size();
    stream_.async_read_some(buffer_.prepare(std::min(kReadPiece, room)),
                            [c = self(), then](error_code error, size_t bytes) {
                              if (c->timed_out_ && !c->idle_) return c->Refuse(TimedOut());
                              if (error) return c->Close();
                              c->buffer_.commit(bytes);
                              then(*c);
                            });
  }

  void ReadHead() {
    idle_ = false;
    SetDeadline(hub_->options.header_timeout);
    received_at_ = absl::Now();
    LookForHead();
  }

  void LookForHead() {
    request_ = Request{};
    request_.id = NewRequestId();
    request_.received_at = received_at_;
    // One empty line before a request is what some clients leave behind (RFC 9112, 2.2).
    if (Text().substr(0, 2) == "\r\n") buffer_.consume(2);
    size_t length = 0;
    switch (FindHeadEnd(Text().substr(0, hub_->options.max_header), &length)) {
      case HeadEnd::kFound:
        return TakeHead(length);
      case HeadEnd::kBad:
        return Refuse({.status = 400, .code = "bad_request", .detail = "A line must end in CR LF."});
      case HeadEnd::kMore:
        break;
    }
    if (buffer_.size() >= hub_->options.max_header) {
      return Refuse({.status = 431, .code = "header_too_large", .detail = "The head is too large."});
    }
    ReadMore([](StreamConnection& c) { c.LookForHead(); });
  }

  void TakeHead(size_t length) {
    request_.remote = peer_;
    request_.tls = kTls;
    if (auto problem = CheckRawHead(Text().substr(0, length))) return Refuse(*std::move(problem));
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(hub_->options.max_header));
    parser_->body_limit(
        std::numeric_limits<uint64_t>::max());  // as the route says, below; `none` refuses any in Boost 1.74
    error_code error;
    parser_->put(asio::const_buffer(buffer_.data().data(), length), error);
    if (error || !parser_->is_header_done()) {
      return Refuse({.status = 400, .code = "bad_request", .detail = "That is no request of HTTP."});
    }
    buffer_.consume(length);
    bool known_method = false;
    if (auto problem = server::ReadHead(*parser_, &request_, &known_method)) return Refuse(*std::move(problem));
    http11_ = parser_->get().version() == 11;
    keep_alive_ = http11_ && parser_->keep_alive();
    if (!known_method) {
      return Refuse({.status = 501, .code = "not_implemented", .detail = "There is no such method here."});
    }
    request_.remote = ClientAddress(request_, peer_, hub_->options.trusted_proxies);
    PrepareBody();
  }

  void PrepareBody() {
    const Route* route = hub_->router.Find(request_, nullptr);
    const size_t small = hub_->options.small_body;
    const size_t max_body = route == nullptr ? small : route->max_body;
    body_of_.clear();
    const auto length = parser_->content_length();
    if (length.has_value() && *length > max_body) return Refuse(BodyTooLarge());
    if (max_body > small && (parser_->chunked() || length.value_or(0) > small)) {
      if (std::optional<Response> refusal = hub_->router.RefuseLargeBody(*route, request_, &body_of_)) {
        refusal->route = route->name;
        return RefuseWith(*std::move(refusal));
      }
    }
    parser_->body_limit(max_body);
    if (parser_->is_done()) return Ask();
    if (http11_ && absl::EqualsIgnoreCase(ToAbsl(request_.field("Expect").value_or("")), "100-continue")) {
      out_ = "HTTP/1.1 100 Continue\r\n\r\n";
      return Write(After::kReadBody);
    }
    ReadBody();
  }

  void ReadBody() {
    SetDeadline(hub_->options.body_timeout);
    parser_->eager(true);
    ReadBodyPiece();
  }

  void ReadBodyPiece() {
    http::async_read_some(stream_, buffer_, *parser_, [c = self()](error_code error, size_t /*bytes*/) {
      if (!error) return c->TakeBodyPiece();
      if (error == http::error::body_limit) return c->Refuse(BodyTooLarge());
      if (c->timed_out_) return c->Refuse(TimedOut());
      if (error == http::error::partial_message || error == http::error::end_of_stream ||
          error.category() == asio::error::get_system_category() ||
          error.category() == asio::error::get_misc_category()) {
        return c->Close();
      }
      c->Refuse({.status = 400, .code = "bad_request", .detail = "The body is not framed as HTTP/1.1 wants it."});
    });
  }

  void TakeBodyPiece() {
    if (!HoldBody(parser_->get().body().size())) {
      return Refuse({.status = 503,
                     .code = "busy",
                     .detail = "There is no room for more bodies now.",
                     .retry_after = absl::Seconds(1)});
    }
    if (parser_->is_done()) return Ask();
    ReadBodyPiece();
  }

  // Of Hub::body_bytes, so many in all, and so many of one caller. What has come counts, not what was announced: nobody takes the room of
  // others by a number in a head.
  bool HoldBody(size_t bytes) {
    if (bytes <= hub_->options.small_body) return true;
    const size_t more = bytes - body_held_;
    absl::MutexLock lock(&hub_->bodies_mutex);
    size_t& callers = hub_->bodies_of[body_of_];
    if (callers + more > hub_->options.max_body_bytes_of_caller ||
        hub_->body_bytes + more > hub_->options.max_body_bytes) {
      if (callers == 0) hub_->bodies_of.erase(body_of_);
      return false;
    }
    callers += more;
    hub_->body_bytes += more;
    body_held_ = bytes;
    return true;
  }
  void LetBodyGo() {
    const size_t held = std::exchange(body_held_, 0);
    if (held == 0) return;
    absl::MutexLock lock(&hub_->bodies_mutex);
    hub_->body_bytes -= held;
    const auto callers = hub_->bodies_of.find(body_of_);
    callers->second -= held;
    if (callers->second == 0) hub_->bodies_of.erase(callers);
  }

  // ---- Answering

  void Ask() {
    deadline_.Clear();  // a handler takes as long as it takes
    Request request = std::move(request_);
    request.body = std::move(parser_->get().body());
    parser_.reset();
    // What the answer and its record need; the handler has the rest.
    request_ = Request{.method = request.method, .path = request.path, .remote = request.remote, .id = request.id};
    request_.received_at = request.received_at;
    if (hub_->in_flight.fetch_add(1) >= hub_->options.max_in_flight) {
      counted_ = true;
      return Answer(AsResponse({.status = 503,
                                .code = "busy",
                                .detail = "There are too many requests under way.",
                                .retry_after = absl::Seconds(1)},
                               request_));
    }
    counted_ = true;
    hub_->router.Answer(
        std::move(request), [this](std::function<void()> work) { asio::post(hub_->pool, std::move(work)); },
        [c = self()](Response response) {
          absl::ReaderMutexLock lock(&c->hub_->end_mutex);
          if (c->hub_->ended) return;
          c->Post([response = std::move(response)](StreamConnection& connection) mutable {
            connection.Answer(std::move(response));
          });
        });
  }

  // Answers what is no request, or one that is not let in, and ends the connection: nobody knows where the next one would begin.
  void Refuse(const Problem& problem) {
    if (!closed_) RefuseWith(AsResponse(problem, request_));
  }
  void RefuseWith(Response response) {
    parser_.reset();
    keep_alive_ = false;
    Answer(std::move(response));
  }

  void Answer(Response response) {
    if (std::exchange(counted_, false)) --hub_->in_flight;
    LetBodyGo();
    if (closed_) return;
    const bool has_body = response.status != 204 && response.status != 304 && !response.content_type.empty();
    const bool sends_body = has_body && request_.method != Method::kHead;
    const bool in_pieces = response.pull != nullptr || response.stream != nullptr;
    Framing framing = Framing::kNone;
    if (has_body) framing = !in_pieces ? Framing::kLength : http11_ ? Framing::kChunked : Framing::kClose;
    if (!has_body && response.status != 204 && response.status != 304) framing = Framing::kLength;
    const bool keep = keep_alive_ && !hub_->draining && framing != Framing::kClose && response.stream == nullptr;
    std::optional<std::string> head = ResponseHead(response, request_, framing, keep);
    if (!head.has_value()) {
      return Answer(
          AsResponse({.status = 500, .code = "internal", .detail = "The answer could not be sent."}, request_));
    }
    keep_alive_ = keep;
    chunked_ = framing == Framing::kChunked;
    Record(response);
    out_ = *std::move(head);
    After after = keep ? After::kNext : After::kEnd;
    if (sends_body && response.stream != nullptr) {
      events_ = std::move(response.stream);
      after = After::kPump;
    } else if (sends_body && response.pull != nullptr) {
      pull_ = std::move(response.pull);
      after = After::kPiece;
    } else if (sends_body) {
      out_.append(response.body);
    }
    if (response.stream != nullptr) response.stream->Close();  // of a HEAD
    if (events_ != nullptr) BeginEvents();
    Write(after);
  }

  void Record(const Response& response) {
    if (!hub_->record) return;
    hub_->record({.request = request_,
                  .route = response.route,
                  .caller = response.caller,
                  .status = response.status,
                  .bytes = response.body.size(),
                  .took = absl::Now() - request_.received_at,
                  .cause = response.cause});
  }

  // ---- Writing

  void Write(After after) {
    after_ = after;
    written_ = 0;
    writing_ = true;
    WriteMore();
  }

  void WriteMore() {
    SetDeadline(hub_->options.write_timeout);
    stream_.async_write_some(asio::buffer(out_) + written_, [c = self()](error_code error, size_t bytes) {
      if (error) return c->Close();
      c->written_ += bytes;
      if (c->written_ < c->out_.size()) return c->WriteMore();
      c->Written();
    });
  }

  void Written() {
    writing_ = false;
    deadline_.Clear();
    Shrink(out_);
    if (closed_) return;
    switch (after_) {
      case After::kNext:
        return ReadFirst();
      case After::kReadBody:
        return ReadBody();
      case After::kPiece:
        return AskForPiece();
      case After::kPump:
        return Pump();
      case After::kEnd:
        return End();
    }
  }

  void WritePiece(std::string piece, After after) {
    out_ = chunked_ ? absl::StrCat(absl::Hex(piece.size()), "\r\n", piece, "\r\n") : std::move(piece);
    Write(after);
  }

  void WriteLast() {
    after_ = keep_alive_ ? After::kNext : After::kEnd;
    out_ = chunked_ ? "0\r\n\r\n" : "";
    if (out_.empty()) return Written();
    Write(after_);
  }

  void AskForPiece() {
    asio::post(hub_->pool, [c = self()] {
      absl::StatusOr<std::string> piece;
      try {
        piece = c->pull_();
      } catch (const std::exception&) {
        // Of a library below, such as memory that ran out.
        piece = absl::InternalError("exception");
      }
      c->Post([piece = std::move(piece)](StreamConnection& connection) mutable {
        if (!piece.ok()) return connection.Abort();
        if (!piece->empty()) return connection.WritePiece(*std::move(piece), After::kPiece);
        connection.pull_ = nullptr;
        connection.WriteLast();
      });
    });
  }

  // ---- Events

  void BeginEvents() {
    ++hub_->streams;
    buffer_.consume(buffer_.size());
    buffer_.shrink_to_fit();
    request_.fields.clear();
    WatchPeer();
    Beat();
  }

  // Nothing is expected of the peer any more but that it goes.
  void WatchPeer() {
    stream_.async_read_some(asio::buffer(thrown_away_), [c = self()](error_code error, size_t /*bytes*/) {
      if (error) return c->Close();
      c->WatchPeer();
    });
  }

  void Beat() {
    heartbeat_.expires_after(absl::ToChronoNanoseconds(hub_->options.stream_heartbeat));
    heartbeat_.async_wait([weak = this->weak_from_this()](error_code error) {
      const Self c = weak.lock();
      if (error || c == nullptr || c->closed_ || c->events_ == nullptr) return;
      c->events_->Put(":\n\n");
      c->Beat();
    });
  }

  void Pump() {
    if (writing_ || closed_) return;
    std::string text = events_->Take();
    if (!text.empty()) return WritePiece(std::move(text), After::kPump);
    if (events_->closed()) return WriteLast();
    events_->OnReady([weak = this->weak_from_this()] {
      const Self c = weak.lock();
      if (c == nullptr) return;
      absl::ReaderMutexLock lock(&c->hub_->end_mutex);
      if (!c->hub_->ended) c->Post([](StreamConnection& connection) { connection.Pump(); });
    });
  }

  // ---- Ending

  void End() {
    ending_ = true;
    SetDeadline(kLinger);
    if constexpr (kTls) stream_.SayGoodbye();
    error_code error;
    stream_.socket().shutdown(Socket::shutdown_send, error);
    if (events_ != nullptr) return;  // WatchPeer reads on, until the deadline
    ThrowAway(0);
  }

  void ThrowAway(size_t before) {
    buffer_.consume(buffer_.size());
    stream_.socket().async_read_some(buffer_.prepare(kReadPiece), [c = self(), before](error_code error, size_t bytes) {
      if (error || before + bytes > kMaxLingerBytes) return c->Close();
      c->ThrowAway(before + bytes);
    });
  }

  // Without the last chunk or, for HTTP/1.0, with a reset: the reader sees that it is not whole.
  void Abort() {
    error_code error;
    if (!chunked_) stream_.socket().set_option(Socket::linger(true, 0), error);
    Close();
  }

  // Not at the end of the object only: whoever has not answered yet still holds it.
  void Forget() {
    absl::MutexLock lock(&hub_->mutex);
    hub_->connections.erase(this);
  }

  void Close() {
    if (std::exchange(closed_, true)) return;
    Forget();
    heartbeat_.cancel();
    deadline_.Stop();
    if (events_ != nullptr) events_->Close();
    error_code error;
    stream_.socket().close(error);
  }

  // ---- Small things

  std::string_view Text() const { return {static_cast<const char*>(buffer_.data().data()), buffer_.size()}; }
  static Problem TimedOut() {
    return {.status = 408, .code = "request_timeout", .detail = "The request did not come in time."};
  }
  static Problem BodyTooLarge() {
    return {.status = 413, .code = "body_too_large", .detail = "The body is larger than this takes."};
  }

  const std::shared_ptr<Hub> hub_;
  Stream stream_;
  Deadline deadline_;
  asio::steady_timer heartbeat_;
  beast::flat_buffer buffer_;
  const std::string peer_;
  std::optional<RequestParser> parser_;
  Request request_;
  absl::Time received_at_;
  bool idle_ = false;
  bool ending_ = false;
  bool timed_out_ = false;
  bool closed_ = false;
  bool counted_ = false;  // in Hub::in_flight
  size_t body_held_ = 0;  // of Hub::body_bytes …
  std::string body_of_;   // … and of this caller's; empty of routes that are anybody's
  bool keep_alive_ = false;
  bool http11_ = true;
  bool chunked_ = false;
  bool writing_ = false;
  After after_ = After::kNext;
  std::string out_;
  size_t written_ = 0;
  std::function<absl::StatusOr<std::string>()> pull_;
  std::shared_ptr<EventStream> events_;
  std::array<char, 64> thrown_away_{};
};

}  // namespace

std::shared_ptr<Connection> MakeConnection(std::shared_ptr<Hub> hub, Socket socket) {
  error_code error;
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  const auto endpoint = socket.remote_endpoint(error);
  std::string remote = error ? std::string() : AddressText(endpoint.address());
  if (hub->tls != nullptr) {
    SSL_CTX* const tls = hub->tls->native_handle();
    return std::make_shared<StreamConnection<TlsStream>>(std::move(hub), std::move(remote), std::move(socket), tls);
  }
  return std::make_shared<StreamConnection<beast::tcp_stream>>(std::move(hub), std::move(remote), std::move(socket));
}

}  // namespace northwind::server
