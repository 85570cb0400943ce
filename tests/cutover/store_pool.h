// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_CUTOVER_STORE_POOL_H_
#define NORTHWIND_TESTS_CUTOVER_STORE_POOL_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "northwind/store.h"
#include "src/store/engine.h"
#include "tests/support/fault_fs.h"
#include "tests/support/store_on.h"

namespace northwind::testing {

// Stores in memory with nothing in them: to open one takes longer than a world does, so what comes back is emptied and used again.
// Not thread-safe.
class StorePool {
 public:
  struct Lent {
    std::unique_ptr<Store> store;
    int uses = 0;
  };

  absl::StatusOr<Lent> Take() {
    if (!free_.empty()) {
      Lent lent = std::move(free_.back());
      free_.pop_back();
      return lent;
    }
    NW_ASSIGN_OR_RETURN(auto store,
                        OpenStoreOn(disk_.env(), {.path = absl::StrCat("/", ++made_), .free_space_floor_bytes = 0}));
    return Lent{std::move(store)};
  }
  // Nothing may be open on it.
  absl::Status GiveBack(Lent lent) {
    internal::Engine& engine = lent.store->engine();
    internal::WriteSet deletes;
    internal::Cursor cursor = engine.NewCursor(internal::Space::kHost);
    for (cursor.Seek(""); cursor.Valid(); cursor.Next()) deletes.Delete(internal::Space::kHost, cursor.key());
    NW_RETURN_IF_ERROR(cursor.status());
    NW_RETURN_IF_ERROR(engine.Write(deletes));
    // What was deleted slows it down.
    if (++lent.uses < kMaxUses) free_.push_back(std::move(lent));
    return absl::OkStatus();
  }

 private:
  static constexpr int kMaxUses = 50;

  FaultFs disk_;
  int made_ = 0;
  std::vector<Lent> free_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_CUTOVER_STORE_POOL_H_
