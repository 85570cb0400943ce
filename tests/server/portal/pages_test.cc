// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/portal/pages.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "examples/reference_server/http/message.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace northwind::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Request Get(std::string path, std::string if_none_match = {}) {
  Request request;
  request.path = std::move(path);
  if (!if_none_match.empty()) request.fields = {{"if-none-match", std::move(if_none_match)}};
  return request;
}

std::string FieldOf(const Response& response, std::string_view name) {
  for (const Field& field : response.fields) {
    if (field.name == name) return field.value;
  }
  return {};
}

TEST(Pages, AreAllThereWithTheirTypesByPath) {
  EXPECT_TRUE(
      std::is_sorted(Pages().begin(), Pages().end(), [](const Page& a, const Page& b) { return a.path < b.path; }));
  EXPECT_EQ(AnswerPage(Get("/portal/")).content_type, "text/html; charset=utf-8");
  EXPECT_EQ(AnswerPage(Get("/console/")).content_type, "text/html; charset=utf-8");
  EXPECT_EQ(AnswerPage(Get("/portal/main.js")).content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(AnswerPage(Get("/shared/style.css")).content_type, "text/css; charset=utf-8");
  for (const Page& page : Pages()) {
    const Response response = AnswerPage(Get(std::string(page.path)));
    EXPECT_EQ(response.status, 200) << page.path;
    EXPECT_EQ(response.body, page.bytes);
    EXPECT_THAT(response.body, HasSubstr("SPDX-License-Identifier")) << page.path;
  }
  EXPECT_EQ(AnswerPage(Get("/portal/")).body, AnswerPage(Get("/portal/index.html")).body);
}

TEST(Pages, MayLoadNothingFromElsewhereAndHaveNothingInline) {
  for (const Page& page : Pages()) {
    const Response response = AnswerPage(Get(std::string(page.path)));
    EXPECT_THAT(FieldOf(response, "Content-Security-Policy"), StartsWith("default-src 'none'; script-src 'self'; "));
    EXPECT_THAT(FieldOf(response, "Content-Security-Policy"), Not(HasSubstr("unsafe")));
    EXPECT_EQ(FieldOf(response, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(FieldOf(response, "Referrer-Policy"), "no-referrer");
    EXPECT_THAT(response.body, Not(HasSubstr("innerHTML"))) << page.path;
    EXPECT_THAT(response.body, Not(HasSubstr("<style"))) << page.path;
    EXPECT_THAT(response.body, Not(HasSubstr(" style=\""))) << page.path;
    EXPECT_THAT(response.body, Not(HasSubstr("src=\"http"))) << page.path;
  }
}

TEST(Pages, AreNotSentAgainToWhoHasThem) {
  const Response whole = AnswerPage(Get("/portal/main.js"));
  const std::string etag = FieldOf(whole, "ETag");
  EXPECT_EQ(etag.size(), 66);
  EXPECT_NE(etag, FieldOf(AnswerPage(Get("/console/main.js")), "ETag"));
  for (const std::string& has : {etag, "W/" + etag, "\"other\", " + etag, std::string("*")}) {
    const Response response = AnswerPage(Get("/portal/main.js", has));
    EXPECT_EQ(response.status, 304) << has;
    EXPECT_TRUE(response.body.empty());
    EXPECT_TRUE(response.content_type.empty());
    EXPECT_EQ(FieldOf(response, "ETag"), etag);
  }
  EXPECT_EQ(AnswerPage(Get("/portal/main.js", "\"other\"")).status, 200);
}

TEST(Pages, ThatDoNotExistAreNotFound) {
  for (const char* path : {"/portal/none.js", "/shared/", "/portal/../main.js", "", "/"}) {
    EXPECT_EQ(AnswerPage(Get(path)).status, 404) << path;
  }
}

}  // namespace
}  // namespace northwind::server
