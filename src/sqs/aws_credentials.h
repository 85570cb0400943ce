// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SQS_AWS_CREDENTIALS_H_
#define NORTHWIND_SRC_SQS_AWS_CREDENTIALS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace northwind::internal::sqs {

struct AwsKeys {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;             // empty: none
  std::optional<absl::Time> expires_at;  // nothing: never
};

// Where keys come from. Called from any thread; may block on the network, within a bound of its own.
class AwsCredentials {
 public:
  virtual ~AwsCredentials() = default;
  // Keys that are good now, renewed when they are about to expire. Unauthenticated if there are none or they cannot be had for good;
  // Unavailable if that may pass.
  virtual absl::StatusOr<AwsKeys> Get() = 0;
  // The service refused them: the next Get asks the source anew.
  virtual void Refused() = 0;
};

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_AWS_CREDENTIALS_H_
