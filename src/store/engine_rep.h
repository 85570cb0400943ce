// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_STORE_ENGINE_REP_H_
#define NORTHWIND_SRC_STORE_ENGINE_REP_H_

#include <array>
#include <atomic>
#include <memory>

#include "absl/synchronization/mutex.h"
#include "src/store/database.h"
#include "src/store/engine.h"

namespace northwind::internal {

struct Engine::Rep {
  std::unique_ptr<Database> database;
  std::array<std::atomic<bool>, static_cast<size_t>(Engine::Slot::kCount)> slot_taken{};
  absl::Mutex ingest_mutex;  // held to ingest, and shared to keep ingests out
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_ENGINE_REP_H_
