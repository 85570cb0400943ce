// SPDX-License-Identifier: Apache-2.0
#include "examples/parallel_run/ramp_batch.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "northwind/status.h"

namespace northwind::examples {
namespace {

constexpr char kSource[] = "ramp";
constexpr char kActor[] = "ramp";

// As examples/legacy_batch/rows.sql has them.
const std::vector<std::string>& Columns() {
  static const auto* const columns =
      new std::vector<std::string>{"line_no", "kind", "item_id", "merchant_id",  "refund_id",  "currency",
                                   "amount",  "fee",  "status",  "business_day", "happened_at"};
  return *columns;
}

std::string Decimal(int64_t units) { return absl::StrFormat("%d.%02d", units / 100, units % 100); }

}  // namespace

void RampBatch::AddLine(const char* kind, const std::string& id, const std::string& merchant, int64_t units,
                        const char* fee, const char* status, absl::Time at) {
  const absl::CivilDay day(absl::ToCivilSecond(at, parts_.zone));
  lines_.push_back({absl::StrCat("r", ++numbered_), kind, id, merchant, std::nullopt, "USD", Decimal(units),
                    fee == nullptr ? std::nullopt : std::optional<std::string>(fee), status, absl::FormatCivilTime(day),
                    absl::FormatTime("%Y-%m-%d %H:%M:%E*S%Ez", at, absl::UTCTimeZone())});
}

void RampBatch::Captured(const AskedPayout& payout, absl::Time at) {
  AddLine("CAPTURE", absl::StrCat("pay_of_", payout.id), payout.merchant, kRampCaptured, "0.00", "SETL", at);
  sum_ += kRampCaptured;
}

absl::Status RampBatch::Pay(const std::vector<AskedPayout>& payouts, absl::Time at) {
  std::vector<PaymentEvent> ends;
  for (const AskedPayout& payout : payouts) {
    ClaimRequest claim{.id = payout.id,
                       .merchant_id = payout.merchant,
                       .system = SettlementSystem::kBatch,
                       .epoch = parts_.cutover->Status().epoch};
    const uint64_t number = ++attempts_;
    for (size_t i = 0; i < 8; ++i) claim.token[i] = static_cast<uint8_t>(number >> (8 * i));
    NW_ASSIGN_OR_RETURN(const ClaimVerdict verdict, parts_.claims->Claim(claim));
    if (verdict == ClaimVerdict::kOther) {
      ++left_to_northwind_;
      continue;
    }
    if (verdict == ClaimVerdict::kStale) return absl::InternalError("the newest epoch is stale");
    const bool paid = Execute(payout) == RailState::kPaid;
    ends.push_back(RampEvent(paid ? EventType::kPayoutPaid : EventType::kPayoutFailed, payout.merchant, at, 0));
    ends.back().payout_id = payout.id;
    AddLine("PAYOUT", payout.id, payout.merchant, kRampPaidOut, nullptr, paid ? "PAID" : "FAIL", at);
    sum_ -= kRampPaidOut;
  }
  return parts_.intake->Apply(absl::MakeConstSpan(ends)).status();
}

RailState RampBatch::Execute(const AskedPayout& payout) {
  const PayoutInstruction instruction{.provider_key = BatchKey(payout.id),
                                      .payout_id = payout.id,
                                      .merchant_id = payout.merchant,
                                      .asset = {.code = "USD", .scale = 2},
                                      .amount = static_cast<uint64_t>(kRampPaidOut)};
  RailAnswer answer = parts_.bank->Submit(instruction);
  while (answer.state != RailState::kPaid && answer.state != RailState::kFailed) {
    answer = answer.state == RailState::kNotFound ? parts_.bank->Submit(instruction) : parts_.bank->Query(instruction);
  }
  return answer.state;
}

absl::StatusOr<DayFigures> RampBatch::CloseDay(absl::CivilDay day) {
  NW_RETURN_IF_ERROR(parts_.run->CatchUp());
  NW_RETURN_IF_ERROR(parts_.run->Ingest(kSource, Columns(), lines_).status());
  const std::map<std::string, CountAndSum> totals{{"USD/2", {.count = lines_.size(), .sum = sum_}}};
  lines_.clear();
  sum_ = 0;
  return parts_.run->CloseDay(day, {.actor = kActor, .expected = totals});
}

}  // namespace northwind::examples
