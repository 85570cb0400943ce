// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "bindings/python/src/cutover.h"
#include "bindings/python/src/record.h"
#include "northwind/postgres.h"

namespace northwind::python {
namespace {

constexpr const char* kWhere = "an arbiter of claims";

class PyPostgresClaims final : public Closable {
 public:
  static std::shared_ptr<PyPostgresClaims> Open(const PostgresClaimsOptions& options) {
    auto self = std::make_shared<PyPostgresClaims>();
    NoteOpening();
    self->handle_.Set(Must(Unlocked([&] { return PostgresClaims::Open(options); })), std::make_tuple());
    self->CloseAtExit();
    return self;
  }
  std::shared_ptr<PostgresClaims> Get() const { return handle_.Get(); }
  Use NewUse() const { return handle_.NewUse(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override { static_cast<void>(handle_.Take()); }

 private:
  Handle<PostgresClaims> handle_{"arbiter of claims"};
};

template <typename F>
auto On(const PyPostgresClaims& self, F&& function) {
  const std::shared_ptr<PostgresClaims> claims = self.Get();
  return Unlocked([&] { return function(*claims); });
}

void BindClaim(py::module_& m) {
  using Q = ClaimRequest;
  Record<Q>(m, "ClaimRequest", "What an arbiter is asked to claim.")
      .Def(py::init([](std::string id, std::string merchant_id, SettlementSystem system, uint64_t epoch,
                       const std::array<uint8_t, 16>& token) {
             return Q{.id = std::move(id),
                      .merchant_id = std::move(merchant_id),
                      .system = system,
                      .epoch = epoch,
                      .token = token};
           }),
           py::arg("id"), py::arg("merchant_id"), py::arg("system"), py::arg("epoch"), py::arg("token"))
      .Field("id", Member(&Q::id), "")
      .Field("merchant_id", Member(&Q::merchant_id), "")
      .Field("system", Member(&Q::system), "For whom.")
      .Field("epoch", Member(&Q::epoch), "Of the settings that it goes by.")
      .Field("token", Member(&Q::token), "16 random bytes, of this attempt.");
  using C = ClaimRecord;
  Record<C>(m, "ClaimRecord", "A claim that was made.")
      .Def(
          py::init([](std::string id, std::string merchant_id, SettlementSystem system, uint64_t epoch, absl::Time at) {
            return C{
                .id = std::move(id), .merchant_id = std::move(merchant_id), .system = system, .epoch = epoch, .at = at};
          }),
          py::arg("id"), py::arg("merchant_id"), py::arg("system"), py::arg("epoch"), py::arg("at"))
      .Field("id", Member(&C::id), "")
      .Field("merchant_id", Member(&C::merchant_id), "")
      .Field("system", Member(&C::system), "Who pays it, for ever.")
      .Field("epoch", Member(&C::epoch), "")
      .Field("at", Member(&C::at), "");
}

}  // namespace

PyArbiter::PyArbiter(py::object arbiter) : arbiter_(std::move(arbiter)) {
  for (const char* method : {"claim", "find", "publish_epoch"}) {
    if (!py::hasattr(arbiter_, method)) {
      throw py::type_error(std::string("an arbiter of claims has a method ") + method);
    }
  }
}

PyArbiter::~PyArbiter() {
  py::gil_scoped_acquire acquire;
  arbiter_ = py::object();
}

template <typename F>
auto PyArbiter::Call(F&& function) -> decltype(function()) {
  py::gil_scoped_acquire acquire;
  try {
    return function();
  } catch (py::error_already_set& error) {
    return StatusOf(error, kWhere);
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_TypeError, error.what());
    PyErr_WriteUnraisable(arbiter_.ptr());
    return absl::UnavailableError(error.what());
  }
}

absl::StatusOr<ClaimVerdict> PyArbiter::Claim(const ClaimRequest& request) {
  return Call([&]() -> absl::StatusOr<ClaimVerdict> {
    return As<ClaimVerdict>(arbiter_.attr("claim")(request), "an arbiter's verdict");
  });
}

absl::StatusOr<std::optional<ClaimRecord>> PyArbiter::Find(std::string_view id) {
  return Call([&]() -> absl::StatusOr<std::optional<ClaimRecord>> {
    const py::object found = arbiter_.attr("find")(TextOf(id));
    if (found.is_none()) return std::optional<ClaimRecord>();
    return std::optional<ClaimRecord>(As<ClaimRecord>(found, "what an arbiter found"));
  });
}

absl::Status PyArbiter::PublishEpoch(uint64_t epoch) {
  return Call([&]() -> absl::Status {
    arbiter_.attr("publish_epoch")(epoch);
    return absl::OkStatus();
  });
}

OpenArbiter ArbiterOf(const py::object& claims) {
  if (py::isinstance<PyPostgresClaims>(claims)) {
    const auto& postgres = claims.cast<const PyPostgresClaims&>();
    return {postgres.Get(), postgres.NewUse()};
  }
  return {std::make_shared<PyArbiter>(claims), nullptr};
}

void BindClaims(py::module_& m) {
  BindClaim(m);
  const PostgresClaimsOptions defaults;
  py::class_<PyPostgresClaims, std::shared_ptr<PyPostgresClaims>> type(
      m, "PostgresClaims",
      "Claims in a table of PostgreSQL, which the batch asks as well: who may pay what, for ever. Thread-safe. "
      "docs/cutover.md has the schema and the semantics.");
  type.def(py::init(
               [](std::string connection, std::string schema, absl::Duration statement_timeout, size_t connections) {
                 return PyPostgresClaims::Open({.connection = std::move(connection),
                                                .schema = std::move(schema),
                                                .statement_timeout = statement_timeout,
                                                .connections = connections});
               }),
           py::arg("connection"), py::kw_only(), py::arg("schema") = defaults.schema,
           py::arg("statement_timeout") = defaults.statement_timeout, py::arg("connections") = defaults.connections,
           "`connection` is a connection string or URI of libpq. Does not touch the network.")
      .def_static(
          "migrate",
          [](std::string connection, std::string schema) {
            RefuseAfterFork();
            const PostgresClaimsOptions options{.connection = std::move(connection), .schema = std::move(schema)};
            Must(Unlocked([&] { return PostgresClaims::Migrate(options); }));
          },
          py::arg("connection"), py::kw_only(), py::arg("schema") = defaults.schema,
          "Makes the schema, or brings it to the version of this library. Needs the rights of an owner.")
      .def(
          "claim",
          [](const PyPostgresClaims& self, const ClaimRequest& request) {
            return Must(On(self, [&](PostgresClaims& c) { return c.Claim(request); }));
          },
          py::arg("request"),
          "Claims; CLAIMED is said of one attempt alone. Unavailable: ask again with the same token.")
      .def(
          "find",
          [](const PyPostgresClaims& self, const std::string& id) {
            return Must(On(self, [&](PostgresClaims& c) { return c.Find(id); }));
          },
          py::arg("id"), "The claim of an id, or None.")
      .def(
          "publish_epoch",
          [](const PyPostgresClaims& self, uint64_t epoch) {
            Must(On(self, [&](PostgresClaims& c) { return c.PublishEpoch(epoch); }));
          },
          py::arg("epoch"), "From now on claims of older epochs are stale. Never goes back.")
      .def(
          "published_epoch",
          [](const PyPostgresClaims& self) {
            return Must(On(self, [](PostgresClaims& c) { return c.PublishedEpoch(); }));
          },
          "What is published; 0 at first.");
  DefineClosable(type, "Closes the connections. FailedPrecondition while something claims by it. Idempotent.");
}

}  // namespace northwind::python
