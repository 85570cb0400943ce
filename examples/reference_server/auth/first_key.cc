// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/first_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kPage = 1000;

absl::StatusOr<bool> CanMakeKeys(const Credentials& credentials, absl::Time now) {
  std::string after;
  for (;;) {
    NW_ASSIGN_OR_RETURN(const std::vector<KeyView> page, credentials.ListKeys(after, kPage));
    for (const KeyView& key : page) {
      if (key.spec.scopes.count(Scope::kOperatorWrite) != 0 && key.spec.expires_at > now && key.revoked_at > now) {
        return true;
      }
    }
    if (page.size() < kPage) return false;
    after = page.back().id;
  }
}

absl::Status FileError(const std::string& file) {
  return absl::ErrnoToStatus(errno, absl::StrCat("the first key cannot be written to ", file));
}

absl::Status WriteAll(int descriptor, std::string_view text, const std::string& file) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(file);
    text.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(descriptor) == 0 ? absl::OkStatus() : FileError(file);
}

}  // namespace

absl::StatusOr<bool> MakeFirstKey(Credentials& credentials, const std::string& file, absl::Time now) {
  NW_ASSIGN_OR_RETURN(const bool made_before, CanMakeKeys(credentials, now));
  // A process that ended between the key and the file has left the file empty: nobody has that key, and there must be one.
  struct stat found {};
  const bool cut_off = lstat(file.c_str(), &found) == 0 && S_ISREG(found.st_mode) && found.st_size == 0;
  if (made_before && !cut_off) return false;
  const int make = cut_off ? 0 : O_CREAT | O_EXCL;
  const int descriptor = open(file.c_str(), O_WRONLY | make | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return FileError(file);
  const KeySpec spec{.name = "first",
                     .scopes = {Scope::kEventsWrite, Scope::kMerchantRead, Scope::kMerchantWrite, Scope::kPortalLink,
                                Scope::kOperatorRead, Scope::kOperatorWrite}};
  const absl::StatusOr<NewKey> made = credentials.CreateKey(spec);
  const absl::Status written = made.ok() ? WriteAll(descriptor, made->key + "\n", file) : made.status();
  close(descriptor);
  if (written.ok()) return true;
  unlink(file.c_str());
  if (made.ok()) credentials.RevokeKey(made->view.id).IgnoreError();
  return written;
}

}  // namespace northwind::server
