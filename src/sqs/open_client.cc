// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/open_client.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "src/sqs/aws_credentials.h"

namespace northwind::internal::sqs {
namespace {

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string FirstOf(std::initializer_list<std::string> values) {
  for (const std::string& value : values) {
    if (!value.empty()) return value;
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<QueueClient>> OpenClient(const SqsOptions& options, size_t max_in_flight) {
  const size_t path = options.queue_url.find('/', options.queue_url.find("//") + 2);
  return QueueClient::Create(
      {.queue_url = options.queue_url,
       .endpoint = FirstOf({options.endpoint, FromEnvironment("AWS_ENDPOINT_URL_SQS"),
                            FromEnvironment("AWS_ENDPOINT_URL"), options.queue_url.substr(0, path)}),
       .region = FirstOf({options.region, FromEnvironment("AWS_REGION"), FromEnvironment("AWS_DEFAULT_REGION")}),
       .ca_bundle = options.ca_bundle,
       .max_in_flight = max_in_flight},
      std::make_unique<StaticCredentials>(AwsKeys{.access_key_id = FromEnvironment("AWS_ACCESS_KEY_ID"),
                                                  .secret_access_key = FromEnvironment("AWS_SECRET_ACCESS_KEY"),
                                                  .session_token = FromEnvironment("AWS_SESSION_TOKEN")}));
}

}  // namespace northwind::internal::sqs
