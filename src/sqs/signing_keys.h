// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SQS_SIGNING_KEYS_H_
#define NORTHWIND_SRC_SQS_SIGNING_KEYS_H_

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "src/sqs/aws_credentials.h"

namespace northwind::internal::sqs {

// Keys are renewed so long before they expire. Services ask that it be done 10 minutes before at the latest.
inline constexpr absl::Duration kRenewBefore = absl::Minutes(15);
// They are not used in their last moments: a request takes a while to arrive.
inline constexpr absl::Duration kUnusedBefore = absl::Seconds(10);
// Between one attempt to renew keys that are still good and the next.
inline constexpr absl::Duration kRenewPause = absl::Minutes(1);

// The keys that requests are signed with, kept fresh. A thread of its own asks the source, so that nobody who signs waits
// for a file or the network while there are keys that are good: they go on being used while the source fails. Thread-safe.
class SigningKeys {
 public:
  using Keys = std::shared_ptr<const AwsKeys>;
  using Callback = absl::AnyInvocable<void(absl::StatusOr<Keys>) &&>;

  explicit SigningKeys(std::unique_ptr<AwsCredentials> source, std::function<absl::Time()> now = absl::Now,
                       absl::Duration renew_pause = kRenewPause);
  // Waits for the source, if it is being asked.
  ~SigningKeys();
  SigningKeys(const SigningKeys&) = delete;
  SigningKeys& operator=(const SigningKeys&) = delete;

  // Calls back at once if there are keys that are good; else from the thread, with what the source has answered then. All
  // who wait share one question. Cancelled after Stop.
  void Get(Callback callback) ABSL_LOCKS_EXCLUDED(mutex_);
  // A service refused these. If they are still the ones in use, they are no longer.
  void Refuse(const Keys& keys) ABSL_LOCKS_EXCLUDED(mutex_);
  // Those who wait have been called with Cancelled when this returns; waits for the source as the destructor does.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsGood() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How long until the keys are to be renewed.
  absl::Duration UntilRenewal() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<AwsCredentials> source_;
  const std::function<absl::Time()> now_;
  const absl::Duration renew_pause_;

  absl::Mutex mutex_;
  Keys keys_ ABSL_GUARDED_BY(mutex_);
  absl::Time asked_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::vector<Callback> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_SIGNING_KEYS_H_
