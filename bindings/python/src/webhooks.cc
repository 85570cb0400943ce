// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "bindings/python/src/casters.h"
#include "bindings/python/src/clock.h"
#include "bindings/python/src/ledger.h"
#include "bindings/python/src/pages.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/scheduler.h"
#include "northwind/webhook.h"

namespace northwind::python {
namespace {

class PyWebhooks final : public Closable {
 public:
  static std::shared_ptr<PyWebhooks> Open(const std::shared_ptr<PyLedger>& ledger,
                                          const std::shared_ptr<PyScheduler>& scheduler, WebhookOptions options,
                                          const py::object& clock) {
    auto self = std::make_shared<PyWebhooks>();
    const std::shared_ptr<Ledger> book = ledger->Get();
    const std::shared_ptr<Store> store = ledger->store()->Get();
    const std::shared_ptr<Scheduler> timers = scheduler->Get();
    const std::shared_ptr<PyClock> own_clock = ClockOf(clock);
    options.clock = own_clock.get();
    self->handle_.Set(Must(Unlocked([&] {
                        return Webhooks::Open({*book, *store, *timers}, options);
                      })),
                      std::make_tuple(store, book, ledger->NewUse(), timers, scheduler->NewUse(), own_clock));
    self->CloseAtExit();
    return self;
  }
  std::shared_ptr<Webhooks> Get() const { return handle_.Get(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override {
    const std::shared_ptr<Webhooks> webhooks = handle_.Take();
    if (webhooks != nullptr) Unlocked([&] { webhooks->Stop(); });
  }

 private:
  Handle<Webhooks> handle_{"webhooks"};
};

using Class = py::class_<PyWebhooks, std::shared_ptr<PyWebhooks>>;

template <typename F>
auto On(const PyWebhooks& self, F&& function) {
  const std::shared_ptr<Webhooks> webhooks = self.Get();
  return Unlocked([&] { return function(*webhooks); });
}
// For calls that answer a StatusOr.
template <typename F>
auto Ask(const PyWebhooks& self, F&& function) {
  return Must(On(self, std::forward<F>(function)));
}

std::vector<std::string> Strings(const py::iterable& objects, const char* what) {
  if (PyUnicode_Check(objects.ptr()))
    throw py::type_error(std::string(what) + " are given in an iterable, such as a list");
  std::vector<std::string> strings;
  for (const py::handle object : objects) strings.push_back(As<std::string>(object, what));
  return strings;
}

std::vector<CustomHeader> Headers(const py::dict& headers) {
  std::vector<CustomHeader> list;
  for (const auto& [name, value] : headers)
    list.push_back({As<std::string>(name, "a header"), As<std::string>(value, "a header")});
  return list;
}

std::vector<WebhookHostKey> HostKeys(const py::dict& keys) {
  std::vector<WebhookHostKey> list;
  for (const auto& [id, key] : keys) {
    WebhookHostKey& host_key = list.emplace_back(WebhookHostKey{.id = As<std::string>(id, "a host key's id")});
    if (!ToBytes(key, host_key.key)) throw py::type_error("a host key is bytes");
  }
  return list;
}

std::vector<AllowedNetwork> Networks(const py::dict& networks) {
  std::vector<AllowedNetwork> list;
  for (const auto& [network, ports] : networks) {
    list.push_back({As<std::string>(network, "a network"), As<std::vector<uint16_t>>(ports, "ports")});
  }
  return list;
}

// Stands for "not given" where None says something.
py::object Unset() { return py::module_::import("builtins").attr("Ellipsis"); }

WebhookEndpoint Update(const PyWebhooks& self, const std::string& merchant, const std::string& id, uint64_t version,
                       const std::optional<std::string>& url, const py::object& events, const py::object& headers,
                       const py::object& policy) {
  EndpointChange change{.url = url};
  if (!events.is_none()) change.events = Strings(events, "events");
  if (!headers.is_none()) change.headers = Headers(headers);
  if (!policy.is(Unset())) change.policy = As<std::optional<WebhookPolicy>>(policy, "a policy");
  return Ask(self, [&](Webhooks& w) { return w.UpdateEndpoint(merchant, id, version, change); });
}

template <typename Call>
auto EndpointCall(Call call) {
  return [call](const PyWebhooks& self, const std::string& merchant, const std::string& id) {
    return Ask(self, [&](Webhooks& w) { return (w.*call)(merchant, id); });
  };
}

Pages Endpoints(std::shared_ptr<PyWebhooks> self, std::string merchant) {
  self->CheckOpen();
  return PagesOf<WebhookEndpoint>([self = std::move(self), merchant = std::move(merchant),
                                   after = std::string()](std::vector<WebhookEndpoint>& list) mutable {
    WebhookEndpointPage page = Ask(*self, [&](Webhooks& w) { return w.ListEndpoints(merchant, after); });
    list = std::move(page.endpoints);
    after = std::move(page.next);
    return !after.empty();
  });
}

void DefineEndpoints(Class& type) {
  type.def(
          "create_endpoint",
          [](const PyWebhooks& self, const std::string& merchant, std::string url, std::string id,
             const py::iterable& events, const py::dict& headers, std::optional<WebhookPolicy> policy,
             SignatureScheme scheme) {
            const EndpointSpec spec{std::move(id),    std::move(url),    Strings(events, "events"),
                                    Headers(headers), std::move(policy), scheme};
            return Ask(self, [&](Webhooks& w) { return w.CreateEndpoint(merchant, spec); });
          },
          py::arg("merchant_id"), py::arg("url"), py::kw_only(), py::arg("id") = "",
          py::arg("events") = py::make_tuple("*"), py::arg("headers") = py::dict(), py::arg("policy") = py::none(),
          py::arg("scheme") = SignatureScheme::kHmacSha256, "A new endpoint, and its secret.")
      .def("update_endpoint", &Update, py::arg("merchant_id"), py::arg("id"), py::arg("version"), py::kw_only(),
           py::arg("url") = py::none(), py::arg("events") = py::none(), py::arg("headers") = py::none(),
           py::arg("policy") = Unset(),
           "Changes what is given. FailedPrecondition if it is of another version now; a policy of None is the "
           "merchant's again.")
      .def("pause_endpoint", EndpointCall(&Webhooks::PauseEndpoint), py::arg("merchant_id"), py::arg("id"), "")
      .def("resume_endpoint", EndpointCall(&Webhooks::ResumeEndpoint), py::arg("merchant_id"), py::arg("id"), "")
      .def("enable_endpoint", EndpointCall(&Webhooks::EnableEndpoint), py::arg("merchant_id"), py::arg("id"),
           "What was missed meanwhile is not sent by itself: see start_recovery.")
      .def(
          "disable_endpoint",
          [](const PyWebhooks& self, const std::string& merchant, const std::string& id, const std::string& detail) {
            return Ask(self, [&](Webhooks& w) { return w.DisableEndpoint(merchant, id, detail); });
          },
          py::arg("merchant_id"), py::arg("id"), py::arg("detail") = "", "")
      .def(
          "rotate_secret",
          [](const PyWebhooks& self, const std::string& merchant, const std::string& id, absl::Duration overlap,
             std::optional<SignatureScheme> scheme) {
            return Ask(self, [&](Webhooks& w) { return w.RotateSecret(merchant, id, {overlap, scheme}); });
          },
          py::arg("merchant_id"), py::arg("id"), py::kw_only(), py::arg("overlap") = SecretRotation().overlap,
          py::arg("scheme") = py::none(), "A new secret; those before stay good for `overlap`.")
      .def(
          "delete_endpoint",
          [](const PyWebhooks& self, const std::string& merchant, const std::string& id) {
            Must(On(self, [&](Webhooks& w) { return w.DeleteEndpoint(merchant, id); }));
          },
          py::arg("merchant_id"), py::arg("id"), "")
      .def("endpoint", EndpointCall(&Webhooks::GetEndpoint), py::arg("merchant_id"), py::arg("id"), "NotFound.")
      .def("endpoints", &Endpoints, py::arg("merchant_id"), "A merchant's endpoints, by id; read page by page.")
      .def("endpoint_health", EndpointCall(&Webhooks::GetEndpointHealth), py::arg("merchant_id"), py::arg("id"), "")
      .def(
          "reseal_secrets",
          [](const PyWebhooks& self, size_t limit) {
            return Ask(self, [&](Webhooks& w) { return w.ResealSecrets(limit); });
          },
          py::arg("limit") = 1000,
          "Seals with the newest host key what an older one sealed; how many. 0: none is left.")
      .def(
          "set_merchant_policy",
          [](const PyWebhooks& self, const std::string& merchant, const std::optional<WebhookPolicy>& policy) {
            Must(On(self, [&](Webhooks& w) { return w.SetMerchantPolicy(merchant, policy); }));
          },
          py::arg("merchant_id"), py::arg("policy"), "None: the default again.")
      .def(
          "merchant_policy",
          [](const PyWebhooks& self, const std::string& merchant) {
            return Ask(self, [&](Webhooks& w) { return w.GetMerchantPolicy(merchant); });
          },
          py::arg("merchant_id"), "");
}

Pages Deliveries(std::shared_ptr<PyWebhooks> self, std::string merchant, std::string endpoint, std::string message,
                 std::string type, std::optional<DeliveryState> state, const py::object& start, const py::object& end,
                 bool reverse) {
  self->CheckOpen();
  DeliveryQuery query{.merchant_id = std::move(merchant),
                      .endpoint_id = std::move(endpoint),
                      .message_id = std::move(message),
                      .type = std::move(type),
                      .state = state,
                      .direction = reverse ? Direction::kBackward : Direction::kForward,
                      .limit = kMaxDeliveryPage};
  if (!start.is_none()) query.from = As<absl::Time>(start, "start");
  if (!end.is_none()) query.before = As<absl::Time>(end, "end");
  return PagesOf<WebhookDelivery>(
      [self = std::move(self), query = std::move(query)](std::vector<WebhookDelivery>& list) mutable {
        WebhookDeliveryPage page = Ask(*self, [&](Webhooks& w) { return w.ListDeliveries(query); });
        list = std::move(page.deliveries);
        query.after = std::move(page.next);
        return !query.after.empty();
      });
}

Pages Attempts(std::shared_ptr<PyWebhooks> self, std::string merchant, std::string endpoint, std::string message,
               std::string type, std::optional<AttemptFailure> failure, std::optional<int> status,
               const py::object& start, const py::object& end, bool reverse) {
  self->CheckOpen();
  AttemptQuery query{.merchant_id = std::move(merchant),
                     .endpoint_id = std::move(endpoint),
                     .message_id = std::move(message),
                     .type = std::move(type),
                     .failure = failure,
                     .status = status,
                     .direction = reverse ? Direction::kBackward : Direction::kForward,
                     .limit = kMaxAttemptPage};
  if (!start.is_none()) query.from = As<absl::Time>(start, "start");
  if (!end.is_none()) query.before = As<absl::Time>(end, "end");
  return PagesOf<WebhookAttempt>(
      [self = std::move(self), query = std::move(query)](std::vector<WebhookAttempt>& list) mutable {
        WebhookAttemptPage page = Ask(*self, [&](Webhooks& w) { return w.ListAttempts(query); });
        list = std::move(page.attempts);
        query.after = std::move(page.next);
        return !query.after.empty();
      });
}

void DefineDeliveries(Class& type) {
  type.def(
          "delivery",
          [](const PyWebhooks& self, const DeliveryName& name) {
            return Ask(self, [&](Webhooks& w) { return w.GetDelivery(name); });
          },
          py::arg("name"), "With its body and its next attempt. NotFound.")
      .def("deliveries", &Deliveries, py::arg("merchant_id"), py::kw_only(), py::arg("endpoint_id") = "",
           py::arg("message_id") = "", py::arg("type") = "", py::arg("state") = py::none(),
           py::arg("start") = py::none(), py::arg("end") = py::none(), py::arg("reverse") = true,
           "A merchant's deliveries by time, the newest first; read page by page.")
      .def("attempts", &Attempts, py::arg("merchant_id"), py::kw_only(), py::arg("endpoint_id") = "",
           py::arg("message_id") = "", py::arg("type") = "", py::arg("failure") = py::none(),
           py::arg("status") = py::none(), py::arg("start") = py::none(), py::arg("end") = py::none(),
           py::arg("reverse") = true, "Receipts by time, the newest first; read page by page.")
      .def(
          "resend",
          [](const PyWebhooks& self, const DeliveryName& name) {
            Must(On(self, [&](Webhooks& w) { return w.Resend(name); }));
          },
          py::arg("name"), "One attempt, now, whatever the delivery's state.")
      .def("send_test", EndpointCall(&Webhooks::SendTest), py::arg("merchant_id"), py::arg("id"),
           "One attempt at a message of type webhook.test.")
      .def(
          "redrive_dead",
          [](const PyWebhooks& self, const std::string& merchant, const std::string& id, uint32_t per_second) {
            return Ask(self, [&](Webhooks& w) { return w.RedriveDead(merchant, id, per_second); });
          },
          py::arg("merchant_id"), py::arg("id"), py::kw_only(), py::arg("per_second") = 0,
          "Dead deliveries of an endpoint, tried again.")
      .def(
          "redrive_all_dead",
          [](const PyWebhooks& self, uint32_t per_second) {
            return Ask(self, [&](Webhooks& w) { return w.RedriveAllDead(per_second); });
          },
          py::kw_only(), py::arg("per_second") = 0, "Those of all merchants.")
      .def(
          "count_recoverable",
          [](const PyWebhooks& self, const std::string& merchant, const std::string& id, absl::Time since) {
            return Ask(self, [&](Webhooks& w) { return w.CountRecoverable(merchant, id, since); });
          },
          py::arg("merchant_id"), py::arg("id"), py::arg("since"), "What start_recovery would do.")
      .def(
          "start_recovery",
          [](const PyWebhooks& self, const std::string& merchant, const std::string& id, absl::Time since,
             uint32_t per_second) {
            return Ask(self, [&](Webhooks& w) { return w.StartRecovery(merchant, id, since, per_second); });
          },
          py::arg("merchant_id"), py::arg("id"), py::arg("since"), py::kw_only(), py::arg("per_second") = 100,
          "Sends what an endpoint has not been told since a time, in the background, also after a restart.")
      .def("recovery", EndpointCall(&Webhooks::GetRecovery), py::arg("merchant_id"), py::arg("id"),
           "The last one. NotFound.")
      .def("cancel_recovery", EndpointCall(&Webhooks::CancelRecovery), py::arg("merchant_id"), py::arg("id"), "");
}

std::shared_ptr<PyWebhooks> Make(const std::shared_ptr<PyLedger>& ledger, const std::shared_ptr<PyScheduler>& scheduler,
                                 const py::dict& host_keys, const std::optional<WebhookPolicy>& policy,
                                 const py::object& disable_after, absl::Duration keep_for, bool plain_http,
                                 std::vector<uint16_t> ports, const py::dict& allowed_networks,
                                 std::vector<std::string> denied_networks, std::string ca_bundle,
                                 std::string user_agent, uint32_t breaker_failures, absl::Duration breaker_pause,
                                 absl::Duration breaker_longest_pause, size_t max_in_flight, size_t max_endpoints,
                                 size_t max_endpoints_per_merchant, absl::Duration stop_within,
                                 const py::object& clock) {
  WebhookOptions options{.host_keys = HostKeys(host_keys),
                         .policy = policy.value_or(WebhookPolicy()),
                         .disable_after = disable_after.is_none() ? absl::InfiniteDuration()
                                                                  : As<absl::Duration>(disable_after, "disable_after"),
                         .keep_for = keep_for,
                         .plain_http = plain_http,
                         .ports = std::move(ports),
                         .allowed_networks = Networks(allowed_networks),
                         .denied_networks = std::move(denied_networks),
                         .ca_bundle = std::move(ca_bundle),
                         .user_agent = std::move(user_agent),
                         .breaker_failures = breaker_failures,
                         .breaker_pause = breaker_pause,
                         .breaker_longest_pause = breaker_longest_pause,
                         .max_in_flight = max_in_flight,
                         .max_endpoints = max_endpoints,
                         .max_endpoints_per_merchant = max_endpoints_per_merchant,
                         .stop_within = stop_within};
  return PyWebhooks::Open(ledger, scheduler, std::move(options), clock);
}

void Verify(const py::object& keys, const std::string& id, const std::string& timestamp, const std::string& signature,
            const py::object& body, const py::object& now, absl::Duration tolerance) {
  const std::vector<std::string> list =
      PyUnicode_Check(keys.ptr()) ? std::vector{keys.cast<std::string>()} : Strings(keys, "keys");
  std::string text;
  if (!ToText(body, text)) throw py::type_error("a body is bytes or str");
  Must(VerifyWebhook(list, {id, timestamp, signature}, text, now.is_none() ? absl::Now() : As<absl::Time>(now, "now"),
                     tolerance));
}

}  // namespace

void BindWebhooks(py::module_& m) {
  const WebhookOptions defaults;
  Class type(m, "Webhooks",
             "Tells merchants what happened to their money: signed messages, tried again until delivered, with "
             "receipts. One per store at "
             "a time. Thread-safe. docs/webhooks.md has the catalogue of events and the semantics.");
  type.def(py::init(&Make), py::arg("ledger").none(false), py::arg("scheduler").none(false), py::arg("host_keys"),
           py::kw_only(), py::arg("policy") = py::none(), py::arg("disable_after") = defaults.disable_after,
           py::arg("keep_for") = defaults.keep_for, py::arg("plain_http") = false,
           py::arg("ports") = py::make_tuple(443), py::arg("allowed_networks") = py::dict(),
           py::arg("denied_networks") = py::tuple(), py::arg("ca_bundle") = "",
           py::arg("user_agent") = defaults.user_agent, py::arg("breaker_failures") = defaults.breaker_failures,
           py::arg("breaker_pause") = defaults.breaker_pause,
           py::arg("breaker_longest_pause") = defaults.breaker_longest_pause,
           py::arg("max_in_flight") = defaults.max_in_flight, py::arg("max_endpoints") = defaults.max_endpoints,
           py::arg("max_endpoints_per_merchant") = defaults.max_endpoints_per_merchant,
           py::arg("stop_within") = defaults.stop_within, py::arg("clock") = py::none(),
           "`host_keys` are ids with 32 random bytes each, the newest first, which seals; `allowed_networks` has ports "
           "by network.")
      .def(
          "start", [](const PyWebhooks& self) { Must(On(self, [](Webhooks& w) { return w.Start(); })); },
          "Begins to follow the journal and to send, on threads of its own.")
      .def(
          "stop", [](const PyWebhooks& self) { On(self, [](Webhooks& w) { return w.Stop(); }); },
          "Lets attempts under way end, and stops the threads. Idempotent.")
      .def_property_readonly(
          "error",
          [](const PyWebhooks& self) {
            const absl::Status status = On(self, [](Webhooks& w) { return w.status(); });
            return status.ok() ? py::object(py::none()) : ExceptionOf(status);
          },
          "The exception that stopped the threads, or None.")
      .def(
          "stats", [](const PyWebhooks& self) { return Ask(self, [](Webhooks& w) { return w.Stats(); }); },
          "How they are doing.");
  DefineEndpoints(type);
  DefineDeliveries(type);
  DefineClosable(type, "Stops, and lets its parts go. Idempotent.");

  m.def("verify_webhook", &Verify, py::arg("keys"), py::kw_only(), py::arg("id"), py::arg("timestamp"),
        py::arg("signature"), py::arg("body"), py::arg("now") = py::none(), py::arg("tolerance") = absl::Seconds(300),
        "For receivers: raises unless a message is by the holder of one of the keys, and of now. `id`, `timestamp` and "
        "`signature` are the "
        "headers webhook-…. Unauthenticated, OutOfRange (too old or too new), InvalidArgument.");
  m.def(
      "webhook_event_types",
      [] {
        py::list types;
        for (const std::string_view type_name : WebhookEventTypes()) types.append(TextOf(type_name));
        return py::tuple(types);
      },
      "All types of messages there are, sorted.");
  m.def(
      "plan_webhook_attempts",
      [](const WebhookPolicy& policy, size_t limit) { return TupleOf(Must(PlanWebhookAttempts(policy, limit))); },
      py::arg("policy"), py::arg("limit") = 100,
      "When a delivery that always fails would be tried, counted from its message.");
}

}  // namespace northwind::python
