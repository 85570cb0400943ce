// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_LEDGER_CORE_H_
#define NORTHWIND_SRC_LEDGER_LEDGER_CORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "northwind/ledger.h"
#include "src/ledger/applier.h"
#include "src/ledger/auditor.h"
#include "src/ledger/checkpointer.h"
#include "src/ledger/commit_pipeline.h"
#include "src/ledger/history.h"
#include "src/ledger/index.h"
#include "src/ledger/journal_store.h"
#include "src/ledger/reader.h"
#include "src/ledger/view.h"
#include "src/store/engine.h"

namespace northwind::internal {

// The parts of a ledger in the order of their dependence, and how they come up and go down.
class LedgerCore {
 public:
  static absl::StatusOr<std::unique_ptr<LedgerCore>> Open(Engine& engine, const LedgerOptions& options);
  ~LedgerCore();

  absl::Status Close();
  absl::Status WriteIndexes();
  absl::StatusOr<VerifyReport> Verify(const VerifyOptions& options);
  LedgerStats Stats() const;

  Engine& engine() { return engine_; }
  const View& view() const { return view_; }
  const Reader& reader() const { return reader_; }
  JournalStore& journal() { return journal_; }
  CommitPipeline& pipeline() { return *pipeline_; }

 private:
  LedgerCore(Engine& engine, const LedgerOptions& options);

  // The last index checkpoint into view and indexes; where the journal must go on.
  absl::StatusOr<Watermark> LoadCheckpoint();
  absl::Status DropIndexes();
  absl::Status LoadAccounts();
  absl::Status LoadHolds();
  // The block that ends at the checkpoint must be there, with its hash.
  absl::Status CheckAnchor(const Watermark& watermark);
  absl::Status ReplayAfter(uint64_t sequence);
  // The parts of verification that look at memory: what follows the last index checkpoint.
  absl::Status VerifyRecentKeys(const Block& block, uint64_t head) const;
  absl::Status VerifyRecentHistory(uint64_t after, Auditor& auditor, uint64_t seed) const;

  Engine& engine_;
  const LedgerOptions options_;
  JournalStore journal_;
  Index index_;
  History history_;
  View view_;
  Reader reader_;
  Applier applier_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<CommitPipeline> pipeline_;
  uint64_t replayed_ = 0;

  mutable absl::Mutex close_mutex_;
  bool closed_ ABSL_GUARDED_BY(close_mutex_) = false;
  absl::Status close_status_ ABSL_GUARDED_BY(close_mutex_);
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_LEDGER_CORE_H_
