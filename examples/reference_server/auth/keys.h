// SPDX-License-Identifier: Apache-2.0
//
// Keys of operators and services: all of them in memory, so that a request reads nothing from the disk.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_KEYS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_KEYS_H_

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "examples/reference_server/auth/credentials.h"
#include "examples/reference_server/auth/secrets.h"
#include "northwind/store.h"

namespace northwind::server {

// Records (record.h) under "server/auth/key/" and the key's id:
//   {"name","scopes":[Name(Scope)...],"merchant","hash": SHA-256 of the key in hexadecimal,
//    "created","expires","used","revoked": microseconds since 1970, or null}
// Thread-safe. Of what was used lately, only Flush makes a record.
class KeyRing {
 public:
  static absl::StatusOr<std::unique_ptr<KeyRing>> Open(Store& store, size_t max_keys);

  // `seed`: see Credentials::CreateKey.
  absl::StatusOr<NewKey> Create(const KeySpec& spec, std::string_view seed, absl::Time now);
  absl::StatusOr<NewKey> Rotate(std::string_view id, absl::Duration overlap, absl::Time now);
  absl::Status Revoke(std::string_view id, absl::Time now);
  absl::StatusOr<KeyView> Get(std::string_view id) const;
  absl::StatusOr<std::vector<KeyView>> List(std::string_view after, size_t limit) const;

  // The key's view if it is good; notes that it was used.
  std::optional<KeyView> Use(std::string_view key, absl::Time now);
  // Makes durable which were used since, and forgets those that have been good for nothing for 90 days.
  absl::Status Flush(absl::Time now);

 private:
  struct Kept {
    KeyView view;
    Digest hash{};
    bool used = false;  // since its record was written
  };

  KeyRing(Store& store, size_t max_keys) : store_(store), max_keys_(max_keys) {}
  static HostChange RecordOf(const Kept& kept);
  static absl::StatusOr<Kept> Read(const HostEntry& entry);
  static NewKey Make(const KeySpec& spec, const std::string& id, absl::Time now);
  absl::Status Room() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Kept> Find(std::string_view id) const ABSL_LOCKS_EXCLUDED(mutex_);
  void Keep(Kept kept) ABSL_LOCKS_EXCLUDED(mutex_);

  Store& store_;
  const size_t max_keys_;
  // One change at a time, from what it begins with to what it writes.
  absl::Mutex change_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  std::map<std::string, Kept, std::less<>> keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_KEYS_H_
