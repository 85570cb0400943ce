// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/aws_profile.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal::sqs {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;
constexpr const char* kDefaultProfile = "default";

std::string_view Trim(std::string_view text) {
  constexpr const char* kBlanks = " \t\r\f\v";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// Up to a comment, which begins with a blank and one of these.
std::string_view WithoutComment(std::string_view value) {
  for (size_t i = 1; i < value.size(); ++i) {
    if ((value[i] == '#' || value[i] == ';') && IsBlank(value[i - 1])) return Trim(value.substr(0, i));
  }
  return value;
}

// The name in the heading of such a section, or nothing if it is of another, such as [sso-session x].
std::optional<std::string_view> NameIn(std::string_view heading, Section section) {
  const std::string_view name = Trim(heading);
  if (section == Section::kCredentialsProfile) return name;
  if (section == Section::kConfigProfile && name == kDefaultProfile) return name;
  const std::string_view word = section == Section::kServices ? "services" : "profile";
  if (name.size() <= word.size() || name.substr(0, word.size()) != word || !IsBlank(name[word.size()])) {
    return std::nullopt;
  }
  return Trim(name.substr(word.size()));
}

struct Setting {
  std::string name;
  std::string_view value;
};

// Nothing, if the line is none.
std::optional<Setting> SettingIn(std::string_view line) {
  const size_t equals = line.find('=');
  if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
  return Setting{absl::AsciiStrToLower(ToAbsl(Trim(line.substr(0, equals)))),
                 WithoutComment(Trim(line.substr(equals + 1)))};
}

absl::Status BadLine(int number, const char* why) {
  return Error(absl::StatusCode::kInvalidArgument, "line ", number, " ", why);
}

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};

// Whether the section is in it. No path: it is empty.
absl::StatusOr<bool> ReadFile(const std::string& path, Section section, const std::string& name, Settings& settings) {
  if (path.empty()) return false;
  const absl::StatusOr<std::string> text = ReadSmallFile(path);
  if (absl::IsNotFound(text.status())) return false;
  NW_RETURN_IF_ERROR(text.status());
  absl::StatusOr<bool> found = ReadSettings(*text, section, name, settings);
  if (!found.ok()) return Error(absl::StatusCode::kInvalidArgument, path, ": ", found.status().message());
  return found;
}

}  // namespace

std::string FromProcessEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string AwsProfile::Get(std::string_view setting) const {
  const auto at = settings.find(setting);
  return at == settings.end() ? std::string() : at->second;
}

absl::StatusOr<bool> ReadSettings(std::string_view text, Section section, std::string_view name, Settings& settings) {
  bool found = false;
  bool is_ours = false;
  bool has_heading = false;
  std::string parent;  // of the settings that are indented below it; empty: the line above has a value, which goes on
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view trimmed = Trim(line);
    if (trimmed.empty() || trimmed.front() == '#' || trimmed.front() == ';') continue;
    if (trimmed.front() == '[') {
      const size_t end = trimmed.find(']');
      if (end == std::string_view::npos) return BadLine(number, "begins with [, and has no ]");
      is_ours = NameIn(trimmed.substr(1, end - 1), section) == name;
      found = found || is_ours;
      has_heading = true;
      parent.clear();
      continue;
    }
    const bool is_indented = IsBlank(line.front());
    if (is_indented && parent.empty()) continue;
    std::optional<Setting> setting = SettingIn(trimmed);
    if (!setting) return BadLine(number, "is neither heading nor setting");
    if (!has_heading) return BadLine(number, "is a setting without a heading above");
    if (!is_ours) continue;
    if (is_indented) {
      settings[absl::StrCat(parent, ".", setting->name)] = std::string(setting->value);
    } else {
      parent = setting->value.empty() ? setting->name : std::string();
      settings[std::move(setting->name)] = std::string(setting->value);
    }
  }
  return found;
}

absl::StatusOr<AwsProfile> ReadProfile(const Environment& environment, const std::string& name) {
  AwsProfile profile = {.name = name.empty() ? environment("AWS_PROFILE") : name, .settings = {}};
  const bool is_asked_for = !profile.name.empty();
  if (!is_asked_for) profile.name = kDefaultProfile;
  const auto path_of = [&environment](const char* variable, const char* usual) {
    std::string path = environment(variable);
    const std::string home = environment("HOME");
    return path.empty() && !home.empty() ? absl::StrCat(home, usual) : path;
  };
  const std::string config = path_of("AWS_CONFIG_FILE", "/.aws/config");
  const std::string credentials = path_of("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  NW_ASSIGN_OR_RETURN(const bool in_config, ReadFile(config, Section::kConfigProfile, profile.name, profile.settings));
  NW_ASSIGN_OR_RETURN(const bool in_credentials,
                      ReadFile(credentials, Section::kCredentialsProfile, profile.name, profile.settings));
  if (is_asked_for && !in_config && !in_credentials) {
    return Error(absl::StatusCode::kInvalidArgument, "no profile ", profile.name, " in the shared files of AWS");
  }
  if (const std::string services = profile.Get("services"); !services.empty()) {
    Settings settings;
    NW_ASSIGN_OR_RETURN(const bool is_there, ReadFile(config, Section::kServices, services, settings));
    if (is_there) profile.services = std::move(settings);
  }
  return profile;
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  const std::unique_ptr<FILE, CloseFile> file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) {
    const int error = errno;
    return Error(error == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kInvalidArgument, path, ": ",
                 std::strerror(error));
  }
  std::string text(kMaxFileBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return Error(absl::StatusCode::kInvalidArgument, path, " cannot be read");
  if (text.size() > kMaxFileBytes) return Error(absl::StatusCode::kInvalidArgument, path, " is too large");
  return text;
}

}  // namespace northwind::internal::sqs
