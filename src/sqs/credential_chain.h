// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SQS_CREDENTIAL_CHAIN_H_
#define NORTHWIND_SRC_SQS_CREDENTIAL_CHAIN_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "src/sqs/aws_credentials.h"
#include "src/sqs/aws_profile.h"

namespace northwind::internal::sqs {

struct ChainOptions {
  std::string profile;    // as SqsOptions has it
  std::string region;     // of STS
  std::string ca_bundle;  // for STS
};

// The first that is configured of: keys in the environment, a web identity there, the profile (a web identity in it, or keys), a
// container's endpoint, and the instance's. Which it is, is decided here, by environment and files alone; what it has to give is
// asked later, and again and again. InvalidArgument for a configuration that cannot be read, is half there, or needs what is
// not supported (SSO, credential_process, a role by way of another profile): the next in line would be other rights than meant.
absl::StatusOr<std::unique_ptr<AwsCredentials>> FindCredentials(const ChainOptions& options,
                                                                const Environment& environment);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_CREDENTIAL_CHAIN_H_
