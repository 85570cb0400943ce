// SPDX-License-Identifier: Apache-2.0
//
// The audit trail in memory, and no credentials: what routes are tested with where auth/ is not built.
#include "absl/synchronization/mutex.h"
#include "examples/reference_server/auth/audit_log.h"
#include "examples/reference_server/auth/credentials.h"

namespace northwind::server {

class AuditTrail::Core {
 public:
  absl::Mutex mutex;
  std::vector<AuditEntry> entries ABSL_GUARDED_BY(mutex);
};

AuditTrail::AuditTrail(std::unique_ptr<Core> core) : core_(std::move(core)) {}
AuditTrail::~AuditTrail() = default;
absl::StatusOr<std::unique_ptr<AuditTrail>> AuditTrail::Open(Store& /*store*/, Clock* /*clock*/) {
  return std::unique_ptr<AuditTrail>(new AuditTrail(std::make_unique<Core>()));
}
absl::Status AuditTrail::Append(AuditEntry entry) {
  absl::MutexLock lock(&core_->mutex);
  entry.number = core_->entries.size() + 1;
  core_->entries.push_back(std::move(entry));
  return absl::OkStatus();
}
absl::StatusOr<std::vector<AuditEntry>> AuditTrail::List(uint64_t /*before*/, size_t /*limit*/) const {
  absl::MutexLock lock(&core_->mutex);
  return std::vector<AuditEntry>(core_->entries.rbegin(), core_->entries.rend());
}
absl::Status AuditTrail::Verify() const { return absl::OkStatus(); }

class Credentials::Core {};
Credentials::~Credentials() = default;
absl::StatusOr<Caller> Credentials::Authenticate(const Request& /*request*/) { return Caller{}; }
bool Credentials::HasCsrfToken(const Request& /*request*/, const Caller& /*caller*/) { return false; }
std::optional<absl::Duration> Credentials::OverRate(const Request& /*request*/, const Caller& /*caller*/) {
  return std::nullopt;
}

}  // namespace northwind::server
