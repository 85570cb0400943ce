// SPDX-License-Identifier: Apache-2.0
//
// The figures of a merchant's first page. Each is counted over no more than so many records; "truncated" says that there were more.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "examples/reference_server/api/merchant_book.h"
#include "examples/reference_server/api/merchant_reports.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxEntries = 20'000;
constexpr size_t kMaxHolds = 10'000;
constexpr size_t kMaxDeliveries = 10'000;
constexpr size_t kMaxSummaryAccounts = 1'000;

struct Span {
  absl::Time from;
  absl::Time before;
};

// Sums by asset, in the order of their names.
class Sums {
 public:
  void Add(const Asset& asset, Amount amount) { units_[asset.ToString()] += amount.units(); }
  Json ToJson() const {
    Json list = Json::array();
    for (const auto& [asset, units] : units_) {
      list.push_back({{"asset", asset}, {"units", FormatUnits(static_cast<absl::int128>(units), 0)}});
    }
    return list;
  }

 private:
  std::map<std::string, absl::uint128> units_;
};

class MoneyFigures {
 public:
  MoneyFigures(const Ledger& ledger, const Span& span) : ledger_(ledger), span_(span) {}

  absl::Status Count(const MerchantAccount& account) {
    HistoryQuery query{.direction = Direction::kBackward, .limit = kMaxHistoryPage};
    query.from = span_.from;
    query.to = span_.before;
    do {
      if (entries_ >= kMaxEntries) {
        truncated_ = true;
        break;
      }
      NW_ASSIGN_OR_RETURN(const HistoryPage page, ledger_.History(account.id, query));
      for (const Entry& entry : page.entries) Add(account.asset, entry);
      query.cursor = page.next;
    } while (query.cursor.has_value());
    return CountHolds(account);
  }
  Json Today() const {
    return {{"captured", captured_.ToJson()},
            {"refunded", refunded_.ToJson()},
            {"payouts", payouts_.ToJson()},
            {"events", std::to_string(records_.size())}};
  }
  size_t payouts_under_way() const { return under_way_; }
  bool truncated() const { return truncated_; }

 private:
  void Add(const Asset& asset, const Entry& entry) {
    ++entries_;
    records_.insert(entry.sequence);
    if (entry.code == EventCode(EventType::kPaymentCaptured) && entry.kind == EntryKind::kCredit) {
      captured_.Add(asset, entry.amount);
    } else if (entry.code == EventCode(EventType::kPaymentRefunded) && entry.kind == EntryKind::kDebit) {
      refunded_.Add(asset, entry.amount);
    } else if (entry.code == EventCode(EventType::kPayoutPaid) && entry.kind == EntryKind::kCaptureDebit) {
      payouts_.Add(asset, entry.amount);
    }
  }
  absl::Status CountHolds(const MerchantAccount& account) {
    Sequence after;
    do {
      if (holds_ >= kMaxHolds) {
        truncated_ = true;
        break;
      }
      NW_ASSIGN_OR_RETURN(const HoldPage page, ledger_.OpenHolds(account.id, after, kMaxHoldPage));
      holds_ += page.holds.size();
      under_way_ += static_cast<size_t>(std::count_if(page.holds.begin(), page.holds.end(), [](const Hold& hold) {
        return hold.code == EventCode(EventType::kPayoutRequested);
      }));
      after = page.next;
    } while (after != Sequence());
    return absl::OkStatus();
  }

  const Ledger& ledger_;
  const Span span_;
  Sums captured_, refunded_, payouts_;
  absl::flat_hash_set<Sequence> records_;
  size_t entries_ = 0;
  size_t holds_ = 0;
  size_t under_way_ = 0;
  bool truncated_ = false;
};

absl::StatusOr<Json> EndpointFigures(const Webhooks* webhooks, const std::string& merchant) {
  uint64_t enabled = 0;
  uint64_t paused = 0;
  uint64_t disabled = 0;
  uint64_t failing = 0;
  std::string after;
  while (webhooks != nullptr) {
    NW_ASSIGN_OR_RETURN(WebhookEndpointPage page, webhooks->ListEndpoints(merchant, after));
    for (const WebhookEndpoint& endpoint : page.endpoints) {
      enabled += endpoint.state == EndpointState::kEnabled ? 1 : 0;
      paused += endpoint.state == EndpointState::kPaused ? 1 : 0;
      disabled += endpoint.state == EndpointState::kDisabled ? 1 : 0;
      if (endpoint.state != EndpointState::kEnabled) continue;
      const absl::StatusOr<EndpointHealth> health = webhooks->GetEndpointHealth(merchant, endpoint.id);
      // It may have been deleted since.
      if (health.ok() && health->failing_since != absl::InfiniteFuture()) ++failing;
    }
    after = std::move(page.next);
    if (after.empty()) break;
  }
  return Json{{"enabled", std::to_string(enabled)},
              {"paused", std::to_string(paused)},
              {"disabled", std::to_string(disabled)},
              {"failing", std::to_string(failing)}};
}

absl::StatusOr<Json> DeliveryFigures(const Webhooks* webhooks, const std::string& merchant, const Span& span,
                                     bool& truncated) {
  std::map<DeliveryState, uint64_t> counts;
  DeliveryQuery query{.merchant_id = merchant, .limit = kMaxDeliveryPage};
  query.from = span.from;
  query.before = span.before;
  for (size_t looked = 0; webhooks != nullptr;) {
    NW_ASSIGN_OR_RETURN(WebhookDeliveryPage page, webhooks->ListDeliveries(query));
    for (const WebhookDelivery& delivery : page.deliveries) ++counts[delivery.state];
    looked += page.deliveries.size();
    query.after = std::move(page.next);
    if (query.after.empty()) break;
    if (looked >= kMaxDeliveries) {
      truncated = true;
      break;
    }
  }
  const uint64_t delivered = counts[DeliveryState::kDelivered];
  const uint64_t ended = delivered + counts[DeliveryState::kDead];
  Json figures = {{"delivered", std::to_string(delivered)},
                  {"pending", std::to_string(counts[DeliveryState::kPending])},
                  {"dead", std::to_string(counts[DeliveryState::kDead])},
                  {"success_rate", nullptr}};
  if (ended > 0) figures["success_rate"] = static_cast<double>(delivered) / static_cast<double>(ended);
  return figures;
}

}  // namespace

absl::StatusOr<Json> GetSummary(const Host& host, const Request& request, const Caller& /*caller*/) {
  NW_ASSIGN_OR_RETURN(const ListQuery query, ReadQuery(request, {"from", "before"}));
  NW_ASSIGN_OR_RETURN(const std::optional<absl::Time> from, query.time("from"));
  NW_ASSIGN_OR_RETURN(const std::optional<absl::Time> before, query.time("before"));
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::Time midnight = absl::FromCivil(absl::ToCivilDay(request.received_at, utc), utc);
  const Span span{.from = from.value_or(midnight), .before = before.value_or(absl::InfiniteFuture())};

  const std::string& merchant = request.param("merchant");
  NW_ASSIGN_OR_RETURN(const std::vector<MerchantAccount> accounts, AccountsOf(*host.ledger, merchant));
  MoneyFigures money(*host.ledger, span);
  bool truncated = accounts.size() > kMaxSummaryAccounts;
  for (size_t i = 0; i < std::min(accounts.size(), kMaxSummaryAccounts); ++i) {
    if (accounts[i].kind == kAvailable) NW_RETURN_IF_ERROR(money.Count(accounts[i]));
  }
  truncated = truncated || money.truncated();
  const Webhooks* webhooks = IsMerchantId(merchant) ? host.webhooks.get() : nullptr;
  NW_ASSIGN_OR_RETURN(Json endpoints, EndpointFigures(webhooks, merchant));
  NW_ASSIGN_OR_RETURN(Json deliveries, DeliveryFigures(webhooks, merchant, span, truncated));
  return Json{{"merchant_id", merchant},
              {"today", money.Today()},
              {"payouts_under_way", std::to_string(money.payouts_under_way())},
              {"endpoints", std::move(endpoints)},
              {"deliveries", std::move(deliveries)},
              {"truncated", truncated}};
}

}  // namespace northwind::server
