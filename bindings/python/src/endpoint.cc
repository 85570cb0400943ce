// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "northwind/webhook.h"

namespace northwind::python {

void BindEndpoint(py::module_& m) {
  const WebhookPolicy defaults;
  using P = WebhookPolicy;
  Record<P>(m, "WebhookPolicy", "How an endpoint is told.")
      .Def(py::init([](const std::optional<RetryPolicy>& retry, absl::Duration timeout, uint32_t max_concurrent,
                       double max_per_second, uint32_t burst) {
             return P{retry.value_or(RetryPolicy::StandardWebhooks()), timeout, max_concurrent, max_per_second, burst};
           }),
           py::kw_only(), py::arg("retry") = py::none(), py::arg("timeout") = defaults.timeout,
           py::arg("max_concurrent") = defaults.max_concurrent, py::arg("max_per_second") = 0.0,
           py::arg("burst") = defaults.burst)
      .Field("retry", Member(&P::retry), "")
      .Field("timeout", Member(&P::timeout), "Of one attempt, all of it.")
      .Field("max_concurrent", Member(&P::max_concurrent), "")
      .Field("max_per_second", Member(&P::max_per_second), "0: no limit.")
      .Field("burst", Member(&P::burst), "");

  Record<Disabled>(m, "Disabled", "Why and when an endpoint was disabled.")
      .Field("reason", Member(&Disabled::reason), "")
      .Field("at", Member(&Disabled::at), "")
      .Field("detail", Member(&Disabled::detail), "");

  using E = WebhookEndpoint;
  Record<E>(m, "WebhookEndpoint", "An endpoint as its merchant may see it: no secrets, no values of headers.")
      .Field("merchant_id", Member(&E::merchant_id), "")
      .Field("id", Member(&E::id), "")
      .Field("version", Member(&E::version), "One more with each change.")
      .Field("created_at", Member(&E::created_at), "")
      .Field("updated_at", Member(&E::updated_at), "")
      .Field("state", Member(&E::state), "")
      .Field("disabled", Member(&E::disabled), "")
      .Field("url", Member(&E::url), "")
      .Field("events", Member(&E::events), "")
      .Field("header_names", Member(&E::header_names), "")
      .Field("policy", Member(&E::policy), "None: the merchant's.")
      .Field("scheme", Member(&E::scheme), "Of the newest secret.");

  // Without the secret, which a log must not have.
  py::class_<NewEndpoint>(m, "NewEndpoint", "An endpoint, and the secret that is handed out this once.")
      .def_property_readonly(
          "endpoint", [](const NewEndpoint& n) { return n.endpoint; }, "")
      .def_property_readonly(
          "secret", [](const NewEndpoint& n) { return n.secret; }, "For the merchant; the only time that it is told.")
      .def("__repr__", [](const NewEndpoint& n) {
        return "NewEndpoint(endpoint=" + py::repr(py::cast(n.endpoint)).cast<std::string>() + ")";
      });

  using H = EndpointHealth;
  Record<H>(m, "EndpointHealth", "How an endpoint has been answering, since the process began.")
      .Field("breaker", Member(&H::breaker), "")
      .Field("retry_at", Member(&H::retry_at), "If it is left alone: until when.")
      .Field("failing_since", Member(&H::failing_since), "None: it is not failing. Durable.")
      .Field("consecutive_failures", Member(&H::consecutive_failures), "");
}

}  // namespace northwind::python
