// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_AUDITOR_H_
#define NORTHWIND_SRC_LEDGER_AUDITOR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "northwind/ledger.h"
#include "src/ledger/account_row.h"
#include "src/ledger/apply.h"
#include "src/ledger/block.h"
#include "src/ledger/journal_store.h"
#include "src/ledger/state_codec.h"

namespace northwind::internal {

// A fingerprint of a set of byte strings, in whatever order they come. Two equal tallies mean equal sets but for a chance of
// 2^-64 or so: the hash is seeded at random, so that nobody can prepare a collision.
class Tally {
 public:
  explicit Tally(uint64_t seed) : seed_(seed) {}
  void Add(std::string_view bytes);
  uint64_t count() const { return count_; }
  friend bool operator==(const Tally& a, const Tally& b) { return a.count_ == b.count_ && a.sum_ == b.sum_; }

 private:
  uint64_t seed_;
  uint64_t count_ = 0;
  absl::uint128 sum_ = 0;
};

// What the indexes of a stretch of the journal hold.
struct IndexTallies {
  explicit IndexTallies(uint64_t seed)
      : keys(seed), references(seed), unique_references(seed), links(seed), entries(seed), times(seed) {}

  Tally keys, references, unique_references, links, entries, times;

  void AddKey(std::string_view key, std::string_view value);
  void AddReference(std::string_view name, uint64_t sequence, bool unique);
  void AddLink(uint64_t target, uint64_t sequence, std::string_view progress);
  void AddEntry(AccountId account, const Entry& entry);
  void AddTime(int64_t time, uint64_t sequence);
};

// Derives the ledger's state from its journal a second time, by the shortest way, and checks as it goes that every record
// could follow from those before it: accounts known, assets equal, no account below its limit, holds and targets never
// used beyond what they are.
class Auditor {
 public:
  // `journal` is used to look up the targets of reversals.
  Auditor(const std::array<uint8_t, 16>& uuid, JournalStore& journal, uint64_t seed);

  // The next block; DataLoss names the sequence at fault.
  absl::Status Add(const Block& block);

  const Head& head() const { return head_; }
  int64_t recorded_at() const { return recorded_at_; }
  uint64_t last_time_sample() const { return last_time_sample_; }
  const AccountRows& rows() const { return rows_; }
  const std::vector<AccountAttributes>& attributes() const { return attributes_; }
  const absl::btree_map<uint64_t, HoldRow>& holds() const { return holds_; }
  const VerifyReport& report() const { return report_; }
  // Of all blocks since the last TakeTallies.
  IndexTallies TakeTallies();
  // Accounts with entries since then.
  const absl::flat_hash_set<AccountId>& touched() const { return touched_; }

 private:
  absl::Status AddRecord(const StoredRecord& record);
  absl::Status AddOpened(const AccountOpened& opened);
  absl::Status AddChanged(const AccountChanged& changed);
  absl::Status AddTransaction(const StoredTransaction& stored);
  absl::Status CheckPostings(const Postings& postings) const;
  absl::Status UseHold(const StoredTransaction& stored);
  absl::Status CheckReversal(const StoredTransaction& stored);
  absl::Status AddExpiry(const StoredExpiry& expiry);
  absl::Status Apply(const Effects& effects);
  absl::Status Fault(const char* what) const;
  bool Known(AccountId id) const { return id.value() != 0 && id.value() < rows_.size(); }

  JournalStore& journal_;
  const uint64_t seed_;
  Head head_;
  int64_t recorded_at_ = 0;
  uint64_t last_time_sample_ = 0;
  uint64_t sequence_ = 0;  // of the record being added
  int64_t time_ = 0;       // likewise

  AccountRows rows_;
  std::vector<AccountAttributes> attributes_;
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_map<std::string, uint16_t> assets_;
  absl::btree_map<uint64_t, HoldRow> holds_;
  absl::flat_hash_set<AccountId> touched_;
  IndexTallies tallies_;
  VerifyReport report_;
  std::string scratch_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_AUDITOR_H_
