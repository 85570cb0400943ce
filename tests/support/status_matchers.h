// SPDX-License-Identifier: Apache-2.0
//
// EXPECT_THAT(ledger->Freeze(id), IsOk());
// EXPECT_THAT(Store::Open(options), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("journal")));
// EXPECT_THAT(ledger->FindAccount("a"), IsOkAndHolds(id));
// NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open(options));
#ifndef NORTHWIND_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define NORTHWIND_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/status.h"

namespace northwind::testing {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& value) {
  return value.status();
}

MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << "which is " << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

MATCHER_P(StatusIs, code, std::string("has the code ") + absl::StatusCodeToString(code)) {
  *result_listener << "which is " << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code;
}

MATCHER_P2(StatusIs, code, message,
           std::string("has the code ") + absl::StatusCodeToString(code) + " and a message that " +
               ::testing::DescribeMatcher<std::string>(message)) {
  *result_listener << "which is " << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code &&
         ::testing::ExplainMatchResult(message, std::string(StatusOf(arg).message()), result_listener);
}

MATCHER_P(IsOkAndHolds, value, "is OK and holds a value that fits") {
  if (!arg.ok()) {
    *result_listener << "which is " << arg.status().ToString();
    return false;
  }
  return ::testing::ExplainMatchResult(value, *arg, result_listener);
}

}  // namespace northwind::testing

#define NW_ASSERT_OK_AND_ASSIGN(left, expression) \
  NW_ASSERT_OK_AND_ASSIGN_INNER(NW_STATUS_CONCAT(nw_test_status_or_, __LINE__), left, expression)
#define NW_ASSERT_OK_AND_ASSIGN_INNER(temporary, left, expression) \
  auto temporary = (expression);                                   \
  ASSERT_TRUE(temporary.ok()) << temporary.status();               \
  left = *std::move(temporary)

#endif  // NORTHWIND_TESTS_SUPPORT_STATUS_MATCHERS_H_
