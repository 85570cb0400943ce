// SPDX-License-Identifier: Apache-2.0
//
// Reading: pinned values, cursors and snapshots.
#include "src/store/cursor.h"

#include <utility>

#include "northwind/interrupt.h"
#include "northwind/status.h"
#include "src/store/options.h"
#include "src/store/rocks_status.h"

namespace northwind::internal {

absl::StatusOr<bool> ReadKey(const Database& database, Space space, std::string_view key,
                             const rocksdb::Snapshot* snapshot, rocksdb::PinnableSlice& slice) {
  rocksdb::ReadOptions read = PointRead(space);
  read.snapshot = snapshot;
  const rocksdb::Status status = database.db().Get(read, database.handle(space), ToSlice(key), &slice);
  if (status.IsNotFound()) return false;
  NW_RETURN_IF_ERROR(ToStatus(status, "reading", space, key));
  return true;
}

// ---- PinnedValue --------------------------------------------------------------------------------------------

PinnedValue::PinnedValue() = default;
PinnedValue::~PinnedValue() = default;
PinnedValue::PinnedValue(PinnedValue&&) noexcept = default;
PinnedValue& PinnedValue::operator=(PinnedValue&&) noexcept = default;

std::string_view PinnedValue::view() const { return rep_ == nullptr ? std::string_view() : FromSlice(rep_->slice); }

// ---- Cursor -------------------------------------------------------------------------------------------------

Cursor::Rep::Rep(const Database& database, Space of, const CursorOptions& options, const rocksdb::Snapshot* snapshot)
    : space(of), interruptible(options.interruptible) {
  rocksdb::ReadOptions read = CursorRead(options);
  read.snapshot = snapshot;
  if (options.same_prefix) {
    prefix = database.options(space).prefix_extractor;
    NW_CHECK(prefix != nullptr, "same_prefix in a space without prefixes");
  }
  iterator.reset(database.db().NewIterator(read, database.handle(space)));
}

Cursor::Cursor() = default;
Cursor::~Cursor() = default;
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;

bool Cursor::Valid() const { return rep_ != nullptr && !rep_->interrupted && rep_->iterator->Valid(); }

void Cursor::SeekToFirst() {
  NW_CHECK(rep_ != nullptr && rep_->prefix == nullptr, "SeekToFirst on a cursor without a space or of one prefix");
  rep_->sought.clear();
  rep_->iterator->SeekToFirst();
}

void Cursor::SeekToLast() {
  NW_CHECK(rep_ != nullptr && rep_->prefix == nullptr, "SeekToLast on a cursor without a space or of one prefix");
  rep_->sought.clear();
  rep_->iterator->SeekToLast();
}

void Cursor::Seek(std::string_view key) {
  NW_CHECK(rep_ != nullptr, "Seek on a cursor without a space");
  // RocksDB would compare prefixes of arbitrary memory.
  NW_CHECK(rep_->prefix == nullptr || rep_->prefix->InDomain(ToSlice(key)), "Seek to less than a whole prefix");
  rep_->sought = key;
  rep_->iterator->Seek(ToSlice(key));
}

void Cursor::SeekForPrev(std::string_view key) {
  NW_CHECK(rep_ != nullptr && rep_->prefix == nullptr, "SeekForPrev on a cursor without a space or of one prefix");
  rep_->sought = key;
  rep_->iterator->SeekForPrev(ToSlice(key));
}

void Cursor::Next() {
  rep_->iterator->Next();
  if (rep_->interruptible && Interrupted()) rep_->interrupted = true;
}
void Cursor::Prev() { rep_->iterator->Prev(); }
std::string_view Cursor::key() const { return FromSlice(rep_->iterator->key()); }
std::string_view Cursor::value() const { return FromSlice(rep_->iterator->value()); }

absl::Status Cursor::status() const {
  if (rep_ == nullptr) return absl::OkStatus();
  if (rep_->interrupted) return absl::CancelledError("interrupted");
  return ToStatus(rep_->iterator->status(), "walking from", rep_->space, rep_->sought);
}

// ---- Snapshot -----------------------------------------------------------------------------------------------

Snapshot::Snapshot(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Snapshot::~Snapshot() = default;

absl::StatusOr<std::optional<PinnedValue>> Snapshot::Get(Space space, std::string_view key) const {
  PinnedValue value;
  value.rep_ = std::make_unique<PinnedValue::Rep>();
  NW_ASSIGN_OR_RETURN(const bool found, ReadKey(rep_->database, space, key, rep_->snapshot, value.rep_->slice));
  if (!found) return std::nullopt;
  return std::optional<PinnedValue>(std::move(value));
}

Cursor Snapshot::NewCursor(Space space, const CursorOptions& options) const {
  Cursor cursor;
  cursor.rep_ = std::make_unique<Cursor::Rep>(rep_->database, space, options, rep_->snapshot);
  return cursor;
}

}  // namespace northwind::internal
