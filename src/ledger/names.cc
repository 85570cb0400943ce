// SPDX-License-Identifier: Apache-2.0
//
// The names of enumerators in reports and JSON.
#include "northwind/ledger.h"
#include "northwind/transaction.h"

namespace northwind {

std::string_view Name(TransactionKind kind) {
  switch (kind) {
    case TransactionKind::kPost:
      return "post";
    case TransactionKind::kHold:
      return "hold";
    case TransactionKind::kCapture:
      return "capture";
    case TransactionKind::kRelease:
      return "release";
    case TransactionKind::kReverse:
      return "reverse";
  }
  return "unknown";
}

std::string_view Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kApplied:
      return "applied";
    case Outcome::kRejected:
      return "rejected";
    case Outcome::kDuplicate:
      return "duplicate";
    case Outcome::kConflict:
      return "conflict";
    case Outcome::kDeferred:
      return "deferred";
    case Outcome::kInvalid:
      return "invalid";
  }
  return "unknown";
}

std::string_view Name(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "none";
    case Reason::kInsufficientFunds:
      return "insufficient_funds";
    case Reason::kAccountFrozen:
      return "account_frozen";
    case Reason::kAccountClosed:
      return "account_closed";
    case Reason::kReferenceUsed:
      return "reference_used";
    case Reason::kTargetResolved:
      return "target_resolved";
    case Reason::kExceedsTarget:
      return "exceeds_target";
    case Reason::kTargetMismatch:
      return "target_mismatch";
    case Reason::kTotalOverflow:
      return "total_overflow";
    case Reason::kTargetNotFound:
      return "target_not_found";
    case Reason::kAccountNotFound:
      return "account_not_found";
    case Reason::kPostingCount:
      return "posting_count";
    case Reason::kZeroAmount:
      return "zero_amount";
    case Reason::kAmountTooLarge:
      return "amount_too_large";
    case Reason::kSameAccount:
      return "same_account";
    case Reason::kAssetMismatch:
      return "asset_mismatch";
    case Reason::kTargetMissing:
      return "target_missing";
    case Reason::kUnexpectedField:
      return "unexpected_field";
    case Reason::kReferenceTooLong:
      return "reference_too_long";
    case Reason::kReferenceMissing:
      return "reference_missing";
    case Reason::kMetadataTooLong:
      return "metadata_too_long";
    case Reason::kTimeOutOfRange:
      return "time_out_of_range";
    case Reason::kHostRecordTooLarge:
      return "host_record_too_large";
    case Reason::kUnknownKind:
      return "unknown_kind";
  }
  return "unknown";
}

std::string_view Name(Field field) {
  switch (field) {
    case Field::kNone:
      return "none";
    case Field::kKind:
      return "kind";
    case Field::kPostings:
      return "postings";
    case Field::kTarget:
      return "target";
    case Field::kAmount:
      return "amount";
    case Field::kFinalCapture:
      return "final_capture";
    case Field::kCode:
      return "code";
    case Field::kReference:
      return "reference";
    case Field::kUniqueReference:
      return "unique_reference";
    case Field::kEffectiveAt:
      return "effective_at";
    case Field::kExpiresAt:
      return "expires_at";
    case Field::kMetadata:
      return "metadata";
  }
  return "unknown";
}

std::string_view Name(EntryKind kind) {
  switch (kind) {
    case EntryKind::kDebit:
      return "debit";
    case EntryKind::kCredit:
      return "credit";
    case EntryKind::kHoldDebit:
      return "hold_debit";
    case EntryKind::kHoldCredit:
      return "hold_credit";
    case EntryKind::kCaptureDebit:
      return "capture_debit";
    case EntryKind::kCaptureCredit:
      return "capture_credit";
    case EntryKind::kReleaseDebit:
      return "release_debit";
    case EntryKind::kReleaseCredit:
      return "release_credit";
  }
  return "unknown";
}

}  // namespace northwind
