// SPDX-License-Identifier: Apache-2.0
#include "examples/settle/summary.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "northwind/status.h"

namespace northwind::examples {
namespace {

std::string Text(std::string_view text) { return std::string(text); }

// "1006" has a name; other codes are the host's own.
std::string NameOfCode(uint16_t code) {
  const std::optional<EventType> type = EventTypeOfCode(code);
  return type.has_value() ? Text(Name(*type)) : absl::StrCat("code ", code);
}

// Follows the journal. A payout is followed through the sequences that records point at, not through what they are
// called: money that moved is found whatever name it went by.
class Fold {
 public:
  Fold(const Ledger& ledger, LedgerSummary& summary) : ledger_(ledger), summary_(summary) {}

  absl::Status Take(const JournalRecord& record) {
    if (const auto* t = std::get_if<TransactionRecorded>(&record.body)) return TakeTransaction(record.sequence, *t);
    if (const auto* e = std::get_if<HoldExpired>(&record.body)) {
      if (PayoutSummary* payout = Find(e->hold)) {
        payout->released += e->released.units();
        payout->state = "expired";
      }
    }
    return absl::OkStatus();
  }

  void Finish() {
    for (auto& [id, payout] : summary_.payouts) {
      if (payout.state.empty()) payout.state = payout.holds > 0 ? "requested" : "rejected";
      ++summary_.payout_states[payout.state];
      const bool too_much = payout.paid + payout.released > payout.requested;
      summary_.double_payouts += payout.captures > 1 || payout.holds > 1 || too_much;
    }
  }

 private:
  PayoutSummary* Find(Sequence sequence) {
    const auto it = by_sequence_.find(sequence.value());
    return it == by_sequence_.end() ? nullptr : it->second;
  }

  absl::Status TakeTransaction(Sequence sequence, const TransactionRecorded& record) {
    const Transaction& t = record.transaction;
    if (record.outcome != Outcome::kApplied) {
      ++summary_.rejected[Text(Name(record.reason))];
      if (t.code == EventCode(EventType::kPayoutRequested)) summary_.payouts[t.reference];
      return absl::OkStatus();
    }
    ++summary_.applied[NameOfCode(t.code)];
    absl::uint128 moved = 0;
    for (const Posting& posting : record.moved) moved += posting.amount.units();

    if (t.code == EventCode(EventType::kPayoutRequested)) {
      PayoutSummary& payout = summary_.payouts[t.reference];
      absl::StatusOr<Account> account = ledger_.GetAccount(record.moved[0].debit);
      if (!account.ok()) return account.status();
      payout.merchant_account = account->name;
      payout.asset = account->asset.ToString();
      payout.requested += moved;
      ++payout.holds;
      by_sequence_[sequence.value()] = &payout;  // a map's values stay where they are
      return absl::OkStatus();
    }
    PayoutSummary* payout = Find(record.target);
    if (payout == nullptr) return absl::OkStatus();
    payout->released += record.released.units();
    if (t.kind == TransactionKind::kCapture) {
      payout->paid += moved;
      ++payout->captures;
      payout->state = "paid";
      by_sequence_[sequence.value()] = payout;
    } else if (t.kind == TransactionKind::kReverse) {
      payout->returned += moved;
      payout->state = "returned";
    } else if (t.kind == TransactionKind::kRelease) {
      payout->state = t.code == EventCode(EventType::kPayoutCanceled) ? "canceled" : "failed";
    }
    return absl::OkStatus();
  }

  const Ledger& ledger_;
  LedgerSummary& summary_;
  absl::flat_hash_map<uint64_t, PayoutSummary*> by_sequence_;  // holds of payouts, and their captures
};

template <typename Visit>
absl::Status ForEachAccount(const Ledger& ledger, Visit visit) {
  std::string after;
  do {
    NW_ASSIGN_OR_RETURN(const AccountPage page, ledger.ListAccounts("", after, kMaxAccountPage));
    for (const Account& account : page.accounts) visit(account);
    after = page.next;
  } while (!after.empty());
  return absl::OkStatus();
}

void AddAccount(const Account& account, LedgerSummary& summary) {
  AssetSummary& asset = summary.assets[account.asset.ToString()];
  asset.scale = account.asset.scale;
  const absl::int128 balance = account.totals.posted();
  asset.sum += balance;
  if (absl::StartsWith(account.name, "merchant:")) {
    ++asset.merchants;
    asset.merchants_available += account.totals.available();
    asset.held += static_cast<absl::int128>(account.totals.debits_held);
  } else if (absl::StartsWith(account.name, "processor:")) {
    asset.processor += balance;
  } else if (absl::StartsWith(account.name, "platform:fees:")) {
    asset.fees += balance;
  } else if (absl::StartsWith(account.name, "platform:adjustments:")) {
    asset.adjustments += balance;
  } else if (absl::StartsWith(account.name, "bank:clearing:")) {
    asset.clearing += balance;
  }
}

std::string Quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string Digits(absl::uint128 units) { return FormatUnits(static_cast<absl::int128>(units), 0); }

template <typename Map>
std::string CountsJson(const Map& counts) {
  return nlohmann::json(counts).dump();
}

}  // namespace

std::string HexOf(const Hash256& hash) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(hash.data()), hash.size()));
}

absl::StatusOr<LedgerSummary> Summarize(const Ledger& ledger, const Intake& intake) {
  LedgerSummary summary;
  Fold fold(ledger, summary);
  JournalReader reader = ledger.ReadJournal(Sequence());
  while (true) {
    NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records, reader.Next(kMaxJournalPage));
    if (records.empty()) break;
    for (const JournalRecord& record : records) NW_RETURN_IF_ERROR(fold.Take(record));
  }
  fold.Finish();
  NW_RETURN_IF_ERROR(ForEachAccount(ledger, [&](const Account& account) { AddAccount(account, summary); }));
  std::string after;
  do {
    NW_ASSIGN_OR_RETURN(const QuarantinePage page, intake.ListQuarantine(after, kMaxQuarantinePage));
    for (const QuarantinedEvent& event : page.events) ++summary.quarantine[Text(Name(event.cause))];
    after = page.next;
  } while (!after.empty());
  summary.head = ledger.Head();
  return summary;
}

absl::Status WriteDump(const Ledger& ledger, const LedgerSummary& summary, const std::string& path) {
  const std::string temporary = path + ".part";
  std::FILE* out = std::fopen(temporary.c_str(), "wb");
  const auto failed = [&] {
    return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
  };
  if (out == nullptr) return failed();
  const auto put = [out](const std::string& text) { std::fwrite(text.data(), 1, text.size(), out); };
  put(absl::StrCat("{\"head\":{\"sequence\":", summary.head.sequence.value(), ",\"hash\":\"", HexOf(summary.head.hash),
                   "\"},\n\"transactions\":{\"applied\":", CountsJson(summary.applied),
                   ",\"rejected\":", CountsJson(summary.rejected),
                   "},\n\"quarantine\":", CountsJson(summary.quarantine), ",\n\"accounts\":{"));
  const char* separator = "\n";
  absl::Status status = ForEachAccount(ledger, [&](const Account& account) {
    const Totals& totals = account.totals;
    put(absl::StrCat(separator, Quoted(account.name), ":{\"asset\":", Quoted(account.asset.ToString()),
                     ",\"debits_posted\":\"", Digits(totals.debits_posted), "\",\"credits_posted\":\"",
                     Digits(totals.credits_posted), "\",\"debits_held\":\"", Digits(totals.debits_held),
                     "\",\"credits_held\":\"", Digits(totals.credits_held), "\"}"));
    separator = ",\n";
  });
  put("},\n\"payouts\":{");
  separator = "\n";
  for (const auto& [id, payout] : summary.payouts) {
    put(absl::StrCat(separator, Quoted(id), ":{\"state\":\"", payout.state,
                     "\",\"account\":", Quoted(payout.merchant_account), ",\"asset\":", Quoted(payout.asset),
                     ",\"requested\":\"", Digits(payout.requested), "\",\"paid\":\"", Digits(payout.paid),
                     "\",\"released\":\"", Digits(payout.released), "\",\"returned\":\"", Digits(payout.returned),
                     "\",\"holds\":", payout.holds, ",\"captures\":", payout.captures, "}"));
    separator = ",\n";
  }
  put("}}\n");
  const bool good = std::ferror(out) == 0;
  if (std::fclose(out) != 0 || !good || !status.ok() || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const absl::Status error = status.ok() ? failed() : status;
    std::remove(temporary.c_str());
    return error;
  }
  return absl::OkStatus();
}

}  // namespace northwind::examples
