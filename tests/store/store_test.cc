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
