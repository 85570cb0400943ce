// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/outcome.h"

#include <string>
#include <string_view>

namespace northwind::server {
namespace {

Json TextOrNull(std::string_view text) { return text.empty() ? Json(nullptr) : Json(text); }

}  // namespace

Json OutcomeJson(const EventOutcome& outcome) {
  Json json = {{"status", Name(outcome.status)},
               {"type", nullptr},
               {"sequence", nullptr},
               {"reason", nullptr},
               {"cause", nullptr},
               {"detail", TextOrNull(outcome.detail)}};
  if (outcome.type.has_value()) json["type"] = Name(*outcome.type);
  if (outcome.sequence != Sequence()) json["sequence"] = std::to_string(outcome.sequence.value());
  if (outcome.reason != Reason::kNone) json["reason"] = Name(outcome.reason);
  if (outcome.cause != QuarantineCause::kNone) json["cause"] = Name(outcome.cause);
  return json;
}

}  // namespace northwind::server
