// SPDX-License-Identifier: Apache-2.0
//
// All endpoints of all merchants.
//
//   NW_ASSIGN_OR_RETURN(auto book, EndpointBook::Open(store->engine(), std::move(secret_box), {}));
//   NW_ASSIGN_OR_RETURN(NewSecret made, book->Create("m_42", {.url = "https://shop.example/hook", .events = {"payout.*"}}));
//   ... show made.verification_key to the merchant; it is not shown again ...
//   for (const EndpointPtr& endpoint : *book->MatchingEndpoints("m_42", "payout.paid")) { ... }
#ifndef NORTHWIND_SRC_WEBHOOK_ENDPOINT_BOOK_H_
#define NORTHWIND_SRC_WEBHOOK_ENDPOINT_BOOK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "northwind/clock.h"
#include "northwind/transaction.h"
#include "northwind/webhook.h"
#include "src/store/engine.h"
#include "src/webhook/endpoint.h"
#include "src/webhook/endpoint_url.h"
#include "src/webhook/secret_box.h"
#include "src/webhook/secret_bytes.h"
#include "src/webhook/signing_key.h"

namespace northwind::internal {

inline constexpr size_t kMaxEndpointPage = 100;
// How long a secret that was rotated may stay good beside the new one.
inline constexpr absl::Duration kMaxSecretOverlap = absl::Hours(24 * 30);

struct EndpointBookOptions {
  Clock* clock = Clock::System();
  // Asked when an endpoint is made or its URL changed; one that is stored stays.
  PlainHttp plain_http = PlainHttp::kRefused;
  // All are in memory, about a kilobyte each.
  size_t max_endpoints = 1'000'000;
  size_t max_endpoints_per_merchant = 32;
};

// An endpoint with a secret that was made just now.
struct NewSecret {
  EndpointPtr endpoint;
  // "whsec_…" or "whpk_…", for the merchant. The only time that it is handed out.
  SecretBytes verification_key;
};

struct EndpointPage {
  std::vector<EndpointPtr> endpoints;  // by id
  std::string next;                    // to go on after; empty at the end
};

// Writes an endpoint's record together with what else belongs to the change, in one atomic and synced write. The errors that
// it returns are those of the change.
using EndpointWriter = absl::FunctionRef<absl::Status(const HostRecord& endpoint)>;

// Thread-safe. A change is durable (one synced write of the store) before anyone sees it and before its call returns;
// readers never wait for a write. Changes come one after another. What it hands out never changes: a delivery that holds
// an EndpointPtr keeps the endpoint as it was when its message was made.
//
// A `version` that is given must be the endpoint's current one, or the call fails with FailedPrecondition
// (IsVersionConflict) and changes nothing. A call that would change nothing succeeds without a new version.
//
// Errors of all changes: InvalidArgument (begins with the field at fault), NotFound, FailedPrecondition, and those of a
// write: ResourceExhausted (nothing done), Aborted (the outcome is unknown; the store refuses writes until it is opened
// again), Unavailable if there is no randomness. No message holds a secret, a header's value or a whole URL.
class EndpointBook {
 public:
  // Reads what is there and opens every secret once, so that a missing host key is found now and not at a delivery.
  // DataLoss for a damaged record; FailedPrecondition names the host key that was not given. `engine` must outlive it;
  // one book at a time on a store.
  static absl::StatusOr<std::unique_ptr<EndpointBook>> Open(Engine& engine, SecretBox box,
                                                            const EndpointBookOptions& options);
  EndpointBook(const EndpointBook&) = delete;
  EndpointBook& operator=(const EndpointBook&) = delete;

  // ---- Changes ----------------------------------------------------------------------------------------------

  // AlreadyExists if the merchant has an endpoint of that id; ResourceExhausted if it, or all together, have as many as
  // they may.
  // `since`: what is in the journal after it, the endpoint is told of.
  absl::StatusOr<NewSecret> Create(std::string_view merchant, const EndpointSpec& spec, Sequence since = {});
  absl::StatusOr<EndpointPtr> Update(std::string_view merchant, std::string_view id, uint64_t version,
                                     const EndpointChange& change);
  // Enabled ↔ paused. FailedPrecondition for one that is disabled: enable it first.
  absl::StatusOr<EndpointPtr> Pause(std::string_view merchant, std::string_view id,
                                    std::optional<uint64_t> version = std::nullopt);
  absl::StatusOr<EndpointPtr> Resume(std::string_view merchant, std::string_view id,
                                     std::optional<uint64_t> version = std::nullopt);
  // From any state. One that is disabled keeps its first reason and time. Give the version that a delivery was made for,
  // so that the answer of an old URL does not disable a new one. Of `detail`, the first 256 bytes are kept, and "?" for
  // each that is not printable ASCII.
  absl::StatusOr<EndpointPtr> Disable(std::string_view merchant, std::string_view id, DisableReason reason,
                                      std::string_view detail, std::optional<uint64_t> version = std::nullopt);
  // Likewise, but the endpoint's record is written by `write`: whoever disables an endpoint for an answer ends the attempt in the
  // same write. The change is seen once `write` has returned OK. Not called if nothing changes, as for one that is disabled
  // already. Called under the mutex of all changes: it may read from the book, and must not change anything in it.
  absl::StatusOr<EndpointPtr> DisableWith(std::string_view merchant, std::string_view id, DisableReason reason,
                                          std::string_view detail, std::optional<uint64_t> version,
                                          EndpointWriter write);
  // From disabled to enabled; one that is paused stays so.
  absl::StatusOr<EndpointPtr> Enable(std::string_view merchant, std::string_view id,
                                     std::optional<uint64_t> version = std::nullopt);
  // A new secret; those before stay good for the overlap, or until they would have ended anyway. (A secret that has ended
  // is no longer used from then on, and leaves the store with the endpoint's next change.) FailedPrecondition if
  // kMaxEndpointSecrets would be exceeded: wait, or rotate without overlap.
  absl::StatusOr<NewSecret> RotateSecret(std::string_view merchant, std::string_view id, const SecretRotation& rotation,
                                         std::optional<uint64_t> version = std::nullopt);
  // Nothing stays behind; its id may be used again, from version 1. Deliveries under way keep what they hold.
  absl::Status Delete(std::string_view merchant, std::string_view id, std::optional<uint64_t> version = std::nullopt);

  // Seals again, with the newest host key, what an older one sealed: up to `limit` (≥ 1) endpoints, in one write. Returns
  // how many; 0 when none is left. Changes neither version nor time.
  absl::StatusOr<size_t> Reseal(size_t limit);

  // ---- Reads ------------------------------------------------------------------------------------------------

  absl::StatusOr<EndpointPtr> Get(std::string_view merchant, std::string_view id) const;
  // Those with an id after `after`, up to `limit` (1 … kMaxEndpointPage). A merchant without endpoints has an empty page.
  absl::StatusOr<EndpointPage> List(std::string_view merchant, std::string_view after, size_t limit) const;
  // In whatever state they are.
  bool HasEndpoints(std::string_view merchant) const { return Of(merchant) != nullptr; }
  // All enabled and paused endpoints of the merchant that want the event, as they are now; by id.
  absl::StatusOr<std::vector<EndpointPtr>> MatchingEndpoints(std::string_view merchant,
                                                             std::string_view event_type) const;
  // All endpoints of all merchants as they are now, each once, in no order. No lock is held meanwhile: `visit` may call
  // anything of the book.
  void Visit(absl::FunctionRef<void(const EndpointPtr&)> visit) const;
  size_t size() const;

  // The keys that are good now, the newest first: what a delivery is signed with.
  absl::StatusOr<std::vector<SigningKey>> SigningKeys(const Endpoint& endpoint) const;
  absl::StatusOr<std::vector<CustomHeader>> Headers(const Endpoint& endpoint) const;

 private:
  using MerchantEndpoints = std::vector<EndpointPtr>;  // by id; replaced as a whole
  using SharedEndpoints = std::shared_ptr<const MerchantEndpoints>;
  // Changes a copy of the current endpoint; its version and time are not to be touched.
  using Change = absl::FunctionRef<absl::Status(Endpoint&, absl::Time now)>;

  EndpointBook(Engine& engine, SecretBox box, const EndpointBookOptions& options)
      : engine_(engine), box_(std::move(box)), options_(options) {}

  absl::Status Load();
  absl::Time Now() const;
  SharedEndpoints Of(std::string_view merchant) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The current endpoint, if it has the version.
  absl::StatusOr<EndpointPtr> Current(std::string_view merchant, std::string_view id,
                                      std::optional<uint64_t> version) const;
  absl::StatusOr<EndpointPtr> Apply(std::string_view merchant, std::string_view id, std::optional<uint64_t> version,
                                    Change change, EndpointWriter write) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::StatusOr<EndpointPtr> Apply(std::string_view merchant, std::string_view id, std::optional<uint64_t> version,
                                    Change change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // The record by itself.
  absl::Status Write(const HostRecord& endpoint);
  void Publish(EndpointPtr endpoint) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unpublish(const Endpoint& endpoint) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Status CheckRoom(const MerchantEndpoints* of_merchant) const;
  absl::StatusOr<EndpointSecret> SealKey(const Endpoint& endpoint, uint32_t number, absl::Time now,
                                         const SigningKey& key) const;
  absl::StatusOr<SecretBytes> OpenText(const Endpoint& endpoint, const EndpointSecret& secret) const;
  absl::StatusOr<SigningKey> OpenKey(const Endpoint& endpoint, const EndpointSecret& secret) const;
  absl::Status SetHeaders(Endpoint& endpoint, const std::vector<CustomHeader>& headers) const;
  bool IsSealedNewest(const Endpoint& endpoint) const;
  absl::StatusOr<Endpoint> Resealed(const Endpoint& endpoint) const;

  Engine& engine_;
  const SecretBox box_;
  const EndpointBookOptions options_;

  // Held over the store's sync; never by a reader.
  absl::Mutex write_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  // Held for memory work only.
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, SharedEndpoints> merchants_ ABSL_GUARDED_BY(mutex_);
  size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_ENDPOINT_BOOK_H_
