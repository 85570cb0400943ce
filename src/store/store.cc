// SPDX-License-Identifier: Apache-2.0
#include "northwind/store.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "northwind/transaction.h"
#include "src/store/engine.h"

namespace northwind {
namespace {

constexpr std::string_view kReserved = "nw/";

absl::Status CheckChange(const HostChange& change) {
  if (change.key.empty() || change.key.size() > kMaxHostKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("host record's key: must be of 1 to ", kMaxHostKeyBytes, " bytes, not ", change.key.size()));
  }
  if (change.key.compare(0, kReserved.size(), kReserved) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("host record's key: begins with 'nw/', which is northwind's own: ", absl::CHexEscape(change.key)));
  }
  if (change.value.has_value() && change.value->size() > kMaxHostChangeBytes) {
    return absl::InvalidArgumentError(absl::StrCat("host record's value: must be of at most ", kMaxHostChangeBytes,
                                                   " bytes, not ", change.value->size()));
  }
  return absl::OkStatus();
}

}  // namespace

Store::Store(std::unique_ptr<internal::Engine> engine) : engine_(std::move(engine)) {}
Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  NW_ASSIGN_OR_RETURN(auto engine, internal::Engine::Open(options));
  return std::unique_ptr<Store>(new Store(std::move(engine)));
}

absl::StatusOr<std::optional<std::string>> Store::Get(std::string_view key) const {
  NW_ASSIGN_OR_RETURN(const auto value, engine_->Get(internal::Space::kHost, key));
  if (!value.has_value()) return std::nullopt;
  return std::optional<std::string>(value->view());
}

absl::StatusOr<std::vector<HostEntry>> Store::List(std::string_view prefix, std::string_view after,
                                                   size_t limit) const {
  if (limit < 1 || limit > kMaxHostPage) {
    return absl::InvalidArgumentError(absl::StrCat("limit: must be from 1 to ", kMaxHostPage, ", not ", limit));
  }
  std::vector<HostEntry> entries;
  internal::Cursor cursor = engine_->NewCursor(internal::Space::kHost);
  const bool goes_on = !after.empty() && after >= prefix;
  cursor.Seek(goes_on ? after : prefix);
  if (goes_on && cursor.Valid() && cursor.key() == after) cursor.Next();
  size_t bytes = 0;
  for (; cursor.Valid() && entries.size() < limit && bytes < kMaxHostWriteBytes; cursor.Next()) {
    if (cursor.key().substr(0, prefix.size()) != prefix) break;
    bytes += cursor.key().size() + cursor.value().size();
    entries.push_back({std::string(cursor.key()), std::string(cursor.value())});
  }
  NW_RETURN_IF_ERROR(cursor.status());
  return entries;
}

absl::Status Store::Write(absl::Span<const HostChange> changes) {
  if (changes.size() > kMaxHostChanges) {
    return absl::InvalidArgumentError(
        absl::StrCat("host records: at most ", kMaxHostChanges, " in one write, not ", changes.size()));
  }
  internal::WriteSet writes;
  size_t bytes = 0;
  for (const HostChange& change : changes) {
    NW_RETURN_IF_ERROR(CheckChange(change));
    bytes += change.key.size() + (change.value.has_value() ? change.value->size() : 0);
    if (bytes > kMaxHostWriteBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("host records: at most ", kMaxHostWriteBytes, " bytes of keys and values in one write"));
    }
    if (change.value.has_value()) {
      writes.Put(internal::Space::kHost, change.key, *change.value);
    } else {
      writes.Delete(internal::Space::kHost, change.key);
    }
  }
  return writes.empty() ? absl::OkStatus() : engine_->Write(writes);
}

const std::string& Store::path() const { return engine_->path(); }
bool Store::shadow() const { return engine_->shadow(); }

}  // namespace northwind
