// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/aws_place.h"

#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/http/url.h"
#include "src/sqs/configured_endpoint.h"

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

absl::StatusOr<AwsPlace> PlaceOf(const SqsOptions& options, const AwsProfile& profile, const Environment& environment) {
  absl::StatusOr<http::Url> queue = http::ParseUrl(options.queue_url, http::Schemes::kHttpAndHttps);
  if (!queue.ok()) return Error(absl::StatusCode::kInvalidArgument, "queue_url: ", queue.status().message());
  AwsPlace place;
  place.endpoint = options.endpoint;
  if (place.endpoint.empty()) {
    NW_ASSIGN_OR_RETURN(place.endpoint, ConfiguredEndpoint("sqs", profile, environment));
  }
  if (place.endpoint.empty())
    place.endpoint = queue->text.substr(0, queue->text.find('/', queue->text.find("://") + 3));
  while (!place.endpoint.empty() && place.endpoint.back() == '/') place.endpoint.pop_back();
  if (const auto parsed = http::ParseUrl(place.endpoint, http::Schemes::kHttpAndHttps); !parsed.ok()) {
    return Error(absl::StatusCode::kInvalidArgument, "endpoint: ", parsed.status().message());
  }
  place.region = FirstOf({options.region, environment("AWS_REGION"), environment("AWS_DEFAULT_REGION"),
                          profile.Get("region"), RegionOfHost(queue->host)});
  if (place.region.empty()) {
    return absl::InvalidArgumentError(
        "no region: neither in the options nor in AWS_REGION, AWS_DEFAULT_REGION, the profile or the queue's URL");
  }
  place.ca_bundle = FirstOf({options.ca_bundle, environment("AWS_CA_BUNDLE"), profile.Get("ca_bundle")});
  return place;
}

}  // namespace northwind::internal::sqs
