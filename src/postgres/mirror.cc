// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "northwind/postgres.h"
#include "src/postgres/audit.h"
#include "src/postgres/follower.h"
#include "src/postgres/session.h"

namespace northwind {

class Mirror::Core {
 public:
  Core(Ledger& its_ledger, const MirrorOptions& its_options)
      : ledger(its_ledger), options(its_options), follower(its_ledger, its_options) {}

  Ledger& ledger;
  const MirrorOptions options;
  internal::postgres::Follower follower;
};

absl::StatusOr<std::unique_ptr<Mirror>> Mirror::Open(Ledger& ledger, const MirrorOptions& options) {
  NW_RETURN_IF_ERROR(internal::postgres::CheckOptions(options));
  return std::unique_ptr<Mirror>(new Mirror(std::make_unique<Core>(ledger, options)));
}

Mirror::Mirror(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Mirror::~Mirror() = default;

absl::Status Mirror::Start() { return core_->follower.Start(); }
void Mirror::Stop() { core_->follower.Stop(); }
absl::Status Mirror::WaitFor(Sequence sequence, absl::Duration timeout) const {
  return core_->follower.WaitFor(sequence, timeout);
}
MirrorStats Mirror::Stats() const { return core_->follower.Stats(); }
absl::StatusOr<Sequence> Mirror::ReadWatermark() const {
  return internal::postgres::AuditedWatermark(core_->ledger, core_->options);
}
absl::StatusOr<AuditReport> Mirror::Audit(const std::function<bool(const AuditProgress&)>& progress) const {
  return internal::postgres::Audit(core_->ledger, core_->options, progress);
}

}  // namespace northwind
