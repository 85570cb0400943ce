// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/cutover/core.h"
#include "src/settlement/event_text.h"

namespace northwind {

using internal::Error;
using internal::MerchantStanding;
using internal::Printable;
using internal::Space;
using internal::WriteSet;

namespace {

absl::Status CheckCount(size_t count) {
  if (count <= kMaxAssignBatch) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "cutover: up to ", kMaxAssignBatch, " ids at a time, not ", count);
}

absl::Status CheckSameMerchant(const Assignment& before, const RouteRequest& request) {
  if (before.merchant_id == request.merchant_id) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "cutover: ", Printable(request.id),
               " was assigned as one of merchant ", Printable(before.merchant_id), ", not ",
               Printable(request.merchant_id));
}

}  // namespace

absl::StatusOr<std::vector<Assignment>> Cutover::Core::Assign(absl::Span<const RouteRequest> requests) {
  NW_RETURN_IF_ERROR(CheckCount(requests.size()));
  for (const RouteRequest& request : requests) {
    NW_RETURN_IF_ERROR(internal::CheckRouteId(request.id));
    NW_RETURN_IF_ERROR(internal::CheckMerchantId(request.merchant_id));
  }
  absl::MutexLock write_lock(&write_mutex_);
  WriteSet writes;
  const Settings settings = WithUnwritten(writes);
  const absl::Time now = clock_.Now();
  absl::flat_hash_map<std::string_view, MerchantStanding> standings;
  absl::flat_hash_map<std::string_view, size_t> seen;  // in this call
  std::vector<Assignment> answers;
  answers.reserve(requests.size());
  uint64_t residue = 0;
  bool made_any = false;
  for (const RouteRequest& request : requests) {
    if (const auto again = seen.find(request.id); again != seen.end()) {
      const Assignment first = answers[again->second];
      NW_RETURN_IF_ERROR(CheckSameMerchant(first, request));
      answers.push_back(first);
      continue;
    }
    seen.emplace(request.id, answers.size());
    NW_ASSIGN_OR_RETURN(std::optional<Assignment> before, internal::ReadAssignment(engine_, request.id));
    if (before.has_value()) {
      NW_RETURN_IF_ERROR(CheckSameMerchant(*before, request));
      answers.push_back(*std::move(before));
      continue;
    }
    auto standing = standings.find(request.merchant_id);
    if (standing == standings.end()) {
      NW_ASSIGN_OR_RETURN(const MerchantStanding read, internal::ReadStanding(engine_, request.merchant_id));
      standing = standings.emplace(request.merchant_id, read).first;
    }
    const auto [system, reason] = internal::Decide(settings, standing->second, request.merchant_id);
    const Assignment& made = answers.emplace_back(Assignment{.id = request.id,
                                                             .merchant_id = request.merchant_id,
                                                             .system = system,
                                                             .reason = reason,
                                                             .epoch = settings.epoch,
                                                             .at = now});
    made_any = true;
    writes.Put(Space::kHost, internal::CutoverKey(internal::kAssignmentPrefix, made.id),
               internal::EncodeAssignment(made));
    if (system != SettlementSystem::kNorthwind) continue;
    writes.Put(Space::kHost, internal::CutoverKey(internal::kResiduePrefix, made.id), "");
    ++residue;
  }
  if (!made_any) return answers;
  Counts counts = this->counts();
  counts.residue += residue;
  NW_RETURN_IF_ERROR(WriteAndTake(settings, counts, writes));
  return answers;
}

absl::StatusOr<Assignment> Cutover::Core::Find(std::string_view id) const {
  NW_RETURN_IF_ERROR(internal::CheckRouteId(id));
  NW_ASSIGN_OR_RETURN(std::optional<Assignment> found, internal::ReadAssignment(engine_, id));
  if (found.has_value()) return *std::move(found);
  return Error(absl::StatusCode::kNotFound, "cutover: ", Printable(id), " is not assigned");
}

SettlementSystem Cutover::Core::Peek(std::string_view merchant_id) const {
  const Settings settings = live();
  const absl::StatusOr<MerchantStanding> standing = internal::ReadStanding(engine_, merchant_id);
  if (!standing.ok()) return SettlementSystem::kBatch;
  return Decide(settings, *standing, merchant_id).first;
}

absl::StatusOr<uint64_t> Cutover::Core::TakeFromResidue(absl::Span<const std::string> ids, WriteSet& writes) const {
  std::set<std::string_view> taken;
  for (const std::string& id : ids) {
    if (!internal::CheckRouteId(id).ok()) continue;
    const std::string key = internal::CutoverKey(internal::kResiduePrefix, id);
    NW_ASSIGN_OR_RETURN(const auto value, engine_.Get(Space::kHost, key));
    if (value.has_value() && taken.insert(id).second) writes.Delete(Space::kHost, key);
  }
  return taken.size();
}

absl::Status Cutover::Core::Finish(absl::Span<const std::string> ids) {
  NW_RETURN_IF_ERROR(CheckCount(ids.size()));
  absl::MutexLock write_lock(&write_mutex_);
  WriteSet writes;
  NW_ASSIGN_OR_RETURN(const uint64_t taken, TakeFromResidue(ids, writes));
  if (taken == 0) return absl::OkStatus();
  Counts counts = this->counts();
  counts.residue -= taken;
  return WriteAndTake(WithUnwritten(writes), counts, writes);
}

}  // namespace northwind
