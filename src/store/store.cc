// SPDX-License-Identifier: Apache-2.0
#include "northwind/store.h"

#include <utility>

#include "northwind/status.h"
#include "src/store/engine.h"

namespace northwind {

Store::Store(std::unique_ptr<internal::Engine> engine) : engine_(std::move(engine)) {}
Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  NW_ASSIGN_OR_RETURN(auto engine, internal::Engine::Open(options));
  return std::unique_ptr<Store>(new Store(std::move(engine)));
}

absl::StatusOr<std::optional<std::string>> Store::Get(std::string_view key) const {
  NW_ASSIGN_OR_RETURN(const auto value, engine_->Get(internal::Space::kHost, key));
  if (!value.has_value()) return std::nullopt;
  return std::optional<std::string>(value->view());
}

const std::string& Store::path() const { return engine_->path(); }
bool Store::shadow() const { return engine_->shadow(); }

}  // namespace northwind
