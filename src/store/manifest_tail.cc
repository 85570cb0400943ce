// SPDX-License-Identifier: Apache-2.0
//
// What is known of RocksDB here (7.8.3; VersionSet::ProcessManifestWrites and DBImpl::Open): a change of the manifest is
// one record or several (a flush is two, an ingest into several column families is a group that counts down), written
// one after the other and made durable by one sync. A new manifest begins with the whole state, and is durable when
// CURRENT comes to name it; the last record of that part is the first one with a next file number above the manifest's
// own. When a store opens, it empties all older logs into tables, then makes the log whose number comes just before that
// of the new manifest. A log is deleted when a durable change has raised the number of the first one to keep above its own.
#include "src/store/manifest_tail.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/store/database.h"
#include "src/store/directory.h"
#include "src/store/log_format.h"
#include "src/store/rocks_status.h"
#include "src/store/version_state.h"

namespace northwind::internal {
namespace {

constexpr std::string_view kPrefix = "MANIFEST-";

struct Manifest {
  std::string path;
  uint64_t number = 0;
  std::string content;
};

// Nothing if there is none to look at; then RocksDB has its own word for it.
std::optional<Manifest> ReadManifest(rocksdb::Env& env, const std::string& directory) {
  Manifest manifest;
  std::string name;
  if (!rocksdb::ReadFileToString(&env, directory + "/CURRENT", &name).ok()) return std::nullopt;
  if (!name.starts_with(kPrefix) || !name.ends_with('\n')) return std::nullopt;
  name.pop_back();
  if (!absl::SimpleAtoi(name.substr(kPrefix.size()), &manifest.number)) return std::nullopt;
  manifest.path = directory + "/" + name;
  if (!rocksdb::ReadFileToString(&env, manifest.path, &manifest.content).ok()) return std::nullopt;
  return manifest;
}

// The part of a manifest that is before all damage, up to the end of its last whole change.
struct SoundPart {
  VersionState state;
  size_t end = 0;
};

std::optional<SoundPart> ReadSoundPart(const ScannedLog& scanned) {
  const JoinedLog joined = JoinFragments(scanned.before);
  if (!joined.orderly) return std::nullopt;
  std::vector<VersionEdit> edits;
  for (const LogRecord& record : joined.records) {
    std::optional<VersionEdit> edit = DecodeVersionEdit(record.payload);
    if (!edit.has_value()) return std::nullopt;
    edits.push_back(*std::move(edit));
  }
  SoundPart sound;
  sound.end = std::min(joined.unfinished, scanned.damage);
  // A group that lacks its end.
  if (!edits.empty() && edits.back().remaining.value_or(0) > 0) {
    while (!edits.empty() && edits.back().remaining.value_or(0) > 0) edits.pop_back();
    sound.end = joined.records[edits.size()].begin;
  }
  for (const VersionEdit& edit : edits) {
    if (!sound.state.Apply(edit)) return std::nullopt;
  }
  return sound;
}

// Each of the following answers what speaks against the state; nothing if nothing does.

std::string MissingColumnFamily(const VersionState& state) {
  for (size_t space = 0; space < kSpaceCount; ++space) {
    if (space >= kFirstDerivedSpace && space < kEndOfDerivedSpaces) continue;
    const std::string_view name = SpaceName(static_cast<Space>(space));
    if (!state.Has(name)) return absl::StrCat("column family ", ToAbsl(name), " is not in it");
  }
  return "";
}

std::string FaultOfColumnFamilies(const VersionState& state, const std::map<uint64_t, std::string>& logs) {
  const bool empty = std::all_of(logs.begin(), logs.end(), [](const auto& log) { return log.second.empty(); });
  return empty ? "" : MissingColumnFamily(state);  // empty: a store in the making
}

std::string FaultOfTables(const VersionState& state, rocksdb::Env& env, const std::string& directory) {
  for (const auto& [id, column_family] : state.column_families) {
    for (const auto& [number, size] : column_family.tables) {
      const std::string name = absl::StrFormat("%06d.sst", number);
      uint64_t found = 0;
      if (!env.GetFileSize(directory + "/" + name, &found).ok() || found != size) {
        return absl::StrCat("table ", name, " is not there as it was before");
      }
    }
  }
  return "";
}

std::string FaultOfFirstLog(const VersionState& state, uint64_t manifest_number,
                            const std::map<uint64_t, std::string>& logs) {
  const uint64_t first = state.FirstLog();
  if (logs.contains(first) || (first < manifest_number - 1 && logs.contains(manifest_number - 1))) return "";
  return absl::StrFormat("log %06d is not there any more", std::max(first, manifest_number - 1));
}

// A write in a log begins with its first sequence number (le64) and how many it takes (le32).
std::string FaultOfLogs(const VersionState& state, uint64_t manifest_number,
                        const std::map<uint64_t, std::string>& logs) {
  if (std::string fault = FaultOfFirstLog(state, manifest_number, logs); !fault.empty()) return fault;
  std::optional<uint64_t> next;
  for (const auto& [number, log] : logs) {
    for (const LogRecord& write : JoinFragments(ScanLog(log).before).records) {
      ByteReader reader(write.payload);
      uint64_t sequence = 0;
      uint32_t count = 0;
      if (!reader.GetBigEndian64(sequence) || !reader.GetBigEndian32(count)) return "a log has what is no write";
      sequence = __builtin_bswap64(sequence);
      count = __builtin_bswap32(count);
      for (; next.has_value() && *next < sequence; ++*next) {
        if (!state.lone_sequences.contains(*next)) return absl::StrFormat("a write is missing before log %06d", number);
      }
      if (next.has_value() && *next > sequence) return "the writes in the logs are not in order";
      next = sequence + count;
    }
  }
  return "";
}

std::string FaultOfWhatFollows(const ScannedLog& scanned) {
  for (const LogRecord& record : JoinFragments(scanned.after).records) {
    const std::optional<VersionEdit> edit = DecodeVersionEdit(record.payload);
    if (!edit.has_value()) return "what follows cannot be read";
    if (edit->added_name.has_value() || edit->drops) return "a column family was added or dropped after it";
  }
  return "";
}

absl::StatusOr<std::string> FaultOf(const SoundPart& sound, const Manifest& manifest, const ScannedLog& scanned,
                                    rocksdb::Env& env, const std::string& directory) {
  if (sound.state.next_file_number <= manifest.number) return "it was there when the manifest came into use";
  NW_ASSIGN_OR_RETURN(auto logs, ListLogs(env, directory, sound.state.FirstLog()));
  for (auto& [number, path] : logs) {
    std::string content;
    NW_RETURN_IF_ERROR(ToStatus(rocksdb::ReadFileToString(&env, path, &content), "reading " + path));
    path = std::move(content);
  }
  for (std::string fault : {FaultOfColumnFamilies(sound.state, logs), FaultOfTables(sound.state, env, directory),
                            FaultOfLogs(sound.state, manifest.number, logs), FaultOfWhatFollows(scanned)}) {
    if (!fault.empty()) return fault;
  }
  return "";
}

// What speaks against a manifest that ends here, without damage: a whole record is all that is left where one was cut off, and to RocksDB
// that is all there ever was. What a crash leaves passes: a change that is not in the manifest has not deleted anything yet.
absl::StatusOr<std::string> FaultOfTheEnd(const VersionState& state, uint64_t manifest_number, rocksdb::Env& env,
                                          const std::string& directory) {
  if (state.next_file_number <= manifest_number) return "it was longer when it came into use";
  NW_ASSIGN_OR_RETURN(const auto logs, ListLogs(env, directory, 0));
  const std::string missing = MissingColumnFamily(state);
  if (missing.empty()) return FaultOfFirstLog(state, manifest_number, logs);
  // A store in the making has written nothing yet.
  for (const auto& [number, path] : logs) {
    uint64_t size = 0;
    NW_RETURN_IF_ERROR(ToStatus(env.GetFileSize(path, &size), "looking at " + path));
    if (size > 0) return missing;
  }
  std::vector<std::string> names;
  NW_RETURN_IF_ERROR(ToStatus(env.GetChildren(directory, &names), "listing " + directory));
  const bool tables = std::any_of(names.begin(), names.end(), [](const auto& name) { return name.ends_with(".sst"); });
  return tables ? missing : "";
}

absl::Status Cut(rocksdb::Env& env, const std::string& directory, const Manifest& manifest, size_t end) {
  // RocksDB's name for files that it may delete when it opens the store.
  const std::string scratch = directory + absl::StrFormat("/%06d.dbtmp", manifest.number);
  const std::string what = "cutting " + manifest.path;
  NW_RETURN_IF_ERROR(
      ToStatus(rocksdb::WriteStringToFile(&env, manifest.content.substr(0, end), scratch, /*should_sync=*/true), what));
  NW_RETURN_IF_ERROR(ToStatus(env.RenameFile(scratch, manifest.path), what));
  return SyncDirectory(env, directory);
}

}  // namespace

absl::StatusOr<std::optional<uint64_t>> CutHolesFromManifest(rocksdb::Env& env, const std::string& directory) {
  const std::optional<Manifest> manifest = ReadManifest(env, directory);
  if (!manifest.has_value()) return std::nullopt;
  const ScannedLog scanned = ScanLog(manifest->content);
  const bool holes = scanned.damage != kNowhere && HasSectorOfZeros(manifest->content, scanned.damage);
  const std::optional<SoundPart> sound = ReadSoundPart(scanned);
  if (!holes) {
    if (!sound.has_value()) return std::nullopt;
    NW_ASSIGN_OR_RETURN(const std::string fault, FaultOfTheEnd(sound->state, manifest->number, env, directory));
    if (fault.empty()) return sound->state.FirstLog();
    return Error(absl::StatusCode::kDataLoss, "store ", directory, " has lost the end of ", manifest->path, ": ",
                 fault);
  }

  std::string fault = "what comes before cannot be read";
  if (sound.has_value()) {
    NW_ASSIGN_OR_RETURN(fault, FaultOf(*sound, *manifest, scanned, env, directory));
  }
  if (!fault.empty()) {
    return Error(absl::StatusCode::kDataLoss, "store ", directory, " has a hole in ", manifest->path, " after byte ",
                 scanned.damage, ", and ", fault);
  }
  NW_RETURN_IF_ERROR(Cut(env, directory, *manifest, sound->end));
  return sound->state.FirstLog();
}

absl::Status MakeFirstLog(rocksdb::Env& env, const std::string& directory) {
  const std::optional<Manifest> manifest = ReadManifest(env, directory);
  const std::optional<SoundPart> sound =
      manifest.has_value() ? ReadSoundPart(ScanLog(manifest->content)) : std::nullopt;
  if (!sound.has_value()) return Error(absl::StatusCode::kDataLoss, "the manifest of ", directory, " cannot be read");
  NW_ASSIGN_OR_RETURN(const auto logs, ListLogs(env, directory, 0));
  if (FaultOfFirstLog(sound->state, manifest->number, logs).empty()) return absl::OkStatus();
  const std::string path = directory + absl::StrFormat("/%06d.log", sound->state.FirstLog());
  return ToStatus(rocksdb::WriteStringToFile(&env, "", path, /*should_sync=*/true), "making " + path);
}

}  // namespace northwind::internal
