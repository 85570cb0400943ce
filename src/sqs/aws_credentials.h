// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SQS_AWS_CREDENTIALS_H_
#define NORTHWIND_SRC_SQS_AWS_CREDENTIALS_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace northwind::internal::sqs {

struct AwsKeys {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;             // empty: none
  std::optional<absl::Time> expires_at;  // nothing: never

  friend bool operator==(const AwsKeys&, const AwsKeys&) = default;
};

// Where keys come from. Remembers none: SigningKeys does, and renews them.
class AwsCredentials {
 public:
  virtual ~AwsCredentials() = default;
  // Asks the source. One thread at a time; may block on files and the network, within a bound of its own. Unauthenticated if
  // there are none or they cannot be had for good; Unavailable if that may pass.
  virtual absl::StatusOr<AwsKeys> Get() = 0;
};

// Always the same.
class StaticCredentials final : public AwsCredentials {
 public:
  explicit StaticCredentials(AwsKeys keys) : keys_(std::move(keys)) {}
  absl::StatusOr<AwsKeys> Get() override { return keys_; }

 private:
  const AwsKeys keys_;
};

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_AWS_CREDENTIALS_H_
