// SPDX-License-Identifier: Apache-2.0
//
// Random operations against a model of a few lines, with restarts in between. NORTHWIND_TEST_OPS sets how many.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/cutover/cutover_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

class CutoverModel : public CutoverFixture {
 protected:
  std::string AnyMerchant() { return "m" + std::to_string(random_.Below(60)); }
  std::string AnyId() { return "po" + std::to_string(random_.Below(400)); }

  // What the header says, once more.
  SettlementSystem Expected(const std::string& merchant) const {
    if (routed_ || !known_.contains(merchant)) return SettlementSystem::kBatch;
    if (const auto found = overrides_.find(merchant); found != overrides_.end()) {
      return found->second == Override::kAllow ? SettlementSystem::kNorthwind : SettlementSystem::kBatch;
    }
    return CutoverBucket("2026-spring", merchant) < threshold_ ? SettlementSystem::kNorthwind
                                                               : SettlementSystem::kBatch;
  }

  void Assign() {
    std::vector<RouteRequest> requests;
    bool conflict = false;
    std::map<std::string, std::string> merchants;  // of this call
    for (uint64_t n = random_.Between(1, 8); n > 0; --n) {
      const std::string id = AnyId();
      // An id has one merchant, but now and then.
      std::string merchant = "m" + std::to_string(std::hash<std::string>()(id) % 60);
      if (random_.OneIn(60)) merchant = AnyMerchant();
      const auto before = assigned_.find(id);
      if (before != assigned_.end() && before->second.merchant_id != merchant) conflict = true;
      if (merchants.emplace(id, merchant).first->second != merchant) conflict = true;
      requests.push_back({id, merchant});
    }
    const auto answers = cutover_->Assign(requests);
    if (conflict) {
      ASSERT_THAT(answers, StatusIs(absl::StatusCode::kInvalidArgument));
      return;
    }
    ASSERT_THAT(answers, IsOk());
    for (size_t i = 0; i < requests.size(); ++i) {
      const auto [at, is_new] = assigned_.emplace(
          requests[i].id,
          Assignment{.merchant_id = requests[i].merchant_id, .system = Expected(requests[i].merchant_id)});
      if (is_new && at->second.system == SettlementSystem::kNorthwind) residue_.insert(requests[i].id);
      ASSERT_EQ((*answers)[i].system, at->second.system) << requests[i].id;
      ASSERT_EQ((*answers)[i].merchant_id, at->second.merchant_id);
    }
  }

  void ChangeSettings() {
    const uint32_t threshold = static_cast<uint32_t>(random_.Below(kBasisPoints + 1));
    switch (random_.Below(5)) {
      case 0:
        ASSERT_EQ(cutover_->ForceRaise(threshold, "ann", "test").ok(), threshold > threshold_);
        if (threshold > threshold_) threshold_ = threshold, ++lines_;
        break;
      case 1:
        ASSERT_EQ(cutover_->Lower(threshold, "ann", "test").ok(), threshold < threshold_);
        if (threshold < threshold_) threshold_ = threshold, ++lines_;
        break;
      case 2:
        ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
        lines_ += routed_ ? 0 : 1;
        routed_ = true;
        break;
      default:
        ASSERT_THAT(cutover_->ForceResumeRouting("ann", "test"), IsOk());
        lines_ += routed_ ? 1 : 0;
        routed_ = false;
    }
  }

  void ChangeMerchants() {
    const std::string merchant = AnyMerchant();
    if (random_.OneIn(2)) {
      ASSERT_THAT(cutover_->AddMerchants(std::vector<std::string>{merchant}, "ann"), IsOk());
      if (known_.insert(merchant).second) ++lines_;
      return;
    }
    std::optional<Override> value, before;
    if (const uint64_t choice = random_.Below(3); choice > 0) value = static_cast<Override>(choice);
    if (const auto found = overrides_.find(merchant); found != overrides_.end()) before = found->second;
    const std::string reason = "because of line " + std::to_string(lines_ + 1);
    ASSERT_THAT(cutover_->SetOverride(merchant, value, "ann", reason), IsOk());
    if (value != before) override_lines_[merchant] = ++lines_;
    overrides_.erase(merchant);
    if (value) overrides_[merchant] = *value;
  }

  void Finish() {
    const std::vector<std::string> ids = {AnyId(), AnyId()};
    ASSERT_THAT(cutover_->Finish(ids), IsOk());
    for (const std::string& id : ids) residue_.erase(id);
  }

  void Compare() {
    const CutoverStatus status = cutover_->Status();
    ASSERT_EQ(status.threshold, threshold_);
    ASSERT_EQ(status.routed_to_batch, routed_);
    ASSERT_EQ(status.merchants, known_.size());
    ASSERT_EQ(status.residue, residue_.size());
    ASSERT_EQ(status.allowed + status.denied, overrides_.size());
    ASSERT_EQ(status.epoch, lines_);
    const std::string merchant = AnyMerchant();
    ASSERT_EQ(cutover_->Peek(merchant), Expected(merchant)) << merchant;
    const std::string id = AnyId();
    const auto found = cutover_->Find(id);
    const auto expected = assigned_.find(id);
    ASSERT_EQ(found.ok(), expected != assigned_.end()) << id;
    if (!found.ok()) return;
    ASSERT_EQ(found->system, expected->second.system) << id;
  }

  // All of them, in pages of any size.
  void CompareOverrides() {
    std::map<std::string, Override> read;
    std::string after;
    const size_t limit = random_.Between(1, 20);
    do {
      NW_ASSERT_OK_AND_ASSIGN(const OverridePage page, cutover_->Overrides(after, limit));
      ASSERT_LE(page.items.size(), limit);
      if (!page.next.empty()) {
        ASSERT_EQ(page.items.size(), limit);
        ASSERT_EQ(page.next, page.items.back().merchant_id);
      }
      for (const MerchantOverride& item : page.items) {
        ASSERT_GT(item.merchant_id, after);
        after = item.merchant_id;
        read[item.merchant_id] = item.value;
        ASSERT_EQ(item.line, override_lines_[item.merchant_id]) << item.merchant_id;
        ASSERT_EQ(item.actor, "ann");
        ASSERT_EQ(item.reason, "because of line " + std::to_string(item.line));
      }
      after = page.next;
    } while (!after.empty());
    ASSERT_EQ(read, overrides_);
  }

  Random random_{TestSeed()};
  std::map<std::string, Assignment> assigned_;
  std::set<std::string> known_;
  std::set<std::string> residue_;
  std::map<std::string, Override> overrides_;
  std::map<std::string, uint64_t> override_lines_;  // that changed it last
  uint32_t threshold_ = 0;
  bool routed_ = false;
  uint64_t lines_ = 0;
};

TEST_F(CutoverModel, DoesAsTheModelDoes) {
  for (uint64_t op = TestOps(3000); op > 0; --op) {
    const uint64_t choice = random_.Below(100);
    if (choice < 60) {
      ASSERT_NO_FATAL_FAILURE(Assign());
    } else if (choice < 75) {
      ASSERT_NO_FATAL_FAILURE(ChangeSettings());
    } else if (choice < 90) {
      ASSERT_NO_FATAL_FAILURE(ChangeMerchants());
    } else if (choice < 99) {
      ASSERT_NO_FATAL_FAILURE(Finish());
    } else if (random_.OneIn(3)) {
      ASSERT_NO_FATAL_FAILURE(Reopen());
    }
    ASSERT_NO_FATAL_FAILURE(Compare());
    if (random_.OneIn(10)) {
      ASSERT_NO_FATAL_FAILURE(CompareOverrides());
    }
  }
  ASSERT_NO_FATAL_FAILURE(CompareOverrides());
  uint64_t after = 0;
  for (;;) {
    NW_ASSERT_OK_AND_ASSIGN(const auto page, cutover_->AuditLog(after, 500));
    if (page.empty()) break;
    after = page.back().number;
  }
  EXPECT_EQ(after, lines_) << "one line for each change";
}

}  // namespace
}  // namespace northwind::testing
