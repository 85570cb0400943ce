// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/cutover.h"

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/python/src/clock.h"
#include "bindings/python/src/compare.h"
#include "bindings/python/src/ledger.h"
#include "bindings/python/src/pages.h"
#include "bindings/python/src/record.h"

namespace northwind::python {
namespace {

using Class = py::class_<PyCutover, std::shared_ptr<PyCutover>>;

template <typename F>
auto On(const PyCutover& self, F&& function) {
  const std::shared_ptr<Cutover> cutover = self.Get();
  return Unlocked([&] { return function(*cutover); });
}

// Of a tuple or list; a str is a sequence as well, of its letters.
template <typename T>
T Items(py::handle object, const char* what) {
  if (!py::isinstance<py::tuple>(object) && !py::isinstance<py::list>(object)) {
    throw py::type_error(std::string(what) + " is a tuple");
  }
  return As<T>(object, what);
}

void BindRecords(py::module_& m) {
  using A = Assignment;
  Record<A>(m, "Assignment", "Which system pays an id: for ever, whatever is raised or lowered later.")
      .Field("id", Member(&A::id), "")
      .Field("merchant_id", Member(&A::merchant_id), "")
      .Field("system", Member(&A::system), "")
      .Field("reason", Member(&A::reason), "")
      .Field("epoch", Member(&A::epoch), "Of the settings that decided.")
      .Field("at", Member(&A::at), "");
  using S = CutoverStatus;
  Record<S>(m, "CutoverStatus", "The settings of a cutover as they are.")
      .Field("at", Member(&S::at), "")
      .Field("epoch", Member(&S::epoch), "One more with every change.")
      .Field("threshold", Member(&S::threshold), "Basis points of merchants.")
      .Field("stages", Member(&S::stages), "")
      .Field("routed_to_batch", Member(&S::routed_to_batch), "Every new id goes to the batch.")
      .Field("sending_stopped", Member(&S::sending_stopped), "Nothing is submitted to the rail.")
      .Field("sending", Member(&S::sending), "Submissions of this process that have begun and not returned.")
      .Field("merchants", Member(&S::merchants), "Known.")
      .Field("allowed", Member(&S::allowed), "")
      .Field("denied", Member(&S::denied), "")
      .Field("residue", Member(&S::residue), "Assigned to northwind and not finished.");
  Record<CutoverShare>(m, "CutoverShare", "A part of the merchants, and what is theirs.")
      .Field("merchants", Member(&CutoverShare::merchants), "")
      .Field("units", Member(&CutoverShare::units), "By asset.");
  using V = CutoverPreview;
  Record<V>(m, "CutoverPreview", "What a threshold would move.")
      .Field("merchants", Member(&V::merchants), "Known, all.")
      .Field("units", Member(&V::units), "Of all, by asset, known or not.")
      .Field("now", Member(&V::now), "What goes to northwind now.")
      .Field("then", Member(&V::then), "What would, with routing not switched to the batch.")
      .Field("moved", Member(&V::moved), "The first 1000 merchants that change sides.");
  using L = AuditLine;
  Record<L>(m, "AuditLine", "One line of the audit log, chained by its hash.")
      .Field("number", Member(&L::number), "From 1, dense.")
      .Field("at", Member(&L::at), "")
      .Field("epoch", Member(&L::epoch), "After it.")
      .Field("actor", Member(&L::actor), "")
      .Field("action", Member(&L::action), "")
      .Field("detail", Member(&L::detail), "What changed, from and to.")
      .Field("reason", Member(&L::reason), "")
      .Field("hash", Member(&L::hash), "");
  using O = MerchantOverride;
  Record<O>(m, "MerchantOverride", "An override that is set, with the line of the audit log that set it.")
      .Field("merchant_id", Member(&O::merchant_id), "")
      .Field("value", Member(&O::value), "")
      .Field("line", Member(&O::line), "Number in the audit log.")
      .Field("at", Member(&O::at), "")
      .Field("actor", Member(&O::actor), "")
      .Field("reason", Member(&O::reason), "");
  using I = ResiduePage::Item;
  Record<I>(m, "ResidueItem", "Something that is assigned to northwind and not finished.")
      .Field("assignment", Member(&I::assignment), "")
      .Field("claim", Member(&I::claim), "None: nobody has claimed it.");
  using H = HandBackResult;
  Record<H>(m, "HandBackResult", "What became of ids that were to be handed back.")
      .Field("handed", Member(&H::handed), "Claimed for the batch now.")
      .Field("kept", Member(&H::kept), "Claimed by northwind, and never handed over.")
      .Field("before", Member(&H::before), "The batch had them.")
      .Field("finished", Member(&H::finished), "Nobody has to pay them.");
}

py::tuple Assign(const PyCutover& self, const py::iterable& requests) {
  std::vector<RouteRequest> all;
  for (const py::handle item : requests) {
    auto [id, merchant_id] = Items<std::tuple<std::string, std::string>>(item, "a request (id, merchant_id)");
    all.push_back({.id = std::move(id), .merchant_id = std::move(merchant_id)});
  }
  return TupleOf(Must(On(self, [&](Cutover& c) { return c.Assign(all); })));
}

CutoverPreview Preview(const PyCutover& self, uint32_t threshold, const py::iterable& values) {
  std::vector<MerchantValue> all;
  for (const py::handle item : values) {
    auto [merchant_id, asset, units] =
        Items<std::tuple<std::string, std::string, absl::uint128>>(item, "a value (merchant_id, asset, units)");
    all.push_back({.merchant_id = std::move(merchant_id), .asset = std::move(asset), .units = units});
  }
  return Must(On(self, [&](Cutover& c) { return c.Preview(threshold, all); }));
}

Pages Residue(std::shared_ptr<PyCutover> self, const py::object& claims, std::string after) {
  self->CheckOpen();
  static_cast<void>(ArbiterOf(claims));  // TypeError now
  return PagesOf<ResiduePage::Item>([self = std::move(self), claims,
                                     after = std::move(after)](std::vector<ResiduePage::Item>& items) mutable {
    // Open for a page, and not for as long as somebody has the iterator: what is raised in a loop holds it, and the arbiter is to be closed.
    const OpenArbiter arbiter = ArbiterOf(claims);
    ResiduePage page = Must(On(*self, [&](Cutover& c) { return c.Residue(*arbiter.claims, after, kMaxAuditPage); }));
    items = std::move(page.items);
    after = std::move(page.next);
    return !after.empty();
  });
}

Pages AuditLog(std::shared_ptr<PyCutover> self, uint64_t after) {
  self->CheckOpen();
  return PagesOf<AuditLine>([self = std::move(self), after](std::vector<AuditLine>& lines) mutable {
    lines = Must(On(*self, [&](Cutover& c) { return c.AuditLog(after, kMaxAuditPage); }));
    if (lines.empty()) return false;
    after = lines.back().number;
    return true;
  });
}

Pages Overrides(std::shared_ptr<PyCutover> self, std::string after) {
  self->CheckOpen();
  return PagesOf<MerchantOverride>(
      [self = std::move(self), after = std::move(after)](std::vector<MerchantOverride>& items) mutable {
        OverridePage page = Must(On(*self, [&](Cutover& c) { return c.Overrides(after, kMaxAuditPage); }));
        items = std::move(page.items);
        after = std::move(page.next);
        return !after.empty();
      });
}

HandBackResult HandBack(const PyCutover& self, const py::object& claims, const py::iterable& ids,
                        const std::string& actor, const std::string& reason, const std::shared_ptr<PyLedger>& ledger) {
  const std::vector<std::string> all = TextsOf(ids, "ids");
  const OpenArbiter arbiter = ArbiterOf(claims);
  const std::shared_ptr<Ledger> book = ledger == nullptr ? nullptr : ledger->Get();
  return Must(On(self, [&](Cutover& c) { return c.HandBack(*arbiter.claims, all, actor, reason, book.get()); }));
}

// What changes a setting by its new value, or by itself.
template <typename M>
void DefineThreshold(Class& type, const char* name, M method, const char* doc) {
  type.def(
      name,
      [method](const PyCutover& self, uint32_t threshold, const std::string& actor, const std::string& reason) {
        Must(On(self, [&](Cutover& c) { return (c.*method)(threshold, actor, reason); }));
      },
      py::arg("threshold"), py::arg("actor"), py::arg("reason"), doc);
}
template <typename M>
void DefineSwitch(Class& type, const char* name, M method, const char* doc) {
  type.def(
      name,
      [method](const PyCutover& self, const std::string& actor, const std::string& reason) {
        Must(On(self, [&](Cutover& c) { return (c.*method)(actor, reason); }));
      },
      py::arg("actor"), py::arg("reason"), doc);
}
// What needs the gate.
template <typename M>
void DefineGated(Class& type, const char* name, M method, const char* doc) {
  type.def(
      name,
      [method](const PyCutover& self, const std::shared_ptr<PyParallelRun>& run, const std::string& actor,
               const std::string& reason) {
        const std::shared_ptr<ParallelRun> open = run->Get();
        Must(On(self, [&](Cutover& c) { return (c.*method)(*open, actor, reason); }));
      },
      py::arg("run").none(false), py::arg("actor"), py::arg("reason"), doc);
}

void DefineAssignment(Class& type) {
  type.def("assign", &Assign, py::arg("requests"),
           "Up to 10,000 pairs (id, merchant_id), one Assignment each, durable together: the first answer of an id is "
           "its "
           "answer for ever.")
      .def(
          "find",
          [](const PyCutover& self, const std::string& id) {
            return Must(On(self, [&](Cutover& c) { return c.Find(id); }));
          },
          py::arg("id"), "The Assignment of an id. NotFound.")
      .def(
          "peek",
          [](const PyCutover& self, const std::string& merchant_id) {
            return On(self, [&](Cutover& c) { return c.Peek(merchant_id); });
          },
          py::arg("merchant_id"), "What a new id of the merchant would get now; the batch if that cannot be read.")
      .def(
          "finish",
          [](const PyCutover& self, const py::iterable& ids) {
            const std::vector<std::string> all = TextsOf(ids, "ids");
            Must(On(self, [&](Cutover& c) { return c.Finish(all); }));
          },
          py::arg("ids"), "They have come to their end, and are residue no more. Up to 10,000.");
}

void DefineSettings(Class& type) {
  DefineGated(
      type, "raise_", &Cutover::Raise,
      "To the next stage. FailedPrecondition with the gate's reasons if it is shut, and for what else is in the "
      "way.");
  DefineThreshold(type, "force_raise", &Cutover::ForceRaise, "Asks no gate; the log says so.");
  DefineGated(type, "resume_routing", &Cutover::ResumeRouting, "The switch back; needs the gate.");
  DefineSwitch(type, "force_resume_routing", &Cutover::ForceResumeRouting, "The switch back, without the gate.");
  DefineSwitch(type, "resume_sending", &Cutover::ResumeSending, "The switch back.");
  DefineThreshold(type, "lower", &Cutover::Lower, "Needs nothing. InvalidArgument if it is not lower.");
  DefineSwitch(type, "route_to_batch", &Cutover::RouteToBatch, "Every new id goes to the batch. Needs nothing.");
  DefineSwitch(type, "stop_sending", &Cutover::StopSending,
               "No submission to the rail begins any more; those that had begun are in CutoverStatus.sending.");
  type.def(
          "advance_epoch",
          [](const PyCutover& self, uint64_t epoch, const std::string& actor, const std::string& reason) {
            Must(On(self, [&](Cutover& c) { return c.AdvanceEpoch(epoch, actor, reason); }));
          },
          py::arg("epoch"), py::arg("actor"), py::arg("reason"),
          "After a restore from a backup, once somebody has seen that the settings are what they should be.")
      .def(
          "add_merchants",
          [](const PyCutover& self, const py::iterable& merchant_ids, const std::string& actor) {
            const std::vector<std::string> all = TextsOf(merchant_ids, "merchant_ids");
            Must(On(self, [&](Cutover& c) { return c.AddMerchants(all, actor); }));
          },
          py::arg("merchant_ids"), py::arg("actor"), "Up to 10,000. Those that nobody told of are the batch's.")
      .def(
          "set_override",
          [](const PyCutover& self, const std::string& merchant_id, std::optional<Override> value,
             const std::string& actor, const std::string& reason) {
            Must(On(self, [&](Cutover& c) { return c.SetOverride(merchant_id, value, actor, reason); }));
          },
          py::arg("merchant_id"), py::arg("value"), py::arg("actor"), py::arg("reason"), "None: no override.")
      .def(
          "overrides", &Overrides, py::kw_only(), py::arg("after") = "",
          "The overrides that are set, after that merchant, by merchant id; read page by page. DataLoss if a line that "
          "set one does not follow from the line before it.")
      .def("preview", &Preview, py::arg("threshold"), py::arg("values") = py::tuple(),
           "What a threshold would move; `values` are triples (merchant_id, asset, units), such as last month's "
           "payouts.");
}

void DefineRollback(Class& type) {
  type.def("residue", &Residue, py::arg("claims"), py::kw_only(), py::arg("after") = "",
           "What is assigned to northwind and not finished, with who claimed it, by id; read page by page.")
      .def("hand_back", &HandBack, py::arg("claims"), py::arg("ids"), py::arg("actor"), py::arg("reason"),
           py::kw_only(), py::arg("ledger") = py::none(),
           "Claims for the batch what northwind has not claimed. Unavailable: what was done is done, call it again. "
           "Always "
           "give the ledger if ids are payouts of one: what it holds no money for is not handed over.")
      .def(
          "publish_epoch",
          [](const PyCutover& self, const py::object& claims) {
            const OpenArbiter arbiter = ArbiterOf(claims);
            Must(On(self, [&](Cutover& c) { return c.PublishEpoch(*arbiter.claims); }));
          },
          py::arg("claims"), "Tells the arbiter, so that processes with older settings claim nothing.")
      .def(
          "status", [](const PyCutover& self) { return On(self, [](Cutover& c) { return c.Status(); }); },
          "The settings as they are.")
      .def("audit_log", &AuditLog, py::arg("after") = 0,
           "Lines after that number; read page by page. DataLoss if the chain does not hold.");
}

}  // namespace

std::shared_ptr<PyCutover> PyCutover::Open(const std::shared_ptr<PyStore>& store, CutoverOptions options,
                                           const py::object& clock) {
  auto self = std::make_shared<PyCutover>();
  const std::shared_ptr<Store> open = store->Get();
  const std::shared_ptr<PyClock> own_clock = ClockOf(clock);
  options.clock = own_clock.get();
  self->handle_.Set(Must(Unlocked([&] { return Cutover::Open(*open, options); })),
                    std::make_tuple(own_clock, open, store->NewUse()));
  self->CloseAtExit();
  return self;
}

void PyCutover::Close() { static_cast<void>(handle_.Take()); }

void BindCutover(py::module_& m) {
  BindRecords(m);
  m.def("cutover_bucket", &CutoverBucket, py::arg("salt"), py::arg("merchant_id"),
        "0 to 9,999: where a merchant stands in the ramp. The same function in SQL is in docs/cutover.md.");
  const CutoverOptions defaults;
  Class type(
      m, "Cutover",
      "Which system settles what: the move from the batch to northwind, merchant by merchant, and back at any "
      "second. One per store at a time. Thread-safe. docs/cutover.md has the semantics.\n\n"
      "What changes settings is durable when it returns, and has an actor, a reason and a line in the audit log.");
  type.def(py::init([](const std::shared_ptr<PyStore>& store, std::string salt, const py::iterable& stages,
                       uint32_t days_between_raises, const py::object& clock) {
             CutoverOptions options{.salt = std::move(salt), .stages = {}, .days_between_raises = days_between_raises};
             for (const py::handle stage : stages) options.stages.push_back(As<uint32_t>(stage, "a stage"));
             return PyCutover::Open(store, std::move(options), clock);
           }),
           py::arg("store").none(false), py::arg("salt"), py::kw_only(), py::arg("stages") = TupleOf(defaults.stages),
           py::arg("days_between_raises") = defaults.days_between_raises, py::arg("clock") = py::none(),
           "`salt` is fixed at the first opening of a store. `stages` are ascending basis points, the last 10,000.");
  DefineAssignment(type);
  DefineSettings(type);
  DefineRollback(type);
  DefineClosable(type, "Lets the store go. FailedPrecondition while something stands on it. Idempotent.");
}

}  // namespace northwind::python
