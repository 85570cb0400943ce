// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/errors.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "northwind/webhook.h"

namespace northwind::python {
namespace {

py::object CountOrNone(int number) { return number == 0 ? py::object(py::none()) : py::object(py::int_(number)); }

}  // namespace

void BindDelivery(py::module_& m) {
  using N = DeliveryName;
  Record<N>(m, "DeliveryName", "Names a delivery: one message to one endpoint.")
      .Def(py::init([](std::string merchant, std::string endpoint, std::string message) {
             return N{std::move(merchant), std::move(endpoint), std::move(message)};
           }),
           py::arg("merchant_id"), py::arg("endpoint_id"), py::arg("message_id"))
      .Field("merchant_id", Member(&N::merchant_id), "")
      .Field("endpoint_id", Member(&N::endpoint_id), "")
      .Field("message_id", Member(&N::message_id), "The webhook-id, the same at all endpoints and in all attempts.");

  using D = WebhookDelivery;
  Record<D>(m, "WebhookDelivery", "A message to an endpoint, and how far it is.")
      .Field("name", Member(&D::name), "")
      .Field("type", Member(&D::type), "Such as \"payout.paid\".")
      .Field("sequence", Member(&D::sequence), "In the journal; 0 for tests and notices.")
      .Field("created_at", Member(&D::created_at), "")
      .Field("state", Member(&D::state), "")
      .Field("attempts", Member(&D::attempts), "With a receipt.")
      .Field("last_attempt_at", Member(&D::last_attempt_at), "")
      .Field("last_failure", Member(&D::last_failure), "")
      .Field(
          "last_status", [](const D& d) { return CountOrNone(d.last_status); }, "Of HTTP; None: no answer.")
      .Kept(&D::last_status)
      .Field("delivered_at", Member(&D::delivered_at), "The first time.")
      .Field("next_attempt", Member(&D::next_attempt), "Of Webhooks.delivery only.")
      .Field("body", Member(&D::body), "Of Webhooks.delivery only: what is sent.");

  using A = WebhookAttempt;
  Record<A>(m, "WebhookAttempt", "The receipt of one attempt.")
      .Field("delivery", Member(&A::delivery), "")
      .Field("type", Member(&A::type), "")
      .Field("number", Member(&A::number), "Of the delivery's attempts, from 1.")
      .Field("trigger", Member(&A::trigger), "")
      .Field("at", Member(&A::at), "When it began; of an unknown one, when that was found out.")
      .Field("endpoint_version", Member(&A::endpoint_version), "")
      .Field("failure", Member(&A::failure), "NONE: delivered.")
      .Field(
          "status", [](const A& a) { return CountOrNone(a.status); }, "Of HTTP; None: no answer.")
      .Kept(&A::status)
      .Field("message", Member(&A::message), "Why it failed, in words that the merchant may see.")
      .Field("retry_at", Member(&A::retry_at), "What the answer's Retry-After asked for.")
      .Field("response_body", Bytes(&A::response_body), "Of somebody else's making, cut to 1,024 bytes.")
      .Field("response_truncated", Member(&A::response_truncated), "")
      .Field("remote_address", Member(&A::remote_address), "For operators.")
      .Field("reused_connection", Member(&A::reused_connection), "")
      .Field("dns", Member(&A::dns), "")
      .Field("connect", Member(&A::connect), "")
      .Field("tls", Member(&A::tls), "")
      .Field("first_byte", Member(&A::first_byte), "")
      .Field("total", Member(&A::total), "");

  using C = RecoveryCount;
  Record<C>(m, "RecoveryCount", "What there is to recover at an endpoint.")
      .Field("delivered", Member(&C::delivered), "")
      .Field("pending", Member(&C::pending), "")
      .Field("dead", Member(&C::dead), "Would be tried again.")
      .Field("missing", Member(&C::missing), "Would be made.")
      .Also("recoverable", &C::recoverable, "Dead and missing.");

  using R = Recovery;
  Record<R>(m, "Recovery", "What was not delivered, being delivered.")
      .Field("state", Member(&R::state), "")
      .Field("since", Member(&R::since), "")
      .Field("until", Member(&R::until), "When it was begun.")
      .Field("reached", Member(&R::reached), "Messages up to here have been dealt with.")
      .Field("recovered", Member(&R::recovered), "")
      .Field("per_second", Member(&R::per_second), "");

  using S = WebhookStats;
  Record<S>(m, "WebhookStats", "How webhooks are doing.")
      .Field("followed", Member(&S::followed), "The last record of the journal that messages were made of.")
      .Field("endpoints", Member(&S::endpoints), "")
      .Field("waiting", Member(&S::waiting), "Deliveries that are not final.")
      .Field("dead", Member(&S::dead), "")
      .Field("in_flight", Member(&S::in_flight), "")
      .Field("messages", Member(&S::messages), "Made, since the process began; as those that follow.")
      .Field("deliveries", Member(&S::deliveries), "")
      .Field("attempts", Member(&S::attempts), "")
      .Field("delivered", Member(&S::delivered), "")
      .Field("failed", Member(&S::failed), "")
      .Field("disabled", Member(&S::disabled), "")
      .Kept(&S::retention)
      .Also(
          "retention_error",
          [](const S& s) { return s.retention.ok() ? py::object(py::none()) : ExceptionOf(s.retention); },
          "Why the last look for what is too old did not come to its end; None if it did.");
}

}  // namespace northwind::python
