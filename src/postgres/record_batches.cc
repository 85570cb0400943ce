// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/record_batches.h"

#include <algorithm>
#include <variant>

#include "northwind/postgres.h"
#include "northwind/status.h"

namespace northwind::internal::postgres {
namespace {

// Records are read in pieces: of the largest, so many are some MB.
constexpr size_t kPage = 512;

RowWeight WeightOfBody(const AccountOpened& opened) { return {.bytes = opened.spec.name.size()}; }
RowWeight WeightOfBody(const AccountChanged&) { return {}; }
RowWeight WeightOfBody(const TransactionRecorded& recorded) {
  const Transaction& t = recorded.transaction;
  RowWeight weight{.bytes = t.reference.size() + t.metadata.size()};
  if (recorded.outcome == Outcome::kApplied) {
    weight.postings = 2 * recorded.moved.size() + (recorded.released.is_zero() ? 0 : 2);
  }
  return weight;
}
RowWeight WeightOfBody(const HoldExpired&) { return {.postings = 2}; }

}  // namespace

RowWeight WeightOf(const JournalRecord& record) {
  return std::visit([](const auto& body) { return WeightOfBody(body); }, record.body);
}

absl::StatusOr<std::vector<JournalRecord>> RecordBatches::Next(size_t limit, absl::Time deadline) {
  std::vector<JournalRecord> batch;
  RowWeight sum;
  while (batch.size() < limit) {
    if (at_ == page_.size()) {
      const absl::Time until = batch.empty() ? deadline : absl::InfinitePast();
      at_ = 0;
      page_.clear();
      NW_ASSIGN_OR_RETURN(page_, reader_.Next(std::min(limit - batch.size(), kPage), until));
      if (page_.empty()) break;
    }
    const RowWeight weight = WeightOf(page_[at_]);
    sum.postings += weight.postings;
    sum.bytes += weight.bytes;
    if (!batch.empty() && (sum.postings > kMaxMirrorPostings || sum.bytes > kMaxMirrorBytes)) break;
    batch.push_back(std::move(page_[at_++]));
  }
  return batch;
}

}  // namespace northwind::internal::postgres
