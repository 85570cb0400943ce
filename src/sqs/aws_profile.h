// SPDX-License-Identifier: Apache-2.0
//
// The shared files of AWS's tools: ~/.aws/config and ~/.aws/credentials.
#ifndef NORTHWIND_SRC_SQS_AWS_PROFILE_H_
#define NORTHWIND_SRC_SQS_AWS_PROFILE_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace northwind::internal::sqs {

// A variable of the environment; empty if it is not set.
using Environment = std::function<std::string(const char* name)>;
std::string FromProcessEnvironment(const char* name);

// Settings of one profile, by their names in lower case.
using Settings = std::map<std::string, std::string, std::less<>>;

struct AwsProfile {
  std::string name;
  Settings settings;

  // Empty if there is none.
  std::string Get(std::string_view setting) const;
};

// The file that a profile is in. Those of the configuration are headed [profile name] or [default], those of credentials [name].
enum class ProfileFile { kConfig = 1, kCredentials = 2 };

// Adds what `text` says of the profile to `settings`, over what is there. InvalidArgument with the number of a line that is
// neither heading nor setting, and without what stands in it. Settings within settings (indented) are passed over. True if the
// profile is there. Pure, and safe on any bytes.
absl::StatusOr<bool> ReadSettings(std::string_view text, ProfileFile file, std::string_view profile,
                                  Settings& settings);

// From AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or where these lie by default; the latter has the last word. A file that
// does not exist is empty. `name` empty: AWS_PROFILE, else "default". InvalidArgument for files that cannot be read, and
// for a profile that was asked for and is in neither.
absl::StatusOr<AwsProfile> ReadProfile(const Environment& environment, const std::string& name);

// The whole of a small file, such as one with a token. NotFound if it does not exist; InvalidArgument if it cannot be read, or
// is not small.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_AWS_PROFILE_H_
