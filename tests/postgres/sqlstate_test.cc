// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/sqlstate.h"

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

using internal::postgres::ClassOf;
using internal::postgres::FaultClass;
using internal::postgres::SqlError;
using internal::postgres::SqlStateOf;
using ::testing::HasSubstr;

TEST(SqlState, FaultsOfTheMomentPass) {
  for (const char* state : {"08000", "08001", "08003", "08006", "40001", "40P01", "53000", "53100", "53200", "53300",
                            "57P01", "57P02", "57P03", "57P04", "57P05", "57014", "25006", "25P03", "55P03"}) {
    EXPECT_EQ(ClassOf(std::string_view(state)), FaultClass::kPasses) << state;
  }
}

TEST(SqlState, FaultsOfDataSchemaAndRightsHalt) {
  for (const char* state : {"08P01", "22001", "22003", "23502", "23505", "23514", "28000", "28P01", "3D000", "42501",
                            "42601", "42703", "42P01", "25P02", "40002"}) {
    EXPECT_EQ(ClassOf(std::string_view(state)), FaultClass::kHalts) << state;
  }
}

TEST(SqlState, WhatIsNotKnownHalts) {
  for (const char* state : {"", "0", "XX000", "XX001", "58030", "ZZZZZ", "NW001", "5"}) {
    EXPECT_EQ(ClassOf(std::string_view(state)), FaultClass::kHalts) << state;
  }
}

TEST(SqlState, AnErrorNamesItAndKeepsIt) {
  const absl::Status status = SqlError("23505", "inserting postings", "duplicate key");
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kFailedPrecondition, "inserting postings: ERROR 23505: duplicate key"));
  EXPECT_EQ(SqlStateOf(status), "23505");
  EXPECT_EQ(ClassOf(status), FaultClass::kHalts);
  EXPECT_THAT(SqlError("40001", "a", "b"), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(SqlError("53100", "a", "b"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(SqlError("42501", "a", "b"), StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(SqlError("42703", "a", "b"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SqlError("57P01", "a", "b"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(SqlError("XX000", "a", "b"), StatusIs(absl::StatusCode::kInternal, HasSubstr("XX000")));
}

TEST(SqlState, WithoutOneTheCodeDecides) {
  EXPECT_EQ(SqlStateOf(absl::UnavailableError("gone")), "");
  EXPECT_EQ(ClassOf(absl::UnavailableError("gone")), FaultClass::kPasses);
  EXPECT_EQ(ClassOf(absl::DeadlineExceededError("late")), FaultClass::kPasses);
  EXPECT_EQ(ClassOf(absl::InvalidArgumentError("wrong")), FaultClass::kHalts);
  EXPECT_EQ(ClassOf(absl::InternalError("what?")), FaultClass::kHalts);
  // The SQLSTATE is stronger than the code that it has.
  EXPECT_EQ(ClassOf(SqlError("08P01", "a", "b")), FaultClass::kHalts);
}

}  // namespace
}  // namespace northwind::testing
