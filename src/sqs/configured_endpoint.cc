// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/configured_endpoint.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal::sqs {
namespace {

constexpr const char* kIgnoreVariable = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
constexpr const char* kIgnoreSetting = "ignore_configured_endpoint_urls";

absl::StatusOr<bool> AreIgnored(const AwsProfile& profile, const Environment& environment) {
  const std::string variable = environment(kIgnoreVariable);
  const std::string value = variable.empty() ? profile.Get(kIgnoreSetting) : variable;
  if (absl::EqualsIgnoreCase(value, "true")) return true;
  // A word that is mistyped must not send requests elsewhere.
  if (value.empty() || absl::EqualsIgnoreCase(value, "false")) return false;
  return Error(absl::StatusCode::kInvalidArgument, variable.empty() ? kIgnoreSetting : kIgnoreVariable,
               " must be true or false");
}

}  // namespace

absl::StatusOr<std::string> ConfiguredEndpoint(std::string_view service, const AwsProfile& profile,
                                               const Environment& environment) {
  NW_ASSIGN_OR_RETURN(const bool ignored, AreIgnored(profile, environment));
  if (ignored) return std::string();
  const std::string variable = absl::StrCat("AWS_ENDPOINT_URL_", absl::AsciiStrToUpper(ToAbsl(service)));
  for (const char* name : {variable.c_str(), "AWS_ENDPOINT_URL"}) {
    if (std::string url = environment(name); !url.empty()) return url;
  }
  if (const std::string section = profile.Get("services"); !section.empty()) {
    if (!profile.services.has_value()) {
      return Error(absl::StatusCode::kInvalidArgument, "profile ", profile.name, " names services ", section,
                   ", of which there is no section in the shared configuration");
    }
    const auto at = profile.services->find(absl::StrCat(ToAbsl(service), ".endpoint_url"));
    if (at != profile.services->end() && !at->second.empty()) return at->second;
  }
  return profile.Get("endpoint_url");
}

}  // namespace northwind::internal::sqs
