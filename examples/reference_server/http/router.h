// SPDX-License-Identifier: Apache-2.0
//
// The table of routes: what is asked, who may ask it, who answers. Everything that guards a route (credential, scope, tenant, CSRF, rate)
// is decided here from the table, before its handler runs, so that no handler can forget it; and tests go through the same table.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_ROUTER_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_ROUTER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/reference_server/http/message.h"
#include "examples/reference_server/http/problem.h"

namespace northwind::server {

// What a credential allows.
enum class Scope : uint8_t {
  kPublic,         // everybody, without a credential
  kEventsWrite,    // "events:write"     settle events
  kMerchantRead,   // "merchant:read"    balances, payouts, endpoints, deliveries of merchants it is good for
  kMerchantWrite,  // "merchant:write"   endpoints, re-sends
  kPortalLink,     // "portal:link"      make sign-in links for merchants
  kOperatorRead,   // "operator:read"
  kOperatorWrite,  // "operator:write"   cutover, quarantine, redrive, keys, backup
};
std::string_view Name(Scope scope);
std::optional<Scope> ParseScope(std::string_view name);

// Who asks.
struct Caller {
  enum class Kind : uint8_t { kNobody, kKey, kSession } kind = Kind::kNobody;
  std::string id;     // of the key or session: what rates, logs and the audit log name
  std::string actor;  // for audit logs: "key:<name>" or "merchant:<id>"
  std::set<Scope> scopes;
  std::string merchant;  // the only one that it may see; empty: all
};

// Finds out who asks. Implemented by auth/; in tests by what a test likes.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // The caller; nobody if there is no credential. Unauthenticated: there is one, and it is not good (any more).
  virtual absl::StatusOr<Caller> Authenticate(const Request& request) = 0;
  // The same, for what a page goes on asking by itself: it does not keep alive a session that nobody uses.
  virtual absl::StatusOr<Caller> Recognise(const Request& request) = 0;
  // Whether a request of a session that changes something carries its CSRF token.
  virtual bool HasCsrfToken(const Request& request, const Caller& caller) = 0;
  // Nothing: go on. Else 429, and when to come again.
  virtual std::optional<absl::Duration> OverRate(const Request& request, const Caller& caller) = 0;
};

// A handler that may block: it runs on one of the server's worker threads.
using Handler = std::function<Response(const Request&, const Caller&)>;
// One that must not block for long, and answers later, once, from any thread. It runs where requests are read, or on a worker thread if the body is
// large (kLargeBody): what it does with that would hold up other connections.
using AsyncHandler = std::function<void(Request, Caller, Respond)>;

inline constexpr size_t kLargeBody = 64 << 10;

struct Route {
  Method method = Method::kGet;
  std::string pattern;  // "/v1/merchants/{merchant}/payouts/{payout}"; a part in braces is one part of the path
  std::string name;     // operationId in docs/openapi.yaml, and the label in metrics: "listPayouts"
  Scope scope = Scope::kOperatorRead;
  size_t max_body = 64 << 10;
  // Asked without a rate: probes, which must not be refused because of who else asks from there, and files of pages. If it is public as well,
  // credentials are not looked at.
  bool unlimited = false;
  // A page asks it again and again by itself: that is no use of a session (Authenticator::Recognise).
  bool by_itself = false;
  Handler handler;  // one of the two
  AsyncHandler async_handler;
};

// Thread-safe once all routes were added.
class Router {
 public:
  explicit Router(Authenticator& authenticator) : authenticator_(authenticator) {}
  // Programmer errors (the same route twice, no handler, two) CHECK.
  void Add(Route route);
  const std::vector<Route>& routes() const { return routes_; }

  // The route of a request that is being read, by method and path; null if there is none. `allow` becomes the methods that the path
  // has, if it has any. Fills request.params. HEAD finds GET's.
  const Route* Find(Request& request, std::string* allow) const;

  // Before a body is read that is larger than what anybody may send: why whoever asks may not have it read, if so. Not rated, and not instead
  // of Answer, which looks at everything.
  std::optional<Response> RefuseLargeBody(const Route& route, const Request& request, std::string* caller) const;

  // Answers; `respond` is called once, on this thread or another. In this order: 404 not_found and 405 method_not_allowed; 401
  // unauthenticated (with WWW-Authenticate) for a credential that is not good; 429 rate_limited; 401 without any; 404 if the pattern has
  // {merchant} and the caller may not see that one; 403 forbidden without the route's scope; 403 csrf for a session's change without its
  // token, unless the route is public; then the handler. `block` runs what may block on another thread.
  void Answer(Request request, const std::function<void(std::function<void()>)>& block, Respond respond) const;

 private:
  using Pattern = std::vector<std::string>;  // the parts of the path
  // What the names of the pattern stand for, if it fits.
  static std::optional<std::map<std::string, std::string>> Match(const Pattern& pattern,
                                                                 const std::vector<std::string_view>& parts);
  // Why not, if not. Finds out the caller.
  std::optional<Response> Refuse(const Route& route, const Request& request, Caller* caller) const;

  Authenticator& authenticator_;
  std::vector<Route> routes_;
  std::vector<Pattern> patterns_;  // of routes_, by index
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_ROUTER_H_
