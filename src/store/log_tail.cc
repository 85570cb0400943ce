// SPDX-License-Identifier: Apache-2.0
//
// RocksDB's log format, as far as it is needed here. A log is a sequence of blocks of 32 KiB (the last may be shorter),
// a block a sequence of fragments:
//
//   crc32c of type and payload, masked (le32) ‖ length of the payload (le16) ‖ type (u8) ‖ payload
//
// Types: 1 a whole write, 2 the first, 3 a middle, 4 the last fragment of one. Less than 7 bytes at the end of a block
// are left empty.
#include "src/store/log_tail.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "northwind/status.h"
#include "rocksdb/file_checksum.h"
#include "src/base/coding.h"
#include "src/store/rocks_status.h"

namespace northwind::internal {
namespace {

constexpr size_t kBlock = 32 << 10;
constexpr size_t kHeader = 7;
constexpr size_t kSector = 512;  // the least that a disk writes
constexpr uint8_t kWhole = 1, kFirst = 2, kLast = 4;

uint32_t Crc32c(std::string_view bytes) {
  const std::unique_ptr<rocksdb::FileChecksumGenerator> generator =
      rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({});
  generator->Update(bytes.data(), bytes.size());
  generator->Finalize();
  return LoadBigEndian32(generator->GetChecksum().data());
}

uint32_t LoadLittleEndian32(std::string_view bytes) { return __builtin_bswap32(LoadBigEndian32(bytes.data())); }
uint32_t Unmask(uint32_t masked) { return std::rotl(masked - 0xa282ead8u, 15); }

// The size of the sound fragment that begins here; 0 if there is none.
size_t SoundFragment(std::string_view rest_of_block) {
  if (rest_of_block.size() < kHeader) return 0;
  const size_t size =
      static_cast<uint8_t>(rest_of_block[4]) | static_cast<size_t>(static_cast<uint8_t>(rest_of_block[5])) << 8;
  const uint8_t type = static_cast<uint8_t>(rest_of_block[6]);
  if (type < kWhole || type > kLast || rest_of_block.size() < kHeader + size) return 0;
  const uint32_t crc = Unmask(LoadLittleEndian32(rest_of_block));
  return crc == Crc32c(rest_of_block.substr(6, 1 + size)) ? kHeader + size : 0;
}

struct Damage {
  size_t begin = std::string_view::npos;  // of the first fragment that is not sound; npos: there is none
  bool write_begins_after = false;
};

Damage FindDamage(std::string_view log) {
  Damage damage;
  for (size_t block_begin = 0; block_begin < log.size(); block_begin += kBlock) {
    const std::string_view block = log.substr(block_begin, kBlock);
    for (size_t at = 0; at + kHeader <= block.size();) {
      const size_t size = SoundFragment(block.substr(at));
      if (size == 0) {  // where the next one begins is not known: go on with the next block
        if (damage.begin == std::string_view::npos) damage.begin = block_begin + at;
        break;
      }
      const uint8_t type = static_cast<uint8_t>(block[at + 6]);
      if (damage.begin != std::string_view::npos && (type == kWhole || type == kFirst))
        damage.write_begins_after = true;
      at += size;
    }
  }
  return damage;
}

// The sector that `from` lies in does not count, unless it begins there: sound bytes before show that it was written.
bool HasSectorOfZeros(std::string_view log, size_t from) {
  for (size_t begin = (from + kSector - 1) / kSector * kSector; begin < log.size(); begin += kSector) {
    const std::string_view sector = log.substr(begin, kSector);
    if (std::all_of(sector.begin(), sector.end(), [](char c) { return c == 0; })) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<bool> OnlyTheLastWriteHasHoles(rocksdb::Env& env, const std::string& directory) {
  std::vector<std::string> names;
  NW_RETURN_IF_ERROR(ToStatus(env.GetChildren(directory, &names), "listing directory " + directory));
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".log"); });
  std::sort(names.begin(), names.end());  // numbers of equal width: oldest first
  bool holes = false;
  for (const std::string& name : names) {
    std::string log;
    NW_RETURN_IF_ERROR(ToStatus(rocksdb::ReadFileToString(&env, directory + "/" + name, &log), "reading log " + name));
    if (log.empty()) continue;
    if (holes) return false;  // writes went on after the damaged one
    const Damage damage = FindDamage(log);
    if (damage.begin == std::string_view::npos) continue;
    if (damage.write_begins_after || !HasSectorOfZeros(log, damage.begin)) return false;
    holes = true;
  }
  return holes;
}

}  // namespace northwind::internal
