// SPDX-License-Identifier: Apache-2.0
//
// The process that cutover_kill_test kills: cutover_child DIRECTORY FIRST. Assigns ids from FIRST on, and switches the routing to and fro.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "northwind/cutover.h"
#include "northwind/status.h"
#include "tests/cutover/kill_protocol.h"

namespace northwind::testing {
namespace {

bool Tell(const CutoverMessage& message) { return write(3, &message, sizeof(message)) == sizeof(message); }

absl::Status Run(const std::string& directory, uint64_t number) {
  NW_ASSIGN_OR_RETURN(auto store, Store::Open({.path = directory + "/store", .free_space_floor_bytes = 0}));
  NW_ASSIGN_OR_RETURN(auto cutover, Cutover::Open(*store, {.salt = "kill"}));
  NW_RETURN_IF_ERROR(cutover->AddMerchants(std::vector<std::string>{"m1"}, "child"));
  if (cutover->Status().threshold == 0) NW_RETURN_IF_ERROR(cutover->ForceRaise(kBasisPoints, "child", "test"));
  bool parent = Tell({.kind = CutoverMessage::kOpened, .epoch = cutover->Status().epoch});
  for (; parent; ++number) {
    const std::vector<RouteRequest> requests = {{"po" + std::to_string(2 * number), "m1"},
                                                {"po" + std::to_string(2 * number + 1), "m1"}};
    NW_ASSIGN_OR_RETURN(const auto answers, cutover->Assign(requests));
    for (uint64_t i = 0; i < 2; ++i) {
      parent = Tell({.kind = CutoverMessage::kAssigned,
                     .number = 2 * number + i,
                     .system = static_cast<uint64_t>(answers[i].system),
                     .epoch = cutover->Status().epoch});
    }
    if (number % 3 != 0) continue;
    const bool route = !cutover->Status().routed_to_batch;
    NW_RETURN_IF_ERROR(route ? cutover->RouteToBatch("child", "test") : cutover->ForceResumeRouting("child", "test"));
    parent =
        Tell({.kind = route ? CutoverMessage::kRouted : CutoverMessage::kResumed, .epoch = cutover->Status().epoch});
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace northwind::testing

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const absl::Status status = northwind::testing::Run(argv[1], std::strtoull(argv[2], nullptr, 10));
  if (!status.ok()) std::fprintf(stderr, "cutover_child: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
