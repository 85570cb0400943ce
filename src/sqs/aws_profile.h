// SPDX-License-Identifier: Apache-2.0
//
// The shared files of AWS's tools: ~/.aws/config and ~/.aws/credentials.
#ifndef NORTHWIND_SRC_SQS_AWS_PROFILE_H_
#define NORTHWIND_SRC_SQS_AWS_PROFILE_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace northwind::internal::sqs {

// A variable of the environment; empty if it is not set.
using Environment = std::function<std::string(const char* name)>;
std::string FromProcessEnvironment(const char* name);

// Settings of one section, by their names in lower case. One within another (indented below it) is named by both: "sqs.endpoint_url".
using Settings = std::map<std::string, std::string, std::less<>>;

struct AwsProfile {
  std::string name;
  Settings settings;
  // Of the [services] section that its setting "services" names, if it does and there is one.
  std::optional<Settings> services = std::nullopt;

  // Empty if there is none.
  std::string Get(std::string_view setting) const;
};

// What a section is of, by which its heading goes.
enum class Section {
  kConfigProfile = 1,       // [profile name] or [default]
  kCredentialsProfile = 2,  // [name]
  kServices = 3,            // [services name]
};

// Adds what `text` says in the section of this name to `settings`, over what is there. InvalidArgument with the number of a line that is
// neither heading nor setting, and without what stands in it. Lines that go on with the value of the one above are passed over. True if
// the section is there. Pure, and safe on any bytes.
absl::StatusOr<bool> ReadSettings(std::string_view text, Section section, std::string_view name, Settings& settings);

// From AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or where these lie by default; the latter has the last word. A file that
// does not exist is empty. `name` empty: AWS_PROFILE, else "default". InvalidArgument for files that cannot be read, and
// for a profile that was asked for and is in neither.
absl::StatusOr<AwsProfile> ReadProfile(const Environment& environment, const std::string& name);

// The whole of a small file, such as one with a token. NotFound if it does not exist; InvalidArgument if it cannot be read, or
// is not small.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_AWS_PROFILE_H_
