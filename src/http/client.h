// SPDX-License-Identifier: Apache-2.0
//
//   NW_ASSIGN_OR_RETURN(auto client, http::Client::Create({.guard = {.ports = {443, 8443}}}));
//   NW_RETURN_IF_ERROR(client->Start({.url = "https://example.com/hook", .body = "{}"}, [](http::Result result) {
//     if (result.ok() && result.status / 100 == 2) ...
//   }));
#ifndef NORTHWIND_SRC_HTTP_CLIENT_H_
#define NORTHWIND_SRC_HTTP_CLIENT_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "src/http/address_guard.h"
#include "src/http/name_resolver.h"
#include "src/http/request.h"
#include "src/http/result.h"
#include "src/http/url.h"

namespace northwind::internal::http {

struct ClientOptions {
  Schemes schemes = Schemes::kHttpsOnly;
  // Where to. With http allowed, port 80 of public addresses is too.
  AddressGuardOptions guard = {};
  // A file of certificates in PEM form that are trusted instead of the system's.
  std::string ca_bundle = {};
  std::string user_agent = "northwind";
  // How names are looked up.
  ResolveFunction resolve = ResolveBySystem;

  // Requests accepted and not yet done; one more is refused. Also the most connections kept open for the next request, if
  // the process may have twice as many descriptors.
  size_t max_in_flight = 4096;
  // Names looked up at a time; half of them, of names that are slow.
  size_t max_resolver_threads = 64;
};

// Runs on the client's thread, one at a time: it must be quick, and must neither destroy the client nor wait for it. It may
// Start another request.
using ResultCallback = absl::AnyInvocable<void(Result) &&>;

using Task = absl::AnyInvocable<void() &&>;

// Outbound HTTP/1.1 and, over TLS where the server offers it, HTTP/2. One thread drives all transfers; connections are kept
// and reused. Thread-safe.
//
// Made for URLs that somebody else may choose. Addresses are vetted by the guard for every request, all of a name's, and
// only vetted ones are connected to. Redirects are not followed; there are no proxies (nor the environment's), cookies,
// compression, user information; the peer's certificate is verified, TLS 1.2 or newer.
//
// Sockets are opened up to three quarters of the descriptors that the process may have (its soft RLIMIT_NOFILE when the
// client is made): a store in the same process that gets no more descriptors cannot write. A request beyond that fails with
// Failure::kInternal. Raise the limit to some thousands for as many requests at a time.
//
// A host that lets a request's time run out without a byte in answer gets each further request on a connection of its own
// for a while: HTTP/2 would go on to send all of them over one that may be dead.
//
// A request is attempted once, with one exception: if a connection that was kept turns out to be dead before any byte of a
// response, libcurl sends it again on a new one. A receiver may therefore see it twice, as with any retry.
class Client {
 public:
  // InvalidArgument for a ca_bundle that cannot be read or a user_agent that is no header value; ResourceExhausted if the
  // machine has no descriptors or threads left.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);
  // Aborts what is under way; its callbacks have been called (Failure::kAborted) when this returns. Waits for name
  // lookups under way, which the system's resolver bounds by itself.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Does not block. OK: the callback will be called exactly once, with whatever came of the request; also of one that is
  // refused for its URL or headers. An error means that the callback will not be called: ResourceExhausted with
  // max_in_flight under way, FailedPrecondition while the client is being destroyed.
  absl::Status Start(Request request, ResultCallback callback);
  // Runs the task on the client's thread, under a callback's rules: after `delay` (up to kMaxTimeout), or when the client is destroyed if that is
  // sooner. One given by a callback or task while the client is being destroyed is run, too.
  void RunAfter(absl::Duration delay, Task task);
  // Waits until all requests started so far, and those started meanwhile, are done and their callbacks have returned.
  // False if that takes longer than `timeout`. Not from a callback.
  bool Drain(absl::Duration timeout = absl::InfiniteDuration());
  // Requests accepted whose callback has not been called yet.
  size_t in_flight() const;

 private:
  class Loop;

  explicit Client(std::unique_ptr<Loop> loop);

  const std::unique_ptr<Loop> loop_;
};

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_CLIENT_H_
