// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/clock.h"
#include "bindings/python/src/intake.h"
#include "bindings/python/src/pages.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/rail.h"
#include "bindings/python/src/record.h"

namespace northwind::python {
namespace {

class PyPayouts final : public Closable {
 public:
  static std::shared_ptr<PyPayouts> Open(const std::shared_ptr<PyLedger>& ledger,
                                         const std::shared_ptr<PyScheduler>& scheduler,
                                         const std::shared_ptr<PyIntake>& intake, const py::object& rail,
                                         PayoutOptions options, const py::object& clock) {
    auto self = std::make_shared<PyPayouts>();
    const std::shared_ptr<Ledger> book = ledger->Get();
    const std::shared_ptr<Store> store = ledger->store()->Get();
    const std::shared_ptr<Scheduler> timers = scheduler->Get();
    const std::shared_ptr<Intake> events = intake->Get();
    const OpenRail own_rail = RailOf(rail);
    const std::shared_ptr<PyClock> own_clock = ClockOf(clock);
    options.clock = own_clock.get();
    self->handle_.Set(Must(Unlocked([&] {
                        return Payouts::Open({*book, *store, *timers, *events, *own_rail.rail}, options);
                      })),
                      std::make_tuple(store, book, ledger->NewUse(), timers, scheduler->NewUse(), events,
                                      intake->NewUse(), own_rail.rail, own_rail.use, own_clock));
    self->CloseAtExit();
    return self;
  }

  std::shared_ptr<Payouts> Get() const { return handle_.Get(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override {
    const std::shared_ptr<Payouts> payouts = handle_.Take();
    if (payouts != nullptr) Unlocked([&] { payouts->Stop(); });
  }

 private:
  Handle<Payouts> handle_{"payouts"};
};

template <typename F>
auto On(const PyPayouts& self, F&& function) {
  const std::shared_ptr<Payouts> payouts = self.Get();
  return Unlocked([&] { return function(*payouts); });
}

Pages List(std::shared_ptr<PyPayouts> self, std::string merchant_id, std::optional<PayoutState> state,
           const py::object& start, const py::object& end) {
  self->CheckOpen();
  PayoutQuery query{.merchant_id = std::move(merchant_id), .state = state, .limit = kMaxPayoutPage};
  if (!start.is_none()) query.from = As<absl::Time>(start, "start");
  if (!end.is_none()) query.before = As<absl::Time>(end, "end");
  return PagesOf<Payout>([self = std::move(self), query = std::move(query)](std::vector<Payout>& payouts) mutable {
    PayoutPage page = Must(On(*self, [&](Payouts& p) { return p.ListPayouts(query); }));
    payouts = std::move(page.payouts);
    query.after = std::move(page.next);
    return !query.after.empty();
  });
}

void BindPayout(py::module_& m) {
  using M = PayoutMoment;
  Record<M>(m, "PayoutMoment", "One thing that happened to a payout.")
      .Field("at", Member(&M::at), "")
      .Field("what", Member(&M::what), "An event type, \"rejected\", \"submit\" or \"query\".")
      .Field("detail", Member(&M::detail), "")
      .Field("sequence", Member(&M::sequence), "In the journal; 0 for calls of the rail.");

  using P = Payout;
  Record<P>(m, "Payout", "A payout as it stands.")
      .Field("payout_id", Member(&P::payout_id), "")
      .Field("merchant_id", Member(&P::merchant_id), "")
      .Field("asset", Member(&P::asset), "")
      .Field("amount", Member(&P::amount), "")
      .Field("state", Member(&P::state), "")
      .Field("reason", Member(&P::reason), "Of one that was rejected.")
      .Field("requested_at", Member(&P::requested_at), "")
      .Field("settled_at", Member(&P::settled_at), "Of the last event, in a final state.")
      .Field("provider_key", Member(&P::provider_key), "")
      .Field("submits", Member(&P::submits), "")
      .Field("queries", Member(&P::queries), "")
      .Field("timeline", Member(&P::timeline), "Of Payouts.payout only.")
      .Field("next_attempt", Member(&P::next_attempt), "Of Payouts.payout only: when the rail is called next.")
      .Field("attention", Member(&P::attention),
             "Why somebody must look: rail and ledger contradict each other, or what is kept of it is damaged.");
}

}  // namespace

void BindPayouts(py::module_& m) {
  BindPayout(m);
  const PayoutOptions defaults;
  using Class = py::class_<PyPayouts, std::shared_ptr<PyPayouts>>;
  Class type(
      m, "Payouts",
      "Executes every payout that the ledger holds money for, by a rail, exactly once. One per store at a time. "
      "Thread-safe.\n\n"
      "The rail is an object with submit(instruction) and query(instruction), called from several threads; each "
      "answers a "
      "RailAnswer or a RailState. One that raises is taken for UNKNOWN. Or it is a ClaimedRail, which a store with a "
      "cutover needs. docs/payouts.md has the semantics.");
  type.def(py::init([](const std::shared_ptr<PyLedger>& ledger, const std::shared_ptr<PyScheduler>& scheduler,
                       const std::shared_ptr<PyIntake>& intake, const py::object& rail, int workers, size_t batch,
                       absl::Duration lease, const std::optional<RetryPolicy>& policy, BatchSystem batch_system,
                       const py::object& clock) {
             return PyPayouts::Open(ledger, scheduler, intake, rail,
                                    {.workers = workers,
                                     .batch = batch,
                                     .lease = lease,
                                     .policy = policy.value_or(PayoutOptions::DefaultPolicy()),
                                     .batch_system = batch_system},
                                    clock);
           }),
           py::arg("ledger").none(false), py::arg("scheduler").none(false), py::arg("intake").none(false),
           py::arg("rail"), py::kw_only(), py::arg("workers") = defaults.workers, py::arg("batch") = defaults.batch,
           py::arg("lease") = defaults.lease, py::arg("policy") = py::none(),
           py::arg("batch_system") = defaults.batch_system, py::arg("clock") = py::none(), "")
      .def(
          "start", [](const PyPayouts& self) { Must(On(self, [](Payouts& p) { return p.Start(); })); },
          "Begins to follow the journal and to work, on threads of its own.")
      .def(
          "stop", [](const PyPayouts& self) { On(self, [](Payouts& p) { return p.Stop(); }); },
          "Lets calls of the rail under way end, and stops the threads. Idempotent.")
      .def_property_readonly(
          "error",
          [](const PyPayouts& self) {
            const absl::Status status = On(self, [](Payouts& p) { return p.status(); });
            return status.ok() ? py::object(py::none()) : ExceptionOf(status);
          },
          "The exception that stopped the threads, or None.")
      .def(
          "follow_once",
          [](const PyPayouts& self, size_t limit) {
            return Must(On(self, [&](Payouts& p) { return p.FollowOnce(limit); }));
          },
          py::arg("limit") = 1000, "One step of the follower, on the calling thread; how many records it was.")
      .def(
          "work_once", [](const PyPayouts& self) { return Must(On(self, [](Payouts& p) { return p.WorkOnce(); })); },
          "One step of a worker, on the calling thread; how many payouts it dealt with.")
      .def(
          "cancel",
          [](const PyPayouts& self, const std::string& id) {
            Must(On(self, [&](Payouts& p) { return p.Cancel(id); }));
          },
          py::arg("payout_id"), "Cancels a payout that the rail has not been called for. FailedPrecondition, NotFound.")
      .def(
          "payout",
          [](const PyPayouts& self, const std::string& id) {
            return Must(On(self, [&](Payouts& p) { return p.GetPayout(id); }));
          },
          py::arg("payout_id"), "A payout with its timeline. NotFound.")
      .def("payouts", &List, py::kw_only(), py::arg("merchant_id"), py::arg("state") = py::none(),
           py::arg("start") = py::none(), py::arg("end") = py::none(),
           "A merchant's payouts by time of request, without timelines; read page by page.")
      .def_property_readonly(
          "followed", [](const PyPayouts& self) { return On(self, [](Payouts& p) { return p.followed(); }); },
          "The last record of the journal that was followed.");
  DefineClosable(type, "Stops, and lets its parts go. Idempotent.");
}

}  // namespace northwind::python
