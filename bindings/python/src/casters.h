// SPDX-License-Identifier: Apache-2.0
//
// How northwind's value types look in Python (bindings/python/README.md has the conventions):
//
//   Amount, 128-bit integers, AccountId, Sequence   int
//   IdempotencyKey                                  bytes; taken as bytes, uuid.UUID or text
//   absl::Time                                      datetime in UTC, None if infinite; taken as an aware datetime or as
//                                                   an int of nanoseconds since 1970
//   absl::Duration                                  timedelta, None if infinite; taken as a timedelta or as seconds
//   digests and ids of bytes                        bytes
//   absl::CivilDay                                  datetime.date, never a datetime
//   enumerations                                    members of northwind/enums.py
#ifndef NORTHWIND_BINDINGS_PYTHON_CASTERS_H_
#define NORTHWIND_BINDINGS_PYTHON_CASTERS_H_

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "northwind/amount.h"
#include "northwind/idempotency_key.h"
#include "northwind/ledger.h"
#include "northwind/payout.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/webhook.h"

namespace northwind::python {

namespace py = pybind11;

// The conversions. Those that return a bool answer false for an object of another type, and raise InvalidArgument for one of
// the right type whose value makes no sense.
py::object IntOf(absl::int128 value);
py::object IntOf(absl::uint128 value);
bool ToInt128(py::handle object, absl::int128& value);
bool ToUint128(py::handle object, absl::uint128& value);
bool ToAmount(py::handle object, Amount& amount);
bool ToUnsigned(py::handle object, uint64_t max, const char* what, uint64_t& value);

py::object TimeOf(absl::Time time);
bool ToTime(py::handle object, absl::Time& time);
// The end of the microsecond that a datetime names: what was recorded within it has happened by then.
absl::Time EndOf(py::handle object, absl::Time time);
py::object DurationOf(absl::Duration duration);
bool ToDuration(py::handle object, absl::Duration& duration);
py::object DayOf(absl::CivilDay day);
bool ToDay(py::handle object, absl::CivilDay& day);
// Nanoseconds since 1970; None if infinite.
py::object NanosOf(absl::Time time);

py::bytes KeyOf(const IdempotencyKey& key);
bool ToKey(py::handle object, IdempotencyKey& key);

// Text that may hold any bytes: what is no UTF-8 is kept as surrogates (PEP 383), as in names of files.
py::object TextOf(std::string_view text);
// From str or bytes.
bool ToText(py::handle object, std::string& text);
// From bytes, bytearray or memoryview.
bool ToBytes(py::handle object, std::string& bytes);

// As object.cast<T>(), with a TypeError that says what was expected.
template <typename T>
T As(py::handle object, const char* what) {
  py::detail::make_caster<T> caster;
  if (!caster.load(object, true)) {
    throw py::type_error(std::string(what) + " cannot be of type " +
                         py::type::of(object).attr("__name__").template cast<std::string>());
  }
  return py::detail::cast_op<T>(std::move(caster));
}

// From any iterable of str or bytes, which is not itself one of the two.
std::vector<std::string> TextsOf(const py::iterable& texts, const char* what);

template <typename T>
py::tuple TupleOf(const std::vector<T>& values) {
  py::tuple tuple(values.size());
  for (size_t i = 0; i < values.size(); ++i) tuple[i] = py::cast(values[i]);
  return tuple;
}

// The members of an enumeration by value, borrowed for ever.
template <typename E>
struct EnumMembers {
  inline static PyObject* type = nullptr;
  inline static std::array<PyObject*, 256> members{};
};

}  // namespace northwind::python

namespace pybind11::detail {

template <>
struct type_caster<northwind::Amount> {
  PYBIND11_TYPE_CASTER(northwind::Amount, const_name("int"));
  bool load(handle source, bool) { return northwind::python::ToAmount(source, value); }
  static handle cast(const northwind::Amount& amount, return_value_policy, handle) {
    return northwind::python::IntOf(amount.units()).release();
  }
};

template <>
struct type_caster<absl::int128> {
  PYBIND11_TYPE_CASTER(absl::int128, const_name("int"));
  bool load(handle source, bool) { return northwind::python::ToInt128(source, value); }
  static handle cast(absl::int128 number, return_value_policy, handle) {
    return northwind::python::IntOf(number).release();
  }
};

template <>
struct type_caster<absl::uint128> {
  PYBIND11_TYPE_CASTER(absl::uint128, const_name("int"));
  bool load(handle source, bool) { return northwind::python::ToUint128(source, value); }
  static handle cast(absl::uint128 number, return_value_policy, handle) {
    return northwind::python::IntOf(number).release();
  }
};

template <>
struct type_caster<absl::CivilDay> {
  PYBIND11_TYPE_CASTER(absl::CivilDay, const_name("datetime.date"));
  bool load(handle source, bool) { return northwind::python::ToDay(source, value); }
  static handle cast(absl::CivilDay day, return_value_policy, handle) {
    return northwind::python::DayOf(day).release();
  }
};

template <>
struct type_caster<northwind::AccountId> {
  PYBIND11_TYPE_CASTER(northwind::AccountId, const_name("int"));
  bool load(handle source, bool) {
    uint64_t number;
    if (!northwind::python::ToUnsigned(source, UINT32_MAX, "an account", number)) return false;
    value = northwind::AccountId(static_cast<uint32_t>(number));
    return true;
  }
  static handle cast(northwind::AccountId id, return_value_policy, handle) {
    return PyLong_FromUnsignedLong(id.value());
  }
};

template <>
struct type_caster<northwind::Sequence> {
  PYBIND11_TYPE_CASTER(northwind::Sequence, const_name("int"));
  bool load(handle source, bool) {
    uint64_t number;
    if (!northwind::python::ToUnsigned(source, UINT64_MAX, "a sequence", number)) return false;
    value = northwind::Sequence(number);
    return true;
  }
  static handle cast(northwind::Sequence sequence, return_value_policy, handle) {
    return PyLong_FromUnsignedLongLong(sequence.value());
  }
};

template <>
struct type_caster<northwind::IdempotencyKey> {
  PYBIND11_TYPE_CASTER(northwind::IdempotencyKey, const_name("Union[bytes, uuid.UUID, str]"));
  bool load(handle source, bool) { return northwind::python::ToKey(source, value); }
  static handle cast(const northwind::IdempotencyKey& key, return_value_policy, handle) {
    return northwind::python::KeyOf(key).release();
  }
};

template <>
struct type_caster<absl::Time> {
  PYBIND11_TYPE_CASTER(absl::Time, const_name("Union[datetime.datetime, int]"));
  bool load(handle source, bool) { return northwind::python::ToTime(source, value); }
  static handle cast(absl::Time time, return_value_policy, handle) { return northwind::python::TimeOf(time).release(); }
};

template <>
struct type_caster<absl::Duration> {
  PYBIND11_TYPE_CASTER(absl::Duration, const_name("Union[datetime.timedelta, float]"));
  bool load(handle source, bool) { return northwind::python::ToDuration(source, value); }
  static handle cast(absl::Duration duration, return_value_policy, handle) {
    return northwind::python::DurationOf(duration).release();
  }
};

template <size_t size>
struct type_caster<std::array<uint8_t, size>> {
  using Bytes = std::array<uint8_t, size>;
  PYBIND11_TYPE_CASTER(Bytes, const_name("bytes"));
  bool load(handle source, bool) {
    std::string bytes;
    if (!northwind::python::ToBytes(source, bytes) || bytes.size() != size) return false;
    std::copy(bytes.begin(), bytes.end(), value.begin());
    return true;
  }
  static handle cast(const Bytes& bytes, return_value_policy, handle) {
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(bytes.data()), size);
  }
};

template <typename E>
struct EnumCaster {
  using Members = northwind::python::EnumMembers<E>;
  bool load(handle source, bool) {
    if (reinterpret_cast<PyObject*>(Py_TYPE(source.ptr())) != Members::type) return false;
    value = static_cast<E>(PyLong_AsLong(source.ptr()));
    return true;
  }
  static handle cast(E member, return_value_policy, handle) {
    PyObject* object = Members::members[static_cast<uint8_t>(member)];
    if (object == nullptr) return none().release();
    return handle(object).inc_ref();
  }
  operator E*() { return &value; }                // NOLINT(google-explicit-constructor)
  operator E&() { return value; }                 // NOLINT(google-explicit-constructor)
  operator E&&() && { return std::move(value); }  // NOLINT(google-explicit-constructor)
  template <typename T>
  using cast_op_type = movable_cast_op_type<T>;
  E value{};
};

#define NW_PYTHON_ENUM(E, python_name)                                 \
  template <>                                                          \
  struct type_caster<E> : EnumCaster<E> {                              \
    static constexpr auto name = const_name("northwind." python_name); \
  }

NW_PYTHON_ENUM(northwind::StoreMode, "StoreMode");
NW_PYTHON_ENUM(northwind::AccountState, "AccountState");
NW_PYTHON_ENUM(northwind::TransactionKind, "TransactionKind");
NW_PYTHON_ENUM(northwind::Outcome, "Outcome");
NW_PYTHON_ENUM(northwind::Reason, "Reason");
NW_PYTHON_ENUM(northwind::Field, "Field");
NW_PYTHON_ENUM(northwind::DeferredPolicy, "DeferredPolicy");
NW_PYTHON_ENUM(northwind::EntryKind, "EntryKind");
NW_PYTHON_ENUM(northwind::EventType, "EventType");
NW_PYTHON_ENUM(northwind::AdjustmentDirection, "AdjustmentDirection");
NW_PYTHON_ENUM(northwind::EventFormat, "EventFormat");
NW_PYTHON_ENUM(northwind::EventStatus, "EventStatus");
NW_PYTHON_ENUM(northwind::QuarantineCause, "QuarantineCause");
NW_PYTHON_ENUM(northwind::Jitter, "Jitter");
NW_PYTHON_ENUM(northwind::IfScheduled, "IfScheduled");
NW_PYTHON_ENUM(northwind::ScheduleOutcome, "ScheduleOutcome");
NW_PYTHON_ENUM(northwind::Verdict, "Verdict");
NW_PYTHON_ENUM(northwind::FinishOutcome, "FinishOutcome");
NW_PYTHON_ENUM(northwind::DeathCause, "DeathCause");
NW_PYTHON_ENUM(northwind::TaskState, "TaskState");
NW_PYTHON_ENUM(northwind::KeyOrder, "KeyOrder");
NW_PYTHON_ENUM(northwind::RailState, "RailState");
NW_PYTHON_ENUM(northwind::PayoutState, "PayoutState");
NW_PYTHON_ENUM(northwind::RailAttempt::Call, "RailCall");
NW_PYTHON_ENUM(northwind::BatchSystem, "BatchSystem");
NW_PYTHON_ENUM(northwind::EndpointState, "EndpointState");
NW_PYTHON_ENUM(northwind::DisableReason, "DisableReason");
NW_PYTHON_ENUM(northwind::SignatureScheme, "SignatureScheme");
NW_PYTHON_ENUM(northwind::EndpointHealth::Breaker, "BreakerState");
NW_PYTHON_ENUM(northwind::DeliveryState, "DeliveryState");
NW_PYTHON_ENUM(northwind::AttemptFailure, "AttemptFailure");
NW_PYTHON_ENUM(northwind::AttemptTrigger, "AttemptTrigger");
NW_PYTHON_ENUM(northwind::RecoveryState, "RecoveryState");

}  // namespace pybind11::detail

#endif  // NORTHWIND_BINDINGS_PYTHON_CASTERS_H_
