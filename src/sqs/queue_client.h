// SPDX-License-Identifier: Apache-2.0
//
// The operations of one SQS queue over its JSON protocol (AWS JSON 1.0, signed by SigV4).
#ifndef NORTHWIND_SRC_SQS_QUEUE_CLIENT_H_
#define NORTHWIND_SRC_SQS_QUEUE_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "src/sqs/aws_credentials.h"

namespace northwind::internal::sqs {

inline constexpr size_t kMaxBatchEntries = 10;  // of any batch operation
// Of a request that is answered; beyond the time that a receive waits.
inline constexpr absl::Duration kAnswerTimeout = absl::Seconds(30);

struct Message {
  std::string id;
  std::string receipt_handle;
  std::string body;
  std::string body_md5;        // as the service says, hexadecimal
  std::string group;           // of a FIFO queue, else empty
  uint64_t receive_count = 0;  // this receive included
};

struct QueueAttributes {
  absl::Duration visibility;
  bool fifo = false;
  std::optional<uint64_t> max_receive_count;  // of the redrive policy, if there is one
  uint64_t visible = 0;                       // approximate
  uint64_t in_flight = 0;                     // approximate
  uint64_t delayed = 0;                       // approximate
};

struct VisibilityChange {
  std::string receipt_handle;
  absl::Duration visibility;  // from now; 0 makes it visible
};

struct QueueClientOptions {
  std::string queue_url;
  std::string endpoint;  // scheme, host, port
  std::string region;
  std::string ca_bundle;
  size_t max_in_flight = 1024;  // requests; more wait inside
};

struct QueueClientStats {
  uint64_t requests = 0;
  uint64_t retries = 0;
  uint64_t throttled = 0;
};

// Every operation is tried again by itself for faults that pass, with full jitter and within a budget of tokens that successes
// refill; what is answered in the end is one of
//   Unavailable         cannot be reached, or the service is failing: goes away by itself
//   ResourceExhausted   throttled, or too many messages in flight
//   Unauthenticated     no credentials, or they are refused (a skewed clock is named as such)
//   PermissionDenied    not allowed
//   NotFound            no such queue
//   InvalidArgument     the service refuses the request
//   Cancelled           the client is being destroyed
// Also if the answer is not what it should be (Unavailable). Failures of single entries of a batch are not tried again.
//
// Credentials are asked on a thread of their own and remembered (SigningKeys): no operation waits for their source while
// there are keys that are good. Keys that the service refuses are asked for anew, and the operation is tried once more if
// there are others.
//
// Callbacks run on the client's thread, one at a time; they must be quick, must not destroy the client, and may call it.
// Thread-safe.
class QueueClient {
 public:
  template <typename T>
  using Callback = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

  static absl::StatusOr<std::unique_ptr<QueueClient>> Create(const QueueClientOptions& options,
                                                             std::unique_ptr<AwsCredentials> credentials);
  // Aborts what is under way; all callbacks have been called when it returns.
  ~QueueClient();
  QueueClient(const QueueClient&) = delete;
  QueueClient& operator=(const QueueClient&) = delete;

  void GetAttributes(Callback<QueueAttributes> callback);
  // Up to `max` (1 … 10) messages; waits up to `wait` (whole seconds, ≤ 20 s) for the first. `visibility`: as SqsOptions. Not tried again
  // after the request was sent and its answer lost: that would hide its messages and take others.
  void Receive(size_t max, absl::Duration wait, absl::Duration visibility, Callback<std::vector<Message>> callback);
  // One status for each, in the order given: OK, or why the service refused that one. Up to kMaxBatchEntries.
  void Delete(const std::vector<std::string>& receipt_handles, Callback<std::vector<absl::Status>> callback);
  void ChangeVisibility(const std::vector<VisibilityChange>& changes, Callback<std::vector<absl::Status>> callback);

  QueueClientStats Stats() const;

 private:
  class Core;
  explicit QueueClient(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_QUEUE_CLIENT_H_
