// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_DIGESTS_H_
#define NORTHWIND_SRC_COMPARE_DIGESTS_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "northwind/compare.h"
#include "src/compare/day_index.h"
#include "src/compare/keys.h"
#include "src/compare/row_digest.h"
#include "src/store/engine.h"

namespace northwind::internal::compare {

// The digests of one entry's rows, of each side ascending.
struct RowDigests {
  absl::InlinedVector<Hash256, 1> ours;
  absl::InlinedVector<Hash256, 1> theirs;
};
RowDigests RowDigestsOf(const IndexKeyParts& key, const IndexEntry& entry);

// One level of digests under way: both sides, and how many rows went in.
class SidesDigest {
 public:
  void Add(const DigestNode& node);
  void Add(std::string_view name, const RowDigests& rows);
  DigestNode Finish(std::string name);

 private:
  DigestOfLines ours_;
  DigestOfLines theirs_;
  uint64_t our_rows_ = 0;
  uint64_t their_rows_ = 0;
};

// The node of one entry of the index: the digest of its row on each side, or, of several under one name, that of their lines.
DigestNode NodeOf(const IndexKeyParts& key, const IndexEntry& entry);

// Makes hours of rows, merchants of hours and the day of merchants, from entries in the order of the index.
class DayDigest {
 public:
  // Calls back with each merchant that is finished.
  using OnMerchant = absl::FunctionRef<void(DigestNode)>;
  void Add(const IndexKeyParts& key, const IndexEntry& entry, OnMerchant on_merchant);
  DigestNode Finish(OnMerchant on_merchant);

 private:
  void FinishHour();
  void FinishMerchant(OnMerchant on_merchant);

  SidesDigest hour_;
  SidesDigest merchant_;
  SidesDigest day_;
  std::optional<std::string> merchant_id_;
  int hour_of_ = 0;
};

absl::StatusOr<DigestPage> MerchantDigestsOf(const Engine& engine, absl::CivilDay day, std::string_view after,
                                             size_t limit);
absl::StatusOr<DigestPage> HourDigestsOf(const Engine& engine, absl::CivilDay day, std::string_view merchant_id);
absl::StatusOr<DigestPage> RowDigestsOf(const Engine& engine, absl::CivilDay day, std::string_view merchant_id,
                                        int hour, std::string_view after, size_t limit);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_DIGESTS_H_
