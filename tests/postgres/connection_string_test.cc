// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/connection_string.h"

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

using internal::postgres::ConnectionParameters;
using internal::postgres::ParseConnectionString;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ConnectionString, SetsWhatItDoesNot) {
  NW_ASSERT_OK_AND_ASSIGN(const ConnectionParameters set, ParseConnectionString("host=a,b dbname=c"));
  EXPECT_EQ(set, (ConnectionParameters{{"host", "a,b"},
                                       {"dbname", "c"},
                                       {"keepalives", "1"},
                                       {"keepalives_idle", "10"},
                                       {"keepalives_interval", "5"},
                                       {"keepalives_count", "4"},
                                       {"tcp_user_timeout", "30000"},
                                       {"connect_timeout", "10"},
                                       {"client_encoding", "UTF8"}}));
}

TEST(ConnectionString, NeverOverridesWhatItSets) {
  NW_ASSERT_OK_AND_ASSIGN(const ConnectionParameters set,
                          ParseConnectionString("postgresql://user@h:1/d?connect_timeout=0&keepalives=0&"
                                                "tcp_user_timeout=7&client_encoding=LATIN1"));
  EXPECT_EQ(set.at("connect_timeout"), "0");
  EXPECT_EQ(set.at("keepalives"), "0");
  EXPECT_EQ(set.at("tcp_user_timeout"), "7");
  EXPECT_EQ(set.at("client_encoding"), "LATIN1");
  EXPECT_EQ(set.at("user"), "user");
}

TEST(ConnectionString, NeverOverridesWhatTheEnvironmentSets) {
  ASSERT_EQ(setenv("PGCONNECT_TIMEOUT", "33", 1), 0);
  NW_ASSERT_OK_AND_ASSIGN(const ConnectionParameters set, ParseConnectionString("host=a"));
  unsetenv("PGCONNECT_TIMEOUT");
  EXPECT_FALSE(set.contains("connect_timeout"));
  EXPECT_EQ(set.at("tcp_user_timeout"), "30000");
}

TEST(ConnectionString, OneThatIsNoneIsRefusedWithoutBeingCited) {
  for (const char* wrong :
       {"host=a password=secret word", "password='secret", "secret", "secret=word", "postgresql://u:secret%zz@host/d",
        "postgresql://u:p@host/d?secret=1", "postgresql://u:p@[secret/d", "postgresql://u:p@host/d?sslmode=secret%"}) {
    EXPECT_THAT(
        ParseConnectionString(wrong),
        StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("connection string: "), Not(HasSubstr("secret")))))
        << wrong;
  }
  EXPECT_THAT(ParseConnectionString(std::string("host=a\0 b", 9)), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace northwind::testing
