// SPDX-License-Identifier: Apache-2.0
//
// Whatever a merchant's URL, name, server or text says: webhooks connect to nobody they should not, are ended by nobody's excess, and
// the receipts say why in words that tell nothing of the network inside. All of it by all ways in: an event, a test, a re-send.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "src/http/ip_address.h"
#include "tests/webhook/webhooks_fixture.h"

namespace northwind::testing {
namespace {

namespace http = ::northwind::internal::http;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// The only place that is allowed here.
constexpr char kGood[] = "127.0.0.9";

// One or more of every network that is not public.
constexpr const char* kDenied[] = {
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.0.0.8",
    "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1",
    "3fff::1", "4000::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    // Behind a translator, whatever it is.
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a9fe:a9fe"};

class WebhookSecurity : public WebhooksFixture {
 protected:
  WebhookSecurity() {
    resolve_ = [this](const std::string& host) -> absl::StatusOr<std::vector<http::IpAddress>> {
      const std::lock_guard lock(names_mutex_);
      const auto found = names_.find(host);
      if (found == names_.end()) return absl::NotFoundError("no such name at 10.1.1.53");
      return found->second;
    };
  }
  void SetUp() override {
    WebhooksFixture::SetUp();
    options_.allowed_networks = {{.network = std::string(kGood) + "/32", .ports = {}}};
    options_.max_endpoints_per_merchant = 1000;
    options_.policy.retry.delays.resize(1);
    Reopen();
  }
  void SetName(const std::string& host, const std::vector<std::string>& addresses) {
    std::vector<http::IpAddress> parsed;
    parsed.reserve(addresses.size());
    for (const std::string& text : addresses) parsed.push_back(*http::IpAddress::Parse(text));
    const std::lock_guard lock(names_mutex_);
    names_[host] = parsed;
  }

  // The receipts of one attempt for an event, one of a test and one of a re-send to each endpoint of m1.
  std::vector<WebhookAttempt> AttemptAllWays() {
    const absl::StatusOr<WebhookEndpointPage> page = webhooks_->ListEndpoints("m1");
    EXPECT_THAT(page, IsOk());
    Start();
    std::vector<WebhookEndpoint> endpoints = page->endpoints;
    for (std::string after = page->next; !after.empty();) {
      const auto more = webhooks_->ListEndpoints("m1", after);
      endpoints.insert(endpoints.end(), more->endpoints.begin(), more->endpoints.end());
      after = more->next;
    }
    Capture("pay_" + std::to_string(++payments_));
    const size_t before = Attempts().size();
    Await([&] { return Attempts().size() >= before + endpoints.size() && webhooks_->Stats()->waiting == 0; });
    const std::vector<WebhookDelivery> deliveries = Deliveries();
    for (const WebhookEndpoint& endpoint : endpoints) EXPECT_THAT(webhooks_->SendTest("m1", endpoint.id), IsOk());
    for (const WebhookDelivery& delivery : deliveries) EXPECT_THAT(webhooks_->Resend(delivery.name), IsOk());
    Await([&] { return Attempts().size() >= before + 3 * endpoints.size() && webhooks_->Stats()->waiting == 0; });
    const std::vector<WebhookAttempt> attempts = Attempts();
    for (const AttemptTrigger trigger : {AttemptTrigger::kSchedule, AttemptTrigger::kTest, AttemptTrigger::kResend}) {
      EXPECT_EQ(std::count_if(attempts.begin(), attempts.end(),
                              [&](const WebhookAttempt& attempt) { return attempt.trigger == trigger; }),
                static_cast<ptrdiff_t>(endpoints.size()))
          << Name(trigger);
    }
    webhooks_->Stop();
    return attempts;
  }
  // The same for one endpoint at a server on this machine.
  std::vector<WebhookAttempt> AttemptAllWaysAt(const std::string& url, absl::Duration timeout = absl::Minutes(1)) {
    WebhookPolicy policy = options_.policy;
    policy.timeout = timeout;
    Create("m1", {.id = "ep", .url = url, .policy = policy});
    return AttemptAllWays();
  }

  std::mutex names_mutex_;
  std::map<std::string, std::vector<http::IpAddress>> names_;
  int payments_ = 0;
};

// Nothing that an address, a name server or an errno could be read from.
MATCHER(TellsNothingOfTheNetwork, "tells nothing of the network") {
  *result_listener << arg.message;
  const bool has_digits =
      std::any_of(arg.message.begin(), arg.message.end(), [](char c) { return c >= '0' && c <= '9'; });
  return !has_digits && arg.message.find("::") == std::string::npos && arg.remote_address.empty() &&
         arg.response_body.empty() && arg.status == 0 && arg.connect == absl::ZeroDuration();
}
auto FailedWith(AttemptFailure failure) {
  return AllOf(Field(&WebhookAttempt::failure, failure), Field(&WebhookAttempt::message, Not(IsEmpty())));
}

// A server at the good address that counts what comes.
class GoodServer {
 public:
  explicit GoodServer(TestServer::Script script = TestServer::Answer([](const ServedRequest&) {
                        return TestReceiver::Status(204);
                      }))
      : server_(std::move(script), {.address = kGood}) {}
  std::string url(const std::string& host = kGood) const {
    return "http://" + host + ":" + std::to_string(server_.port()) + "/hook";
  }
  size_t connections() const { return server_.connections(); }

 private:
  TestServer server_;
};

TestServer::Script Write(const std::string& bytes) {
  return [bytes](ServedConnection& connection) {
    while (connection.Read()) {
      if (!connection.Write(bytes)) return;
    }
  };
}

std::string Bracketed(const std::string& address) {
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

TEST_F(WebhookSecurity, TheGoodAddressIsReachedByItselfAndByName) {
  GoodServer server;
  SetName("good.test", {kGood});
  SetName("mapped.test", {std::string("::ffff:") + kGood});
  Create("m1", {.id = "address", .url = server.url()});
  Create("m1", {.id = "name", .url = server.url("good.test")});
  Create("m1", {.id = "mapped", .url = server.url("mapped.test")});
  EXPECT_THAT(AttemptAllWays(), Each(Field(&WebhookAttempt::failure, AttemptFailure::kNone)));
}

TEST_F(WebhookSecurity, NamesThatLeadInsideAreRefusedWhateverElseTheyLeadTo) {
  GoodServer server;
  int number = 0;
  const auto add = [&](const std::vector<std::string>& addresses) {
    const std::string id = "n" + std::to_string(++number);
    SetName(id + ".test", addresses);
    Create("m1", {.id = id, .url = server.url(id + ".test")});
  };
  for (const std::string address : kDenied) {
    add({address});
    add({kGood, address});
    if (address.find(':') == std::string::npos) {
      add({"::ffff:" + address});
      add({"::ffff:" + address, kGood});
    }
  }
  const std::vector<WebhookAttempt> attempts = AttemptAllWays();
  EXPECT_THAT(attempts, Each(AllOf(FailedWith(AttemptFailure::kBlockedAddress), TellsNothingOfTheNetwork())));
  EXPECT_EQ(server.connections(), 0u);
}

TEST_F(WebhookSecurity, AddressesInsideAreRefusedAsTheyAre) {
  int number = 0;
  for (const std::string address : kDenied) {
    Create("m1", {.id = "n" + std::to_string(++number), .url = "http://" + Bracketed(address) + ":80/"});
    if (address.find(':') != std::string::npos) continue;
    Create("m1", {.id = "n" + std::to_string(++number), .url = "http://[::ffff:" + address + "]/"});
  }
  EXPECT_THAT(AttemptAllWays(), Each(AllOf(FailedWith(AttemptFailure::kBlockedAddress), TellsNothingOfTheNetwork())));
}

TEST_F(WebhookSecurity, ANameThatMovesInsideIsRefusedFromThenOn) {
  GoodServer server;
  SetName("moves.test", {kGood});
  Create("m1", {.id = "ep", .url = server.url("moves.test")});
  Start();
  ASSERT_THAT(webhooks_->SendTest("m1", "ep"), IsOk());
  Await([&] { return Attempts().size() == 1; });
  SetName("moves.test", {"169.254.169.254"});  // although a connection to the address of before is kept
  ASSERT_THAT(webhooks_->SendTest("m1", "ep"), IsOk());
  Await([&] { return Attempts().size() == 2; });
  EXPECT_THAT(Failures(), ElementsAre(AttemptFailure::kNone, AttemptFailure::kBlockedAddress));
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(WebhookSecurity, WhyANameHasNoAddressIsNotToldInOtherWordsThanThat) {
  Create("m1", {.id = "ep", .url = "http://unknown.test/"});
  EXPECT_THAT(AttemptAllWays(), Each(AllOf(FailedWith(AttemptFailure::kDns), TellsNothingOfTheNetwork())));
}

TEST_F(WebhookSecurity, OtherPortsAreRefused) {
  options_.allowed_networks[0].ports = {8443};
  Reopen();
  SetName("good.test", {kGood});
  const char* const hosts[] = {"good.test", kGood};
  for (int number = 0; const char* const port : {"22", "25", "6379", "80", "443", "65535"}) {
    for (const std::string host : hosts) {
      Create("m1", {.id = "n" + std::to_string(++number), .url = "http://" + host + ":" + port + "/"});
    }
  }
  EXPECT_THAT(AttemptAllWays(), Each(AllOf(FailedWith(AttemptFailure::kBlockedPort), TellsNothingOfTheNetwork())));
}

TEST_F(WebhookSecurity, RedirectsAreAnswersAndNoDirections) {
  TestReceiver inside;  // at 127.0.0.1, where nothing may go
  GoodServer elsewhere;
  int number = 0;
  std::vector<std::unique_ptr<GoodServer>> servers;
  for (const int status : {300, 301, 302, 303, 305, 307, 308}) {
    for (const std::string& location :
         {inside.url(), elsewhere.url(), std::string("file:///etc/passwd"), std::string("//169.254.169.254/")}) {
      servers.push_back(std::make_unique<GoodServer>(Write(
          TestReceiver::Status(status, "location: " + location + "\r\nrefresh: 0;url=" + location + "\r\n", "moved"))));
      Create("m1", {.id = "n" + std::to_string(++number), .url = servers.back()->url()});
    }
  }
  EXPECT_THAT(AttemptAllWays(), Each(AllOf(FailedWith(AttemptFailure::kRedirect),
                                           Field(&WebhookAttempt::message, Not(HasSubstr("127.0"))),
                                           Field(&WebhookAttempt::response_body, "moved"))));
  EXPECT_THAT(inside.messages(), IsEmpty());
  EXPECT_EQ(elsewhere.connections(), 0u);
}

TEST_F(WebhookSecurity, UrlsThatHideSomethingAreRefusedWithoutBeingRepeated) {
  Create("m1", {.id = "ep", .url = "http://good.test/"});
  for (const char* url : {"http://merchant:hunter2@good.test/",
                          "http://hunter2@good.test/",
                          "http://good.test@hunter2.test/",
                          "http://good.test\r\nx-hunter2: 1/",
                          "http://good.test/\r\nhunter2: 1",
                          "http://good.test/ hunter2",
                          "http://good.test/#hunter2",
                          "http://good.test\\@hunter2.test/",
                          "ftp://hunter2.test/",
                          "file:///hunter2",
                          "gopher://hunter2.test/",
                          "http://hunter2.test:0/",
                          "http://hunter2.test:65536/",
                          "http://hunter2.test:22x/",
                          "http://2130706433/hunter2",
                          "http://0x7f000001/hunter2",
                          "http://0177.0.0.1/hunter2",
                          "http://127.1/hunter2",
                          "http://[fe80::1%25eth0]/hunter2",
                          "http://[::1/hunter2",
                          "http:///hunter2",
                          "http://good.test/../hunter2",
                          "http://hunter2\xE3\x80\x82test/",
                          "//good.test/hunter2"}) {
    const auto refused =
        StatusIs(absl::StatusCode::kInvalidArgument, AllOf(StartsWith("url"), Not(HasSubstr("hunter2"))));
    EXPECT_THAT(webhooks_->CreateEndpoint("m1", {.url = url}), refused) << url;
    EXPECT_THAT(webhooks_->UpdateEndpoint("m1", "ep", 1, {.url = url}), refused) << url;
  }
  options_.plain_http = false;
  Reopen();
  EXPECT_THAT(webhooks_->CreateEndpoint("m1", {.url = "http://good.test/"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(WebhookSecurity, NothingGrowsIntoAnotherHeaderOrKey) {
  const auto refused = [](const char* field) {
    return StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(field), Not(HasSubstr("hunter2"))));
  };
  const auto headers = [](const std::string& name, const std::string& value) {
    return EndpointSpec{.url = "http://good.test/", .headers = {{name, value}}};
  };
  for (const std::string& value :
       {std::string("a\r\nx-b: hunter2"), std::string("a\nhunter2"), std::string("a\rhunter2"),
        std::string("hunter2\0", 8), std::string("\x7Fhunter2"), std::string("hunter2 ")}) {
    EXPECT_THAT(webhooks_->CreateEndpoint("m1", headers("x-a", value)), refused("headers[0].value"));
  }
  for (const std::string name : {"x-a: hunter2\r\nx-b", "x a", "x-a\n", "", "x-a:", "x(a)"}) {
    EXPECT_THAT(webhooks_->CreateEndpoint("m1", headers(name, "v")), refused("headers[0].name")) << name;
  }
  for (const char* name :
       {"Host", "content-length", "Transfer-Encoding", "WEBHOOK-ID", "webhook-signature", "Webhook-Timestamp",
        "connection", "proxy-authorization", "expect", "content-type", "user-agent", "upgrade"}) {
    EXPECT_THAT(webhooks_->CreateEndpoint("m1", headers(name, "v")), refused("headers[0].name")) << name;
  }
  for (const std::string id : {"a\r\nb", "a/b", "../a", "a.b", "a b", "\xC3\xA4"}) {
    EXPECT_THAT(webhooks_->CreateEndpoint("m1", {.id = id, .url = "http://good.test/"}),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << id;
  }
  for (const std::string merchant : {"m\r\n1", "m/1", "", "m 1"}) {
    EXPECT_THAT(webhooks_->CreateEndpoint(merchant, {.url = "http://good.test/"}),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << merchant;
  }
  Create("m1", {.id = "ep", .url = "http://good.test/"});
  for (const DeliveryName& name : {DeliveryName{"m1", "ep", "msg_\r\nx: 1"}, DeliveryName{"m1", "ep/../ep", "msg_1"},
                                   DeliveryName{"m1/ep", "", "msg_1"}, DeliveryName{"", "", ""}}) {
    EXPECT_THAT(webhooks_->Resend(name), Not(IsOk()));
    EXPECT_THAT(webhooks_->GetDelivery(name), Not(IsOk()));
  }
  EXPECT_THAT(webhooks_->SendTest("m1", "ep\r\nx"), Not(IsOk()));
}

TEST_F(WebhookSecurity, TextOfAnEventStaysInsideItsJson) {
  std::mutex mutex;
  std::vector<ServedRequest> requests;
  GoodServer server(TestServer::Answer([&](const ServedRequest& request) {
    const std::lock_guard lock(mutex);
    requests.push_back(request);
    return TestReceiver::Status(204);
  }));
  Create("m1", {.id = "ep", .url = server.url(), .headers = {{"Authorization", "Bearer hunter2"}}});
  Start();
  PaymentEvent event = Captured("pay_1", 1000);
  event.metadata = {{"k\r\nx-injected: 1", "v\r\n\r\nHTTP/1.1 200 OK\",\"type\":\"payout.paid"}};
  ASSERT_EQ(Apply(event).status, EventStatus::kApplied);
  AwaitState(DeliveryState::kDelivered);
  const std::lock_guard lock(mutex);
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].Header("x-injected"), std::nullopt);
  EXPECT_THAT(requests[0].body, AllOf(StartsWith(R"({"type":"payment.captured",)"), Not(HasSubstr("\n")),
                                      HasSubstr(R"(v\r\n\r\nHTTP/1.1 200 OK\",\"type\":\"payout.paid)")));
  // What a gateway asks for goes there and nowhere else.
  EXPECT_EQ(requests[0].Header("Authorization"), "Bearer hunter2");
  NW_ASSERT_OK_AND_ASSIGN(const WebhookEndpoint endpoint, webhooks_->GetEndpoint("m1", "ep"));
  EXPECT_THAT(endpoint.header_names, ElementsAre("Authorization"));
}

TEST_F(WebhookSecurity, TooManyHeadersEndTheAttempt) {
  std::string lines;
  while (lines.size() < 17 << 10) lines += "x-large: " + std::string(1000, 'x') + "\r\n";
  GoodServer many(Write("HTTP/1.1 200 OK\r\n" + lines + "content-length: 0\r\n\r\n"));
  GoodServer endless([](ServedConnection& connection) {
    if (!connection.Read()) return;
    connection.Write("HTTP/1.1 200 OK\r\nx-endless: ");
    while (connection.Write(std::string(1000, 'x'))) continue;
  });
  Create("m1", {.id = "many", .url = many.url()});
  Create("m1", {.id = "endless", .url = endless.url()});
  EXPECT_THAT(AttemptAllWays(), Each(FailedWith(AttemptFailure::kHeadersTooLarge)));
}

TEST_F(WebhookSecurity, InterimAnswersWithoutEndEndTheAttempt) {
  GoodServer server([](ServedConnection& connection) {
    if (!connection.Read()) return;
    while (connection.Write("HTTP/1.1 103 Early Hints\r\nlink: </hunter2>\r\n\r\n")) continue;
  });
  EXPECT_THAT(AttemptAllWaysAt(server.url()), Each(FailedWith(AttemptFailure::kHeadersTooLarge)));
}

TEST_F(WebhookSecurity, BodiesAreCutToWhatAReceiptKeeps) {
  const std::string large(1 << 20, 'x');
  GoodServer good(Write(TestReceiver::Status(200, "", large)));
  GoodServer bad(Write(TestReceiver::Status(500, "", large)));
  GoodServer endless([](ServedConnection& connection) {
    if (!connection.Read()) return;
    connection.Write("HTTP/1.1 400 No\r\ntransfer-encoding: chunked\r\n\r\n");
    while (connection.Write("400\r\n" + std::string(1024, 'y') + "\r\n")) continue;
  });
  Create("m1", {.id = "good", .url = good.url()});
  Create("m1", {.id = "bad", .url = bad.url()});
  Create("m1", {.id = "endless", .url = endless.url()});
  for (const WebhookAttempt& attempt : AttemptAllWays()) {
    const std::string& endpoint = attempt.delivery.endpoint_id;
    EXPECT_EQ(attempt.failure, endpoint == "good" ? AttemptFailure::kNone : AttemptFailure::kStatus) << endpoint;
    EXPECT_EQ(attempt.status, endpoint == "good" ? 200 : endpoint == "bad" ? 500 : 400);
    EXPECT_EQ(attempt.response_body, std::string(kMaxKeptResponseBytes, endpoint == "endless" ? 'y' : 'x'));
    EXPECT_TRUE(attempt.response_truncated);
    EXPECT_THAT(attempt.message, Not(HasSubstr("xx")));
  }
}

// The drip is so slow that only the end of the attempt can come first: it waits for that.
TEST_F(WebhookSecurity, WhoSaysNothingOrLittleIsCutOff) {
  const auto say = [](const std::string& bytes) {
    return [bytes](ServedConnection& connection) {
      if (!connection.Read()) return;
      connection.Write(bytes);
      connection.AwaitEnd();
    };
  };
  GoodServer silent(say("")), in_head(say("HTTP/1.1 200 OK\r\nx-a: b\r\n")),
      in_body(say("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + std::string(5000, 'z')));
  WebhookPolicy policy = options_.policy;
  policy.timeout = kMinWebhookTimeout;
  Create("m1", {.id = "silent", .url = silent.url(), .policy = policy});
  Create("m1", {.id = "in_head", .url = in_head.url(), .policy = policy});
  Create("m1", {.id = "in_body", .url = in_body.url(), .policy = policy});
  for (const WebhookAttempt& attempt : AttemptAllWays()) {
    EXPECT_EQ(attempt.failure, AttemptFailure::kTimeout) << attempt.delivery.endpoint_id;
    EXPECT_THAT(attempt.message, StartsWith("timed out"));
    EXPECT_THAT(attempt.response_body, SizeIs(Le(kMaxKeptResponseBytes)));
  }
  for (const WebhookDelivery& delivery : Deliveries()) EXPECT_EQ(delivery.state, DeliveryState::kDead);
}

TEST_F(WebhookSecurity, WhatIsNotHttpIsNoAnswer) {
  GoodServer bare(Write("hello\n")), mangled(Write("HTTP/1.1 abc OK\r\n\r\n"));
  Create("m1", {.id = "bare", .url = bare.url()});
  Create("m1", {.id = "mangled", .url = mangled.url()});
  EXPECT_THAT(AttemptAllWays(), Each(AllOf(FailedWith(AttemptFailure::kReceive), Field(&WebhookAttempt::status, 0))));
}

TEST_F(WebhookSecurity, NobodyElsesDeliveriesAreShownOrSentAgain) {
  GoodServer server;
  Create("m1", {.id = "ep", .url = server.url()});
  Create("m2", {.id = "ep", .url = server.url()});
  Start();
  Capture("pay_1");
  AwaitState(DeliveryState::kDelivered);
  DeliveryName name = Deliveries().front().name;
  name.merchant_id = "m2";
  EXPECT_THAT(webhooks_->GetDelivery(name), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(webhooks_->Resend(name), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Deliveries("m2"), IsEmpty());
  EXPECT_THAT(Attempts("m2"), IsEmpty());
}

class WebhookTls : public WebhookSecurity {
 protected:
  void SetUp() override {
    WebhookSecurity::SetUp();
    options_.ca_bundle = directory_ / "ca.pem";
    options_.plain_http = false;
    std::ofstream(options_.ca_bundle) << authority_.Pem();
    SetName("merchant.test", {kGood});
    Reopen();
  }
  // What comes of attempts at such a server, which counts the requests that it gets.
  std::vector<WebhookAttempt> AttemptsAt(const Identity& identity, int max_tls_version = TLS1_3_VERSION) {
    requests_ = 0;
    TestServer server(TestServer::Answer([this](const ServedRequest&) {
                        ++requests_;
                        return TestReceiver::Status(204);
                      }),
                      {.address = kGood, .identity = &identity, .max_tls_version = max_tls_version});
    return AttemptAllWaysAt("https://merchant.test:" + std::to_string(server.port()) + "/");
  }

  const Identity authority_ = MakeIdentity({});
  std::atomic<int> requests_{0};
};

TEST_F(WebhookTls, AGoodCertificateIsBelieved) {
  const Identity good = MakeIdentity({.names = "DNS:merchant.test", .issuer = &authority_});
  EXPECT_THAT(AttemptsAt(good), Each(Field(&WebhookAttempt::failure, AttemptFailure::kNone)));
  EXPECT_EQ(requests_, 3);
}

TEST_F(WebhookTls, AnExpiredCertificateIsNot) {
  const Identity expired = MakeIdentity(
      {.names = "DNS:merchant.test", .valid_from_seconds = -7200, .valid_to_seconds = -3600, .issuer = &authority_});
  EXPECT_THAT(AttemptsAt(expired),
              Each(AllOf(FailedWith(AttemptFailure::kTls), Field(&WebhookAttempt::message, HasSubstr("expired")))));
  EXPECT_EQ(requests_, 0);
}

TEST_F(WebhookTls, ACertificateOfAnotherHostIsNot) {
  const Identity other = MakeIdentity({.names = "DNS:other.test,IP:127.0.0.9", .issuer = &authority_});
  EXPECT_THAT(AttemptsAt(other), Each(AllOf(FailedWith(AttemptFailure::kTls),
                                            Field(&WebhookAttempt::message, Not(HasSubstr("other.test"))))));
  EXPECT_EQ(requests_, 0);
}

TEST_F(WebhookTls, ACertificateThatSignsItselfIsNot) {
  EXPECT_THAT(AttemptsAt(MakeIdentity({.names = "DNS:merchant.test"})), Each(FailedWith(AttemptFailure::kTls)));
  EXPECT_EQ(requests_, 0);
}

TEST_F(WebhookTls, OldTlsIsNotSpoken) {
  const Identity good = MakeIdentity({.names = "DNS:merchant.test", .issuer = &authority_});
  EXPECT_THAT(AttemptsAt(good, TLS1_1_VERSION), Each(FailedWith(AttemptFailure::kTls)));
  EXPECT_EQ(requests_, 0);
}

}  // namespace
}  // namespace northwind::testing
