// SPDX-License-Identifier: Apache-2.0
#include "bench/event_load.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>

namespace northwind::bench {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;
using Tcp = asio::ip::tcp;

constexpr size_t kPiece = 16 << 10;

uint64_t UnitsOf(uint64_t number) { return 1'000 + number % 90'000; }
uint64_t FeeOf(uint64_t number) { return 30 + number % 900; }

void AppendEvent(std::string& text, uint64_t number) {
  std::array<char, 512> event;
  const auto n = static_cast<unsigned long long>(number);
  const int size = std::snprintf(
      event.data(), event.size(),
      R"({"type":"PAYMENT_CAPTURED","payment_id":"pay_%010llu","merchant_id":"m_%llu","occurred_at":"2026-07-01T12:00:00.%09lluZ",)"
      R"("amount":{"asset":"USD/2","units":"%llu"},"fee":{"asset":"USD/2","units":"%llu"},)"
      R"("metadata":{"order_id":"order-2026-%010llu","channel":"web"}})",
      n, n % kLoadMerchants, n, static_cast<unsigned long long>(UnitsOf(number)),
      static_cast<unsigned long long>(FeeOf(number)), n);
  text.append(event.data(), static_cast<size_t>(size));
}

uint64_t CountOf(std::string_view text, std::string_view word) {
  uint64_t count = 0;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + word.size())) ++count;
  return count;
}

[[noreturn]] void Fail(std::string_view what, std::string_view answer) {
  std::fprintf(stderr, "%.*s:\n%.*s\n", static_cast<int>(what.size()), what.data(), static_cast<int>(answer.size()),
               answer.data());
  std::abort();
}

// One request at a time; `answered` is told when its answer is whole.
class Poster {
 public:
  Poster(asio::io_context& io, uint16_t port, const std::string& key, std::function<void(Poster&)> answered)
      : socket_(io),
        answered_(std::move(answered)),
        head_("POST /v1/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " + key +
              "\r\nContent-Type: application/json\r\nContent-Length: ") {
    socket_.connect({asio::ip::address_v4::loopback(), port});
    socket_.set_option(Tcp::no_delay(true));
  }

  void Send(uint64_t first, uint64_t count, SteadyClock::time_point due) {
    due_ = due;
    std::string body(1, '[');
    for (uint64_t i = first; i < first + count; ++i) {
      if (i != first) body.push_back(',');
      AppendEvent(body, i);
    }
    body.push_back(']');
    out_ = head_ + std::to_string(body.size()) + "\r\n\r\n" + body;
    in_.clear();
    asio::async_write(socket_, asio::buffer(out_), [this](error_code error, size_t) {
      if (error) Fail("a request could not be sent", error.message());
      Read();
    });
  }

  SteadyClock::time_point due() const { return due_; }
  const std::string& answer() const { return in_; }

 private:
  void Read() {
    socket_.async_read_some(asio::buffer(piece_), [this](error_code error, size_t bytes) {
      if (error) Fail("a connection has ended", error.message());
      in_.append(piece_.data(), bytes);
      if (Whole()) return answered_(*this);
      Read();
    });
  }

  bool Whole() const {
    const size_t head = in_.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    const size_t length = in_.find(kLength);
    if (length == std::string::npos || length > head) Fail("an answer without a length", in_);
    return in_.size() == head + 4 + std::strtoull(in_.c_str() + length + kLength.size(), nullptr, 10);
  }

  Tcp::socket socket_;
  const std::function<void(Poster&)> answered_;
  const std::string head_;
  SteadyClock::time_point due_;
  std::string out_;
  std::string in_;
  std::array<char, kPiece> piece_;
};

class Load {
 public:
  explicit Load(const EventLoadOptions& options) : options_(options), timer_(io_) {
    for (uint64_t i = 0; i < options.connections; ++i) {
      posters_.push_back(std::make_unique<Poster>(io_, options.port, options.keys[i % options.keys.size()],
                                                  [this](Poster& poster) { Take(poster); }));
      idle_.push_back(posters_.back().get());
    }
  }

  EventLoadResult Run() {
    start_ = SteadyClock::now();
    SendDue();
    io_.run();
    result_.seconds = std::chrono::duration<double>(SteadyClock::now() - start_).count();
    if (result_.milliseconds.size() != sent_ || MaySend()) Fail("requests were not answered", "");
    const uint64_t end = options_.first_event + sent_ * options_.events_a_request;
    for (uint64_t i = options_.first_event; i < end; ++i) result_.units += UnitsOf(i) - FeeOf(i);
    return std::move(result_);
  }

 private:
  bool MaySend() const {
    return options_.while_true == nullptr ? sent_ < options_.requests : sent_ == 0 || options_.while_true->load();
  }

  SteadyClock::time_point DueAt(uint64_t request) const {
    if (options_.rate <= 0) return SteadyClock::now();
    return start_ + std::chrono::duration_cast<SteadyClock::duration>(
                        std::chrono::duration<double>(static_cast<double>(request) / options_.rate));
  }

  // What is due and has a connection. What has none goes with the next that is free, and its time runs.
  void SendDue() {
    while (MaySend() && !idle_.empty()) {
      const SteadyClock::time_point due = DueAt(sent_);
      if (due > SteadyClock::now()) return Wait(due);
      Poster* const poster = idle_.front();
      idle_.pop_front();
      poster->Send(options_.first_event + sent_ * options_.events_a_request, options_.events_a_request, due);
      ++sent_;
    }
  }

  void Wait(SteadyClock::time_point due) {
    if (waiting_) return;
    waiting_ = true;
    timer_.expires_at(due);
    timer_.async_wait([this](error_code) {
      waiting_ = false;
      SendDue();
    });
  }

  void Take(Poster& poster) {
    result_.milliseconds.push_back(
        std::chrono::duration<double, std::milli>(SteadyClock::now() - poster.due()).count());
    if (!poster.answer().starts_with("HTTP/1.1 202 ")) Fail("an answer is not 202", poster.answer());
    const uint64_t applied = CountOf(poster.answer(), R"("status":"applied")");
    if (applied != options_.events_a_request) Fail("not all events were applied", poster.answer());
    result_.acknowledged += applied;
    idle_.push_back(&poster);
    SendDue();
  }

  const EventLoadOptions& options_;
  asio::io_context io_{1};
  asio::steady_timer timer_;
  bool waiting_ = false;
  std::vector<std::unique_ptr<Poster>> posters_;
  std::deque<Poster*> idle_;
  SteadyClock::time_point start_;
  uint64_t sent_ = 0;
  EventLoadResult result_;
};

}  // namespace

EventLoadResult PostEvents(const EventLoadOptions& options) { return Load(options).Run(); }

}  // namespace northwind::bench
