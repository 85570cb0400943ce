// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "northwind/store.h"
#include "src/store/engine.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;

class Shadow : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Store>> Open(StoreMode mode, const std::string& name = "s") {
    return Store::Open({.path = directory_ / name, .mode = mode});
  }
  bool IsShadow(StoreMode mode, const std::string& name = "s") {
    const auto store = Open(mode, name);
    EXPECT_THAT(store, IsOk());
    return store.ok() && (*store)->shadow();
  }
  static void Put(Store& store) {
    internal::WriteSet writes;
    writes.Put(internal::Space::kHost, "a", "1");
    ASSERT_THAT(store.engine().Write(writes), IsOk());
  }

  TempDir directory_;
};

TEST_F(Shadow, StaysAShadowUntilItIsToldToLeave) {
  EXPECT_TRUE(IsShadow(StoreMode::kShadow));
  EXPECT_TRUE(IsShadow(StoreMode::kAsIs)) << "whoever opens it without a thought opens a shadow";
  EXPECT_TRUE(IsShadow(StoreMode::kShadow));
  EXPECT_FALSE(IsShadow(StoreMode::kLeaveShadow));
  EXPECT_FALSE(IsShadow(StoreMode::kAsIs));
  EXPECT_FALSE(IsShadow(StoreMode::kLeaveShadow));
}

TEST_F(Shadow, AStoreIsLiveIfNobodySaysOtherwise) {
  EXPECT_FALSE(IsShadow(StoreMode::kAsIs));
  EXPECT_FALSE(IsShadow(StoreMode::kLeaveShadow, "t"));
}

TEST_F(Shadow, AnEmptyLiveStoreCanBecomeOne) {
  EXPECT_FALSE(IsShadow(StoreMode::kAsIs));
  EXPECT_TRUE(IsShadow(StoreMode::kShadow));
}

TEST_F(Shadow, ALiveStoreThatHoldsAnythingCannotBecomeOne) {
  {
    NW_ASSERT_OK_AND_ASSIGN(const auto store, Open(StoreMode::kAsIs));
    Put(*store);
  }
  EXPECT_THAT(Open(StoreMode::kShadow), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("space host")));
  EXPECT_FALSE(IsShadow(StoreMode::kAsIs));
}

TEST_F(Shadow, WhatHasLeftItWithRecordsDoesNotGoBack) {
  {
    NW_ASSERT_OK_AND_ASSIGN(const auto store, Open(StoreMode::kShadow));
    Put(*store);
  }
  EXPECT_TRUE(IsShadow(StoreMode::kShadow)) << "as it is one";
  {
    NW_ASSERT_OK_AND_ASSIGN(const auto store, Open(StoreMode::kLeaveShadow));
    EXPECT_TRUE(store->engine().was_shadow());
    EXPECT_THAT(store->Get("a"), IsOk());
  }
  EXPECT_THAT(Open(StoreMode::kShadow), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(Shadow, ACopyIsAShadowAsWell) {
  {
    NW_ASSERT_OK_AND_ASSIGN(const auto store, Open(StoreMode::kShadow));
    Put(*store);
    ASSERT_THAT(store->engine().Checkpoint(directory_ / "copy"), IsOk());
  }
  EXPECT_TRUE(IsShadow(StoreMode::kAsIs, "copy"));
  EXPECT_FALSE(IsShadow(StoreMode::kLeaveShadow, "copy"));
  EXPECT_TRUE(IsShadow(StoreMode::kAsIs)) << "and the first one stays one";
}

TEST_F(Shadow, AMarkThatIsNoneIsDamage) {
  {
    NW_ASSERT_OK_AND_ASSIGN(const auto store, Open(StoreMode::kShadow));
    internal::WriteSet writes;
    writes.Put(internal::Space::kMeta, "mode", "shadowy");
    ASSERT_THAT(store->engine().Write(writes), IsOk());
  }
  EXPECT_THAT(Open(StoreMode::kAsIs), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("mode")));
}

}  // namespace
}  // namespace northwind::testing
