// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/time/clock.h"
#include "bindings/python/src/ledger.h"
#include "bindings/python/src/record.h"
#include "bindings/python/src/services.h"
#include "northwind/postgres.h"

namespace northwind::python {
namespace {

// Waits are cut, so that Ctrl-C ends them.
constexpr absl::Duration kSlice = absl::Milliseconds(100);

class PyMirror final : public Closable {
 public:
  static std::shared_ptr<PyMirror> Open(const std::shared_ptr<PyLedger>& ledger, const MirrorOptions& options) {
    auto self = std::make_shared<PyMirror>();
    const std::shared_ptr<Ledger> open = ledger->Get();
    self->handle_.Set(Must(Unlocked([&] { return Mirror::Open(*open, options); })),
                      std::make_tuple(open, ledger->NewUse()));
    self->CloseAtExit();
    return self;
  }
  std::shared_ptr<Mirror> Get() const { return handle_.Get(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override {
    const std::shared_ptr<Mirror> mirror = handle_.Take();
    if (mirror != nullptr) Unlocked([&] { mirror->Stop(); });
  }

 private:
  Handle<Mirror> handle_{"mirror"};
};

template <typename F>
auto On(const PyMirror& self, F&& function) {
  const std::shared_ptr<Mirror> mirror = self.Get();
  return Unlocked([&] { return function(*mirror); });
}

void WaitFor(const PyMirror& self, Sequence sequence, absl::Duration timeout) {
  const absl::Time until = absl::Now() + timeout;
  while (true) {
    const absl::Duration slice = std::clamp(until - absl::Now(), absl::ZeroDuration(), kSlice);
    const absl::Status status = On(self, [&](Mirror& m) { return m.WaitFor(sequence, slice); });
    CheckSignals();
    if (!absl::IsDeadlineExceeded(status) || absl::Now() >= until) return Must(status);
  }
}

AuditReport Audit(const PyMirror& self, const py::object& progress) {
  std::exception_ptr raised;
  const auto tell = [&](const AuditProgress& at) {
    if (Ending()) return false;
    py::gil_scoped_acquire acquire;
    try {
      CheckSignals();
      if (progress.is_none()) return true;
      return !progress(at.checked, at.end).is(py::bool_(false));
    } catch (...) {
      raised = std::current_exception();
      return false;
    }
  };
  absl::StatusOr<AuditReport> report = On(self, [&](Mirror& m) { return m.Audit(tell); });
  if (raised) std::rethrow_exception(raised);
  return Must(std::move(report));
}

void BindReports(py::module_& m) {
  using S = MirrorStats;
  Record<S>(m, "MirrorStats", "How a mirror is doing.")
      .Field("state", Member(&S::state), "")
      .Field("mirrored", Member(&S::mirrored), "PostgreSQL holds the journal up to here.")
      .Field("head", Member(&S::head), "Of the ledger.")
      .Field("lag_records", Member(&S::lag_records), "")
      .Field("lag", Member(&S::lag), "Age of the oldest record that is not there yet.")
      .Field("batches", Member(&S::batches), "")
      .Field("records", Member(&S::records), "")
      .Field("copied", Member(&S::copied), "Records that went by COPY.")
      .Field("connections", Member(&S::connections), "")
      .Field("ambiguous", Member(&S::ambiguous), "Commits whose answer was lost; which way they went was read.")
      .Kept(&S::status)
      .Also(
          "error", [](const S& s) { return s.status.ok() ? py::object(py::none()) : ExceptionOf(s.status); },
          "Why it waits or halted; None if it does not.");
  using A = AuditReport;
  Record<A>(m, "AuditReport", "Rows of PostgreSQL, compared with the journal.")
      .Field("watermark", Member(&A::watermark), "")
      .Field("transactions", Member(&A::transactions), "Rows compared; as those that follow.")
      .Field("postings", Member(&A::postings), "")
      .Field("accounts", Member(&A::accounts), "")
      .Field("holds", Member(&A::holds), "")
      .Field("payouts", Member(&A::payouts), "")
      .Field("payout_events", Member(&A::payout_events), "")
      .Field("rejections", Member(&A::rejections), "")
      .Field("findings", Member(&A::findings), "The first 100 rows that are not what the journal says.")
      .Field("differences", Member(&A::differences), "")
      .Also("clean", &A::clean, "Whether there are none.");
}

}  // namespace

void BindMirror(py::module_& m) {
  BindReports(m);
  const MirrorOptions defaults;
  py::class_<PyMirror, std::shared_ptr<PyMirror>> type(m, "Mirror",
                                                       "Follows the journal of a ledger and keeps rows in PostgreSQL "
                                                       "that are exactly those of the journal up to a watermark. "
                                                       "Thread-safe. docs/mirror.md has the schema and the semantics.");
  type.def(py::init([](const std::shared_ptr<PyLedger>& ledger, std::string connection, std::string schema,
                       size_t batch, uint64_t backfill_lag, absl::Duration statement_timeout, absl::Duration min_retry,
                       absl::Duration max_retry, size_t cached_accounts) {
             return PyMirror::Open(ledger, {.connection = std::move(connection),
                                            .schema = std::move(schema),
                                            .batch = batch,
                                            .backfill_lag = backfill_lag,
                                            .statement_timeout = statement_timeout,
                                            .min_retry = min_retry,
                                            .max_retry = max_retry,
                                            .cached_accounts = cached_accounts});
           }),
           py::arg("ledger").none(false), py::arg("connection"), py::kw_only(), py::arg("schema") = defaults.schema,
           py::arg("batch") = defaults.batch, py::arg("backfill_lag") = defaults.backfill_lag,
           py::arg("statement_timeout") = defaults.statement_timeout, py::arg("min_retry") = defaults.min_retry,
           py::arg("max_retry") = defaults.max_retry, py::arg("cached_accounts") = defaults.cached_accounts,
           "`connection` is a connection string or URI of libpq. Does not touch the network.")
      .def_static(
          "migrate",
          [](std::string connection, std::string schema) {
            RefuseAfterFork();
            const MirrorOptions options{.connection = std::move(connection), .schema = std::move(schema)};
            Must(Unlocked([&] { return Mirror::Migrate(options); }));
          },
          py::arg("connection"), py::kw_only(), py::arg("schema") = defaults.schema,
          "Makes the schema, or brings it to the version of this library. Needs the rights of an owner.")
      .def_static(
          "reset",
          [](std::string connection, std::string schema) {
            RefuseAfterFork();
            const MirrorOptions options{.connection = std::move(connection), .schema = std::move(schema)};
            Must(Unlocked([&] { return Mirror::Reset(options); }));
          },
          py::arg("connection"), py::kw_only(), py::arg("schema") = defaults.schema,
          "Removes all rows, so that a mirror begins from zero.")
      .def(
          "start", [](const PyMirror& self) { Must(On(self, [](Mirror& mirror) { return mirror.Start(); })); },
          "Begins to follow, on a thread of its own; also if PostgreSQL cannot be reached now.")
      .def(
          "stop", [](const PyMirror& self) { On(self, [](Mirror& mirror) { return mirror.Stop(); }); },
          "Ends what is under way. Idempotent.")
      .def("wait_for", &WaitFor, py::arg("sequence"), py::arg("timeout"),
           "Until PostgreSQL holds the journal up to `sequence`. DeadlineExceeded; FailedPrecondition if it is stopped "
           "or halts.")
      .def(
          "stats", [](const PyMirror& self) { return On(self, [](Mirror& mirror) { return mirror.Stats(); }); },
          "How it is doing.")
      .def(
          "read_watermark",
          [](const PyMirror& self) { return Must(On(self, [](Mirror& mirror) { return mirror.ReadWatermark(); })); },
          "Up to which record PostgreSQL holds the journal, asked of it without writing anything. `stats()` has what a "
          "running mirror knows.")
      .def("audit", &Audit, py::arg("progress") = py::none(),
           "Compares every row with the journal. `progress(checked, end)` is called now and then; it cancels by "
           "returning False.");
  DefineClosable(type, "Stops, and lets the ledger go. Idempotent.");
}

}  // namespace northwind::python
