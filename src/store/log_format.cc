// SPDX-License-Identifier: Apache-2.0
//
// A log is a sequence of blocks of 32 KiB (the last may be shorter), a block a sequence of fragments:
//
//   crc32c of type and payload, masked (le32) ‖ length of the payload (le16) ‖ type (u8) ‖ payload
//
// Types: 1 a whole record, 2 the first, 3 a middle, 4 the last fragment of one; so a record has at most one fragment in
// a block. Less than 7 bytes at the end of a block are left empty.
#include "src/store/log_format.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "northwind/status.h"
#include "rocksdb/file_checksum.h"
#include "src/base/coding.h"
#include "src/store/rocks_status.h"

namespace northwind::internal {
namespace {

uint32_t Crc32c(std::string_view bytes) {
  const std::unique_ptr<rocksdb::FileChecksumGenerator> generator =
      rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({});
  generator->Update(bytes.data(), bytes.size());
  generator->Finalize();
  return LoadBigEndian32(generator->GetChecksum().data());
}

uint32_t LoadLittleEndian32(std::string_view bytes) { return __builtin_bswap32(LoadBigEndian32(bytes.data())); }
uint32_t Unmask(uint32_t masked) { return std::rotl(masked - 0xa282ead8u, 15); }

// The header's fields, if there is a header that can be one.
bool ReadHeader(std::string_view rest_of_block, LogFragmentType& type, size_t& size) {
  if (rest_of_block.size() < kLogHeader) return false;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(rest_of_block[at]); };
  size = byte(4) | static_cast<size_t>(byte(5)) << 8;
  type = LogFragmentType{byte(6)};
  return type >= LogFragmentType::kWhole && type <= LogFragmentType::kLast;
}

bool ReadSoundFragment(std::string_view rest_of_block, LogFragment& fragment) {
  size_t size = 0;
  if (!ReadHeader(rest_of_block, fragment.type, size) || rest_of_block.size() < kLogHeader + size) return false;
  fragment.payload = rest_of_block.substr(kLogHeader, size);
  return Unmask(LoadLittleEndian32(rest_of_block)) == Crc32c(rest_of_block.substr(kLogHeader - 1, 1 + size));
}

}  // namespace

ScannedLog ScanLog(std::string_view log) {
  ScannedLog scanned;
  for (size_t block_begin = 0; block_begin < log.size(); block_begin += kLogBlock) {
    const std::string_view block = log.substr(block_begin, kLogBlock);
    for (size_t at = 0; at + kLogHeader <= block.size();) {
      LogFragment fragment{.begin = block_begin + at};
      if (!ReadSoundFragment(block.substr(at), fragment)) {
        // Where the next one begins is not known: it may be anywhere.
        if (scanned.damage == kNowhere) scanned.damage = block_begin + at;
        ++at;
        continue;
      }
      (scanned.damage == kNowhere ? scanned.before : scanned.after).push_back(fragment);
      at += kLogHeader + fragment.payload.size();
    }
  }
  return scanned;
}

JoinedLog JoinFragments(absl::Span<const LogFragment> fragments) {
  JoinedLog joined;
  LogRecord record;
  for (const LogFragment& fragment : fragments) {
    const bool begins = fragment.type == LogFragmentType::kWhole || fragment.type == LogFragmentType::kFirst;
    const bool ends = fragment.type == LogFragmentType::kWhole || fragment.type == LogFragmentType::kLast;
    if (begins != (joined.unfinished == kNowhere)) joined.orderly = false;
    if (begins) {
      joined.unfinished = fragment.begin;
      record = {.begin = fragment.begin, .payload = {}};
    }
    if (joined.unfinished == kNowhere) continue;
    record.payload += fragment.payload;
    if (!ends) continue;
    joined.records.push_back(std::exchange(record, LogRecord()));
    joined.unfinished = kNowhere;
  }
  return joined;
}

bool TrustedHeader(std::string_view log, size_t begin, LogHeader& header) {
  if (begin / kSector != (begin + kLogHeader - 1) / kSector) return false;
  const size_t block_end = (begin / kLogBlock + 1) * kLogBlock;
  size_t size = 0;
  if (!ReadHeader(log.substr(begin, block_end - begin), header.type, size)) return false;
  header.end = begin + kLogHeader + size;
  return header.end <= block_end;
}

bool HasSectorOfZeros(std::string_view log, size_t from) {
  for (size_t begin = (from + kSector - 1) / kSector * kSector; begin < log.size(); begin += kSector) {
    const std::string_view sector = log.substr(begin, kSector);
    if (std::all_of(sector.begin(), sector.end(), [](char c) { return c == 0; })) return true;
  }
  return false;
}

absl::StatusOr<std::map<uint64_t, std::string>> ListLogs(rocksdb::Env& env, const std::string& directory,
                                                         uint64_t first) {
  std::vector<std::string> names;
  NW_RETURN_IF_ERROR(ToStatus(env.GetChildren(directory, &names), "listing directory " + directory));
  std::map<uint64_t, std::string> logs;
  for (const std::string& name : names) {
    uint64_t number = 0;
    if (!name.ends_with(".log") || !absl::SimpleAtoi(name.substr(0, name.size() - 4), &number)) continue;
    if (number >= first) logs[number] = directory + "/" + name;
  }
  return logs;
}

}  // namespace northwind::internal
