// SPDX-License-Identifier: Apache-2.0
//
// Keys that are had over HTTP, and for a while: from STS, a container's endpoint, or an instance's. Each question is bounded
// by some seconds, and leaves no connection behind: the next comes in an hour or so.
#ifndef NORTHWIND_SRC_SQS_REMOTE_CREDENTIALS_H_
#define NORTHWIND_SRC_SQS_REMOTE_CREDENTIALS_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "src/http/client.h"
#include "src/sqs/aws_credentials.h"

namespace northwind::internal::sqs {

struct WebIdentityOptions {
  std::string role_arn;
  std::string token_file;    // read for every question: whoever puts the token there renews it
  std::string session_name;  // empty: "northwind"
  std::string sts_endpoint;  // scheme, host, port
  std::string ca_bundle;
};

// STS, AssumeRoleWithWebIdentity: what Kubernetes' service accounts use.
class WebIdentityCredentials final : public AwsCredentials {
 public:
  explicit WebIdentityCredentials(WebIdentityOptions options) : options_(std::move(options)) {}
  absl::StatusOr<AwsKeys> Get() override;

 private:
  const WebIdentityOptions options_;
};

struct ContainerOptions {
  std::string url;
  // What goes into the header Authorization; the file, read for every question, before the text. Both may be empty.
  std::string token_file;
  std::string token;
};

// The endpoint of ECS, or of EKS Pod Identity. Not over http, except to this machine or to where those two are: the keys, and
// the token, would go over the network in clear. That is decided by the addresses, not by the name.
class ContainerCredentials final : public AwsCredentials {
 public:
  explicit ContainerCredentials(ContainerOptions options) : options_(std::move(options)) {}
  absl::StatusOr<AwsKeys> Get() override;

 private:
  const ContainerOptions options_;
};

// The metadata of an EC2 instance, version 2 of its protocol only. Where there is none, that is Unauthenticated, until it
// has answered once.
class InstanceCredentials final : public AwsCredentials {
 public:
  explicit InstanceCredentials(std::string endpoint) : endpoint_(std::move(endpoint)) {}
  absl::StatusOr<AwsKeys> Get() override;

 private:
  absl::StatusOr<std::string> Ask(http::Request request, const char* what);

  const std::string endpoint_;  // scheme, host, port
  bool has_answered_ = false;
};

// What the latter two answer. Pure, and safe on any bytes.
absl::StatusOr<AwsKeys> ReadKeysJson(std::string_view text);
// What STS answers.
absl::StatusOr<AwsKeys> ReadKeysXml(std::string_view text);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_REMOTE_CREDENTIALS_H_
