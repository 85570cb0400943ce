// SPDX-License-Identifier: Apache-2.0
//
// The durable list of events that could not be applied: records in the store's host space, next to the host's own.
#ifndef NORTHWIND_SRC_SETTLEMENT_QUARANTINE_H_
#define NORTHWIND_SRC_SETTLEMENT_QUARANTINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/settlement.h"
#include "src/store/engine.h"

namespace northwind::internal {

// Record: key = "nw/quarantine/" and the first 16 bytes of SHA-256 of the raw event;
//   value  := version(1 byte = 1) cause(1 byte) format(1 byte) varint(position) varint(raw size) bytes(detail) bytes(raw)
//   bytes(s) := varint(size of s) s
// with `raw` cut at kMaxEventBytes.
inline constexpr std::string_view kQuarantinePrefix = "nw/quarantine/";
std::string QuarantineKey(std::string_view raw);
std::string EncodeQuarantined(const QuarantinedEvent& event);
// DataLoss if the record is damaged.
absl::StatusOr<QuarantinedEvent> DecodeQuarantined(std::string_view key, std::string_view value);

// Collects changes and writes them together. Not thread-safe, but for List.
class Quarantine {
 public:
  explicit Quarantine(Engine& engine) : engine_(engine) {}

  // Reads what is there.
  absl::Status Load();

  // To be set aside. An event that is there already keeps the place where it was first seen, and takes the new cause.
  absl::Status Add(const RawEvent& event, QuarantineCause cause, std::string_view detail);
  // The ledger has answered the event: takes it out if it is there. Costs a hash of the bytes if nothing is.
  void Settled(std::string_view raw) {
    if (!fingerprints_.empty() && fingerprints_.contains(absl::HashOf(Cut(raw)))) Remove(raw);
  }
  // One event; nothing if it is not there.
  absl::StatusOr<std::optional<QuarantinedEvent>> Find(std::string_view id) const;
  void Discard(const QuarantinedEvent& event);
  // Makes all changes since the last Write durable. After an error they are still to be written.
  absl::Status Write();

  absl::StatusOr<QuarantinePage> List(std::string_view after, size_t limit) const;

 private:
  static std::string_view Cut(std::string_view raw) { return raw.substr(0, kMaxEventBytes); }
  void Remove(std::string_view raw);

  Engine& engine_;
  // Of every raw event in quarantine, so that nearly all events cost no read: eight bytes each.
  absl::flat_hash_set<size_t> fingerprints_;
  // Key → value to be put, or empty to be deleted.
  absl::flat_hash_map<std::string, std::string> changes_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_QUARANTINE_H_
