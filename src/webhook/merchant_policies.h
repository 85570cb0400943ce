// SPDX-License-Identifier: Apache-2.0
//
// Which policy an endpoint is told by.
#ifndef NORTHWIND_SRC_WEBHOOK_MERCHANT_POLICIES_H_
#define NORTHWIND_SRC_WEBHOOK_MERCHANT_POLICIES_H_

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

// The policies of merchants that have one of their own, in memory and in the store:
//
//   key = "nw/webhook/policy/" merchant   value = policy
//
// Thread-safe. A change is durable before anyone sees it.
class MerchantPolicies {
 public:
  // DataLoss for a damaged record. `engine` must outlive it.
  static absl::StatusOr<std::unique_ptr<MerchantPolicies>> Open(Engine& engine, const WebhookPolicy& otherwise);
  MerchantPolicies(const MerchantPolicies&) = delete;
  MerchantPolicies& operator=(const MerchantPolicies&) = delete;

  // Errors as of Engine::Write, and InvalidArgument.
  absl::Status Set(std::string_view merchant, const std::optional<WebhookPolicy>& policy);
  absl::StatusOr<std::optional<WebhookPolicy>> Get(std::string_view merchant) const;
  // What holds for an endpoint: its own, else its merchant's, else the default. Never null.
  std::shared_ptr<const WebhookPolicy> Of(const Endpoint& endpoint) const;

 private:
  MerchantPolicies(Engine& engine, const WebhookPolicy& otherwise)
      : engine_(engine), otherwise_(std::make_shared<const WebhookPolicy>(otherwise)) {}

  Engine& engine_;
  const std::shared_ptr<const WebhookPolicy> otherwise_;
  absl::Mutex write_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // held over the store's sync
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<const WebhookPolicy>> merchants_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_MERCHANT_POLICIES_H_
