// SPDX-License-Identifier: Apache-2.0
//
// Webhooks: merchants are told what happened to their money, as it happens. Every journal record that an event belongs to
// becomes one message to each endpoint of its merchant that wants it, signed by Standard Webhooks, tried again by a policy
// until it is delivered or given up, with a receipt of every attempt. docs/webhooks.md has the catalogue of events and the
// semantics.
//
//   NW_ASSIGN_OR_RETURN(auto webhooks, Webhooks::Open({*ledger, *store, *scheduler},
//                                                     {.host_keys = {{.id = "2026-07", .key = key_of_32_bytes}}}));
//   NW_ASSIGN_OR_RETURN(NewEndpoint made, webhooks->CreateEndpoint("m_42", {.url = "https://shop.example/hook"}));
//   ... show made.secret to the merchant, once ...
//   NW_RETURN_IF_ERROR(webhooks->Start());
//
// A part of its own: link northwind::webhook, which needs libcurl.
#ifndef NORTHWIND_WEBHOOK_H_
#define NORTHWIND_WEBHOOK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/clock.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/sequence.h"
#include "northwind/store.h"

namespace northwind {

namespace internal {
struct WebhooksOnResolver;
}  // namespace internal

// ---- Policies -----------------------------------------------------------------------------------------------

inline constexpr absl::Duration kMinWebhookTimeout = absl::Milliseconds(100);
inline constexpr absl::Duration kMaxWebhookTimeout = absl::Minutes(1);
inline constexpr absl::Duration kMaxWebhookDelay = absl::Hours(24 * 30);  // between two attempts by a retry policy
inline constexpr uint32_t kMaxWebhookConcurrency = 256;
inline constexpr double kMaxWebhookRate = 100'000;
inline constexpr uint32_t kMaxWebhookBurst = 100'000;

// How an endpoint is told. That of the endpoint holds, else that of its merchant, else WebhookOptions::policy. A message keeps
// the retry policy and the timeout that held when it was made; concurrency and rate go by what holds now.
struct WebhookPolicy {
  RetryPolicy retry = RetryPolicy::StandardWebhooks();  // must end: by delays, attempts or age
  // Of one attempt, all of it: kMinWebhookTimeout … kMaxWebhookTimeout, kept to the millisecond.
  absl::Duration timeout = absl::Seconds(15);
  uint32_t max_concurrent = 8;  // attempts under way at one endpoint, 1 … kMaxWebhookConcurrency
  // Attempts a second, and how many may come at once after a pause. 0: no limit; else 0.01 … kMaxWebhookRate, kept to the thousandth.
  double max_per_second = 0;
  uint32_t burst = 10;  // 1 … kMaxWebhookBurst
  friend bool operator==(const WebhookPolicy&, const WebhookPolicy&) = default;
};

// When a delivery that always fails would be tried, counted from its message: without jitter, as if no attempt took time. The first `limit`
// attempts; fewer if it is given up before. InvalidArgument as of setting the policy.
absl::StatusOr<std::vector<absl::Duration>> PlanWebhookAttempts(const WebhookPolicy& policy, size_t limit);

// ---- Endpoints ----------------------------------------------------------------------------------------------

// Persisted; the values are pinned.
enum class EndpointState : uint8_t {
  kEnabled = 1,
  kPaused = 2,    // messages are made and wait until it is resumed
  kDisabled = 3,  // no messages are made; those that were under way become dead
};
std::string_view Name(EndpointState state);

// Persisted; the values are pinned.
enum class DisableReason : uint8_t {
  kByHand = 1,   // the host or the merchant asked for it
  kGone = 2,     // it answered 410
  kFailing = 3,  // it failed for longer than WebhookOptions::disable_after
};
std::string_view Name(DisableReason reason);

// How messages are signed (https://www.standardwebhooks.com). Persisted; the values are pinned.
enum class SignatureScheme : uint8_t {
  kHmacSha256 = 1,  // "v1": the merchant holds the same secret
  kEd25519 = 2,     // "v1a": the merchant holds a public key
};
// "v1", "v1a"
std::string_view Name(SignatureScheme scheme);

// A header that a merchant wants on its deliveries. Which are refused is in docs/webhooks.md.
struct CustomHeader {
  std::string name;   // a token of RFC 9110, compared without case, sent as written
  std::string value;  // printable ASCII, blanks and tabs not at the ends; may be empty
  friend bool operator==(const CustomHeader&, const CustomHeader&) = default;
};

struct Disabled {
  DisableReason reason = DisableReason::kByHand;
  absl::Time at;
  std::string detail;  // printable ASCII, for people
  friend bool operator==(const Disabled&, const Disabled&) = default;
};

struct EndpointSpec {
  // 1–64 characters of A–Z a–z 0–9 _ -; chosen by the caller, so that a call can be repeated after an unknown outcome (it then
  // answers AlreadyExists, and the secret is had by rotating it); "ep_" and 32 random hexadecimal digits if empty.
  std::string id;
  std::string url;
  std::vector<std::string> events = {"*"};  // patterns: "payout.paid", "payout.*", "*"; 1–32
  std::vector<CustomHeader> headers;        // up to 32
  std::optional<WebhookPolicy> policy;      // nothing: the merchant's
  SignatureScheme scheme = SignatureScheme::kHmacSha256;
};

// What is set is changed, the rest stays.
struct EndpointChange {
  std::optional<std::string> url;
  std::optional<std::vector<std::string>> events;
  std::optional<std::vector<CustomHeader>> headers;
  std::optional<std::optional<WebhookPolicy>> policy;  // set to nothing: the merchant's again
};

struct SecretRotation {
  // How long the secrets before stay good; 0 ends them at once (they leaked). At most 30 days.
  absl::Duration overlap = absl::Hours(24);
  std::optional<SignatureScheme> scheme;  // as before, if not set
};

// An endpoint as its merchant may see it: without secrets, and without the values of its headers.
struct WebhookEndpoint {
  std::string merchant_id;
  std::string id;
  uint64_t version = 1;  // one more with each change
  absl::Time created_at;
  absl::Time updated_at;
  EndpointState state = EndpointState::kEnabled;
  std::optional<Disabled> disabled;  // if, and only if, that is the state
  std::string url;                   // canonical
  std::vector<std::string> events;   // sorted, without what another pattern covers
  std::vector<std::string> header_names;
  std::optional<WebhookPolicy> policy;
  SignatureScheme scheme = SignatureScheme::kHmacSha256;  // of the newest secret
};

struct NewEndpoint {
  WebhookEndpoint endpoint;
  // "whsec_…" or "whpk_…", for the merchant. The only time that it is handed out.
  std::string secret;
};

struct WebhookEndpointPage {
  std::vector<WebhookEndpoint> endpoints;  // by id
  std::string next;                        // pass as `after`; empty at the end
};

// How an endpoint has been answering, since the process began if not said otherwise.
struct EndpointHealth {
  // Closed: it is told everything. Open: it failed too often in a row and is left alone until `retry_at`. Probing: one
  // attempt is made to see whether it is back.
  enum class Breaker : uint8_t { kClosed, kOpen, kProbing } breaker = Breaker::kClosed;
  absl::Time retry_at = absl::InfinitePast();         // kOpen
  absl::Time failing_since = absl::InfiniteFuture();  // durable; InfiniteFuture: it is not failing
  uint32_t consecutive_failures = 0;
};

// ---- Deliveries and their receipts ----------------------------------------------------------------------------

// Names a delivery: one message to one endpoint.
struct DeliveryName {
  std::string merchant_id;
  std::string endpoint_id;
  std::string
      message_id;  // the webhook-id, the same at all endpoints and in all attempts: "msg_" and 26 characters (a ULID)
  friend bool operator==(const DeliveryName&, const DeliveryName&) = default;
};

// Persisted; the values are pinned.
enum class DeliveryState : uint8_t {
  kPending = 1,    // it will be tried (again)
  kDelivered = 2,  // the endpoint answered 2xx
  kDead = 3,       // given up; it can be re-sent, redriven or recovered
  kCanceled = 4,   // its endpoint was deleted
};
std::string_view Name(DeliveryState state);

// Why an attempt did not deliver. Persisted; the values are pinned (1–13 as in src/http/result.h).
enum class AttemptFailure : uint8_t {
  kNone = 0,  // delivered
  kInvalidUrl = 1,
  kInvalidRequest = 2,
  kDns = 3,             // the name has no address, or could not be looked up
  kBlockedAddress = 4,  // the host leads to an address that is not public
  kBlockedPort = 5,
  kConnect = 6,
  kTls = 7,
  kTimeout = 8,
  kSend = 9,
  kReceive = 10,
  kHeadersTooLarge = 11,
  kAborted = 12,  // webhooks were stopped during the attempt
  kInternal = 13,
  kStatus = 32,     // answered, but neither 2xx nor one of the next
  kRedirect = 33,   // answered 3xx, which is not followed
  kGone = 34,       // answered 410: the endpoint was disabled
  kThrottled = 35,  // answered 429, or 503 with Retry-After
  kUnknown = 36,    // the process ended during the attempt: it may have arrived
  kDisabled = 37,   // not sent: the endpoint is disabled
};
std::string_view Name(AttemptFailure failure);

// Persisted; the values are pinned.
enum class AttemptTrigger : uint8_t {
  kSchedule = 1,
  kResend = 2,  // Resend
  kTest = 3,    // SendTest
};
std::string_view Name(AttemptTrigger trigger);

inline constexpr size_t kMaxKeptResponseBytes = 1024;

// The receipt of one attempt.
struct WebhookAttempt {
  DeliveryName delivery;
  std::string type;
  uint32_t number = 1;  // of the delivery's attempts, from 1
  AttemptTrigger trigger = AttemptTrigger::kSchedule;
  absl::Time at;  // when it began; of an unknown one, when it was found out
  uint64_t endpoint_version = 0;
  AttemptFailure failure = AttemptFailure::kNone;
  int status = 0;                              // of HTTP; 0: no answer
  std::string message;                         // of a failure: why, in words that the merchant may see
  absl::Time retry_at = absl::InfinitePast();  // what the answer's Retry-After asked for
  // What was answered: bytes of somebody else's making, cut to kMaxKeptResponseBytes.
  std::string response_body;
  bool response_truncated = false;
  // For operators: what a name resolves to inside a network is not the merchant's to know.
  std::string remote_address;  // "203.0.113.7:443"; empty if there was no connection
  bool reused_connection = false;
  // How long each phase took; zero for what did not happen.
  absl::Duration dns, connect, tls, first_byte, total;
};

struct WebhookDelivery {
  DeliveryName name;
  std::string type;
  Sequence sequence;  // in the journal; 0 for what no record made (tests, notices)
  absl::Time created_at;
  DeliveryState state = DeliveryState::kPending;
  uint32_t attempts = 0;  // with a receipt
  absl::Time last_attempt_at = absl::InfinitePast();
  AttemptFailure last_failure = AttemptFailure::kNone;
  int last_status = 0;
  absl::Time delivered_at = absl::InfinitePast();  // the first time
  // Of GetDelivery only:
  std::optional<absl::Time> next_attempt;
  std::string body;  // what is sent
};

inline constexpr size_t kMaxDeliveryPage = 1000;
inline constexpr size_t kMaxAttemptPage = 1000;

// Empty, infinite and unset fields do not choose.
struct DeliveryQuery {
  std::string merchant_id;  // must
  std::string endpoint_id;
  std::string message_id;
  std::string type;  // one event type
  std::optional<DeliveryState> state;
  absl::Time from = absl::InfinitePast();  // of the message, to the millisecond
  absl::Time before = absl::InfiniteFuture();
  Direction direction = Direction::kBackward;  // the newest first
  std::string after;                           // WebhookDeliveryPage::next of the page before
  size_t limit = 100;                          // 1 … kMaxDeliveryPage
};

struct WebhookDeliveryPage {
  std::vector<WebhookDelivery> deliveries;  // by the time of their message
  // Pass as `after`; empty at the end. A page may be short and have a next one: one call looks at no more than 10,000.
  std::string next;
};

struct AttemptQuery {
  std::string merchant_id;  // must
  std::string endpoint_id;
  std::string message_id;
  std::string type;
  std::optional<AttemptFailure> failure;
  std::optional<int> status;
  absl::Time from = absl::InfinitePast();  // of the attempt
  absl::Time before = absl::InfiniteFuture();
  Direction direction = Direction::kBackward;
  std::string after;
  size_t limit = 100;  // 1 … kMaxAttemptPage
};

struct WebhookAttemptPage {
  std::vector<WebhookAttempt> attempts;  // by time; with a message_id, by endpoint and number
  std::string next;                      // as above
};

// What there is to recover at an endpoint.
struct RecoveryCount {
  uint64_t delivered = 0;
  uint64_t pending = 0;
  uint64_t dead = 0;  // would be tried again
  uint64_t missing =
      0;  // fit the endpoint's filter and were not made for it (it was disabled, or is newer): would be made
  uint64_t recoverable() const { return dead + missing; }
  friend bool operator==(const RecoveryCount&, const RecoveryCount&) = default;
};

// Persisted; the values are pinned.
enum class RecoveryState : uint8_t { kRunning = 1, kDone = 2, kCanceled = 3 };
std::string_view Name(RecoveryState state);

struct Recovery {
  RecoveryState state = RecoveryState::kRunning;
  absl::Time since;
  absl::Time until;        // when it was begun: what comes later needs no recovering
  absl::Time reached;      // messages up to here have been dealt with
  uint64_t recovered = 0;  // deliveries that were made, or made to wait again
  uint32_t per_second = 0;
};

// ---- Webhooks -------------------------------------------------------------------------------------------------

// Keeps secrets at rest (AES-256-GCM): who reads or restores the store alone reads none.
struct WebhookHostKey {
  std::string id;   // 1–32 of A–Z a–z 0–9 . _ -; not secret
  std::string key;  // 32 random bytes; a passphrase is none
};

// A network that an operator opens although it is not public, or for ports that are not usual.
struct AllowedNetwork {
  std::string network;          // "10.7.0.0/16", "fd00::/8", "127.0.0.1/32"
  std::vector<uint16_t> ports;  // empty: any
};

struct WebhookOptions {
  // The newest first: it seals, all of them open. At least one.
  std::vector<WebhookHostKey> host_keys;
  WebhookPolicy policy;  // of merchants that have none of their own
  // An endpoint that has failed for so long, without one success, is disabled, and its merchant's others are told
  // (endpoint.disabled). 1 minute … infinite.
  absl::Duration disable_after = absl::Hours(24 * 5);
  // Messages, deliveries and receipts are kept at least so long, and until they are final. 1 hour … 10 years.
  absl::Duration keep_for = absl::Hours(24 * 30);

  // Where to. Public addresses on these ports, and what is allowed besides.
  bool plain_http = false;  // http without TLS: for tests and closed networks
  std::vector<uint16_t> ports = {443};
  std::vector<AllowedNetwork> allowed_networks;
  std::vector<std::string> denied_networks;  // although public or allowed
  std::string ca_bundle;                     // a PEM file, trusted instead of the system's certificates
  std::string user_agent = "northwind";

  // Of times; the system's if null. Should be the ledger's and the scheduler's.
  Clock* clock = nullptr;
  // When an endpoint is left alone: after so many failures in a row, for so long, twice as long after every probe that
  // fails, up to the longest.
  uint32_t breaker_failures = 5;  // 1 … 1000
  absl::Duration breaker_pause = absl::Seconds(30);
  absl::Duration breaker_longest_pause = absl::Minutes(10);

  // Bounds.
  // Attempts under way in all, 1 … 16,384; fewer if the process may not open so many files (docs/webhooks.md).
  size_t max_in_flight = 2048;
  size_t max_endpoints = 1'000'000;
  size_t max_endpoints_per_merchant = 32;
  // How long Stop lets attempts under way go on before they are aborted.
  absl::Duration stop_within = absl::Seconds(5);
};

struct WebhookStats {
  Sequence followed;  // the last journal record that messages were made of
  uint64_t endpoints = 0;
  uint64_t waiting = 0;  // deliveries that are not final
  uint64_t dead = 0;
  uint64_t in_flight = 0;
  // Since the process began:
  uint64_t messages = 0;    // made
  uint64_t deliveries = 0;  // made, one for each endpoint of a message
  uint64_t attempts = 0;    // ended, with a receipt
  uint64_t delivered = 0;
  uint64_t failed = 0;    // attempts
  uint64_t disabled = 0;  // endpoints, by 410 or for failing
  // OK, or why the last look for what is older than `keep_for` did not come to its end.
  absl::Status retention;
};

// Follows the journal, makes messages, sends them. One per store at a time; endpoints belong to it.
//
// Once and for ever: what a page of the journal gives (messages, deliveries, their tasks) is written together with the
// cursor, in one atomic write. A receiver may see a message more than once (when the process ends between the answer and the
// receipt); it then has the same webhook-id.
// Isolation: each endpoint has its own concurrency, rate and breaker; one that hangs holds no more than its own share.
// Durability: as ledger and scheduler; a receipt is written together with the end of its attempt. Thread safety: all methods
// from any thread. Errors of the store stop the threads; status() has the first. Host keys beginning with "nw/webhook/" are its own.
//
// Errors of all calls on endpoints: InvalidArgument (begins with the field at fault), NotFound, AlreadyExists,
// FailedPrecondition (another version: IsVersionConflict; or the wrong state), ResourceExhausted (as many as allowed, or the disk
// is full: nothing done), Aborted (the write failed, its outcome is unknown). Another merchant's endpoint is NotFound. No message
// holds a secret, a header's value or a whole URL.
class Webhooks {
 public:
  struct Parts {
    Ledger& ledger;
    Store& store;
    Scheduler& scheduler;  // its queues "nw/webhook" and "nw/webhook/now"
  };
  // All parts must outlive it. Messages are made of what is recorded after the first Open on a store. InvalidArgument for options out of
  // range; FailedPrecondition names a host key that is missing, or the store has webhooks open, or is a shadow; DataLoss for damaged records.
  static absl::StatusOr<std::unique_ptr<Webhooks>> Open(const Parts& parts, const WebhookOptions& options);
  ~Webhooks();  // Stop()
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

  // Begins to follow and to send, on threads of its own. FailedPrecondition if it has been started.
  absl::Status Start();
  // Lets attempts under way end, for `stop_within`, and stops the threads. Idempotent.
  void Stop();
  // OK, or why the threads stopped.
  absl::Status status() const;
  absl::StatusOr<WebhookStats> Stats() const;

  // ---- Endpoints --------------------------------------------------------------------------------------------
  // Every change is durable when it returns. A `version` that is given must be the endpoint's current one.
  absl::StatusOr<NewEndpoint> CreateEndpoint(std::string_view merchant, const EndpointSpec& spec);
  absl::StatusOr<WebhookEndpoint> UpdateEndpoint(std::string_view merchant, std::string_view id, uint64_t version,
                                                 const EndpointChange& change);
  absl::StatusOr<WebhookEndpoint> PauseEndpoint(std::string_view merchant, std::string_view id);
  absl::StatusOr<WebhookEndpoint> ResumeEndpoint(std::string_view merchant, std::string_view id);
  absl::StatusOr<WebhookEndpoint> DisableEndpoint(std::string_view merchant, std::string_view id,
                                                  std::string_view detail);
  // What was missed meanwhile is not sent by itself: see StartRecovery.
  absl::StatusOr<WebhookEndpoint> EnableEndpoint(std::string_view merchant, std::string_view id);
  absl::StatusOr<NewEndpoint> RotateSecret(std::string_view merchant, std::string_view id,
                                           const SecretRotation& rotation = {});
  // Deliveries that are not final become canceled when their time comes. Its id is not used again (AlreadyExists).
  absl::Status DeleteEndpoint(std::string_view merchant, std::string_view id);
  absl::StatusOr<WebhookEndpoint> GetEndpoint(std::string_view merchant, std::string_view id) const;
  absl::StatusOr<WebhookEndpointPage> ListEndpoints(std::string_view merchant, std::string_view after = {},
                                                    size_t limit = 100) const;
  absl::StatusOr<EndpointHealth> GetEndpointHealth(std::string_view merchant, std::string_view id) const;
  // Seals with the newest host key what an older one sealed, up to `limit` endpoints; how many. 0: none is left.
  absl::StatusOr<size_t> ResealSecrets(size_t limit = 1000);

  // Nothing: the default again.
  absl::Status SetMerchantPolicy(std::string_view merchant, const std::optional<WebhookPolicy>& policy);
  absl::StatusOr<std::optional<WebhookPolicy>> GetMerchantPolicy(std::string_view merchant) const;

  // ---- Deliveries -------------------------------------------------------------------------------------------
  absl::StatusOr<WebhookDelivery> GetDelivery(const DeliveryName& name) const;
  absl::StatusOr<WebhookDeliveryPage> ListDeliveries(const DeliveryQuery& query) const;
  absl::StatusOr<WebhookAttemptPage> ListAttempts(const AttemptQuery& query) const;

  // One attempt, now, whatever the delivery's state, beside those of its policy. FailedPrecondition if the endpoint is disabled;
  // AlreadyExists if one is on its way. When it delivers, the delivery is delivered.
  absl::Status Resend(const DeliveryName& name);
  // One attempt at a message of type webhook.test, whatever the endpoint's filter. Its delivery. FailedPrecondition if the endpoint is disabled.
  absl::StatusOr<DeliveryName> SendTest(std::string_view merchant, std::string_view endpoint);
  // Dead deliveries of an endpoint, or of all endpoints of all merchants, tried again by their policy, from its beginning; no
  // more than `per_second` become due in a second (0: all at once). How many. Done in durable steps: after an error, call it again.
  absl::StatusOr<size_t> RedriveDead(std::string_view merchant, std::string_view endpoint, uint32_t per_second = 0);
  absl::StatusOr<size_t> RedriveAllDead(uint32_t per_second = 0);

  // Everything since a time that the endpoint's filter fits and that was not delivered to it: what is dead is tried again, what was
  // not made for it is made. As far back as messages are kept, which is from the merchant's first endpoint on.
  absl::StatusOr<RecoveryCount> CountRecoverable(std::string_view merchant, std::string_view endpoint,
                                                 absl::Time since) const;
  // Goes on in the background, also after a restart, once Start was called. FailedPrecondition while one is running there or the endpoint is
  // disabled. `per_second`: as above.
  absl::StatusOr<Recovery> StartRecovery(std::string_view merchant, std::string_view endpoint, absl::Time since,
                                         uint32_t per_second = 100);
  // The last one. NotFound if there was none.
  absl::StatusOr<Recovery> GetRecovery(std::string_view merchant, std::string_view endpoint) const;
  // What was recovered so far stays so. FailedPrecondition if none is running.
  absl::StatusOr<Recovery> CancelRecovery(std::string_view merchant, std::string_view endpoint);

 private:
  friend struct internal::WebhooksOnResolver;  // northwind's own tests
  class Core;
  explicit Webhooks(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

// Whether an error says that the endpoint has another version than the caller saw: read it again, decide again.
bool IsVersionConflict(const absl::Status& status);

// All types of messages there are, sorted.
absl::Span<const std::string_view> WebhookEventTypes();

// ---- Receiving --------------------------------------------------------------------------------------------------

// The three headers of a message, by their values.
struct WebhookHeaders {
  std::string id;         // webhook-id
  std::string timestamp;  // webhook-timestamp
  std::string signature;  // webhook-signature
};

// Whether a message that arrived is by the holder of one of the keys ("whsec_…" or "whpk_…"; two during a rotation), and of now, give or
// take the tolerance. InvalidArgument: a header or key is malformed; OutOfRange: too old or too new; Unauthenticated: another body,
// id, time or key. A receiver should also remember ids for as long as it accepts them: a message may come more than once.
absl::Status VerifyWebhook(absl::Span<const std::string> keys, const WebhookHeaders& headers, std::string_view body,
                           absl::Time now, absl::Duration tolerance = absl::Seconds(300));

}  // namespace northwind

#endif  // NORTHWIND_WEBHOOK_H_
