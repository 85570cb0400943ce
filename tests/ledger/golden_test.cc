// SPDX-License-Identifier: Apache-2.0
//
// Golden bytes of every stored record, written down by hand from docs/format.md: what is on a disk today must be read by every later
// version.
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/ledger/block.h"
#include "src/ledger/history_chunk.h"
#include "src/ledger/index.h"
#include "src/ledger/record.h"
#include "src/ledger/state_codec.h"

namespace northwind::internal {
namespace {

// Hexadecimal digits; blanks are only for the reader.
std::string Bytes(std::string_view hex) {
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') digits.push_back(c);
  }
  return absl::HexStringToBytes(digits);
}

std::string Hex(std::string_view bytes) { return absl::BytesToHexString({bytes.data(), bytes.size()}); }

constexpr std::string_view kKey = "000102030405060708090a0b0c0d0e0f";

Transaction WithKey(TransactionKind kind) {
  Transaction t;
  t.key = *IdempotencyKey::Parse(kKey);
  t.kind = kind;
  return t;
}

// The record as written, without its length, which must be one byte.
std::string Encode(const StoredTransaction& stored) {
  std::string content, record;
  EncodeContent(stored.record.transaction, content);
  EncodeTransaction(stored, content, record);
  EXPECT_EQ(record.size(), static_cast<size_t>(record[0]) + 1);
  return record.substr(1);
}

// Bytes both ways: what is written, and what reading it back and writing it again gives.
void ExpectGolden(const StoredTransaction& stored, std::string_view golden) {
  EXPECT_EQ(Hex(Encode(stored)), Hex(Bytes(golden)));
  StoredRecord decoded;
  ASSERT_TRUE(DecodeRecord(Bytes(golden), decoded).ok());
  ASSERT_TRUE(std::holds_alternative<StoredTransaction>(decoded));
  const StoredTransaction& again = std::get<StoredTransaction>(decoded);
  EXPECT_EQ(Hex(Encode(again)), Hex(Bytes(golden)));
  EXPECT_EQ(FirstDifference(again.record.transaction, stored.record.transaction), Field::kNone);
}

TEST(Golden, PostWithEverythingThatAPostCanHave) {
  StoredTransaction stored;
  stored.record.transaction = WithKey(TransactionKind::kPost);
  Transaction& t = stored.record.transaction;
  t.postings = {{AccountId(1), AccountId(2), 300}, {AccountId(2), AccountId(3), 1}};
  t.code = 1001;
  t.reference = "pay_1";
  t.unique_reference = true;
  t.effective_at = absl::FromUnixNanos(1);
  t.metadata = "m";
  stored.record.moved = t.postings;
  ExpectGolden(stored,
               "03 000102030405060708090a0b0c0d0e0f 00  11 f1  02 01 02 ac02 02 03 01  e907  05 7061795f31"
               "  01 0000000000000001  01 6d");
}

TEST(Golden, HoldThatCanExpire) {
  StoredTransaction stored;
  stored.record.transaction = WithKey(TransactionKind::kHold);
  stored.record.transaction.postings = {{AccountId(1), AccountId(2), 5}};
  stored.record.transaction.expires_at = absl::FromUnixNanos(258);
  stored.record.moved = stored.record.transaction.postings;
  ExpectGolden(stored, "03 000102030405060708090a0b0c0d0e0f 00  02 41  01 01 02 05  02 0000000000000102");
}

TEST(Golden, FinalCaptureByReference) {
  StoredTransaction stored;
  stored.record.transaction = WithKey(TransactionKind::kCapture);
  stored.record.transaction.target = Target::Reference(7, "po");
  stored.record.transaction.amount = 3;
  stored.record.transaction.final_capture = true;
  stored.record.target = Sequence(9);
  stored.hold = {AccountId(1), AccountId(2), 10};
  stored.record.moved = {{AccountId(1), AccountId(2), 3}};
  stored.record.released = 5;
  stored.progress = {.captured = 5, .released = 5};
  ExpectGolden(stored, "03 000102030405060708090a0b0c0d0e0f 00  0b 0c  07 02 706f  03  09 01 02 0a 03 05 05");
}

TEST(Golden, ReleaseByKey) {
  StoredTransaction stored;
  stored.record.transaction = WithKey(TransactionKind::kRelease);
  stored.record.transaction.target = Target::Key(*IdempotencyKey::Parse("ffffffffffffffffffffffffffffffff"));
  stored.record.target = Sequence(300);
  stored.hold = {AccountId(1), AccountId(2), 10};
  stored.record.released = 10;
  stored.progress = {.released = 10};
  ExpectGolden(stored,
               "03 000102030405060708090a0b0c0d0e0f 00  04 02  ffffffffffffffffffffffffffffffff"
               "  ac02 01 02 0a 00 0a");
}

TEST(Golden, ReverseOfAPart) {
  StoredTransaction stored;
  stored.record.transaction = WithKey(TransactionKind::kReverse);
  stored.record.transaction.postings = {{AccountId(2), AccountId(1), 4}};
  stored.record.transaction.target = Target::Reference(7, "p");
  stored.record.target = Sequence(9);
  stored.record.moved = stored.record.transaction.postings;
  stored.progress.reversed = {6, 0};
  ExpectGolden(stored,
               "03 000102030405060708090a0b0c0d0e0f 00  05 05  01 02 01 04  07 01 70  09  01 02 01 04  02 06 00");
}

TEST(Golden, RejectedPost) {
  StoredTransaction stored;
  stored.record.transaction = WithKey(TransactionKind::kPost);
  stored.record.transaction.postings = {{AccountId(1), AccountId(2), 5}};
  stored.record.outcome = Outcome::kRejected;
  stored.record.reason = Reason::kInsufficientFunds;
  ExpectGolden(stored, "03 000102030405060708090a0b0c0d0e0f 01  01 01  01 01 02 05");
  std::string content, plain;
  EncodeContent(stored.record.transaction, content);
  EncodePlainTransaction(stored.record.transaction.key, stored.record.reason, content, plain);
  EXPECT_EQ(plain.substr(1), Encode(stored));
}

TEST(Golden, AccountsAndExpiry) {
  std::string bytes;
  EncodeRecord(AccountOpened{.id = AccountId(5), .spec = {.name = "a:b", .asset = "USD/2", .min_available = -2}},
               bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("0e 01 05 03 613a62 05 5553442f32 00 03")));
  bytes.clear();
  EncodeRecord(AccountChanged{.id = AccountId(5), .state = AccountState::kFrozen, .min_available = 1}, bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("04 02 05 02 02")));
  bytes.clear();
  StoredExpiry expiry;
  expiry.record = {.hold = Sequence(128), .released = 7};
  expiry.debit = AccountId(1);
  expiry.credit = AccountId(2);
  expiry.code = 20;
  EncodeRecord(expiry, bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("07 04 8001 01 02 07 14")));
}

TEST(Golden, LargestAmount) {
  std::string content;
  Transaction t = WithKey(TransactionKind::kPost);
  t.postings = {{AccountId(1), AccountId(2), Amount::Max()}};
  EncodeContent(t, content);
  EXPECT_EQ(Hex(content), Hex(Bytes("01 01 01 01 02 ffffffffffffffffffffffffffffffffffff01")));
}

TEST(Golden, BlockHeader) {
  BlockHeader header{.first = 2, .count = 3, .payload_bytes = 4, .recorded_at = 5};
  header.previous.fill(0xaa);
  header.payload_hash.fill(0xbb);
  const auto bytes = EncodeBlockHeader(header);
  std::string golden = Bytes("01000000 00000003 00000004 0000000000000002 0000000000000005");
  golden.append(32, '\xaa').append(32, '\xbb');
  EXPECT_EQ(Hex({bytes.data(), bytes.size()}), Hex(golden));
  // sha256sum of those 92 bytes, and of the tag with sixteen zero bytes behind it.
  EXPECT_EQ(Hex({reinterpret_cast<const char*>(BlockHash(header).data()), 32}),
            "aa0f6b28f180fbd2967e7a1b9ec70d139d0319b8ef61494c20e5c077380195e5");
  EXPECT_EQ(Hex({reinterpret_cast<const char*>(GenesisHash({}).data()), 32}),
            "fd99b185fea9a8f46aeb70a84e140236467e16cb5ba60fce0d234d31bfe63969");
}

TEST(Golden, IndexRecords) {
  std::string bytes;
  EncodeKeyEntry({.sequence = 300, .fingerprint = 1, .recorded_at = 2, .reason = Reason::kReferenceUsed}, bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("ac02 04 0000000000000001 0000000000000002")));
  bytes.clear();
  EncodeReferenceClaim({.earliest = 300, .unique = true}, bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("ac02 01")));
  EXPECT_EQ(Hex(ReferenceName(1001, "pay")), Hex(Bytes("03e9 03 706179")));
  bytes.clear();
  EncodeProgress({.captured = 1, .released = 2, .reversed = {3, 300}}, bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("01 02 02 03 ac02")));
}

TEST(Golden, HistoryChunk) {
  HistoryChunk chunk;
  chunk.before = {.debits_posted = 1, .credits_posted = 300, .debits_held = 0, .credits_held = 2};
  chunk.Append(10, 1000, EntryKind::kCredit, 5, 7);
  chunk.Append(10, 1000, EntryKind::kDebit, 6, 7);
  chunk.Append(12, 1300, EntryKind::kReleaseCredit, 2, 0);
  std::string bytes;
  EncodeHistoryChunk(chunk, bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("01 03  01 ac02 00 02  e807  19 05 07  10 06  0f 02 ac02 02 00")));
  EXPECT_EQ(Hex(HistoryKey(AccountId(1), 10)), Hex(Bytes("00000001 000000000000000a")));
}

TEST(Golden, CheckpointRecords) {
  std::string bytes;
  EncodeAttributes({.spec = {.name = "a", .asset = "USD/2", .external = false, .min_available = -1},
                    .state = AccountState::kFrozen,
                    .min_available = 1},
                   bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("01 61 05 5553442f32 00 02 02 01")));
  EXPECT_EQ(Hex(AccountKey(AccountId(1), kTotalsSuffix)), Hex(Bytes("00000001 01")));
  bytes.clear();
  EncodeTotals({.debits_posted = 1, .credits_posted = 2, .debits_held = 3, .credits_held = 300}, bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("01 02 03 ac02")));
  bytes.clear();
  EncodeHold({.placed = {AccountId(1), AccountId(2), 10}, .remaining = 4, .expires_at = 5, .code = 300}, bytes);
  EXPECT_EQ(Hex(bytes), Hex(Bytes("01 02 0a 04 0000000000000005 ac02")));
  bytes.clear();
  Watermark watermark{.recorded_at = 3, .last_time_sample = 4};
  watermark.head.sequence = Sequence(2);
  watermark.head.hash.fill(0xcc);
  EncodeWatermark(watermark, bytes);
  EXPECT_EQ(Hex(bytes),
            Hex(Bytes("0000000000000002") + std::string(32, '\xcc') + Bytes("0000000000000003 0000000000000004")));
}

TEST(Golden, Fingerprint) {
  // XXH3-64, seed 0, of no bytes: the value of the xxHash specification's reference code (xxhsum -H3).
  EXPECT_EQ(Fingerprint({}), 0x2d06800538d394c2u);
}

}  // namespace
}  // namespace northwind::internal
