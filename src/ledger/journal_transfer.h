// SPDX-License-Identifier: Apache-2.0
//
// Journals that leave one store and enter another.
//
//   file  = "northwind/export/v1\n" uuid(16) { be32(bytes of block) block } be32(0) be64(head sequence) head hash(32)
//   block = a journal value, byte for byte (block.h)
#ifndef NORTHWIND_SRC_LEDGER_JOURNAL_TRANSFER_H_
#define NORTHWIND_SRC_LEDGER_JOURNAL_TRANSFER_H_

#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/sequence.h"
#include "src/store/engine.h"

namespace northwind::internal {

absl::StatusOr<Head> ExportJournal(Engine& engine, const Head& head, const std::string& path);
absl::StatusOr<Head> ImportJournal(Engine& engine, const std::string& path);

// FailedPrecondition if an import into this store was begun and not finished.
absl::Status CheckNoImportUnderWay(Engine& engine);

// The head of the journal in a copy made by Engine::Checkpoint. DataLoss if that is not a copy of this ledger.
absl::StatusOr<Head> HeadOfCopy(const std::string& directory, const std::array<uint8_t, 16>& uuid);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_JOURNAL_TRANSFER_H_
