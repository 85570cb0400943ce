// SPDX-License-Identifier: Apache-2.0
//
// The front of webhooks: its parts, the thread that makes messages and keeps house, and what merchants and operators call.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "northwind/status.h"
#include "northwind/webhook.h"
#include "src/base/error.h"
#include "src/store/engine.h"
#include "src/webhook/delivery_batch.h"
#include "src/webhook/delivery_reader.h"
#include "src/webhook/delivery_record.h"
#include "src/webhook/endpoint_book.h"
#include "src/webhook/fanout.h"
#include "src/webhook/merchant_policies.h"
#include "src/webhook/message.h"
#include "src/webhook/recovery.h"
#include "src/webhook/retention.h"
#include "src/webhook/secret_box.h"
#include "src/webhook/sender.h"
#include "src/webhook/webhook_policy.h"
#include "src/webhook/webhooks_on_resolver.h"

namespace northwind {

using internal::EndpointBook;
using internal::EndpointPtr;
using internal::Error;
using internal::ToAbsl;
namespace http = internal::http;

namespace {

constexpr absl::Duration kWait =
    absl::Milliseconds(200);  // how long the thread waits before it looks what else there is
constexpr absl::Duration kRoomAgain = absl::Milliseconds(100);
constexpr absl::Duration kSweepEvery = absl::Minutes(10);
constexpr size_t kSweepMessages = 100;
constexpr size_t kFollowPage = 1000;
// Descriptors that are left to the host when attempts take what the process may open.
constexpr size_t kOtherDescriptors = 256;

WebhookEndpoint Describe(const EndpointBook& book, const internal::Endpoint& endpoint) {
  WebhookEndpoint described{.merchant_id = endpoint.merchant_id,
                            .id = endpoint.id,
                            .version = endpoint.version,
                            .created_at = endpoint.created_at,
                            .updated_at = endpoint.updated_at,
                            .state = endpoint.state,
                            .disabled = endpoint.disabled,
                            .url = endpoint.url,
                            .events = endpoint.events.patterns(),
                            .policy = endpoint.policy,
                            .scheme = endpoint.secrets.front().scheme};
  // They were opened when the book was; only a host key that is gone since could fail.
  if (const auto headers = book.Headers(endpoint); headers.ok()) {
    for (const CustomHeader& header : *headers) described.header_names.push_back(header.name);
  }
  return described;
}

absl::StatusOr<http::IpRange> ParseNetwork(const char* field, const std::string& text) {
  const absl::StatusOr<http::IpRange> range = http::IpRange::Parse(text);
  if (range.ok()) return *range;
  return Error(absl::StatusCode::kInvalidArgument, field, ": '", text, "' is no network, such as 10.7.0.0/16");
}

absl::StatusOr<http::ClientOptions> ClientOptionsOf(const WebhookOptions& options) {
  http::ClientOptions client{
      .schemes = options.plain_http ? http::Schemes::kHttpAndHttps : http::Schemes::kHttpsOnly,
      .guard = {.ports = options.ports},
      .ca_bundle = options.ca_bundle,
      .user_agent = options.user_agent,
  };
  for (const AllowedNetwork& allowed : options.allowed_networks) {
    NW_ASSIGN_OR_RETURN(const http::IpRange range, ParseNetwork("allowed_networks", allowed.network));
    client.guard.allowed.push_back({range, allowed.ports});
  }
  for (const std::string& denied : options.denied_networks) {
    NW_ASSIGN_OR_RETURN(const http::IpRange range, ParseNetwork("denied_networks", denied));
    client.guard.denied.push_back(range);
  }
  return client;
}

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(what); }

absl::Status CheckOptions(const WebhookOptions& options) {
  NW_RETURN_IF_ERROR(internal::CheckWebhookPolicy(options.policy));
  if (options.host_keys.empty()) return Bad("host_keys: at least one is needed");
  if (options.disable_after < absl::Minutes(1)) return Bad("disable_after: must be at least 1 minute");
  if (options.keep_for < absl::Hours(1) || options.keep_for > absl::Hours(24 * 3660)) {
    return Bad("keep_for: must be 1 hour to 10 years");
  }
  if (options.breaker_failures < 1 || options.breaker_failures > 1000)
    return Bad("breaker_failures: must be 1 to 1000");
  if (options.breaker_pause < absl::Milliseconds(1) || options.breaker_pause > options.breaker_longest_pause ||
      options.breaker_longest_pause > absl::Hours(24)) {
    return Bad("breaker_pause: must be 1 ms to breaker_longest_pause, and that at most 24 hours");
  }
  if (options.max_endpoints < 1 || options.max_endpoints > 10'000'000)
    return Bad("max_endpoints: must be 1 to 10000000");
  if (options.max_endpoints_per_merchant < 1 || options.max_endpoints_per_merchant > 1000) {
    return Bad("max_endpoints_per_merchant: must be 1 to 1000");
  }
  if (options.max_in_flight < 1 || options.max_in_flight > 16'384) return Bad("max_in_flight: must be 1 to 16384");
  if (options.stop_within < absl::ZeroDuration() || options.stop_within > absl::Hours(1)) {
    return Bad("stop_within: must be 0 to 1 hour");
  }
  return absl::OkStatus();
}

// Every attempt may need a connection, and a connection a descriptor.
size_t AttemptsThatFit(size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const auto descriptors = static_cast<size_t>(limit.rlim_cur);
  const size_t left = descriptors > 2 * kOtherDescriptors ? descriptors - kOtherDescriptors : descriptors / 2;
  return std::clamp<size_t>(left / 2, 1, wanted);  // as many again are kept open for later
}

}  // namespace

class Webhooks::Core {
 public:
  static absl::StatusOr<std::unique_ptr<Core>> Open(const Parts& parts, const WebhookOptions& options,
                                                    http::ResolveFunction resolve);
  ~Core() {
    Stop();
    parts_.store.engine().ReleaseSlot(internal::Engine::Slot::kWebhooks);
  }

  absl::Status Start();
  void Stop();
  absl::Status status() const;
  absl::StatusOr<WebhookStats> Stats() const;

  // An endpoint as it is after a change, of which the sender is told.
  absl::StatusOr<WebhookEndpoint> Changed(const absl::StatusOr<EndpointPtr>& endpoint);
  absl::StatusOr<NewEndpoint> Create(std::string_view merchant, const EndpointSpec& spec);
  absl::StatusOr<NewEndpoint> Made(absl::StatusOr<internal::NewSecret> made);
  absl::Status Delete(std::string_view merchant, std::string_view id);
  absl::Status SetPolicy(std::string_view merchant, const std::optional<WebhookPolicy>& policy);

  absl::Status Resend(const DeliveryName& name);
  absl::StatusOr<DeliveryName> SendTest(std::string_view merchant, std::string_view endpoint);
  absl::StatusOr<size_t> Redrive(const DeadFilter& filter, uint32_t per_second);
  absl::StatusOr<RecoveryCount> CountRecoverable(std::string_view merchant, std::string_view endpoint,
                                                 absl::Time since) const;

  EndpointBook& book() { return *book_; }
  const internal::MerchantPolicies& policies() const { return *policies_; }
  const internal::DeliveryReader& reader() const { return *reader_; }
  internal::Recoveries& recoveries() { return *recoveries_; }
  internal::Sender& sender() { return *sender_; }

 private:
  Core(const Parts& parts, const WebhookOptions& options)
      : parts_(parts), options_(options), clock_(options.clock != nullptr ? *options.clock : *Clock::System()) {}

  // Follows the journal, and between two pages of it recovers and sweeps: one thread, so that none of these meets another.
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status LoopOnce() ABSL_LOCKS_EXCLUDED(old_mutex_);
  absl::StatusOr<bool> Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(old_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);

  const Parts parts_;
  const WebhookOptions options_;
  Clock& clock_;
  absl::Mutex records_mutex_;  // see Sender::Parts
  std::unique_ptr<EndpointBook> book_;
  std::unique_ptr<internal::MerchantPolicies> policies_;
  std::unique_ptr<internal::DeliveryReader> reader_;
  std::unique_ptr<internal::Fanout> fanout_;
  std::unique_ptr<internal::Recoveries> recoveries_;
  std::unique_ptr<internal::Retention> retention_;
  std::unique_ptr<internal::Sender> sender_;

  // Held while messages are swept, and while something is made of an old one.
  absl::Mutex old_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  std::string sweep_from_ ABSL_GUARDED_BY(old_mutex_);
  absl::Duration swept_ ABSL_GUARDED_BY(old_mutex_) = -absl::InfiniteDuration();

  absl::Mutex lifecycle_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // held while threads begin and end
  std::thread thread_ ABSL_GUARDED_BY(lifecycle_mutex_);
  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  absl::Status retention_status_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> stopping_{false};
};

absl::StatusOr<std::unique_ptr<Webhooks::Core>> Webhooks::Core::Open(const Parts& parts, const WebhookOptions& options,
                                                                     http::ResolveFunction resolve) {
  // Before there is anything that could send.
  if (parts.store.shadow()) return absl::FailedPreconditionError("a shadow store sends nothing: webhooks do not open");
  NW_RETURN_IF_ERROR(CheckOptions(options));
  NW_ASSIGN_OR_RETURN(http::ClientOptions client, ClientOptionsOf(options));
  if (resolve) client.resolve = std::move(resolve);
  // A bad bundle or user agent is to be found now.
  NW_RETURN_IF_ERROR(http::Client::Create(client).status());
  std::vector<internal::HostKey> keys;
  for (const WebhookHostKey& key : options.host_keys) keys.push_back({key.id, internal::SecretBytes(key.key)});
  NW_ASSIGN_OR_RETURN(internal::SecretBox box, internal::SecretBox::Make(std::move(keys)));

  internal::Engine& engine = parts.store.engine();
  if (!engine.AcquireSlot(internal::Engine::Slot::kWebhooks)) {
    return absl::FailedPreconditionError("the store has webhooks open");
  }
  std::unique_ptr<Core> core(new Core(parts, options));
  NW_ASSIGN_OR_RETURN(core->book_,
                      EndpointBook::Open(engine, std::move(box),
                                         {.clock = &core->clock_,
                                          .plain_http = options.plain_http ? internal::PlainHttp::kAllowed
                                                                           : internal::PlainHttp::kRefused,
                                          .max_endpoints = options.max_endpoints,
                                          .max_endpoints_per_merchant = options.max_endpoints_per_merchant}));
  NW_ASSIGN_OR_RETURN(core->policies_, internal::MerchantPolicies::Open(engine, options.policy));
  core->reader_ = std::make_unique<internal::DeliveryReader>(engine, parts.scheduler);
  core->fanout_ =
      std::make_unique<internal::Fanout>(parts.ledger, parts.store, parts.scheduler, *core->book_, *core->policies_);
  NW_RETURN_IF_ERROR(core->fanout_->Load());
  core->recoveries_ = std::make_unique<internal::Recoveries>(
      internal::Recoveries::Parts{parts.store, parts.scheduler, *core->book_, *core->policies_, core->clock_,
                                  core->records_mutex_, *core->fanout_});
  NW_RETURN_IF_ERROR(core->recoveries_->Load());
  core->retention_ = std::make_unique<internal::Retention>(engine, parts.scheduler);
  core->sender_ = std::make_unique<internal::Sender>(
      internal::Sender::Parts{parts.store, parts.scheduler, *core->book_, *core->policies_, core->clock_,
                              core->records_mutex_},
      internal::SenderOptions{.client = std::move(client),
                              .breaker = {.failures = options.breaker_failures,
                                          .pause = options.breaker_pause,
                                          .longest_pause = options.breaker_longest_pause},
                              .disable_after = options.disable_after,
                              .max_concurrent = options.policy.max_concurrent,
                              .max_in_flight = AttemptsThatFit(options.max_in_flight),
                              .stop_within = options.stop_within});
  return core;
}

// ---- Threads -------------------------------------------------------------------------------------------------

absl::Status Webhooks::Core::Start() {
  const absl::MutexLock one_at_a_time(&lifecycle_mutex_);
  if (thread_.joinable()) return absl::FailedPreconditionError("webhooks have been started");
  NW_RETURN_IF_ERROR(sender_->Start());
  {
    const absl::MutexLock lock(&mutex_);
    status_ = absl::OkStatus();
  }
  stopping_ = false;
  thread_ = std::thread([this] { Loop(); });
  return absl::OkStatus();
}

void Webhooks::Core::Stop() {
  const absl::MutexLock one_at_a_time(&lifecycle_mutex_);
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  if (sender_ != nullptr) sender_->Stop();  // null if opening failed on the way
}

absl::Status Webhooks::Core::status() const {
  {
    const absl::MutexLock lock(&mutex_);
    if (!status_.ok()) return status_;
  }
  return sender_->status();
}

void Webhooks::Core::Loop() {
  while (!stopping_) {
    const absl::Status status = LoopOnce();
    if (status.ok()) continue;
    const absl::MutexLock lock(&mutex_);
    if (absl::IsResourceExhausted(status)) {  // a full disk or scheduler: in a while, again
      const auto stopping = [this] { return stopping_.load(); };
      mutex_.AwaitWithTimeout(absl::Condition(&stopping), kRoomAgain);
      continue;
    }
    status_ = status;
    return;
  }
}

absl::Status Webhooks::Core::LoopOnce() {
  // None of the three may keep the others from their work: there may be no room for the one, and some by the other.
  absl::Status trouble;
  bool busy = false;
  // Who holds it, such as a redrive of a million dead letters, is not waited for.
  if (old_mutex_.TryLock()) {
    const absl::StatusOr<bool> recovering = recoveries_->Step();
    const absl::StatusOr<bool> sweeping = Sweep();
    old_mutex_.Unlock();
    trouble = recovering.ok() ? sweeping.status() : recovering.status();
    busy = recovering.value_or(false) || sweeping.value_or(false);
  }
  if (!trouble.ok() && !absl::IsResourceExhausted(trouble)) return trouble;
  NW_RETURN_IF_ERROR(fanout_->Step(kFollowPage, busy ? absl::InfinitePast() : absl::Now() + kWait).status());
  return trouble;
}

absl::StatusOr<bool> Webhooks::Core::Sweep() {
  const absl::Duration now = clock_.Elapsed();
  if (sweep_from_.empty() && now - swept_ < kSweepEvery) return false;
  absl::StatusOr<internal::SweepResult> swept =
      retention_->Sweep(clock_.Now() - options_.keep_for, kSweepMessages, sweep_from_);
  // A damaged record keeps what is behind it longer; it is no reason to tell nobody anything any more.
  if (!swept.ok() && !absl::IsDataLoss(swept.status())) return swept.status();
  sweep_from_ = swept.ok() ? std::move(swept->next) : "";
  if (!sweep_from_.empty()) return true;
  swept_ = now;
  const absl::MutexLock noting(&mutex_);
  retention_status_ = swept.status();
  return false;
}

absl::StatusOr<WebhookStats> Webhooks::Core::Stats() const {
  const internal::Sender::Counts counts = sender_->counts();
  WebhookStats stats{.followed = fanout_->position(),
                     .endpoints = book_->size(),
                     .in_flight = counts.in_flight,
                     .messages = fanout_->messages(),
                     .deliveries = fanout_->deliveries(),
                     .attempts = counts.attempts,
                     .delivered = counts.delivered,
                     .failed = counts.failed,
                     .disabled = counts.disabled};
  NW_ASSIGN_OR_RETURN(const SchedulerStats scheduler, parts_.scheduler.Stats());
  for (const QueueStats& queue : scheduler.queues) {
    if (queue.queue != internal::kWebhookQueue && queue.queue != internal::kWebhookNowQueue) continue;
    stats.waiting += queue.waiting + queue.leased;
    stats.dead += queue.dead;
  }
  const absl::MutexLock lock(&mutex_);
  stats.retention = retention_status_;
  return stats;
}

// ---- Endpoints -----------------------------------------------------------------------------------------------

absl::StatusOr<WebhookEndpoint> Webhooks::Core::Changed(const absl::StatusOr<EndpointPtr>& endpoint) {
  NW_RETURN_IF_ERROR(endpoint.status());
  NW_RETURN_IF_ERROR(sender_->Refresh((*endpoint)->merchant_id, (*endpoint)->id));
  return Describe(*book_, **endpoint);
}

absl::StatusOr<NewEndpoint> Webhooks::Core::Made(absl::StatusOr<internal::NewSecret> made) {
  NW_RETURN_IF_ERROR(made.status());
  NW_ASSIGN_OR_RETURN(WebhookEndpoint endpoint, Changed(made->endpoint));
  return NewEndpoint{.endpoint = std::move(endpoint), .secret = std::string(made->verification_key.view())};
}

absl::StatusOr<NewEndpoint> Webhooks::Core::Create(std::string_view merchant, const EndpointSpec& spec) {
  if (internal::ValidateEndpointId(spec.id).ok() && internal::ValidateMerchantId(merchant).ok()) {
    NW_ASSIGN_OR_RETURN(const std::optional<std::string> deleted,
                        parts_.store.Get(internal::DeletedEndpointKey(merchant, spec.id)));
    if (deleted) {
      return Error(absl::StatusCode::kAlreadyExists, "merchant ", ToAbsl(merchant), " has had an endpoint ", spec.id,
                   ", which was deleted: choose another id");
    }
  }
  return Made(book_->Create(merchant, spec, parts_.ledger.Head().sequence));
}

absl::Status Webhooks::Core::Delete(std::string_view merchant, std::string_view id) {
  // Disabled first, so that nothing can be held back that nobody would let go any more.
  NW_RETURN_IF_ERROR(Changed(book_->Disable(merchant, id, DisableReason::kByHand, "to be deleted")).status());
  // What still waits for it, or ends after it, must never meet another endpoint of that id.
  internal::WriteSet writes;
  writes.Put(internal::Space::kHost, internal::DeletedEndpointKey(merchant, id), "");
  NW_RETURN_IF_ERROR(parts_.store.engine().Write(writes));
  NW_RETURN_IF_ERROR(book_->Delete(merchant, id));
  NW_RETURN_IF_ERROR(recoveries_->Forget(merchant, id));
  return sender_->Refresh(merchant, id);
}

absl::Status Webhooks::Core::SetPolicy(std::string_view merchant, const std::optional<WebhookPolicy>& policy) {
  NW_RETURN_IF_ERROR(policies_->Set(merchant, policy));
  std::string after;
  do {
    NW_ASSIGN_OR_RETURN(const internal::EndpointPage page, book_->List(merchant, after, internal::kMaxEndpointPage));
    for (const EndpointPtr& endpoint : page.endpoints) {
      NW_RETURN_IF_ERROR(sender_->Refresh(merchant, endpoint->id));
    }
    after = page.next;
  } while (!after.empty());
  return absl::OkStatus();
}

// ---- Deliveries ----------------------------------------------------------------------------------------------

absl::Status Webhooks::Core::Resend(const DeliveryName& name) {
  const absl::MutexLock lock(&old_mutex_);
  NW_ASSIGN_OR_RETURN(const WebhookDelivery delivery, reader_->GetDelivery(name));
  absl::StatusOr<EndpointPtr> endpoint = book_->Get(name.merchant_id, name.endpoint_id);
  NW_RETURN_IF_ERROR(endpoint.status());
  if ((*endpoint)->state == EndpointState::kDisabled) {
    return Error(absl::StatusCode::kFailedPrecondition, "endpoint ", name.endpoint_id, " is disabled: enable it first");
  }
  internal::DeliveryBatch batch;
  batch.AddAttempt(internal::ResendTaskId(name), name, AttemptTrigger::kResend, policies_->Of(**endpoint)->timeout);
  NW_ASSIGN_OR_RETURN(const std::vector<ScheduleOutcome> outcomes, batch.Write(parts_.scheduler));
  // One that waits, or that ended with the process too often, has begun anew.
  if (outcomes.front() != ScheduleOutcome::kLeased) return absl::OkStatus();
  return Error(absl::StatusCode::kAlreadyExists, "a re-send of ", name.message_id, " is on its way");
}

absl::StatusOr<DeliveryName> Webhooks::Core::SendTest(std::string_view merchant, std::string_view endpoint) {
  NW_ASSIGN_OR_RETURN(const EndpointPtr found, book_->Get(merchant, endpoint));
  if (found->state == EndpointState::kDisabled) {
    return Error(absl::StatusCode::kFailedPrecondition, "endpoint ", found->id, " is disabled: enable it first");
  }
  NW_ASSIGN_OR_RETURN(const auto bits, internal::RandomMessageBits());
  const internal::Message message = internal::TestMessage(merchant, endpoint, clock_.Now(), bits);
  const DeliveryName name{found->merchant_id, found->id, message.id};
  internal::DeliveryBatch batch;
  batch.AddMessage(message);
  batch.AddRecord({internal::DeliveryKey(name),
                   internal::EncodeDelivery({.name = name, .type = message.type, .created_at = message.created_at})});
  batch.AddAttempt(internal::DeliveryTaskId(name), name, AttemptTrigger::kTest, policies_->Of(*found)->timeout);
  NW_RETURN_IF_ERROR(batch.Write(parts_.scheduler).status());
  return name;
}

absl::StatusOr<size_t> Webhooks::Core::Redrive(const DeadFilter& filter, uint32_t per_second) {
  const absl::MutexLock lock(&old_mutex_);
  return parts_.scheduler.RedriveAll(filter, per_second);
}

absl::StatusOr<RecoveryCount> Webhooks::Core::CountRecoverable(std::string_view merchant, std::string_view endpoint,
                                                               absl::Time since) const {
  NW_ASSIGN_OR_RETURN(const EndpointPtr found, book_->Get(merchant, endpoint));
  return reader_->CountRecoverable(*found, since, clock_.Now());
}

// ---- The front -----------------------------------------------------------------------------------------------

Webhooks::Webhooks(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Webhooks::~Webhooks() = default;

absl::StatusOr<std::unique_ptr<Webhooks>> Webhooks::Open(const Parts& parts, const WebhookOptions& options) {
  NW_ASSIGN_OR_RETURN(std::unique_ptr<Core> core, Core::Open(parts, options, nullptr));
  return std::unique_ptr<Webhooks>(new Webhooks(std::move(core)));
}

absl::StatusOr<std::unique_ptr<Webhooks>> internal::WebhooksOnResolver::Open(const Webhooks::Parts& parts,
                                                                             const WebhookOptions& options,
                                                                             http::ResolveFunction resolve) {
  NW_ASSIGN_OR_RETURN(std::unique_ptr<Webhooks::Core> core, Webhooks::Core::Open(parts, options, std::move(resolve)));
  return std::unique_ptr<Webhooks>(new Webhooks(std::move(core)));
}

absl::Status Webhooks::Start() { return core_->Start(); }
void Webhooks::Stop() { core_->Stop(); }
absl::Status Webhooks::status() const { return core_->status(); }
absl::StatusOr<WebhookStats> Webhooks::Stats() const { return core_->Stats(); }

absl::StatusOr<NewEndpoint> Webhooks::CreateEndpoint(std::string_view merchant, const EndpointSpec& spec) {
  return core_->Create(merchant, spec);
}
absl::StatusOr<WebhookEndpoint> Webhooks::UpdateEndpoint(std::string_view merchant, std::string_view id,
                                                         uint64_t version, const EndpointChange& change) {
  return core_->Changed(core_->book().Update(merchant, id, version, change));
}
absl::StatusOr<WebhookEndpoint> Webhooks::PauseEndpoint(std::string_view merchant, std::string_view id) {
  return core_->Changed(core_->book().Pause(merchant, id));
}
absl::StatusOr<WebhookEndpoint> Webhooks::ResumeEndpoint(std::string_view merchant, std::string_view id) {
  return core_->Changed(core_->book().Resume(merchant, id));
}
absl::StatusOr<WebhookEndpoint> Webhooks::DisableEndpoint(std::string_view merchant, std::string_view id,
                                                          std::string_view detail) {
  return core_->Changed(core_->book().Disable(merchant, id, DisableReason::kByHand, detail));
}
absl::StatusOr<WebhookEndpoint> Webhooks::EnableEndpoint(std::string_view merchant, std::string_view id) {
  return core_->Changed(core_->book().Enable(merchant, id));
}
absl::StatusOr<NewEndpoint> Webhooks::RotateSecret(std::string_view merchant, std::string_view id,
                                                   const SecretRotation& rotation) {
  return core_->Made(core_->book().RotateSecret(merchant, id, rotation));
}
absl::Status Webhooks::DeleteEndpoint(std::string_view merchant, std::string_view id) {
  return core_->Delete(merchant, id);
}
absl::StatusOr<WebhookEndpoint> Webhooks::GetEndpoint(std::string_view merchant, std::string_view id) const {
  NW_ASSIGN_OR_RETURN(const EndpointPtr endpoint, core_->book().Get(merchant, id));
  return Describe(core_->book(), *endpoint);
}
absl::StatusOr<WebhookEndpointPage> Webhooks::ListEndpoints(std::string_view merchant, std::string_view after,
                                                            size_t limit) const {
  NW_ASSIGN_OR_RETURN(const internal::EndpointPage found, core_->book().List(merchant, after, limit));
  WebhookEndpointPage page{.next = found.next};
  for (const EndpointPtr& endpoint : found.endpoints) page.endpoints.push_back(Describe(core_->book(), *endpoint));
  return page;
}
absl::StatusOr<EndpointHealth> Webhooks::GetEndpointHealth(std::string_view merchant, std::string_view id) const {
  NW_ASSIGN_OR_RETURN(const EndpointPtr endpoint, core_->book().Get(merchant, id));
  return core_->sender().Health(*endpoint);
}
absl::StatusOr<size_t> Webhooks::ResealSecrets(size_t limit) { return core_->book().Reseal(limit); }

absl::Status Webhooks::SetMerchantPolicy(std::string_view merchant, const std::optional<WebhookPolicy>& policy) {
  return core_->SetPolicy(merchant, policy);
}
absl::StatusOr<std::optional<WebhookPolicy>> Webhooks::GetMerchantPolicy(std::string_view merchant) const {
  return core_->policies().Get(merchant);
}

absl::StatusOr<WebhookDelivery> Webhooks::GetDelivery(const DeliveryName& name) const {
  return core_->reader().GetDelivery(name);
}
absl::StatusOr<WebhookDeliveryPage> Webhooks::ListDeliveries(const DeliveryQuery& query) const {
  return core_->reader().ListDeliveries(query);
}
absl::StatusOr<WebhookAttemptPage> Webhooks::ListAttempts(const AttemptQuery& query) const {
  return core_->reader().ListAttempts(query);
}
absl::Status Webhooks::Resend(const DeliveryName& name) { return core_->Resend(name); }
absl::StatusOr<DeliveryName> Webhooks::SendTest(std::string_view merchant, std::string_view endpoint) {
  return core_->SendTest(merchant, endpoint);
}
absl::StatusOr<size_t> Webhooks::RedriveDead(std::string_view merchant, std::string_view endpoint,
                                             uint32_t per_second) {
  NW_ASSIGN_OR_RETURN(const EndpointPtr found, core_->book().Get(merchant, endpoint));
  return core_->Redrive(
      {.queue = std::string(internal::kWebhookQueue), .key = internal::EndpointTaskKey(found->merchant_id, found->id)},
      per_second);
}
absl::StatusOr<size_t> Webhooks::RedriveAllDead(uint32_t per_second) {
  return core_->Redrive({.queue = std::string(internal::kWebhookQueue)}, per_second);
}
absl::StatusOr<RecoveryCount> Webhooks::CountRecoverable(std::string_view merchant, std::string_view endpoint,
                                                         absl::Time since) const {
  return core_->CountRecoverable(merchant, endpoint, since);
}
absl::StatusOr<Recovery> Webhooks::StartRecovery(std::string_view merchant, std::string_view endpoint, absl::Time since,
                                                 uint32_t per_second) {
  return core_->recoveries().Start(merchant, endpoint, since, per_second);
}
absl::StatusOr<Recovery> Webhooks::GetRecovery(std::string_view merchant, std::string_view endpoint) const {
  return core_->recoveries().Get(merchant, endpoint);
}
absl::StatusOr<Recovery> Webhooks::CancelRecovery(std::string_view merchant, std::string_view endpoint) {
  return core_->recoveries().Cancel(merchant, endpoint);
}

absl::Span<const std::string_view> WebhookEventTypes() { return internal::MessageTypes(); }

}  // namespace northwind
