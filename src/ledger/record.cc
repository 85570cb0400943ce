// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/record.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "src/base/coding.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kAccountOpened = 1;
constexpr uint8_t kAccountChanged = 2;
constexpr uint8_t kTransaction = 3;
constexpr uint8_t kHoldExpired = 4;

constexpr uint8_t kKindMask = 0x07;
constexpr uint8_t kFinalCapture = 0x08;
constexpr uint8_t kUniqueReference = 0x10;

constexpr uint8_t kHasPostings = 0x01;
constexpr uint8_t kHasTargetKey = 0x02;
constexpr uint8_t kHasTargetReference = 0x04;
constexpr uint8_t kHasAmount = 0x08;
constexpr uint8_t kHasCode = 0x10;
constexpr uint8_t kHasReference = 0x20;
constexpr uint8_t kHasTimes = 0x40;
constexpr uint8_t kHasMetadata = 0x80;

constexpr uint8_t kEffectiveAt = 1;
constexpr uint8_t kExpiresAt = 2;

void PutPosting(const Posting& posting, std::string& out) {
  char buffer[2 * kMaxVarint64 + kMaxVarint128];
  char* p = EncodeVarint64(buffer, posting.debit.value());
  p = EncodeVarint64(p, posting.credit.value());
  p = EncodeVarint128(p, posting.amount.units());
  out.append(buffer, static_cast<size_t>(p - buffer));
}

void PutPostings(const Postings& postings, std::string& out) {
  PutVarint64(out, postings.size());
  for (const Posting& posting : postings) PutPosting(posting, out);
}

void PutAmount(Amount amount, std::string& out) { PutVarint128(out, amount.units()); }

void PutTime(absl::Time time, std::string& out) { PutBigEndian64(out, static_cast<uint64_t>(absl::ToUnixNanos(time))); }

// Appends type and body with their length before them.
template <typename Body>
void PutFramed(uint8_t type, std::string& out, const Body& body) {
  thread_local std::string scratch;
  scratch.clear();
  scratch.push_back(static_cast<char>(type));
  body(scratch);
  PutBytes(out, scratch);
}

bool GetAmount(ByteReader& in, Amount& amount) {
  absl::uint128 units;
  if (!in.GetVarint128(units)) return false;
  if (units > Amount::Max().units()) return in.Fail();
  amount = *Amount::FromUnits(units);
  return true;
}

bool GetAccount(ByteReader& in, AccountId& id) {
  uint32_t value;
  if (!in.GetVarint(value)) return false;
  id = AccountId(value);
  return true;
}

bool GetPosting(ByteReader& in, Posting& posting) {
  return GetAccount(in, posting.debit) && GetAccount(in, posting.credit) && GetAmount(in, posting.amount);
}

bool GetPostings(ByteReader& in, Postings& postings) {
  uint64_t count;
  if (!in.GetVarint64(count)) return false;
  if (count > kMaxPostings) return in.Fail();
  postings.resize(count);
  for (Posting& posting : postings) {
    if (!GetPosting(in, posting)) return false;
  }
  return true;
}

bool GetKey(ByteReader& in, IdempotencyKey& key) {
  std::string_view raw;
  if (!in.GetRaw(IdempotencyKey::kSize, raw)) return false;
  key = *IdempotencyKey::FromBytes(raw);
  return true;
}

bool GetText(ByteReader& in, size_t max, std::string& text) {
  std::string_view bytes;
  if (!in.GetBytes(max, bytes)) return false;
  text.assign(bytes);
  return true;
}

bool GetTime(ByteReader& in, std::optional<absl::Time>& time) {
  uint64_t nanos;
  if (!in.GetBigEndian64(nanos)) return false;
  if (nanos > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return in.Fail();
  time = absl::FromUnixNanos(static_cast<int64_t>(nanos));
  return true;
}

bool GetTarget(ByteReader& in, uint8_t present, std::optional<Target>& target) {
  if ((present & kHasTargetKey) != 0) {
    if ((present & kHasTargetReference) != 0) return in.Fail();
    target.emplace();
    return GetKey(in, target->key.emplace());
  }
  if ((present & kHasTargetReference) != 0) {
    target.emplace();
    return in.GetVarint(target->code) && GetText(in, kMaxReferenceBytes, target->reference);
  }
  target.reset();
  return true;
}

bool GetTimes(ByteReader& in, Transaction& t) {
  uint8_t which;
  if (!in.GetByte(which)) return false;
  if (which == 0 || which > (kEffectiveAt | kExpiresAt)) return in.Fail();
  if ((which & kEffectiveAt) != 0 && !GetTime(in, t.effective_at)) return false;
  if ((which & kExpiresAt) != 0 && !GetTime(in, t.expires_at)) return false;
  return true;
}

bool GetContent(ByteReader& in, Transaction& t) {
  uint8_t kind, present;
  if (!in.GetByte(kind) || !in.GetByte(present)) return false;
  if ((kind & kKindMask) < 1 || (kind & kKindMask) > 5 || kind > 0x1f) return in.Fail();
  t.kind = static_cast<TransactionKind>(kind & kKindMask);
  t.final_capture = (kind & kFinalCapture) != 0;
  t.unique_reference = (kind & kUniqueReference) != 0;
  t.postings.clear();
  t.amount = Amount();
  t.code = 0;
  t.reference.clear();
  t.effective_at.reset();
  t.expires_at.reset();
  t.metadata.clear();
  if ((present & kHasPostings) != 0 && (!GetPostings(in, t.postings) || t.postings.empty())) return in.Fail();
  if (!GetTarget(in, present, t.target)) return false;
  if ((present & kHasAmount) != 0 && (!GetAmount(in, t.amount) || t.amount.is_zero())) return in.Fail();
  if ((present & kHasCode) != 0 && (!in.GetVarint(t.code) || t.code == 0)) return in.Fail();
  if ((present & kHasReference) != 0 && (!GetText(in, kMaxReferenceBytes, t.reference) || t.reference.empty())) {
    return in.Fail();
  }
  if ((present & kHasTimes) != 0 && !GetTimes(in, t)) return false;
  if ((present & kHasMetadata) != 0 && (!GetText(in, kMaxMetadataBytes, t.metadata) || t.metadata.empty())) {
    return in.Fail();
  }
  return true;
}

bool GetSequence(ByteReader& in, Sequence& sequence) {
  uint64_t value;
  if (!in.GetVarint64(value)) return false;
  if (value == 0) return in.Fail();
  sequence = Sequence(value);
  return true;
}

bool GetResolved(ByteReader& in, StoredTransaction& stored) {
  TransactionRecorded& record = stored.record;
  record.target = Sequence();
  record.moved.clear();
  record.released = Amount();
  stored.progress = Progress();
  if (record.outcome != Outcome::kApplied) return true;
  switch (record.transaction.kind) {
    case TransactionKind::kPost:
    case TransactionKind::kHold:
      record.moved = record.transaction.postings;
      return !record.moved.empty() || in.Fail();
    case TransactionKind::kCapture: {
      Amount now;
      if (!GetSequence(in, record.target) || !GetPosting(in, stored.hold) || !GetAmount(in, now) ||
          !GetAmount(in, stored.progress.captured) || !GetAmount(in, record.released)) {
        return false;
      }
      record.moved = {{stored.hold.debit, stored.hold.credit, now}};
      stored.progress.released = record.released;
      return true;
    }
    case TransactionKind::kRelease:
      if (!GetSequence(in, record.target) || !GetPosting(in, stored.hold) || !GetAmount(in, stored.progress.captured) ||
          !GetAmount(in, record.released)) {
        return false;
      }
      stored.progress.released = record.released;
      return true;
    case TransactionKind::kReverse: {
      if (!GetSequence(in, record.target) || !GetPostings(in, record.moved)) return false;
      uint64_t pairs;
      if (!in.GetVarint64(pairs)) return false;
      if (pairs == 0 || pairs > kMaxPostings) return in.Fail();
      stored.progress.reversed.resize(pairs);
      for (Amount& amount : stored.progress.reversed) {
        if (!GetAmount(in, amount)) return false;
      }
      return true;
    }
  }
  return in.Fail();
}

bool GetTransaction(ByteReader& in, StoredTransaction& stored) {
  uint8_t reason;
  if (!GetKey(in, stored.record.transaction.key) || !in.GetByte(reason)) return false;
  if (reason > static_cast<uint8_t>(Reason::kTotalOverflow)) return in.Fail();
  stored.record.reason = static_cast<Reason>(reason);
  stored.record.outcome = reason == 0 ? Outcome::kApplied : Outcome::kRejected;
  return GetContent(in, stored.record.transaction) && GetResolved(in, stored);
}

bool GetInt128(ByteReader& in, absl::int128& v) {
  absl::uint128 raw;
  if (!in.GetVarint128(raw)) return false;
  v = UnZigZag128(raw);
  return true;
}

bool GetOpened(ByteReader& in, AccountOpened& opened) {
  uint8_t external;
  if (!GetAccount(in, opened.id) || !GetText(in, kMaxAccountNameBytes, opened.spec.name) ||
      !GetText(in, 32, opened.spec.asset) || !in.GetByte(external) || !GetInt128(in, opened.spec.min_available)) {
    return false;
  }
  if (external > 1) return in.Fail();
  opened.spec.external = external == 1;
  return true;
}

bool GetChanged(ByteReader& in, AccountChanged& changed) {
  uint8_t state;
  if (!GetAccount(in, changed.id) || !in.GetByte(state) || !GetInt128(in, changed.min_available)) return false;
  if (state < 1 || state > 3) return in.Fail();
  changed.state = static_cast<AccountState>(state);
  return true;
}

bool GetExpiry(ByteReader& in, StoredExpiry& expiry) {
  return GetSequence(in, expiry.record.hold) && GetAccount(in, expiry.debit) && GetAccount(in, expiry.credit) &&
         GetAmount(in, expiry.record.released) && in.GetVarint(expiry.code);
}

// The alternative of `record`, made if it is another: keeps the memory of strings from record to record.
template <typename T>
T& Become(StoredRecord& record) {
  if (T* same = std::get_if<T>(&record)) return *same;
  return record.emplace<T>();
}

bool GetRecord(ByteReader& in, StoredRecord& record) {
  uint8_t type;
  if (!in.GetByte(type)) return false;
  switch (type) {
    case kAccountOpened:
      return GetOpened(in, Become<AccountOpened>(record));
    case kAccountChanged:
      return GetChanged(in, Become<AccountChanged>(record));
    case kTransaction:
      return GetTransaction(in, Become<StoredTransaction>(record));
    case kHoldExpired:
      return GetExpiry(in, Become<StoredExpiry>(record));
    default:
      return in.Fail();
  }
}

int64_t Nanos(const std::optional<absl::Time>& time) { return time ? absl::ToUnixNanos(*time) : -1; }

}  // namespace

void EncodeContent(const Transaction& t, std::string& out) {
  const bool times = t.effective_at.has_value() || t.expires_at.has_value();
  uint8_t kind = static_cast<uint8_t>(t.kind);
  if (t.final_capture) kind |= kFinalCapture;
  if (t.unique_reference) kind |= kUniqueReference;
  uint8_t present = 0;
  if (!t.postings.empty()) present |= kHasPostings;
  if (t.target) present |= t.target->key ? kHasTargetKey : kHasTargetReference;
  if (!t.amount.is_zero()) present |= kHasAmount;
  if (t.code != 0) present |= kHasCode;
  if (!t.reference.empty()) present |= kHasReference;
  if (times) present |= kHasTimes;
  if (!t.metadata.empty()) present |= kHasMetadata;
  out.push_back(static_cast<char>(kind));
  out.push_back(static_cast<char>(present));
  if ((present & kHasPostings) != 0) PutPostings(t.postings, out);
  if ((present & kHasTargetKey) != 0) out.append(t.target->key->bytes());
  if ((present & kHasTargetReference) != 0) {
    PutVarint64(out, t.target->code);
    PutBytes(out, t.target->reference);
  }
  if ((present & kHasAmount) != 0) PutAmount(t.amount, out);
  if ((present & kHasCode) != 0) PutVarint64(out, t.code);
  if ((present & kHasReference) != 0) PutBytes(out, t.reference);
  if (times) {
    out.push_back(static_cast<char>((t.effective_at ? kEffectiveAt : 0) | (t.expires_at ? kExpiresAt : 0)));
    if (t.effective_at) PutTime(*t.effective_at, out);
    if (t.expires_at) PutTime(*t.expires_at, out);
  }
  if ((present & kHasMetadata) != 0) PutBytes(out, t.metadata);
}

void EncodePlainTransaction(const IdempotencyKey& key, Reason reason, std::string_view content, std::string& out) {
  PutVarint64(out, 2 + IdempotencyKey::kSize + content.size());
  out.push_back(static_cast<char>(kTransaction));
  out.append(key.bytes());
  out.push_back(static_cast<char>(reason));
  out.append(content);
}

void EncodeTransaction(const StoredTransaction& stored, std::string_view content, std::string& out) {
  const TransactionRecorded& record = stored.record;
  PutFramed(kTransaction, out, [&](std::string& body) {
    body.append(record.transaction.key.bytes());
    body.push_back(static_cast<char>(record.reason));
    body.append(content);
    if (record.outcome != Outcome::kApplied) return;
    switch (record.transaction.kind) {
      case TransactionKind::kPost:
      case TransactionKind::kHold:
        break;
      case TransactionKind::kCapture:
        PutVarint64(body, record.target.value());
        PutPosting(stored.hold, body);
        PutAmount(record.moved.front().amount, body);
        PutAmount(stored.progress.captured, body);
        PutAmount(record.released, body);
        break;
      case TransactionKind::kRelease:
        PutVarint64(body, record.target.value());
        PutPosting(stored.hold, body);
        PutAmount(stored.progress.captured, body);
        PutAmount(record.released, body);
        break;
      case TransactionKind::kReverse:
        PutVarint64(body, record.target.value());
        PutPostings(record.moved, body);
        PutVarint64(body, stored.progress.reversed.size());
        for (const Amount amount : stored.progress.reversed) PutAmount(amount, body);
        break;
    }
  });
}

void EncodeRecord(const AccountOpened& opened, std::string& out) {
  PutFramed(kAccountOpened, out, [&](std::string& body) {
    PutVarint64(body, opened.id.value());
    PutBytes(body, opened.spec.name);
    PutBytes(body, opened.spec.asset);
    body.push_back(opened.spec.external ? 1 : 0);
    PutVarint128(body, ZigZag128(opened.spec.min_available));
  });
}

void EncodeRecord(const AccountChanged& changed, std::string& out) {
  PutFramed(kAccountChanged, out, [&](std::string& body) {
    PutVarint64(body, changed.id.value());
    body.push_back(static_cast<char>(changed.state));
    PutVarint128(body, ZigZag128(changed.min_available));
  });
}

void EncodeRecord(const StoredExpiry& expiry, std::string& out) {
  PutFramed(kHoldExpired, out, [&](std::string& body) {
    PutVarint64(body, expiry.record.hold.value());
    PutVarint64(body, expiry.debit.value());
    PutVarint64(body, expiry.credit.value());
    PutAmount(expiry.record.released, body);
    PutVarint64(body, expiry.code);
  });
}

absl::Status DecodeRecord(std::string_view bytes, StoredRecord& record) {
  ByteReader in(bytes);
  if (!GetRecord(in, record) || !in.AtEnd()) return absl::DataLossError("malformed journal record");
  return absl::OkStatus();
}

uint64_t Fingerprint(std::string_view content) { return XXH3_64bits(content.data(), content.size()); }

Field FirstDifference(const Transaction& a, const Transaction& b) {
  if (a.kind != b.kind) return Field::kKind;
  if (a.postings != b.postings) return Field::kPostings;
  if (a.target != b.target) return Field::kTarget;
  if (a.amount != b.amount) return Field::kAmount;
  if (a.final_capture != b.final_capture) return Field::kFinalCapture;
  if (a.code != b.code) return Field::kCode;
  if (a.reference != b.reference) return Field::kReference;
  if (a.unique_reference != b.unique_reference) return Field::kUniqueReference;
  if (Nanos(a.effective_at) != Nanos(b.effective_at)) return Field::kEffectiveAt;
  if (Nanos(a.expires_at) != Nanos(b.expires_at)) return Field::kExpiresAt;
  if (a.metadata != b.metadata) return Field::kMetadata;
  return Field::kNone;
}

Postings DistinctPairs(const Postings& moved) {
  Postings pairs;
  for (const Posting& posting : moved) {
    const auto same = std::find_if(pairs.begin(), pairs.end(), [&](const Posting& pair) {
      return pair.debit == posting.debit && pair.credit == posting.credit;
    });
    if (same == pairs.end()) {
      pairs.push_back(posting);
    } else {
      same->amount = *same->amount.CheckedAdd(posting.amount);  // the sum of a transaction is bounded (kAmountTooLarge)
    }
  }
  return pairs;
}

}  // namespace northwind::internal
