// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_WRITER_H_
#define NORTHWIND_SRC_POSTGRES_WRITER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "northwind/sequence.h"
#include "src/postgres/connection.h"
#include "src/postgres/projection.h"

namespace northwind::internal::postgres {

// Brings batches to a server, each in a transaction of its own that moves the watermark. Any error ends it: what became of the
// transaction is then to be read from the watermark, on a new connection.
class Writer {
 public:
  // The connection is its own from now on, and must outlive it.
  Writer(Connection& connection, std::string ledger_id, int64_t epoch)
      : connection_(connection), ledger_id_(std::move(ledger_id)), epoch_(epoch) {}

  absl::Status Prepare(Deadline deadline);

  // Sends a batch, in one go (pipeline mode), as arrays. `block_hash`: see Watermark. The server has all of it when this returns, and is
  // still at work: Await waits for its COMMIT.
  absl::Status Send(const Batch& batch, const Hash256& block_hash, Deadline deadline);
  // The same, but rows that are new go by COPY, statement by statement.
  absl::Status Copy(const Batch& batch, const Hash256& block_hash, Deadline deadline);
  absl::Status Await(Deadline deadline);

  // After an error: whether COMMIT may have been done.
  bool ambiguous() const { return ambiguous_; }

 private:
  absl::Status EnterPipeline();
  absl::Status Queue(const std::string& statement, absl::Span<const Parameter> parameters);
  absl::Status QueueRows(const Rows& rows, const std::string& statement);
  // What changes rows that are there, and COMMIT.
  absl::Status SendRest(const Batch& batch, Deadline deadline);
  absl::Status CopyRows(const Rows& rows, Deadline deadline);
  absl::Status Libpq() const;

  Connection& connection_;
  const std::string ledger_id_;
  const int64_t epoch_;
  absl::flat_hash_set<std::string> months_;  // whose partitions are known to be there
  bool ambiguous_ = false;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_WRITER_H_
