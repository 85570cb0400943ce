// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/store.h"

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/pages.h"
#include "bindings/python/src/parts.h"

namespace northwind::python {
namespace {

std::string TextFrom(const py::object& object) {
  std::string text;
  if (!ToText(object, text)) throw py::type_error("keys are str or bytes");
  return text;
}

py::object Get(const PyStore& self, const py::object& key) {
  const std::shared_ptr<Store> store = self.Get();
  const std::string name = TextFrom(key);
  const std::optional<std::string> value = Must(Unlocked([&] { return store->Get(name); }));
  if (!value) return py::none();
  return py::bytes(*value);
}

void Write(PyStore& self, const py::dict& changes) {
  std::vector<HostChange> list;
  for (const auto& [key, value] : changes) {
    HostChange& change = list.emplace_back(HostChange{.key = TextFrom(py::reinterpret_borrow<py::object>(key))});
    if (value.is_none()) continue;
    if (!ToBytes(value, change.value.emplace())) throw py::type_error("values are bytes, or None to remove the record");
  }
  const std::shared_ptr<Store> store = self.Get();
  Must(Unlocked([&] { return store->Write(list); }));
}

Pages Items(std::shared_ptr<PyStore> self, const py::object& prefix) {
  self->CheckOpen();
  return PagesOf<std::pair<py::object, py::bytes>>(
      [self = std::move(self), prefix = TextFrom(prefix), after = std::string()](auto& page) mutable {
        const std::shared_ptr<Store> store = self->Get();
        std::vector<HostEntry> entries = Must(Unlocked([&] { return store->List(prefix, after, kMaxHostPage); }));
        if (entries.empty()) return false;
        after = entries.back().key;
        for (const HostEntry& entry : entries) page.emplace_back(TextOf(entry.key), py::bytes(entry.value));
        return true;
      });
}

}  // namespace

std::shared_ptr<PyStore> PyStore::Open(const StoreOptions& options) {
  NoteOpening();
  auto self = std::make_shared<PyStore>();
  self->path_ = options.path;
  self->handle_.Set(Must(Unlocked([&] { return Store::Open(options); })), std::tuple<>());
  self->CloseAtExit();
  return self;
}

void PyStore::Close() { static_cast<void>(handle_.Take()); }

void BindStore(py::module_& m) {
  const StoreOptions defaults;
  py::class_<PyStore, std::shared_ptr<PyStore>> type(
      m, "Store",
      "The one database that holds everything of a northwind: journal, indexes, records of the host.\n\n"
      "Opens a directory exclusively and keeps it until it is closed. Thread-safe.");
  type.def(py::init([](const py::object& path, bool create, StoreMode mode, uint64_t floor, uint64_t cache,
                       uint64_t buffer) {
             const std::string name = py::module_::import("os").attr("fsencode")(path).cast<std::string>();
             return PyStore::Open({.path = name,
                                   .create_if_missing = create,
                                   .mode = mode,
                                   .free_space_floor_bytes = floor,
                                   .block_cache_bytes = cache,
                                   .write_buffer_bytes = buffer});
           }),
           py::arg("path"), py::kw_only(), py::arg("create") = true, py::arg("mode") = StoreMode::kAsIs,
           py::arg("free_space_floor_bytes") = defaults.free_space_floor_bytes,
           py::arg("block_cache_bytes") = defaults.block_cache_bytes,
           py::arg("write_buffer_bytes") = defaults.write_buffer_bytes,
           "Opens the directory `path`, and makes it if it is not there and `create` holds.")
      .def("get", &Get, py::arg("key"), "The host's record under a key, or None.")
      .def("write", &Write, py::arg("changes"),
           "Changes records of the host, all or none, durable when it returns. A value of None removes the record.")
      .def("items", &Items, py::arg("prefix") = "",
           "Keys and values of records whose keys begin with `prefix`, by key.")
      .def_property_readonly(
          "path",
          [](const PyStore& self) { return py::module_::import("os").attr("fsdecode")(py::bytes(self.path())); },
          "The directory.")
      .def_property_readonly(
          "shadow", [](const PyStore& self) { return self.Get()->shadow(); }, "Whether it is a shadow store.")
      .def("__repr__", [](const PyStore& self) {
        return "<northwind.Store " + py::repr(TextOf(self.path())).cast<std::string>() +
               (self.closed() ? ", closed>" : ">");
      });
  DefineClosable(
      type, "Gives the directory free. FailedPrecondition while a ledger or anything else is open on it. Idempotent.");
}

}  // namespace northwind::python
