// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "northwind/sqs.h"

namespace northwind {

std::string_view Name(SqsState state) {
  switch (state) {
    case SqsState::kStopped:
      return "stopped";
    case SqsState::kRunning:
      return "running";
    case SqsState::kWaiting:
      return "waiting";
    case SqsState::kHalted:
      return "halted";
  }
  return "";
}

}  // namespace northwind
