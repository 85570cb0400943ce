// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/merchant_policies.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/webhook/webhook_policy.h"

namespace northwind::internal {
namespace {

constexpr std::string_view kPrefix = "nw/webhook/policy/";

std::string Key(std::string_view merchant) { return std::string(kPrefix).append(merchant); }

}  // namespace

absl::StatusOr<std::unique_ptr<MerchantPolicies>> MerchantPolicies::Open(Engine& engine,
                                                                         const WebhookPolicy& otherwise) {
  NW_ASSIGN_OR_RETURN(WebhookPolicy kept, KeptWebhookPolicy(otherwise));
  std::unique_ptr<MerchantPolicies> policies(new MerchantPolicies(engine, std::move(kept)));
  NW_RETURN_IF_ERROR(policies->Load());
  return policies;
}

absl::Status MerchantPolicies::Load() {
  const absl::MutexLock lock(&mutex_);
  Cursor cursor = engine_.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true});
  for (cursor.Seek(kPrefix); cursor.Valid() && cursor.key().starts_with(kPrefix); cursor.Next()) {
    const std::string_view merchant = cursor.key().substr(kPrefix.size());
    absl::StatusOr<WebhookPolicy> policy = DecodeWebhookPolicy(cursor.value());
    if (!policy.ok() || !ValidateMerchantId(merchant).ok()) {
      return Error(absl::StatusCode::kDataLoss, "policy record damaged: ",
                   absl::CHexEscape(ToAbsl(cursor.key().substr(0, kPrefix.size() + kMaxMerchantIdBytes))));
    }
    merchants_.emplace(ToAbsl(merchant), std::make_shared<const WebhookPolicy>(*std::move(policy)));
  }
  return cursor.status();
}

absl::Status MerchantPolicies::Set(std::string_view merchant, const std::optional<WebhookPolicy>& policy) {
  NW_RETURN_IF_ERROR(ValidateMerchantId(merchant));
  SharedPolicy next;
  if (policy.has_value()) {
    NW_ASSIGN_OR_RETURN(WebhookPolicy kept, KeptWebhookPolicy(*policy));
    next = std::make_shared<const WebhookPolicy>(std::move(kept));
  }

  const absl::MutexLock writing(&write_mutex_);
  const SharedPolicy current = Find(merchant);
  if (next == nullptr ? current == nullptr : current != nullptr && *current == *next) return absl::OkStatus();
  if (current == nullptr) {
    const absl::ReaderMutexLock lock(&mutex_);
    if (merchants_.size() >= kMaxMerchantPolicies) {
      return Error(absl::StatusCode::kResourceExhausted, kMaxMerchantPolicies, " merchants have policies of their own");
    }
  }
  WriteSet writes;
  if (next == nullptr) {
    writes.Delete(Space::kHost, Key(merchant));
  } else {
    writes.Put(Space::kHost, Key(merchant), EncodeWebhookPolicy(*next));
  }
  NW_RETURN_IF_ERROR(engine_.Write(writes));
  const absl::MutexLock lock(&mutex_);
  if (next == nullptr) {
    merchants_.erase(ToAbsl(merchant));
  } else {
    merchants_[ToAbsl(merchant)] = std::move(next);
  }
  return absl::OkStatus();
}

MerchantPolicies::SharedPolicy MerchantPolicies::Find(std::string_view merchant) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const auto it = merchants_.find(ToAbsl(merchant));
  return it == merchants_.end() ? nullptr : it->second;
}

absl::StatusOr<std::optional<WebhookPolicy>> MerchantPolicies::Get(std::string_view merchant) const {
  NW_RETURN_IF_ERROR(ValidateMerchantId(merchant));
  const SharedPolicy policy = Find(merchant);
  return policy == nullptr ? std::nullopt : std::optional<WebhookPolicy>(*policy);
}

std::shared_ptr<const WebhookPolicy> MerchantPolicies::Of(const Endpoint& endpoint) const {
  if (endpoint.policy.has_value()) return std::make_shared<const WebhookPolicy>(*endpoint.policy);
  SharedPolicy policy = Find(endpoint.merchant_id);
  return policy == nullptr ? otherwise_ : policy;
}

}  // namespace northwind::internal
