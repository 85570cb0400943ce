// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_ACCOUNT_H_
#define NORTHWIND_ACCOUNT_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "northwind/amount.h"
#include "northwind/sequence.h"

namespace northwind {

// A dense number that stands for an account's name inside one ledger, from 1. 0 names no account.
class AccountId {
 public:
  constexpr AccountId() = default;
  explicit constexpr AccountId(uint32_t value) : value_(value) {}
  constexpr uint32_t value() const { return value_; }

  friend constexpr auto operator<=>(AccountId, AccountId) = default;
  template <typename H>
  friend H AbslHashValue(H h, AccountId id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  uint32_t value_ = 0;
};

inline constexpr size_t kMaxAccountNameBytes = 255;
// Accounts in one OpenAccounts call.
inline constexpr size_t kMaxAccountsPerCall = 100'000;

// What an account is opened with. Immutable afterwards, but for `min_available`.
struct AccountSpec {
  // A unique path, 1–255 bytes of printable ASCII without blanks, e.g. "merchant:42:available".
  std::string name;
  // Code and scale, e.g. "USD/2". Both sides of a posting must be in one asset.
  std::string asset;
  // An external account stands for the outside world and has no limit.
  bool external = false;
  // The least that `available` may fall to; negative grants credit. Must be 0 on an external account.
  absl::int128 min_available = 0;
};

// Persisted; the values are pinned.
enum class AccountState : uint8_t {
  kOpen = 1,
  kFrozen = 2,  // nothing new may move or be held on it, either side; holds on it may still be released or expire
  kClosed = 3,  // as frozen, for ever
};

// The four totals of an account in minor units. Each stays at or below 2^127−1, and so does
// debits_posted + debits_held, so that available() always fits.
struct Totals {
  absl::uint128 debits_posted = 0;
  absl::uint128 credits_posted = 0;
  absl::uint128 debits_held = 0;
  absl::uint128 credits_held = 0;

  // credits − debits, holds not counted.
  absl::int128 posted() const {
    return static_cast<absl::int128>(credits_posted) - static_cast<absl::int128>(debits_posted);
  }
  // What can still be moved away: posted() − debits held.
  absl::int128 available() const { return posted() - static_cast<absl::int128>(debits_held); }

  friend bool operator==(const Totals&, const Totals&) = default;
};

// An account as it stands at the ledger's durable head.
struct Account {
  AccountId id;
  std::string name;
  Asset asset;
  bool external = false;
  absl::int128 min_available = 0;
  AccountState state = AccountState::kOpen;
  Totals totals;
};

// One page of Ledger::ListAccounts, ordered by name (bytewise).
struct AccountPage {
  std::vector<Account> accounts;
  // Pass as `after` for the next page; empty at the end.
  std::string next;
};

}  // namespace northwind

#endif  // NORTHWIND_ACCOUNT_H_
