// SPDX-License-Identifier: Apache-2.0
//
// The table of docs/events.md: what each event does to the ledger; and read backwards, which event a transaction is.
#include <algorithm>

#include "src/base/error.h"
#include "src/settlement/event.h"
#include "src/settlement/event_text.h"

namespace northwind {
namespace internal {
namespace {

std::string Join(std::string_view a, std::string_view b, std::string_view c = {}, std::string_view d = {}) {
  std::string out;
  out.reserve(a.size() + b.size() + c.size() + d.size());
  out.append(a).append(b).append(c).append(d);
  return out;
}

constexpr std::string_view kMerchantPrefix = "merchant:";
constexpr std::string_view kMerchantInfix = ":available:";

// Accounts of one event, each added when first asked for.
class Accounts {
 public:
  Accounts(const PaymentEvent& event, MappedEvent& mapped)
      : event_(event), mapped_(mapped), asset_(event.amount.has_value() ? event.amount->asset.ToString() : "") {}

  const std::string& asset() const { return asset_; }
  uint8_t Merchant() {
    return Add(Join(kMerchantPrefix, event_.merchant_id, kMerchantInfix, asset_), /*external=*/false);
  }
  uint8_t Processor() { return Add(Join("processor:", asset_), /*external=*/true); }
  uint8_t Fees() { return Add(Join("platform:fees:", asset_), /*external=*/true); }
  uint8_t Adjustments() { return Add(Join("platform:adjustments:", asset_), /*external=*/true); }
  uint8_t Clearing() { return Add(Join("bank:clearing:", asset_), /*external=*/true); }

 private:
  uint8_t Add(std::string name, bool external) {
    mapped_.accounts.push_back({.name = std::move(name), .asset = asset_, .external = external});
    return static_cast<uint8_t>(mapped_.accounts.size() - 1);
  }

  const PaymentEvent& event_;
  MappedEvent& mapped_;
  const std::string asset_;
};

bool HasFee(const PaymentEvent& event) { return event.fee.has_value() && !event.fee->units.is_zero(); }

// Kind, postings, target and amount: one row of the table.
void MapRow(const PaymentEvent& event, std::string_view subject, Accounts& accounts, MappedEvent& mapped) {
  Transaction& t = mapped.transaction;
  const Amount amount = event.amount.has_value() ? event.amount->units : Amount();
  const auto works_on = [&t](EventType type, std::string_view reference) {
    t.target = Target::Reference(EventCode(type), reference);
  };
  const auto move = [&mapped](uint8_t from, uint8_t to, Amount units) {
    mapped.postings.push_back({.debit = from, .credit = to, .amount = units});
  };
  switch (event.type) {
    case EventType::kPaymentCaptured: {
      const uint8_t merchant = accounts.Merchant();
      move(accounts.Processor(), merchant, amount);
      if (HasFee(event)) move(merchant, accounts.Fees(), event.fee->units);
      return;
    }
    case EventType::kPaymentRefunded: {
      t.kind = TransactionKind::kReverse;
      works_on(EventType::kPaymentCaptured, event.payment_id);
      const uint8_t merchant = accounts.Merchant();
      move(merchant, accounts.Processor(), amount);
      if (HasFee(event)) move(accounts.Fees(), merchant, event.fee->units);
      return;
    }
    case EventType::kDisputeOpened: {
      t.kind = TransactionKind::kHold;
      const uint8_t merchant = accounts.Merchant();
      move(merchant, accounts.Processor(), amount);
      return;
    }
    case EventType::kDisputeLost:
    case EventType::kPayoutPaid:
      t.kind = TransactionKind::kCapture;
      t.amount = amount;
      t.final_capture = true;
      works_on(event.type == EventType::kDisputeLost ? EventType::kDisputeOpened : EventType::kPayoutRequested,
               subject);
      return;
    case EventType::kDisputeWon:
      t.kind = TransactionKind::kRelease;
      works_on(EventType::kDisputeOpened, subject);
      return;
    case EventType::kPayoutRequested: {
      t.kind = TransactionKind::kHold;
      const uint8_t merchant = accounts.Merchant();
      move(merchant, accounts.Clearing(), amount);
      return;
    }
    case EventType::kPayoutFailed:
    case EventType::kPayoutCanceled:
      t.kind = TransactionKind::kRelease;
      works_on(EventType::kPayoutRequested, subject);
      return;
    case EventType::kPayoutReturned:
      t.kind = TransactionKind::kReverse;
      works_on(EventType::kPayoutPaid, subject);
      if (event.amount.has_value()) {
        const uint8_t merchant = accounts.Merchant();
        move(accounts.Clearing(), merchant, amount);
      }
      return;
    case EventType::kAdjustment: {
      const uint8_t merchant = accounts.Merchant();
      const uint8_t platform = accounts.Adjustments();
      if (event.direction == AdjustmentDirection::kCredit) {
        move(platform, merchant, amount);
      } else {
        move(merchant, platform, amount);
      }
      return;
    }
  }
}

// Merchant, amount, fee and direction, from the postings. False if they cannot be an event's.
bool ReadPostings(absl::Span<const NamedPosting> postings, PaymentEvent& event) {
  const NamedPosting& first = postings.front();
  std::optional<MerchantAccount> merchant = ParseMerchantAccount(first.credit, first.asset);
  const bool credit = merchant.has_value();
  if (!credit) merchant = ParseMerchantAccount(first.debit, first.asset);
  if (!merchant.has_value()) return false;
  event.merchant_id = std::move(merchant->merchant_id);
  event.amount = Money{.asset = first.asset, .units = first.amount};
  if (postings.size() > 1) event.fee = Money{.asset = postings[1].asset, .units = postings[1].amount};
  if (event.type == EventType::kAdjustment) {
    event.direction = credit ? AdjustmentDirection::kCredit : AdjustmentDirection::kDebit;
  }
  return true;
}

// Merchant and amount of a transaction without postings.
bool ReadOwner(std::string_view owner, Amount amount, PaymentEvent& event) {
  const size_t colon = owner.find(':');
  event.merchant_id = owner.substr(0, colon);
  if (colon == std::string_view::npos) return true;
  absl::StatusOr<Asset> asset = Asset::Parse(owner.substr(colon + 1));
  if (!asset.ok()) return false;
  event.amount = Money{.asset = *std::move(asset), .units = amount};
  return true;
}

void ReadReference(std::string_view reference, PaymentEvent& event) {
  if (IsOfPayout(event.type)) {
    event.payout_id = reference;
    return;
  }
  const size_t slash = reference.find('/');  // in no id
  event.payment_id = reference.substr(0, slash);
  if (slash != std::string_view::npos) event.refund_id = reference.substr(slash + 1);
}

bool SamePosting(const NamedPosting& posting, const MappedPosting& mapped, const MappedEvent& event) {
  const AccountSpec& debit = event.accounts[mapped.debit];
  return posting.debit == debit.name && posting.credit == event.accounts[mapped.credit].name &&
         posting.asset.ToString() == debit.asset && posting.amount == mapped.amount;
}

// All content but postings.
bool SameContent(const Transaction& a, const Transaction& b) {
  return a.kind == b.kind && a.target == b.target && a.amount == b.amount && a.final_capture == b.final_capture &&
         a.code == b.code && a.reference == b.reference && a.unique_reference == b.unique_reference &&
         a.effective_at == b.effective_at && a.expires_at == b.expires_at && a.metadata == b.metadata;
}

}  // namespace

std::optional<MerchantAccount> ParseMerchantAccount(std::string_view name, const Asset& asset) {
  if (!name.starts_with(kMerchantPrefix)) return std::nullopt;
  const size_t colon = name.find(':', kMerchantPrefix.size());  // no merchant's id has one
  if (colon == std::string_view::npos || name.substr(colon) != Join(kMerchantInfix, asset.ToString())) {
    return std::nullopt;
  }
  const std::string_view merchant = name.substr(kMerchantPrefix.size(), colon - kMerchantPrefix.size());
  if (merchant.empty() || merchant.size() > kMaxEventIdBytes || !IsIdText(merchant, Colon::kRefused)) {
    return std::nullopt;
  }
  return MerchantAccount{.merchant_id = std::string(merchant), .asset = asset};
}

MappedEvent MapValidEvent(const PaymentEvent& event) {
  MappedEvent mapped;
  std::string subject = event.payout_id.empty() ? event.payment_id : event.payout_id;
  const bool anonymous_refund = event.type == EventType::kPaymentRefunded && event.refund_id.empty();
  if (!event.refund_id.empty()) subject = Join(event.payment_id, "/", event.refund_id);

  Accounts accounts(event, mapped);
  MapRow(event, subject, accounts, mapped);

  Transaction& t = mapped.transaction;
  t.key = DeriveKey(subject, event.occurred_at, northwind::Name(event.type));
  t.code = EventCode(event.type);
  // A payment may be refunded many times, and without ids one refund cannot be told from the next.
  t.unique_reference = !anonymous_refund;
  t.effective_at = event.occurred_at;
  // Without postings nothing else in the transaction names the merchant and the asset.
  std::string owner;
  if (mapped.postings.empty()) {
    owner = accounts.asset().empty() ? event.merchant_id : Join(event.merchant_id, ":", accounts.asset());
  }
  t.metadata = EncodeMetadata(owner, event.metadata);
  t.reference = std::move(subject);
  return mapped;
}

std::optional<PaymentEvent> UnmapEvent(const Transaction& transaction, absl::Span<const NamedPosting> postings) {
  const std::optional<EventType> type = EventTypeOfCode(transaction.code);
  std::optional<DecodedMetadata> decoded = DecodeMetadata(transaction.metadata);
  if (!type.has_value() || !decoded.has_value() || !transaction.effective_at.has_value()) return std::nullopt;
  PaymentEvent event{.type = *type, .occurred_at = *transaction.effective_at};
  ReadReference(transaction.reference, event);
  if (!(postings.empty() ? ReadOwner(decoded->owner, transaction.amount, event) : ReadPostings(postings, event))) {
    return std::nullopt;
  }
  event.metadata = std::move(decoded->metadata);
  // Whatever was not looked at above is not as it would have been mapped.
  if (!ValidateEvent(event).ok()) return std::nullopt;
  const MappedEvent mapped = MapValidEvent(event);
  const bool same =
      SameContent(transaction, mapped.transaction) &&
      std::equal(postings.begin(), postings.end(), mapped.postings.begin(), mapped.postings.end(),
                 [&](const NamedPosting& a, const MappedPosting& b) { return SamePosting(a, b, mapped); });
  if (!same) return std::nullopt;
  return event;
}

}  // namespace internal

absl::StatusOr<MappedEvent> MapEvent(const PaymentEvent& event) {
  NW_RETURN_IF_ERROR(ValidateEvent(event));
  return internal::MapValidEvent(event);
}

}  // namespace northwind
