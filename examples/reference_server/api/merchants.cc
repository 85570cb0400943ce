// SPDX-License-Identifier: Apache-2.0
//
// /v1/merchants: who there is, what they have, what moved.
#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/merchant_book.h"
#include "examples/reference_server/api/merchant_reports.h"
#include "examples/reference_server/api/routes.h"
#include "examples/reference_server/text.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxAccountsLookedAt = 10'000;  // for one page of merchants

std::string Units(absl::int128 units) { return FormatUnits(units, 0); }

Json BalanceJson(const Asset& asset, const Totals& totals) {
  return {{"asset", asset.ToString()},
          {"available", Units(totals.available())},
          {"held", Units(static_cast<absl::int128>(totals.debits_held))},
          {"debits_posted", Units(static_cast<absl::int128>(totals.debits_posted))},
          {"credits_posted", Units(static_cast<absl::int128>(totals.credits_posted))}};
}

// ---- listMerchants

// Merchants and their balances, by the names of their accounts, begun after `after`.
class MerchantLister {
 public:
  MerchantLister(const Ledger& ledger, size_t limit) : ledger_(ledger), limit_(limit) {}

  absl::StatusOr<Json> List(std::string_view prefix, std::string after) {
    size_t looks = 0;
    do {
      NW_ASSIGN_OR_RETURN(AccountPage page, ledger_.ListAccounts(prefix, after, kMaxAccountPage));
      for (const Account& account : page.accounts) {
        const std::optional<MerchantAccount> mine = AsMerchantAccount(account);
        if (!mine.has_value()) continue;
        if (data_.empty() || data_.back()["merchant_id"] != mine->merchant) {
          if (data_.size() == limit_ || looks >= kMaxAccountsLookedAt) {
            const std::string next = AfterLast();
            return PageJson(std::move(data_), next);
          }
          data_.push_back({{"merchant_id", mine->merchant}, {"balances", Json::array()}});
        }
        ++looks;
        if (mine->kind == kAvailable) data_.back()["balances"].push_back(BalanceJson(mine->asset, account.totals));
      }
      after = std::move(page.next);
    } while (!after.empty());
    return PageJson(std::move(data_), "");
  }

 private:
  // Behind all accounts of the last merchant: ';' comes right after ':'.
  std::string AfterLast() const {
    return absl::StrCat(ToAbsl(kMerchantPrefix), data_.back()["merchant_id"].get<std::string>(), ";");
  }

  const Ledger& ledger_;
  const size_t limit_;
  Json data_ = Json::array();
};

absl::StatusOr<Json> ListMerchants(const Host& host, const Request& request, const Caller& caller) {
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {}));
  if (!query.cursor().empty() && !query.cursor().starts_with(kMerchantPrefix)) {
    return absl::InvalidArgumentError("cursor: is none that a page gave");
  }
  std::string prefix(kMerchantPrefix);
  if (!caller.merchant.empty()) absl::StrAppend(&prefix, caller.merchant, ":");
  return MerchantLister(*host.ledger, query.limit()).List(prefix, query.cursor());
}

// ---- getBalances

absl::StatusOr<std::vector<Totals>> TotalsOf(const Ledger& ledger, const std::vector<MerchantAccount>& accounts,
                                             std::optional<absl::Time> at) {
  std::vector<AccountId> ids;
  ids.reserve(accounts.size());
  for (const MerchantAccount& account : accounts) ids.push_back(account.id);
  if (!at.has_value()) return ledger.Balances(ids);
  std::vector<Totals> totals;
  for (const AccountId id : ids) {
    NW_ASSIGN_OR_RETURN(totals.emplace_back(), ledger.BalanceAt(id, *at));
  }
  return totals;
}

absl::StatusOr<Json> GetBalances(const Host& host, const Request& request, const Caller& /*caller*/) {
  NW_ASSIGN_OR_RETURN(const ListQuery query, ReadQuery(request, {"at"}));
  NW_ASSIGN_OR_RETURN(const std::optional<absl::Time> at, query.time("at"));
  NW_ASSIGN_OR_RETURN(std::vector<MerchantAccount> accounts, AccountsOf(*host.ledger, request.param("merchant")));
  accounts.erase(std::remove_if(accounts.begin(), accounts.end(),
                                [](const MerchantAccount& account) { return account.kind != kAvailable; }),
                 accounts.end());
  NW_ASSIGN_OR_RETURN(const std::vector<Totals> totals, TotalsOf(*host.ledger, accounts, at));
  Json balances = Json::array();
  for (size_t i = 0; i < accounts.size(); ++i) balances.push_back(BalanceJson(accounts[i].asset, totals[i]));
  return Json{{"merchant_id", request.param("merchant")},
              {"at", TimeJson(at.value_or(absl::InfinitePast()))},
              {"balances", std::move(balances)}};
}

// ---- listTransactions, getTransaction

// Decimal digits and nothing else: 1 … 2^64−1.
std::optional<Sequence> ParseSequence(std::string_view text) {
  uint64_t value = 0;
  if (text.empty() || text.front() < '1' || text.front() > '9' || !absl::SimpleAtoi(ToAbsl(text), &value)) {
    return std::nullopt;
  }
  return Sequence(value);
}

absl::StatusOr<std::optional<uint16_t>> CodeOf(const ListQuery& query) {
  const std::optional<std::string> name = query.text("type");
  if (!name.has_value()) return std::nullopt;
  for (uint8_t value = 1; value <= kEventTypes; ++value) {
    const auto type = static_cast<EventType>(value);
    if (Name(type) == *name) return EventCode(type);
  }
  return absl::InvalidArgumentError("type: is no event type, such as PAYMENT_CAPTURED");
}

absl::StatusOr<std::vector<MerchantAccount>> AccountsAskedFor(const Host& host, const Request& request,
                                                              const ListQuery& query) {
  NW_ASSIGN_OR_RETURN(std::vector<MerchantAccount> accounts, AccountsOf(*host.ledger, request.param("merchant")));
  const std::optional<std::string> text = query.text("asset");
  if (!text.has_value()) return accounts;
  NW_ASSIGN_OR_RETURN(const Asset asset, Asset::Parse(*text));
  accounts.erase(std::remove_if(accounts.begin(), accounts.end(),
                                [&](const MerchantAccount& account) { return account.asset != asset; }),
                 accounts.end());
  return accounts;
}

absl::StatusOr<Json> ListTransactions(const Host& host, const Request& request, const Caller& /*caller*/) {
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {"asset", "from", "before", "type"}));
  NW_ASSIGN_OR_RETURN(const std::vector<MerchantAccount> accounts, AccountsAskedFor(host, request, query));
  RecordsQuery records{.limit = query.limit()};
  NW_ASSIGN_OR_RETURN(const std::optional<absl::Time> from, query.time("from"));
  NW_ASSIGN_OR_RETURN(const std::optional<absl::Time> before, query.time("before"));
  records.from = from.value_or(absl::InfinitePast());
  records.before = before.value_or(absl::InfiniteFuture());
  NW_ASSIGN_OR_RETURN(records.code, CodeOf(query));
  if (!query.cursor().empty()) {
    const std::optional<Sequence> below = ParseSequence(query.cursor());
    if (!below.has_value()) return absl::InvalidArgumentError("cursor: is none that a page gave");
    records.below = *below;
  }
  NW_ASSIGN_OR_RETURN(const RecordsPage page, ListRecords(*host.ledger, accounts, records));
  Json data = Json::array();
  for (const Sequence sequence : page.sequences) {
    NW_ASSIGN_OR_RETURN(const std::optional<MovedRecord> record, ReadMovedRecord(*host.ledger, sequence));
    if (!record.has_value()) return absl::DataLossError("a history names a record that moved nothing");
    // A hold that ran out has the code of the hold in histories, and is no event of that type.
    if (records.code.has_value() && !record->type.has_value()) continue;
    if (std::optional<Json> json = TransactionJson(*record, accounts)) data.push_back(*std::move(json));
  }
  return PageJson(std::move(data), page.next == Sequence() ? "" : std::to_string(page.next.value()));
}

absl::StatusOr<Json> GetTransaction(const Host& host, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(ReadQuery(request, {}).status());
  const std::optional<Sequence> sequence = ParseSequence(request.param("sequence"));
  if (!sequence.has_value()) return absl::NotFoundError("no sequence");
  NW_ASSIGN_OR_RETURN(const std::optional<MovedRecord> record, ReadMovedRecord(*host.ledger, *sequence));
  if (!record.has_value()) return absl::NotFoundError("no transaction");
  NW_ASSIGN_OR_RETURN(const std::vector<MerchantAccount> accounts, AccountsOf(*host.ledger, request.param("merchant")));
  std::optional<Json> json = TransactionJson(*record, accounts);
  if (!json.has_value()) return absl::NotFoundError("no transaction of this merchant");
  (*json)["links"] = Json::array();
  const absl::StatusOr<TransactionView> view = host.ledger->GetTransaction(*sequence);
  if (!view.ok() && !absl::IsNotFound(view.status())) return view.status();
  if (view.ok()) {
    for (const Sequence link : view->links) (*json)["links"].push_back(std::to_string(link.value()));
  }
  return *std::move(json);
}

using Asked = absl::StatusOr<Json> (*)(const Host&, const Request&, const Caller&);

Handler Answering(const Host& host, Asked asked) {
  return [&host, asked](const Request& request, const Caller& caller) {
    const absl::StatusOr<Json> json = asked(host, request, caller);
    return json.ok() ? JsonResponse(*json) : AsResponse(FromStatus(json.status()), request);
  };
}

}  // namespace

absl::StatusOr<ListQuery> ReadQuery(const Request& request, const std::vector<std::string_view>& allowed) {
  for (const auto& [name, value] : request.query) {
    if (name == "limit" || name == "cursor") {
      return absl::InvalidArgumentError(absl::StrCat("there is no query parameter '", name, "' here"));
    }
  }
  return ListQuery::Read(request, allowed);
}

void AddMerchantRoutes(Router& router, Host& host) {
  const auto add = [&](const char* pattern, const char* name, Scope scope, Handler handler) {
    router.Add({.pattern = pattern, .name = name, .scope = scope, .handler = std::move(handler)});
  };
  const std::string one = "/v1/merchants/{merchant}";
  add("/v1/merchants", "listMerchants", Scope::kOperatorRead, Answering(host, ListMerchants));
  add((one + "/balances").c_str(), "getBalances", Scope::kMerchantRead, Answering(host, GetBalances));
  add((one + "/transactions").c_str(), "listTransactions", Scope::kMerchantRead, Answering(host, ListTransactions));
  add((one + "/transactions/{sequence}").c_str(), "getTransaction", Scope::kMerchantRead,
      Answering(host, GetTransaction));
  add((one + "/statement").c_str(), "getStatement", Scope::kMerchantRead,
      [&host](const Request& request, const Caller& /*caller*/) { return GetStatement(host, request); });
  add((one + "/summary").c_str(), "getSummary", Scope::kMerchantRead, Answering(host, GetSummary));
}

}  // namespace northwind::server
