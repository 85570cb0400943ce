// SPDX-License-Identifier: Apache-2.0
//
// An engine on a disk that can fail, and short words for what its tests do.
#ifndef NORTHWIND_TESTS_STORE_ENGINE_FIXTURE_H_
#define NORTHWIND_TESTS_STORE_ENGINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "src/store/engine.h"
#include "tests/support/fault_fs.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {

// A record to ingest.
struct Record {
  internal::Space space;
  std::string key;
  std::string value;
};

// Builds sorted files of the records, in any order, and ingests them.
inline absl::Status IngestRecords(internal::Engine& engine, std::vector<Record> records) {
  std::sort(records.begin(), records.end(),
            [](const Record& a, const Record& b) { return std::tie(a.space, a.key) < std::tie(b.space, b.key); });
  NW_ASSIGN_OR_RETURN(internal::SortedFiles files, engine.NewSortedFiles());
  for (const Record& record : records) NW_RETURN_IF_ERROR(files.Put(record.space, record.key, record.value));
  return engine.Ingest(std::move(files));
}

class EngineFixture : public ::testing::Test {
 protected:
  EngineFixture() {
    options_.path = "/db";
    options_.free_space_floor_bytes = 0;
    options_.write_buffer_bytes = 1 << 20;
    options_.block_cache_bytes = 8 << 20;
    Open();
  }

  void Open() {
    auto engine = internal::Engine::Open(options_, disk_.env());
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }
  void Reopen(Loss loss = Loss::kNothing) {
    engine_.reset();
    disk_.Restart(loss);
    Open();
  }

  absl::Status TryPut(internal::Space space, std::string_view key, std::string_view value) {
    internal::WriteSet writes;
    writes.Put(space, key, value);
    return engine_->Write(writes);
  }
  void Put(internal::Space space, std::string_view key, std::string_view value) {
    EXPECT_THAT(TryPut(space, key, value), IsOk());
  }
  void Ingest(std::vector<Record> records) { EXPECT_THAT(IngestRecords(*engine_, std::move(records)), IsOk()); }

  std::optional<std::string> Get(internal::Space space, std::string_view key) const {
    const auto value = engine_->Get(space, key);
    EXPECT_THAT(value, IsOk());
    if (!value.ok() || !value->has_value()) return std::nullopt;
    return std::string((*value)->view());
  }
  // All values from `key` on.
  std::vector<std::string> Values(internal::Space space, std::string_view key,
                                  const internal::CursorOptions& options = {}) const {
    std::vector<std::string> values;
    internal::Cursor cursor = engine_->NewCursor(space, options);
    for (cursor.Seek(key); cursor.Valid(); cursor.Next()) values.emplace_back(cursor.value());
    EXPECT_THAT(cursor.status(), IsOk());
    return values;
  }
  // Paths of the store's files with that ending.
  std::vector<std::string> Files(std::string_view suffix) {
    std::vector<std::string> names;
    EXPECT_TRUE(disk_.env()->GetChildren(options_.path, &names).ok());
    std::vector<std::string> paths;
    for (const std::string& name : names) {
      if (name.ends_with(suffix)) paths.push_back(options_.path + "/" + name);
    }
    return paths;
  }
  // The free space is asked for at most so often.
  static void SkipFreeSpaceCache() { std::this_thread::sleep_for(std::chrono::milliseconds(110)); }

  FaultFs disk_;
  StoreOptions options_;
  std::unique_ptr<internal::Engine> engine_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_STORE_ENGINE_FIXTURE_H_
