// SPDX-License-Identifier: Apache-2.0
#include "northwind/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "src/base/error.h"
#include "tests/support/status_matchers.h"

namespace northwind {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;

absl::Status PassOn(const absl::Status& status, int& reached) {
  NW_RETURN_IF_ERROR(status);
  ++reached;
  return absl::OkStatus();
}

TEST(Status, ReturnIfErrorReturnsErrorsOnly) {
  int reached = 0;
  EXPECT_THAT(PassOn(absl::OkStatus(), reached), IsOk());
  EXPECT_EQ(reached, 1);
  EXPECT_THAT(PassOn(absl::DataLossError("gone"), reached), StatusIs(absl::StatusCode::kDataLoss, "gone"));
  EXPECT_EQ(reached, 1);
}

absl::StatusOr<int> Twice(absl::StatusOr<std::unique_ptr<int>> source) {
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<int> value, std::move(source));  // move-only values too
  int doubled = 0;
  NW_ASSIGN_OR_RETURN(doubled, absl::StatusOr<int>(2 * *value));
  return doubled;
}

TEST(Status, AssignOrReturnDeclaresOrAssigns) {
  EXPECT_EQ(*Twice(std::make_unique<int>(21)), 42);
  EXPECT_THAT(Twice(absl::NotFoundError("none")), StatusIs(absl::StatusCode::kNotFound, "none"));
}

int Branch(bool condition) {
  // Used bare in an if with an else: must not capture it.
  const auto run = [condition]() -> absl::Status {
    if (condition)
      NW_RETURN_IF_ERROR(absl::AbortedError("then"));
    else
      NW_RETURN_IF_ERROR(absl::CancelledError("else"));
    return absl::OkStatus();
  };
  return run().code() == absl::StatusCode::kAborted ? 1 : 2;
}

TEST(Status, ReturnIfErrorIsOneStatement) {
  EXPECT_EQ(Branch(true), 1);
  EXPECT_EQ(Branch(false), 2);
}

TEST(Status, CheckAbortsWithPlaceConditionAndMessage) {
  int evaluated = 0;
  NW_CHECK(++evaluated == 1, "fine");
  EXPECT_EQ(evaluated, 1);
  EXPECT_DEATH(NW_CHECK(1 == 2, "numbers differ"), "status_test.cc:[0-9]+: check failed: 1 == 2: numbers differ");
}

TEST(Error, JoinsItsParts) {
  const std::string_view name = "shop";
  EXPECT_THAT(internal::Error(absl::StatusCode::kNotFound, "no account ", internal::ToAbsl(name), ", id ", 7),
              StatusIs(absl::StatusCode::kNotFound, "no account shop, id 7"));
}

}  // namespace
}  // namespace northwind
