// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SUPPORT_TEMP_DIR_H_
#define NORTHWIND_TESTS_SUPPORT_TEMP_DIR_H_

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "gtest/gtest.h"

namespace northwind::testing {

// A directory of its own under the system's place for temporary files, removed with all that is in it. Safe beside
// any number of other tests and runs.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "northwind_test_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      std::perror("mkdtemp");
      std::abort();
    }
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  // A path inside; nothing is made there.
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_TEMP_DIR_H_
