// SPDX-License-Identifier: Apache-2.0
//
// The enumerations are written in northwind/enums.py, where people and type checkers read them; here they are found again. One
// that differs from the library's is an ImportError, not a wrong name in a report.
#include <string>
#include <string_view>
#include <type_traits>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/compare.h"
#include "bindings/python/src/cutover.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/services.h"

namespace northwind::python {
namespace {

// Those whose Name is that of the enumerator, and not a phrase or a mark of a format.
template <typename E>
concept Named = requires(E value) {
  Name(value);
}
&&!std::is_same_v<E, DeathCause> && !std::is_same_v<E, SignatureScheme>;

// "not found" and "PAYOUT_PAID" as Python has them.
std::string Capitals(std::string_view name) {
  std::string text(name);
  for (char& c : text) c = c == ' ' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

template <typename E>
void Load(const py::module_& enums, const char* name, size_t size) {
  using Members = EnumMembers<E>;
  const py::object type = enums.attr(name);
  Members::type = type.ptr();
  type.inc_ref();
  size_t found = 0;
  for (const py::handle member : type) {
    const auto value = member.cast<uint8_t>();
    if constexpr (Named<E>) {
      if (Capitals(Name(static_cast<E>(value))) != member.attr("name").cast<std::string>()) {
        throw py::import_error(std::string("northwind.enums.") + name + " is of another version than the library");
      }
    }
    Members::members[value] = member.inc_ref().ptr();
    ++found;
  }
  if (found != size) throw py::import_error(std::string("northwind.enums.") + name + " is of another version");
}

}  // namespace

void LoadEnums() {
  const py::module_ enums = py::module_::import("northwind.enums");
  Load<StoreMode>(enums, "StoreMode", 3);
  Load<AccountState>(enums, "AccountState", 3);
  Load<TransactionKind>(enums, "TransactionKind", 5);
  Load<Outcome>(enums, "Outcome", 6);
  Load<Reason>(enums, "Reason", 24);
  Load<Field>(enums, "Field", 12);
  Load<DeferredPolicy>(enums, "DeferredPolicy", 2);
  Load<EntryKind>(enums, "EntryKind", 8);
  Load<EventType>(enums, "EventType", kEventTypes);
  Load<AdjustmentDirection>(enums, "AdjustmentDirection", 2);
  Load<EventFormat>(enums, "EventFormat", 2);
  Load<EventStatus>(enums, "EventStatus", 6);
  Load<QuarantineCause>(enums, "QuarantineCause", 6);
  Load<Jitter>(enums, "Jitter", 4);
  Load<IfScheduled>(enums, "IfScheduled", 2);
  Load<ScheduleOutcome>(enums, "ScheduleOutcome", 4);
  Load<Verdict>(enums, "Verdict", 3);
  Load<FinishOutcome>(enums, "FinishOutcome", 4);
  Load<DeathCause>(enums, "DeathCause", 3);
  Load<TaskState>(enums, "TaskState", 3);
  Load<KeyOrder>(enums, "KeyOrder", 3);
  Load<RailState>(enums, "RailState", 6);
  Load<PayoutState>(enums, "PayoutState", 7);
  Load<RailAttempt::Call>(enums, "RailCall", 2);
  Load<BatchSystem>(enums, "BatchSystem", 2);
  Load<EndpointState>(enums, "EndpointState", 3);
  Load<DisableReason>(enums, "DisableReason", 3);
  Load<SignatureScheme>(enums, "SignatureScheme", 2);
  Load<EndpointHealth::Breaker>(enums, "BreakerState", 3);
  Load<DeliveryState>(enums, "DeliveryState", 4);
  Load<AttemptFailure>(enums, "AttemptFailure", 20);
  Load<AttemptTrigger>(enums, "AttemptTrigger", 3);
  Load<RecoveryState>(enums, "RecoveryState", 3);
  Load<SqsPoison>(enums, "SqsPoison", 2);
  Load<SqsBody>(enums, "SqsBody", 3);
  Load<SqsState>(enums, "SqsState", 4);
  Load<MirrorState>(enums, "MirrorState", 4);
  Load<Leg>(enums, "Leg", kLegs);
  Load<LegStatus>(enums, "LegStatus", 7);
  Load<LegacyFileFormat>(enums, "LegacyFileFormat", 2);
  Load<DiscrepancyClass>(enums, "DiscrepancyClass", 11);
  Load<DiscrepancyState>(enums, "DiscrepancyState", 4);
  Load<DayState>(enums, "DayState", 3);
  Load<SettlementSystem>(enums, "SettlementSystem", 2);
  Load<RouteReason>(enums, "RouteReason", 5);
  Load<Override>(enums, "Override", 2);
  Load<ClaimVerdict>(enums, "ClaimVerdict", 4);
}

}  // namespace northwind::python
