// SPDX-License-Identifier: Apache-2.0
//
// Care of the store: verify, backup, and who did what.
#include <atomic>
#include <charconv>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/operator.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxBackupName = 64;

Json HeadJson(const Head& head) { return {{"sequence", Digits(head.sequence)}, {"hash", Hex(head.hash)}}; }

absl::StatusOr<Json> Verify(const Ledger& ledger, std::atomic<bool>& running) {
  if (running.exchange(true)) return absl::FailedPreconditionError("a verification is running: wait for its end");
  const absl::Cleanup done = [&running] { running = false; };
  NW_ASSIGN_OR_RETURN(const VerifyReport report, ledger.Verify());
  return Json{{"head", HeadJson(report.head)},
              {"blocks", Digits(report.blocks)},
              {"records", Digits(report.records)},
              {"transactions_applied", Digits(report.transactions_applied)},
              {"transactions_rejected", Digits(report.transactions_rejected)},
              {"accounts", Digits(report.accounts)},
              {"entries", Digits(report.entries)},
              {"open_holds", Digits(report.open_holds)}};
}

// One part of a path, whatever somebody makes up.
absl::Status CheckName(const std::string& name) {
  const bool known =
      name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == std::string::npos;
  if (name.empty() || name.size() > kMaxBackupName || !known || name == "." || name == "..") {
    return absl::InvalidArgumentError("name: must be 1 to 64 of A-Z a-z 0-9 . _ -, and neither . nor ..");
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> Backup(const Ledger& ledger, const std::string& data, const Json& body) {
  NW_ASSIGN_OR_RETURN(const std::string name, TextOf(body, "name"));
  NW_RETURN_IF_ERROR(CheckName(name));
  const std::string all = data + "/backups";
  const std::string directory = absl::StrCat(all, "/", name);
  std::error_code error;
  std::filesystem::create_directories(all, error);
  if (error) return absl::UnavailableError("the directory of backups cannot be made");
  if (std::filesystem::exists(directory, error)) {
    return absl::AlreadyExistsError(absl::StrCat("there is a backup ", name, ": give another name"));
  }
  NW_ASSIGN_OR_RETURN(const Head head, ledger.Checkpoint(directory));
  return Json{{"directory", directory}, {"head", HeadJson(head)}};
}

absl::StatusOr<Json> AuditLog(const AuditTrail& audit, const Request& request) {
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {}));
  uint64_t before = 0;
  if (!query.cursor().empty()) {
    const char* end = query.cursor().data() + query.cursor().size();
    const auto [at, error] = std::from_chars(query.cursor().data(), end, before);
    if (error != std::errc() || at != end || before == 0) {
      return absl::InvalidArgumentError("cursor: is none that a page gave");
    }
  }
  NW_ASSIGN_OR_RETURN(const std::vector<AuditEntry> entries, audit.List(before, query.limit()));
  Json data = Json::array();
  for (const AuditEntry& entry : entries) {
    data.push_back({{"number", Digits(entry.number)},
                    {"at", TimeJson(entry.at)},
                    {"request_id", entry.request_id},
                    {"actor", entry.actor},
                    {"action", entry.action},
                    {"subject", entry.subject},
                    {"detail", entry.detail},
                    {"hash", Hex(entry.hash)}});
  }
  const bool more = entries.size() == query.limit() && entries.back().number > 1;
  return PageJson(std::move(data), more ? std::to_string(entries.back().number) : "");
}

}  // namespace

void AddCareRoutes(Router& router, Host& host, const ServerOptions& options) {
  const auto running = std::make_shared<std::atomic<bool>>(false);
  AddChange(
      router, host,
      {.pattern = "/v1/operator/verify",
       .name = "verifyLedger",
       .subject = "ledger",
       .run = [&host, running](const Request&, const Caller&, const Json&) { return Verify(*host.ledger, *running); }});
  AddChange(router, host,
            {.pattern = "/v1/operator/backup",
             .name = "makeBackup",
             .subject = "store",
             .fields = {"name"},
             .status = 201,
             .run = [&host, data = options.data](const Request&, const Caller&, const Json& body) {
               return Backup(*host.ledger, data, body);
             }});
  AddRead(
      router, "/v1/operator/audit-log", "listAuditLog",
      [&host](const Request& request) { return AuditLog(*host.audit, request); }, Queries::kChecked);
}

}  // namespace northwind::server
