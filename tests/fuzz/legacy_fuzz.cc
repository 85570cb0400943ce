// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as what a batch system may send; the first says as what: 'j' JSON of a mapping, 'l' a file of JSON lines, anything else
// one of CSV. A mapping that is read has one text. A file is read alike in pages of any size, and its rows map or say why not.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/compare.h"
#include "northwind/status.h"
#include "src/compare/row_mapping.h"

namespace nw = northwind;

namespace {

void Mapping(std::string_view json) {
  const auto mapping = nw::ParseMappingJson(json);
  if (!mapping.ok()) {
    NW_CHECK(absl::IsInvalidArgument(mapping.status()), "refused as an invalid argument");
    NW_CHECK(std::string(mapping.status().message()).find(": ") != std::string::npos, "the member is named");
    return;
  }
  const std::string text = nw::FormatMappingJson(*mapping);
  const auto again = nw::ParseMappingJson(text);
  NW_CHECK(again.ok() && *again == *mapping, "a mapping survives its text");
  NW_CHECK(nw::FormatMappingJson(*again) == text, "one mapping is one text");
}

// What can be read, in pages of `limit`.
std::vector<nw::RawRow> ReadAll(nw::LegacyFile& file, size_t limit, size_t columns) {
  std::vector<nw::RawRow> rows;
  std::string after;
  do {
    auto page = file.Read(limit, after);
    if (!page.ok()) {
      NW_CHECK(absl::IsDataLoss(page.status()), "a line that is no row");
      NW_CHECK(std::string(page.status().message()).find(": line ") != std::string::npos, "the line is named");
      return rows;
    }
    for (nw::RawRow& row : page->rows) {
      NW_CHECK(row.size() == columns, "a row has a cell for every column");
      rows.push_back(std::move(row));
    }
    after = page->next;
  } while (!after.empty());
  return rows;
}

void MapRows(const std::vector<std::string>& columns, const std::vector<nw::RawRow>& rows) {
  nw::LegacyMapping mapping;
  mapping.row_id = mapping.id = columns[0];
  mapping.merchant_id = columns[1 % columns.size()];
  mapping.asset = columns[2 % columns.size()];
  mapping.amount = mapping.fee = columns[3 % columns.size()];
  mapping.at = columns[4 % columns.size()];
  mapping.only_leg = nw::Leg::kAdjustment;
  const auto bound = nw::internal::RowMapping::Bind(mapping, columns);
  if (!bound.ok()) return;
  for (const nw::RawRow& row : rows) {
    const nw::internal::MappedRow read = bound->Read(row);
    if (read.kind == nw::internal::MappedRow::Kind::kUnreadable) {
      NW_CHECK(!read.error.empty(), "why a row cannot be read is said");
      continue;
    }
    const auto raw = bound->Write(row, read.row_id, read.row);
    NW_CHECK(raw.ok(), "a row that was read can be written");
  }
}

void File(std::string_view bytes, nw::LegacyFileFormat format) {
  const int fd = memfd_create("legacy_fuzz", 0);
  NW_CHECK(fd >= 0, "a file in memory");
  NW_CHECK(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "is written");
  const auto file = nw::LegacyFile::Open("/proc/self/fd/" + std::to_string(fd), format);
  close(fd);
  if (!file.ok()) {
    NW_CHECK(absl::IsInvalidArgument(file.status()), "a head that is none");
    return;
  }
  const auto first = (*file)->Read(100'000);
  if (!first.ok()) return;
  const std::vector<nw::RawRow> rows = ReadAll(**file, 1, first->columns.size());
  NW_CHECK(rows == ReadAll(**file, 100'000, first->columns.size()), "pages make no difference");
  MapRows(first->columns, rows);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'j':
      Mapping(rest);
      return 0;
    case 'l':
      File(rest, nw::LegacyFileFormat::kJsonl);
      return 0;
    default:
      File(rest, nw::LegacyFileFormat::kCsv);
      return 0;
  }
}
