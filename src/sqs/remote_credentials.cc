// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/remote_credentials.h"

#include <future>
#include <initializer_list>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "nlohmann/json.hpp"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/sqs/answer_error.h"
#include "src/sqs/aws_profile.h"
#include "src/sqs/xml_text.h"

namespace northwind::internal::sqs {
namespace {

using Json = nlohmann::json;

constexpr absl::Duration kStsTimeout = absl::Seconds(10);
// Of what is on this machine, or next to it.
constexpr absl::Duration kNearTimeout = absl::Seconds(5);
constexpr absl::Duration kNearConnectTimeout = absl::Seconds(2);
constexpr const char* kDefaultSession = "northwind";
constexpr const char* kInstanceTokenSeconds = "300";  // for the two questions that follow

absl::Status Garbled(const char* what) {
  return Error(absl::StatusCode::kUnavailable, "the answer with the credentials is garbled: ", what);
}

// Waits for the answer, and gives its body. What may pass is Unavailable, all else Unauthenticated.
absl::StatusOr<std::string> Fetch(http::ClientOptions options, http::Request request, const char* what) {
  options.schemes = http::Schemes::kHttpAndHttps;
  options.max_in_flight = 1;
  absl::StatusOr<std::unique_ptr<http::Client>> client = http::Client::Create(std::move(options));
  if (!client.ok()) return Error(absl::StatusCode::kUnavailable, what, ": ", client.status().message());
  std::promise<http::Result> promise;
  NW_RETURN_IF_ERROR(
      (*client)->Start(std::move(request), [&promise](http::Result result) { promise.set_value(std::move(result)); }));
  http::Result result = promise.get_future().get();
  const std::optional<AnswerError> error = ErrorOf(result, what, absl::Now());
  if (!error) return std::move(result.body);
  const bool may_pass = absl::IsUnavailable(error->status) || absl::IsResourceExhausted(error->status);
  return Error(may_pass ? absl::StatusCode::kUnavailable : absl::StatusCode::kUnauthenticated, error->status.message());
}

// A token's file is there for good, or its absence may pass: whoever renews it may be about to.
absl::StatusOr<std::string> ReadToken(const std::string& path) {
  absl::StatusOr<std::string> token = ReadSmallFile(path);
  if (!token.ok()) return Error(absl::StatusCode::kUnavailable, "token file ", token.status().message());
  absl::StripAsciiWhitespace(&*token);
  if (token->empty()) return Error(absl::StatusCode::kUnavailable, "token file ", path, " is empty");
  return token;
}

// For a form's value (application/x-www-form-urlencoded).
std::string FormEncode(std::string_view text) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += c;
    } else {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

absl::StatusOr<AwsKeys> Checked(AwsKeys keys, const std::string& expiration) {
  if (keys.access_key_id.empty() || keys.secret_access_key.empty()) return Garbled("no keys in it");
  if (expiration.empty()) return keys;
  absl::Time expires_at;
  if (!absl::ParseTime(absl::RFC3339_full, expiration, &expires_at, nullptr))
    return Garbled("its expiration is no time");
  keys.expires_at = expires_at;
  return keys;
}

http::AddressGuardOptions NearAddresses() {
  http::AddressGuardOptions guard;
  for (const char* range : {"127.0.0.0/8", "::1/128", "169.254.170.2/32", "169.254.170.23/32", "fd00:ec2::23/128"}) {
    guard.allowed.push_back({*http::IpRange::Parse(range), {}});
  }
  guard.ports.clear();
  return guard;
}

}  // namespace

absl::StatusOr<AwsKeys> ReadKeysJson(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Garbled("it is no JSON object");
  const auto get = [&json](const char* key) {
    const auto at = json.find(key);
    return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  if (const std::string code = get("Code"); !code.empty() && code != "Success") {
    return Error(absl::StatusCode::kUnauthenticated, "no credentials: ", code, " ", get("Message"));
  }
  return Checked({get("AccessKeyId"), get("SecretAccessKey"), get("Token"), {}}, get("Expiration"));
}

absl::StatusOr<AwsKeys> ReadKeysXml(std::string_view text) {
  const auto texts = XmlTexts(text);
  if (texts.empty()) return Garbled("it is no XML");
  const auto get = [&texts](const char* name) {
    const auto at = texts.find(name);
    return at == texts.end() ? std::string() : at->second;
  };
  return Checked({get("AccessKeyId"), get("SecretAccessKey"), get("SessionToken"), {}}, get("Expiration"));
}

absl::StatusOr<AwsKeys> WebIdentityCredentials::Get() {
  NW_ASSIGN_OR_RETURN(const std::string token, ReadToken(options_.token_file));
  const std::string& session = options_.session_name;
  http::Request request = {
      .url = options_.sts_endpoint,
      .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
      .body =
          absl::StrCat("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=", FormEncode(options_.role_arn),
                       "&RoleSessionName=", FormEncode(session.empty() ? kDefaultSession : session),
                       "&WebIdentityToken=", FormEncode(token)),
      .timeout = kStsTimeout};
  NW_ASSIGN_OR_RETURN(const std::string answer, Fetch({.guard = http::AnyAddress(), .ca_bundle = options_.ca_bundle},
                                                      std::move(request), "AssumeRoleWithWebIdentity"));
  return ReadKeysXml(answer);
}

absl::StatusOr<AwsKeys> ContainerCredentials::Get() {
  std::string token = options_.token;
  if (!options_.token_file.empty()) {
    NW_ASSIGN_OR_RETURN(token, ReadToken(options_.token_file));
  }
  http::Request request = {.method = http::Method::kGet,
                           .url = options_.url,
                           .timeout = kNearTimeout,
                           .connect_timeout = kNearConnectTimeout};
  if (!token.empty()) request.headers.push_back({"Authorization", std::move(token)});
  const bool is_https = absl::StartsWithIgnoreCase(options_.url, "https:");
  NW_ASSIGN_OR_RETURN(const std::string answer, Fetch({.guard = is_https ? http::AnyAddress() : NearAddresses()},
                                                      std::move(request), "the container's credentials"));
  return ReadKeysJson(answer);
}

absl::StatusOr<std::string> InstanceCredentials::Ask(http::Request request, const char* what) {
  request.timeout = kNearTimeout;
  request.connect_timeout = kNearConnectTimeout;
  absl::StatusOr<std::string> answer = Fetch({.guard = http::AnyAddress()}, std::move(request), what);
  if (answer.ok()) has_answered_ = true;
  if (absl::IsUnavailable(answer.status()) && !has_answered_) {
    return Error(absl::StatusCode::kUnauthenticated,
                 "no credentials in the environment, a web identity, the shared files or a container's endpoint, and "
                 "no instance "
                 "has any to give: ",
                 answer.status().message());
  }
  return answer;
}

absl::StatusOr<AwsKeys> InstanceCredentials::Get() {
  NW_ASSIGN_OR_RETURN(const std::string token,
                      Ask({.method = http::Method::kPut,
                           .url = absl::StrCat(endpoint_, "/latest/api/token"),
                           .headers = {{"X-aws-ec2-metadata-token-ttl-seconds", kInstanceTokenSeconds}}},
                          "the instance's metadata"));
  const std::string roles = absl::StrCat(endpoint_, "/latest/meta-data/iam/security-credentials/");
  const auto get = [&](const std::string& url) {
    return Ask({.method = http::Method::kGet, .url = url, .headers = {{"X-aws-ec2-metadata-token", token}}},
               "the role of the instance");
  };
  NW_ASSIGN_OR_RETURN(const std::string names, get(roles));
  const std::string role(absl::StripAsciiWhitespace(names.substr(0, names.find('\n'))));
  if (role.empty()) return absl::UnauthenticatedError("the instance has no role");
  NW_ASSIGN_OR_RETURN(const std::string answer, get(absl::StrCat(roles, role)));
  return ReadKeysJson(answer);
}

}  // namespace northwind::internal::sqs
