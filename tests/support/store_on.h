// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SUPPORT_STORE_ON_H_
#define NORTHWIND_TESTS_SUPPORT_STORE_ON_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "northwind/status.h"
#include "northwind/store.h"
#include "src/store/engine.h"

namespace northwind::internal {

// The way in that Store leaves open to tests.
struct StoreOnEngine {
  static std::unique_ptr<Store> Make(std::unique_ptr<Engine> engine) {
    return std::unique_ptr<Store>(new Store(std::move(engine)));
  }
};

}  // namespace northwind::internal

namespace northwind::testing {

// As Store::Open, but in an environment of the test's choice, which must outlive the store.
inline absl::StatusOr<std::unique_ptr<Store>> OpenStoreOn(rocksdb::Env* env, const StoreOptions& options) {
  NW_ASSIGN_OR_RETURN(std::unique_ptr<internal::Engine> engine, internal::Engine::Open(options, env));
  return internal::StoreOnEngine::Make(std::move(engine));
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_STORE_ON_H_
