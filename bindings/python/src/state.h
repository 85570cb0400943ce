// SPDX-License-Identifier: Apache-2.0
//
// What a pickle has of a member of a record: everything, where a field may show less (times to the nanosecond, say). Objects that pickle
// knows by itself, and records.
#ifndef NORTHWIND_BINDINGS_PYTHON_STATE_H_
#define NORTHWIND_BINDINGS_PYTHON_STATE_H_

#include <pybind11/pybind11.h>

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bindings/python/src/casters.h"
#include "northwind/amount.h"
#include "northwind/journal.h"
#include "northwind/transaction.h"

namespace northwind::python {

py::object SaveState(const std::string& text);
py::object SaveState(absl::Time time);
py::object SaveState(absl::Duration duration);
py::object SaveState(const Asset& asset);
py::object SaveState(const absl::Status& status);
void LoadState(py::handle state, std::string& text);
void LoadState(py::handle state, absl::Time& time);
void LoadState(py::handle state, absl::Duration& duration);
void LoadState(py::handle state, Asset& asset);
void LoadState(py::handle state, absl::Status& status);
template <typename V>
py::object SaveState(const V& value);
template <typename V>
void LoadState(py::handle state, V& value);
// TypeError unless it is a tuple; ValueError unless it is one of so many.
py::tuple StateTuple(py::handle state, std::optional<size_t> size = std::nullopt);

// Of structs that are no records of their own: their members, in order.
template <typename H>
concept SameAsHostRecord = std::is_same_v<std::remove_const_t<H>, HostRecord>;
auto PartsOf(SameAsHostRecord auto& r) { return std::tie(r.key, r.value); }
template <typename B>
concept SameAsResultingBalance = std::is_same_v<std::remove_const_t<B>, ResultingBalance>;
auto PartsOf(SameAsResultingBalance auto& b) { return std::tie(b.account, b.totals); }
template <typename B>
concept SameAsAccountOpened = std::is_same_v<std::remove_const_t<B>, AccountOpened>;
auto PartsOf(SameAsAccountOpened auto& b) { return std::tie(b.id, b.spec); }
template <typename B>
concept SameAsAccountChanged = std::is_same_v<std::remove_const_t<B>, AccountChanged>;
auto PartsOf(SameAsAccountChanged auto& b) { return std::tie(b.id, b.state, b.min_available); }
template <typename B>
concept SameAsTransactionRecorded = std::is_same_v<std::remove_const_t<B>, TransactionRecorded>;
auto PartsOf(SameAsTransactionRecorded auto& b) {
  return std::tie(b.transaction, b.outcome, b.reason, b.target, b.moved, b.released);
}
template <typename B>
concept SameAsHoldExpired = std::is_same_v<std::remove_const_t<B>, HoldExpired>;
auto PartsOf(SameAsHoldExpired auto& b) { return std::tie(b.hold, b.released); }

template <typename V>
struct StateOf {
  static py::object Save(const V& value) {
    if constexpr (std::is_enum_v<V>) {
      return py::int_(static_cast<long>(value));
    } else if constexpr (requires { PartsOf(value); }) {
      return std::apply([](const auto&... parts) -> py::object { return py::make_tuple(SaveState(parts)...); },
                        PartsOf(value));
    } else {
      return py::cast(value);
    }
  }
  static void Load(py::handle state, V& value) {
    if constexpr (std::is_enum_v<V>) {
      value = static_cast<V>(As<long>(state, "state"));
    } else if constexpr (requires { PartsOf(value); }) {
      auto parts = PartsOf(value);
      const py::tuple tuple = StateTuple(state, std::tuple_size_v<decltype(parts)>);
      size_t i = 0;
      std::apply([&](auto&... part) { (LoadState(tuple[i++], part), ...); }, parts);
    } else {
      value = As<V>(state, "state");
    }
  }
};
template <typename V>
struct StateOf<std::optional<V>> {
  static py::object Save(const std::optional<V>& value) {
    return value ? py::object(py::make_tuple(SaveState(*value))) : py::none();
  }
  static void Load(py::handle state, std::optional<V>& value) {
    value.reset();
    if (!state.is_none()) LoadState(StateTuple(state, 1)[0], value.emplace());
  }
};
template <typename L>
struct StateOfList {
  static py::object Save(const L& list) {
    py::tuple tuple(list.size());
    size_t i = 0;
    for (const auto& value : list) tuple[i++] = SaveState(value);
    return tuple;
  }
  static void Load(py::handle state, L& list) {
    list.clear();
    for (const py::handle value : StateTuple(state)) LoadState(value, list.emplace_back());
  }
};
template <typename V>
struct StateOf<std::vector<V>> : StateOfList<std::vector<V>> {};
template <typename V, size_t inlined>
struct StateOf<absl::InlinedVector<V, inlined>> : StateOfList<absl::InlinedVector<V, inlined>> {};
template <typename K, typename V>
struct StateOf<std::map<K, V>> {
  static py::object Save(const std::map<K, V>& map) {
    py::list list;
    for (const auto& [key, value] : map) list.append(py::make_tuple(SaveState(key), SaveState(value)));
    return py::tuple(list);
  }
  static void Load(py::handle state, std::map<K, V>& map) {
    map.clear();
    for (const py::handle item : StateTuple(state)) {
      const py::tuple pair = StateTuple(item, 2);
      K key{};
      LoadState(pair[0], key);
      LoadState(pair[1], map[std::move(key)]);
    }
  }
};

template <typename V>
py::object SaveState(const V& value) {
  return StateOf<V>::Save(value);
}
template <typename V>
void LoadState(py::handle state, V& value) {
  StateOf<V>::Load(state, value);
}

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_STATE_H_
