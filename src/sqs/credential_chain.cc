// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/credential_chain.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/http/url.h"
#include "src/sqs/configured_endpoint.h"
#include "src/sqs/remote_credentials.h"

namespace northwind::internal::sqs {
namespace {

using CredentialsPtr = std::unique_ptr<AwsCredentials>;

constexpr const char* kContainerHost = "http://169.254.170.2";
constexpr const char* kInstanceEndpoint = "http://169.254.169.254";
constexpr const char* kInstanceEndpointV6 = "http://[fd00:ec2::254]";

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return Error(absl::StatusCode::kInvalidArgument, "credentials: ", parts...);
}

// Null: not configured. So with all that follow.
absl::StatusOr<CredentialsPtr> OfEnvironment(const Environment& environment) {
  AwsKeys keys = {
      environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"), environment("AWS_SESSION_TOKEN"), {}};
  if (keys.access_key_id.empty() && keys.secret_access_key.empty()) return nullptr;
  if (keys.access_key_id.empty() || keys.secret_access_key.empty()) {
    return Bad("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set");
  }
  return std::make_unique<StaticCredentials>(std::move(keys));
}

absl::StatusOr<std::string> StsEndpoint(const AwsProfile& profile, const ChainOptions& options,
                                        const Environment& environment) {
  NW_ASSIGN_OR_RETURN(std::string configured, ConfiguredEndpoint("sts", profile, environment));
  if (!configured.empty()) return configured;
  const bool is_china = absl::StartsWith(options.region, "cn-");
  return absl::StrCat("https://sts.", options.region, ".amazonaws.com", is_china ? ".cn" : "");
}

absl::StatusOr<CredentialsPtr> WebIdentity(std::string role_arn, std::string token_file, std::string session_name,
                                           const AwsProfile& profile, const ChainOptions& options,
                                           const Environment& environment) {
  NW_ASSIGN_OR_RETURN(std::string endpoint, StsEndpoint(profile, options, environment));
  return std::make_unique<WebIdentityCredentials>(WebIdentityOptions{.role_arn = std::move(role_arn),
                                                                     .token_file = std::move(token_file),
                                                                     .session_name = std::move(session_name),
                                                                     .sts_endpoint = std::move(endpoint),
                                                                     .ca_bundle = options.ca_bundle});
}

absl::StatusOr<CredentialsPtr> OfWebIdentity(const AwsProfile& profile, const ChainOptions& options,
                                             const Environment& environment) {
  std::string token_file = environment("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (token_file.empty()) return nullptr;
  std::string role_arn = environment("AWS_ROLE_ARN");
  if (role_arn.empty()) return Bad("AWS_WEB_IDENTITY_TOKEN_FILE is set, but not AWS_ROLE_ARN");
  return WebIdentity(std::move(role_arn), std::move(token_file), environment("AWS_ROLE_SESSION_NAME"), profile, options,
                     environment);
}

absl::StatusOr<AwsKeys> KeysOf(const AwsProfile& profile) {
  AwsKeys keys = {
      profile.Get("aws_access_key_id"), profile.Get("aws_secret_access_key"), profile.Get("aws_session_token"), {}};
  if (keys.access_key_id.empty() || keys.secret_access_key.empty()) {
    return Bad("profile ", profile.name, " has only one of aws_access_key_id and aws_secret_access_key");
  }
  return keys;
}

// Keys in the shared files, which are read for every question: whoever put them there may replace them.
class ProfileCredentials final : public AwsCredentials {
 public:
  ProfileCredentials(Environment environment, std::string name)
      : environment_(std::move(environment)), name_(std::move(name)) {}

  absl::StatusOr<AwsKeys> Get() override {
    absl::StatusOr<AwsProfile> profile = ReadProfile(environment_, name_);
    absl::StatusOr<AwsKeys> keys = profile.ok() ? KeysOf(*profile) : profile.status();
    // It was in order once: perhaps it is being written.
    if (!keys.ok()) return Error(absl::StatusCode::kUnavailable, keys.status().message());
    return keys;
  }

 private:
  const Environment environment_;
  const std::string name_;
};

absl::StatusOr<CredentialsPtr> OfProfile(const AwsProfile& profile, const ChainOptions& options,
                                         const Environment& environment) {
  const std::string role_arn = profile.Get("role_arn");
  const std::string token_file = profile.Get("web_identity_token_file");
  if (!role_arn.empty() && !token_file.empty()) {
    return WebIdentity(role_arn, token_file, profile.Get("role_session_name"), profile, options, environment);
  }
  if (!token_file.empty()) return Bad("profile ", profile.name, " has web_identity_token_file, but no role_arn");
  const bool has_keys = !profile.Get("aws_access_key_id").empty() || !profile.Get("aws_secret_access_key").empty();
  for (const char* setting : {"source_profile", "credential_source", "credential_process", "sso_session",
                              "sso_start_url", "login_session", "role_arn"}) {
    if (profile.Get(setting).empty() || (has_keys && role_arn.empty())) continue;
    return Bad("profile ", profile.name, " has ", setting, ", which is not supported here");
  }
  if (!has_keys) return nullptr;
  NW_RETURN_IF_ERROR(KeysOf(profile).status());
  return std::make_unique<ProfileCredentials>(environment, profile.name);
}

absl::StatusOr<CredentialsPtr> OfContainer(const Environment& environment) {
  ContainerOptions options = {.url = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
                              .token_file = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
                              .token = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN")};
  const char* name = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
  if (const std::string relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); !relative.empty()) {
    name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
    if (relative.front() != '/') return Bad(name, " does not begin with /");
    options.url = absl::StrCat(kContainerHost, relative);
  }
  if (options.url.empty()) return nullptr;
  if (const auto url = http::ParseUrl(options.url, http::Schemes::kHttpAndHttps); !url.ok()) {
    return Bad(name, ": ", url.status().message());
  }
  return std::make_unique<ContainerCredentials>(std::move(options));
}

absl::StatusOr<CredentialsPtr> OfInstance(const Environment& environment) {
  if (absl::EqualsIgnoreCase(environment("AWS_EC2_METADATA_DISABLED"), "true")) return nullptr;
  std::string endpoint = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (endpoint.empty()) {
    const bool is_v6 = absl::EqualsIgnoreCase(environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6");
    endpoint = is_v6 ? kInstanceEndpointV6 : kInstanceEndpoint;
  }
  while (!endpoint.empty() && endpoint.back() == '/') endpoint.pop_back();
  if (const auto url = http::ParseUrl(endpoint, http::Schemes::kHttpAndHttps); !url.ok()) {
    return Bad("AWS_EC2_METADATA_SERVICE_ENDPOINT: ", url.status().message());
  }
  return std::make_unique<InstanceCredentials>(std::move(endpoint));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AwsCredentials>> FindCredentials(const ChainOptions& options,
                                                                const Environment& environment) {
  NW_ASSIGN_OR_RETURN(CredentialsPtr found, OfEnvironment(environment));
  if (found != nullptr) return found;
  NW_ASSIGN_OR_RETURN(const AwsProfile profile, ReadProfile(environment, options.profile));
  NW_ASSIGN_OR_RETURN(found, OfWebIdentity(profile, options, environment));
  if (found == nullptr) {
    NW_ASSIGN_OR_RETURN(found, OfProfile(profile, options, environment));
  }
  if (found == nullptr) {
    NW_ASSIGN_OR_RETURN(found, OfContainer(environment));
  }
  if (found == nullptr) {
    NW_ASSIGN_OR_RETURN(found, OfInstance(environment));
  }
  if (found == nullptr) {
    return Bad("none in the environment, a web identity, profile ",
               options.profile.empty() ? "default" : options.profile,
               " or a container's endpoint, and the instance's are disabled");
  }
  return found;
}

}  // namespace northwind::internal::sqs
