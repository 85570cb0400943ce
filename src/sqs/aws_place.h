// SPDX-License-Identifier: Apache-2.0
//
// Which region and which endpoint a queue is at, and whom to believe that it is.
#ifndef NORTHWIND_SRC_SQS_AWS_PLACE_H_
#define NORTHWIND_SRC_SQS_AWS_PLACE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "northwind/sqs.h"
#include "src/sqs/aws_profile.h"

namespace northwind::internal::sqs {

struct AwsPlace {
  std::string region;
  std::string endpoint;   // scheme, host and port, without a slash at the end
  std::string ca_bundle;  // empty: the system's
};

// Each in the order that SqsOptions says. InvalidArgument for a URL that is none, and if no region is to be found.
absl::StatusOr<AwsPlace> PlaceOf(const SqsOptions& options, const AwsProfile& profile, const Environment& environment);

// The region in a host name of AWS's queues, such as sqs.eu-central-1.amazonaws.com; empty if there is none.
std::string RegionOfHost(std::string_view host);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_AWS_PLACE_H_
