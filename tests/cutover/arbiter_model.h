// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_CUTOVER_ARBITER_MODEL_H_
#define NORTHWIND_TESTS_CUTOVER_ARBITER_MODEL_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/cutover.h"

namespace northwind::testing {

// What PostgresClaims does, in memory; claims_model_test.cc holds the two against each other. Not thread-safe.
class ArbiterModel final : public ClaimArbiter {
 public:
  struct Row {
    ClaimRecord record;
    std::array<uint8_t, 16> token{};
  };

  absl::StatusOr<ClaimVerdict> Claim(const ClaimRequest& request) override {
    auto row = rows_.find(request.id);
    if (row == rows_.end()) {
      if (request.epoch < published_) return ClaimVerdict::kStale;
      row = rows_
                .emplace(request.id,
                         Row{{request.id, request.merchant_id, request.system, request.epoch, now()}, request.token})
                .first;
    }
    const Row& owner = row->second;
    if (owner.record.merchant_id != request.merchant_id)
      return absl::InvalidArgumentError("claimed for another merchant");
    if (owner.record.system != request.system) return ClaimVerdict::kOther;
    return owner.token == request.token ? ClaimVerdict::kClaimed : ClaimVerdict::kHeld;
  }
  absl::StatusOr<std::optional<ClaimRecord>> Find(std::string_view id) override {
    const auto row = rows_.find(std::string(id));
    if (row == rows_.end()) return std::nullopt;
    return row->second.record;
  }
  absl::Status PublishEpoch(uint64_t epoch) override {
    published_ = std::max(published_, epoch);
    return absl::OkStatus();
  }

  uint64_t published() const { return published_; }
  const std::map<std::string, Row>& rows() const { return rows_; }
  // What no arbiter may do: for tests that must fail.
  void Forget(const std::string& id) { rows_.erase(id); }

  std::function<absl::Time()> now = [] { return absl::UnixEpoch(); };

 private:
  std::map<std::string, Row> rows_;
  uint64_t published_ = 0;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_CUTOVER_ARBITER_MODEL_H_
