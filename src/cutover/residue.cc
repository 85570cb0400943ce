// SPDX-License-Identifier: Apache-2.0
//
// What northwind has begun and not ended, and how it goes back to the batch.
#include <utility>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/cutover/audit_log.h"
#include "src/cutover/claim_token.h"
#include "src/cutover/core.h"
#include "src/settlement/event_text.h"

namespace northwind {

using internal::Cursor;
using internal::Error;
using internal::Printable;
using internal::Space;
using internal::WriteSet;

namespace {

std::string Describe(const HandBackResult& result) {
  return absl::StrCat("handed: ", result.handed, ", kept: ", result.kept, ", before: ", result.before,
                      ", finished: ", result.finished);
}

std::string Describe(absl::Span<const std::string> ids) {
  std::string out = absl::StrCat("ids: ", ids.size());
  if (!ids.empty()) absl::StrAppend(&out, ", from ", ids.front(), " to ", ids.back());
  return out;
}

}  // namespace

absl::StatusOr<ResiduePage> Cutover::Core::Residue(ClaimArbiter& claims, std::string_view after, size_t limit) const {
  if (limit < 1 || limit > kMaxAuditPage) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: a page holds 1 to ", kMaxAuditPage, " ids, not ", limit);
  }
  ResiduePage page;
  const std::string start = internal::CutoverKey(internal::kResiduePrefix, after);
  Cursor cursor = engine_.NewCursor(Space::kHost);
  for (cursor.Seek(start); cursor.Valid() && cursor.key().starts_with(internal::kResiduePrefix); cursor.Next()) {
    if (!after.empty() && cursor.key() == start) continue;
    if (page.items.size() == limit) {
      page.next = page.items.back().assignment.id;
      break;
    }
    const std::string id(cursor.key().substr(internal::kResiduePrefix.size()));
    NW_ASSIGN_OR_RETURN(std::optional<Assignment> assignment, internal::ReadAssignment(engine_, id));
    if (!assignment.has_value()) {
      return Error(absl::StatusCode::kDataLoss, "cutover: ", Printable(id), " is residue, but not assigned");
    }
    NW_ASSIGN_OR_RETURN(std::optional<ClaimRecord> claim, claims.Find(id));
    page.items.push_back({*std::move(assignment), std::move(claim)});
  }
  NW_RETURN_IF_ERROR(cursor.status());
  return page;
}

absl::StatusOr<HandBackResult> Cutover::Core::HandBack(ClaimArbiter& claims, absl::Span<const std::string> ids,
                                                       std::string_view actor, std::string_view reason,
                                                       const Ledger* ledger) {
  NW_RETURN_IF_ERROR(internal::CheckActor(actor));
  NW_RETURN_IF_ERROR(internal::CheckReason(reason));
  if (ids.size() > kMaxAssignBatch) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: up to ", kMaxAssignBatch, " ids at a time");
  }
  std::vector<Assignment> assignments;
  for (const std::string& id : ids) {
    NW_ASSIGN_OR_RETURN(Assignment assignment, Find(id));
    assignments.push_back(std::move(assignment));
  }
  HandBackResult result;
  if (ids.empty()) return result;
  // On record before anything is done.
  NW_RETURN_IF_ERROR(AddLine({actor, "hand_back", reason, Describe(ids), Note::Epoch::kSame}, {}));
  absl::Status status;
  std::vector<std::string> gone;  // to the batch
  for (const Assignment& assignment : assignments) {
    status = HandBackOne(claims, assignment, ledger, result, gone);
    if (!status.ok()) break;
  }
  std::string detail = Describe(result);
  if (!status.ok()) absl::StrAppend(&detail, "; then: ", status.message());
  NW_RETURN_IF_ERROR(AddLine({actor, "handed_back", reason, std::move(detail), Note::Epoch::kSame}, gone));
  NW_RETURN_IF_ERROR(status);
  return result;
}

absl::StatusOr<bool> Cutover::Core::IsToBePaid(std::string_view id, const Ledger* ledger) const {
  NW_ASSIGN_OR_RETURN(const auto residue,
                      engine_.Get(Space::kHost, internal::CutoverKey(internal::kResiduePrefix, id)));
  if (!residue.has_value() || ledger == nullptr) return residue.has_value();
  NW_ASSIGN_OR_RETURN(const std::vector<TransactionView> holds,
                      ledger->FindByReference(EventCode(EventType::kPayoutRequested), id, 1));
  return !holds.empty() && !holds.front().remaining.is_zero();
}

absl::Status Cutover::Core::HandBackOne(ClaimArbiter& claims, const Assignment& assignment, const Ledger* ledger,
                                        HandBackResult& result, std::vector<std::string>& gone) const {
  const bool to_batch = assignment.system == SettlementSystem::kBatch;
  NW_ASSIGN_OR_RETURN(const bool to_be_paid, IsToBePaid(assignment.id, ledger));
  if (to_batch || !to_be_paid) {
    // In a store that was restored, the batch's may have been northwind's before.
    NW_ASSIGN_OR_RETURN(const std::optional<ClaimRecord> claim, claims.Find(assignment.id));
    if (!claim.has_value()) {
      ++(to_batch ? result.before : result.finished);
    } else {
      ++(claim->system == SettlementSystem::kNorthwind ? result.kept : result.before);
    }
    return absl::OkStatus();
  }
  const ClaimRequest request{.id = assignment.id,
                             .merchant_id = assignment.merchant_id,
                             .system = SettlementSystem::kBatch,
                             .epoch = durable().epoch,
                             .token = internal::NewClaimToken()};
  NW_ASSIGN_OR_RETURN(const ClaimVerdict verdict, internal::ClaimTwice(claims, request));
  switch (verdict) {
    case ClaimVerdict::kClaimed:
      ++result.handed;
      gone.push_back(assignment.id);
      return absl::OkStatus();
    case ClaimVerdict::kHeld:
      ++result.before;
      gone.push_back(assignment.id);
      return absl::OkStatus();
    case ClaimVerdict::kOther:
      ++result.kept;
      return absl::OkStatus();
    case ClaimVerdict::kStale:
      break;
  }
  return Error(absl::StatusCode::kFailedPrecondition, "cutover: epoch ", request.epoch,
               " is older than the published one");
}

absl::Status Cutover::Core::AddLine(const Note& note, absl::Span<const std::string> finished) {
  absl::MutexLock write_lock(&write_mutex_);
  WriteSet writes;
  NW_ASSIGN_OR_RETURN(const uint64_t taken, TakeFromResidue(finished, writes));
  Counts counts = this->counts();
  counts.residue -= taken;
  return Commit(note, live(), counts, writes);
}

absl::Status Cutover::Core::PublishEpoch(ClaimArbiter& claims) const { return claims.PublishEpoch(durable().epoch); }

}  // namespace northwind
