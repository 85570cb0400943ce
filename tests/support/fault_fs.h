// SPDX-License-Identifier: Apache-2.0
//
// A disk in memory that fails, fills up and loses power on request: what a storage engine is tested on.
//
//   FaultFs disk(seed);
//   auto engine = Engine::Open({.path = "/db"}, disk.env());
//   disk.CutPowerAfter(17);           // the 18th change from now, and all after it, fail and do nothing
//   ... work until an error ...
//   engine->reset();                  // the process is gone
//   disk.Restart(Loss::kUnsynced);    // and so is what was not synced
//   engine = Engine::Open({.path = "/db"}, disk.env());
//
// What survives a loss of power is what POSIX promises and no more: of a file the bytes up to its last successful sync,
// plus a random part of the rest; of a directory the names up to its last sync, plus a random number of the changes
// made since, in order. After a sync that failed, later syncs of that file save nothing more, as on Linux: the kernel
// forgets the pages it could not write.
//
// Every random choice comes from the seed. Not simulated: permissions, renames from one directory into another,
// memory-mapped files, direct I/O. Thread-safe. A program that links this has a usleep() that returns at once.
#ifndef NORTHWIND_TESTS_SUPPORT_FAULT_FS_H_
#define NORTHWIND_TESTS_SUPPORT_FAULT_FS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "rocksdb/env.h"

namespace northwind::testing {

// The changes that can be made to the disk.
enum class DiskOp : uint8_t {
  kCreate,         // a file, or its truncation to nothing
  kAppend,         // to a file
  kSync,           // of a file
  kDirectorySync,  // of the names in a directory
  kRename,
  kLink,
  kDelete,  // of a file or directory
  kMakeDirectory,
  kCount,
};

// An error to come. An append that fails leaves a random part of its bytes behind; other operations that fail do
// nothing.
struct Fault {
  std::optional<DiskOp> op;   // any, if not set
  std::string path_contains;  // any path, if empty
  uint64_t nth = 1;           // which of the matching operations from now on; 1 is the next
  bool forever = false;       // that one and all matching ones after it
  bool no_space = false;      // ENOSPC instead of EIO
};

enum class Loss : uint8_t {
  kNothing,   // the process was killed: the kernel still has all it was given
  kUnsynced,  // power failed
};

// How the unsynced tail of a file comes out of a loss of power.
enum class Tail : uint8_t {
  kTorn,   // a prefix of it is left: how a file system behaves that orders a file's size after its data
  kHoles,  // of that prefix, some sectors of 512 bytes are zeros
};

class FaultFs {
 public:
  explicit FaultFs(uint64_t seed = 1);
  // Everything opened on env() must be gone.
  ~FaultFs();
  FaultFs(const FaultFs&) = delete;
  FaultFs& operator=(const FaultFs&) = delete;

  // Paths are absolute; "/" exists and is empty.
  rocksdb::Env* env();

  // ---- Faults ---------------------------------------------------------------------------------------------

  // Adds to the faults injected before.
  void Inject(const Fault& fault);
  void ClearFaults();

  // Appends beyond it fail with ENOSPC after they wrote what fits; deleting files gives space back.
  void SetFreeSpace(uint64_t bytes);

  // After that many more changes, every change fails and does nothing, until Restart.
  void CutPowerAfter(uint64_t changes);
  void CutPower() { CutPowerAfter(0); }
  bool PowerIsCut() const;

  // Brings the disk back. Everything opened on env() must be closed. Faults are cleared; the free space stays as set.
  void Restart(Loss loss, Tail tail = Tail::kTorn);

  // ---- Looking --------------------------------------------------------------------------------------------

  // Changes tried so far, failed ones included.
  uint64_t changes() const;
  uint64_t changes(DiskOp op) const;

  // Flips every bit of `count` bytes of a file. Aborts if there are none such.
  void Damage(const std::string& path, uint64_t offset, uint64_t count = 1);
  uint64_t FileSize(const std::string& path) const;

 private:
  class FileSystem;
  std::shared_ptr<FileSystem> file_system_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_FAULT_FS_H_
