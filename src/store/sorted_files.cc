// SPDX-License-Identifier: Apache-2.0
//
// Tables written beside RocksDB and taken over by it in one atomic step.
#include "src/store/sorted_files.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "rocksdb/options.h"
#include "src/base/error.h"
#include "src/store/cursor.h"
#include "src/store/engine_rep.h"
#include "src/store/rocks_status.h"

namespace northwind::internal {
namespace {

constexpr uint64_t kFileBytes = 64 << 20;

// Unique within the process, which is enough: Open empties the directory.
std::string NewFileName(const Database& database) {
  static std::atomic<uint64_t> next{1};
  return absl::StrCat(database.path(), "/ingest/", next.fetch_add(1), ".sst");
}

}  // namespace

SortedFiles::Rep::~Rep() {
  for (auto& writer : writers) writer.reset();
  for (const std::string& path : paths) (void)database.env().DeleteFile(path);  // what was ingested is gone already
}

absl::Status SortedFiles::Rep::Fail(const rocksdb::Status& status, Space space, std::string_view key) {
  error = status.IsInvalidArgument() ? Error(absl::StatusCode::kInvalidArgument, "sorted file of space ",
                                             ToAbsl(SpaceName(space)), ": ", status.ToString())
                                     : ToStatus(status, "writing a sorted file of", space, key);
  return error;
}

absl::StatusOr<rocksdb::SstFileWriter*> SortedFiles::Rep::WriterFor(Space space) {
  NW_RETURN_IF_ERROR(error);
  const size_t index = static_cast<size_t>(space);
  if (writers[index] != nullptr && writers[index]->table.FileSize() >= kFileBytes) NW_RETURN_IF_ERROR(Finish(index));
  if (writers[index] == nullptr) {
    error = database.floor().Admit(kFileBytes);
    NW_RETURN_IF_ERROR(error);
    paths.push_back(NewFileName(database));
    writers[index] = std::make_unique<Writer>(rocksdb::Options(database.UnguardedOptions(), database.options(space)));
    const rocksdb::Status status = writers[index]->table.Open(paths.back());
    if (!status.ok()) return Fail(status, space, {});
  }
  return &writers[index]->table;
}

absl::Status SortedFiles::Rep::Finish(size_t space) {
  const std::unique_ptr<Writer> writer = std::move(writers[space]);
  rocksdb::ExternalSstFileInfo info;
  const rocksdb::Status status = writer->table.Finish(&info);  // syncs the file
  if (!status.ok()) return Fail(status, static_cast<Space>(space), {});
  finished[space].push_back(std::move(info));
  return absl::OkStatus();
}

absl::Status SortedFiles::Rep::FinishAll() {
  NW_RETURN_IF_ERROR(error);
  for (size_t space = 0; space < kSpaceCount; ++space) {
    if (writers[space] != nullptr) NW_RETURN_IF_ERROR(Finish(space));
  }
  return absl::OkStatus();
}

SortedFiles::SortedFiles(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
SortedFiles::~SortedFiles() = default;
SortedFiles::SortedFiles(SortedFiles&&) noexcept = default;
SortedFiles& SortedFiles::operator=(SortedFiles&&) noexcept = default;

absl::Status SortedFiles::Put(Space space, std::string_view key, std::string_view value) {
  NW_ASSIGN_OR_RETURN(rocksdb::SstFileWriter* const table, rep_->WriterFor(space));
  const rocksdb::Status status = table->Put(ToSlice(key), ToSlice(value));
  return status.ok() ? absl::OkStatus() : rep_->Fail(status, space, key);
}

absl::Status SortedFiles::Delete(Space space, std::string_view key) {
  NW_ASSIGN_OR_RETURN(rocksdb::SstFileWriter* const table, rep_->WriterFor(space));
  const rocksdb::Status status = table->Delete(ToSlice(key));
  return status.ok() ? absl::OkStatus() : rep_->Fail(status, space, key);
}

absl::StatusOr<SortedFiles> Engine::NewSortedFiles() {
  NW_RETURN_IF_ERROR(poison());
  return SortedFiles(std::make_unique<SortedFiles::Rep>(*rep_->database));
}

absl::Status Engine::Ingest(SortedFiles files) {
  NW_RETURN_IF_ERROR(poison());
  SortedFiles::Rep& set = *files.rep_;
  NW_RETURN_IF_ERROR(set.FinishAll());
  std::vector<rocksdb::IngestExternalFileArg> arguments;
  for (size_t space = 0; space < kSpaceCount; ++space) {
    if (set.finished[space].empty()) continue;
    rocksdb::IngestExternalFileArg argument;
    argument.column_family = rep_->database->handle(static_cast<Space>(space));
    argument.options.move_files = true;
    // The file stays as it was written and checksummed; its global sequence number goes into the manifest.
    argument.options.write_global_seqno = false;
    // The writer computed it on the way to the disk: no second reading.
    argument.options.verify_file_checksum = false;
    for (const rocksdb::ExternalSstFileInfo& info : set.finished[space]) {
      argument.external_files.push_back(info.file_path);
      argument.files_checksums.push_back(info.file_checksum);
      argument.files_checksum_func_names.push_back(info.file_checksum_func_name);
    }
    arguments.push_back(std::move(argument));
  }
  if (arguments.empty()) return absl::OkStatus();
  // One call: RocksDB writes the files of all column families to its manifest as one atomic group, and syncs it.
  absl::MutexLock lock(&rep_->ingest_mutex);
  const rocksdb::Status status = rep_->database->db().IngestExternalFiles(arguments);
  if (status.ok()) return absl::OkStatus();
  const absl::Status cause = ToStatus(status, "ingesting sorted files into store " + path());
  rep_->database->poison().Set(cause);
  return Error(absl::StatusCode::kAborted, "outcome unknown: ", cause.ToString());
}

}  // namespace northwind::internal
