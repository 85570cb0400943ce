// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/python/src/clock.h"
#include "bindings/python/src/compare.h"
#include "bindings/python/src/cutover.h"
#include "bindings/python/src/pages.h"
#include "bindings/python/src/record.h"

namespace northwind::python {
namespace {

using Class = py::class_<PyParallelRun, std::shared_ptr<PyParallelRun>>;

template <typename F>
auto On(const PyParallelRun& self, F&& function) {
  const std::shared_ptr<ParallelRun> run = self.Get();
  return Unlocked([&] { return function(*run); });
}

// ---- Mapping

// From JSON, or what json.loads would make of it; members of enumerations stand for their names.
LegacyMapping MappingOf(const py::object& mapping) {
  std::string json;
  if (!ToText(mapping, json)) {
    json = py::module_::import("northwind._mapping").attr("mapping_json")(mapping).cast<std::string>();
  }
  return Must(ParseMappingJson(json));
}

// ---- Whose payout it is

// What the function raised, on the thread that closes a day: CloseDay asks on the thread that calls it.
thread_local std::exception_ptr raised_here;

class PyIsOurs {
 public:
  explicit PyIsOurs(py::object function) : function_(std::move(function)) {}
  ~PyIsOurs() {
    py::gil_scoped_acquire acquire;
    function_ = py::object();
  }
  PyIsOurs(const PyIsOurs&) = delete;
  PyIsOurs& operator=(const PyIsOurs&) = delete;

  absl::StatusOr<bool> Ask(Leg leg, std::string_view id, std::string_view merchant_id) const {
    if (Ending()) return absl::CancelledError("Python is ending");
    py::gil_scoped_acquire acquire;
    try {
      CheckSignals();
      const py::object answer = function_(leg, TextOf(id), TextOf(merchant_id));
      if (!py::isinstance<py::bool_>(answer)) throw py::type_error("is_ours answers True or False");
      return answer.is(py::bool_(true));
    } catch (...) {
      raised_here = std::current_exception();
      return absl::CancelledError("is_ours has raised an exception");
    }
  }

 private:
  py::object function_;
};

// What has to stay open while it may be asked.
struct OpenIsOurs {
  IsOurs function;
  std::shared_ptr<Cutover> cutover;
  Use cutover_use;
  OpenArbiter arbiter;
};

OpenIsOurs Resolve(const PyNorthwindPays& pays) {
  OpenIsOurs open{
      .cutover = pays.cutover->Get(), .cutover_use = pays.cutover->NewUse(), .arbiter = ArbiterOf(pays.claims)};
  open.function = NorthwindPays(*open.cutover, *open.arbiter.claims);
  return open;
}

OpenIsOurs IsOursOf(const py::object& is_ours) {
  if (is_ours.is_none()) return {};
  if (py::isinstance<PyNorthwindPays>(is_ours)) return Resolve(is_ours.cast<const PyNorthwindPays&>());
  if (!PyCallable_Check(is_ours.ptr())) throw py::type_error("is_ours is a function, or what northwind_pays made");
  auto function = std::make_shared<PyIsOurs>(is_ours);
  return {.function = [function = std::move(function)](Leg leg, std::string_view id, std::string_view merchant_id) {
    return function->Ask(leg, id, merchant_id);
  }};
}

// ---- Both sides

void CatchUp(const PyParallelRun& self) {
  const std::shared_ptr<ParallelRun> run = self.Get();
  const Sequence head = Unlocked([&] { return self.ledger().Head().sequence; });
  // By single steps, so that Ctrl-C ends it.
  while (Unlocked([&] { return run->followed(); }) < head) {
    Must(Unlocked([&] { return run->FollowOnce(); }));
    CheckSignals();
  }
}

// Of rows that are made of objects, after so many a look for Ctrl-C.
constexpr size_t kRowsPerSignalCheck = 1024;

std::vector<RawRow> RowsOf(const py::iterable& rows) {
  std::vector<RawRow> all;
  std::string text;
  for (const py::handle row : rows) {
    if (ToText(row, text)) throw py::type_error("a row is an iterable of str and None, and not one str");
    if (all.size() % kRowsPerSignalCheck == 0) CheckSignals();
    RawRow& raw = all.emplace_back();
    for (const py::handle value : As<py::iterable>(row, "a row")) {
      if (value.is_none()) {
        raw.emplace_back(std::nullopt);
      } else if (ToText(value, text)) {
        raw.emplace_back(text);
      } else {
        throw py::type_error("a value of a row is str, bytes or None, as the batch system writes it");
      }
    }
  }
  return all;
}

void DefineSides(Class& type) {
  type.def(
          "follow_once",
          [](const PyParallelRun& self, size_t limit) {
            return Must(On(self, [&](ParallelRun& r) { return r.FollowOnce(limit); }));
          },
          py::arg("limit") = kMaxJournalPage, "Reads up to `limit` records of the journal; how many.")
      .def("catch_up", &CatchUp, "Follows the journal up to its head as it is now.")
      .def_property_readonly(
          "followed", [](const PyParallelRun& self) { return On(self, [](ParallelRun& r) { return r.followed(); }); },
          "The last record of the journal that was followed.")
      .def(
          "ingest",
          [](const PyParallelRun& self, const std::string& source, const LegacyFilePage& page) {
            return Must(On(self, [&](ParallelRun& r) { return r.Ingest(source, page.columns, page.rows, page.next); }));
          },
          py::arg("source"), py::arg("page"), "")
      .def(
          "ingest",
          [](const PyParallelRun& self, const std::string& source, const py::iterable& columns,
             const py::iterable& rows, const std::string& next) {
            const std::vector<std::string> names = TextsOf(columns, "columns");
            const std::vector<RawRow> all = RowsOf(rows);
            return Must(On(self, [&](ParallelRun& r) { return r.Ingest(source, names, all, next); }));
          },
          py::arg("source"), py::arg("columns"), py::arg("rows"), py::kw_only(), py::arg("next") = "",
          "Up to 100,000 rows of a source, of text as the batch system writes it and None for NULL; in any order, and "
          "again. `next` is kept with them, for `cursor`.")
      .def(
          "cursor",
          [](const PyParallelRun& self, const std::string& source) {
            return TextOf(Must(On(self, [&](ParallelRun& r) { return r.Cursor(source); })));
          },
          py::arg("source"), "What was `next` of the rows of a source that came last; empty for none.");
}

// ---- Days

DayFigures CloseDay(const PyParallelRun& self, absl::CivilDay day, std::string actor, const py::object& expected) {
  CloseDayOptions options{.actor = std::move(actor), .expected = {}};
  if (!expected.is_none()) {
    options.expected.emplace();
    for (const auto& [asset, total] : As<py::dict>(expected, "expected")) {
      CountAndSum& sum = (*options.expected)[As<std::string>(asset, "an asset")];
      if (py::isinstance<CountAndSum>(total)) {
        sum = total.cast<CountAndSum>();
      } else {
        std::tie(sum.count, sum.sum) = As<std::tuple<uint64_t, absl::int128>>(total, "a total (count, sum)");
      }
    }
  }
  raised_here = nullptr;
  absl::StatusOr<DayFigures> figures = On(self, [&](ParallelRun& r) { return r.CloseDay(day, options); });
  if (const std::exception_ptr raised = std::exchange(raised_here, nullptr)) std::rethrow_exception(raised);
  return Must(std::move(figures));
}

// `read(run, after)` answers a DigestPage.
template <typename F>
Pages Digests(std::shared_ptr<PyParallelRun> self, F read) {
  self->CheckOpen();
  return PagesOf<DigestNode>(
      [self = std::move(self), read = std::move(read), after = std::string()](std::vector<DigestNode>& nodes) mutable {
        DigestPage page = Must(On(*self, [&](ParallelRun& r) { return read(r, after); }));
        nodes = std::move(page.nodes);
        after = std::move(page.next);
        return !after.empty();
      });
}

void DefineDays(Class& type) {
  type.def("close_day", &CloseDay, py::arg("day"), py::arg("actor"), py::kw_only(), py::arg("expected") = py::none(),
           "Takes stock of a business day. `expected` is what the batch itself counts for it: CountAndSum, or (count, "
           "sum), "
           "by asset; None: what was told before. FailedPrecondition if the day is not over or the journal not "
           "followed. "
           "What is_ours raises is raised, and the day is then to be closed again.")
      .def(
          "days",
          [](const PyParallelRun& self, absl::CivilDay first, absl::CivilDay last) {
            return TupleOf(Must(On(self, [&](ParallelRun& r) { return r.Days(first, last); })));
          },
          py::arg("first"), py::arg("last"), "DayFigures of days that anything is known of, both inclusive.")
      .def(
          "merchant_digests",
          [](std::shared_ptr<PyParallelRun> self, absl::CivilDay day) {
            return Digests(std::move(self), [day](ParallelRun& r, const std::string& after) {
              return r.MerchantDigests(day, after, kMaxDigestPage);
            });
          },
          py::arg("day"), "Of each merchant of a day; read page by page.")
      .def(
          "hour_digests",
          [](const PyParallelRun& self, absl::CivilDay day, const std::string& merchant_id) {
            return TupleOf(Must(On(self, [&](ParallelRun& r) { return r.HourDigests(day, merchant_id); })).nodes);
          },
          py::arg("day"), py::arg("merchant_id"), "Of each hour of a merchant's day.")
      .def(
          "row_digests",
          [](std::shared_ptr<PyParallelRun> self, absl::CivilDay day, std::string merchant_id, int hour) {
            return Digests(std::move(self),
                           [day, merchant_id = std::move(merchant_id), hour](ParallelRun& r, const std::string& after) {
                             return r.RowDigests(day, merchant_id, hour, after, kMaxDigestPage);
                           });
          },
          py::arg("day"), py::arg("merchant_id"), py::arg("hour"), "Of each row of an hour; read page by page.");
}

// ---- Discrepancies and rules

Pages Discrepancies(std::shared_ptr<PyParallelRun> self, std::optional<DiscrepancyState> state,
                    std::optional<DiscrepancyClass> first_class, std::optional<absl::CivilDay> day,
                    std::string merchant_id) {
  self->CheckOpen();
  DiscrepancyQuery query{.state = state,
                         .first_class = first_class,
                         .day = day,
                         .merchant_id = std::move(merchant_id),
                         .limit = kMaxDiscrepancyPage};
  return PagesOf<Discrepancy>(
      [self = std::move(self), query = std::move(query)](std::vector<Discrepancy>& discrepancies) mutable {
        DiscrepancyPage page = Must(On(*self, [&](ParallelRun& r) { return r.ListDiscrepancies(query); }));
        discrepancies = std::move(page.discrepancies);
        query.after = std::move(page.next);
        return !query.after.empty();
      });
}

template <typename M>
void DefineDecision(Class& type, const char* name, M method, const char* doc) {
  type.def(
      name,
      [method](const PyParallelRun& self, const std::string& id, const std::string& actor, const std::string& reason) {
        Must(On(self, [&](ParallelRun& r) { return (r.*method)(id, actor, reason); }));
      },
      py::arg("id"), py::arg("actor"), py::arg("reason"), doc);
}

void DefineDiscrepancies(Class& type) {
  type.def("discrepancies", &Discrepancies, py::kw_only(), py::arg("state") = py::none(),
           py::arg("first_class") = py::none(), py::arg("day") = py::none(), py::arg("merchant_id") = "",
           "By id; read page by page.")
      .def(
          "discrepancy",
          [](const PyParallelRun& self, const std::string& id) {
            return Must(On(self, [&](ParallelRun& r) { return r.GetDiscrepancy(id); }));
          },
          py::arg("id"), "NotFound.");
  DefineDecision(type, "explain", &ParallelRun::Explain, "Somebody says why it is right as it is.");
  DefineDecision(type, "resolve", &ParallelRun::Resolve, "Somebody says that it is mended.");
  DefineDecision(type, "reopen", &ParallelRun::Reopen, "Takes either back.");
  type.def(
          "add_rule",
          [](const PyParallelRun& self, const IgnoreRule& rule) {
            Must(On(self, [&](ParallelRun& r) { return r.AddRule(rule); }));
          },
          py::arg("rule"),
          "AlreadyExists for an id that was ever used. Any change of rules begins the gate's count of days anew.")
      .def(
          "retire_rule",
          [](const PyParallelRun& self, const std::string& id, const std::string& actor) {
            Must(On(self, [&](ParallelRun& r) { return r.RetireRule(id, actor); }));
          },
          py::arg("id"), py::arg("actor"), "What it covered is open again. NotFound.")
      .def(
          "rules",
          [](const PyParallelRun& self) { return TupleOf(Must(On(self, [](ParallelRun& r) { return r.Rules(); }))); },
          "The rules that are not retired.");
}

// ---- Gate

void DefineGate(Class& type) {
  type.def(
          "gate", [](const PyParallelRun& self) { return Must(On(self, [](ParallelRun& r) { return r.Gate(); })); },
          "Whether the next stage may be entered, and if not, why.")
      .def(
          "report",
          [](const PyParallelRun& self, absl::CivilDay first, absl::CivilDay last) {
            return Must(On(self, [&](ParallelRun& r) { return r.Report(first, last); }));
          },
          py::arg("first"), py::arg("last"), "Of these days, both inclusive.")
      .def(
          "sign_off",
          [](const PyParallelRun& self, absl::CivilDay first, absl::CivilDay last, const std::string& actor,
             const std::string& note) {
            Must(On(self, [&](ParallelRun& r) { return r.SignOff(first, last, actor, note); }));
          },
          py::arg("first"), py::arg("last"), py::arg("actor"), py::arg("note"),
          "Puts a name under the report as it stands. FailedPrecondition while the gate is shut, and for days that are "
          "not clean.")
      .def(
          "verify", [](const PyParallelRun& self) { Must(On(self, [](ParallelRun& r) { return r.Verify(); })); },
          "Counts everything again. DataLoss names the first difference from what is kept.");
}

void BindPays(py::module_& m) {
  py::class_<PyNorthwindPays>(m, "NorthwindPays", "Whether a payout is northwind's: made by northwind_pays.")
      .def(
          "__call__",
          [](const PyNorthwindPays& self, Leg leg, const std::string& id, const std::string& merchant_id) {
            const OpenIsOurs open = Resolve(self);
            return Must(Unlocked([&] { return open.function(leg, id, merchant_id); }));
          },
          py::arg("leg"), py::arg("id"), py::arg("merchant_id"), "");
  m.def(
      "northwind_pays",
      [](const std::shared_ptr<PyCutover>& cutover, py::object claims) {
        static_cast<void>(ArbiterOf(claims));  // TypeError now
        return PyNorthwindPays{cutover, std::move(claims)};
      },
      py::arg("cutover").none(false), py::arg("claims"),
      "For `is_ours` of ParallelRun: a payout is northwind's if northwind has claimed it, or if nobody has and it is "
      "assigned to northwind.");
  m.def(
      "format_mapping", [](const py::object& mapping) { return TextOf(FormatMappingJson(MappingOf(mapping))); },
      py::arg("mapping"),
      "The one JSON text of a mapping, which is a dict or JSON. InvalidArgument names the member that is wrong.");
}

}  // namespace

std::shared_ptr<PyParallelRun> PyParallelRun::Open(const std::shared_ptr<PyLedger>& ledger, ParallelRunOptions options,
                                                   const py::object& is_ours, const py::object& clock) {
  auto self = std::make_shared<PyParallelRun>();
  const std::shared_ptr<Ledger> book = ledger->Get();
  const std::shared_ptr<Store> store = ledger->store()->Get();
  const std::shared_ptr<PyClock> own_clock = ClockOf(clock);
  OpenIsOurs asked = IsOursOf(is_ours);
  options.clock = own_clock.get();
  options.is_ours = asked.function;
  self->ledger_ = book.get();
  self->handle_.Set(Must(Unlocked([&] { return ParallelRun::Open(*book, *store, options); })),
                    std::make_tuple(own_clock, store, book, ledger->NewUse(), std::move(asked)));
  self->CloseAtExit();
  return self;
}

void PyParallelRun::Close() { static_cast<void>(handle_.Take()); }

void BindParallelRun(py::module_& m) {
  const ParallelRunOptions defaults;
  Class type(
      m, "ParallelRun",
      "Compares everything that the ledger settles with what the batch system says of it, and keeps what it finds in "
      "the ledger's store. One per store at a time. Thread-safe. docs/parallel-run.md has the semantics.");
  type.def(
      py::init([](const std::shared_ptr<PyLedger>& ledger, const py::object& mapping, int gate_days,
                  absl::Duration close_after, bool needs_totals, const py::object& is_ours, const py::object& clock) {
        return PyParallelRun::Open(ledger,
                                   {.mapping = MappingOf(mapping),
                                    .gate_days = gate_days,
                                    .close_after = close_after,
                                    .needs_totals = needs_totals,
                                    .is_ours = {}},
                                   is_ours, clock);
      }),
      py::arg("ledger").none(false), py::arg("mapping"), py::kw_only(), py::arg("gate_days") = defaults.gate_days,
      py::arg("close_after") = defaults.close_after, py::arg("needs_totals") = defaults.needs_totals,
      py::arg("is_ours") = py::none(), py::arg("clock") = py::none(),
      "`mapping` says how rows of the batch system are read: a dict or JSON. During a cutover, `is_ours` is "
      "northwind_pays(cutover, claims), or a function of (leg, id, merchant_id); it must not call the run.");
  DefineSides(type);
  DefineDays(type);
  DefineDiscrepancies(type);
  DefineGate(type);
  DefineClosable(type, "Lets the ledger go. Idempotent.");
  BindPays(m);
}

}  // namespace northwind::python
