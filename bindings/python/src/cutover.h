// SPDX-License-Identifier: Apache-2.0
//
// The cutover, and who may pay what.
#ifndef NORTHWIND_BINDINGS_PYTHON_CUTOVER_H_
#define NORTHWIND_BINDINGS_PYTHON_CUTOVER_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "bindings/python/src/casters.h"
#include "bindings/python/src/handle.h"
#include "bindings/python/src/store.h"
#include "northwind/cutover.h"

namespace northwind::python {

// An arbiter that is an object of Python with claim, find and publish_epoch. Of what raises, or answers what is no answer, it cannot be told
// whether there is a claim.
class PyArbiter final : public ClaimArbiter {
 public:
  // TypeError if it lacks a method.
  explicit PyArbiter(py::object arbiter);
  ~PyArbiter() override;
  absl::StatusOr<ClaimVerdict> Claim(const ClaimRequest& request) override;
  absl::StatusOr<std::optional<ClaimRecord>> Find(std::string_view id) override;
  absl::Status PublishEpoch(uint64_t epoch) override;

 private:
  template <typename F>
  auto Call(F&& function) -> decltype(function());

  py::object arbiter_;
};

// One of Python, or PostgresClaims.
struct OpenArbiter {
  std::shared_ptr<ClaimArbiter> claims;
  Use use;  // of PostgresClaims
};
OpenArbiter ArbiterOf(const py::object& claims);

class PyCutover final : public Closable {
 public:
  static std::shared_ptr<PyCutover> Open(const std::shared_ptr<PyStore>& store, CutoverOptions options,
                                         const py::object& clock);
  std::shared_ptr<Cutover> Get() const { return handle_.Get(); }
  Use NewUse() const { return handle_.NewUse(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override;

 private:
  Handle<Cutover> handle_{"cutover"};
};

class PyClaimedRail final : public Closable {
 public:
  static std::shared_ptr<PyClaimedRail> Open(const py::object& rail, const py::object& claims,
                                             const std::shared_ptr<PyCutover>& cutover);
  std::shared_ptr<ClaimedRail> Get() const { return handle_.Get(); }
  Use NewUse() const { return handle_.NewUse(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override;

 private:
  Handle<ClaimedRail> handle_{"claimed rail"};
};

// What a parallel run asks, by the cutover and the claims; it keeps neither open before it is given to one.
struct PyNorthwindPays {
  std::shared_ptr<PyCutover> cutover;
  py::object claims;
};

void BindClaims(py::module_& m);
void BindCutover(py::module_& m);
void BindClaimedRail(py::module_& m);

}  // namespace northwind::python

namespace pybind11::detail {

NW_PYTHON_ENUM(northwind::SettlementSystem, "SettlementSystem");
NW_PYTHON_ENUM(northwind::RouteReason, "RouteReason");
NW_PYTHON_ENUM(northwind::Override, "Override");
NW_PYTHON_ENUM(northwind::ClaimVerdict, "ClaimVerdict");

}  // namespace pybind11::detail

#endif  // NORTHWIND_BINDINGS_PYTHON_CUTOVER_H_
