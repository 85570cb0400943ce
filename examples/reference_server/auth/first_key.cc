// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/first_key.h"

#include <fcntl.h>
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
  if (made_before) return false;
  const int descriptor = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
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
