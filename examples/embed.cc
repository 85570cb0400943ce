// SPDX-License-Identifier: Apache-2.0
//
// The smallest use of northwind: one payment, committed twice. README.md shows the function below.
//
//   embed DIRECTORY
#include <cstdio>

#include "northwind/ledger.h"
#include "northwind/status.h"

namespace nw = northwind;

absl::Status Pay(const std::string& directory) {
  NW_ASSIGN_OR_RETURN(auto store, nw::Store::Open({.path = directory}));
  NW_ASSIGN_OR_RETURN(auto ledger, nw::Ledger::Open(*store));
  NW_ASSIGN_OR_RETURN(auto card, ledger->OpenAccount({.name = "world:card", .asset = "USD/2", .external = true}));
  NW_ASSIGN_OR_RETURN(auto shop, ledger->OpenAccount({.name = "merchant:42:available", .asset = "USD/2"}));
  const nw::Transaction payment{.key = nw::DeriveKey("pay_1", absl::FromUnixSeconds(1'709'294'400)),
                                .postings = {{card, shop, 10'000}}};
  for (int delivery = 1; delivery <= 2; ++delivery) {
    NW_ASSIGN_OR_RETURN(nw::CommitResult result, ledger->Commit(payment));
    std::printf("delivery %d: %s\n", delivery, std::string(nw::Name(result.outcome)).c_str());
  }
  NW_ASSIGN_OR_RETURN(nw::Totals totals, ledger->Balance(shop));
  std::printf("available: %s USD\n", nw::FormatUnits(totals.available(), 2).c_str());
  return ledger->Close();
}

int main(int argc, char** argv) {
  const absl::Status status = Pay(argc > 1 ? argv[1] : "ledger.db");
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
