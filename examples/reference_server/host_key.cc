// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/host_key.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kKeyBytes = 32;

absl::Status FileError(const char* what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

absl::Status WriteAll(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("cannot write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(file) == 0 ? absl::OkStatus() : FileError("cannot sync", path);
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent.string();
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return FileError("cannot open", directory);
  const int synced = fsync(file);
  close(file);
  return synced == 0 ? absl::OkStatus() : FileError("cannot sync", directory);
}

// Tells keys apart; says nothing of them.
absl::StatusOr<std::string> IdOf(const std::string& key) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  if (EVP_Digest(key.data(), key.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return absl::InternalError("libcrypto has no SHA-256");
  }
  return absl::StrCat("host-", absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), 8}));
}

}  // namespace

absl::Status WriteSecretFile(const std::string& path, std::string_view bytes) {
  // Under another name first: a file that was cut short must not pass for a key.
  const std::string draft = absl::StrCat(path, ".new");
  unlink(draft.c_str());
  const int file = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (file < 0) return FileError("cannot make", draft);
  absl::Status status = WriteAll(file, bytes, draft);
  close(file);
  if (status.ok() && link(draft.c_str(), path.c_str()) != 0) status = FileError("cannot make", path);
  unlink(draft.c_str());
  NW_RETURN_IF_ERROR(status);
  return SyncDirectoryOf(path);
}

absl::StatusOr<WebhookHostKey> LoadHostKey(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return FileError("cannot look at", path);
    std::string key(kKeyBytes, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), kKeyBytes) != 1) {
      return absl::UnavailableError("the system has no random bytes");
    }
    NW_RETURN_IF_ERROR(WriteSecretFile(path, key));
  } else if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " can be read by others: chmod 600 it, and rotate the endpoints' secrets."));
  }
  std::ifstream in(path, std::ios::binary);
  const std::string key(std::istreambuf_iterator<char>(in), {});
  if (!in.good() && !in.eof()) return FileError("cannot read", path);
  if (key.size() != kKeyBytes) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " must have ", kKeyBytes, " bytes: put the right file there."));
  }
  NW_ASSIGN_OR_RETURN(std::string id, IdOf(key));
  return WebhookHostKey{.id = std::move(id), .key = key};
}

}  // namespace northwind::server
