// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/message.h"

#include <algorithm>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/numeric/int128.h"
#include "northwind/payout.h"
#include "src/base/coding.h"
#include "src/base/sha256.h"
#include "src/settlement/json_text.h"
#include "src/webhook/secret_bytes.h"

namespace northwind::internal {
namespace {

// ---- The catalogue ------------------------------------------------------------------------------------------

struct EventNames {
  std::string_view applied;
  std::string_view rejected;
};

// By the number of the event type, from 1.
constexpr std::array<EventNames, kEventTypes> kEventNames = {{
    {"payment.captured", "payment.capture_rejected"},
    {"payment.refunded", "payment.refund_rejected"},
    {"dispute.opened", "dispute.open_rejected"},
    {"dispute.lost", "dispute.loss_rejected"},
    {"dispute.won", "dispute.win_rejected"},
    {"payout.requested", "payout.rejected"},
    {"payout.paid", "payout.payment_rejected"},
    {"payout.failed", "payout.failure_rejected"},
    {"payout.canceled", "payout.cancel_rejected"},
    {"payout.returned", "payout.return_rejected"},
    {"adjustment.applied", "adjustment.rejected"},
}};

constexpr auto kMessageTypes = [] {
  std::array<std::string_view, 2 * kEventTypes + 2> types;
  size_t n = 0;
  for (const EventNames& names : kEventNames) {
    types[n++] = names.applied;
    types[n++] = names.rejected;
  }
  types[n++] = kTestType;
  types[n++] = kEndpointDisabledType;
  std::sort(types.begin(), types.end());
  return types;
}();

// ---- Ids ----------------------------------------------------------------------------------------------------

constexpr std::string_view kIdPrefix = "msg_";
constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kUlidCharacters = 26;  // 130 bits, of which the first two are 0
constexpr size_t kTimeCharacters = 10;
constexpr int64_t kLastMillisecond = (int64_t{1} << 48) - 1;
static_assert(kMessageIdBytes == kIdPrefix.size() + kUlidCharacters);

int64_t MillisecondOf(absl::Time at) { return std::clamp<int64_t>(absl::ToUnixMillis(at), 0, kLastMillisecond); }

// ---- Bodies -------------------------------------------------------------------------------------------------

// Closed by Finish.
std::string BeginBody(std::string_view type, absl::Time at, std::string_view merchant) {
  std::string out = "{";
  out.reserve(384);
  AppendJsonField(out, "type", type);
  AppendJsonTime(out, "timestamp", at);
  AppendJsonName(out, "data");
  out.push_back('{');
  AppendJsonField(out, "merchant_id", merchant);
  return out;
}

Message Finish(std::string body, std::string_view type, absl::Time at, std::string_view merchant, Sequence sequence,
               const std::array<uint8_t, 10>& bits) {
  body.append("}}");
  return Message{.id = MessageId(at, bits),
                 .merchant_id = std::string(merchant),
                 .type = std::string(type),
                 .sequence = sequence,
                 .created_at = absl::FromUnixMillis(MillisecondOf(at)),
                 .body = std::move(body)};
}

}  // namespace

absl::Span<const std::string_view> MessageTypes() { return kMessageTypes; }

std::string MessageId(absl::Time at, const std::array<uint8_t, 10>& bits) {
  absl::uint128 value = static_cast<uint64_t>(MillisecondOf(at));
  for (const uint8_t byte : bits) value = value << 8 | byte;
  std::string id(kIdPrefix);
  for (int shift = 5 * (kUlidCharacters - 1); shift >= 0; shift -= 5) {
    id.push_back(kCrockford[static_cast<size_t>(absl::Uint128Low64(value >> shift) & 31)]);
  }
  return id;
}

std::array<uint8_t, 10> MessageBits(const std::array<uint8_t, 16>& store, Sequence sequence) {
  std::string text = "northwind/message/v1";
  text.append(store.begin(), store.end());
  PutBigEndian64(text, sequence.value());
  const Hash256 hash = Sha256::Of(text);
  std::array<uint8_t, 10> bits;
  std::copy_n(hash.begin(), bits.size(), bits.begin());
  return bits;
}

absl::StatusOr<std::array<uint8_t, 10>> RandomMessageBits() {
  std::array<uint8_t, 10> bits;
  NW_ASSIGN_OR_RETURN(const SecretBytes random, SecretBytes::Random(bits.size()));
  std::copy_n(random.view().begin(), bits.size(), bits.begin());
  return bits;
}

std::optional<absl::Time> MessageTime(std::string_view id) {
  if (id.size() != kMessageIdBytes || !id.starts_with(kIdPrefix)) return std::nullopt;
  const std::string_view ulid = id.substr(kIdPrefix.size());
  if (ulid[0] > '7') return std::nullopt;  // more than 128 bits
  int64_t millisecond = 0;
  for (size_t i = 0; i < ulid.size(); ++i) {
    const size_t digit = kCrockford.find(ulid[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    if (i < kTimeCharacters) millisecond = millisecond << 5 | static_cast<int64_t>(digit);
  }
  return absl::FromUnixMillis(millisecond);
}

std::string FirstMessageIdAt(absl::Time at) { return MessageId(at, {}); }

// ---- Of journal records -------------------------------------------------------------------------------------

absl::StatusOr<std::optional<Message>> MessageMaker::Make(const JournalRecord& record,
                                                          absl::FunctionRef<bool(std::string_view)> wanted) {
  const auto* recorded = std::get_if<TransactionRecorded>(&record.body);
  if (recorded == nullptr || recorded->reason == Reason::kReferenceUsed) return std::nullopt;
  NW_ASSIGN_OR_RETURN(const std::optional<PaymentEvent> event, EventOf(recorded->transaction));
  if (!event.has_value()) return std::nullopt;
  const bool applied = recorded->outcome == Outcome::kApplied;
  absl::StatusOr<std::optional<News>> made = applied ? OfApplied(*event, *recorded) : OfRejected(*event, *recorded);
  NW_ASSIGN_OR_RETURN(const std::optional<News> news, std::move(made));
  if (!news.has_value() || !wanted(news->merchant_id)) return std::nullopt;

  const EventNames& names = kEventNames[static_cast<size_t>(event->type) - 1];
  const std::string_view type = applied ? names.applied : names.rejected;
  std::string body = BeginBody(type, record.recorded_at, news->merchant_id);
  AppendJsonField(body, "payment_id", event->payment_id);
  AppendJsonField(body, "payout_id", event->payout_id);
  AppendJsonField(body, "refund_id", event->refund_id);
  if (news->amount.has_value()) AppendJsonMoney(body, "amount", *news->amount);
  if (news->fee.has_value()) AppendJsonMoney(body, "fee", *news->fee);
  if (news->released.has_value()) AppendJsonMoney(body, "released", *news->released);
  if (event->direction.has_value()) AppendJsonField(body, "direction", Name(*event->direction));
  if (!applied) AppendJsonField(body, "reason", Name(recorded->reason));
  AppendJsonTime(body, "occurred_at", event->occurred_at);
  // An event may name the payout or dispute of another merchant; then whatever was written into it is not this one's to read.
  // Nor is what is between the host and its rail.
  if (news->merchant_id == event->merchant_id) {
    std::map<std::string, std::string> metadata = event->metadata;
    if (!event->payout_id.empty()) metadata.erase(std::string(kProviderKeyMetadata));
    AppendJsonTexts(body, "metadata", metadata);
  }
  return Finish(std::move(body), type, record.recorded_at, news->merchant_id, record.sequence,
                MessageBits(store_, record.sequence));
}

absl::StatusOr<const MessageMaker::NamedAccount*> MessageMaker::AccountOf(AccountId id) {
  constexpr size_t kKeptAccounts = 100'000;  // about 100 bytes each
  if (const auto found = accounts_.find(id); found != accounts_.end()) return &found->second;
  NW_ASSIGN_OR_RETURN(Account account, ledger_.GetAccount(id));
  if (accounts_.size() == kKeptAccounts) accounts_.clear();
  return &accounts_.emplace(id, NamedAccount{std::move(account.name), std::move(account.asset)}).first->second;
}

absl::StatusOr<std::optional<MerchantAccount>> MessageMaker::OwnerOf(AccountId id) {
  NW_ASSIGN_OR_RETURN(const NamedAccount* const account, AccountOf(id));
  return ParseMerchantAccount(account->name, account->asset);
}

absl::StatusOr<std::optional<PaymentEvent>> MessageMaker::EventOf(const Transaction& transaction) {
  if (!EventTypeOfCode(transaction.code).has_value() || transaction.postings.size() > kMaxEventPostings) {
    return std::nullopt;
  }
  std::vector<NamedPosting> postings;
  for (const Posting& posting : transaction.postings) {
    NamedPosting& named = postings.emplace_back(NamedPosting{.amount = posting.amount});
    NW_ASSIGN_OR_RETURN(const NamedAccount* const debit, AccountOf(posting.debit));
    named.debit = debit->name;
    named.asset = debit->asset;
    NW_ASSIGN_OR_RETURN(const NamedAccount* const credit, AccountOf(posting.credit));
    named.credit = credit->name;
  }
  return UnmapEvent(transaction, postings);
}

absl::StatusOr<std::optional<MessageMaker::News>> MessageMaker::OfApplied(const PaymentEvent& event,
                                                                          const TransactionRecorded& recorded) {
  // An end may be of a hold, or of a payout that was paid, that a host made: of other accounts, or with more postings.
  switch (event.type) {
    case EventType::kPaymentCaptured:
    case EventType::kPaymentRefunded:
    case EventType::kDisputeOpened:
    case EventType::kPayoutRequested:
    case EventType::kAdjustment:
      return News{.merchant_id = event.merchant_id, .amount = event.amount, .fee = event.fee};
    case EventType::kDisputeLost:
    case EventType::kPayoutPaid:
      if (recorded.moved.size() != 1) return std::nullopt;
      return Moved(recorded.moved[0].debit, recorded.moved[0].amount, recorded.released);
    case EventType::kPayoutReturned:
      if (recorded.moved.size() != 1) return std::nullopt;
      return Moved(recorded.moved[0].credit, recorded.moved[0].amount, Amount());
    case EventType::kDisputeWon:
    case EventType::kPayoutFailed:
    case EventType::kPayoutCanceled: {
      NW_ASSIGN_OR_RETURN(const TransactionView hold, ledger_.GetTransaction(recorded.target));
      if (hold.record.moved.size() != 1) return std::nullopt;
      return Moved(hold.record.moved[0].debit, recorded.released, Amount());
    }
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<MessageMaker::News>> MessageMaker::Moved(AccountId account, Amount amount,
                                                                      Amount released) {
  NW_ASSIGN_OR_RETURN(const std::optional<MerchantAccount> owner, OwnerOf(account));
  if (!owner.has_value()) return std::nullopt;
  News news{.merchant_id = owner->merchant_id, .amount = Money{.asset = owner->asset, .units = amount}};
  if (!released.is_zero()) news.released = Money{.asset = owner->asset, .units = released};
  return news;
}

absl::StatusOr<std::optional<MessageMaker::News>> MessageMaker::OfRejected(const PaymentEvent& event,
                                                                           const TransactionRecorded& recorded) {
  if (recorded.transaction.target.has_value()) {
    NW_ASSIGN_OR_RETURN(const bool others, IsOfOthers(*recorded.transaction.target, event.merchant_id));
    if (others) return std::nullopt;
  }
  return News{.merchant_id = event.merchant_id, .amount = event.amount, .fee = event.fee};
}

absl::StatusOr<bool> MessageMaker::IsOfOthers(const Target& target, std::string_view merchant) {
  // The earliest one, as in the ledger. What is rejected was decided after its target was applied: the answer stays the same.
  NW_ASSIGN_OR_RETURN(const std::vector<TransactionView> found,
                      ledger_.FindByReference(target.code, target.reference, 1));
  if (found.empty()) return false;
  bool others = false;
  for (const Posting& posting : found.front().record.moved) {
    for (const AccountId id : {posting.debit, posting.credit}) {
      NW_ASSIGN_OR_RETURN(const std::optional<MerchantAccount> owner, OwnerOf(id));
      if (!owner.has_value()) continue;
      if (owner->merchant_id == merchant) return false;
      others = true;
    }
  }
  return others;
}

// ---- Of no record -------------------------------------------------------------------------------------------

Message TestMessage(std::string_view merchant, std::string_view endpoint, absl::Time now,
                    const std::array<uint8_t, 10>& bits) {
  std::string body = BeginBody(kTestType, now, merchant);
  AppendJsonField(body, "endpoint_id", endpoint);
  return Finish(std::move(body), kTestType, now, merchant, Sequence(), bits);
}

Message EndpointDisabledMessage(std::string_view merchant, std::string_view endpoint, std::string_view reason,
                                absl::Time at, const std::array<uint8_t, 10>& bits) {
  std::string body = BeginBody(kEndpointDisabledType, at, merchant);
  AppendJsonField(body, "endpoint_id", endpoint);
  AppendJsonField(body, "reason", reason);
  return Finish(std::move(body), kEndpointDisabledType, at, merchant, Sequence(), bits);
}

}  // namespace northwind::internal
