// SPDX-License-Identifier: Apache-2.0
//
// What operators did: one line for each change that somebody asked for through the API, chained by SHA-256, so that one that is taken out
// or altered shows.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_AUDIT_LOG_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_AUDIT_LOG_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/clock.h"
#include "northwind/store.h"

namespace northwind::server {

struct AuditEntry {
  uint64_t number = 0;  // from 1, dense
  absl::Time at;
  std::string request_id;
  std::string actor;               // Caller::actor
  std::string action;              // Route::name
  std::string subject;             // what it was done to: "cutover", "merchant m_42", "key_…"
  std::string detail;              // JSON of what was asked and what came of it, without secrets; up to 4 KiB
  std::array<uint8_t, 32> hash{};  // SHA-256 of the hash before it and of this line
};

// The newest line. What a chain cannot show is that its newest lines were taken off: whoever keeps a head elsewhere can. Hosts write it to
// their log when they start and stop.
struct AuditHead {
  uint64_t number = 0;  // 0: there is none
  std::array<uint8_t, 32> hash{};
  friend bool operator==(const AuditHead&, const AuditHead&) = default;
};

inline constexpr size_t kMaxAuditEntries = 1000;  // of a page

// Thread-safe. Host keys that begin with "server/audit/".
class AuditTrail {
 public:
  // Reads the whole chain: DataLoss if it does not hold.
  static absl::StatusOr<std::unique_ptr<AuditTrail>> Open(Store& store, Clock* clock = nullptr);
  ~AuditTrail();

  // Durable when it returns; number, time and hash are set here. InvalidArgument: a detail of more than 4 KiB, another field of more
  // than 512 bytes. Written before the change is made (detail says "asked"), and again after it (what came of it), so that no change
  // is without a line.
  absl::Status Append(AuditEntry entry);
  // Newest first; before `before` (0: from the newest).
  absl::StatusOr<std::vector<AuditEntry>> List(uint64_t before = 0, size_t limit = 100) const;
  // Reads all of it again. DataLoss, with the first line that does not hold.
  absl::Status Verify() const;
  AuditHead head() const;

 private:
  class Core;
  explicit AuditTrail(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_AUDIT_LOG_H_
