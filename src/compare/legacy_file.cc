// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "northwind/compare.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/csv_row.h"
#include "src/compare/json_row.h"
#include "src/compare/line_reader.h"
#include "src/settlement/event_text.h"

namespace northwind {
namespace {

using internal::Printable;

constexpr size_t kMaxPageRows = 100'000;
constexpr size_t kMaxPageBytes = 16 << 20;  // of the file; a page ends there, if it has a row
constexpr size_t kBoundBytes = 4096;        // of the head, and before a place, that a place is bound to
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// A place in a file: where a row begins, and which line that is.
struct Place {
  uint64_t offset = 0;
  uint64_t line = 1;
};

// One row or head, and where it began.
struct Row {
  RawRow fields;                  // CSV
  internal::JsonMembers members;  // JSONL
};

}  // namespace

class LegacyFile::Core {
 public:
  Core(int fd, LegacyFileFormat format, std::string name) : fd_(fd), format_(format), name_(std::move(name)) {}
  ~Core() { close(fd_); }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  absl::Status ReadHead();
  absl::StatusOr<LegacyFilePage> Read(size_t limit, std::string_view after);

 private:
  // Reads on from a place. `place()` is behind the last row that was read.
  class Rows {
   public:
    Rows(const Core& file, Place place)
        : file_(file), place_(place), lines_(file.fd_, place.offset, kMaxLegacyRowBytes) {}
    // False at the end. DataLoss names the line that is no row.
    absl::StatusOr<bool> Next(Row& row);
    const Place& place() const { return place_; }

   private:
    absl::StatusOr<bool> NextCsv(Row& row);
    absl::StatusOr<bool> NextJson(Row& row);
    // A line that ends, and is text. Empty at the end.
    absl::StatusOr<std::string_view> Line(size_t before);

    const Core& file_;
    Place place_;
    internal::LineReader lines_;
    internal::CsvRow csv_;
  };

  template <typename... Parts>
  absl::Status Bad(uint64_t line, const Parts&... parts) const {
    return internal::Error(absl::StatusCode::kDataLoss, name_, ": line ", line, ": ", parts...);
  }
  absl::StatusOr<std::string> Token(const Place& place) const;
  absl::StatusOr<Place> PlaceOf(std::string_view token) const;
  absl::Status AddRow(Row row, uint64_t line, LegacyFilePage& page) const;

  const int fd_;
  const LegacyFileFormat format_;
  const std::string name_;  // to print
  std::vector<std::string> columns_;
  absl::flat_hash_map<std::string, size_t> places_of_columns_;  // JSONL
  Place first_;                                                 // of the first row
};

absl::StatusOr<std::string_view> LegacyFile::Core::Rows::Line(size_t before) {
  absl::StatusOr<std::string_view> next = lines_.Next();
  if (!next.ok()) {
    return internal::Error(next.status().code(), file_.name_, ": ", next.status().message());
  }
  const std::string_view line = *next;
  if (before + line.size() > kMaxLegacyRowBytes) {
    return file_.Bad(place_.line, "longer than ", kMaxLegacyRowBytes, " bytes");
  }
  // A file that was cut off must not pass for whole: "100.0" may have been "100.05".
  if (line.empty() ? before != 0 : line.back() != '\n') {
    return file_.Bad(place_.line, "the file ends in it, without a line end");
  }
  if (!internal::IsUtf8(line)) return file_.Bad(place_.line, "not UTF-8");
  if (line.find('\0') != std::string_view::npos) return file_.Bad(place_.line, "a NUL");
  return line;
}

absl::StatusOr<bool> LegacyFile::Core::Rows::NextCsv(Row& row) {
  using Answer = internal::CsvRow::Answer;
  uint64_t lines = 0;
  size_t bytes = 0;
  while (true) {
    NW_ASSIGN_OR_RETURN(const std::string_view line, Line(bytes));
    if (line.empty()) return false;
    bytes += line.size();
    ++lines;
    const Answer answer = csv_.Add(line);
    if (answer == Answer::kMore) continue;
    if (answer == Answer::kBad) return file_.Bad(place_.line + lines - 1, csv_.what());
    row.fields = csv_.Take();
    place_ = {lines_.offset(), place_.line + lines};
    return true;
  }
}

absl::StatusOr<bool> LegacyFile::Core::Rows::NextJson(Row& row) {
  NW_ASSIGN_OR_RETURN(const std::string_view line, Line(0));
  if (line.empty()) return false;
  absl::StatusOr<internal::JsonMembers> members = internal::ParseJsonRow(line);
  if (!members.ok()) return file_.Bad(place_.line, members.status().message());
  row.members = *std::move(members);
  place_ = {lines_.offset(), place_.line + 1};
  return true;
}

absl::StatusOr<bool> LegacyFile::Core::Rows::Next(Row& row) {
  return file_.format_ == LegacyFileFormat::kCsv ? NextCsv(row) : NextJson(row);
}

absl::Status LegacyFile::Core::ReadHead() {
  const auto bad = [this](const auto&... parts) {
    return internal::Error(absl::StatusCode::kInvalidArgument, name_, ": ", parts...);
  };
  NW_ASSIGN_OR_RETURN(const std::string mark, internal::ReadBytes(fd_, 0, kByteOrderMark.size()));
  Rows rows(*this, {.offset = mark == kByteOrderMark ? mark.size() : 0});
  const Place begin = rows.place();
  Row head;
  absl::StatusOr<bool> read = rows.Next(head);
  if (!read.ok() && absl::IsDataLoss(read.status())) return bad("no head: ", read.status().message());
  NW_RETURN_IF_ERROR(read.status());
  if (!*read) return bad("no head: the file is empty");
  for (auto& field : head.fields) {
    if (!field.has_value() || field->empty()) return bad("no head: a column without a name");
    columns_.push_back(*std::move(field));
  }
  for (auto& [name, value] : head.members) columns_.push_back(std::move(name));
  if (columns_.empty()) return bad("no head: no columns");
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].empty()) return bad("no head: a column without a name");
    if (!places_of_columns_.emplace(columns_[i], i).second) {
      return bad("column '", Printable(columns_[i]), "' is there twice");
    }
  }
  first_ = format_ == LegacyFileFormat::kCsv ? rows.place() : begin;
  return absl::OkStatus();
}

// "<offset>-<line>-<32 hexadecimal digits>": the digits are of what the file has at its head and before that place, and its size. A place of
// another file, or of one that was written anew, has others.
absl::StatusOr<std::string> LegacyFile::Core::Token(const Place& place) const {
  struct stat about {};
  if (fstat(fd_, &about) != 0) return absl::ErrnoToStatus(errno, name_);
  const uint64_t from = place.offset > kBoundBytes ? place.offset - kBoundBytes : 0;
  const std::string numbers = absl::StrCat(place.offset, "-", place.line, "-");
  internal::Sha256 hash;
  hash.Update(absl::StrCat(numbers, static_cast<uint64_t>(about.st_size), "\n"));
  for (const auto& [offset, size] : {std::pair<uint64_t, uint64_t>{0, kBoundBytes}, {from, place.offset - from}}) {
    NW_ASSIGN_OR_RETURN(const std::string bytes, internal::ReadBytes(fd_, offset, size));
    hash.Update(bytes);
  }
  const Hash256 digest = hash.Finish();
  return numbers + absl::BytesToHexString(internal::ToAbsl(internal::AsBytes(digest).substr(0, 16)));
}

absl::StatusOr<Place> LegacyFile::Core::PlaceOf(std::string_view token) const {
  const auto none = [this] {
    return internal::Error(absl::StatusCode::kInvalidArgument, name_, ": after: no place of this file as it is now");
  };
  if (token.size() > 100) return none();
  const std::vector<std::string> parts = absl::StrSplit(internal::ToAbsl(token), '-');
  Place place;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &place.offset) || !absl::SimpleAtoi(parts[1], &place.line)) {
    return none();
  }
  if (place.offset < first_.offset || place.offset > (uint64_t{1} << 62)) return none();
  NW_ASSIGN_OR_RETURN(const std::string expected, Token(place));
  if (expected != token) return none();
  return place;
}

absl::Status LegacyFile::Core::AddRow(Row row, uint64_t line, LegacyFilePage& page) const {
  if (format_ == LegacyFileFormat::kCsv) {
    if (row.fields.size() != columns_.size()) {
      return Bad(line, row.fields.size(), " fields, but ", columns_.size(), " columns");
    }
    page.rows.push_back(std::move(row.fields));
    return absl::OkStatus();
  }
  RawRow raw(columns_.size());
  for (size_t i = 0; i < row.members.size(); ++i) {
    auto& [name, value] = row.members[i];
    size_t place = i;  // most often the members are in the same order
    if (i >= columns_.size() || columns_[i] != name) {
      const auto found = places_of_columns_.find(name);
      if (found == places_of_columns_.end()) return Bad(line, "'", Printable(name), "' is not in the first line");
      place = found->second;
    }
    raw[place] = std::move(value);
  }
  page.rows.push_back(std::move(raw));
  return absl::OkStatus();
}

absl::StatusOr<LegacyFilePage> LegacyFile::Core::Read(size_t limit, std::string_view after) {
  if (limit < 1 || limit > kMaxPageRows) {
    return internal::Error(absl::StatusCode::kInvalidArgument, "limit must be 1 to ", kMaxPageRows, ", not ", limit);
  }
  Place place = first_;
  if (!after.empty()) {
    NW_ASSIGN_OR_RETURN(place, PlaceOf(after));
  }
  const uint64_t begin = place.offset;
  Rows rows(*this, place);
  LegacyFilePage page{.columns = columns_, .rows = {}, .next = {}};
  while (page.rows.size() < limit && place.offset - begin < kMaxPageBytes) {
    Row row;
    absl::StatusOr<bool> read = rows.Next(row);
    absl::Status status = read.status();
    if (read.ok() && !*read) return page;
    if (read.ok()) status = AddRow(std::move(row), place.line, page);
    if (!status.ok()) {
      // The rows before are good: they come first, and the next call stops here at once.
      if (page.rows.empty()) return status;
      break;
    }
    place = rows.place();
  }
  NW_ASSIGN_OR_RETURN(const std::string more, internal::ReadBytes(fd_, place.offset, 1));
  if (!more.empty()) {
    NW_ASSIGN_OR_RETURN(page.next, Token(place));
  }
  return page;
}

LegacyFile::LegacyFile(std::unique_ptr<Core> core) : core_(std::move(core)) {}
LegacyFile::~LegacyFile() = default;

absl::StatusOr<std::unique_ptr<LegacyFile>> LegacyFile::Open(const std::string& path, LegacyFileFormat format) {
  std::string name = absl::CHexEscape(path);
  if (format != LegacyFileFormat::kCsv && format != LegacyFileFormat::kJsonl) {
    return absl::InvalidArgumentError("format must be CSV or JSONL");
  }
  // Not blocking: what is no file, such as a pipe without a writer, is refused rather than waited for.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, name);
  auto core = std::make_unique<Core>(fd, format, std::move(name));
  struct stat about {};
  if (fstat(fd, &about) != 0) return absl::ErrnoToStatus(errno, absl::CHexEscape(path));
  if (!S_ISREG(about.st_mode)) {
    return internal::Error(absl::StatusCode::kInvalidArgument, absl::CHexEscape(path), ": not a regular file");
  }
  NW_RETURN_IF_ERROR(core->ReadHead());
  return std::unique_ptr<LegacyFile>(new LegacyFile(std::move(core)));
}

absl::StatusOr<LegacyFilePage> LegacyFile::Read(size_t limit, std::string_view after) {
  return core_->Read(limit, after);
}

}  // namespace northwind
