// SPDX-License-Identifier: Apache-2.0
//
// Which policy an endpoint is told by.
#ifndef NORTHWIND_SRC_WEBHOOK_MERCHANT_POLICIES_H_
#define NORTHWIND_SRC_WEBHOOK_MERCHANT_POLICIES_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "northwind/webhook.h"
#include "src/store/engine.h"
#include "src/webhook/endpoint.h"

namespace northwind::internal {

// All are in memory, some 300 bytes each.
inline constexpr size_t kMaxMerchantPolicies = 1'000'000;

// The policies of merchants that have one of their own, in memory and in the store's host space:
//
//   key   = "nw/webhook/policy/" merchant id
//   value = policy of webhook_policy.h
//
// Thread-safe. A change is durable (one synced write of the store) before anyone sees it and before its call returns;
// readers never wait for a write. What it hands out never changes.
class MerchantPolicies {
 public:
  // `otherwise` holds for whoever has no other. InvalidArgument if it is refused; DataLoss for a damaged record. `engine` must
  // outlive it; one at a time on a store.
  static absl::StatusOr<std::unique_ptr<MerchantPolicies>> Open(Engine& engine, const WebhookPolicy& otherwise);
  MerchantPolicies(const MerchantPolicies&) = delete;
  MerchantPolicies& operator=(const MerchantPolicies&) = delete;

  // Nothing: the default again. What would change nothing is not written. InvalidArgument (begins with the field at fault),
  // ResourceExhausted if kMaxMerchantPolicies have one, and the errors of Engine::Write.
  absl::Status Set(std::string_view merchant, const std::optional<WebhookPolicy>& policy);
  // Its own, as KeptWebhookPolicy gives it. InvalidArgument for an id that is none.
  absl::StatusOr<std::optional<WebhookPolicy>> Get(std::string_view merchant) const;
  // What holds for an endpoint now: its own, else its merchant's, else the default. Never null.
  std::shared_ptr<const WebhookPolicy> Of(const Endpoint& endpoint) const;

 private:
  using SharedPolicy = std::shared_ptr<const WebhookPolicy>;

  MerchantPolicies(Engine& engine, WebhookPolicy otherwise)
      : engine_(engine), otherwise_(std::make_shared<const WebhookPolicy>(std::move(otherwise))) {}

  absl::Status Load();
  // Null if the merchant has none.
  SharedPolicy Find(std::string_view merchant) const ABSL_LOCKS_EXCLUDED(mutex_);

  Engine& engine_;
  const SharedPolicy otherwise_;

  // Held over the store's sync; never by a reader.
  absl::Mutex write_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  // Held for memory work only.
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, SharedPolicy> merchants_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_MERCHANT_POLICIES_H_
