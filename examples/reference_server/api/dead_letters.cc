// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/operator.h"
#include "northwind/scheduler.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr char kPath[] = "/v1/operator/dead-letters";
constexpr uint64_t kMaxPerSecond = 100'000;

Json LetterJson(const TaskInfo& task) {
  return {{"id", task.id},
          {"queue", task.queue},
          {"key", task.key},
          {"cause", Name(task.cause)},
          {"last_error", task.last_error},
          {"attempts", task.attempts},
          {"scheduled_at", TimeJson(task.scheduled_at)},
          {"died_at", TimeJson(task.died_at)}};
}

absl::StatusOr<std::optional<DeadCursor>> ReadCursor(const std::string& text) {
  if (text.empty()) return std::nullopt;
  DeadCursor cursor;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, cursor.died_at);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '.') {
    const auto second = std::from_chars(first.ptr + 1, end, cursor.number);
    if (second.ec == std::errc() && second.ptr == end) return cursor;
  }
  return absl::InvalidArgumentError("cursor: is none that a page gave");
}

absl::StatusOr<Json> List(Scheduler& scheduler, const Request& request) {
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {"queue"}));
  NW_ASSIGN_OR_RETURN(const std::optional<DeadCursor> after, ReadCursor(query.cursor()));
  NW_ASSIGN_OR_RETURN(const DeadPage page,
                      scheduler.ListDead({.queue = query.text("queue").value_or("")}, after, query.limit()));
  Json data = Json::array();
  for (const TaskInfo& task : page.tasks) data.push_back(LetterJson(task));
  return PageJson(std::move(data), page.next ? absl::StrCat(page.next->died_at, ".", page.next->number) : "");
}

// All of them dead letters of the queue that was named: a slip of the hand moves nothing of another one.
absl::StatusOr<std::vector<std::string>> IdsOf(Scheduler& scheduler, const Json& body) {
  NW_ASSIGN_OR_RETURN(const std::string queue, TextOf(body, "queue"));
  NW_ASSIGN_OR_RETURN(std::vector<std::string> ids, TextsOf(body, "ids", kMaxDeadPage));
  for (const std::string& id : ids) {
    const absl::StatusOr<TaskInfo> task = scheduler.GetTask(id);
    if (absl::IsNotFound(task.status())) continue;  // done by somebody else
    NW_RETURN_IF_ERROR(task.status());
    if (task->queue != queue) return absl::InvalidArgumentError("ids: one of them is of another queue");
  }
  return ids;
}

absl::StatusOr<Json> Redrive(Scheduler& scheduler, const Json& body) {
  NW_ASSIGN_OR_RETURN(const std::vector<std::string> ids, IdsOf(scheduler, body));
  NW_ASSIGN_OR_RETURN(const size_t redriven, scheduler.Redrive(ids));
  return Json{{"redriven", redriven}};
}

absl::StatusOr<Json> Discard(Scheduler& scheduler, const Json& body) {
  NW_ASSIGN_OR_RETURN(const std::vector<std::string> ids, IdsOf(scheduler, body));
  NW_ASSIGN_OR_RETURN(const size_t discarded, scheduler.Discard(ids));
  return Json{{"discarded", discarded}};
}

absl::StatusOr<Json> RedriveDeliveries(Webhooks* webhooks, const Json& body) {
  if (webhooks == nullptr) return NotConfigured("this is a shadow: nothing is sent");
  uint64_t per_second = 0;
  if (body.contains("per_second")) {
    NW_ASSIGN_OR_RETURN(per_second, NumberOf(body, "per_second", kMaxPerSecond));
  }
  NW_ASSIGN_OR_RETURN(const size_t redriven, webhooks->RedriveAllDead(static_cast<uint32_t>(per_second)));
  return Json{{"redriven", redriven}};
}

}  // namespace

void AddDeadLetterRoutes(Router& router, Host& host) {
  AddRead(
      router, kPath, "listDeadLetters", [&host](const Request& request) { return List(*host.scheduler, request); },
      Queries::kChecked);
  AddChange(
      router, host,
      {.pattern = absl::StrCat(kPath, "/redrive"),
       .name = "redriveDeadLetters",
       .subject = "dead letters",
       .fields = {"queue", "ids"},
       .run = [&host](const Request&, const Caller&, const Json& body) { return Redrive(*host.scheduler, body); }});
  AddChange(
      router, host,
      {.pattern = absl::StrCat(kPath, "/discard"),
       .name = "discardDeadLetters",
       .subject = "dead letters",
       .fields = {"queue", "ids"},
       .run = [&host](const Request&, const Caller&, const Json& body) { return Discard(*host.scheduler, body); }});
  AddChange(router, host,
            {.pattern = "/v1/operator/deliveries/redrive",
             .name = "redriveAllDeliveries",
             .subject = "deliveries",
             .fields = {"per_second"},
             .run = [&host](const Request&, const Caller&, const Json& body) {
               return RedriveDeliveries(host.webhooks.get(), body);
             }});
}

}  // namespace northwind::server
