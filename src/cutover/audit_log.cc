// SPDX-License-Identifier: Apache-2.0
#include "src/cutover/audit_log.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kDomain = "northwind/cutover/audit/v1";
constexpr size_t kHashBytes = std::tuple_size_v<Hash256>;

absl::Status CheckText(std::string_view what, std::string_view text, size_t max) {
  if (!text.empty() && text.size() <= max) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "cutover: ", ToAbsl(what), " must be 1 to ", max, " bytes");
}

std::string Body(const AuditLine& line) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  PutBigEndian64(out, static_cast<uint64_t>(absl::ToUnixNanos(line.at)));
  PutVarint64(out, line.epoch);
  PutBytes(out, line.actor);
  PutBytes(out, line.action);
  PutBytes(out, line.detail);
  PutBytes(out, line.reason);
  return out;
}

Hash256 ChainHash(const Hash256& before, uint64_t number, std::string_view body) {
  std::string place;
  PutBigEndian64(place, number);
  Sha256 hash;
  hash.Update(kDomain);
  hash.Update(AsBytes(before));
  hash.Update(place);
  hash.Update(body);
  return hash.Finish();
}

absl::Status Broken(uint64_t number, std::string_view why) {
  return Error(absl::StatusCode::kDataLoss, "cutover: line ", number, " of the audit log ", ToAbsl(why));
}

struct Found {
  AuditLine line;
  std::string body;  // what the hash is over
};

absl::StatusOr<Found> ReadLine(const Engine& engine, uint64_t number) {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine.Get(Space::kHost, AuditKey(number)));
  if (!value.has_value()) return Broken(number, "is missing");
  Found found;
  NW_ASSIGN_OR_RETURN(found.line, DecodeAuditLine(number, value->view()));
  found.body = value->view().substr(0, value->view().size() - kHashBytes);
  return found;
}

absl::Status CheckFollows(const Hash256& before, const Found& found) {
  if (ChainHash(before, found.line.number, found.body) == found.line.hash) return absl::OkStatus();
  return Broken(found.line.number, "does not follow from the one before it");
}

}  // namespace

absl::Status CheckActor(std::string_view actor) { return CheckText("the actor", actor, kMaxActorBytes); }
absl::Status CheckReason(std::string_view reason) { return CheckText("the reason", reason, kMaxReasonBytes); }

std::string AuditKey(uint64_t number) {
  std::string key(kAuditPrefix);
  PutBigEndian64(key, number);
  return key;
}

std::string EncodeAuditLine(const Hash256& before, AuditLine& line) {
  std::string out = Body(line);
  line.hash = ChainHash(before, line.number, out);
  out.append(AsBytes(line.hash));
  return out;
}

absl::StatusOr<AuditLine> DecodeAuditLine(uint64_t number, std::string_view bytes) {
  ByteReader in(bytes);
  AuditLine line{.number = number};
  uint8_t version = 0;
  uint64_t at = 0;
  std::string_view actor, action, detail, reason, hash;
  if (!in.GetByte(version) || version != kVersion || !in.GetBigEndian64(at) || !in.GetVarint64(line.epoch) ||
      !in.GetBytes(kMaxActorBytes, actor) || !in.GetBytes(kMaxActorBytes, action) ||
      !in.GetBytes(kMaxDetailBytes, detail) || !in.GetBytes(kMaxReasonBytes, reason) || !in.GetRaw(kHashBytes, hash) ||
      !in.AtEnd()) {
    return Broken(number, "is damaged");
  }
  line.at = absl::FromUnixNanos(static_cast<int64_t>(at));
  line.actor = actor;
  line.action = action;
  line.detail = detail;
  line.reason = reason;
  std::memcpy(line.hash.data(), hash.data(), hash.size());
  return line;
}

void AppendAuditLine(AuditLine line, AuditEnd& end, WriteSet& writes) {
  line.number = end.lines + 1;
  line.detail.resize(std::min(line.detail.size(), kMaxDetailBytes));
  writes.Put(Space::kHost, AuditKey(line.number), EncodeAuditLine(end.hash, line));
  end = {.lines = line.number, .hash = line.hash};
}

absl::StatusOr<AuditLine> ReadAuditLine(const Engine& engine, uint64_t number) {
  Hash256 before{};
  if (number > 1) {
    NW_ASSIGN_OR_RETURN(const Found found, ReadLine(engine, number - 1));
    before = found.line.hash;
  }
  NW_ASSIGN_OR_RETURN(Found found, ReadLine(engine, number));
  NW_RETURN_IF_ERROR(CheckFollows(before, found));
  return std::move(found.line);
}

absl::StatusOr<std::vector<AuditLine>> ReadAuditLog(const Engine& engine, const AuditEnd& end, uint64_t after,
                                                    size_t limit) {
  std::vector<AuditLine> lines;
  if (after >= end.lines) return lines;
  Hash256 before{};
  if (after > 0) {
    NW_ASSIGN_OR_RETURN(const Found found, ReadLine(engine, after));
    before = found.line.hash;
  }
  const uint64_t last = after + std::min<uint64_t>(limit, end.lines - after);
  for (uint64_t number = after + 1; number <= last; ++number) {
    NW_ASSIGN_OR_RETURN(Found found, ReadLine(engine, number));
    NW_RETURN_IF_ERROR(CheckFollows(before, found));
    before = found.line.hash;
    lines.push_back(std::move(found.line));
  }
  if (last == end.lines && before != end.hash) return Broken(last, "is not the one that was written last");
  return lines;
}

}  // namespace northwind::internal
