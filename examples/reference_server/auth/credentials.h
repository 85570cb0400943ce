// SPDX-License-Identifier: Apache-2.0
//
// Who may ask: keys of operators and services, sessions of merchants, the links that sessions begin with, and how often each may ask.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_CREDENTIALS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_CREDENTIALS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/reference_server/http/router.h"
#include "northwind/clock.h"
#include "northwind/store.h"

namespace northwind::server {

struct KeySpec {
  std::string name;  // 1–64 of A–Z a–z 0–9 . _ -, for people; need not be the only one
  std::set<Scope> scopes;
  std::string merchant;  // good for this one only; empty: all
  absl::Time expires_at = absl::InfiniteFuture();
};

// What is kept of a key: not the key.
struct KeyView {
  std::string id;  // "key_" and 16 hexadecimal digits
  KeySpec spec;
  absl::Time created_at;
  absl::Time last_used_at = absl::InfinitePast();  // to the minute; durable now and then
  absl::Time revoked_at = absl::InfiniteFuture();  // from then on it is not good
};

struct NewKey {
  KeyView view;
  // "nwk_" id "_" 64 hexadecimal digits (256 random bits). The only time that it is handed out; SHA-256 of it is kept.
  std::string key;
};

struct CredentialsOptions {
  Clock* clock = nullptr;  // the system's if null
  absl::Duration link_lifetime = absl::Minutes(10);
  absl::Duration session_idle = absl::Hours(1);  // without a request
  absl::Duration session_lifetime = absl::Hours(12);
  // Requests a second and how many at once, of one caller; and of one address that shows no good credential.
  double key_rate = 5'000;
  double key_burst = 10'000;
  double session_rate = 20;
  double session_burst = 100;
  double address_rate = 10;
  double address_burst = 50;
  // The session's cookie is kPlainSessionCookie, without `Secure`.
  bool plain_cookies = false;
  size_t max_keys = 10'000;         // with those that were revoked or expired, which are kept for 90 days
  size_t max_sessions = 1'000'000;  // more are ResourceExhausted; they are in memory, some 150 bytes each
  size_t max_addresses = 100'000;   // remembered for their rates; the one that asked longest ago is forgotten first
};

// What a merchant signs in by, once.
struct PortalLink {
  std::string token;  // 256 random bits, in hexadecimal; SHA-256 of it is kept
  absl::Time expires_at;
};

// Whether a session is used by what is asked, so that it is good for session_idle from then on.
enum class SessionUse : uint8_t { kUsed, kSeenOnly };

struct Session {
  std::string cookie;      // 256 random bits; for Set-Cookie
  std::string csrf_token;  // follows from the cookie: HMAC-SHA256
  std::string merchant;
  absl::Time expires_at;  // at the latest; earlier if nothing is asked for session_idle
};

inline constexpr std::string_view kSessionCookie = "__Host-northwind";
// Without TLS in front, which __Host- needs: for demonstrations on one machine.
inline constexpr std::string_view kPlainSessionCookie = "northwind-plain";
inline constexpr std::string_view kCsrfField = "X-CSRF-Token";

// 1–64 of A–Z a–z 0–9 . _ -, as in events.
bool IsMerchantId(std::string_view id);

// Keeps hashes of all of it in the store, under host keys that begin with "server/auth/", so that who reads or restores the store can sign in
// as nobody. Comparisons of secrets take the same time whatever is compared. Thread-safe; every change is durable when it returns, but for
// when keys and sessions were used last, which is written about once a minute, and when this ends, by a thread of its own: no request
// reads or writes the disk to be authenticated.
class Credentials final : public Authenticator {
 public:
  // All of it is read: DataLoss if a record is damaged, with its key. InvalidArgument for options out of bounds.
  static absl::StatusOr<std::unique_ptr<Credentials>> Open(Store& store, const CredentialsOptions& options = {});
  ~Credentials() override;

  // ---- Keys
  // `seed`, if there is one, gives the id: a repeat is AlreadyExists, with the id as its message, whatever else it asks. InvalidArgument,
  // also for operators' scopes on a key of one merchant; ResourceExhausted beyond max_keys.
  absl::StatusOr<NewKey> CreateKey(const KeySpec& spec, std::string_view seed = {});
  // A new key for the same (also for as long): the one of before stays good for `overlap` (0 … 30 days). NotFound; FailedPrecondition if
  // it is not good any more.
  absl::StatusOr<NewKey> RotateKey(std::string_view id, absl::Duration overlap);
  absl::Status RevokeKey(std::string_view id);  // at once; idempotent; NotFound
  absl::StatusOr<KeyView> GetKey(std::string_view id) const;
  // By id.
  absl::StatusOr<std::vector<KeyView>> ListKeys(std::string_view after = {}, size_t limit = 100) const;

  // ---- Merchants
  // A token of 256 random bits, good once, for link_lifetime. `merchant` as in events: InvalidArgument if it cannot be one.
  absl::StatusOr<PortalLink> CreateLink(std::string_view merchant);
  // Unauthenticated if the token is unknown, used or too old: the same answer for each. ResourceExhausted
  // beyond max_sessions; the link is still good then.
  absl::StatusOr<Session> SignIn(std::string_view token);
  // Idempotent.
  absl::Status SignOut(std::string_view cookie);
  std::string_view cookie_name() const;
  // Of a good session, for pages that were loaded anew.
  absl::StatusOr<Session> FindSession(const Request& request);

  // Whether what a request was let in by is good still: for what goes on after its answer has begun. It is no use of the session, and
  // neither is that a browser opens a stream again (Recognise): one whose stream stands open ends when nothing else is asked. This must outlive
  // what is returned.
  std::function<bool()> StillGood(const Request& request, const Caller& caller) const;

  // ---- Authenticator
  // `Authorization: Bearer nwk_…`, else the cookie. Both at once are InvalidArgument, and so are two of one.
  absl::StatusOr<Caller> Authenticate(const Request& request) override;
  absl::StatusOr<Caller> Recognise(
      const Request& request) override;  // of keys it is a use: they do not end by being idle
  bool HasCsrfToken(const Request& request, const Caller& caller) override;
  std::optional<absl::Duration> OverRate(const Request& request, const Caller& caller) override;

 private:
  class Core;
  absl::StatusOr<Caller> Find(const Request& request, SessionUse use);
  explicit Credentials(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_CREDENTIALS_H_
