// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/compare/checks.h"
#include "src/compare/core.h"
#include "src/compare/discrepancy_list.h"
#include "src/settlement/event_text.h"

namespace northwind {

using internal::Error;
using internal::Printable;
using internal::WriteSet;
using namespace internal::compare;  // NOLINT(google-build-using-namespace)

absl::StatusOr<DiscrepancyPage> ParallelRun::Core::ListDiscrepancies(const DiscrepancyQuery& query) const {
  NW_RETURN_IF_ERROR(CheckLimit(query.limit, kMaxDiscrepancyPage));
  const absl::MutexLock lock(&mutex_);
  return ListDiscrepanciesOf(run_, query);
}

absl::StatusOr<Discrepancy> ParallelRun::Core::GetDiscrepancy(std::string_view id) {
  const absl::MutexLock lock(&mutex_);
  NW_ASSIGN_OR_RETURN(const DiscrepancyRecord record, Find(id));
  NW_ASSIGN_OR_RETURN(Discrepancy shown, ShowDiscrepancy(run_, id, record));
  for (OurRow& row : shown.ours) {
    NW_ASSIGN_OR_RETURN(row.raw, side_.EventOf(row.records.front()));
  }
  return shown;
}

absl::Status ParallelRun::Core::Decide(DiscrepancyState state, std::string_view id, std::string_view actor,
                                       std::string_view reason) {
  NW_RETURN_IF_ERROR(CheckActor(actor));
  NW_RETURN_IF_ERROR(CheckReason(reason));
  const absl::MutexLock lock(&mutex_);
  NW_ASSIGN_OR_RETURN(const DiscrepancyRecord record, Find(id));
  if (record.agreed) {
    return Error(absl::StatusCode::kFailedPrecondition, Printable(id), " is resolved: the sides agree");
  }
  Standing standing = run_.standing;
  WriteSet writes;
  ItemBatch batch(run_, standing, Now());
  NW_RETURN_IF_ERROR(batch.Decide(
      id,
      [&](const Judge& judge, DiscrepancyRecord& found) {
        return internal::compare::Decide(state, actor, reason, judge, found);
      },
      writes));
  return Commit(writes, std::move(standing));
}

absl::Status ParallelRun::Core::AddRule(const IgnoreRule& rule) {
  const absl::MutexLock lock(&mutex_);
  Standing standing = run_.standing;
  NW_RETURN_IF_ERROR(standing.rules.Add(rule));
  WriteSet writes;
  standing.rules.WriteChanges(writes);
  return Commit(writes, std::move(standing));
}

absl::Status ParallelRun::Core::RetireRule(std::string_view id, std::string_view actor) {
  NW_RETURN_IF_ERROR(CheckActor(actor));
  const absl::MutexLock lock(&mutex_);
  Standing standing = run_.standing;
  NW_RETURN_IF_ERROR(standing.rules.Retire(id));
  WriteSet writes;
  standing.rules.WriteChanges(writes);
  NW_RETURN_IF_ERROR(Commit(writes, std::move(standing)));
  return UncoverAll(id);  // a crash before it is done: the next open does the rest
}

std::vector<IgnoreRule> ParallelRun::Core::Rules() const {
  const absl::MutexLock lock(&mutex_);
  return run_.standing.rules.Active();
}

absl::StatusOr<DiscrepancyRecord> ParallelRun::Core::Find(std::string_view id) const {
  NW_ASSIGN_OR_RETURN(std::optional<DiscrepancyRecord> record, ReadDiscrepancy(engine(), id));
  if (!record) return Error(absl::StatusCode::kNotFound, "no discrepancy ", Printable(id));
  return *std::move(record);
}

absl::Status ParallelRun::Core::UncoverExpired() {
  for (const std::string& id : run_.standing.rules.Expired(Now())) NW_RETURN_IF_ERROR(UncoverAll(id));
  return absl::OkStatus();
}

absl::Status ParallelRun::Core::UncoverAll(std::string_view rule) {
  constexpr size_t kBatch = 2'000;
  std::string after;
  bool more = true;
  while (more) {
    std::vector<std::string> names;
    more = false;
    NW_RETURN_IF_ERROR(EachDiscrepancy(
        engine(), after, [&](std::string_view name, const DiscrepancyRecord& record) -> absl::StatusOr<bool> {
          more = names.size() == kBatch;
          if (more) return false;
          if (std::find(record.rules.begin(), record.rules.end(), rule) != record.rules.end()) names.emplace_back(name);
          return true;
        }));
    if (names.empty()) return absl::OkStatus();
    after = names.back();
    Standing standing = run_.standing;
    ItemBatch batch(run_, standing, Now());
    for (std::string& name : names) batch.Review(std::move(name));
    WriteSet writes;
    NW_RETURN_IF_ERROR(batch.Run(writes));
    NW_RETURN_IF_ERROR(Commit(writes, std::move(standing)));
  }
  return absl::OkStatus();
}

}  // namespace northwind
