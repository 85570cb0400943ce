// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/open_client.h"

#include <string>
#include <utility>

#include "northwind/status.h"
#include "src/sqs/aws_place.h"
#include "src/sqs/aws_profile.h"
#include "src/sqs/credential_chain.h"

namespace northwind::internal::sqs {

absl::StatusOr<std::unique_ptr<QueueClient>> OpenClient(const SqsOptions& options, size_t max_in_flight) {
  const Environment environment = FromProcessEnvironment;
  NW_ASSIGN_OR_RETURN(const AwsProfile profile, ReadProfile(environment, options.profile));
  NW_ASSIGN_OR_RETURN(AwsPlace place, PlaceOf(options, profile, environment));
  NW_ASSIGN_OR_RETURN(
      std::unique_ptr<AwsCredentials> credentials,
      FindCredentials({.profile = options.profile, .region = place.region, .ca_bundle = place.ca_bundle}, environment));
  return QueueClient::Create({.queue_url = options.queue_url,
                              .endpoint = std::move(place.endpoint),
                              .region = std::move(place.region),
                              .ca_bundle = std::move(place.ca_bundle),
                              .max_in_flight = max_in_flight},
                             std::move(credentials));
}

}  // namespace northwind::internal::sqs
