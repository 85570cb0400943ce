// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/python/src/errors.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "northwind/settlement.h"

namespace northwind::python {
namespace {

std::optional<Money> MoneyOf(const py::object& object) {
  if (object.is_none()) return std::nullopt;
  if (py::isinstance<Money>(object)) return object.cast<Money>();
  if (!py::isinstance<py::tuple>(object) || py::len(object) != 2)
    throw py::type_error("money is a Money or a tuple (asset, units)");
  const auto pair = py::reinterpret_borrow<py::tuple>(object);
  return Money{Must(Asset::Parse(As<std::string>(pair[0], "an asset"))), As<Amount>(pair[1], "units")};
}

PaymentEvent Make(EventType type, std::string merchant_id, absl::Time occurred_at, std::string payment_id,
                  std::string payout_id, std::string refund_id, const py::object& amount, const py::object& fee,
                  std::optional<AdjustmentDirection> direction, std::map<std::string, std::string> metadata) {
  PaymentEvent event{.type = type,
                     .payment_id = std::move(payment_id),
                     .payout_id = std::move(payout_id),
                     .refund_id = std::move(refund_id),
                     .occurred_at = occurred_at,
                     .merchant_id = std::move(merchant_id),
                     .amount = MoneyOf(amount),
                     .fee = MoneyOf(fee),
                     .direction = direction,
                     .metadata = std::move(metadata)};
  Must(ValidateEvent(event));
  return event;
}

std::string Raw(const py::object& object) {
  std::string bytes;
  if (!ToText(object, bytes)) throw py::type_error("an event's text is str or bytes");
  return bytes;
}

}  // namespace

void BindEvent(py::module_& m) {
  Record<Money>(m, "Money", "An amount of an asset.")
      .Def(py::init([](const std::string& asset, Amount units) {
             return Money{Must(Asset::Parse(asset)), units};
           }),
           py::arg("asset"), py::arg("units"))
      .Field("asset", Member(&Money::asset), "Such as \"USD/2\".")
      .Field("units", Member(&Money::units), "In minor units.");

  using E = PaymentEvent;
  Record<E>(m, "PaymentEvent", "What a producer tells; always valid. docs/events.md says which type takes which field.")
      .Def(py::init(&Make), py::arg("type"), py::arg("merchant_id"), py::arg("occurred_at"), py::kw_only(),
           py::arg("payment_id") = "", py::arg("payout_id") = "", py::arg("refund_id") = "",
           py::arg("amount") = py::none(), py::arg("fee") = py::none(), py::arg("direction") = py::none(),
           py::arg("metadata") = py::dict())
      .Field("type", Member(&E::type), "")
      .Field("merchant_id", Member(&E::merchant_id), "")
      .Field("occurred_at", Member(&E::occurred_at), "")
      .Field("payment_id", Member(&E::payment_id), "")
      .Field("payout_id", Member(&E::payout_id), "")
      .Field("refund_id", Member(&E::refund_id), "")
      .Field("amount", Member(&E::amount), "")
      .Field("fee", Member(&E::fee), "")
      .Field("direction", Member(&E::direction), "")
      .Field("metadata", Member(&E::metadata), "")
      .Also(
          "occurred_at_ns", [](const E& e) { return NanosOf(e.occurred_at); }, "To the nanosecond.")
      .Static(
          "from_json", [](const py::object& json) { return Must(DecodeEventJson(Raw(json))); },
          "Strict: exactly one event; InvalidArgument begins with the field at fault.", py::arg("json"))
      .Static(
          "from_proto", [](const py::bytes& bytes) { return Must(DecodeEventProto(Raw(bytes))); },
          "From the bytes of a northwind.v1.PaymentEvent; likewise.", py::arg("bytes"))
      .Def(
          "to_json", [](const E& e) { return Must(EncodeEventJson(e)); }, "One event gives one text, byte for byte.")
      .Def(
          "to_proto", [](const E& e) { return py::bytes(Must(EncodeEventProto(e))); },
          "The bytes of a northwind.v1.PaymentEvent.");

  using O = EventOutcome;
  Record<O>(m, "EventOutcome", "What became of an event.")
      .Field("status", Member(&O::status), "")
      .Field("reason", Member(&O::reason), "Of what was rejected or is parked: why.")
      .Field("cause", Member(&O::cause), "Of what is in quarantine: why.")
      .Field("type", Member(&O::type), "None if it could not be decoded.")
      .Field("sequence", Member(&O::sequence), "Where its transaction stands in the journal; 0 if it does not.")
      .Field("detail", Member(&O::detail), "What is wrong, or what it waits for.");
  Record<LateOutcome>(m, "LateOutcome", "What became of an event that an earlier call parked.")
      .Field("position", Member(&LateOutcome::position), "")
      .Field("outcome", Member(&LateOutcome::outcome), "");
  Record<IntakeResult>(m, "IntakeResult", "What became of the events of one call.")
      .Field("outcomes", Member(&IntakeResult::outcomes), "One for each event, in the order given.")
      .Field("late", Member(&IntakeResult::late), "Of events parked by earlier calls that this one resolved.");
  using Q = QuarantinedEvent;
  Record<Q>(m, "QuarantinedEvent", "An event that is set aside.")
      .Field("id", Bytes(&Q::id), "16 bytes.")
      .Field("cause", Member(&Q::cause), "")
      .Field("detail", Member(&Q::detail), "")
      .Field("position", Member(&Q::position), "Where it was first seen.")
      .Field("format", Member(&Q::format), "")
      .Field("raw", Bytes(&Q::raw), "As received, up to 65,536 bytes.")
      .Field("raw_size", Member(&Q::raw_size), "As received.");
}

}  // namespace northwind::python
