// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/credentials.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "examples/reference_server/auth/keys.h"
#include "examples/reference_server/auth/links.h"
#include "examples/reference_server/auth/rate_limiter.h"
#include "examples/reference_server/auth/record.h"
#include "examples/reference_server/auth/sessions.h"
#include "examples/reference_server/text.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr absl::Duration kHousekeepingEvery = absl::Minutes(1);

// All values of a field, which a request should have once at most.
std::vector<std::string_view> AllOf(const Request& request, std::string_view name) {
  std::vector<std::string_view> values;
  for (const Field& field : request.fields) {
    if (absl::EqualsIgnoreCase(field.name, ToAbsl(name))) values.emplace_back(field.value);
  }
  return values;
}

std::string_view WithoutSpaces(std::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(ToAbsl(text));
  return {trimmed.data(), trimmed.size()};
}

// The values of the cookies of that name, of all Cookie fields.
std::vector<std::string_view> CookiesOf(const Request& request, std::string_view name) {
  std::vector<std::string_view> values;
  for (const std::string_view field : AllOf(request, "Cookie")) {
    for (size_t begin = 0; begin <= field.size();) {
      const size_t end = std::min(field.find(';', begin), field.size());
      const std::string_view pair = WithoutSpaces(field.substr(begin, end - begin));
      const size_t equals = pair.find('=');
      if (equals != std::string_view::npos && pair.substr(0, equals) == name) values.push_back(pair.substr(equals + 1));
      begin = end + 1;
    }
  }
  return values;
}

// What comes after "Bearer "; empty if it is not that.
std::string_view BearerOf(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(ToAbsl(authorization), ToAbsl(kScheme))) return {};
  return WithoutSpaces(authorization.substr(kScheme.size()));
}

absl::Status CheckOptions(const CredentialsOptions& options) {
  for (const double rate : {options.key_rate, options.session_rate, options.address_rate}) {
    if (!(rate > 0)) return absl::InvalidArgumentError("credentials: a rate must be more than 0 a second");
  }
  for (const double burst : {options.key_burst, options.session_burst, options.address_burst}) {
    if (!(burst >= 1)) return absl::InvalidArgumentError("credentials: a burst must be 1 or more");
  }
  for (const absl::Duration time : {options.link_lifetime, options.session_idle, options.session_lifetime}) {
    if (time <= absl::ZeroDuration() || time > absl::Hours(24 * 365)) {
      return absl::InvalidArgumentError("credentials: lifetimes are more than nothing and at most a year");
    }
  }
  if (options.max_keys == 0 || options.max_sessions == 0 || options.max_addresses == 0) {
    return absl::InvalidArgumentError("credentials: none may be kept at most");
  }
  return absl::OkStatus();
}

}  // namespace

class Credentials::Core {
 public:
  Core(Store& store, const CredentialsOptions& options, std::unique_ptr<KeyRing> key_ring,
       std::unique_ptr<Sessions> all_sessions)
      : clock(options.clock != nullptr ? *options.clock : *Clock::System()),
        cookie_name(options.plain_cookies ? kPlainSessionCookie : kSessionCookie),
        keys(std::move(key_ring)),
        sessions(std::move(all_sessions)),
        links(store, options.link_lifetime),
        key_rates(options.key_rate, options.key_burst, options.max_keys),
        session_rates(options.session_rate, options.session_burst, options.max_sessions),
        address_rates(options.address_rate, options.address_burst, options.max_addresses),
        kept_house_(clock.Elapsed()) {
    housekeeper_ = std::thread([this] { KeepHouse(); });
  }

  ~Core() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    housekeeper_.join();
    Tidy();
  }

  // Called with every request that shows a credential: what is due is done on the thread of its own, never on the request's.
  void Notice() {
    const absl::Duration elapsed = clock.Elapsed();
    absl::MutexLock lock(&mutex_);
    if (elapsed - kept_house_ < kHousekeepingEvery) return;
    kept_house_ = elapsed;
    due_ = true;
  }

  // What was shown is not good: that counts against the address, so that what it may ask without a credential is refused too.
  absl::Status Refuse(const Request& request, const char* why) {
    address_rates.Take(RateName(request.remote), clock.Elapsed());
    return absl::UnauthenticatedError(why);
  }

  // Exactly one cookie of a session; InvalidArgument if there are two; empty if there is none.
  absl::StatusOr<std::string_view> CookieOf(const Request& request) const {
    const std::vector<std::string_view> cookies = CookiesOf(request, cookie_name);
    if (cookies.empty()) return std::string_view();
    if (cookies.size() > 1) return absl::InvalidArgumentError("the session's cookie comes twice");
    return cookies.front();
  }

  Clock& clock;
  const std::string_view cookie_name;
  const std::unique_ptr<KeyRing> keys;
  const std::unique_ptr<Sessions> sessions;
  Links links;
  RateLimiter key_rates;
  RateLimiter session_rates;
  RateLimiter address_rates;

 private:
  void KeepHouse() {
    absl::MutexLock lock(&mutex_);
    const auto something_to_do = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return due_ || stopping_; };
    while (!stopping_) {
      // What the last request of a busy time has left is done a minute later, without another request.
      mutex_.AwaitWithTimeout(absl::Condition(&something_to_do), kHousekeepingEvery);
      if (stopping_) return;
      due_ = false;
      mutex_.Unlock();
      Tidy();
      mutex_.Lock();
    }
  }

  // What fails is tried again a minute later; a store that takes no writes shows in everything else that is asked of it.
  void Tidy() {
    const absl::Time now = clock.Now();
    keys->Flush(now).IgnoreError();
    sessions->Flush(now).IgnoreError();
    links.RemoveExpired(now).IgnoreError();
  }

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool due_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration kept_house_ ABSL_GUARDED_BY(mutex_);
  std::thread housekeeper_;
};

bool IsMerchantId(std::string_view id) { return IsPlainName(id); }

Credentials::Credentials(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Credentials::~Credentials() = default;

absl::StatusOr<std::unique_ptr<Credentials>> Credentials::Open(Store& store, const CredentialsOptions& options) {
  NW_RETURN_IF_ERROR(CheckOptions(options));
  NW_ASSIGN_OR_RETURN(std::unique_ptr<KeyRing> keys, KeyRing::Open(store, options.max_keys));
  const SessionLimits limits{
      .idle = options.session_idle, .lifetime = options.session_lifetime, .max_sessions = options.max_sessions};
  NW_ASSIGN_OR_RETURN(std::unique_ptr<Sessions> sessions, Sessions::Open(store, limits));
  NW_RETURN_IF_ERROR(Links(store, options.link_lifetime).Check());
  auto core = std::make_unique<Core>(store, options, std::move(keys), std::move(sessions));
  return std::unique_ptr<Credentials>(new Credentials(std::move(core)));
}

std::string_view Credentials::cookie_name() const { return core_->cookie_name; }

absl::StatusOr<NewKey> Credentials::CreateKey(const KeySpec& spec, std::string_view seed) {
  return core_->keys->Create(spec, seed, core_->clock.Now());
}

absl::StatusOr<NewKey> Credentials::RotateKey(std::string_view id, absl::Duration overlap) {
  return core_->keys->Rotate(id, overlap, core_->clock.Now());
}

absl::Status Credentials::RevokeKey(std::string_view id) { return core_->keys->Revoke(id, core_->clock.Now()); }

absl::StatusOr<KeyView> Credentials::GetKey(std::string_view id) const { return core_->keys->Get(id); }

absl::StatusOr<std::vector<KeyView>> Credentials::ListKeys(std::string_view after, size_t limit) const {
  return core_->keys->List(after, limit);
}

absl::StatusOr<PortalLink> Credentials::CreateLink(std::string_view merchant) {
  return core_->links.Create(merchant, core_->clock.Now());
}

absl::StatusOr<Session> Credentials::SignIn(std::string_view token) {
  core_->Notice();
  return core_->links.Redeem(token, *core_->sessions, core_->clock.Now());
}

absl::Status Credentials::SignOut(std::string_view cookie) { return core_->sessions->End(cookie); }

absl::StatusOr<Session> Credentials::FindSession(const Request& request) {
  NW_ASSIGN_OR_RETURN(const std::string_view cookie, core_->CookieOf(request));
  const std::optional<Sessions::Found> found = core_->sessions->Find(cookie, core_->clock.Now(), SessionUse::kUsed);
  if (!found.has_value()) return absl::UnauthenticatedError("there is no session, or it has ended");
  return Session{.cookie = std::string(cookie),
                 .csrf_token = CsrfTokenOf(cookie),
                 .merchant = found->merchant,
                 .expires_at = found->expires_at};
}

std::function<bool()> Credentials::StillGood(const Request& request, const Caller& caller) const {
  const Core& core = *core_;
  if (caller.kind == Caller::Kind::kKey) {
    return [&core, id = caller.id] {
      const absl::StatusOr<KeyView> key = core.keys->Get(id);
      const absl::Time now = core.clock.Now();
      return key.ok() && now < key->revoked_at && now < key->spec.expires_at;
    };
  }
  const absl::StatusOr<std::string_view> cookie = core.CookieOf(request);
  if (caller.kind != Caller::Kind::kSession || !cookie.ok()) return [] { return false; };
  return [&core, shown = std::string(*cookie)] { return core.sessions->IsGood(shown, core.clock.Now()); };
}

absl::StatusOr<Caller> Credentials::Authenticate(const Request& request) { return Find(request, SessionUse::kUsed); }

absl::StatusOr<Caller> Credentials::Recognise(const Request& request) { return Find(request, SessionUse::kSeenOnly); }

absl::StatusOr<Caller> Credentials::Find(const Request& request, SessionUse use) {
  const std::vector<std::string_view> authorizations = AllOf(request, "Authorization");
  NW_ASSIGN_OR_RETURN(const std::string_view cookie, core_->CookieOf(request));
  if (authorizations.empty() && cookie.empty()) return Caller{};
  if (authorizations.size() > 1) return absl::InvalidArgumentError("there is more than one Authorization field");
  if (!authorizations.empty() && !cookie.empty()) {
    return absl::InvalidArgumentError("there are a key and a session's cookie: send one of them");
  }
  core_->Notice();
  const absl::Time now = core_->clock.Now();
  if (!authorizations.empty()) {
    std::optional<KeyView> key = core_->keys->Use(BearerOf(authorizations.front()), now);
    if (!key.has_value()) return core_->Refuse(request, "the key is not good");
    return Caller{.kind = Caller::Kind::kKey,
                  .id = std::move(key->id),
                  .actor = absl::StrCat("key:", key->spec.name),
                  .scopes = std::move(key->spec.scopes),
                  .merchant = std::move(key->spec.merchant)};
  }
  std::optional<Sessions::Found> session = core_->sessions->Find(cookie, now, use);
  if (!session.has_value()) return core_->Refuse(request, "the session is not good");
  return Caller{.kind = Caller::Kind::kSession,
                .id = std::move(session->id),
                .actor = absl::StrCat("merchant:", session->merchant),
                .scopes = {Scope::kMerchantRead, Scope::kMerchantWrite},
                .merchant = std::move(session->merchant)};
}

bool Credentials::HasCsrfToken(const Request& request, const Caller& caller) {
  if (caller.kind != Caller::Kind::kSession) return false;
  const std::vector<std::string_view> tokens = AllOf(request, kCsrfField);
  const absl::StatusOr<std::string_view> cookie = core_->CookieOf(request);
  return cookie.ok() && !cookie->empty() && tokens.size() == 1 && SameSecret(tokens.front(), CsrfTokenOf(*cookie));
}

std::optional<absl::Duration> Credentials::OverRate(const Request& request, const Caller& caller) {
  const absl::Duration elapsed = core_->clock.Elapsed();
  switch (caller.kind) {
    case Caller::Kind::kKey:
      return core_->key_rates.Take(caller.id, elapsed);
    case Caller::Kind::kSession:
      return core_->session_rates.Take(caller.id, elapsed);
    case Caller::Kind::kNobody:
      break;
  }
  const std::string address = RateName(request.remote);
  // Authenticate has counted a credential that is not good.
  const bool counted = request.field("Authorization").has_value() || !CookiesOf(request, core_->cookie_name).empty();
  return counted ? core_->address_rates.Wait(address, elapsed) : core_->address_rates.Take(address, elapsed);
}

}  // namespace northwind::server
