// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SERVER_AUTH_CREDENTIALS_FIXTURE_H_
#define NORTHWIND_TESTS_SERVER_AUTH_CREDENTIALS_FIXTURE_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "examples/reference_server/auth/credentials.h"
#include "northwind/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {

// Credentials on a store in a directory of its own, at a time that a test moves.
class CredentialsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.clock = &clock_;
    OpenStore();
    Open();
  }

  void OpenStore() {
    auto store = Store::Open({.path = dir_ / "store", .free_space_floor_bytes = 0});
    ASSERT_THAT(store, IsOk());
    store_ = *std::move(store);
  }
  void Open() {
    auto opened = server::Credentials::Open(*store_, options_);
    ASSERT_THAT(opened, IsOk());
    credentials_ = *std::move(opened);
  }
  // As after a restart: everything anew, from the disk.
  void Reopen() {
    credentials_.reset();
    store_.reset();
    OpenStore();
    Open();
  }
  // Without what is done at the end of a process that ends well: from a copy of the directory.
  void CrashAndReopen() {
    const std::string copy = dir_ / "copy";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(dir_ / "store", copy, std::filesystem::copy_options::recursive);
    credentials_.reset();
    store_.reset();
    std::filesystem::remove_all(dir_ / "store");
    std::filesystem::rename(copy, dir_ / "store");
    OpenStore();
    Open();
  }

  static server::Request With(std::vector<server::Field> fields) {
    return {.fields = std::move(fields), .remote = "192.0.2.1", .id = "req_1"};
  }
  static server::Request Bearer(const std::string& key) { return With({{"Authorization", "Bearer " + key}}); }
  static server::Request Cookie(const std::string& cookie) { return With({{"Cookie", "__Host-northwind=" + cookie}}); }
  absl::Status Try(const server::Request& request) { return credentials_->Authenticate(request).status(); }

  server::NewKey MakeKey(server::KeySpec spec = {.name = "k", .scopes = {server::Scope::kMerchantRead}}) {
    return credentials_->CreateKey(spec).value();
  }
  server::Session SignIn(const std::string& merchant) {
    return credentials_->SignIn(credentials_->CreateLink(merchant).value().token).value();
  }

  // Whether any file below the directory has these bytes.
  bool FilesHave(const std::string& text) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      if (bytes.find(text) != std::string::npos) return true;
    }
    return false;
  }

  // Each byte of each record below the prefix, altered; `open` must answer DataLoss each time, and is good again at the end.
  template <typename Open>
  void EveryByteMatters(const std::string& prefix, const Open& open) {
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<HostEntry> records, store_->List(prefix, {}, kMaxHostPage));
    ASSERT_FALSE(records.empty());
    for (const HostEntry& record : records) {
      for (size_t i = 0; i < record.value.size(); ++i) {
        std::string damaged = record.value;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x01);
        ASSERT_THAT(store_->Write({HostChange{.key = record.key, .value = damaged}}), IsOk());
        ASSERT_THAT(open(), StatusIs(absl::StatusCode::kDataLoss)) << record.key << " at " << i;
      }
      for (const size_t size : {size_t{0}, record.value.size() / 2, record.value.size() - 1}) {
        ASSERT_THAT(store_->Write({HostChange{.key = record.key, .value = record.value.substr(0, size)}}), IsOk());
        ASSERT_THAT(open(), StatusIs(absl::StatusCode::kDataLoss)) << record.key << " cut to " << size;
      }
      ASSERT_THAT(store_->Write({HostChange{.key = record.key, .value = record.value}}), IsOk());
    }
    EXPECT_THAT(open(), IsOk());
  }

  TempDir dir_;
  FakeClock clock_;
  server::CredentialsOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<server::Credentials> credentials_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SERVER_AUTH_CREDENTIALS_FIXTURE_H_
