// SPDX-License-Identifier: Apache-2.0
//
// The table of docs/events.md: what each event does to the ledger.
#include "src/base/error.h"
#include "src/settlement/event.h"

namespace northwind {
namespace internal {
namespace {

std::string Join(std::string_view a, std::string_view b, std::string_view c = {}, std::string_view d = {}) {
  std::string out;
  out.reserve(a.size() + b.size() + c.size() + d.size());
  out.append(a).append(b).append(c).append(d);
  return out;
}

// Accounts of one event, each added when first asked for.
class Accounts {
 public:
  Accounts(const PaymentEvent& event, MappedEvent& mapped)
      : event_(event), mapped_(mapped), asset_(event.amount.has_value() ? event.amount->asset.ToString() : "") {}

  const std::string& asset() const { return asset_; }
  uint8_t Merchant() { return Add(Join("merchant:", event_.merchant_id, ":available:", asset_), /*external=*/false); }
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

}  // namespace

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

}  // namespace internal

absl::StatusOr<MappedEvent> MapEvent(const PaymentEvent& event) {
  NW_RETURN_IF_ERROR(ValidateEvent(event));
  return internal::MapValidEvent(event);
}

}  // namespace northwind
