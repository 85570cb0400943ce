// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/unfinished_rows.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/postgres/binary_format.h"

namespace northwind::internal::postgres {
namespace {

std::string Pack(const Fields& fields) {
  std::string bytes;
  for (const auto& field : fields) field ? PutBytes(bytes, *field) : PutNull(bytes);
  return bytes;
}

Fields Unpack(std::string_view bytes) {
  Fields fields;
  while (!bytes.empty()) {
    const auto length = static_cast<int32_t>(LoadBigEndian32(bytes.data()));
    bytes.remove_prefix(4);
    if (length < 0) {
      fields.push_back(std::nullopt);
      continue;
    }
    fields.push_back(bytes.substr(0, static_cast<size_t>(length)));
    bytes.remove_prefix(static_cast<size_t>(length));
  }
  return fields;
}

// Of rows that are made here: never NULL, never beyond what the ledger can hold.
absl::int128 NumberIn(std::optional<std::string_view> field) { return ParseNumeric(*field).value(); }
std::string NumericField(absl::int128 value) {
  std::string field;
  PutNumeric(field, value);
  return field.substr(4);
}
Sequence SequenceIn(std::optional<std::string_view> field) { return Sequence(LoadBigEndian64(field->data())); }

}  // namespace

// ---- Rows that wait -----------------------------------------------------------------------------------------

absl::Status UnfinishedRows::Begin(Sequence hold, const Fields& expected, bool finished) {
  NW_ASSIGN_OR_RETURN(const Fields* const found, audit_.Find(expected));
  if (finished) {
    audit_.Compare(expected, found);
    return absl::OkStatus();
  }
  Kept& kept = kept_[hold];
  kept.expected = Pack(expected);
  if (found != nullptr) kept.found = Pack(*found);
  return absl::OkStatus();
}

absl::Status UnfinishedRows::Change(Sequence hold, const std::function<absl::StatusOr<bool>(Fields&)>& change) {
  const auto kept = kept_.find(hold);
  if (kept == kept_.end()) {
    return Error(absl::StatusCode::kInternal, "audit: ", ToAbsl(audit_.table().name), " of the hold ", hold.value(),
                 " changed after its end");
  }
  Fields fields = Unpack(kept->second.expected);
  NW_ASSIGN_OR_RETURN(const bool finished, change(fields));
  kept->second.expected = Pack(fields);
  if (!finished) return absl::OkStatus();
  Compare(kept->second);
  kept_.erase(kept);
  return absl::OkStatus();
}

void UnfinishedRows::CompareRest() {
  std::vector<Sequence> holds;
  for (const auto& [hold, kept] : kept_) holds.push_back(hold);
  std::sort(holds.begin(), holds.end());
  for (const Sequence hold : holds) Compare(kept_.at(hold));
  kept_.clear();
}

void UnfinishedRows::Compare(const Kept& kept) {
  const Fields found = kept.found ? Unpack(*kept.found) : Fields();
  audit_.Compare(Unpack(kept.expected), kept.found ? &found : nullptr);
}

// ---- Holds --------------------------------------------------------------------------------------------------

HoldRows::HoldRows(TableAudit& audit)
    : rows_(audit),
      resolved_sequence_(audit.table().IndexOf("resolved_sequence")),
      resolved_at_(audit.table().IndexOf("resolved_at")),
      state_(audit.table().IndexOf("state")),
      amount_(audit.table().IndexOf("amount")),
      captured_(audit.table().IndexOf("captured")),
      released_(audit.table().IndexOf("released")),
      remaining_(audit.table().IndexOf("remaining")) {}

absl::Status HoldRows::Take(const Batch& batch) {
  Rows::Cursor placed(batch.holds);
  for (Fields row; placed.Next(row);) {
    const absl::int128 left = NumberIn(row[amount_]) - NumberIn(row[captured_]) - NumberIn(row[released_]);
    const std::string remaining = NumericField(left);
    row.resize(remaining_ + 1);
    row[remaining_] = remaining;
    NW_RETURN_IF_ERROR(rows_.Begin(SequenceIn(row[0]), row, /*finished=*/left == 0));
  }
  enum : size_t { kSequence, kCaptured, kReleased, kLastSequence, kLastAt, kEnding };  // kHoldUpdates
  Rows::Cursor changed(batch.hold_updates);
  for (Fields update; changed.Next(update);) {
    std::string captured, released, remaining;
    NW_RETURN_IF_ERROR(rows_.Change(SequenceIn(update[kSequence]), [&](Fields& row) -> absl::StatusOr<bool> {
      const absl::int128 moved = NumberIn(update[kCaptured]), freed = NumberIn(update[kReleased]);
      const absl::int128 left = NumberIn(row[remaining_]) - moved - freed;
      row[captured_] = captured = NumericField(NumberIn(row[captured_]) + moved);
      row[released_] = released = NumericField(NumberIn(row[released_]) + freed);
      row[remaining_] = remaining = NumericField(left);
      if (left != 0) return false;
      row[resolved_sequence_] = update[kLastSequence];
      row[resolved_at_] = update[kLastAt];
      row[state_] = update[kEnding];
      return true;
    }));
  }
  return absl::OkStatus();
}

// ---- Payouts ------------------------------------------------------------------------------------------------

PayoutRows::PayoutRows(const Ledger& ledger, Sequence end, TableAudit& audit)
    : ledger_(ledger),
      end_(end),
      rows_(audit),
      hold_sequence_(audit.table().IndexOf("hold_sequence")),
      settled_at_(audit.table().IndexOf("settled_at")),
      updated_sequence_(audit.table().IndexOf("updated_sequence")),
      state_(audit.table().IndexOf("state")),
      paid_(audit.table().IndexOf("paid")),
      returned_(audit.table().IndexOf("returned")) {}

absl::StatusOr<bool> PayoutRows::IsFinished(Sequence hold, Sequence at) const {
  // True of none of the links of what `view` shows.
  const auto quiet = [&](const TransactionView& view) {
    return view.links.size() < kMaxLinkPage &&
           std::none_of(view.links.begin(), view.links.end(), [&](Sequence s) { return s > at && s <= end_; });
  };
  NW_ASSIGN_OR_RETURN(const TransactionView placed, ledger_.GetTransaction(hold));
  if (!quiet(placed)) return false;
  for (const Sequence link : placed.links) {
    if (link > end_) break;
    const absl::StatusOr<TransactionView> work = ledger_.GetTransaction(link);
    if (absl::IsNotFound(work.status())) continue;  // an expiry: nothing works on that
    NW_RETURN_IF_ERROR(work.status());
    if (!quiet(*work)) return false;
  }
  return true;
}

absl::Status PayoutRows::Take(const Batch& batch) {
  Rows::Cursor placed(batch.payouts);
  for (Fields row; placed.Next(row);) {
    const Sequence hold = SequenceIn(row[hold_sequence_]);
    bool finished = false;
    if (row[settled_at_]) {
      NW_ASSIGN_OR_RETURN(finished, IsFinished(hold, batch.last));
    }
    NW_RETURN_IF_ERROR(rows_.Begin(hold, row, finished));
  }
  enum : size_t { kHold, kUpdatedSequence, kSettledAt, kState, kPaid, kReturned };  // kPayoutUpdates
  Rows::Cursor changed(batch.payout_updates);
  for (Fields update; changed.Next(update);) {
    const Sequence hold = SequenceIn(update[kHold]);
    std::string paid, returned;
    NW_RETURN_IF_ERROR(rows_.Change(hold, [&](Fields& row) {
      row[updated_sequence_] = update[kUpdatedSequence];
      row[settled_at_] = update[kSettledAt];
      row[state_] = update[kState];
      row[paid_] = paid = NumericField(NumberIn(row[paid_]) + NumberIn(update[kPaid]));
      row[returned_] = returned = NumericField(NumberIn(row[returned_]) + NumberIn(update[kReturned]));
      return IsFinished(hold, batch.last);
    }));
  }
  return absl::OkStatus();
}

}  // namespace northwind::internal::postgres
