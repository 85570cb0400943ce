// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "tests/server/http/fake_authenticator.h"
#include "tests/server/http/raw_client.h"
#include "tests/support/status_matchers.h"

namespace northwind::server {
namespace {

using ::northwind::testing::FakeAuthenticator;
using ::northwind::testing::RawAnswer;
using ::northwind::testing::RawClient;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() {
    Add(Method::kPost, "/echo", [](const Request& request, const Caller&) {
      return Response{.content_type = "text/plain", .body = request.body};
    });
    Add(Method::kGet, "/remote", [](const Request& request, const Caller&) {
      return Response{.content_type = "text/plain", .body = request.remote};
    });
    Add(Method::kGet, "/query", [](const Request& request, const Caller&) {
      std::string body;
      for (const auto& [name, value] : request.query) body += "[" + name + "=" + value + "]";
      return Response{.content_type = "text/plain", .body = body};
    });
    Add(Method::kGet, "/nothing", [](const Request&, const Caller&) { return Response{.status = 204}; });
    Add(Method::kGet, "/pieces", [](const Request&, const Caller&) {
      Response response{.content_type = "text/plain"};
      response.pull = [n = 0]() mutable -> absl::StatusOr<std::string> {
        return ++n <= 3 ? std::string(static_cast<size_t>(n), 'x') : std::string();
      };
      return response;
    });
    Add(Method::kGet, "/broken", [](const Request&, const Caller&) {
      Response response{.content_type = "text/plain"};
      response.pull = [n = 0]() mutable -> absl::StatusOr<std::string> {
        if (++n == 1) return std::string("begun");
        return absl::DataLossError("damaged");
      };
      return response;
    });
    Add(Method::kGet, "/split", [](const Request&, const Caller&) {
      return Response{.fields = {{"X-Name", "a\r\nSet-Cookie: b"}}, .body = "{}"};
    });
    Add(Method::kGet, "/events", [this](const Request&, const Caller&) {
      Response response{.content_type = "text/event-stream"};
      response.stream = std::make_shared<EventStream>();
      absl::MutexLock lock(&mutex_);
      streams_.push_back(response.stream);
      return response;
    });
    Route waits{.pattern = "/waits", .name = "/waits", .scope = Scope::kPublic};
    waits.async_handler = [this](const Request&, const Caller&, Respond respond) {
      absl::MutexLock lock(&mutex_);
      waiting_.push_back(std::move(respond));
    };
    router_.Add(std::move(waits));
  }

  void Add(Method method, std::string pattern, Handler handler) {
    Route route{.method = method, .pattern = pattern, .name = pattern, .scope = Scope::kPublic, .max_body = 1000};
    route.handler = std::move(handler);
    router_.Add(std::move(route));
  }

  void Start(ListenerOptions options = {}) {
    auto listener = Listener::Start(options, router_, [this](const RequestRecord& record) {
      absl::MutexLock lock(&mutex_);
      records_.push_back(std::to_string(record.status) + " " + std::string(record.route));
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  std::shared_ptr<EventStream> StreamOf(size_t index) {
    absl::MutexLock lock(&mutex_);
    while (streams_.size() <= index) changed_.WaitWithTimeout(&mutex_, absl::Milliseconds(1));
    return streams_[index];
  }
  Respond Waiting() {
    absl::MutexLock lock(&mutex_);
    while (waiting_.empty()) changed_.WaitWithTimeout(&mutex_, absl::Milliseconds(1));
    Respond respond = std::move(waiting_.back());
    waiting_.pop_back();
    return respond;
  }
  RawClient Connect() const { return RawClient(listener_->port()); }

  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::vector<std::shared_ptr<EventStream>> streams_ ABSL_GUARDED_BY(mutex_);
  std::vector<Respond> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> records_ ABSL_GUARDED_BY(mutex_);
  FakeAuthenticator auth_;
  Router router_{auth_};
  std::unique_ptr<Listener> listener_;
};

std::string Post(const std::string& body) {
  return "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_F(ListenerTest, AnswersManyRequestsOnOneConnection) {
  Start();
  RawClient client(listener_->port());
  for (const std::string body : {"one", "", "three"}) {
    ASSERT_TRUE(client.Send(Post(body)));
    const RawAnswer answer = client.Answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, body);
    EXPECT_THAT(answer.head, HasSubstr("X-Request-Id: req_"));
    EXPECT_THAT(answer.head, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
    EXPECT_THAT(answer.head, HasSubstr("Cache-Control: no-store\r\n"));
  }
}

TEST_F(ListenerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  RawClient client(listener_->port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += Post(std::to_string(i));
  ASSERT_TRUE(client.Send(all));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.Answer().body, std::to_string(i));
}

TEST_F(ListenerTest, TakesARequestInPiecesOfAByte) {
  Start();
  RawClient client(listener_->port());
  for (const char c : Post("slowly")) ASSERT_TRUE(client.Send(std::string(1, c)));
  EXPECT_EQ(client.Answer().body, "slowly");
}

TEST_F(ListenerTest, TakesChunksAndExpectations) {
  Start();
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n"));
  EXPECT_EQ(client.Answer().body, "abcde");
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.Answer().status, 100);
  ASSERT_TRUE(client.Send("ok"));
  EXPECT_EQ(client.Answer().body, "ok");
}

TEST_F(ListenerTest, DecodesTheQuery) {
  Start();
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("GET /query?a=1&b=x%20y+z&&c&d=%3D HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(client.Answer().body, "[a=1][b=x y z][c=][d==]");
}

TEST_F(ListenerTest, HeadAndNoContentHaveNoBody) {
  Start();
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("HEAD /query?a=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" +
                          Post("next")));
  const RawAnswer head = client.Answer(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_THAT(head.head, HasSubstr("Content-Length: 5\r\n"));
  const RawAnswer nothing = client.Answer();
  EXPECT_EQ(nothing.status, 204);
  EXPECT_EQ(nothing.head.find("Content-Length"), std::string::npos);
  EXPECT_EQ(client.Answer().body, "next");
}

TEST_F(ListenerTest, SendsABodyInPieces) {
  Start();
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n" + Post("next")));
  EXPECT_THAT(client.Answer().head, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_EQ(client.Until("0\r\n\r\n"), "1\r\nx\r\n2\r\nxx\r\n3\r\nxxx\r\n0\r\n\r\n");
  EXPECT_EQ(client.Answer().body, "next");
  RawClient old(listener_->port());
  ASSERT_TRUE(old.Send("GET /pieces HTTP/1.0\r\n\r\n"));
  old.Answer();
  EXPECT_EQ(old.Rest(), "xxxxxx") << "HTTP/1.0 has no chunks: the end is the end of the connection";
}

TEST_F(ListenerTest, ABodyThatBreaksIsNotEnded) {
  Start();
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n"));
  client.Answer();
  EXPECT_EQ(client.Rest(), "5\r\nbegun\r\n");
}

TEST_F(ListenerTest, AFieldCannotBecomeAnotherAnswer) {
  Start();
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("GET /split HTTP/1.1\r\nHost: x\r\n\r\n"));
  const RawAnswer answer = client.Answer();
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.head.find("Set-Cookie"), std::string::npos);
}

TEST_F(ListenerTest, BoundsHeadAndBody) {
  Start({.max_header = 1000});
  const auto status = [&](const std::string& request) {
    RawClient client(listener_->port());
    client.Send(request);
    const int answered = client.Answer().status;
    client.Rest();
    EXPECT_TRUE(client.closed());
    return answered;
  };
  EXPECT_EQ(status("GET /query HTTP/1.1\r\nHost: x\r\nA: " + std::string(1000, 'a') + "\r\n\r\n"), 431);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"), 413);
  EXPECT_EQ(
      status("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'b')),
      413);
}

TEST_F(ListenerTest, ASlowPeerIsLeft) {
  Start({.header_timeout = absl::Milliseconds(50),
         .body_timeout = absl::Milliseconds(50),
         .idle_timeout = absl::Milliseconds(50)});
  RawClient head(listener_->port());
  ASSERT_TRUE(head.Send("GET /query HT"));
  EXPECT_EQ(head.Answer().status, 408);
  RawClient body(listener_->port());
  ASSERT_TRUE(body.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"));
  EXPECT_EQ(body.Answer().status, 408);
  RawClient idle(listener_->port());
  EXPECT_EQ(idle.Rest(), "") << "nothing was asked: nothing is answered";
  EXPECT_TRUE(idle.closed());
}

// Bytes that come, but never the last of them, put no deadline off.
TEST_F(ListenerTest, APeerThatDripsIsLeft) {
  Start({.header_timeout = absl::Milliseconds(50), .body_timeout = absl::Milliseconds(50)});
  const std::pair<std::string, std::string> drips[] = {
      {"GET /query HTTP/1.1\r\nHost: x\r\n", "A: b\r\n"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "a"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", "a"},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n"},
  };
  for (const auto& [begin, drip] : drips) {
    RawClient client(listener_->port());
    ASSERT_TRUE(client.Send(begin));
    std::thread dripping([&, drip = drip] {
      // At most as many as a head or a body may have: more would be refused for that.
      for (int i = 0; i < 50 && client.Send(drip); ++i) absl::SleepFor(absl::Milliseconds(2));
    });
    EXPECT_EQ(client.Answer().status, 408) << begin;
    dripping.join();
  }
}

TEST_F(ListenerTest, APeerThatDoesNotReadIsLeft) {
  Route route{.pattern = "/endless", .name = "/endless", .scope = Scope::kPublic};
  route.handler = [](const Request&, const Caller&) {
    Response response{.content_type = "text/plain"};
    response.pull = []() -> absl::StatusOr<std::string> { return std::string(1 << 20, 'x'); };
    return response;
  };
  router_.Add(std::move(route));
  Start({.write_timeout = absl::Milliseconds(100)});
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"));
  absl::MutexLock lock(&mutex_);
  while (listener_->stats().accepted == 0 || listener_->stats().connections != 0) {
    changed_.WaitWithTimeout(&mutex_, absl::Milliseconds(1));
  }
}

// Whoever may not ask is not read for megabytes to be told so.
TEST_F(ListenerTest, ALargeBodyIsReadOfThoseOnlyWhoMaySendIt) {
  auth_.callers["writer"] = {Caller::Kind::kKey, "key_1", "key:writer", {Scope::kEventsWrite}, ""};
  auth_.callers["reader"] = {Caller::Kind::kKey, "key_2", "key:reader", {Scope::kMerchantRead}, ""};
  Route route{.method = Method::kPost,
              .pattern = "/large",
              .name = "large",
              .scope = Scope::kEventsWrite,
              .max_body = 1 << 20,
              .handler = [](const Request& request, const Caller&) {
                return Response{.content_type = "text/plain", .body = std::to_string(request.body.size())};
              }};
  router_.Add(std::move(route));
  Start();
  const auto head = [](const std::string& credential, const std::string& framing) {
    return "POST /large HTTP/1.1\r\nHost: x\r\n" + credential + framing + "\r\n\r\n";
  };
  for (const std::string framing : {"Content-Length: 1000000", "Transfer-Encoding: chunked"}) {
    for (const auto& [credential, status] :
         {std::pair<std::string, int>{"", 401}, {"Authorization: bad\r\n", 401}, {"Authorization: reader\r\n", 403}}) {
      RawClient client(listener_->port());
      ASSERT_TRUE(client.Send(head(credential, framing)));
      const RawAnswer answer = client.Answer();
      EXPECT_EQ(answer.status, status) << credential << framing;
      EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
    }
  }
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send(head("Authorization: writer\r\n", "Content-Length: 1000000") + std::string(1'000'000, 'x')));
  EXPECT_EQ(client.Answer().body, "1000000");
}

TEST_F(ListenerTest, HowLongAnAnswerIsIsNoHandlersBusiness) {
  Add(Method::kGet, "/liar", [](const Request&, const Caller&) {
    return Response{.fields = {{"Content-Length", "1"}, {"transfer-encoding", "chunked"}, {"Connection", "x"}},
                    .body = "{}"};
  });
  Add(Method::kGet, "/nameless", [](const Request&, const Caller&) { return Response{.fields = {{"A: b", "c"}}}; });
  Start();
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("GET /liar HTTP/1.1\r\nHost: x\r\n\r\nGET /nameless HTTP/1.1\r\nHost: x\r\n\r\n"));
  const RawAnswer answer = client.Answer();
  EXPECT_EQ(answer.body, "{}");
  EXPECT_EQ(answer.head.find("ransfer-"), std::string::npos);
  EXPECT_EQ(answer.head.find("Connection"), std::string::npos);
  EXPECT_EQ(client.Answer().status, 500);
}

TEST_F(ListenerTest, WhatThrowsEndsItsConnectionOnly) {
  Add(Method::kGet, "/throws-later", [](const Request&, const Caller&) {
    Response response{.content_type = "text/plain"};
    response.pull = []() -> absl::StatusOr<std::string> { throw std::runtime_error("secret"); };
    return response;
  });
  Route route{.pattern = "/throws", .name = "/throws", .scope = Scope::kPublic};
  route.async_handler = [](const Request&, const Caller&, const Respond&) { throw std::runtime_error("secret"); };
  router_.Add(std::move(route));
  Start();
  for (const std::string path : {"/throws", "/throws-later", "/throws"}) {
    RawClient client(listener_->port());
    ASSERT_TRUE(client.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_EQ(client.Rest().find("secret"), std::string::npos);
    EXPECT_TRUE(client.closed());
  }
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send(Post("alive")));
  EXPECT_EQ(client.Answer().body, "alive");
  EXPECT_EQ(listener_->stats().in_flight, 0);
}

TEST_F(ListenerTest, AnAnswerThatNobodyWillGiveEndsTheConnection) {
  Route route{.pattern = "/forgets", .name = "/forgets", .scope = Scope::kPublic};
  route.async_handler = [](const Request&, const Caller&, const Respond&) {};
  router_.Add(std::move(route));
  Start();
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("GET /forgets HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(client.Rest(), "");
  EXPECT_TRUE(client.closed());
}

TEST_F(ListenerTest, Http10IsAnsweredOnce) {
  Start();
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"));
  const RawAnswer answer = client.Answer();
  EXPECT_EQ(answer.body, "ok");
  EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(client.Rest(), "");
}

TEST_F(ListenerTest, WithoutFreeDescriptorsItWaitsForSome) {
  Start();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // One more may be opened: the client's.
  const int next = dup(STDERR_FILENO);
  ASSERT_GE(next, 0);
  close(next);
  const rlimit one_more{.rlim_cur = static_cast<rlim_t>(next) + 1, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &one_more), 0);
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send(Post("patient")));
  EXPECT_EQ(listener_->stats().accepted, 0);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(client.Answer().body, "patient");
}

TEST_F(ListenerTest, ConnectionsAndRequestsUnderWayAreBounded) {
  Start({.max_connections = 2, .max_in_flight = 1});
  RawClient first(listener_->port());
  ASSERT_TRUE(first.Send("GET /waits HTTP/1.1\r\nHost: x\r\n\r\n"));
  const Respond respond = Waiting();
  RawClient second(listener_->port());
  ASSERT_TRUE(second.Send(Post("x")));
  const RawAnswer busy = second.Answer();
  EXPECT_EQ(busy.status, 503);
  EXPECT_THAT(busy.head, HasSubstr("Retry-After: 1\r\n"));
  RawClient third(listener_->port());
  third.Send(Post("x"));
  EXPECT_EQ(third.Answer().status, 0) << "closed";
  EXPECT_GE(listener_->stats().refused, 1);
  respond({.content_type = "text/plain", .body = "late"});
  EXPECT_EQ(first.Answer().body, "late");
  ASSERT_TRUE(second.Send(Post("y")));
  EXPECT_EQ(second.Answer().body, "y");
}

TEST_F(ListenerTest, BodiesAreBoundedTogetherUntilTheyAreAnswered) {
  Start({.small_body = 100, .max_body_bytes = 1'000});
  const std::string body(600, 'x');
  RawClient first(listener_->port()), second(listener_->port()), third(listener_->port());
  ASSERT_TRUE(first.Send("GET /waits HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n" + body));
  const Respond respond = Waiting();
  EXPECT_EQ(listener_->stats().body_bytes, 600);
  ASSERT_TRUE(second.Send(Post(body)));
  const RawAnswer busy = second.Answer();
  EXPECT_EQ(busy.status, 503);
  EXPECT_THAT(busy.head, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(busy.body, HasSubstr("\"busy\""));
  ASSERT_TRUE(third.Send(Post("small"))) << "there is room for it";
  EXPECT_EQ(third.Answer().body, "small");
  respond({.content_type = "text/plain", .body = "late"});
  EXPECT_EQ(first.Answer().body, "late");
  EXPECT_EQ(listener_->stats().body_bytes, 0);
  ASSERT_TRUE(third.Send(Post(body)));
  EXPECT_EQ(third.Answer().body, body);
}

TEST_F(ListenerTest, NobodyTakesTheRoomOfAllForLargeBodiesAndSmallOnesNeedNone) {
  auth_.callers["one"] = {Caller::Kind::kKey, "key_1", "key:one", {Scope::kEventsWrite}, ""};
  auth_.callers["other"] = {Caller::Kind::kKey, "key_2", "key:other", {Scope::kEventsWrite}, ""};
  router_.Add({.method = Method::kPost,
               .pattern = "/large",
               .name = "large",
               .scope = Scope::kEventsWrite,
               .max_body = 1 << 20,
               .handler = [](const Request& request, const Caller&) {
                 return Response{.content_type = "text/plain", .body = std::to_string(request.body.size())};
               }});
  Start({.small_body = 100, .max_body_bytes = 1'000, .max_body_bytes_of_caller = 700});
  const auto head = [](const std::string& who, size_t length) {
    return "POST /large HTTP/1.1\r\nHost: x\r\nAuthorization: " + who +
           "\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  };
  auto held = std::make_unique<RawClient>(listener_->port());
  ASSERT_TRUE(held->Send(head("one", 601) + std::string(600, 'x')));
  while (listener_->stats().body_bytes != 600) absl::SleepFor(absl::Milliseconds(1));
  RawClient more(listener_->port()), other(listener_->port());
  ASSERT_TRUE(more.Send(head("one", 101) + std::string(101, 'x')));
  EXPECT_EQ(more.Answer().status, 503) << "more than its share";
  ASSERT_TRUE(other.Send(head("other", 400) + std::string(400, 'x')));
  EXPECT_EQ(other.Answer().body, "400");
  RawClient filler(listener_->port());
  ASSERT_TRUE(filler.Send(head("other", 401) + std::string(400, 'x')));
  while (listener_->stats().body_bytes != 1'000) absl::SleepFor(absl::Milliseconds(1));
  // There is no room left, which small bodies do not need.
  RawClient small(listener_->port());
  ASSERT_TRUE(small.Send(Post(std::string(100, 'x'))));
  EXPECT_EQ(small.Answer().status, 200);
  held.reset();  // what it had is given back
  while (listener_->stats().body_bytes != 400) absl::SleepFor(absl::Milliseconds(1));
  RawClient again(listener_->port());
  ASSERT_TRUE(again.Send(head("one", 600) + std::string(600, 'x')));
  EXPECT_EQ(again.Answer().body, "600");
}

TEST_F(ListenerTest, OfABodyThatHasNotComeTheRestTakesNoRoom) {
  Start({.small_body = 100, .max_body_bytes = 1'000});
  auto slow = std::make_unique<RawClient>(listener_->port());
  // 300 of 900 bytes, in chunks and announced.
  ASSERT_TRUE(slow->Send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n" +
                         std::string(300, 'x') + "\r\n258\r\n"));
  RawClient announced(listener_->port());
  ASSERT_TRUE(announced.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" + std::string(300, 'y')));
  while (listener_->stats().body_bytes != 600) absl::SleepFor(absl::Milliseconds(1));
  RawClient other(listener_->port());
  ASSERT_TRUE(other.Send(Post(std::string(400, 'z'))));
  EXPECT_EQ(other.Answer().status, 200);
  ASSERT_TRUE(other.Send(Post(std::string(401, 'z'))));
  EXPECT_EQ(other.Answer().status, 503);
  slow.reset();  // what it had is given back
  while (listener_->stats().body_bytes != 300) absl::SleepFor(absl::Milliseconds(1));
  ASSERT_TRUE(announced.Send(std::string(600, 'y')));
  EXPECT_EQ(announced.Answer().body, std::string(900, 'y'));
}

TEST_F(ListenerTest, EventsComeAsTheyComeAndBeatsBetween) {
  Start({.stream_heartbeat = absl::Milliseconds(20)});
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_THAT(client.Answer().head, HasSubstr("text/event-stream"));
  const auto stream = StreamOf(0);
  EXPECT_TRUE(stream->Put("data: 1\n\n"));
  EXPECT_THAT(client.Until("data: 1\n\n"), HasSubstr("data: 1"));
  EXPECT_THAT(client.Until(":\n\n"), HasSubstr(":\n\n"));
  EXPECT_TRUE(stream->Put("data: 2\n\n"));
  stream->Close();
  const std::string rest = client.Rest();
  EXPECT_THAT(rest, HasSubstr("data: 2\n\n"));
  EXPECT_THAT(rest, ::testing::EndsWith("0\r\n\r\n"));
}

TEST_F(ListenerTest, AStreamWhosePeerGoesIsClosed) {
  Start();
  auto client = std::make_unique<RawClient>(listener_->port());
  ASSERT_TRUE(client->Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
  client->Answer();
  const auto stream = StreamOf(0);
  client.reset();
  absl::MutexLock lock(&mutex_);
  while (!stream->closed()) changed_.WaitWithTimeout(&mutex_, absl::Milliseconds(1));
}

TEST_F(ListenerTest, AReaderThatDoesNotKeepUpIsCutOff) {
  EventStream stream(10);
  EXPECT_TRUE(stream.Put("123456"));
  EXPECT_FALSE(stream.Put("12345"));
  EXPECT_TRUE(stream.closed());
  EXPECT_EQ(stream.Take(), "123456");
  EXPECT_FALSE(stream.Put("1"));
}

TEST_F(ListenerTest, StopsAfterWhatIsUnderWay) {
  Start();
  RawClient waiting(listener_->port());
  ASSERT_TRUE(waiting.Send("GET /waits HTTP/1.1\r\nHost: x\r\n\r\n"));
  const Respond respond = Waiting();
  RawClient idle(listener_->port());
  ASSERT_TRUE(idle.Send(Post("x")));
  idle.Answer();
  RawClient events(listener_->port());
  ASSERT_TRUE(events.Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
  events.Answer();
  std::thread stopping([&] { listener_->Stop(); });
  EXPECT_EQ(idle.Rest(), "");
  EXPECT_THAT(events.Rest(), ::testing::EndsWith("0\r\n\r\n"));
  respond({.content_type = "text/plain", .body = "done"});
  const RawAnswer answer = waiting.Answer();
  EXPECT_EQ(answer.body, "done");
  EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
  waiting.Rest();
  stopping.join();
  EXPECT_FALSE(RawClient(listener_->port()).connected());
}

TEST_F(ListenerTest, AnAnswerAfterTheEndIsDropped) {
  Start({.drain_timeout = absl::ZeroDuration()});
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send("GET /waits HTTP/1.1\r\nHost: x\r\n\r\n"));
  const Respond respond = Waiting();
  listener_->Stop();
  EXPECT_EQ(client.Answer().status, 0);
  listener_.reset();
  respond({.body = "{}"});
}

TEST_F(ListenerTest, OnlyATrustedProxySaysWhoAsks) {
  Start({.trusted_proxies = {"127.0.0.1"}});
  const std::string request = "GET /remote HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n\r\n";
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send(request));
  EXPECT_EQ(client.Answer().body, "203.0.113.9") << "the last: those before are what the client said of itself";
  listener_.reset();
  Start();
  RawClient other(listener_->port());
  ASSERT_TRUE(other.Send(request));
  EXPECT_EQ(other.Answer().body, "127.0.0.1");
  listener_.reset();
  // However the address is spelt, here or by the system.
  Start({.address = "::", .trusted_proxies = {"::ffff:127.0.0.1"}});
  RawClient mapped(listener_->port());
  ASSERT_TRUE(mapped.Send(request + "GET /remote HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4, <script>\r\n\r\n"));
  EXPECT_EQ(mapped.Answer().body, "203.0.113.9");
  EXPECT_EQ(mapped.Answer().body, "127.0.0.1") << "what is no address is nobody's";
}

TEST_F(ListenerTest, WrongSettingsAreRefused) {
  EXPECT_THAT(Listener::Start({.address = "nowhere"}, router_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nowhere")));
  EXPECT_THAT(Listener::Start({.trusted_proxies = {"proxy.test"}}, router_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("proxy.test")));
  EXPECT_THAT(Listener::Start({.tls_certificate = "/nothing.pem"}, router_),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Listener::Start({.tls_certificate = "/nothing.pem", .tls_key = "/nothing.key"}, router_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("/nothing.pem")));
  Start();
  EXPECT_THAT(Listener::Start({.port = listener_->port()}, router_), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ListenerTest, ManyClientsAtOnceGetTheirOwnAnswers) {
  Start();
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      RawClient client(listener_->port());
      for (int i = 0; i < 100; ++i) {
        const std::string body = std::to_string(t) + ":" + std::to_string(i);
        client.Send(Post(body));
        good += client.Answer().body == body;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 800);
  listener_->Stop();
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(records_.size(), 800);
}

}  // namespace
}  // namespace northwind::server
