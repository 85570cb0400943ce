// SPDX-License-Identifier: Apache-2.0
#include "northwind/sqs.h"

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/time/clock.h"
#include "bindings/python/src/intake.h"
#include "bindings/python/src/record.h"
#include "bindings/python/src/services.h"

namespace northwind::python {
namespace {

class PySqsSource final : public Closable {
 public:
  static std::shared_ptr<PySqsSource> Open(const std::shared_ptr<PyIntake>& intake, const SqsOptions& options) {
    auto self = std::make_shared<PySqsSource>();
    const std::shared_ptr<Intake> open = intake->Get();
    self->handle_.Set(Must(Unlocked([&] { return SqsSource::Open(*open, options); })),
                      std::make_tuple(open, intake->NewUse()));
    self->CloseAtExit();
    return self;
  }
  std::shared_ptr<SqsSource> Get() const { return handle_.Get(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override {
    const std::shared_ptr<SqsSource> source = handle_.Take();
    if (source != nullptr) Must(Unlocked([&] { return source->Stop(); }));
  }

 private:
  Handle<SqsSource> handle_{"source"};
};

template <typename F>
auto On(const PySqsSource& self, F&& function) {
  const std::shared_ptr<SqsSource> source = self.Get();
  return Unlocked([&] { return function(*source); });
}

bool WaitUntilDrained(const PySqsSource& self, const py::object& timeout) {
  const absl::Time until =
      timeout.is_none() ? absl::InfiniteFuture() : absl::Now() + As<absl::Duration>(timeout, "timeout");
  // An empty receive begun in one slice may end in the next, so each wait is as long as a receive takes at most: handlers of signals run in between.
  while (true) {
    const absl::Duration slice = std::min(until - absl::Now(), absl::Seconds(25));
    if (On(self, [&](SqsSource& s) { return s.WaitUntilDrained(slice); })) return true;
    CheckSignals();
    const SqsState state = On(self, [](SqsSource& s) { return s.Stats().state; });
    if (state == SqsState::kStopped || state == SqsState::kHalted || absl::Now() >= until) return false;
  }
}

void BindReports(py::module_& m) {
  using S = SqsStats;
  Record<S>(m, "SqsStats", "How a source is doing; counts since it was opened.")
      .Field("state", Member(&S::state), "")
      .Field("received", Member(&S::received), "Messages, each delivery counted.")
      .Field("redelivered", Member(&S::redelivered), "")
      .Field("deleted", Member(&S::deleted), "")
      .Field("returned", Member(&S::returned), "Made visible again without having been applied.")
      .Field("corrupt", Member(&S::corrupt), "")
      .Field("poison", Member(&S::poison), "Went to quarantine.")
      .Field("applied", Member(&S::applied), "")
      .Field("duplicates", Member(&S::duplicates), "")
      .Field("rejected", Member(&S::rejected), "")
      .Field("parked", Member(&S::parked), "")
      .Field("delete_failures", Member(&S::delete_failures), "")
      .Field("heartbeat_failures", Member(&S::heartbeat_failures), "")
      .Field("retries", Member(&S::retries), "Requests that were made again.")
      .Field("throttled", Member(&S::throttled), "")
      .Field("held", Member(&S::held), "Messages held now.")
      .Field("held_bytes", Member(&S::held_bytes), "")
      .Kept(&S::status)
      .Also(
          "error", [](const S& s) { return s.status.ok() ? py::object(py::none()) : ExceptionOf(s.status); },
          "Why it waits or halted; None if it does not.");
  Record<SqsCounts>(m, "SqsCounts", "What the service says of a queue; approximate.")
      .Field("visible", Member(&SqsCounts::visible), "")
      .Field("in_flight", Member(&SqsCounts::in_flight), "")
      .Field("delayed", Member(&SqsCounts::delayed), "")
      .Also("none", &SqsCounts::none, "Whether there are none.");
}

}  // namespace

void BindSqs(py::module_& m) {
  BindReports(m);
  const SqsOptions defaults;
  py::class_<PySqsSource, std::shared_ptr<PySqsSource>> type(
      m, "SqsSource",
      "Receives events from a queue of SQS, applies them, and deletes them once that is durable. Thread-safe. "
      "docs/sqs.md has the "
      "semantics.");
  type.def(py::init([](const std::shared_ptr<PyIntake>& intake, std::string queue_url, std::string region,
                       std::string endpoint, std::string profile, std::string ca_bundle, SqsBody body,
                       bool sns_envelope, SqsPoison poison, int pollers, absl::Duration wait, absl::Duration visibility,
                       size_t max_messages, size_t max_bytes, size_t batch) {
             return PySqsSource::Open(intake, {.queue_url = std::move(queue_url),
                                               .region = std::move(region),
                                               .endpoint = std::move(endpoint),
                                               .profile = std::move(profile),
                                               .ca_bundle = std::move(ca_bundle),
                                               .body = body,
                                               .sns_envelope = sns_envelope,
                                               .poison = poison,
                                               .pollers = pollers,
                                               .wait = wait,
                                               .visibility = visibility,
                                               .max_messages = max_messages,
                                               .max_bytes = max_bytes,
                                               .batch = batch});
           }),
           py::arg("intake").none(false), py::arg("queue_url"), py::kw_only(), py::arg("region") = "",
           py::arg("endpoint") = "", py::arg("profile") = "", py::arg("ca_bundle") = "",
           py::arg("body") = defaults.body, py::arg("sns_envelope") = false, py::arg("poison") = defaults.poison,
           py::arg("pollers") = defaults.pollers, py::arg("wait") = defaults.wait,
           py::arg("visibility") = defaults.visibility, py::arg("max_messages") = defaults.max_messages,
           py::arg("max_bytes") = defaults.max_bytes, py::arg("batch") = defaults.batch,
           "The intake must have a scheduler. Does not touch the network.")
      .def(
          "start", [](const PySqsSource& self) { Must(On(self, [](SqsSource& s) { return s.Start(); })); },
          "Asks the queue for its attributes and begins to poll, on threads of its own.")
      .def(
          "stop", [](const PySqsSource& self) { Must(On(self, [](SqsSource& s) { return s.Stop(); })); },
          "Lets receives under way end, applies what they bring, and gives the rest back. Idempotent.")
      .def("wait_until_drained", &WaitUntilDrained, py::arg("timeout") = py::none(),
           "Until the queue was seen empty with nothing held; False after `timeout`, or if it stops or halts.")
      .def(
          "count_messages",
          [](const PySqsSource& self) { return Must(On(self, [](SqsSource& s) { return s.CountMessages(); })); },
          "Asks the queue how many messages it has.")
      .def(
          "stats", [](const PySqsSource& self) { return On(self, [](SqsSource& s) { return s.Stats(); }); },
          "How it is doing.");
  DefineClosable(type, "Stops, and lets the intake go. Idempotent.");
}

}  // namespace northwind::python
