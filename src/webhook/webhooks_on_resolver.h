// SPDX-License-Identifier: Apache-2.0
//
// Webhooks whose names are looked up by a function: for tests of names that lead to places they should not.
#ifndef NORTHWIND_SRC_WEBHOOK_WEBHOOKS_ON_RESOLVER_H_
#define NORTHWIND_SRC_WEBHOOK_WEBHOOKS_ON_RESOLVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "northwind/webhook.h"
#include "src/http/name_resolver.h"

namespace northwind::internal {

struct WebhooksOnResolver {
  static absl::StatusOr<std::unique_ptr<Webhooks>> Open(const Webhooks::Parts& parts, const WebhookOptions& options,
                                                        http::ResolveFunction resolve);
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_WEBHOOKS_ON_RESOLVER_H_
