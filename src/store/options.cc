// SPDX-License-Identifier: Apache-2.0
#include "src/store/options.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "rocksdb/convenience.h"
#include "rocksdb/env.h"
#include "rocksdb/file_checksum.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"

namespace northwind::internal {
namespace {

// The prefix of a key in kReferences (BE code, length byte, reference, BE sequence): all but the sequence. The length
// byte makes a prefix self-delimiting, so that a bare prefix is its own prefix and all keys of one are neighbours.
class ReferencePrefix final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "northwind.reference"; }
  bool InDomain(const rocksdb::Slice& key) const override { return key.size() >= kHeader && key.size() >= Size(key); }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), Size(key)}; }
  bool SameResultWhenAppended(const rocksdb::Slice& prefix) const override { return InDomain(prefix); }

 private:
  static constexpr size_t kHeader = 3;
  static size_t Size(const rocksdb::Slice& key) { return kHeader + static_cast<uint8_t>(key[2]); }
};

// LZ4 if RocksDB was built with it.
rocksdb::CompressionType FastCompression() {
  const std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  return lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

rocksdb::BlockBasedTableOptions TableOptions(Space space, std::shared_ptr<rocksdb::Cache> block_cache) {
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.block_cache = std::move(block_cache);
  // Index and filter blocks live in the cache too, so that its size bounds the memory of a store of any age. They are
  // cut into small pieces, so that a look-up loads kilobytes of them, and kept in preference to data.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.pin_top_level_index_and_filter = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.block_size = 8 << 10;
  switch (space) {
    case Space::kIds:  // "was this key ever seen?": nearly always no
    case Space::kHost:
      table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
      table.partition_filters = true;
      table.whole_key_filtering = true;
      break;
    case Space::kReferences:  // "was this reference ever used?", "was anything done to this transaction?": likewise,
    case Space::kLinks:       // asked by prefix
      table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
      table.partition_filters = true;
      table.whole_key_filtering = false;
      break;
    case Space::kEntries:
      table.block_size = 16 << 10;  // a few chunks of about 3 KiB
      break;
    default:
      break;
  }
  return table;
}

}  // namespace

rocksdb::DBOptions DatabaseOptions(const StoreOptions& options, rocksdb::Env* env,
                                   std::shared_ptr<rocksdb::EventListener> listener) {
  rocksdb::DBOptions db;
  db.env = env;

  // A torn tail of the log is what every crash leaves, and must not keep the store shut (kAbsoluteConsistency would).
  // Damage before the tail must not silently drop what follows it (kPointInTimeRecovery does). What this mode cannot
  // see, a zeroed header with writes after it, and what it takes for damage and is none, holes in a last write that never
  // finished, is told apart when the store is opened (log_tail.h); a cut at a record's edge inside the journal, its hash
  // chain finds.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  db.paranoid_checks = true;
  // Whole-file checksums, kept in the manifest: `ldb file_checksum_dump` and backups can check a file without opening
  // it.
  db.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();

  // Never resume after an error: a resume after a full disk reports success while writes still fail (rocksdb #11643).
  // The listener poisons the engine instead, and opening again finds the truth.
  db.max_bgerror_resume_count = 0;
  db.listeners.push_back(std::move(listener));

  // Left alone on purpose, because a write must be on disk, whole and in order, when it returns: manual_wal_flush,
  // wal_compression, recycle_log_file_num, enable_pipelined_write, unordered_write, two_write_queues, use_fsync (the
  // log is made durable by fdatasync, which also commits its size). track_and_verify_wals_in_manifest has trouble of
  // its own (rocksdb #10892), and the hash chain finds a missing log. atomic_flush can hang after a failed flush
  // (rocksdb #11872).
  db.max_total_wal_size = 4 * options.write_buffer_bytes;  // bounds the time to open, and the disk that logs take

  // What a cursor was the last to hold is given back on RocksDB's own thread, not on the reader's. Without this, RocksDB
  // 7.8.3 does not wake those that wait for that to be over, and a checkpoint may wait for ever (rocksdb #14069).
  db.avoid_unnecessary_blocking_io = true;

  // One flush thread (more deadlock, rocksdb #11865) and one for compaction.
  db.max_background_jobs = 2;
  // Written back bit by bit, so that the sync of a table does not stand before the sync of a commit.
  db.bytes_per_sync = 1 << 20;
  // Compaction reads a file through once; the page cache alone reads ahead too little.
  db.compaction_readahead_size = 2 << 20;
  db.max_open_files = -1;
  db.skip_stats_update_on_db_open = true;  // opening reads no table for the sake of statistics
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.max_log_file_size = 4 << 20;  // RocksDB's own text log
  db.keep_log_file_num = 4;
  return db;
}

rocksdb::ColumnFamilyOptions SpaceOptions(Space space, const StoreOptions& options,
                                          std::shared_ptr<rocksdb::Cache> block_cache) {
  rocksdb::ColumnFamilyOptions cf;
  cf.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(space, std::move(block_cache))));
  cf.level_compaction_dynamic_level_bytes = true;
  cf.target_file_size_base = 64 << 20;
  cf.force_consistency_checks = true;
  // Keys and hashes are most of what the small indexes hold. LZ4 there would save a tenth of the store's disk, and cost a
  // twentieth of all the CPU of a commit.
  cf.compression = rocksdb::kNoCompression;

  switch (space) {
    case Space::kMeta:
      cf.write_buffer_size = 1 << 20;
      return cf;
    case Space::kJournal:
      cf.write_buffer_size = options.write_buffer_bytes;
      cf.max_write_buffer_number = 4;  // commits go on while a full buffer is flushed
      cf.compression = FastCompression();
      return cf;
    case Space::kHost:
    case Space::kTasks:
      cf.write_buffer_size = options.write_buffer_bytes;
      cf.max_write_buffer_number = 4;
      cf.compression = FastCompression();
      return cf;
    case Space::kEntries:
      cf.compression = FastCompression();
      break;
    case Space::kReferences:
      cf.prefix_extractor = std::make_shared<ReferencePrefix>();
      break;
    case Space::kLinks:
      cf.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(8));  // BE target sequence
      break;
    default:
      break;
  }
  // Derived spaces are filled by ingest alone: their memtables stay empty. RocksDB slows down the writes of all
  // column families when one of them is behind with compaction; commits must never wait for an index, so these
  // never count as behind.
  cf.write_buffer_size = 1 << 20;
  cf.level0_slowdown_writes_trigger = std::numeric_limits<int>::max() / 2;
  cf.level0_stop_writes_trigger = std::numeric_limits<int>::max() / 2;
  cf.soft_pending_compaction_bytes_limit = 0;
  cf.hard_pending_compaction_bytes_limit = 0;
  return cf;
}

rocksdb::WriteOptions SyncedWrite() {
  rocksdb::WriteOptions write;
  write.sync = true;
  write.protection_bytes_per_key = kProtectionBytesPerKey;
  return write;
}

rocksdb::ReadOptions PointRead(Space space) {
  rocksdb::ReadOptions read;
  read.verify_checksums = true;
  // Nothing here ever deletes a range, and looking for range deletions can swallow a read error (rocksdb #11782).
  read.ignore_range_deletions = true;
  // A block of the journal is big, and the ledger keeps the recent ones itself.
  read.fill_cache = space != Space::kJournal;
  return read;
}

rocksdb::ReadOptions CursorRead(const CursorOptions& options) {
  rocksdb::ReadOptions read;
  read.verify_checksums = true;
  read.ignore_range_deletions = true;
  read.fill_cache = options.fill_cache;
  if (options.read_ahead) read.readahead_size = 4 << 20;
  // Without total order, RocksDB may skip files by the bloom filter of the sought key's prefix, and a walk past that
  // prefix would show holes: so either all keys, or those of one prefix and not a key beyond.
  read.total_order_seek = !options.same_prefix;
  read.prefix_same_as_start = options.same_prefix;
  return read;
}

}  // namespace northwind::internal
