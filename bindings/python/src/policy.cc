// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"
#include "northwind/scheduler.h"

namespace northwind::python {

void BindPolicy(py::module_& m) {
  const RetryPolicy defaults;
  Record<RetryPolicy>(m, "RetryPolicy", "When a task is tried, and when it is given up.")
      .Def(py::init([](const py::iterable& delays, absl::Duration initial, double multiplier, absl::Duration cap,
                       Jitter jitter, uint32_t max_attempts, const py::object& max_age) {
             RetryPolicy policy{.initial = initial,
                                .multiplier = multiplier,
                                .cap = cap,
                                .jitter = jitter,
                                .max_attempts = max_attempts};
             for (const py::handle delay : delays) policy.delays.push_back(As<absl::Duration>(delay, "a delay"));
             if (!max_age.is_none()) policy.max_age = As<absl::Duration>(max_age, "max_age");
             return policy;
           }),
           py::kw_only(), py::arg("delays") = py::tuple(), py::arg("initial") = defaults.initial,
           py::arg("multiplier") = defaults.multiplier, py::arg("cap") = defaults.cap,
           py::arg("jitter") = defaults.jitter, py::arg("max_attempts") = 0, py::arg("max_age") = py::none())
      .Field("delays", Member(&RetryPolicy::delays), "One before each attempt; empty: exponential.")
      .Field("initial", Member(&RetryPolicy::initial), "Before the second attempt.")
      .Field("multiplier", Member(&RetryPolicy::multiplier), "")
      .Field("cap", Member(&RetryPolicy::cap), "")
      .Field("jitter", Member(&RetryPolicy::jitter), "")
      .Field("max_attempts", Member(&RetryPolicy::max_attempts), "0: no limit but that of `delays`.")
      .Field("max_age", Member(&RetryPolicy::max_age), "None: without end.")
      .Static("standard_webhooks", &RetryPolicy::StandardWebhooks,
              "The schedule that the Standard Webhooks specification suggests.");
}

}  // namespace northwind::python
