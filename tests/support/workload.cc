// SPDX-License-Identifier: Apache-2.0
#include "tests/support/workload.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <variant>

namespace northwind::testing {
namespace {

constexpr size_t kRemembered = 400;

const std::array<const char*, 3> kAssets = {"USD/2", "EUR/2", "JPY/0"};

bool IsHold(TransactionKind kind) { return kind == TransactionKind::kHold; }
bool IsReversible(TransactionKind kind) { return kind == TransactionKind::kPost || kind == TransactionKind::kCapture; }

}  // namespace

std::vector<Transaction> Workload::NextBatch(absl::Time now) {
  size_t size = 1 + random_.Below(profile_.max_batch);
  if (random_.OneIn(4)) size = 1 + random_.Below(4);
  if (profile_.big_batch_one_in > 0 && random_.OneIn(profile_.big_batch_one_in)) size = 1 + random_.Below(2000);
  std::vector<Transaction> batch;
  batch.reserve(size);
  while (batch.size() < size) batch.push_back(NextTransaction(now));
  if (random_.Percent(profile_.shuffle)) {
    for (size_t i = batch.size(); i > 1; --i) std::swap(batch[i - 1], batch[random_.Below(i)]);
  }
  return batch;
}

Transaction Workload::NextTransaction(absl::Time now) {
  Transaction t;
  const unsigned choice = static_cast<unsigned>(random_.Below(100));
  const Transaction* const earlier = Earlier();
  if (earlier != nullptr && choice < profile_.duplicate) {
    t = *earlier;
  } else if (earlier != nullptr && choice < profile_.duplicate + profile_.conflict) {
    t = *earlier;
    Alter(t, now);
  } else {
    t = Fresh(now);
    if (random_.Percent(profile_.invalid)) Spoil(t);
  }
  recent_.push_back(t);
  if (recent_.size() > kRemembered) recent_.pop_front();
  return t;
}

Transaction Workload::Fresh(absl::Time now) {
  const std::array<std::pair<TransactionKind, unsigned>, 5> weights = {{{TransactionKind::kPost, profile_.post},
                                                                        {TransactionKind::kHold, profile_.hold},
                                                                        {TransactionKind::kCapture, profile_.capture},
                                                                        {TransactionKind::kRelease, profile_.release},
                                                                        {TransactionKind::kReverse, profile_.reverse}}};
  unsigned sum = 0;
  for (const auto& [kind, weight] : weights) sum += weight;
  unsigned draw = static_cast<unsigned>(random_.Below(sum));
  for (const auto& [kind, weight] : weights) {
    if (draw < weight) return FreshOf(kind, now);
    draw -= weight;
  }
  return FreshOf(TransactionKind::kPost, now);
}

Transaction Workload::FreshOf(TransactionKind kind, absl::Time now) {
  Transaction t;
  t.key = FreshKey(now);
  t.kind = kind;
  t.code = AnyCode();
  if (random_.Percent(profile_.reference)) {
    t.reference = AnyReference();
    t.unique_reference = random_.Percent(profile_.unique);
  }
  if (random_.OneIn(8)) t.effective_at = now - absl::Nanoseconds(random_.Between(0, 1'000'000'000'000));
  if (random_.OneIn(8)) t.metadata = std::string(random_.Below(random_.OneIn(50) ? kMaxMetadataBytes : 20), 'm');
  if (random_.Percent(profile_.host_record)) {
    const size_t count = 1 + random_.Below(3);
    for (size_t i = 0; i < count; ++i) {
      t.host_records.push_back({"host" + std::to_string(random_.Below(10)), std::to_string(random_.Next())});
    }
  }
  switch (kind) {
    case TransactionKind::kPost:
      t.postings = SomePostings(random_.OneIn(3) ? 1 + random_.Below(profile_.max_postings) : 1);
      break;
    case TransactionKind::kHold:
      t.postings = SomePostings(1);
      if (random_.Percent(profile_.expiring)) {
        // Some are over before they begin; most outlive a few dozen batches.
        t.expires_at = now + absl::Nanoseconds(random_.Between(-1'000'000'000, 60'000'000'000));
      }
      break;
    case TransactionKind::kCapture:
      t.target = SomeTarget(kind, now);
      if (random_.OneIn(2)) t.amount = SomeAmount();
      t.final_capture = random_.OneIn(3);
      break;
    case TransactionKind::kRelease:
      t.target = SomeTarget(kind, now);
      break;
    case TransactionKind::kReverse:
      FillReverse(t, now);
      break;
  }
  return t;
}

// All of a target, or some of its postings turned round, right or a little wrong.
void Workload::FillReverse(Transaction& t, absl::Time now) {
  t.target = SomeTarget(t.kind, now);
  if (random_.OneIn(2)) return;
  const Transaction* const original = EarlierOf(IsReversible);
  if (original == nullptr) return;
  if (random_.OneIn(2)) t.target = Target::Key(original->key);
  const auto view = model_.GetTransaction(original->key);
  const Postings& postings = view.has_value() ? view->record.moved : original->postings;
  for (const Posting& p : postings) {
    if (random_.OneIn(4)) continue;
    const absl::uint128 part = p.amount.is_zero() ? absl::uint128(1) : p.amount.units() / (1 + random_.Below(3));
    t.postings.push_back({p.credit, p.debit, part == 0 ? Amount(1) : Amount::FromUnits(part).value()});
    if (random_.OneIn(6) && t.postings.size() < kMaxPostings) t.postings.push_back(t.postings.back());
  }
  if (!t.postings.empty() && random_.OneIn(10)) t.postings.back() = SomePosting();
}

Postings Workload::SomePostings(size_t count) {
  Postings postings;
  for (size_t i = 0; i < count; ++i) {
    Posting p = SomePosting();
    // Money that goes round inside one transaction: the order of postings must not matter.
    if (i > 0 && random_.OneIn(3)) p = {postings.back().credit, p.credit, postings.back().amount};
    if (i > 0 && random_.OneIn(5)) p = {postings.back().debit, postings.back().credit, p.amount};
    if (p.debit == p.credit) p = postings.back();
    postings.push_back(p);
  }
  return postings;
}

Posting Workload::SomePosting() {
  Posting p;
  p.amount = SomeAmount();
  p.debit = AnyAccount();
  p.credit = AnyAccount();
  // Mostly both sides in one asset.
  const auto exists = [this](AccountId id) { return id.value() >= 1 && id.value() <= model_.account_count(); };
  for (int attempt = 0; attempt < 20; ++attempt) {
    if (!exists(p.debit) || !exists(p.credit) || random_.OneIn(400)) break;
    if (p.debit != p.credit && model_.account(p.debit).asset == model_.account(p.credit).asset) break;
    p.credit = AnyAccount();
  }
  if (p.debit == p.credit) p.credit = AccountId(p.debit.value() + 1);
  return p;
}

Amount Workload::SomeAmount() {
  if (profile_.huge_amount > 0 && random_.Percent(profile_.huge_amount)) {
    const absl::uint128 huge = Amount::Max().units() >> static_cast<int>(random_.Below(4));
    return Amount::FromUnits(huge - random_.Below(3)).value();
  }
  return Amount(1 + random_.Below(profile_.max_amount));
}

Target Workload::SomeTarget(TransactionKind for_kind, absl::Time now) {
  const Transaction* const target =
      random_.OneIn(12) ? Earlier() : EarlierOf(for_kind == TransactionKind::kReverse ? IsReversible : IsHold);
  if (target == nullptr || random_.OneIn(25)) {
    if (random_.OneIn(2)) return Target::Key(AnyKey(now));
    return Target::Reference(AnyCode(), AnyReference());
  }
  if (!target->reference.empty() && target->reference.size() <= kMaxReferenceBytes && random_.OneIn(2)) {
    return Target::Reference(target->code, target->reference);
  }
  return Target::Key(target->key);
}

const Transaction* Workload::Earlier() {
  if (recent_.empty()) return nullptr;
  if (random_.OneIn(3) && model_.head().value() > 0) {
    // Far back: what the ledger has to look up in its indexes.
    for (int attempt = 0; attempt < 4; ++attempt) {
      const JournalRecord& record = model_.journal()[random_.Below(model_.head().value())];
      if (const auto* body = std::get_if<TransactionRecorded>(&record.body)) return &body->transaction;
    }
  }
  return &recent_[random_.Below(recent_.size())];
}

const Transaction* Workload::EarlierOf(bool (*fits)(TransactionKind)) {
  for (int attempt = 0; attempt < 12; ++attempt) {
    const Transaction* const earlier = Earlier();
    if (earlier != nullptr && fits(earlier->kind)) return earlier;
  }
  return nullptr;
}

AccountSpec Workload::NextAccount() {
  AccountSpec spec;
  const uint64_t number = random_.OneIn(5) ? random_.Below(profile_.max_accounts) : model_.account_count();
  spec.name = "group:" + std::to_string(number % 7) + ":" + std::to_string(number);
  spec.asset = kAssets[number % kAssets.size()];
  // One in four gives and takes without limit, so that money keeps coming in.
  spec.external = number / kAssets.size() % 4 == 0;
  if (!spec.external && random_.OneIn(4)) spec.min_available = -random_.Between(-4, 50);
  if (random_.OneIn(40)) spec.asset = kAssets[random_.Below(kAssets.size())];
  return spec;
}

AccountId Workload::AnyAccount() {
  if (profile_.unknown_account > 0 && random_.Below(400) < profile_.unknown_account) {
    return AccountId(random_.OneIn(2) ? 0 : static_cast<uint32_t>(model_.account_count() + 1 + random_.Below(3)));
  }
  return AccountId(static_cast<uint32_t>(1 + random_.Below(model_.account_count())));
}

IdempotencyKey Workload::FreshKey(absl::Time now) {
  ++counter_;
  if (random_.Percent(profile_.random_keys)) {
    std::array<uint8_t, IdempotencyKey::kSize> bytes;
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_.Next());
    return IdempotencyKey(bytes);
  }
  return DeriveKey(std::to_string(counter_) + "/" + std::to_string(random_.Next()), now);
}

IdempotencyKey Workload::AnyKey(absl::Time now) {
  const Transaction* const earlier = Earlier();
  return earlier == nullptr || random_.OneIn(4) ? FreshKey(now) : earlier->key;
}

std::string Workload::AnyReference() { return "ref" + std::to_string(random_.Below(profile_.references)); }

// The same key with another content.
void Workload::Alter(Transaction& t, absl::Time now) {
  switch (random_.Below(11)) {
    case 0: {
      const TransactionKind kinds[] = {TransactionKind::kPost, TransactionKind::kHold, TransactionKind::kCapture,
                                       TransactionKind::kRelease, TransactionKind::kReverse};
      t = FreshOf(kinds[random_.Below(5)], now);
      if (const Transaction* const earlier = Earlier()) t.key = earlier->key;
      break;
    }
    case 1:
      if (!t.postings.empty()) t.postings.back().amount = SomeAmount();
      break;
    case 2:
      if (!t.postings.empty()) t.postings.push_back(SomePosting());
      break;
    case 3:
      if (t.target.has_value()) t.target = SomeTarget(t.kind, now);
      break;
    case 4:
      if (t.kind == TransactionKind::kCapture) t.amount = SomeAmount();
      break;
    case 5:
      if (t.kind == TransactionKind::kCapture) t.final_capture = !t.final_capture;
      break;
    case 6:
      t.code = static_cast<uint16_t>(random_.Next());
      break;
    case 7:
      t.reference = AnyReference();
      break;
    case 8:
      if (!t.reference.empty()) t.unique_reference = !t.unique_reference;
      break;
    case 9:
      if (t.kind == TransactionKind::kHold && random_.OneIn(2)) {
        t.expires_at = now + absl::Nanoseconds(random_.Between(-5, 5'000'000'000));
      } else {
        t.effective_at = random_.OneIn(3) ? std::optional<absl::Time>() : now;
      }
      break;
    case 10:
      t.metadata += "x";
      break;
  }
}

// Makes it invalid in itself, in one or two ways.
void Workload::Spoil(Transaction& t) {
  const absl::Time past = absl::UnixEpoch() - absl::Nanoseconds(1);
  const absl::Time future = absl::FromUnixNanos(std::numeric_limits<int64_t>::max()) + absl::Nanoseconds(1);
  const size_t ways = 1 + random_.Below(2);
  for (size_t way = 0; way < ways; ++way) {
    switch (random_.Below(16)) {
      case 0:
        t.kind = static_cast<TransactionKind>(random_.OneIn(2) ? 0 : 6 + random_.Below(250));
        break;
      case 1:
        t.reference = std::string(kMaxReferenceBytes + 1, 'r');
        break;
      case 2:
        t.unique_reference = true;
        t.reference.clear();
        break;
      case 3:
        t.metadata = std::string(kMaxMetadataBytes + 1, 'm');
        break;
      case 4:
        t.effective_at = random_.OneIn(2) ? past : future;
        break;
      case 5:
        t.expires_at = random_.OneIn(2) ? past : future;
        break;
      case 6:
        t.host_records.assign(kMaxHostRecords + 1, {"k", "v"});
        break;
      case 7:
        t.host_records = {{random_.OneIn(2) ? "" : std::string(kMaxHostKeyBytes + 1, 'k'), "v"}};
        break;
      case 8:
        t.host_records = {{"k", std::string(kMaxHostValueBytes + 1, 'v')}};
        break;
      case 9:
        t.amount = 1;
        t.final_capture = random_.OneIn(2);
        break;
      case 10:
        t.target = random_.OneIn(2) ? Target{} : Target::Reference(1, std::string(kMaxReferenceBytes + 1, 'r'));
        break;
      case 11:
        t.target = Target::Key(t.key);
        if (random_.OneIn(2)) t.target->code = 1;
        if (random_.OneIn(2)) t.target->reference = "r";
        break;
      case 12:
        if (random_.OneIn(2)) {
          t.postings.clear();
        } else {
          t.postings.resize(random_.OneIn(10) ? kMaxPostings + 1 : 2, SomePosting());
        }
        break;
      case 13:
        if (!t.postings.empty()) t.postings[random_.Below(t.postings.size())].amount = 0;
        break;
      case 14:
        if (!t.postings.empty()) t.postings.back().credit = t.postings.back().debit;
        break;
      case 15:
        if (t.postings.size() > 1) t.postings[0].amount = t.postings[1].amount = Amount::Max();
        break;
    }
  }
}

}  // namespace northwind::testing
