// SPDX-License-Identifier: Apache-2.0
//
// Rows of the batch system: from files, and from a PostgreSQL of before.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "bindings/python/src/compare.h"
#include "bindings/python/src/pages.h"
#include "bindings/python/src/record.h"
#include "northwind/postgres.h"

namespace northwind::python {
namespace {

// Neither of the two is thread-safe; in Python all objects are.
template <typename T>
struct Guarded {
  absl::Mutex mutex;
  std::unique_ptr<T> object;
};

template <typename T>
class PySource final : public Closable {
 public:
  explicit PySource(const char* what) : handle_(what) {}
  static std::shared_ptr<PySource> Hold(const char* what, std::unique_ptr<T> object) {
    auto self = std::make_shared<PySource>(what);
    auto guarded = std::make_unique<Guarded<T>>();
    guarded->object = std::move(object);
    self->handle_.Set(std::move(guarded), std::make_tuple());
    self->CloseAtExit();
    return self;
  }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override { static_cast<void>(handle_.Take()); }

  template <typename F>
  auto On(F&& function) const {
    const std::shared_ptr<Guarded<T>> guarded = handle_.Get();
    return Unlocked([&] {
      const absl::MutexLock lock(&guarded->mutex);
      return function(*guarded->object);
    });
  }

 private:
  Handle<Guarded<T>> handle_;
};
using PyLegacyFile = PySource<LegacyFile>;
using PyLegacyReader = PySource<LegacyReader>;

// One class of pages for both.
LegacyFilePage PageOf(LegacyPage page) {
  return {.columns = std::move(page.columns), .rows = std::move(page.rows), .next = std::move(page.next)};
}

LegacyFilePage ReadFile(const PyLegacyFile& self, size_t limit, const std::string& after) {
  return Must(self.On([&](LegacyFile& file) { return file.Read(limit, after); }));
}

LegacyQuery QueryOf(std::string sql, const py::iterable& key) { return {std::move(sql), TextsOf(key, "key columns")}; }

LegacyFilePage ReadQuery(const PyLegacyReader& self, const LegacyQuery& query, const std::string& after) {
  return PageOf(Must(self.On([&](LegacyReader& reader) { return reader.Read(query, after); })));
}

// A page of a query for each call, as `read` reads it.
template <typename T, typename Read>
Pages QueryPages(std::shared_ptr<PyLegacyReader> self, std::string sql, const py::iterable& key, std::string after,
                 Read read) {
  self->CheckOpen();
  return PagesOf<T>([self = std::move(self), query = QueryOf(std::move(sql), key), after = std::move(after),
                     read](std::vector<T>& records) mutable {
    after = read(*self, query, after, records);
    return !after.empty();
  });
}

void BindRecords(py::module_& m) {
  using P = LegacyFilePage;
  Record<P>(m, "LegacyPage", "Rows of the batch system as it has them.")
      .Field("columns", Member(&P::columns), "")
      .Field(
          "rows",
          [](const P& p) {
            py::tuple rows(p.rows.size());
            for (size_t i = 0; i < p.rows.size(); ++i) {
              py::tuple row(p.rows[i].size());
              for (size_t j = 0; j < p.rows[i].size(); ++j) {
                row[j] = p.rows[i][j].has_value() ? TextOf(*p.rows[i][j]) : py::object(py::none());
              }
              rows[i] = std::move(row);
            }
            return rows;
          },
          "Text by column, None for NULL.")
      .Kept(&P::rows)
      .Field("next", Member(&P::next), "Stands for the place after the last row; empty at the end.");
  Record<LegacyMerchant>(m, "LegacyMerchant", "A merchant of the batch system.")
      .Field("merchant_id", Member(&LegacyMerchant::merchant_id), "")
      .Field("name", Member(&LegacyMerchant::name), "");
  Record<LegacyBalance>(m, "LegacyBalance", "A balance of the batch system.")
      .Field("merchant_id", Member(&LegacyBalance::merchant_id), "")
      .Field("asset", Member(&LegacyBalance::asset), "")
      .Field("units", Member(&LegacyBalance::units), "");
}

void BindFile(py::module_& m) {
  py::class_<PyLegacyFile, std::shared_ptr<PyLegacyFile>> type(
      m, "LegacyFile", "A file of the batch system, CSV or JSON lines, read page by page in bounded memory.");
  type.def(py::init([](const py::object& path, LegacyFileFormat format) {
             const auto name = py::module_::import("os").attr("fsencode")(path).cast<std::string>();
             NoteOpening();
             return PyLegacyFile::Hold("file", Must(Unlocked([&] { return LegacyFile::Open(name, format); })));
           }),
           py::arg("path"), py::arg("format"),
           "NotFound, PermissionDenied; InvalidArgument for a head that is none, or names a column twice.")
      .def("read", &ReadFile, py::arg("limit") = 10'000, py::kw_only(), py::arg("after") = "",
           "The LegacyPage of up to `limit` rows after `after`, which is LegacyPage.next of a page before. DataLoss "
           "names "
           "the line that is no row.")
      .def(
          "pages",
          [](std::shared_ptr<PyLegacyFile> self, size_t limit, std::string after) {
            self->CheckOpen();
            return PagesOf<LegacyFilePage>(
                [self = std::move(self), limit, after = std::move(after)](std::vector<LegacyFilePage>& pages) mutable {
                  pages.push_back(ReadFile(*self, limit, after));
                  after = pages.back().next;
                  return !after.empty();
                });
          },
          py::arg("limit") = 10'000, py::kw_only(), py::arg("after") = "", "Every page from there on.");
  DefineClosable(type, "Closes the file. Idempotent.");
}

void BindReader(py::module_& m) {
  const LegacyOptions defaults;
  py::class_<PyLegacyReader, std::shared_ptr<PyLegacyReader>> type(
      m, "LegacyReader",
      "Reads a schema of PostgreSQL that somebody else made, in one read-only snapshot: all pages show the same "
      "moment. "
      "Keeps a transaction open until it is closed.\n\n"
      "`sql` is one SELECT without ORDER BY, LIMIT or a semicolon; `key` are columns of its result that together are "
      "unique and never null. docs/parallel-run.md has the rest.");
  type.def(py::init([](std::string connection, absl::Duration statement_timeout, size_t page) {
             NoteOpening();
             const LegacyOptions options{
                 .connection = std::move(connection), .statement_timeout = statement_timeout, .page = page};
             return PyLegacyReader::Hold("reader", Must(Unlocked([&] { return LegacyReader::Open(options); })));
           }),
           py::arg("connection"), py::kw_only(), py::arg("statement_timeout") = defaults.statement_timeout,
           py::arg("page") = defaults.page, "Connects, and takes the snapshot.")
      .def_property_readonly(
          "snapshot_at",
          [](const PyLegacyReader& self) { return self.On([](LegacyReader& reader) { return reader.snapshot_at(); }); },
          "The moment of the snapshot, by the clock of the server.")
      .def(
          "read",
          [](const PyLegacyReader& self, std::string sql, const py::iterable& key, const std::string& after) {
            return ReadQuery(self, QueryOf(std::move(sql), key), after);
          },
          py::arg("sql"), py::arg("key"), py::kw_only(), py::arg("after") = "",
          "The LegacyPage after `after`, which is LegacyPage.next of a page before, of this reader or another.")
      .def(
          "pages",
          [](std::shared_ptr<PyLegacyReader> self, std::string sql, const py::iterable& key, std::string after) {
            return QueryPages<LegacyFilePage>(std::move(self), std::move(sql), key, std::move(after),
                                              [](const PyLegacyReader& reader, const LegacyQuery& query,
                                                 const std::string& from, std::vector<LegacyFilePage>& pages) {
                                                pages.push_back(ReadQuery(reader, query, from));
                                                return pages.back().next;
                                              });
          },
          py::arg("sql"), py::arg("key"), py::kw_only(), py::arg("after") = "", "Every page from there on.")
      .def(
          "merchants",
          [](std::shared_ptr<PyLegacyReader> self, std::string sql, const py::iterable& key) {
            return QueryPages<LegacyMerchant>(
                std::move(self), std::move(sql), key, "",
                [](const PyLegacyReader& reader, const LegacyQuery& query, const std::string& from,
                   std::vector<LegacyMerchant>& merchants) {
                  auto page = Must(reader.On([&](LegacyReader& r) { return r.ReadMerchants(query, from); }));
                  merchants = std::move(page.records);
                  return page.next;
                });
          },
          py::arg("sql"), py::arg("key"),
          "Of a query with the columns merchant_id and, if it likes, name; read page by page.")
      .def(
          "balances",
          [](std::shared_ptr<PyLegacyReader> self, std::string sql, const py::iterable& key) {
            return QueryPages<LegacyBalance>(
                std::move(self), std::move(sql), key, "",
                [](const PyLegacyReader& reader, const LegacyQuery& query, const std::string& from,
                   std::vector<LegacyBalance>& balances) {
                  auto page = Must(reader.On([&](LegacyReader& r) { return r.ReadBalances(query, from); }));
                  balances = std::move(page.records);
                  return page.next;
                });
          },
          py::arg("sql"), py::arg("key"),
          "Of a query with the columns merchant_id, asset and units or amount; read page by page. DataLoss names the "
          "row "
          "that is none.");
  DefineClosable(type, "Ends the snapshot. Idempotent.");
}

}  // namespace

void BindLegacy(py::module_& m) {
  BindRecords(m);
  BindFile(m);
  BindReader(m);
}

}  // namespace northwind::python
