// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/aws_place.h"

#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/http/url.h"

namespace northwind::internal::sqs {
namespace {

std::string FirstOf(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts) {
    if (!text.empty()) return text;
  }
  return {};
}

}  // namespace

std::string RegionOfHost(std::string_view host) {
  const std::vector<std::string> labels = absl::StrSplit(ToAbsl(host), '.');
  if (labels.size() < 4) return {};
  const bool is_aws = labels[2] == "amazonaws" || (labels[2] == "api" && labels[3] == "aws");
  if (is_aws && (labels[0] == "sqs" || labels[0] == "sqs-fips")) return labels[1];
  // As it once was: eu-central-1.queue.amazonaws.com.
  if (labels[1] == "queue" && labels[2] == "amazonaws") return labels[0];
  return {};
}

absl::StatusOr<AwsPlace> PlaceOf(std::string_view queue_url, const std::string& region, const std::string& endpoint,
                                 const AwsProfile& profile, const Environment& environment) {
  absl::StatusOr<http::Url> queue = http::ParseUrl(queue_url, http::Schemes::kHttpAndHttps);
  if (!queue.ok()) return Error(absl::StatusCode::kInvalidArgument, "queue_url: ", queue.status().message());
  const size_t path = queue->text.find('/', queue->text.find("://") + 3);
  AwsPlace place;
  place.endpoint = FirstOf(
      {endpoint, environment("AWS_ENDPOINT_URL_SQS"), environment("AWS_ENDPOINT_URL"), queue->text.substr(0, path)});
  while (!place.endpoint.empty() && place.endpoint.back() == '/') place.endpoint.pop_back();
  if (const auto parsed = http::ParseUrl(place.endpoint, http::Schemes::kHttpAndHttps); !parsed.ok()) {
    return Error(absl::StatusCode::kInvalidArgument, "endpoint: ", parsed.status().message());
  }
  place.region = FirstOf({region, environment("AWS_REGION"), environment("AWS_DEFAULT_REGION"), profile.Get("region"),
                          RegionOfHost(queue->host)});
  if (place.region.empty()) {
    return absl::InvalidArgumentError(
        "no region: neither in the options nor in AWS_REGION, AWS_DEFAULT_REGION, the profile or the queue's URL");
  }
  return place;
}

}  // namespace northwind::internal::sqs
