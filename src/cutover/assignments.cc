// SPDX-License-Identifier: Apache-2.0
#include "src/cutover/assignments.h"

#include "northwind/settlement.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/settlement/event_text.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kVersion = 1;

absl::Status Damaged(std::string_view what, std::string_view of) {
  return Error(absl::StatusCode::kDataLoss, "cutover: the ", ToAbsl(what), " ", Printable(of), " is damaged");
}

bool IsRouteReason(uint8_t value) { return !Name(static_cast<RouteReason>(value)).empty(); }
bool IsSystem(uint8_t value) { return !Name(static_cast<SettlementSystem>(value)).empty(); }

}  // namespace

absl::Status CheckRouteId(std::string_view id) {
  if (!id.empty() && id.size() <= kMaxEventIdBytes && IsIdText(id, Colon::kAllowed)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "cutover: '", Printable(id), "' is no id: 1 to ", kMaxEventIdBytes,
               " characters of A-Z a-z 0-9 . _ : -");
}

absl::Status CheckMerchantId(std::string_view merchant_id) {
  if (!merchant_id.empty() && merchant_id.size() <= kMaxEventIdBytes && IsIdText(merchant_id, Colon::kRefused)) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kInvalidArgument, "cutover: '", Printable(merchant_id), "' is no merchant's id: 1 to ",
               kMaxEventIdBytes, " characters of A-Z a-z 0-9 . _ -");
}

std::string CutoverKey(std::string_view prefix, std::string_view id) { return std::string(prefix).append(id); }

std::string OverrideDetail(std::string_view merchant_id) {
  return absl::StrCat("override of ", ToAbsl(merchant_id), ": ");
}

std::string EncodeCounts(const CutoverCounts& counts) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  for (const uint64_t count : {counts.merchants, counts.allowed, counts.denied, counts.residue}) {
    PutVarint64(out, count);
  }
  return out;
}

absl::StatusOr<CutoverCounts> DecodeCounts(std::string_view bytes) {
  ByteReader in(bytes);
  CutoverCounts counts;
  uint8_t version = 0;
  if (!in.GetByte(version) || version != kVersion || !in.GetVarint64(counts.merchants) ||
      !in.GetVarint64(counts.allowed) || !in.GetVarint64(counts.denied) || !in.GetVarint64(counts.residue) ||
      !in.AtEnd()) {
    return absl::DataLossError("cutover: the counts are damaged");
  }
  return counts;
}

std::string EncodeStanding(const MerchantStanding& standing) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  out.push_back(standing.known ? 1 : 0);
  out.push_back(static_cast<char>(standing.override.has_value() ? static_cast<uint8_t>(*standing.override) : 0));
  return out;
}

absl::StatusOr<MerchantStanding> DecodeStanding(std::string_view merchant_id, std::string_view bytes) {
  ByteReader in(bytes);
  uint8_t version = 0, known = 0, override = 0;
  if (!in.GetByte(version) || version != kVersion || !in.GetByte(known) || known > 1 || !in.GetByte(override) ||
      override > static_cast<uint8_t>(Override::kDeny) || !in.AtEnd()) {
    return Damaged("standing of merchant", merchant_id);
  }
  MerchantStanding standing{.known = known != 0};
  if (override != 0) standing.override = static_cast<Override>(override);
  return standing;
}

std::string EncodeOverride(const IndexedOverride& override) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  out.push_back(static_cast<char>(override.value));
  PutVarint64(out, override.line);
  return out;
}

absl::StatusOr<IndexedOverride> DecodeOverride(std::string_view merchant_id, std::string_view bytes) {
  ByteReader in(bytes);
  IndexedOverride override;
  uint8_t version = 0, value = 0;
  if (!in.GetByte(version) || version != kVersion || !in.GetByte(value) || value < uint8_t{1} ||
      value > static_cast<uint8_t>(Override::kDeny) || !in.GetVarint64(override.line) || override.line == 0 ||
      !in.AtEnd()) {
    return Damaged("override of merchant", merchant_id);
  }
  override.value = static_cast<Override>(value);
  return override;
}

std::string EncodeAssignment(const Assignment& assignment) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  out.push_back(static_cast<char>(assignment.system));
  out.push_back(static_cast<char>(assignment.reason));
  PutVarint64(out, assignment.epoch);
  PutBigEndian64(out, static_cast<uint64_t>(absl::ToUnixNanos(assignment.at)));
  PutBytes(out, assignment.merchant_id);
  return out;
}

absl::StatusOr<Assignment> DecodeAssignment(std::string_view id, std::string_view bytes) {
  ByteReader in(bytes);
  Assignment assignment{.id = std::string(id)};
  uint8_t version = 0, system = 0, reason = 0;
  uint64_t at = 0;
  std::string_view merchant_id;
  if (!in.GetByte(version) || version != kVersion || !in.GetByte(system) || !IsSystem(system) || !in.GetByte(reason) ||
      !IsRouteReason(reason) || !in.GetVarint64(assignment.epoch) || !in.GetBigEndian64(at) ||
      !in.GetBytes(kMaxEventIdBytes, merchant_id) || !in.AtEnd()) {
    return Damaged("assignment of", id);
  }
  assignment.merchant_id = merchant_id;
  assignment.system = static_cast<SettlementSystem>(system);
  assignment.reason = static_cast<RouteReason>(reason);
  assignment.at = absl::FromUnixNanos(static_cast<int64_t>(at));
  return assignment;
}

absl::StatusOr<std::optional<Assignment>> ReadAssignment(const Engine& engine, std::string_view id) {
  NW_ASSIGN_OR_RETURN(const auto value, engine.Get(Space::kHost, CutoverKey(kAssignmentPrefix, id)));
  if (!value.has_value()) return std::nullopt;
  NW_ASSIGN_OR_RETURN(Assignment assignment, DecodeAssignment(id, value->view()));
  return std::optional<Assignment>(std::move(assignment));
}

absl::StatusOr<MerchantStanding> ReadStanding(const Engine& engine, std::string_view merchant_id) {
  NW_ASSIGN_OR_RETURN(const auto value, engine.Get(Space::kHost, CutoverKey(kMerchantPrefix, merchant_id)));
  if (!value.has_value()) return MerchantStanding();
  return DecodeStanding(merchant_id, value->view());
}

}  // namespace northwind::internal
