// SPDX-License-Identifier: Apache-2.0
//
// Payment events from Amazon SQS into a ledger, each applied exactly once. docs/sqs.md has the semantics.
//
//   NW_ASSIGN_OR_RETURN(auto scheduler, Scheduler::Open(*store));
//   NW_ASSIGN_OR_RETURN(auto intake, Intake::Open(*ledger, *store, {.scheduler = scheduler.get()}));
//   NW_ASSIGN_OR_RETURN(auto source, SqsSource::Open(*intake, {.queue_url = url}));
//   NW_RETURN_IF_ERROR(source->Start());   // from here on it polls and applies, on threads of its own
//   ...
//   NW_RETURN_IF_ERROR(source->Stop());    // lets polls finish and gives back what is not applied
//
// A part of its own: link northwind::sqs, which needs libcurl.
#ifndef NORTHWIND_SQS_H_
#define NORTHWIND_SQS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/settlement.h"

namespace northwind {

inline constexpr int kMaxSqsPollers = 256;

// What is done with a message that can never be applied: one that is no event, or that goes to quarantine for another cause.
enum class SqsPoison : uint8_t {
  // It is deleted from the queue once it is durably in the intake's quarantine, from which it can be redriven. One that is larger than
  // kMaxEventBytes, of which the quarantine keeps only a part, is left to the queue's redrive policy if there is one.
  kQuarantine = 1,
  // It is put in quarantine and left to the queue's redrive policy, which moves it to the dead-letter queue after
  // maxReceiveCount receives. Start answers FailedPrecondition if the queue has none. Of a FIFO queue, messages are received one
  // by one: those that came with a poisonous one would be received as often as it, and end as it does.
  kRedrivePolicy = 2,
};

// How a message's body holds its event.
enum class SqsBody : uint8_t {
  kAuto = 1,      // JSON if it begins with '{', after blanks; else base64 of protobuf
  kJson = 2,      // the event's JSON
  kProtobuf = 3,  // base64 (RFC 4648, standard alphabet, with padding) of the event's protobuf
};

struct SqsOptions {
  // Such as "https://sqs.eu-central-1.amazonaws.com/123456789012/payments". A name that ends in ".fifo" is a FIFO queue.
  std::string queue_url;
  // Empty: AWS_REGION, AWS_DEFAULT_REGION, the profile's, or what an amazonaws.com queue URL says, in this order.
  std::string region;
  // Where requests go: scheme, host and port. Empty: AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, `endpoint_url` of sqs in the
  // [services] section that the profile names, `endpoint_url` of the profile, or that of the queue URL, in this order; the
  // last at once if AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, or the profile's `ignore_configured_endpoint_urls`, is true.
  std::string endpoint;
  // Of the shared configuration and credentials files. Empty: AWS_PROFILE, else "default". Credentials are looked for in the
  // environment, web identity, the files, the container's endpoint, the instance's (IMDSv2), in this order, and renewed 15
  // minutes before they expire.
  std::string profile;
  // A file of certificates in PEM form that are trusted instead of the system's; such as for a private endpoint. Empty:
  // AWS_CA_BUNDLE, `ca_bundle` of the profile, or the system's, in this order.
  std::string ca_bundle;

  SqsBody body = SqsBody::kAuto;
  // Bodies are notifications of SNS (without raw delivery): the event is in their Message.
  bool sns_envelope = false;
  SqsPoison poison = SqsPoison::kQuarantine;

  // Receives under way at a time, 1 … kMaxSqsPollers; each of up to 10 messages.
  int pollers = 4;
  // How long a receive waits for a message, 0 … 20 s, whole seconds.
  absl::Duration wait = absl::Seconds(20);
  // How long messages are hidden from others, 1 s … 12 h, whole seconds; prolonged while they wait here. 0: as the queue has it.
  absl::Duration visibility = absl::ZeroDuration();
  // Messages held at a time, received and not yet deleted or given back; and their bytes. No receive is begun that could go
  // past either, for which 10 messages of 1 MiB are reckoned: 10 … 100,000 messages, 16 MiB … 4 GiB.
  size_t max_messages = 20'000;
  size_t max_bytes = size_t{256} << 20;
  // Most messages in one call of Intake::Apply, 1 … 100,000.
  size_t batch = 8192;
};

enum class SqsState : uint8_t {
  kStopped = 1,  // not started, or stopped
  kRunning = 2,
  kWaiting =
      3,  // something that passes stands in the way, see SqsStats::status: no messages are received until it has passed
  kHalted = 4,  // something that a person must mend, see SqsStats::status: Start again after that
};
std::string_view Name(SqsState state);

struct SqsStats {
  SqsState state = SqsState::kStopped;
  absl::Status status;       // waiting and halted: why
  uint64_t received = 0;     // messages, each delivery counted
  uint64_t redelivered = 0;  // of those, with a receive count above one
  uint64_t deleted = 0;
  uint64_t returned = 0;  // made visible again without having been applied
  // Body does not have the MD5 that was told: left to be received again. Always 0 where the crypto library offers no MD5, as in FIPS mode:
  // bodies are then not checked.
  uint64_t corrupt = 0;
  uint64_t poison = 0;  // went to quarantine
  uint64_t applied =
      0;  // outcomes of Intake::Apply, of messages; what that resolved of events parked before is not counted
  uint64_t duplicates = 0;  // were applied before, or are settled under another time
  uint64_t rejected = 0;
  uint64_t parked = 0;
  uint64_t delete_failures = 0;  // deletes that the queue refused; the message comes again and is a duplicate
  uint64_t heartbeat_failures =
      0;                   // a message whose timeout could not be prolonged: it may come again while it is held
  uint64_t retries = 0;    // requests that were made again
  uint64_t throttled = 0;  // of those, because the service asked to slow down
  size_t held = 0;         // messages held now
  size_t held_bytes = 0;
};

// What the service says of a queue; approximate.
struct SqsCounts {
  uint64_t visible = 0;    // to be received
  uint64_t in_flight = 0;  // received by somebody, and neither deleted nor visible again
  uint64_t delayed = 0;    // sent, and not visible yet (DelaySeconds)

  bool none() const { return visible == 0 && in_flight == 0 && delayed == 0; }
};

// Receives events from one queue, applies them through an intake, and deletes them once that is durable.
//
// Exactly once. A message is deleted only after its event is durably applied, recognised, rejected, parked or in quarantine. One
// that comes again, because this process was killed before that, or because the queue delivers it twice, is a duplicate to
// the ledger. Any number of sources may read one queue, in one process or in many, as long as they feed one ledger.
//
// Order. Of a FIFO queue, messages of a group are applied in their order; one that is left in the queue, because it cannot be applied, stops
// its group: those after it are given back. One that is dealt with stops nothing: poison that is deleted once it is in quarantine, and an
// event that is parked, which is durable in the scheduler, deleted, and applied when the one it waits for comes. A standard queue has no
// order, and needs none: see Intake.
//
// Faults. What comes of the network or the service is tried again with full jitter, within a budget, until it passes (kWaiting).
// If the ledger or the store cannot take anything (disk full, poisoned), receiving stops, and messages are given back; a full disk
// is waited for, a poisoned ledger halts. Credentials, permissions or whole requests that are refused, heartbeats too, and a queue that
// does not exist halt. While a
// full disk is waited for, up to 10 messages are kept, by which it is seen when there is room: no other receive is used up.
//
// Thread-safe. Threads: one for HTTP, one for credentials, one that applies, one that keeps time.
class SqsSource {
 public:
  // InvalidArgument for options out of range or a configuration that cannot be read; FailedPrecondition if the intake has no
  // scheduler: parked events must be durable before their messages are deleted. Does not touch the network. The intake must
  // outlive the source.
  static absl::StatusOr<std::unique_ptr<SqsSource>> Open(Intake& intake, const SqsOptions& options);
  // Stop(), with what is not given back in 5 seconds left to its visibility timeout. Waits for a call of Intake::Apply that is under
  // way, as Stop does.
  ~SqsSource();
  SqsSource(const SqsSource&) = delete;
  SqsSource& operator=(const SqsSource&) = delete;

  // Asks the queue for its attributes and begins to poll. The errors are those that halt: NotFound, PermissionDenied,
  // Unauthenticated, FailedPrecondition (also if it has been started); and InvalidArgument. A queue that is not reachable now is no
  // error: it is waited for. To know that takes up to some minutes, which Stop, from another thread, cuts short: Cancelled.
  absl::Status Start();
  // Begins no more receives, waits for those under way (a receive that is cut off would hide its messages), applies what they
  // bring, deletes it, and gives back what could not be applied. Takes up to `wait` and a little more, such as what the last batch
  // takes. If the queue does not answer then, no more is deleted after the first failure, and 30 s after `wait` and the last batch all that is
  // under way is cut off: what is left comes again after its visibility timeout, and is a duplicate if it was applied. OK if stopped already;
  // the answer is always OK.
  absl::Status Stop();

  // Waits until a receive begun after the call has come back empty, with nothing held meanwhile and nothing brought by those that
  // began before it, so that the queue was seen empty. False if `timeout` passes first, or if it is stopped or halted. (SQS may answer empty although messages are there: a standard queue promises no
  // more. Ask for the attributes of the queue to be sure.)
  bool WaitUntilDrained(absl::Duration timeout);
  // Asks the queue how many messages it has. To settle a queue that nobody sends to any more: until drained, and there are none(), twice
  // in a row for a standard queue, whose counts may be behind by a minute. Blocks for one request, and its retries. The errors are those of
  // Start, and Unavailable, ResourceExhausted; Cancelled if Stop is called meanwhile.
  absl::StatusOr<SqsCounts> CountMessages() const;

  SqsStats Stats() const;

 private:
  class Core;
  explicit SqsSource(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind

#endif  // NORTHWIND_SQS_H_
