// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "examples/reference_server/http/problem.h"
#include "tests/support/status_matchers.h"

namespace northwind::server {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// In time that grows with its size: by the square of it, this would go on for hours.
TEST(ServerJson, ALongListOfObjectsIsReadInOnePass) {
  std::string body = R"({"rows":[{"a":[]})";
  for (int i = 1; i < 300'000; ++i) body += R"(,{"a":[]})";
  body += "]}";
  const auto read = ParseObject(body, {"rows"});
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ((*read)["rows"].size(), 300'000U);
}

TEST(ServerJson, NamesAndValuesAreBounded) {
  const auto names = [](int count) {
    std::string body = R"({"a":{"n0":0)";
    for (int i = 1; i < count; ++i) body += ",\"n" + std::to_string(i) + "\":0";
    return body + "}}";
  };
  EXPECT_THAT(ParseObject(names(1000), {"a"}), IsOk());
  EXPECT_THAT(ParseObject(names(1001), {"a"}), StatusIs(kInvalid, HasSubstr("more than 1000 names")));
  std::string values = R"({"a":[0)";
  for (int i = 1; i < 999'998; ++i) values += ",0";
  EXPECT_THAT(ParseObject(values + "]}", {"a"}), IsOk());
  EXPECT_THAT(ParseObject(values + ",0]}", {"a"}), StatusIs(kInvalid, HasSubstr("more than 1000000 values")));
}

TEST(ServerJson, TimesAreUtcToTheMicrosecond) {
  const absl::Time time = absl::FromUnixMicros(1'782'907'200'123'456);
  EXPECT_EQ(TimeJson(time), "2026-07-01T12:00:00.123456Z");
  EXPECT_THAT(ParseTime("2026-07-01T12:00:00.123456Z"), IsOkAndHolds(time));
  EXPECT_THAT(ParseTime("2026-07-01T14:00:00.123456+02:00"), IsOkAndHolds(time));
  EXPECT_EQ(TimeJson(absl::InfiniteFuture()), nullptr);
  // Years have four digits, whichever they are, and whatever an offset makes of them.
  EXPECT_EQ(TimeJson(*ParseTime("0276-03-10T14:06:20Z")), "0276-03-10T14:06:20.000000Z");
  for (const char* bad :
       {"", "now", "2026-07-01", "infinite-past", "2026-13-01T00:00:00Z", "2026-07-01T12:00:00", "276-03-10T14:06:20Z",
        "12026-03-10T14:06:20Z", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00", "2026"}) {
    EXPECT_THAT(ParseTime(bad), StatusIs(kInvalid, HasSubstr("RFC 3339"))) << bad;
  }
}

TEST(ServerJson, AmountsAreStrings) {
  EXPECT_EQ(MoneyJson({"USD", 2}, -1050).dump(), R"({"asset":"USD/2","units":"-1050"})");
  EXPECT_EQ(MoneyJson({"JPY", 0}, absl::MakeInt128(1, 0)).dump(),
            R"({"asset":"JPY/0","units":"18446744073709551616"})");
}

TEST(ServerJson, ObjectsAreReadStrictly) {
  EXPECT_THAT(ParseObject(R"({"a":1,"b":{"x":[1]}})", {"a", "b"}),
              IsOkAndHolds(Json::parse(R"({"a":1,"b":{"x":[1]}})")));
  EXPECT_THAT(ParseObject("{", {}), StatusIs(kInvalid, HasSubstr("no JSON")));
  EXPECT_THAT(ParseObject("{} {}", {}), StatusIs(kInvalid, HasSubstr("no JSON")));
  EXPECT_THAT(ParseObject("[]", {}), StatusIs(kInvalid, HasSubstr("object")));
  EXPECT_THAT(ParseObject(R"({"a":1,"a":2})", {"a"}), StatusIs(kInvalid, HasSubstr("'a' twice")));
  EXPECT_THAT(ParseObject(R"({"a":{"b":1,"b":1}})", {"a"}), StatusIs(kInvalid, HasSubstr("'b' twice")));
  EXPECT_THAT(ParseObject(R"({"c":1})", {"a", "b"}), StatusIs(kInvalid, HasSubstr("'c'; known are: a, b")));
  const auto nested = [](size_t depth) { return R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}"; };
  EXPECT_THAT(ParseObject(nested(31), {"a"}).status(), StatusIs(absl::StatusCode::kOk));
  EXPECT_THAT(ParseObject(nested(32), {"a"}), StatusIs(kInvalid, HasSubstr("too deep")));
  // Not read any further: nothing is built of a body with a fault.
  EXPECT_THAT(ParseObject(nested(1'000'000), {"a"}), StatusIs(kInvalid, HasSubstr("too deep")));
  // Names may come again in another object.
  EXPECT_THAT(ParseObject(R"({"a":[{"b":1},{"b":1}]})", {"a"}).status(), StatusIs(absl::StatusCode::kOk));
}

Request Asking(std::vector<std::pair<std::string, std::string>> query) {
  Request request;
  request.query = std::move(query);
  return request;
}

TEST(ServerJson, ListsAreAskedForByKnownNamesOnce) {
  NW_ASSERT_OK_AND_ASSIGN(const ListQuery all, ListQuery::Read(Asking({}), {}));
  EXPECT_EQ(all.limit(), 100);
  EXPECT_EQ(all.cursor(), "");
  NW_ASSERT_OK_AND_ASSIGN(
      const ListQuery some,
      ListQuery::Read(Asking({{"limit", "1000"}, {"state", "paid"}, {"from", "2026-07-01T00:00:00Z"}, {"bad", "x"}}),
                      {"state", "from", "bad"}));
  EXPECT_EQ(some.limit(), 1000);
  EXPECT_EQ(some.text("state"), "paid");
  EXPECT_EQ(some.text("other"), std::nullopt);
  EXPECT_THAT(some.time("from"), IsOkAndHolds(absl::FromUnixSeconds(1'782'864'000)));
  EXPECT_THAT(some.time("bad"), StatusIs(kInvalid, HasSubstr("bad: ")));
  EXPECT_THAT(ListQuery::Read(Asking({{"x", "1"}}), {"y"}), StatusIs(kInvalid, HasSubstr("'x'")));
  EXPECT_THAT(ListQuery::Read(Asking({{"x", "1"}, {"x", "1"}}), {"x"}), StatusIs(kInvalid, HasSubstr("twice")));
  for (const char* limit : {"0", "1001", "-1", "", "1e2", "99999999999999999999"}) {
    EXPECT_THAT(ListQuery::Read(Asking({{"limit", limit}}), {}), StatusIs(kInvalid, HasSubstr("limit"))) << limit;
  }
  EXPECT_THAT(ListQuery::Read(Asking({{"cursor", "*"}}), {}), StatusIs(kInvalid, HasSubstr("cursor")));
}

TEST(ServerJson, APagesCursorComesBackAsItWas) {
  const std::string next("\0\xFF/+cursor", 10);
  const Json page = PageJson(Json::array({1, 2}), next);
  EXPECT_EQ(page["data"].dump(), "[1,2]");
  NW_ASSERT_OK_AND_ASSIGN(const ListQuery query,
                          ListQuery::Read(Asking({{"cursor", page["next_cursor"].get<std::string>()}}), {}));
  EXPECT_EQ(query.cursor(), next);
  EXPECT_EQ(PageJson(Json::array(), "")["next_cursor"], nullptr);
}

TEST(ServerProblem, IsADocumentOfRfc9457) {
  Request request;
  request.id = "req_1";
  const Response response = AsResponse(FromStatus(absl::ResourceExhaustedError("full")), request);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(
      response.body,
      R"({"type":"about:blank","title":"Service Unavailable","status":503,"code":"busy","detail":"full","instance":"req_1"})");
  EXPECT_THAT(response.fields, ::testing::Contains(::testing::FieldsAre("Retry-After", "1")));
  EXPECT_THAT(AsResponse(InvalidRequest("\xFF"), request).body, HasSubstr("\xEF\xBF\xBD"));
}

TEST(ServerProblem, TellsNothingOfWhatWentWrongInside) {
  EXPECT_EQ(FromStatus(absl::DataLossError("/var/lib/secret")).detail.find("secret"), std::string::npos);
  EXPECT_EQ(FromStatus(absl::NotFoundError("merchant m_2")).detail, NotFound().detail);
  EXPECT_EQ(FromStatus(absl::PermissionDeniedError("x")).detail.find('x'), std::string::npos);
}

}  // namespace
}  // namespace northwind::server
