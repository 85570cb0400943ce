// SPDX-License-Identifier: Apache-2.0
//
// A book of endpoints on a disk that can fail, and short words for what its tests do.
#ifndef NORTHWIND_TESTS_WEBHOOK_ENDPOINT_BOOK_FIXTURE_H_
#define NORTHWIND_TESTS_WEBHOOK_ENDPOINT_BOOK_FIXTURE_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/store/engine.h"
#include "src/webhook/endpoint_book.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_fs.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {

inline constexpr std::string_view kUrl = "https://shop.example/hook";

inline HostKey Key(std::string id, char first) {
  std::string bytes;
  for (size_t i = 0; i < kHostKeyBytes; ++i) bytes.push_back(static_cast<char>(first + static_cast<char>(i)));
  return {std::move(id), SecretBytes(bytes)};
}

inline SecretBox Box() {
  std::vector<HostKey> keys;
  keys.push_back(Key("k1", 1));
  return *SecretBox::Make(std::move(keys));
}

inline EndpointSpec Spec(std::string id = "") { return {.id = std::move(id), .url = std::string(kUrl)}; }

inline std::vector<std::string> Ids(const std::vector<EndpointPtr>& endpoints) {
  std::vector<std::string> ids;
  for (const EndpointPtr& endpoint : endpoints) ids.push_back(endpoint->id);
  return ids;
}

// A book on a store on a disk that can fail.
class EndpointBookTest : public ::testing::Test {
 protected:
  EndpointBookTest() {
    store_options_.path = "/db";
    store_options_.free_space_floor_bytes = 0;
    store_options_.write_buffer_bytes = 1 << 20;
    store_options_.block_cache_bytes = 1 << 20;
    options_.clock = &clock_;
    options_.max_endpoints_per_merchant = 5;
    options_.max_endpoints = 12;
    Open();
  }
  ~EndpointBookTest() override { Shut(); }

  void Open() { ASSERT_THAT(TryOpen(Box()), testing::IsOk()); }
  absl::Status TryOpen(SecretBox box) {
    if (engine_ == nullptr) {
      NW_ASSIGN_OR_RETURN(engine_, Engine::Open(store_options_, env_ != nullptr ? env_ : disk_.env()));
    }
    NW_ASSIGN_OR_RETURN(book_, EndpointBook::Open(*engine_, std::move(box), options_));
    return absl::OkStatus();
  }
  void Shut() {
    book_.reset();
    engine_.reset();
  }
  void Reopen() {
    Shut();
    Open();
  }

  EndpointPtr Make(std::string_view merchant, std::string id, std::vector<std::string> events = {"*"}) {
    EndpointSpec spec = Spec(std::move(id));
    spec.events = std::move(events);
    auto made = book_->Create(merchant, spec);
    EXPECT_THAT(made, testing::IsOk());
    return made.ok() ? made->endpoint : nullptr;
  }
  std::vector<EndpointPtr> All(std::string_view merchant) const {
    return book_->List(merchant, "", kMaxEndpointPage)->endpoints;
  }
  // What is in the store's host space, as text to be searched.
  std::string StoredBytes() const {
    std::string all;
    Cursor cursor = engine_->NewCursor(Space::kHost);
    for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) all.append(cursor.key()).append(cursor.value());
    EXPECT_THAT(cursor.status(), testing::IsOk());
    return all;
  }

  testing::FakeClock clock_;
  testing::FaultFs disk_;
  rocksdb::Env* env_ = nullptr;
  StoreOptions store_options_;
  EndpointBookOptions options_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<EndpointBook> book_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_TESTS_WEBHOOK_ENDPOINT_BOOK_FIXTURE_H_
