// SPDX-License-Identifier: Apache-2.0
//
// Random transactions that meet every rule of docs/ledger.md often: few accounts, little money, colliding keys and
// references, targets that exist, existed or never will.
#ifndef NORTHWIND_TESTS_SUPPORT_WORKLOAD_H_
#define NORTHWIND_TESTS_SUPPORT_WORKLOAD_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "northwind/ledger.h"
#include "tests/support/model.h"
#include "tests/support/seed.h"

namespace northwind::testing {

// The shape of a workload. Percentages are of transactions unless said otherwise.
struct Profile {
  std::string name;
  size_t accounts = 12;  // opened at the start; more follow
  size_t max_accounts = 60;
  size_t max_batch = 120;
  unsigned big_batch_one_in = 200;  // batches of up to 2,000
  unsigned post = 45;               // kinds, as weights
  unsigned hold = 20;
  unsigned capture = 15;
  unsigned release = 8;
  unsigned reverse = 12;
  unsigned duplicate = 10;
  unsigned conflict = 4;
  unsigned invalid = 4;
  unsigned unknown_account = 1;
  unsigned reference = 50;    // carry a reference
  unsigned unique = 30;       // of those
  unsigned shuffle = 30;      // of batches: targets come after what needs them
  unsigned random_keys = 20;  // unordered 128-bit keys
  size_t max_postings = 5;
  uint64_t max_amount = 40;
  unsigned huge_amount = 0;  // amounts near 2^127
  size_t references = 60;    // how many different ones
  unsigned expiring = 40;    // of holds
  unsigned host_record = 3;
  unsigned account_change = 10;  // of steps: freeze, close, limit, open
};

class Workload {
 public:
  // Looks at the model for what exists; never changes it.
  Workload(const Profile& profile, const Model& model, Random& random)
      : profile_(profile), model_(model), random_(random) {}

  // Of random size, at the time `now`.
  std::vector<Transaction> NextBatch(absl::Time now);
  Transaction NextTransaction(absl::Time now);

  AccountSpec NextAccount();
  // An account that exists, or now and then one that does not.
  AccountId AnyAccount();
  IdempotencyKey FreshKey(absl::Time now);
  IdempotencyKey AnyKey(absl::Time now);
  std::string AnyReference();
  uint16_t AnyCode() { return static_cast<uint16_t>(random_.Below(3)); }

 private:
  Transaction Fresh(absl::Time now);
  Transaction FreshOf(TransactionKind kind, absl::Time now);
  void FillReverse(Transaction& t, absl::Time now);
  Postings SomePostings(size_t count);
  Posting SomePosting();
  Amount SomeAmount();
  Target SomeTarget(TransactionKind for_kind, absl::Time now);
  // A transaction seen before, if any: journaled, or only asked for.
  const Transaction* Earlier();
  const Transaction* EarlierOf(bool (*fits)(TransactionKind));
  void Alter(Transaction& t, absl::Time now);
  void Spoil(Transaction& t);

  const Profile profile_;
  const Model& model_;
  Random& random_;
  uint64_t counter_ = 0;
  std::deque<Transaction> recent_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_WORKLOAD_H_
