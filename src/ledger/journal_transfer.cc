// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/journal_transfer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "northwind/interrupt.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/ledger/block.h"

namespace northwind::internal {
namespace {

constexpr std::string_view kMagic = "northwind/export/v1\n";
constexpr std::string_view kImportMark = "import";
constexpr size_t kWriteBytes = 4 << 20;
constexpr size_t kMaxValueBytes = kBlockHeaderBytes + kMaxBlockBytes;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

absl::Status FileError(const char* what, const std::string& path) {
  return Error(absl::ErrnoToStatusCode(errno), what, " ", path, ": ", std::strerror(errno));
}

// The end of a chain of blocks, and the check that the next one continues it.
struct Chain {
  Head head;

  explicit Chain(const std::array<uint8_t, 16>& uuid) : head{Sequence(), GenesisHash(uuid)} {}

  absl::Status Extend(const BlockHeader& header) {
    if (header.first != head.sequence.value() + 1 || header.previous != head.hash) {
      return Error(absl::StatusCode::kDataLoss, "block ", header.first, " does not follow sequence ",
                   head.sequence.value());
    }
    head = {Sequence(header.last()), BlockHash(header)};
    return absl::OkStatus();
  }
};

// Reads an export file from the beginning.
class ExportReader {
 public:
  static absl::StatusOr<ExportReader> Open(const std::string& path) {
    ExportReader reader(path);
    reader.file_.reset(std::fopen(path.c_str(), "rbe"));
    if (reader.file_ == nullptr) return FileError("opening", path);
    NW_ASSIGN_OR_RETURN(const std::string magic, reader.Read(kMagic.size()));
    if (magic != kMagic) return reader.Damaged("is not an exported journal");
    NW_ASSIGN_OR_RETURN(const std::string uuid, reader.Read(reader.uuid_.size()));
    std::memcpy(reader.uuid_.data(), uuid.data(), uuid.size());
    return reader;
  }

  const std::array<uint8_t, 16>& uuid() const { return uuid_; }

  // The next block's bytes; empty after the last one, when the file's own word on its head was read and `chain` agrees.
  absl::StatusOr<std::string> Next(Chain& chain) {
    NW_ASSIGN_OR_RETURN(const std::string size_bytes, Read(4));
    const uint32_t size = LoadBigEndian32(size_bytes.data());
    if (size == 0) {
      NW_ASSIGN_OR_RETURN(const std::string end, Read(8 + 32));
      if (LoadBigEndian64(end.data()) != chain.head.sequence.value() ||
          std::string_view(end).substr(8) != AsBytes(chain.head.hash) || std::fgetc(file_.get()) != EOF) {
        return Damaged("does not end with the head it names");
      }
      return std::string();
    }
    if (size > kMaxValueBytes) return Damaged("has a block over the bound");
    NW_ASSIGN_OR_RETURN(std::string value, Read(size));
    NW_ASSIGN_OR_RETURN(const std::shared_ptr<const Block> block, Block::Parse(value));
    NW_RETURN_IF_ERROR(chain.Extend(block->header()));
    return value;
  }

 private:
  explicit ExportReader(std::string path) : path_(std::move(path)) {}

  absl::Status Damaged(const char* what) const { return Error(absl::StatusCode::kDataLoss, path_, " ", what); }

  absl::StatusOr<std::string> Read(size_t size) {
    std::string bytes(size, '\0');
    if (std::fread(bytes.data(), 1, size, file_.get()) == size) return bytes;
    if (std::ferror(file_.get()) != 0) return FileError("reading", path_);
    return Damaged("is cut short");
  }

  std::string path_;
  File file_;
  std::array<uint8_t, 16> uuid_{};
};

absl::Status WriteBlocks(Engine& engine, ExportReader reader, Chain& chain) {
  WriteSet writes;
  while (true) {
    NW_RETURN_IF_ERROR(CheckInterrupted());
    NW_ASSIGN_OR_RETURN(const std::string value, reader.Next(chain));
    if (!value.empty()) {
      std::string key;
      PutBigEndian64(key, LoadBigEndian64(value.data() + 12));
      writes.Put(Space::kJournal, key, value);
    }
    if (value.empty() || writes.ByteSize() >= kWriteBytes) {
      NW_RETURN_IF_ERROR(engine.Write(writes));
      writes.Clear();
    }
    if (value.empty()) return absl::OkStatus();
  }
}

}  // namespace

absl::StatusOr<Head> ExportJournal(Engine& engine, const Head& head, const std::string& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return FileError("creating", path);
  const File file(fdopen(descriptor, "wb"));
  if (file == nullptr) return FileError("creating", path);
  const auto write = [&file](std::string_view bytes) {
    return std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  };
  const auto run = [&]() -> absl::Status {
    const std::array<uint8_t, 16> uuid = engine.uuid();
    Chain chain(uuid);
    if (!write(kMagic) || !write({reinterpret_cast<const char*>(uuid.data()), uuid.size()})) {
      return FileError("writing", path);
    }
    Cursor cursor = engine.NewCursor(Space::kJournal, {.fill_cache = false, .read_ahead = true, .interruptible = true});
    for (cursor.SeekToFirst(); cursor.Valid() && chain.head.sequence < head.sequence; cursor.Next()) {
      NW_ASSIGN_OR_RETURN(const std::shared_ptr<const Block> block, Block::Parse(cursor.value()));
      NW_RETURN_IF_ERROR(chain.Extend(block->header()));
      std::string size;
      PutBigEndian32(size, static_cast<uint32_t>(cursor.value().size()));
      if (!write(size) || !write(cursor.value())) return FileError("writing", path);
    }
    NW_RETURN_IF_ERROR(cursor.status());
    if (chain.head != head) return absl::DataLossError("journal: the chain of blocks does not lead to the head");
    std::string end;
    PutBigEndian32(end, 0);
    PutBigEndian64(end, head.sequence.value());
    end.append(AsBytes(head.hash));
    if (!write(end) || std::fflush(file.get()) != 0 || fsync(fileno(file.get())) != 0) {
      return FileError("writing", path);
    }
    return absl::OkStatus();
  };
  if (absl::Status status = run(); !status.ok()) {
    std::remove(path.c_str());
    return status;
  }
  return head;
}

absl::StatusOr<Head> ImportJournal(Engine& engine, const std::string& path) {
  NW_ASSIGN_OR_RETURN(ExportReader check, ExportReader::Open(path));
  const std::array<uint8_t, 16> uuid = check.uuid();
  const std::string uuid_text(reinterpret_cast<const char*>(uuid.data()), uuid.size());
  // The whole file is read before anything is written.
  Chain checked(uuid);
  while (true) {
    NW_RETURN_IF_ERROR(CheckInterrupted());
    NW_ASSIGN_OR_RETURN(const std::string value, check.Next(checked));
    if (value.empty()) break;
  }
  if (!engine.AcquireSlot(Engine::Slot::kLedger)) return absl::FailedPreconditionError("the store has a ledger open");
  const auto run = [&]() -> absl::Status {
    NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> mark, engine.Get(Space::kMeta, kImportMark));
    WriteSet writes;
    if (!mark) {
      Cursor cursor = engine.NewCursor(Space::kJournal);
      cursor.SeekToFirst();
      NW_RETURN_IF_ERROR(cursor.status());
      if (cursor.Valid()) {
        return Error(absl::StatusCode::kFailedPrecondition, "store ", engine.path(), " has a journal already");
      }
      NW_RETURN_IF_ERROR(engine.SetUuid(uuid));
      writes.Put(Space::kMeta, kImportMark, uuid_text);
      NW_RETURN_IF_ERROR(engine.Write(writes));
    } else if (mark->view() != uuid_text) {
      return absl::FailedPreconditionError("an import of another journal into this store was begun");
    }
    NW_ASSIGN_OR_RETURN(ExportReader reader, ExportReader::Open(path));
    Chain chain(uuid);
    NW_RETURN_IF_ERROR(WriteBlocks(engine, std::move(reader), chain));
    writes.Clear();
    writes.Delete(Space::kMeta, kImportMark);
    return engine.Write(writes);
  };
  const absl::Status status = run();
  engine.ReleaseSlot(Engine::Slot::kLedger);
  if (!status.ok()) return status;
  return checked.head;
}

absl::Status CheckNoImportUnderWay(Engine& engine) {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> mark, engine.Get(Space::kMeta, kImportMark));
  if (!mark) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "an import into store ", engine.path(),
               " was begun and not finished: import the same file again");
}

absl::StatusOr<Head> HeadOfCopy(const std::string& directory, const std::array<uint8_t, 16>& uuid) {
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> copy,
                      Engine::Open({.path = directory, .create_if_missing = false, .free_space_floor_bytes = 0}));
  if (copy->uuid() != uuid) return Error(absl::StatusCode::kDataLoss, directory, " is not a copy of this ledger");
  Cursor cursor = copy->NewCursor(Space::kJournal);
  cursor.SeekToLast();
  NW_RETURN_IF_ERROR(cursor.status());
  if (!cursor.Valid()) return Head{Sequence(), GenesisHash(uuid)};
  NW_ASSIGN_OR_RETURN(const BlockHeader header, DecodeBlockHeader(cursor.value()));
  return Head{Sequence(header.last()), BlockHash(header)};
}

}  // namespace northwind::internal
