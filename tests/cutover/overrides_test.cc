// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/cutover/assignments.h"
#include "src/cutover/audit_log.h"
#include "src/store/engine.h"
#include "tests/cutover/cutover_fixture.h"

namespace northwind::testing {
namespace {

using internal::CutoverKey;
using internal::kMerchantPrefix;
using internal::kOverridePrefix;
using internal::Space;
using internal::WriteSet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::optional<Override> kNone;

class OverridesTest : public CutoverFixture {
 protected:
  void Set(const std::string& merchant, std::optional<Override> value, const std::string& actor = "ann",
           const std::string& reason = "test") {
    clock_.Advance(absl::Seconds(1));
    ASSERT_THAT(cutover_->SetOverride(merchant, value, actor, reason), IsOk());
  }
  // "m1 allow", in the order of the page.
  std::vector<std::string> Listed(std::string_view after = {}, size_t limit = 100) {
    std::vector<std::string> all;
    const auto page = cutover_->Overrides(after, limit);
    EXPECT_THAT(page, IsOk());
    if (!page.ok()) return all;
    for (const MerchantOverride& item : page->items) {
      all.push_back(item.merchant_id + (item.value == Override::kAllow ? " allow" : " deny"));
    }
    return all;
  }
  std::string Read(std::string_view prefix, const std::string& merchant) {
    const auto value = store_->Get(CutoverKey(prefix, merchant));
    EXPECT_THAT(value, IsOk());
    return value.ok() ? value->value_or("") : "";
  }
  void Write(const std::string& key, const std::string& bytes) {
    WriteSet writes;
    writes.Put(Space::kHost, key, bytes);
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
  }
  void Delete(const std::string& key) {
    WriteSet writes;
    writes.Delete(Space::kHost, key);
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
  }
};

TEST_F(OverridesTest, AreListedByMerchantWithWhoSetThemWhenAndWhy) {
  EXPECT_THAT(Listed(), IsEmpty());
  ASSERT_THAT(cutover_->AddMerchants(std::vector<std::string>{"m1", "m2", "m3"}, "ann"), IsOk());
  Set("m3", Override::kAllow, "maria", "goes first");
  const absl::Time at = clock_.Now();
  Set("m10", Override::kDeny);  // not known
  Set("m1", Override::kDeny, "bob", "too large");
  EXPECT_THAT(Listed(), ElementsAre("m1 deny", "m10 deny", "m3 allow"));
  for (int opened = 0; opened < 2; ++opened) {
    NW_ASSERT_OK_AND_ASSIGN(const OverridePage page, cutover_->Overrides("m10"));
    ASSERT_THAT(page.items, SizeIs(1));
    EXPECT_EQ(page.items[0].merchant_id, "m3");
    EXPECT_EQ(page.items[0].value, Override::kAllow);
    EXPECT_EQ(page.items[0].line, 2U);
    EXPECT_EQ(page.items[0].at, at);
    EXPECT_EQ(page.items[0].actor, "maria");
    EXPECT_EQ(page.items[0].reason, "goes first");
    EXPECT_EQ(page.next, "");
    Reopen();
  }
  EXPECT_EQ(cutover_->Status().epoch, 4U) << "to read changes nothing";
}

TEST_F(OverridesTest, WhatIsClearedIsGoneAndWhatIsChangedHasItsNewReason) {
  Set("m1", Override::kAllow);
  Set("m2", Override::kDeny);
  EXPECT_THAT(Listed(), ElementsAre("m1 allow", "m2 deny"));
  Set("m1", Override::kDeny, "bob", "odd figures");
  Set("m2", kNone, "bob", "mended");
  Set("m1", Override::kDeny, "eve", "is so already: no change");
  for (int opened = 0; opened < 2; ++opened) {
    EXPECT_THAT(Listed(), ElementsAre("m1 deny"));
    NW_ASSERT_OK_AND_ASSIGN(const OverridePage page, cutover_->Overrides());
    ASSERT_THAT(page.items, SizeIs(1));
    EXPECT_EQ(page.items[0].line, 3U);
    EXPECT_EQ(page.items[0].actor, "bob");
    EXPECT_EQ(page.items[0].reason, "odd figures");
    Reopen();
  }
  Set("m1", kNone);
  EXPECT_THAT(Listed(), IsEmpty());
  ASSERT_THAT(cutover_->AddMerchants(std::vector<std::string>{"m1", "m2"}, "ann"), IsOk());
  EXPECT_THAT(Listed(), IsEmpty());
}

TEST_F(OverridesTest, AMerchantThatBecomesKnownKeepsItsOverrideAndItsLine) {
  Set("m1", Override::kAllow);
  ASSERT_THAT(cutover_->AddMerchants(std::vector<std::string>{"m1"}, "ann"), IsOk());
  Reopen();
  NW_ASSERT_OK_AND_ASSIGN(const OverridePage page, cutover_->Overrides());
  ASSERT_THAT(page.items, SizeIs(1));
  EXPECT_EQ(page.items[0].line, 1U);
}

TEST_F(OverridesTest, AreReadInPages) {
  for (const char* merchant : {"m1", "m2", "m3", "m4"}) Set(merchant, Override::kDeny);
  NW_ASSERT_OK_AND_ASSIGN(const OverridePage first, cutover_->Overrides("", 2));
  EXPECT_EQ(first.items.size(), 2U);
  EXPECT_EQ(first.next, "m2");
  EXPECT_THAT(Listed(first.next, 1), ElementsAre("m3 deny"));
  // The end is the end, also if it fills the page.
  NW_ASSERT_OK_AND_ASSIGN(const OverridePage last, cutover_->Overrides("m2", 2));
  EXPECT_EQ(last.items.size(), 2U);
  EXPECT_EQ(last.next, "");
  EXPECT_THAT(Listed("m4"), IsEmpty());
  EXPECT_THAT(Listed("m2x"), ElementsAre("m3 deny", "m4 deny")) << "after somebody who has none";
  EXPECT_THAT(Listed(std::string(1000, 'z')), IsEmpty());
  EXPECT_EQ(Listed("", kMaxAuditPage).size(), 4U);
  for (const size_t wrong : {size_t{0}, kMaxAuditPage + 1}) {
    EXPECT_THAT(cutover_->Overrides("", wrong),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 to 1000 overrides")))
        << wrong;
  }
}

TEST_F(OverridesTest, ThePageGoesOnWhenItsLastOneWasClearedMeanwhile) {
  for (const char* merchant : {"m1", "m2", "m3"}) Set(merchant, Override::kDeny);
  NW_ASSERT_OK_AND_ASSIGN(const OverridePage first, cutover_->Overrides("", 2));
  Set("m2", kNone);
  EXPECT_THAT(Listed(first.next), ElementsAre("m3 deny"));
}

// As a store was written before there was an index of them.
TEST_F(OverridesTest, AStoreWithoutTheIndexGetsItFromItsMerchantsAndItsLog) {
  Set("m1", Override::kAllow);
  Set("m2", Override::kDeny, "maria", "too large");
  Set("m1", Override::kDeny, "bob", "odd figures");
  Set("m3", Override::kDeny);
  Set("m3", kNone);
  for (const char* merchant : {"m1", "m2"}) Delete(CutoverKey(kOverridePrefix, merchant));
  Reopen();
  EXPECT_THAT(Listed(), ElementsAre("m1 deny", "m2 deny"));
  NW_ASSERT_OK_AND_ASSIGN(const OverridePage page, cutover_->Overrides());
  ASSERT_THAT(page.items, SizeIs(2));
  EXPECT_EQ(page.items[0].reason, "odd figures");
  EXPECT_EQ(page.items[1].actor, "maria");
  EXPECT_EQ(Read(kOverridePrefix, "m2"), internal::EncodeOverride({.value = Override::kDeny, .line = 2}));
  EXPECT_EQ(cutover_->Status().epoch, 5U) << "no change of settings";
}

TEST_F(OverridesTest, AnIndexThatDiffersFromTheMerchantsIsMadeAnew) {
  Set("m1", Override::kAllow);
  Set("m2", Override::kDeny);
  // m1's is missing, and m3 has one that is not set: as many as there should be.
  Delete(CutoverKey(kOverridePrefix, "m1"));
  Write(CutoverKey(kOverridePrefix, "m3"), internal::EncodeOverride({.value = Override::kDeny, .line = 1}));
  Reopen();
  EXPECT_THAT(Listed(), ElementsAre("m1 allow", "m2 deny"));
  Write(CutoverKey(kOverridePrefix, "m1"), internal::EncodeOverride({.value = Override::kDeny, .line = 1}));
  Reopen();
  EXPECT_THAT(Listed(), ElementsAre("m1 allow", "m2 deny")) << "another value";
}

TEST_F(OverridesTest, DamageIsSaidAndStopsNothingElse) {
  Set("m1", Override::kAllow);
  Set("m2", Override::kDeny);
  const std::string line = **store_->Get(internal::AuditKey(1));
  std::string changed = line;
  changed[changed.size() - 40] = static_cast<char>(changed[changed.size() - 40] ^ 1);
  Write(internal::AuditKey(1), changed);
  EXPECT_THAT(cutover_->Overrides(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("line 1")));
  Write(internal::AuditKey(1), line);
  EXPECT_THAT(cutover_->Overrides(), IsOk());

  const std::string index = Read(kOverridePrefix, "m1");
  Write(CutoverKey(kOverridePrefix, "m1"), internal::EncodeOverride({.value = Override::kAllow, .line = 2}));
  EXPECT_THAT(cutover_->Overrides(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("line 2 of the audit log is not")));
  Write(CutoverKey(kOverridePrefix, "m1"), "x");
  EXPECT_THAT(cutover_->Overrides(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("m1 is damaged")));
  EXPECT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  Set("m1", Override::kDeny);
  EXPECT_THAT(Listed(), ElementsAre("m1 deny", "m2 deny")) << "to set it writes it anew";
  Write(CutoverKey(kOverridePrefix, "m1"), "x");
  Reopen();
  EXPECT_THAT(Listed(), ElementsAre("m1 deny", "m2 deny")) << "the index is made anew";
}

TEST_F(OverridesTest, AnOverrideThatNoLineSetIsDamage) {
  Write(CutoverKey(kMerchantPrefix, "m1"), internal::EncodeStanding({.known = true, .override = Override::kAllow}));
  Write(std::string(internal::kCutoverCountsKey), internal::EncodeCounts({.merchants = 1, .allowed = 1}));
  Reopen();
  EXPECT_THAT(cutover_->Overrides(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no line of the audit log")));
}

// Each page is of one moment: the pair is always set together, first one and then the other, and cleared in that order.
TEST_F(OverridesTest, APageIsOneMomentWhileOverridesAreSet) {
  std::atomic<bool> done = false;
  std::thread writer([this, &done] {
    for (int i = 0; i < 100; ++i) {
      for (const std::optional<Override> value : {std::optional(Override::kDeny), kNone}) {
        for (const char* merchant : {"m1", "m2"})
          EXPECT_THAT(cutover_->SetOverride(merchant, value, "ann", "x"), IsOk());
      }
    }
    done = true;
  });
  uint64_t last = 0;
  while (!done) {
    const auto page = cutover_->Overrides();
    EXPECT_THAT(page, IsOk());
    if (!page.ok()) break;
    uint64_t newest = 0;
    for (const MerchantOverride& item : page->items) newest = std::max(newest, item.line);
    // m1 alone is of an odd line, followed by m2; m2 alone is what m1 was cleared beside.
    if (page->items.size() == 2) {
      EXPECT_EQ(page->items[0].line + 1, page->items[1].line);
    }
    EXPECT_TRUE(newest == 0 || newest >= last) << newest << " after " << last;
    last = std::max(last, newest);
  }
  writer.join();
  EXPECT_THAT(Listed(), IsEmpty());
}

}  // namespace
}  // namespace northwind::testing
