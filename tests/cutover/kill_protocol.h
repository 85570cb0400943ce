// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_CUTOVER_KILL_PROTOCOL_H_
#define NORTHWIND_TESTS_CUTOVER_KILL_PROTOCOL_H_

#include <cstdint>

namespace northwind::testing {

// What the child tells: that it has opened, or that something is durable.
struct CutoverMessage {
  enum Kind : uint64_t { kOpened, kAssigned, kRouted, kResumed } kind = kOpened;
  uint64_t number = 0;  // kAssigned: of the id
  uint64_t system = 0;
  uint64_t epoch = 0;  // after it
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_CUTOVER_KILL_PROTOCOL_H_
