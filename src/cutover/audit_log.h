// SPDX-License-Identifier: Apache-2.0
//
// The audit log: numbered lines, each with a hash over itself and the hash of the line before it.
//
//   "nw/cutover/audit/" be64(number) → u8(1) be64(at, Unix ns) varint(epoch) bytes(actor) bytes(action) bytes(detail)
//                                      bytes(reason) hash(32)
//   hash = SHA-256("northwind/cutover/audit/v1" ‖ hash of the line before(32; zero before the first) ‖ be64(number) ‖ the line's
//          bytes before its own hash)
#ifndef NORTHWIND_SRC_CUTOVER_AUDIT_LOG_H_
#define NORTHWIND_SRC_CUTOVER_AUDIT_LOG_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/cutover.h"
#include "src/cutover/settings.h"
#include "src/store/engine.h"

namespace northwind::internal {

inline constexpr std::string_view kAuditPrefix = "nw/cutover/audit/";
inline constexpr size_t kMaxActorBytes = 128;
inline constexpr size_t kMaxReasonBytes = 1000;
inline constexpr size_t kMaxDetailBytes = 4000;

// InvalidArgument unless both fit their bounds.
absl::Status CheckActor(std::string_view actor);
absl::Status CheckReason(std::string_view reason);

std::string AuditKey(uint64_t number);
// With its hash, which is put into `line` too.
std::string EncodeAuditLine(const Hash256& before, AuditLine& line);
// Without looking at the hash.
absl::StatusOr<AuditLine> DecodeAuditLine(uint64_t number, std::string_view bytes);

// Adds the line after `end`, and moves `end`.
void AppendAuditLine(AuditLine line, AuditEnd& end, WriteSet& writes);

// One line that was written. DataLoss if there is none, or if it does not follow from the line before it.
absl::StatusOr<AuditLine> ReadAuditLine(const Engine& engine, uint64_t number);

// Up to `limit` lines after `after`. DataLoss if the chain does not hold, or does not end where it should.
absl::StatusOr<std::vector<AuditLine>> ReadAuditLog(const Engine& engine, const AuditEnd& end, uint64_t after,
                                                    size_t limit);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_CUTOVER_AUDIT_LOG_H_
