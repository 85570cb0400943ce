// SPDX-License-Identifier: Apache-2.0
#include <Python.h>
#include <datetime.h>

#include <cmath>
#include <cstdint>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "bindings/python/src/casters.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/parts.h"

namespace northwind::python {

void LoadTimes() {
  PyDateTime_IMPORT;
  if (PyDateTimeAPI == nullptr) throw py::error_already_set();
}

py::object TimeOf(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return py::none();
  const absl::TimeZone::CivilInfo civil = absl::UTCTimeZone().At(time);
  if (civil.cs.year() < 1 || civil.cs.year() > 9999) return py::none();
  PyObject* object = PyDateTimeAPI->DateTime_FromDateAndTime(
      static_cast<int>(civil.cs.year()), civil.cs.month(), civil.cs.day(), civil.cs.hour(), civil.cs.minute(),
      civil.cs.second(), static_cast<int>(civil.subsecond / absl::Microseconds(1)), PyDateTime_TimeZone_UTC,
      PyDateTimeAPI->DateTimeType);
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

py::object DayOf(absl::CivilDay day) {
  PyObject* object =
      PyDateTimeAPI->Date_FromDate(static_cast<int>(day.year()), day.month(), day.day(), PyDateTimeAPI->DateType);
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

bool ToDay(py::handle object, absl::CivilDay& day) {
  // A datetime is a date in Python; which day it is depends on where the day is told.
  if (!PyDate_Check(object.ptr()) || PyDateTime_Check(object.ptr())) return false;
  day = absl::CivilDay(PyDateTime_GET_YEAR(object.ptr()), PyDateTime_GET_MONTH(object.ptr()),
                       PyDateTime_GET_DAY(object.ptr()));
  return true;
}

py::object NanosOf(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return py::none();
  return py::int_(absl::ToUnixNanos(time));
}

bool ToTime(py::handle object, absl::Time& time) {
  if (!PyDateTime_Check(object.ptr())) {
    absl::int128 nanos;
    if (!ToInt128(object, nanos)) return false;
    if (nanos < INT64_MIN || nanos > INT64_MAX) RaiseNamed("InvalidArgument", "nanoseconds since 1970 take 64 bits");
    time = absl::FromUnixNanos(static_cast<int64_t>(nanos));
    return true;
  }
  py::object moment = py::reinterpret_borrow<py::object>(object);
  const py::object zone = moment.attr("tzinfo");
  if (zone.is_none()) RaiseNamed("InvalidArgument", "a datetime without a time zone names no moment");
  if (zone.ptr() != PyDateTime_TimeZone_UTC) {
    moment = moment.attr("astimezone")(py::handle(PyDateTime_TimeZone_UTC));
  }
  PyObject* utc = moment.ptr();
  time = absl::FromCivil(absl::CivilSecond(PyDateTime_GET_YEAR(utc), PyDateTime_GET_MONTH(utc), PyDateTime_GET_DAY(utc),
                                           PyDateTime_DATE_GET_HOUR(utc), PyDateTime_DATE_GET_MINUTE(utc),
                                           PyDateTime_DATE_GET_SECOND(utc)),
                         absl::UTCTimeZone()) +
         absl::Microseconds(PyDateTime_DATE_GET_MICROSECOND(utc));
  return true;
}

absl::Time EndOf(py::handle object, absl::Time time) {
  return PyDateTime_Check(object.ptr()) ? time + absl::Nanoseconds(999) : time;
}

py::object DurationOf(absl::Duration duration) {
  if (duration == absl::InfiniteDuration() || duration == -absl::InfiniteDuration()) return py::none();
  const int64_t micros = absl::ToInt64Microseconds(duration);
  constexpr int64_t kDay = int64_t{86'400} * 1'000'000;
  int64_t days = micros / kDay;
  int64_t rest = micros % kDay;
  if (rest < 0) rest += kDay, --days;
  PyObject* object =
      PyDelta_FromDSU(static_cast<int>(days), static_cast<int>(rest / 1'000'000), static_cast<int>(rest % 1'000'000));
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

bool ToDuration(py::handle object, absl::Duration& duration) {
  if (PyDelta_Check(object.ptr())) {
    duration = absl::Hours(24) * PyDateTime_DELTA_GET_DAYS(object.ptr()) +
               absl::Seconds(PyDateTime_DELTA_GET_SECONDS(object.ptr())) +
               absl::Microseconds(PyDateTime_DELTA_GET_MICROSECONDS(object.ptr()));
    return true;
  }
  if (PyBool_Check(object.ptr()) || (!PyFloat_Check(object.ptr()) && !PyLong_Check(object.ptr()))) return false;
  const double seconds = PyFloat_AsDouble(object.ptr());
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (std::isnan(seconds)) RaiseNamed("InvalidArgument", "not a number of seconds");
  duration = absl::Seconds(seconds);
  return true;
}

}  // namespace northwind::python
