// SPDX-License-Identifier: Apache-2.0
#include "northwind/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

#include "src/store/engine.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TempDir;
using ::testing::HasSubstr;
using ::testing::Optional;

TEST(Store, ReadsHostRecords) {
  const TempDir directory;
  NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = directory / "s"}));
  EXPECT_THAT(store->Get("a"), IsOkAndHolds(std::nullopt));
  internal::WriteSet writes;
  writes.Put(internal::Space::kHost, "a", "1");
  writes.Put(internal::Space::kHost, "empty", "");
  writes.Put(internal::Space::kJournal, "b", "2");
  ASSERT_THAT(store->engine().Write(writes), IsOk());
  EXPECT_THAT(store->Get("a"), IsOkAndHolds(Optional(std::string("1"))));
  EXPECT_THAT(store->Get("empty"), IsOkAndHolds(Optional(std::string())));
  EXPECT_THAT(store->Get("b"), IsOkAndHolds(std::nullopt)) << "other spaces are not seen";
}

TEST(Store, WritesAndListsHostRecords) {
  const TempDir directory;
  {
    NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = directory / "s"}));
    ASSERT_THAT(store->Write({{{"a/1", "one"}, {"a/2", "two"}, {"a/3", "three"}, {"b", "other"}, {"a/2", "last"}}}),
                IsOk());
    ASSERT_THAT(store->Write({{{"a/3", std::nullopt}, {"a", ""}, {"never", std::nullopt}}}), IsOk());
  }
  NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = directory / "s"}));
  using Entries = std::vector<HostEntry>;
  EXPECT_THAT(store->List("a/"), IsOkAndHolds(Entries{{"a/1", "one"}, {"a/2", "last"}}));
  EXPECT_THAT(store->List("a"), IsOkAndHolds(Entries{{"a", ""}, {"a/1", "one"}, {"a/2", "last"}}));
  EXPECT_THAT(store->List("a", "a"), IsOkAndHolds(Entries{{"a/1", "one"}, {"a/2", "last"}}));
  EXPECT_THAT(store->List("a/", {}, 1), IsOkAndHolds(Entries{{"a/1", "one"}}));
  EXPECT_THAT(store->List("a/", "a/1"), IsOkAndHolds(Entries{{"a/2", "last"}}));
  EXPECT_THAT(store->List("a/", "a/11"), IsOkAndHolds(Entries{{"a/2", "last"}})) << "between two keys";
  EXPECT_THAT(store->List("a/", "a/2"), IsOkAndHolds(Entries{}));
  EXPECT_THAT(store->List("b"), IsOkAndHolds(Entries{{"b", "other"}}));
}

TEST(Store, RefusesHostRecordsOutOfBoundsAndThenWritesNone) {
  const TempDir directory;
  NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = directory / "s"}));
  const auto refuses = [&](HostChange bad, std::string_view text) {
    EXPECT_THAT(store->Write({{{"good", "1"}, std::move(bad)}}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(std::string(text))));
  };
  refuses({"", "1"}, "1 to 256 bytes");
  refuses({std::string(257, 'k'), "1"}, "not 257");
  refuses({"nw/cutover/x", "1"}, "begins with 'nw/'");
  refuses({"k", std::string(kMaxHostChangeBytes + 1, 'v')}, "not 1048577");
  EXPECT_THAT(store->Write(std::vector<HostChange>(kMaxHostChanges + 1, {"k", "v"})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not 1001")));
  EXPECT_THAT(store->Get("good"), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(store->List("", {}, 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(store->List("", {}, kMaxHostPage + 1), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(store->Write({{{std::string(256, 'k'), std::string(kMaxHostChangeBytes, 'v')}}}), IsOk());
}

TEST(Store, AWriteAndAPageOfHostRecordsAreBoundedInBytes) {
  const TempDir directory;
  NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = directory / "s"}));
  std::vector<HostChange> changes;
  for (int i = 0; i < 17; ++i)
    changes.push_back({std::string(1, static_cast<char>('a' + i)), std::string(kMaxHostChangeBytes, 'v')});
  EXPECT_THAT(store->Write(changes), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("16777216 bytes")));
  EXPECT_THAT(store->Get("a"), IsOkAndHolds(std::nullopt));
  ASSERT_THAT(store->Write(absl::MakeSpan(changes).subspan(0, 15)), IsOk());
  ASSERT_THAT(store->Write(absl::MakeSpan(changes).subspan(15)), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const auto page, store->List("", {}, 100));
  EXPECT_EQ(page.size(), 16);
  NW_ASSERT_OK_AND_ASSIGN(const auto rest, store->List("", page.back().key, 100));
  EXPECT_EQ(rest.size(), 1);
  EXPECT_THAT(store->List("", rest.back().key, 100), IsOkAndHolds(std::vector<HostEntry>{}));
  // What is put and taken away in one write is not there.
  ASSERT_THAT(store->Write({{{"z", "1"}, {"z", std::nullopt}}}), IsOk());
  EXPECT_THAT(store->Get("z"), IsOkAndHolds(std::nullopt));
}

TEST(Store, IsOpenedExclusively) {
  const TempDir directory;
  NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory / "s"}));
  EXPECT_EQ(store->path(), directory / "s");
  EXPECT_THAT(Store::Open({.path = directory / "s"}), StatusIs(absl::StatusCode::kFailedPrecondition));
  store.reset();
  EXPECT_THAT(Store::Open({.path = directory / "s"}), IsOk());
}

TEST(Store, IsNotMadeUnlessAskedFor) {
  const TempDir directory;
  EXPECT_THAT(Store::Open({.path = directory / "s", .create_if_missing = false}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(directory / "s")));
}

TEST(Store, RefusesWhatIsNoStore) {
  const TempDir directory;
  std::ofstream(directory / "file") << "text";
  EXPECT_THAT(Store::Open({.path = directory.path()}), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(Store, ACheckpointOpensAndHoldsTheSame) {
  const TempDir directory;
  NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = directory / "s"}));
  internal::WriteSet writes;
  writes.Put(internal::Space::kHost, "a", "1");
  ASSERT_THAT(store->engine().Write(writes), IsOk());
  ASSERT_THAT(store->engine().Checkpoint(directory / "copy/"), IsOk());
  EXPECT_THAT(store->engine().Checkpoint(directory / "copy"), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(store->engine().Checkpoint(directory / "no/copy"), StatusIs(absl::StatusCode::kNotFound));

  writes.Clear();
  writes.Put(internal::Space::kHost, "a", "2");
  ASSERT_THAT(store->engine().Write(writes), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const auto copy, Store::Open({.path = directory / "copy", .create_if_missing = false}));
  EXPECT_THAT(copy->Get("a"), IsOkAndHolds(Optional(std::string("1"))));
  EXPECT_EQ(copy->engine().uuid(), store->engine().uuid());
  // The copy goes its own way.
  writes.Clear();
  writes.Put(internal::Space::kHost, "a", "3");
  ASSERT_THAT(copy->engine().Write(writes), IsOk());
  EXPECT_THAT(store->Get("a"), IsOkAndHolds(Optional(std::string("2"))));
}

}  // namespace
}  // namespace northwind
