// SPDX-License-Identifier: Apache-2.0
//
// A consumer of the component postgres, without a server: what can be said without one is said.
#include <cstdio>

#include "northwind/ledger.h"
#include "northwind/postgres.h"
#include "northwind/store.h"

namespace nw = northwind;

int main() {
  const auto store = nw::Store::Open({.path = "use_postgres.db", .free_space_floor_bytes = 0});
  const auto ledger = store.ok() ? nw::Ledger::Open(**store) : store.status();
  if (!ledger.ok()) return 1;
  const auto refused = nw::Mirror::Open(**ledger, {.connection = "dbname=finance", .schema = "No Schema"});
  const auto mirror = nw::Mirror::Open(**ledger, {.connection = "dbname=finance"});
  if (!mirror.ok() || !absl::IsInvalidArgument(refused.status())) return 1;
  const auto claims = nw::PostgresClaims::Open({.connection = "dbname=finance"});
  if (!claims.ok() || !absl::IsInvalidArgument((*claims)->Find("no id").status())) return 1;
  std::printf("mirror: %s\n", (*mirror)->Stats().state == nw::MirrorState::kStopped ? "stopped" : "running");
  return 0;
}
