// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SQS_FAKE_ENVIRONMENT_H_
#define NORTHWIND_TESTS_SQS_FAKE_ENVIRONMENT_H_

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "src/sqs/aws_profile.h"

namespace northwind::testing {

using FakeEnvironment = std::map<std::string, std::string>;

inline internal::sqs::Environment Lookup(FakeEnvironment environment) {
  return [environment = std::move(environment)](const char* name) {
    const auto at = environment.find(name);
    return at == environment.end() ? std::string() : at->second;
  };
}

inline void WriteFile(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SQS_FAKE_ENVIRONMENT_H_
