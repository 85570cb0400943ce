// SPDX-License-Identifier: Apache-2.0
//
// A gate in front of the syncs of the write-ahead log, so that a test can look at a commit that is written but not yet
// durable.
//
//   SyncGate gate(disk.env());
//   ... open a store on gate.env() ...
//   gate.Close();
//   ledger->CommitAsync(...);
//   gate.AwaitSync();                 // the block is written; its sync stands at the gate
//   EXPECT_EQ(ledger->Head(), before);
//   gate.Open();
#ifndef NORTHWIND_TESTS_SUPPORT_SYNC_GATE_H_
#define NORTHWIND_TESTS_SUPPORT_SYNC_GATE_H_

#include <memory>

#include "rocksdb/env.h"

namespace northwind::testing {

// Thread-safe. Starts open.
class SyncGate {
 public:
  // `base` must outlive it, and it everything that is opened on env().
  explicit SyncGate(rocksdb::Env* base);
  ~SyncGate();
  SyncGate(const SyncGate&) = delete;
  SyncGate& operator=(const SyncGate&) = delete;

  rocksdb::Env* env();

  // From now on syncs of log files wait.
  void Close();
  // Returns once a sync waits.
  void AwaitSync();
  // Lets those that wait, and all later ones, through.
  void Open();
  // Likewise, but those that wait fail with an I/O error and do nothing.
  void OpenWithFailure();

 private:
  struct State;
  class File;
  class FileSystem;
  std::shared_ptr<State> state_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_SYNC_GATE_H_
