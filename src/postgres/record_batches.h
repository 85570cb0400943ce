// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_RECORD_BATCHES_H_
#define NORTHWIND_SRC_POSTGRES_RECORD_BATCHES_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/journal.h"

namespace northwind::internal::postgres {

// What a record's rows weigh, as far as records differ: the rest of a row is some hundred bytes.
struct RowWeight {
  size_t postings = 0;  // rows of the table
  size_t bytes = 0;     // of names, references and metadata
};
RowWeight WeightOf(const JournalRecord& record);

// Reads the journal in batches that are bounded by their rows as well as by their number: kMaxMirrorPostings and kMaxMirrorBytes, or one
// record. Where batches end is nothing that rows depend on. Not thread-safe.
class RecordBatches {
 public:
  explicit RecordBatches(JournalReader reader) : reader_(std::move(reader)) {}

  // Up to `limit` records (1 … kMaxJournalPage) after the last one returned. As JournalReader::Next; waits for the first only.
  absl::StatusOr<std::vector<JournalRecord>> Next(size_t limit, absl::Time deadline = absl::InfinitePast());

 private:
  JournalReader reader_;
  std::vector<JournalRecord> page_;  // read; from at_ on not yet returned
  size_t at_ = 0;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_RECORD_BATCHES_H_
