// SPDX-License-Identifier: Apache-2.0
//
// Endpoints that an operator has configured, as AWS's "service-specific endpoints" has it
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
#ifndef NORTHWIND_SRC_SQS_CONFIGURED_ENDPOINT_H_
#define NORTHWIND_SRC_SQS_CONFIGURED_ENDPOINT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/sqs/aws_profile.h"

namespace northwind::internal::sqs {

// Of a service such as "sqs": the first of AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, the service's endpoint_url in the [services] section
// that the profile names, and the profile's endpoint_url. Empty if there is none, or if AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, or else the
// profile's ignore_configured_endpoint_urls, is "true". InvalidArgument if that is neither true nor false, and for a section that is named
// and is not there.
absl::StatusOr<std::string> ConfiguredEndpoint(std::string_view service, const AwsProfile& profile,
                                               const Environment& environment);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_CONFIGURED_ENDPOINT_H_
