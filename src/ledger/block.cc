// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/block.h"

#include <limits>
#include <utility>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"

namespace northwind::internal {
namespace {

constexpr std::string_view kGenesisTag = "northwind/journal/v1";

void GetHash(ByteReader& in, Hash256& hash) {
  std::string_view raw;
  if (in.GetRaw(hash.size(), raw)) std::memcpy(hash.data(), raw.data(), hash.size());
}

}  // namespace

std::array<char, kBlockHeaderBytes> EncodeBlockHeader(const BlockHeader& header) {
  std::string text;
  text.reserve(kBlockHeaderBytes);
  text.push_back(static_cast<char>(kBlockVersion));
  text.append(3, '\0');
  PutBigEndian32(text, header.count);
  PutBigEndian32(text, header.payload_bytes);
  PutBigEndian64(text, header.first);
  PutBigEndian64(text, static_cast<uint64_t>(header.recorded_at));
  text.append(AsBytes(header.previous));
  text.append(AsBytes(header.payload_hash));
  NW_CHECK(text.size() == kBlockHeaderBytes, "block header size");
  std::array<char, kBlockHeaderBytes> bytes;
  std::memcpy(bytes.data(), text.data(), bytes.size());
  return bytes;
}

absl::StatusOr<BlockHeader> DecodeBlockHeader(std::string_view bytes) {
  if (bytes.size() < kBlockHeaderBytes) return absl::DataLossError("block shorter than its header");
  ByteReader in(bytes.substr(0, kBlockHeaderBytes));
  uint32_t version;
  uint64_t time;
  BlockHeader header;
  in.GetBigEndian32(version);
  in.GetBigEndian32(header.count);
  in.GetBigEndian32(header.payload_bytes);
  in.GetBigEndian64(header.first);
  in.GetBigEndian64(time);
  GetHash(in, header.previous);
  GetHash(in, header.payload_hash);
  NW_CHECK(in.ok() && in.AtEnd(), "block header size");
  if (version != uint32_t{kBlockVersion} << 24) return absl::DataLossError("block of unknown version");
  // Room is left above the time for one nanosecond a record.
  constexpr uint64_t kLatest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) - kMaxBlockRecords;
  if (header.count == 0 || header.count > kMaxBlockRecords || header.payload_bytes > kMaxBlockBytes ||
      header.first == 0 || header.first > std::numeric_limits<uint64_t>::max() / 256 || time > kLatest) {
    return absl::DataLossError("block header out of range");
  }
  header.recorded_at = static_cast<int64_t>(time);
  return header;
}

Hash256 BlockHash(const BlockHeader& header) {
  const auto bytes = EncodeBlockHeader(header);
  return Sha256::Of({bytes.data(), bytes.size()});
}

Hash256 GenesisHash(const std::array<uint8_t, 16>& uuid) {
  std::string text(kGenesisTag);
  text.append(reinterpret_cast<const char*>(uuid.data()), uuid.size());
  return Sha256::Of(text);
}

absl::StatusOr<std::shared_ptr<const Block>> Block::Parse(std::string_view value) {
  NW_ASSIGN_OR_RETURN(const BlockHeader header, DecodeBlockHeader(value));
  const std::string_view payload = value.substr(kBlockHeaderBytes);
  if (payload.size() != header.payload_bytes) return absl::DataLossError("block payload cut short or too long");
  if (Sha256::Of(payload) != header.payload_hash) return absl::DataLossError("block payload does not match its hash");
  std::vector<uint32_t> offsets;
  offsets.reserve(header.count);
  ByteReader in(payload);
  while (!in.AtEnd()) {
    offsets.push_back(static_cast<uint32_t>(in.position() - payload.data()));
    std::string_view record;
    if (!in.GetBytes(kMaxBlockBytes, record)) return absl::DataLossError("block payload with a broken record length");
  }
  if (!in.ok() || offsets.size() != header.count) return absl::DataLossError("block with a wrong count of records");
  return std::make_shared<const Block>(header, std::string(payload), std::move(offsets));
}

std::string_view Block::Record(uint64_t sequence) const {
  NW_CHECK(sequence >= header_.first && sequence <= header_.last(), "sequence outside the block");
  return RecordAt(payload_, offsets_[sequence - header_.first]);
}

std::string_view RecordAt(std::string_view payload, uint32_t offset) {
  ByteReader in(payload.substr(offset));
  std::string_view record;
  NW_CHECK(in.GetBytes(kMaxBlockBytes, record), "offset that begins no record");
  return record;
}

}  // namespace northwind::internal
