// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "northwind/cutover.h"
#include "src/base/error.h"
#include "src/cutover/claim_token.h"

namespace northwind {

using internal::Error;

namespace {

// How long a payout waits that is not northwind's, or not yet. The policy's own delay grows past it.
constexpr absl::Duration kWait = absl::Minutes(3);
constexpr std::string_view kTaken = "the batch has claimed it";
constexpr std::string_view kStopped = "sending is stopped";

RailAnswer Withheld(const CutoverStatus& status, std::string reason) {
  return {.state = RailState::kWithheld, .reason = std::move(reason), .not_before = status.at + kWait};
}

RailAnswer Unknown(std::string_view what, const absl::Status& status) {
  return {.state = RailState::kUnknown, .reason = std::string(what).append(": ").append(status.ToString())};
}

std::string Stale(const CutoverStatus& status) {
  return "epoch " + std::to_string(status.epoch) + " is older than the published one";
}

ClaimRequest RequestFor(const PayoutInstruction& payout, const CutoverStatus& status,
                        const std::array<uint8_t, 16>& token) {
  return {.id = payout.payout_id,
          .merchant_id = payout.merchant_id,
          .system = SettlementSystem::kNorthwind,
          .epoch = status.epoch,
          .token = token};
}

// Why a payout that nobody has claimed is not sent; nothing if it may be.
absl::StatusOr<std::optional<std::string>> WhyWithheld(const Cutover& cutover, const CutoverStatus& status,
                                                       std::string_view id) {
  if (status.sending_stopped) return std::string(kStopped);
  const absl::StatusOr<Assignment> assignment = cutover.Find(id);
  if (absl::IsNotFound(assignment.status())) return "it is not assigned";
  if (!assignment.ok()) return assignment.status();
  if (assignment->system != SettlementSystem::kNorthwind) return "it is assigned to the batch";
  return std::nullopt;
}

}  // namespace

RailAnswer ClaimedRail::Submit(const PayoutInstruction& payout) {
  const CutoverStatus status = cutover_.Status();
  if (status.sending_stopped) return Withheld(status, std::string(kStopped));
  const auto why = WhyWithheld(cutover_, status, payout.payout_id);
  if (!why.ok()) return Withheld(status, "its assignment cannot be read: " + why.status().ToString());
  if (why->has_value()) return SubmitUnassigned(payout, status, **why);

  const absl::StatusOr<ClaimVerdict> verdict =
      internal::ClaimTwice(claims_, RequestFor(payout, status, internal::NewClaimToken()));
  // Whether there is a claim now is not known, and so nothing may be said of it but that.
  if (!verdict.ok()) return Unknown("waits for the claim", verdict.status());
  switch (*verdict) {
    case ClaimVerdict::kClaimed:
      return Send(payout);
    case ClaimVerdict::kHeld:
      return SubmitHeld(payout);
    case ClaimVerdict::kOther:
      return Withheld(status, std::string(kTaken));
    case ClaimVerdict::kStale:
      return Withheld(status, Stale(status));
  }
  return Unknown("waits for the claim", absl::InternalError("the arbiter answers what is no verdict"));
}

// A store that was restored knows less than the arbiter: what northwind claimed in the days that it has lost nobody else will pay.
RailAnswer ClaimedRail::SubmitUnassigned(const PayoutInstruction& payout, const CutoverStatus& status,
                                         const std::string& why) {
  const absl::StatusOr<std::optional<ClaimRecord>> claim = claims_.Find(payout.payout_id);
  if (!claim.ok()) return Unknown("who has claimed it cannot be told", claim.status());
  if (!claim->has_value()) return Withheld(status, why);
  const bool ours = (*claim)->system == SettlementSystem::kNorthwind;
  return ours ? SubmitHeld(payout) : Withheld(status, std::string(kTaken));
}

// An attempt before this one claimed it, and may have submitted it, or be about to. Only the rail can tell.
RailAnswer ClaimedRail::SubmitHeld(const PayoutInstruction& payout) {
  RailAnswer answer = rail_.Query(payout);
  return answer.state == RailState::kNotFound ? Send(payout) : std::move(answer);
}

// Claims and the rail's answers take their time, so sending may have been stopped meanwhile. What is not sent for that stays claimed, and
// is submitted as what an attempt before has claimed.
RailAnswer ClaimedRail::Send(const PayoutInstruction& payout) {
  if (!cutover_.BeginSending()) return Withheld(cutover_.Status(), std::string(kStopped));
  const absl::Cleanup end = [this] { cutover_.EndSending(); };
  return rail_.Submit(payout);
}

std::array<uint8_t, 16> ClaimedRail::BeginCancel(const std::string& id) {
  const absl::MutexLock lock(&mutex_);
  for (const OpenCancel& open : cancels_) {
    if (open.id == id) return open.token;
  }
  // Without its token the oldest is what somebody has claimed before: refused, and so never canceled and paid.
  if (cancels_.size() == kMaxOpenCancels) cancels_.pop_front();
  return cancels_.emplace_back(OpenCancel{.id = id, .token = internal::NewClaimToken()}).token;
}

void ClaimedRail::EndCancel(const std::string& id) {
  const absl::MutexLock lock(&mutex_);
  std::erase_if(cancels_, [&id](const OpenCancel& open) { return open.id == id; });
}

absl::Status ClaimedRail::ClaimToCancel(const PayoutInstruction& payout) {
  const CutoverStatus status = cutover_.Status();
  const absl::StatusOr<ClaimVerdict> verdict =
      internal::ClaimTwice(claims_, RequestFor(payout, status, BeginCancel(payout.payout_id)));
  if (!verdict.ok()) return verdict.status();
  EndCancel(payout.payout_id);
  const auto refuse = [&payout](std::string_view why) {
    return Error(absl::StatusCode::kFailedPrecondition, "payout ", payout.payout_id,
                 " cannot be canceled: ", internal::ToAbsl(why));
  };
  switch (*verdict) {
    case ClaimVerdict::kClaimed:
      return absl::OkStatus();
    case ClaimVerdict::kHeld:
      return refuse("northwind has claimed it before, and may have paid it");
    case ClaimVerdict::kOther:
      return refuse(kTaken);
    case ClaimVerdict::kStale:
      return refuse(Stale(status));
  }
  return absl::InternalError("the arbiter answers what is no verdict");
}

RailAnswer ClaimedRail::Query(const PayoutInstruction& payout) {
  const absl::StatusOr<std::optional<ClaimRecord>> claim = claims_.Find(payout.payout_id);
  if (!claim.ok()) return Unknown("who has claimed it cannot be told", claim.status());
  const CutoverStatus status = cutover_.Status();
  if (claim->has_value()) {
    const bool ours = (*claim)->system == SettlementSystem::kNorthwind;
    return ours ? rail_.Query(payout) : Withheld(status, std::string(kTaken));
  }
  // Never submitted: that takes a claim. Payouts submits it if it may be.
  const auto why = WhyWithheld(cutover_, status, payout.payout_id);
  if (!why.ok()) return Withheld(status, "its assignment cannot be read: " + why.status().ToString());
  if (why->has_value()) return Withheld(status, **why);
  return {.state = RailState::kNotFound, .reason = "nobody has claimed it"};
}

}  // namespace northwind
