// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model.h"

#include <algorithm>
#include <limits>
#include <variant>

namespace northwind::testing {
namespace {

constexpr size_t kMaxExpiriesPerBlock = 8192;

const absl::uint128 kMaxTotal = Amount::Max().units();

Amount ToAmount(absl::uint128 units) { return Amount::FromUnits(units).value(); }

absl::Time WholeNanos(absl::Time time) { return absl::FromUnixNanos(absl::ToUnixNanos(time)); }

std::optional<absl::Time> WholeNanos(const std::optional<absl::Time>& time) {
  if (!time.has_value()) return std::nullopt;
  return WholeNanos(*time);
}

bool InRange(const std::optional<absl::Time>& time) {
  if (!time.has_value()) return true;
  return *time >= absl::UnixEpoch() &&
         *time < absl::FromUnixNanos(std::numeric_limits<int64_t>::max()) + absl::Nanoseconds(1);
}

// Adds what a line does to the totals of its account.
void Add(Totals& totals, EntryKind kind, absl::uint128 amount) {
  switch (kind) {
    case EntryKind::kDebit:
      totals.debits_posted += amount;
      break;
    case EntryKind::kCredit:
      totals.credits_posted += amount;
      break;
    case EntryKind::kHoldDebit:
      totals.debits_held += amount;
      break;
    case EntryKind::kHoldCredit:
      totals.credits_held += amount;
      break;
    case EntryKind::kCaptureDebit:
      totals.debits_held -= amount;
      totals.debits_posted += amount;
      break;
    case EntryKind::kCaptureCredit:
      totals.credits_held -= amount;
      totals.credits_posted += amount;
      break;
    case EntryKind::kReleaseDebit:
      totals.debits_held -= amount;
      break;
    case EntryKind::kReleaseCredit:
      totals.credits_held -= amount;
      break;
  }
}

Transaction AsJournaled(const Transaction& t) {
  Transaction stored = t;
  stored.effective_at = WholeNanos(t.effective_at);
  stored.expires_at = WholeNanos(t.expires_at);
  stored.host_records.clear();
  return stored;
}

bool IsWellFormed(const AccountSpec& spec) {
  const bool printable = std::all_of(spec.name.begin(), spec.name.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
  return printable && !spec.name.empty() && spec.name.size() <= kMaxAccountNameBytes && Asset::Parse(spec.asset).ok() &&
         !(spec.external && spec.min_available != 0);
}

// Step 1 of docs/ledger.md: what is invalid in itself.
struct Malformed {
  Reason reason;
  size_t posting = 0;
};

bool HasUnexpectedField(const Transaction& t) {
  const bool post = t.kind == TransactionKind::kPost;
  const bool hold = t.kind == TransactionKind::kHold;
  const bool capture = t.kind == TransactionKind::kCapture;
  const bool release = t.kind == TransactionKind::kRelease;
  if ((capture || release) && !t.postings.empty()) return true;
  if ((post || hold) && t.target.has_value()) return true;
  if (!capture && !t.amount.is_zero()) return true;
  if (!capture && t.final_capture) return true;
  if (!hold && t.expires_at.has_value()) return true;
  return false;
}

bool NamesOneTarget(const std::optional<Target>& target) {
  if (!target.has_value()) return false;
  if (target->reference.size() > kMaxReferenceBytes) return false;
  if (target->key.has_value()) return target->reference.empty() && target->code == 0;
  return !target->reference.empty();
}

std::optional<Malformed> CheckForm(const Transaction& t) {
  const bool known = t.kind == TransactionKind::kPost || t.kind == TransactionKind::kHold ||
                     t.kind == TransactionKind::kCapture || t.kind == TransactionKind::kRelease ||
                     t.kind == TransactionKind::kReverse;
  if (!known) return Malformed{Reason::kUnknownKind};
  if (t.reference.size() > kMaxReferenceBytes) return Malformed{Reason::kReferenceTooLong};
  if (t.unique_reference && t.reference.empty()) return Malformed{Reason::kReferenceMissing};
  if (t.metadata.size() > kMaxMetadataBytes) return Malformed{Reason::kMetadataTooLong};
  if (!InRange(t.effective_at) || !InRange(t.expires_at)) return Malformed{Reason::kTimeOutOfRange};
  if (t.host_records.size() > kMaxHostRecords) return Malformed{Reason::kHostRecordTooLarge};
  for (const HostRecord& record : t.host_records) {
    if (record.key.empty() || record.key.size() > kMaxHostKeyBytes || record.value.size() > kMaxHostValueBytes) {
      return Malformed{Reason::kHostRecordTooLarge};
    }
  }
  if (HasUnexpectedField(t)) return Malformed{Reason::kUnexpectedField};
  const bool needs_target =
      t.kind == TransactionKind::kCapture || t.kind == TransactionKind::kRelease || t.kind == TransactionKind::kReverse;
  if (needs_target && !NamesOneTarget(t.target)) return Malformed{Reason::kTargetMissing};
  const size_t count = t.postings.size();
  if (t.kind == TransactionKind::kPost && (count < 1 || count > kMaxPostings)) return Malformed{Reason::kPostingCount};
  if (t.kind == TransactionKind::kHold && count != 1) return Malformed{Reason::kPostingCount};
  if (t.kind == TransactionKind::kReverse && count > kMaxPostings) return Malformed{Reason::kPostingCount};
  absl::uint128 sum = 0;
  for (size_t i = 0; i < count; ++i) {
    const Posting& p = t.postings[i];
    if (p.amount.is_zero()) return Malformed{Reason::kZeroAmount, i};
    if (p.debit == p.credit) return Malformed{Reason::kSameAccount, i};
    sum += p.amount.units();
    if (sum > kMaxTotal) return Malformed{Reason::kAmountTooLarge, i};
  }
  return std::nullopt;
}

// The first difference between two contents (step 2).
Field FirstDifference(const Transaction& a, const Transaction& b) {
  if (a.kind != b.kind) return Field::kKind;
  if (a.postings != b.postings) return Field::kPostings;
  if (a.target != b.target) return Field::kTarget;
  if (a.amount != b.amount) return Field::kAmount;
  if (a.final_capture != b.final_capture) return Field::kFinalCapture;
  if (a.code != b.code) return Field::kCode;
  if (a.reference != b.reference) return Field::kReference;
  if (a.unique_reference != b.unique_reference) return Field::kUniqueReference;
  if (WholeNanos(a.effective_at) != WholeNanos(b.effective_at)) return Field::kEffectiveAt;
  if (WholeNanos(a.expires_at) != WholeNanos(b.expires_at)) return Field::kExpiresAt;
  if (a.metadata != b.metadata) return Field::kMetadata;
  return Field::kNone;
}

}  // namespace

// ---- Blocks ---------------------------------------------------------------------------------------------------

void Model::BeginBlock(absl::Time now) {
  block_time_ = now;
  if (!journal_.empty()) block_time_ = std::max(now, journal_.back().recorded_at + absl::Nanoseconds(1));
  block_records_ = 0;
  ExpireDue();
}

size_t Model::ExpireDue() {
  size_t expired = 0;
  while (expired < kMaxExpiriesPerBlock && !expiring_.empty() && expiring_.begin()->first <= block_time_) {
    const Sequence hold_sequence = expiring_.begin()->second;
    expiring_.erase(expiring_.begin());
    StoredHold& stored = holds_.at(hold_sequence);
    const Posting& posting = stored.hold.posting;
    const absl::uint128 rest = stored.remaining;
    JournalRecord& record = Append();
    record.body = HoldExpired{.hold = hold_sequence, .released = ToAmount(rest)};
    stored.released += rest;
    stored.remaining = 0;
    open_holds_[posting.debit].erase(hold_sequence);
    open_holds_[posting.credit].erase(hold_sequence);
    links_[hold_sequence].push_back(record.sequence);
    Enter(record.sequence, record.recorded_at, stored.hold.code,
          {{posting.debit, EntryKind::kReleaseDebit, rest}, {posting.credit, EntryKind::kReleaseCredit, rest}});
    ++expired;
  }
  return expired;
}

JournalRecord& Model::Append() {
  if (block_records_ == 0) ++blocks_;
  JournalRecord& record = journal_.emplace_back();
  record.sequence = Sequence(journal_.size());
  record.recorded_at = block_time_ + absl::Nanoseconds(block_records_++);
  return record;
}

void Model::Enter(Sequence sequence, absl::Time recorded_at, uint16_t code, const std::vector<Line>& lines) {
  for (const Line& line : lines) {
    StoredAccount& account = accounts_[line.account.value() - 1];
    Add(account.now.totals, line.kind, line.amount);
    uint32_t index = 0;
    if (!account.entries.empty() && account.entries.back().sequence == sequence) {
      index = account.entries.back().index + 1;
    }
    account.entries.push_back(Entry{.sequence = sequence,
                                    .index = index,
                                    .recorded_at = recorded_at,
                                    .kind = line.kind,
                                    .amount = ToAmount(line.amount),
                                    .code = code,
                                    .after = account.now.totals});
    ++entry_count_;
  }
}

size_t Model::ExpireHolds(absl::Time now) {
  const size_t before = journal_.size();
  size_t after_last_block;
  do {
    after_last_block = journal_.size();
    BeginBlock(now);
  } while (journal_.size() - after_last_block == kMaxExpiriesPerBlock);
  return journal_.size() - before;
}

// ---- Accounts -------------------------------------------------------------------------------------------------

absl::StatusOr<std::vector<AccountId>> Model::OpenAccounts(const std::vector<AccountSpec>& specs, absl::Time now) {
  BeginBlock(now);
  // All or none: look first, then open.
  std::vector<AccountId> ids;
  std::vector<AccountSpec> fresh;
  for (const AccountSpec& spec : specs) {
    if (!IsWellFormed(spec)) return absl::InvalidArgumentError(spec.name);
    AccountSpec opened;
    absl::int128 present_limit;
    if (const auto it = names_.find(spec.name); it != names_.end()) {
      opened = accounts_[it->second.value() - 1].opened;
      present_limit = accounts_[it->second.value() - 1].now.min_available;
      ids.push_back(it->second);
    } else {
      size_t place = 0;
      while (place < fresh.size() && fresh[place].name != spec.name) ++place;
      if (place == fresh.size()) fresh.push_back(spec);
      opened = fresh[place];
      present_limit = opened.min_available;
      ids.push_back(AccountId(static_cast<uint32_t>(accounts_.size() + place + 1)));
    }
    if (opened.asset != spec.asset || opened.external != spec.external ||
        (spec.min_available != opened.min_available && spec.min_available != present_limit)) {
      return absl::AlreadyExistsError(spec.name);
    }
  }
  for (const AccountSpec& spec : fresh) {
    StoredAccount account;
    account.opened = spec;
    account.now.id = AccountId(static_cast<uint32_t>(accounts_.size() + 1));
    account.now.name = spec.name;
    account.now.asset = Asset::Parse(spec.asset).value();
    account.now.external = spec.external;
    account.now.min_available = spec.min_available;
    names_[spec.name] = account.now.id;
    Append().body = AccountOpened{.id = account.now.id, .spec = spec};
    accounts_.push_back(std::move(account));
  }
  return ids;
}

void Model::RecordChange(const Account& account) {
  Append().body = AccountChanged{.id = account.id, .state = account.state, .min_available = account.min_available};
}

absl::Status Model::SetState(AccountId id, AccountState state, absl::Time now) {
  BeginBlock(now);
  if (id.value() == 0 || id.value() > accounts_.size()) return absl::NotFoundError("account");
  Account& account = accounts_[id.value() - 1].now;
  if (account.state == AccountState::kClosed) {
    return state == AccountState::kClosed ? absl::OkStatus() : absl::FailedPreconditionError("closed");
  }
  if (account.state == state) return absl::OkStatus();
  if (state == AccountState::kClosed) {
    const Totals& totals = account.totals;
    const bool held = totals.debits_held != 0 || totals.credits_held != 0;
    if (held || (!account.external && totals.posted() != 0)) return absl::FailedPreconditionError("not empty");
  }
  account.state = state;
  RecordChange(account);
  return absl::OkStatus();
}

absl::Status Model::SetMinAvailable(AccountId id, absl::int128 min_available, absl::Time now) {
  BeginBlock(now);
  if (id.value() == 0 || id.value() > accounts_.size()) return absl::NotFoundError("account");
  Account& account = accounts_[id.value() - 1].now;
  if (account.state == AccountState::kClosed || account.external) return absl::FailedPreconditionError("no limit");
  if (account.min_available == min_available) return absl::OkStatus();
  if (account.totals.available() < min_available) return absl::FailedPreconditionError("available");
  account.min_available = min_available;
  RecordChange(account);
  return absl::OkStatus();
}

// ---- Commit ---------------------------------------------------------------------------------------------------

struct Model::BatchState {
  absl::Span<const Transaction> transactions;
  CommitOptions options;
  std::vector<CommitResult> results;
  std::set<size_t> waiting;
};

std::vector<CommitResult> Model::Commit(absl::Span<const Transaction> batch, const CommitOptions& options,
                                        absl::Time now) {
  BeginBlock(now);
  BatchState state{.transactions = batch, .options = options, .results = {}, .waiting = {}};
  state.results.resize(batch.size());
  for (size_t i = 0; i < batch.size(); ++i) DecideInBatch(state, i);
  return std::move(state.results);
}

// Decides one transaction of a batch, and then those that waited for it.
void Model::DecideInBatch(BatchState& batch, size_t i) {
  const Transaction& t = batch.transactions[i];
  CommitResult& result = batch.results[i];
  result = Decide(t, batch.options.balances);
  if (batch.options.deferred != DeferredPolicy::kRetryInBatch) return;
  if (result.outcome == Outcome::kDeferred && result.reason == Reason::kTargetNotFound) batch.waiting.insert(i);
  if (result.outcome != Outcome::kApplied) return;
  // All at once: one that also waits for another of them is not brought forward.
  std::vector<size_t> woken;
  for (const size_t j : batch.waiting) {
    const Target& target = *batch.transactions[j].target;
    const bool waits =
        target.key.has_value() ? *target.key == t.key : target.code == t.code && target.reference == t.reference;
    if (waits) woken.push_back(j);
  }
  for (const size_t j : woken) batch.waiting.erase(j);
  for (const size_t j : woken) DecideInBatch(batch, j);
}

CommitResult Model::Decide(const Transaction& t, bool balances) {
  CommitResult result;
  if (const auto malformed = CheckForm(t)) {
    result.reason = malformed->reason;
    result.posting = static_cast<uint16_t>(malformed->posting);
    return result;
  }
  if (auto known = CheckKey(t, balances)) return *known;

  Plan plan;
  std::optional<Answer> answer = CheckAccounts(t);
  if (!answer.has_value()) answer = CheckReference(t);
  if (!answer.has_value()) answer = PlanTarget(t, plan);
  if (!answer.has_value()) answer = CheckTotals(plan);
  if (!answer.has_value()) answer = Answer{};

  result.outcome = answer->outcome;
  result.original = answer->outcome;
  result.reason = answer->reason;
  result.posting = answer->posting;
  if (result.outcome != Outcome::kApplied && result.outcome != Outcome::kRejected) return result;

  JournalRecord& record = Append();
  result.sequence = record.sequence;
  result.recorded_at = record.recorded_at;
  TransactionRecorded body{.transaction = AsJournaled(t), .outcome = result.outcome, .reason = result.reason};
  if (result.outcome == Outcome::kApplied) {
    body.target = plan.target;
    body.moved = plan.moved;
    body.released = ToAmount(plan.released);
  }
  record.body = std::move(body);
  keys_[t.key] = result.sequence;
  if (result.outcome == Outcome::kApplied) {
    Apply(t, plan, result.sequence, result.recorded_at);
    if (balances) result.balances = BalancesAfter(plan.lines, result.sequence);
  }
  return result;
}

// Step 2.
std::optional<CommitResult> Model::CheckKey(const Transaction& t, bool balances) const {
  const auto it = keys_.find(t.key);
  if (it == keys_.end()) return std::nullopt;
  const JournalRecord& record = journal_[it->second.value() - 1];
  const auto& first = std::get<TransactionRecorded>(record.body);
  CommitResult result;
  result.sequence = record.sequence;
  result.recorded_at = record.recorded_at;
  result.conflict = FirstDifference(first.transaction, t);
  if (result.conflict != Field::kNone) {
    result.outcome = result.original = Outcome::kConflict;
    return result;
  }
  result.outcome = Outcome::kDuplicate;
  result.original = first.outcome;
  result.reason = first.reason;
  if (balances && first.outcome == Outcome::kApplied) {
    result.balances = BalancesAfter(lines_.at(record.sequence), record.sequence);
  }
  return result;
}

// Step 3.
std::optional<Model::Answer> Model::CheckAccounts(const Transaction& t) const {
  for (size_t i = 0; i < t.postings.size(); ++i) {
    for (const AccountId id : {t.postings[i].debit, t.postings[i].credit}) {
      if (id.value() == 0 || id.value() > accounts_.size()) {
        return Answer{Outcome::kDeferred, Reason::kAccountNotFound, static_cast<uint16_t>(i)};
      }
    }
  }
  for (size_t i = 0; i < t.postings.size(); ++i) {
    if (account(t.postings[i].debit).asset != account(t.postings[i].credit).asset) {
      return Answer{Outcome::kInvalid, Reason::kAssetMismatch, static_cast<uint16_t>(i)};
    }
  }
  return std::nullopt;
}

// Step 4.
std::optional<Model::Answer> Model::CheckReference(const Transaction& t) const {
  if (t.reference.empty()) return std::nullopt;
  const auto it = references_.find({t.code, t.reference});
  if (it == references_.end()) return std::nullopt;
  for (const Sequence sequence : it->second) {
    const auto& other = std::get<TransactionRecorded>(journal_[sequence.value() - 1].body);
    if (t.unique_reference || other.transaction.unique_reference) {
      return Answer{Outcome::kRejected, Reason::kReferenceUsed};
    }
  }
  return std::nullopt;
}

// Step 5, and what would be moved.
std::optional<Model::Answer> Model::PlanTarget(const Transaction& t, Plan& plan) const {
  if (t.kind == TransactionKind::kPost || t.kind == TransactionKind::kHold) {
    const bool post = t.kind == TransactionKind::kPost;
    plan.checked = plan.moved = t.postings;
    for (const Posting& p : t.postings) {
      plan.lines.push_back({p.debit, post ? EntryKind::kDebit : EntryKind::kHoldDebit, p.amount.units()});
      plan.lines.push_back({p.credit, post ? EntryKind::kCredit : EntryKind::kHoldCredit, p.amount.units()});
    }
    return std::nullopt;
  }
  if (t.target->key.has_value()) {
    const auto it = keys_.find(*t.target->key);
    if (it == keys_.end()) return Answer{Outcome::kDeferred, Reason::kTargetNotFound};
    plan.target = it->second;
    const auto& recorded = std::get<TransactionRecorded>(journal_[plan.target.value() - 1].body);
    if (recorded.outcome == Outcome::kRejected) return Answer{Outcome::kRejected, Reason::kTargetMismatch};
  } else {
    const auto it = references_.find({t.target->code, t.target->reference});
    if (it == references_.end()) return Answer{Outcome::kDeferred, Reason::kTargetNotFound};
    plan.target = it->second.front();
  }
  if (t.kind == TransactionKind::kReverse) return PlanReverse(t, plan);
  const auto hold = holds_.find(plan.target);
  if (hold == holds_.end()) return Answer{Outcome::kRejected, Reason::kTargetMismatch};
  if (hold->second.remaining == 0) return Answer{Outcome::kRejected, Reason::kTargetResolved};
  if (t.kind == TransactionKind::kRelease) return PlanRelease(plan);
  return PlanCapture(t, plan);
}

std::optional<Model::Answer> Model::PlanCapture(const Transaction& t, Plan& plan) const {
  const StoredHold& stored = holds_.at(plan.target);
  const absl::uint128 amount = t.amount.is_zero() ? stored.remaining : t.amount.units();
  if (amount > stored.remaining) return Answer{Outcome::kRejected, Reason::kExceedsTarget};
  const Posting& held = stored.hold.posting;
  plan.checked = {held};
  plan.moved = {Posting{held.debit, held.credit, ToAmount(amount)}};
  plan.lines = {{held.debit, EntryKind::kCaptureDebit, amount}, {held.credit, EntryKind::kCaptureCredit, amount}};
  const absl::uint128 rest = stored.remaining - amount;
  if (t.final_capture && rest > 0) {
    plan.released = rest;
    plan.lines.push_back({held.debit, EntryKind::kReleaseDebit, rest});
    plan.lines.push_back({held.credit, EntryKind::kReleaseCredit, rest});
  }
  return std::nullopt;
}

std::optional<Model::Answer> Model::PlanRelease(Plan& plan) const {
  const StoredHold& stored = holds_.at(plan.target);
  plan.released = stored.remaining;
  plan.lines = {{stored.hold.posting.debit, EntryKind::kReleaseDebit, plan.released},
                {stored.hold.posting.credit, EntryKind::kReleaseCredit, plan.released}};
  return std::nullopt;
}

std::optional<Model::Answer> Model::PlanReverse(const Transaction& t, Plan& plan) const {
  const auto it = reversible_.find(plan.target);
  if (it == reversible_.end()) return Answer{Outcome::kRejected, Reason::kTargetMismatch};
  const std::vector<Reversible>& pairs = it->second;
  const auto find = [&pairs](const Posting& turned) {
    return std::find_if(pairs.begin(), pairs.end(), [&turned](const Reversible& pair) {
      return pair.debit == turned.credit && pair.credit == turned.debit;
    });
  };
  for (const Posting& p : t.postings) {
    if (find(p) == pairs.end()) return Answer{Outcome::kRejected, Reason::kTargetMismatch};
  }
  const bool any_left = std::any_of(pairs.begin(), pairs.end(), [](const Reversible& p) { return p.remaining > 0; });
  if (!any_left) return Answer{Outcome::kRejected, Reason::kTargetResolved};
  std::vector<absl::uint128> asked(pairs.size(), 0);
  for (const Posting& p : t.postings) {
    const auto pair = find(p);
    absl::uint128& sum = asked[static_cast<size_t>(pair - pairs.begin())];
    sum += p.amount.units();
    if (sum > pair->remaining) return Answer{Outcome::kRejected, Reason::kExceedsTarget};
  }
  plan.moved = t.postings;
  if (plan.moved.empty()) {
    for (const Reversible& pair : pairs) {
      if (pair.remaining > 0) plan.moved.push_back({pair.credit, pair.debit, ToAmount(pair.remaining)});
    }
  }
  plan.checked = plan.moved;
  for (const Posting& p : plan.moved) {
    plan.lines.push_back({p.debit, EntryKind::kDebit, p.amount.units()});
    plan.lines.push_back({p.credit, EntryKind::kCredit, p.amount.units()});
  }
  return std::nullopt;
}

// Steps 6 to 8.
std::optional<Model::Answer> Model::CheckTotals(const Plan& plan) const {
  for (size_t i = 0; i < plan.checked.size(); ++i) {
    for (const AccountId id : {plan.checked[i].debit, plan.checked[i].credit}) {
      const AccountState state = account(id).state;
      if (state == AccountState::kOpen) continue;
      const Reason reason = state == AccountState::kClosed ? Reason::kAccountClosed : Reason::kAccountFrozen;
      return Answer{Outcome::kRejected, reason, static_cast<uint16_t>(i)};
    }
  }
  std::map<AccountId, Totals> after;
  std::vector<std::pair<AccountId, uint16_t>> in_order;  // first appearance, and the posting that names it
  for (const Line& line : plan.lines) {
    const auto it = after.emplace(line.account, account(line.account).totals).first;
    Add(it->second, line.kind, line.amount);
  }
  std::set<AccountId> seen;
  for (size_t i = 0; i < plan.checked.size(); ++i) {
    for (const AccountId id : {plan.checked[i].debit, plan.checked[i].credit}) {
      if (seen.insert(id).second) in_order.emplace_back(id, static_cast<uint16_t>(i));
    }
  }
  for (const auto& [id, posting] : in_order) {
    // Every total before and every sum of one transaction is below 2^127, so that nothing wrapped.
    const Totals& totals = after.at(id);
    if (totals.debits_posted > kMaxTotal || totals.credits_posted > kMaxTotal || totals.debits_held > kMaxTotal ||
        totals.credits_held > kMaxTotal || totals.debits_posted + totals.debits_held > kMaxTotal) {
      return Answer{Outcome::kRejected, Reason::kTotalOverflow, posting};
    }
  }
  for (const auto& [id, posting] : in_order) {
    const Account& now = account(id);
    const absl::int128 available = after.at(id).available();
    const bool falls = available < now.totals.available();
    if (!now.external && falls && available < now.min_available) {
      return Answer{Outcome::kRejected, Reason::kInsufficientFunds, posting};
    }
  }
  return std::nullopt;
}

// Step 9.
void Model::Apply(const Transaction& t, const Plan& plan, Sequence sequence, absl::Time recorded_at) {
  Enter(sequence, recorded_at, t.code, plan.lines);
  lines_[sequence] = plan.lines;
  if (!t.reference.empty()) references_[{t.code, t.reference}].push_back(sequence);
  if (plan.target != Sequence()) links_[plan.target].push_back(sequence);
  for (const HostRecord& record : t.host_records) host_records_[record.key] = record.value;

  if (t.kind == TransactionKind::kPost || t.kind == TransactionKind::kCapture) {
    std::vector<Reversible>& pairs = reversible_[sequence];
    for (const Posting& p : plan.moved) {
      const auto same = std::find_if(pairs.begin(), pairs.end(), [&p](const Reversible& pair) {
        return pair.debit == p.debit && pair.credit == p.credit;
      });
      if (same != pairs.end()) {
        same->remaining += p.amount.units();
      } else {
        pairs.push_back({p.debit, p.credit, p.amount.units()});
      }
    }
  }
  if (t.kind == TransactionKind::kReverse) {
    for (const Posting& p : plan.moved) {
      for (Reversible& pair : reversible_.at(plan.target)) {
        if (pair.debit == p.credit && pair.credit == p.debit) pair.remaining -= p.amount.units();
      }
    }
  }
  if (t.kind == TransactionKind::kHold) {
    const Posting& p = t.postings[0];
    Hold hold{.sequence = sequence,
              .key = t.key,
              .posting = p,
              .remaining = p.amount,
              .code = t.code,
              .reference = t.reference,
              .expires_at = WholeNanos(t.expires_at)};
    if (hold.expires_at.has_value()) expiring_.insert({*hold.expires_at, sequence});
    open_holds_[p.debit].insert(sequence);
    open_holds_[p.credit].insert(sequence);
    holds_[sequence] = StoredHold{.hold = hold, .remaining = p.amount.units()};
  }
  if (t.kind == TransactionKind::kCapture || t.kind == TransactionKind::kRelease) {
    StoredHold& stored = holds_.at(plan.target);
    const absl::uint128 captured = plan.moved.empty() ? absl::uint128(0) : plan.moved[0].amount.units();
    stored.captured += captured;
    stored.released += plan.released;
    stored.remaining -= captured + plan.released;
    if (stored.remaining == 0) {
      open_holds_[stored.hold.posting.debit].erase(plan.target);
      open_holds_[stored.hold.posting.credit].erase(plan.target);
      if (stored.hold.expires_at.has_value()) expiring_.erase({*stored.hold.expires_at, plan.target});
    }
  }
}

std::vector<ResultingBalance> Model::BalancesAfter(const std::vector<Line>& lines, Sequence at) const {
  std::vector<ResultingBalance> balances;
  std::set<AccountId> seen;
  for (const Line& line : lines) {
    if (seen.insert(line.account).second) balances.push_back({line.account, BalanceAt(line.account, at)});
  }
  return balances;
}

// ---- Reads ----------------------------------------------------------------------------------------------------

std::optional<AccountId> Model::FindAccount(const std::string& name) const {
  const auto it = names_.find(name);
  if (it == names_.end()) return std::nullopt;
  return it->second;
}

AccountPage Model::ListAccounts(std::string_view prefix, std::string_view after, size_t limit) const {
  AccountPage page;
  for (const auto& [name, id] : names_) {
    if (std::string_view(name).substr(0, prefix.size()) != prefix || name <= after) continue;
    if (page.accounts.size() == limit) {
      page.next = page.accounts.back().name;
      break;
    }
    page.accounts.push_back(account(id));
  }
  return page;
}

Totals Model::BalanceAt(AccountId id, Sequence at) const {
  const std::vector<Entry>& all = entries(id);
  const auto next = std::upper_bound(all.begin(), all.end(), at,
                                     [](Sequence sequence, const Entry& entry) { return sequence < entry.sequence; });
  return next == all.begin() ? Totals{} : std::prev(next)->after;
}

Totals Model::BalanceAt(AccountId id, absl::Time at) const {
  const auto next = std::upper_bound(journal_.begin(), journal_.end(), at,
                                     [](absl::Time time, const JournalRecord& r) { return time < r.recorded_at; });
  return BalanceAt(id, Sequence(static_cast<uint64_t>(next - journal_.begin())));
}

HistoryPage Model::History(AccountId id, const HistoryQuery& query) const {
  HistoryPage page;
  const std::vector<Entry>& all = entries(id);
  const bool forward = query.direction == Direction::kForward;
  for (size_t i = 0; i < all.size(); ++i) {
    const Entry& entry = forward ? all[i] : all[all.size() - 1 - i];
    if (query.cursor.has_value()) {
      const auto place = std::pair(entry.sequence, entry.index);
      const auto cursor = std::pair(query.cursor->sequence, query.cursor->index);
      if (forward ? place <= cursor : place >= cursor) continue;
    }
    if (query.code.has_value() && entry.code != *query.code) continue;
    if (entry.recorded_at < query.from || entry.recorded_at >= query.to) continue;
    if (page.entries.size() == query.limit) {
      page.next = HistoryCursor{page.entries.back().sequence, page.entries.back().index};
      break;
    }
    page.entries.push_back(entry);
  }
  return page;
}

HoldPage Model::OpenHolds(AccountId id, Sequence after, size_t limit) const {
  HoldPage page;
  const auto of_account = open_holds_.find(id);
  if (of_account == open_holds_.end()) return page;
  for (auto it = of_account->second.upper_bound(after); it != of_account->second.end(); ++it) {
    if (page.holds.size() == limit) {
      page.next = page.holds.back().sequence;
      break;
    }
    const StoredHold& stored = holds_.at(*it);
    Hold hold = stored.hold;
    hold.remaining = ToAmount(stored.remaining);
    page.holds.push_back(hold);
  }
  return page;
}

size_t Model::open_hold_count() const {
  return static_cast<size_t>(
      std::count_if(holds_.begin(), holds_.end(), [](const auto& hold) { return hold.second.remaining > 0; }));
}

std::optional<TransactionView> Model::GetTransaction(const IdempotencyKey& key) const {
  const auto it = keys_.find(key);
  if (it == keys_.end()) return std::nullopt;
  return View(it->second);
}

std::optional<TransactionView> Model::GetTransaction(Sequence sequence) const {
  if (sequence.value() == 0 || sequence.value() > journal_.size()) return std::nullopt;
  if (!std::holds_alternative<TransactionRecorded>(journal_[sequence.value() - 1].body)) return std::nullopt;
  return View(sequence);
}

std::vector<TransactionView> Model::FindByReference(uint16_t code, const std::string& reference, size_t limit) const {
  std::vector<TransactionView> found;
  const auto it = references_.find({code, reference});
  if (it == references_.end()) return found;
  for (const Sequence sequence : it->second) {
    if (found.size() < limit) found.push_back(View(sequence));
  }
  return found;
}

TransactionView Model::View(Sequence sequence) const {
  const JournalRecord& record = journal_[sequence.value() - 1];
  TransactionView view;
  view.sequence = sequence;
  view.recorded_at = record.recorded_at;
  view.record = std::get<TransactionRecorded>(record.body);
  if (const auto it = links_.find(sequence); it != links_.end()) {
    view.links = it->second;
    if (view.links.size() > kMaxLinkPage) view.links.resize(kMaxLinkPage);
  }
  if (const auto it = holds_.find(sequence); it != holds_.end()) {
    view.captured = ToAmount(it->second.captured);
    view.released = ToAmount(it->second.released);
    view.remaining = ToAmount(it->second.remaining);
  }
  if (const auto it = reversible_.find(sequence); it != reversible_.end()) {
    absl::uint128 left = 0;
    for (const Reversible& pair : it->second) left += pair.remaining;
    absl::uint128 moved = 0;
    for (const Posting& p : view.record.moved) moved += p.amount.units();
    view.reversed = ToAmount(moved - left);
  }
  return view;
}

VerifyReport Model::Report() const {
  VerifyReport report;
  report.head.sequence = head();
  report.blocks = blocks_;
  report.records = journal_.size();
  for (const JournalRecord& record : journal_) {
    const auto* transaction = std::get_if<TransactionRecorded>(&record.body);
    if (transaction == nullptr) continue;
    ++(transaction->outcome == Outcome::kApplied ? report.transactions_applied : report.transactions_rejected);
  }
  report.accounts = accounts_.size();
  report.entries = entry_count_;
  report.open_holds = open_hold_count();
  return report;
}

}  // namespace northwind::testing
