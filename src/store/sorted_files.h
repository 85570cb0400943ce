// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_STORE_SORTED_FILES_H_
#define NORTHWIND_SRC_STORE_SORTED_FILES_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/sst_file_writer.h"
#include "src/store/database.h"
#include "src/store/engine.h"

namespace northwind::internal {

struct SortedFiles::Rep {
  // A table under construction. Its options must outlive the writer.
  struct Writer {
    explicit Writer(rocksdb::Options with) : options(std::move(with)), table(rocksdb::EnvOptions(), options) {}
    rocksdb::Options options;
    rocksdb::SstFileWriter table;
  };

  explicit Rep(Database& of) : database(of) {}
  ~Rep();

  // The table that takes the next key of the space.
  absl::StatusOr<rocksdb::SstFileWriter*> WriterFor(Space space);
  // Completes the space's table, durably.
  absl::Status Finish(size_t space);
  absl::Status FinishAll();
  absl::Status Fail(const rocksdb::Status& status, Space space, std::string_view key);

  Database& database;
  std::array<std::unique_ptr<Writer>, kSpaceCount> writers;
  std::array<std::vector<rocksdb::ExternalSstFileInfo>, kSpaceCount> finished;
  std::vector<std::string> paths;  // of all files ever begun
  absl::Status error;              // the first one; nothing can be ingested after it
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_SORTED_FILES_H_
