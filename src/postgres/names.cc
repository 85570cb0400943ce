// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "northwind/postgres.h"

namespace northwind {

std::string_view Name(MirrorState state) {
  switch (state) {
    case MirrorState::kStopped:
      return "stopped";
    case MirrorState::kRunning:
      return "running";
    case MirrorState::kWaiting:
      return "waiting";
    case MirrorState::kHalted:
      return "halted";
  }
  return "";
}

}  // namespace northwind
