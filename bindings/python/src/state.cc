// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/state.h"

#include "bindings/python/src/errors.h"

namespace northwind::python {
py::tuple StateTuple(py::handle state, std::optional<size_t> size) {
  if (!py::isinstance<py::tuple>(state)) throw py::type_error("this is no pickle of northwind's");
  auto tuple = py::reinterpret_borrow<py::tuple>(state);
  if (size && tuple.size() != *size) throw py::value_error("a pickle of another version of northwind");
  return tuple;
}

py::object SaveState(const std::string& text) { return py::bytes(text); }
void LoadState(py::handle state, std::string& text) {
  if (!ToBytes(state, text)) throw py::type_error("this is no pickle of northwind's");
}

py::object SaveState(absl::Time time) { return SaveState(time - absl::UnixEpoch()); }
void LoadState(py::handle state, absl::Time& time) {
  absl::Duration since;
  LoadState(state, since);
  time = absl::UnixEpoch() + since;
}

// Seconds, and quarters of nanoseconds, which is what a duration counts in.
py::object SaveState(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return py::none();
  if (duration == -absl::InfiniteDuration()) return py::bool_(false);
  absl::Duration rest;
  const int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &rest);
  return py::make_tuple(seconds, absl::IDivDuration(rest, absl::Nanoseconds(1) / 4, &rest));
}
void LoadState(py::handle state, absl::Duration& duration) {
  if (state.is_none() || state.is(py::bool_(false))) {
    duration = state.is_none() ? absl::InfiniteDuration() : -absl::InfiniteDuration();
    return;
  }
  const py::tuple pair = StateTuple(state, 2);
  duration = absl::Seconds(As<int64_t>(pair[0], "state")) + As<int64_t>(pair[1], "state") * (absl::Nanoseconds(1) / 4);
}

py::object SaveState(const Asset& asset) { return py::str(asset.ToString()); }
void LoadState(py::handle state, Asset& asset) { asset = Must(Asset::Parse(As<std::string>(state, "state"))); }

py::object SaveState(const absl::Status& status) {
  return py::make_tuple(static_cast<int>(status.code()), SaveState(std::string(status.message())));
}
void LoadState(py::handle state, absl::Status& status) {
  const py::tuple pair = StateTuple(state, 2);
  std::string message;
  LoadState(pair[1], message);
  status = absl::Status(static_cast<absl::StatusCode>(As<int>(pair[0], "state")), message);
}

}  // namespace northwind::python
