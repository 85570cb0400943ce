// SPDX-License-Identifier: Apache-2.0
//
// The listener with a certificate: which peers it speaks with, and that all is as without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "examples/reference_server/http/listener.h"
#include "tests/http/test_certificates.h"
#include "tests/server/http/fake_authenticator.h"
#include "tests/server/http/raw_client.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::server {
namespace {

using ::northwind::testing::FakeAuthenticator;
using ::northwind::testing::Identity;
using ::northwind::testing::MakeIdentity;
using ::northwind::testing::RawClient;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TempDir;
using ::testing::HasSubstr;

std::string KeyFile(const TempDir& directory, const std::string& name, const Identity& identity) {
  std::string path = directory / name;
  std::FILE* file = std::fopen(path.c_str(), "w");
  EXPECT_EQ(PEM_write_PrivateKey(file, identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
  std::fclose(file);
  return path;
}

// A peer that speaks TLS, in blocking calls.
class TlsClient {
 public:
  struct Options {
    int max_version = TLS1_3_VERSION;
    std::string alpn;  // as on the wire
  };
  TlsClient(const RawClient& raw, const Identity& trusted, const Options& options)
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), options.max_version);
    SSL_CTX_set_security_level(context_.get(), 0);  // so that only the server can refuse an old version
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), trusted.certificate.get());
    tls_ = {SSL_new(context_.get()), SSL_free};
    if (!options.alpn.empty()) {
      SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned int>(options.alpn.size()));
    }
    SSL_set_fd(tls_.get(), raw.descriptor());
    connected_ = SSL_connect(tls_.get()) == 1;
    ERR_clear_error();
  }

  bool connected() const { return connected_; }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned int length = 0;
    SSL_get0_alpn_selected(tls_.get(), &name, &length);
    return {reinterpret_cast<const char*>(name), length};
  }
  bool Send(const std::string& bytes) {
    return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }
  // Until the text has come, or the end.
  std::string Until(const std::string& text) {
    std::string got;
    char piece[4096];
    while (got.find(text) == std::string::npos) {
      const int bytes = SSL_read(tls_.get(), piece, sizeof piece);
      if (bytes <= 0) break;
      got.append(piece, static_cast<size_t>(bytes));
    }
    return got;
  }
  // Whether the end was TLS's own, so that nobody cut off what was still to come.
  bool EndedWell() {
    char byte = 0;
    const int bytes = SSL_read(tls_.get(), &byte, 1);
    const bool well = bytes <= 0 && SSL_get_error(tls_.get(), bytes) == SSL_ERROR_ZERO_RETURN;
    ERR_clear_error();
    return well;
  }

 private:
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::unique_ptr<SSL, void (*)(SSL*)> tls_{nullptr, SSL_free};
  bool connected_ = false;
};

class ListenerTls : public ::testing::Test {
 protected:
  ListenerTls()
      : authority_(MakeIdentity({})), identity_(MakeIdentity({.names = "IP:127.0.0.1", .issuer = &authority_})) {
    certificate_ = directory_ / "certificate.pem";
    std::ofstream(certificate_) << identity_.Pem();
    key_ = KeyFile(directory_, "key.pem", identity_);
    Route route{
        .method = Method::kPost, .pattern = "/echo", .name = "echo", .scope = Scope::kPublic, .max_body = 1 << 20};
    route.handler = [](const Request& request, const Caller&) {
      return Response{.content_type = "text/plain", .body = (request.tls ? "tls:" : "plain:") + request.body};
    };
    router_.Add(std::move(route));
    Route events{.pattern = "/events", .name = "events", .scope = Scope::kPublic};
    events.async_handler = [this](const Request&, const Caller&, const Respond& respond) {
      Response response{.content_type = "text/event-stream"};
      response.stream = stream_;
      respond(std::move(response));
    };
    router_.Add(std::move(events));
  }

  void Start(ListenerOptions options = {}) {
    options.tls_certificate = certificate_;
    options.tls_key = key_;
    auto listener = Listener::Start(options, router_);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  TempDir directory_;
  const Identity authority_;
  const Identity identity_;
  std::string certificate_;
  std::string key_;
  std::shared_ptr<EventStream> stream_ = std::make_shared<EventStream>();
  FakeAuthenticator auth_;
  Router router_{auth_};
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTls, AnswersAsWithout) {
  Start();
  const RawClient raw(listener_->port());
  TlsClient client(raw, authority_, {.alpn = "\x02h2\x08http/1.1"});
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.protocol(), "http/1.1");
  // More than a record of TLS, and requests one after the other.
  const std::string body(100'000, 'x');
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n" + body + "!"));
    EXPECT_THAT(client.Until("!"), HasSubstr("\r\n\r\ntls:" + body));
  }
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n."));
  client.Until("tls:.");
  EXPECT_TRUE(client.EndedWell());
}

TEST_F(ListenerTls, OldVersionsAndOtherProtocolsAreRefused) {
  Start();
  const auto connects = [&](const TlsClient::Options& options) {
    const RawClient raw(listener_->port());
    return TlsClient(raw, authority_, options).connected();
  };
  EXPECT_TRUE(connects({.max_version = TLS1_3_VERSION}));
  EXPECT_TRUE(connects({.max_version = TLS1_2_VERSION}));
  EXPECT_FALSE(connects({.max_version = TLS1_1_VERSION}));
  EXPECT_FALSE(connects({.alpn = "\x02h2"}));
  RawClient plain(listener_->port());
  ASSERT_TRUE(plain.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(plain.Rest().find("HTTP/"), std::string::npos);
  EXPECT_TRUE(plain.closed());
}

TEST_F(ListenerTls, APeerThatGoesSilentInTheHandshakeIsLeft) {
  Start({.header_timeout = absl::Milliseconds(50)});
  RawClient silent(listener_->port());
  EXPECT_EQ(silent.Rest(), "");
  EXPECT_TRUE(silent.closed());
}

TEST_F(ListenerTls, StreamsEventsUntilEitherEnds) {
  Start({.stream_heartbeat = absl::Milliseconds(20)});
  {
    const RawClient raw(listener_->port());
    TlsClient client(raw, authority_, {});
    ASSERT_TRUE(client.Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_TRUE(stream_->Put("data: 1\n\n"));
    EXPECT_THAT(client.Until("data: 1\n\n"), HasSubstr("data: 1"));
    EXPECT_THAT(client.Until(":\n\n"), HasSubstr(":\n\n"));
    stream_->Close();
    EXPECT_THAT(client.Until("0\r\n\r\n"), HasSubstr("0\r\n\r\n"));
    EXPECT_TRUE(client.EndedWell());
  }
  stream_ = std::make_shared<EventStream>();
  auto raw = std::make_unique<RawClient>(listener_->port());
  auto client = std::make_unique<TlsClient>(*raw, authority_, TlsClient::Options{});
  ASSERT_TRUE(client->Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
  client->Until("\r\n\r\n");
  client.reset();
  raw.reset();
  absl::Mutex mutex;
  absl::CondVar never;
  absl::MutexLock lock(&mutex);
  while (!stream_->closed()) never.WaitWithTimeout(&mutex, absl::Milliseconds(1));
}

// A write to a peer that has gone is an error of that connection, not a signal that ends the process.
TEST_F(ListenerTls, APeerThatGoesInTheMiddleOfAnAnswerIsLeft) {
  Route route{.pattern = "/endless", .name = "endless", .scope = Scope::kPublic};
  route.handler = [](const Request&, const Caller&) {
    Response response{.content_type = "text/plain"};
    response.pull = []() -> absl::StatusOr<std::string> { return std::string(1 << 20, 'x'); };
    return response;
  };
  router_.Add(std::move(route));
  Start();
  for (int i = 0; i < 10; ++i) {
    const RawClient raw(listener_->port());
    TlsClient client(raw, authority_, {});
    ASSERT_TRUE(client.Send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_THAT(client.Until("xxx"), HasSubstr("200 OK"));
    raw.FinishSending();
  }
  absl::Mutex mutex;
  absl::CondVar never;
  absl::MutexLock lock(&mutex);
  while (listener_->stats().connections != 0) never.WaitWithTimeout(&mutex, absl::Milliseconds(1));
}

TEST_F(ListenerTls, AKeyOfAnotherCertificateIsRefused) {
  key_ = KeyFile(directory_, "other.pem", authority_);
  EXPECT_THAT(Listener::Start({.tls_certificate = certificate_, .tls_key = key_}, router_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("other.pem")));
}

}  // namespace
}  // namespace northwind::server
