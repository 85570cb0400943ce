// SPDX-License-Identifier: Apache-2.0
//
// Sessions of merchants: all of them in memory, by the hash of their cookie, so that a request reads nothing from the disk.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_SESSIONS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_SESSIONS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "examples/reference_server/auth/credentials.h"
#include "examples/reference_server/auth/secrets.h"
#include "northwind/store.h"

namespace northwind::server {

struct SessionLimits {
  absl::Duration idle;
  absl::Duration lifetime;
  size_t max_sessions = 0;
};

// Records (record.h) under "server/auth/session/" and SHA-256 of the cookie in hexadecimal:
//   {"merchant","created","seen"}: microseconds since 1970
// A session is found by the hash of what is shown: how long that takes tells of hashes, of which no cookie can be made. "seen" is
// made durable about once a minute: after a crash a session may end by as much too early, and never too late.
// Thread-safe.
class Sessions {
 public:
  struct Found {
    std::string id;  // "ses_" and 16 hexadecimal digits
    std::string merchant;
    absl::Time expires_at;  // at the latest; earlier if nothing is asked
  };

  static absl::StatusOr<std::unique_ptr<Sessions>> Open(Store& store, const SessionLimits& limits);

  // Begins one, in the same write as `with`.
  absl::StatusOr<Session> Begin(std::string_view merchant, const HostChange& with, absl::Time now);
  absl::Status End(std::string_view cookie);
  // The session if it is good; notes that it was used, if so.
  std::optional<Found> Find(std::string_view cookie, absl::Time now, SessionUse use);
  // Whether it is good; that is no use of it.
  bool IsGood(std::string_view cookie, absl::Time now) const;
  // Makes durable which were seen since, and removes those that have ended.
  absl::Status Flush(absl::Time now);
  size_t size() const;

 private:
  struct Kept {
    std::string merchant;
    absl::Time created;
    absl::Time seen;
    bool used = false;  // since its record was written
  };

  Sessions(Store& store, const SessionLimits& limits) : store_(store), limits_(limits) {}
  static HostChange RecordOf(const Digest& hash, const Kept& kept);
  static absl::StatusOr<Kept> Read(const HostEntry& entry, Digest* hash);
  absl::Time EndOf(const Kept& kept) const;

  Store& store_;
  const SessionLimits limits_;
  // One change at a time, from what it begins with to what it writes.
  absl::Mutex change_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<Digest, Kept> sessions_ ABSL_GUARDED_BY(mutex_);
};

std::string CsrfTokenOf(std::string_view cookie);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_SESSIONS_H_
