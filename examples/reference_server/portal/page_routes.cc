// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>
#include <utility>

#include "examples/reference_server/api/routes.h"
#include "examples/reference_server/http/message.h"
#include "examples/reference_server/http/router.h"
#include "examples/reference_server/options.h"
#include "examples/reference_server/portal/pages.h"

namespace northwind::server {
namespace {

Handler RedirectTo(std::string_view place) {
  return [place = std::string(place)](const Request&, const Caller&) {
    Response response;
    response.status = 302;
    response.content_type.clear();
    response.fields = {{"Location", place}};
    return response;
  };
}

void AddPage(Router& router, std::string pattern, std::string name, Handler handler) {
  Route route;
  route.pattern = std::move(pattern);
  route.name = std::move(name);
  route.scope = Scope::kPublic;
  route.max_body = 0;
  // A screen is two dozen files: whoever opens it three times in a row is no attack, and they cost nothing.
  route.unlimited = true;
  route.handler = std::move(handler);
  router.Add(std::move(route));
}

}  // namespace

void AddPageRoutes(Router& router, const ServerOptions& /*options*/) {
  const Handler page = [](const Request& request, const Caller&) { return AnswerPage(request); };
  AddPage(router, "/", "getRoot", RedirectTo("/portal/"));
  AddPage(router, "/portal", "getPortalRoot", RedirectTo("/portal/"));
  AddPage(router, "/console", "getConsoleRoot", RedirectTo("/console/"));
  AddPage(router, "/portal/", "getPortal", page);
  AddPage(router, "/portal/{file}", "getPortalFile", page);
  AddPage(router, "/console/", "getConsole", page);
  AddPage(router, "/console/{file}", "getConsoleFile", page);
  AddPage(router, "/shared/{file}", "getSharedFile", page);
}

}  // namespace northwind::server
