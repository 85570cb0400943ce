// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/quarantine.h"

#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/settlement/event_text.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kIdBytes = 16;
constexpr size_t kMaxDetailBytes = 1024;

bool HasPrefix(std::string_view key) { return key.substr(0, kQuarantinePrefix.size()) == kQuarantinePrefix; }

}  // namespace

std::string QuarantineKey(std::string_view raw) {
  const Hash256 hash = Sha256::Of(raw);
  return std::string(kQuarantinePrefix).append(AsBytes(hash).substr(0, kIdBytes));
}

std::string EncodeQuarantined(const QuarantinedEvent& event) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  out.push_back(static_cast<char>(event.cause));
  out.push_back(static_cast<char>(event.format));
  PutVarint64(out, event.position);
  PutVarint64(out, event.raw_size);
  PutBytes(out, std::string_view(event.detail).substr(0, kMaxDetailBytes));
  PutBytes(out, event.raw);
  return out;
}

absl::StatusOr<QuarantinedEvent> DecodeQuarantined(std::string_view key, std::string_view value) {
  ByteReader in(value);
  QuarantinedEvent event;
  uint8_t version, cause, format;
  std::string_view detail, raw;
  if (!in.GetByte(version) || !in.GetByte(cause) || !in.GetByte(format) || !in.GetVarint64(event.position) ||
      !in.GetVarint64(event.raw_size) || !in.GetBytes(kMaxDetailBytes, detail) || !in.GetBytes(kMaxEventBytes, raw) ||
      !in.AtEnd() || version != kVersion || cause < 1 || cause > 5 || format < 1 || format > 2 || !HasPrefix(key) ||
      key.size() != kQuarantinePrefix.size() + kIdBytes) {
    return Error(absl::StatusCode::kDataLoss, "quarantine record damaged: ", Printable(key));
  }
  event.id = key.substr(kQuarantinePrefix.size());
  event.cause = static_cast<QuarantineCause>(cause);
  event.format = static_cast<EventFormat>(format);
  event.detail = detail;
  event.raw = raw;
  return event;
}

absl::Status Quarantine::Load() {
  Cursor cursor = engine_.NewCursor(Space::kHost);
  for (cursor.Seek(kQuarantinePrefix); cursor.Valid() && HasPrefix(cursor.key()); cursor.Next()) {
    NW_ASSIGN_OR_RETURN(const QuarantinedEvent event, DecodeQuarantined(cursor.key(), cursor.value()));
    fingerprints_.insert(absl::HashOf(std::string_view(event.raw)));
  }
  return cursor.status();
}

absl::Status Quarantine::Add(const RawEvent& event, QuarantineCause cause, std::string_view detail) {
  std::string key = QuarantineKey(event.bytes);
  QuarantinedEvent record{.cause = cause,
                          .detail = std::string(detail),
                          .position = event.position,
                          .format = event.format,
                          .raw = std::string(Cut(event.bytes)),
                          .raw_size = event.bytes.size()};
  if (!fingerprints_.insert(absl::HashOf(Cut(event.bytes))).second) {
    absl::StatusOr<std::optional<PinnedValue>> value = engine_.Get(Space::kHost, key);
    if (!value.ok()) return value.status();
    const auto pending = changes_.find(key);
    const std::string_view before = pending != changes_.end() ? std::string_view(pending->second)
                                    : value->has_value()      ? (*value)->view()
                                                              : std::string_view();
    if (!before.empty()) {
      NW_ASSIGN_OR_RETURN(const QuarantinedEvent old, DecodeQuarantined(key, before));
      if (old.cause == record.cause && old.detail == record.detail) return absl::OkStatus();
      record.position = old.position;
    }
  }
  changes_[std::move(key)] = EncodeQuarantined(record);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<QuarantinedEvent>> Quarantine::Find(std::string_view id) const {
  const std::string key = std::string(kQuarantinePrefix).append(id);
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine_.Get(Space::kHost, key));
  if (!value) return std::nullopt;
  NW_ASSIGN_OR_RETURN(QuarantinedEvent event, DecodeQuarantined(key, value->view()));
  return event;
}

void Quarantine::Discard(const QuarantinedEvent& event) {
  // By its id: of a long event the record has only the beginning, which another may share.
  if (event.raw.size() == event.raw_size) fingerprints_.erase(absl::HashOf(std::string_view(event.raw)));
  changes_[std::string(kQuarantinePrefix).append(event.id)].clear();
}

void Quarantine::Remove(std::string_view raw) {
  fingerprints_.erase(absl::HashOf(Cut(raw)));
  changes_[QuarantineKey(raw)].clear();
}

absl::Status Quarantine::Write() {
  if (changes_.empty()) return absl::OkStatus();
  WriteSet writes;
  for (const auto& [key, value] : changes_) {
    if (value.empty()) {
      writes.Delete(Space::kHost, key);
    } else {
      writes.Put(Space::kHost, key, value);
    }
  }
  NW_RETURN_IF_ERROR(engine_.Write(writes));
  changes_.clear();
  return absl::OkStatus();
}

absl::StatusOr<QuarantinePage> Quarantine::List(std::string_view after, size_t limit) const {
  if (limit < 1 || limit > kMaxQuarantinePage) {
    return Error(absl::StatusCode::kInvalidArgument, "a page holds 1 to ", kMaxQuarantinePage, " events, not ", limit);
  }
  QuarantinePage page;
  const std::string start = std::string(kQuarantinePrefix).append(after);
  Cursor cursor = engine_.NewCursor(Space::kHost);
  cursor.Seek(start);
  if (!after.empty() && cursor.Valid() && cursor.key() == start) cursor.Next();
  for (; cursor.Valid() && HasPrefix(cursor.key()); cursor.Next()) {
    if (page.events.size() == limit) {
      page.next = page.events.back().id;
      break;
    }
    NW_ASSIGN_OR_RETURN(QuarantinedEvent event, DecodeQuarantined(cursor.key(), cursor.value()));
    page.events.push_back(std::move(event));
  }
  NW_RETURN_IF_ERROR(cursor.status());
  return page;
}

}  // namespace northwind::internal
