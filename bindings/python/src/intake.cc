// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/intake.h"

#include <deque>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/pages.h"
#include "bindings/python/src/parts.h"

namespace northwind::python {
namespace {

// Events as bytes, and what keeps the bytes.
struct RawEvents {
  std::vector<RawEvent> events;
  std::vector<py::object> objects;
  std::deque<std::string> texts;

  void Add(const py::handle object, EventFormat format, uint64_t position) {
    if (PyBytes_Check(object.ptr())) {
      objects.push_back(py::reinterpret_borrow<py::object>(object));
      events.push_back({.bytes = {PyBytes_AS_STRING(object.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(object.ptr()))},
                        .position = position,
                        .format = format});
      return;
    }
    std::string& text = texts.emplace_back();
    if (py::isinstance<PaymentEvent>(object)) {
      text = Must(EncodeEventJson(object.cast<const PaymentEvent&>()));
    } else if (PyDict_Check(object.ptr())) {
      ToText(py::module_::import("northwind._events").attr("event_json")(object), text);
    } else if (PyUnicode_Check(object.ptr())) {
      ToText(object, text);
    } else if (ToBytes(object, text)) {
      events.push_back({.bytes = text, .position = position, .format = format});
      return;
    } else {
      throw py::type_error("an event is a PaymentEvent, a dict, JSON as str or bytes, or protobuf as bytes");
    }
    events.push_back({.bytes = text, .position = position, .format = EventFormat::kJson});
  }
};

IntakeResult Apply(const PyIntake& self, const py::iterable& events, EventFormat format, uint64_t first_position) {
  // One event would be taken for its letters or fields.
  if (PyUnicode_Check(events.ptr()) || PyBytes_Check(events.ptr()) || PyDict_Check(events.ptr())) {
    throw py::type_error("events are given in an iterable, such as a list");
  }
  RawEvents raw;
  for (const py::handle event : events) raw.Add(event, format, first_position + raw.events.size());
  const std::shared_ptr<Intake> intake = self.Get();
  return Must(Unlocked([&] { return intake->Apply(absl::Span<const RawEvent>(raw.events)); }));
}

std::vector<std::string> Ids(const py::iterable& objects) {
  if (PyBytes_Check(objects.ptr())) throw py::type_error("ids are given in an iterable, such as a list");
  std::vector<std::string> ids;
  for (const py::handle object : objects) {
    const bool whole = py::isinstance<QuarantinedEvent>(object);
    if (whole) {
      ids.push_back(object.cast<const QuarantinedEvent&>().id);
    } else if (!ToBytes(object, ids.emplace_back())) {
      throw py::type_error("an id is bytes, or a QuarantinedEvent");
    }
  }
  return ids;
}

Pages Quarantine(std::shared_ptr<PyIntake> self) {
  self->CheckOpen();
  return PagesOf<QuarantinedEvent>(
      [self = std::move(self), after = std::string()](std::vector<QuarantinedEvent>& events) mutable {
        const std::shared_ptr<Intake> intake = self->Get();
        QuarantinePage page = Must(Unlocked([&] { return intake->ListQuarantine(after, kMaxQuarantinePage); }));
        events = std::move(page.events);
        after = std::move(page.next);
        return !after.empty();
      });
}

}  // namespace

std::shared_ptr<PyIntake> PyIntake::Open(const std::shared_ptr<PyLedger>& ledger,
                                         const std::shared_ptr<PyScheduler>& scheduler, IntakeOptions options) {
  auto self = std::make_shared<PyIntake>();
  const std::shared_ptr<Ledger> open = ledger->Get();
  const std::shared_ptr<Store> store = ledger->store()->Get();
  const std::shared_ptr<Scheduler> timers = scheduler ? scheduler->Get() : nullptr;
  options.scheduler = timers.get();
  self->handle_.Set(Must(Unlocked([&] { return Intake::Open(*open, *store, options); })),
                    std::make_tuple(store, open, ledger->NewUse(), timers, scheduler ? scheduler->NewUse() : nullptr));
  self->CloseAtExit();
  return self;
}

void PyIntake::Close() { static_cast<void>(handle_.Take()); }

void BindIntake(py::module_& m) {
  const IntakeOptions defaults;
  using Class = py::class_<PyIntake, std::shared_ptr<PyIntake>>;
  Class type(
      m, "Intake",
      "Applies payment events to a ledger, each exactly once, and drops none. At most one per ledger. Thread-safe.\n\n"
      "docs/events.md says what each event does and what becomes of those that cannot be applied.");
  type.def(py::init([](const std::shared_ptr<PyLedger>& ledger, size_t batch_size, size_t max_parked,
                       size_t max_parked_bytes, size_t max_waiting_per_target, absl::Duration max_wait,
                       const std::shared_ptr<PyScheduler>& scheduler, const std::optional<RetryPolicy>& park_policy,
                       int decode_threads) {
             return PyIntake::Open(ledger, scheduler,
                                   {.batch_size = batch_size,
                                    .max_parked = max_parked,
                                    .max_parked_bytes = max_parked_bytes,
                                    .max_waiting_per_target = max_waiting_per_target,
                                    .max_wait = max_wait,
                                    .park_policy = park_policy.value_or(IntakeOptions::DefaultParkPolicy()),
                                    .decode_threads = decode_threads});
           }),
           py::arg("ledger"), py::kw_only(), py::arg("batch_size") = defaults.batch_size,
           py::arg("max_parked") = defaults.max_parked, py::arg("max_parked_bytes") = defaults.max_parked_bytes,
           py::arg("max_waiting_per_target") = defaults.max_waiting_per_target, py::arg("max_wait") = defaults.max_wait,
           py::arg("scheduler").none(true) = py::none(), py::arg("park_policy") = py::none(),
           py::arg("decode_threads") = defaults.decode_threads,
           "With a scheduler, events that wait for others are kept there, durably; else in memory.")
      .def("apply", &Apply, py::arg("events"), py::kw_only(), py::arg("format") = EventFormat::kJson,
           py::arg("first_position") = 0,
           "Applies any number of events, and returns when that is durable: PaymentEvents, dicts with the fields of "
           "the JSON, JSON as str "
           "or bytes, or, with `format`, protobuf as bytes.")
      .def(
          "finish",
          [](const PyIntake& self) {
            const std::shared_ptr<Intake> intake = self.Get();
            return TupleOf(Must(Unlocked([&] { return intake->Finish(); })));
          },
          "The end of the input: what is still parked goes to quarantine.")
      .def(
          "retry_parked",
          [](const PyIntake& self, size_t limit) {
            const std::shared_ptr<Intake> intake = self.Get();
            return TupleOf(Must(Unlocked([&] { return intake->RetryParked(limit); })));
          },
          py::arg("limit") = 1000,
          "With a scheduler: tries parked events whose time has come anew. What became of them.")
      .def_property_readonly(
          "parked",
          [](const PyIntake& self) {
            const std::shared_ptr<Intake> intake = self.Get();
            return Unlocked([&] { return intake->parked(); });
          },
          "How many events wait for others.")
      .def_property_readonly(
          "parks_durably", [](const PyIntake& self) { return self.Get()->parks_durably(); },
          "Whether an event that is parked may be acknowledged at its source.")
      .def("quarantine", &Quarantine, "Events that are set aside, by id; read page by page.")
      .def(
          "redrive_quarantined",
          [](const PyIntake& self, const py::iterable& ids) {
            const std::vector<std::string> list = Ids(ids);
            const std::shared_ptr<Intake> intake = self.Get();
            return TupleOf(Must(Unlocked([&] { return intake->RedriveQuarantined(list); })));
          },
          py::arg("ids"), "Applies quarantined events again; one outcome for each. NotFound.")
      .def(
          "discard_quarantined",
          [](const PyIntake& self, const py::iterable& ids) {
            const std::vector<std::string> list = Ids(ids);
            const std::shared_ptr<Intake> intake = self.Get();
            return Must(Unlocked([&] { return intake->DiscardQuarantined(list); }));
          },
          py::arg("ids"), "Removes events from the quarantine for good; how many there were.");
  DefineClosable(
      type,
      "Lets the ledger go. What is parked in memory only is forgotten: it was not to be acknowledged. Idempotent.");
}

}  // namespace northwind::python
