// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SUPPORT_MEMORY_CLAIMS_H_
#define NORTHWIND_TESTS_SUPPORT_MEMORY_CLAIMS_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "northwind/cutover.h"

namespace northwind::testing {

// Claims in memory, at an arbiter that fails as networks do. Thread-safe.
class MemoryClaims final : public ClaimArbiter {
 public:
  enum class Fault : uint8_t {
    kNone,
    kBefore,  // unreachable: nothing was done
    kAfter,   // it was done, and the answer is lost
  };

  absl::StatusOr<ClaimVerdict> Claim(const ClaimRequest& request) override {
    token_of_this_thread_ = request.token;
    const Fault fault = Begin(request);
    if (fault == Fault::kBefore) return absl::UnavailableError("no connection");
    const ClaimVerdict verdict = Decide(request);
    RunHook(&MemoryClaims::after_claim_, request);
    token_of_this_thread_ = request.token;  // a hook may have claimed as well
    if (fault == Fault::kAfter) return absl::UnavailableError("the connection was lost");
    return verdict;
  }

  absl::StatusOr<std::optional<ClaimRecord>> Find(std::string_view id) override {
    const absl::MutexLock lock(&mutex_);
    if (down_) return absl::UnavailableError("no connection");
    const auto found = claims_.find(std::string(id));
    if (found == claims_.end()) return std::nullopt;
    return std::optional<ClaimRecord>(found->second.record);
  }

  absl::Status PublishEpoch(uint64_t epoch) override {
    const absl::MutexLock lock(&mutex_);
    if (down_) return absl::UnavailableError("no connection");
    published_ = std::max(published_, epoch);
    return absl::OkStatus();
  }

  // ---- What tests do to it
  void set_down(bool down) {
    const absl::MutexLock lock(&mutex_);
    down_ = down;
  }
  // Of the next calls of Claim, one each.
  void FailClaims(std::initializer_list<Fault> faults) {
    const absl::MutexLock lock(&mutex_);
    faults_.insert(faults_.end(), faults.begin(), faults.end());
  }
  // Of any call of Claim from now on, one in so many, either way; 0: none.
  void FailOneIn(uint64_t n) {
    const absl::MutexLock lock(&mutex_);
    one_in_ = n;
  }
  // Runs once, within the next call, before or after the claim is made: a slow network.
  void BeforeClaim(std::function<void(const ClaimRequest&)> hook) {
    const absl::MutexLock lock(&mutex_);
    before_claim_ = std::move(hook);
  }
  void AfterClaim(std::function<void(const ClaimRequest&)> hook) {
    const absl::MutexLock lock(&mutex_);
    after_claim_ = std::move(hook);
  }
  // What the batch does.
  ClaimVerdict ClaimForBatch(const std::string& id, const std::string& merchant_id = "m1") {
    ClaimRequest request{
        .id = id, .merchant_id = merchant_id, .system = SettlementSystem::kBatch, .epoch = ~uint64_t{0}};
    request.token[0] = 0xBA;
    return Decide(request);
  }
  // What northwind did in a time that the store does not know of.
  ClaimVerdict ClaimForNorthwind(const std::string& id, const std::string& merchant_id = "m1") {
    ClaimRequest request{.id = id, .merchant_id = merchant_id, .epoch = ~uint64_t{0}};
    request.token[0] = 0x12;
    return Decide(request);
  }
  // Of the last call of Claim on this thread, of any arbiter.
  static const std::array<uint8_t, 16>& TokenOfThisThread() { return token_of_this_thread_; }
  // Who made the claim, and by which token; nothing: nobody did.
  std::optional<std::pair<SettlementSystem, std::array<uint8_t, 16>>> HolderOf(const std::string& id) const {
    const absl::MutexLock lock(&mutex_);
    const auto found = claims_.find(id);
    if (found == claims_.end()) return std::nullopt;
    return std::pair(found->second.record.system, found->second.token);
  }
  std::vector<ClaimRequest> requests() const {
    const absl::MutexLock lock(&mutex_);
    return requests_;
  }
  uint64_t published() const {
    const absl::MutexLock lock(&mutex_);
    return published_;
  }

 private:
  struct Held {
    ClaimRecord record;
    std::array<uint8_t, 16> token{};
  };

  using Hook = std::function<void(const ClaimRequest&)>;
  void RunHook(Hook MemoryClaims::*which, const ClaimRequest& request) {
    Hook hook;
    {
      const absl::MutexLock lock(&mutex_);
      hook = std::exchange(this->*which, nullptr);
    }
    if (hook) hook(request);
  }

  Fault Begin(const ClaimRequest& request) {
    RunHook(&MemoryClaims::before_claim_, request);
    const absl::MutexLock lock(&mutex_);
    requests_.push_back(request);
    if (down_) return Fault::kBefore;
    if (!faults_.empty()) {
      const Fault fault = faults_.front();
      faults_.pop_front();
      return fault;
    }
    if (one_in_ == 0 || request.token[0] % one_in_ != 0) return Fault::kNone;
    return request.token[1] % 2 == 0 ? Fault::kBefore : Fault::kAfter;
  }

  ClaimVerdict Decide(const ClaimRequest& request) {
    const absl::MutexLock lock(&mutex_);
    const auto found = claims_.find(request.id);
    if (found != claims_.end()) {
      if (found->second.record.system != request.system) return ClaimVerdict::kOther;
      return found->second.token == request.token ? ClaimVerdict::kClaimed : ClaimVerdict::kHeld;
    }
    if (request.epoch < published_) return ClaimVerdict::kStale;
    claims_[request.id] = {.record = {.id = request.id,
                                      .merchant_id = request.merchant_id,
                                      .system = request.system,
                                      .epoch = request.epoch},
                           .token = request.token};
    return ClaimVerdict::kClaimed;
  }

  inline static thread_local std::array<uint8_t, 16> token_of_this_thread_{};
  mutable absl::Mutex mutex_;
  std::map<std::string, Held> claims_ ABSL_GUARDED_BY(mutex_);
  std::vector<ClaimRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::deque<Fault> faults_ ABSL_GUARDED_BY(mutex_);
  uint64_t one_in_ ABSL_GUARDED_BY(mutex_) = 0;
  Hook before_claim_;  // under the mutex, through RunHook
  Hook after_claim_;
  bool down_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t published_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_MEMORY_CLAIMS_H_
