// SPDX-License-Identifier: Apache-2.0
#include "src/store/version_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "src/base/coding.h"

namespace northwind::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::Pair;

void PutNumbers(std::string& record, std::initializer_list<uint64_t> numbers) {
  for (const uint64_t number : numbers) PutVarint64(record, number);
}

std::string Table(uint64_t number, uint64_t size, uint64_t sequence) {
  std::string record;
  PutNumbers(record, {103, 6, number, size});
  PutBytes(record, "smallest");
  PutBytes(record, "largest");
  PutNumbers(record, {sequence, sequence + 1, 5});
  PutBytes(record, "a field that does not matter");
  PutVarint64(record, 1);
  return record;
}

TEST(VersionEditTest, HasWhatTheFieldsSay) {
  std::string record;
  PutNumbers(record, {2, 300, 9, 0, 3, 400, 4, 77, 10, 290, 6, 0, 12});
  record += Table(13, 5000, 70);
  PutNumbers(record, {200, 3, 300, 2, 1 << 13 | 5});
  PutBytes(record, "may be left out");
  const auto edit = DecodeVersionEdit(record);
  ASSERT_TRUE(edit.has_value());
  EXPECT_EQ(edit->column_family, 3U);
  EXPECT_THAT(edit->log_number, Optional(300U));
  EXPECT_THAT(edit->next_file_number, Optional(400U));
  EXPECT_THAT(edit->min_log_to_keep, Optional(290U));
  EXPECT_THAT(edit->remaining, Optional(2U));
  EXPECT_THAT(edit->deleted_tables, ElementsAre(12U));
  ASSERT_EQ(edit->new_tables.size(), 1U);
  EXPECT_EQ(edit->new_tables[0].number, 13U);
  EXPECT_EQ(edit->new_tables[0].size, 5000U);
  EXPECT_FALSE(edit->drops || edit->added_name.has_value());
}

TEST(VersionEditTest, IsNothingIfItEndsEarlyOrHasAnUnknownTag) {
  const std::string record = Table(13, 5000, 70);
  for (size_t size = 1; size < record.size(); ++size) {
    EXPECT_EQ(DecodeVersionEdit(record.substr(0, size)), std::nullopt) << size;
  }
  std::string unknown;
  PutNumbers(unknown, {400, 0});
  EXPECT_EQ(DecodeVersionEdit(unknown), std::nullopt);
}

TEST(VersionStateTest, TablesMoveAndGoWithTheirColumnFamily) {
  VersionState state;
  ASSERT_TRUE(state.Apply({.column_family = 4, .added_name = "host", .log_number = 8}));
  ASSERT_TRUE(state.Apply({.column_family = 4, .new_tables = {{.number = 9, .size = 50}}}));
  ASSERT_TRUE(state.Apply({.column_family = 4, .deleted_tables = {9}, .new_tables = {{.number = 9, .size = 50}}}));
  EXPECT_THAT(state.column_families[4].tables, ElementsAre(Pair(9U, 50U)));
  EXPECT_TRUE(state.Has("host"));
  ASSERT_TRUE(state.Apply({.column_family = 4, .drops = true}));
  EXPECT_FALSE(state.Has("host"));
}

TEST(VersionStateTest, RefusesWhatDoesNotFit) {
  VersionState state;
  EXPECT_FALSE(state.Apply({.column_family = 7}));
  EXPECT_FALSE(state.Apply({.added_name = "default"}));
  EXPECT_FALSE(state.Apply({.deleted_tables = {9}}));
}

TEST(VersionStateTest, TheFirstLogIsTheFirstThatAnyColumnFamilyNeedsAndThatIsKept) {
  VersionState state;
  ASSERT_TRUE(state.Apply({.log_number = 20}));
  ASSERT_TRUE(state.Apply({.column_family = 1, .added_name = "journal", .log_number = 12}));
  EXPECT_EQ(state.FirstLog(), 12U);
  ASSERT_TRUE(state.Apply({.min_log_to_keep = 15}));
  EXPECT_EQ(state.FirstLog(), 15U);
}

}  // namespace
}  // namespace northwind::internal
