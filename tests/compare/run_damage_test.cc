// SPDX-License-Identifier: Apache-2.0
//
// Verify finds whatever is taken away, added or altered of what is kept.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/compare/item.h"
#include "src/compare/keys.h"
#include "src/store/engine.h"
#include "tests/compare/run_world.h"

namespace northwind::testing {
namespace {

using internal::Cursor;
using internal::Space;
using internal::WriteSet;
using namespace internal::compare;  // NOLINT(google-build-using-namespace)
using ::testing::HasSubstr;

class DamageWorld : public RunWorld {
 public:
  DamageWorld() {
    EXPECT_THAT(run_->AddRule({.id = "r",
                               .owner = "o",
                               .reason = "x",
                               .of = DiscrepancyClass::kMissingThere,
                               .from = kDay,
                               .to = kDay,
                               .expires_at = absl::InfiniteFuture(),
                               .max_count = 9,
                               .max_units = {{"USD/2", 1'000'00}}}),
                IsOk());
    Settle({Capture("pay_1", 1'00), Capture("pay_2", 2'00), Capture("pay_3", 3'00)});
    Ingest({{.ref = "pay_1", .amount = "1.00"}, {.ref = "pay_2", .amount = "2.01"}});
    Close();
  }

  // The first key that begins with the prefix.
  std::pair<std::string, std::string> First(std::string_view prefix) {
    Cursor cursor = store_->engine().NewCursor(Space::kHost);
    cursor.Seek(prefix);
    EXPECT_TRUE(cursor.Valid() && cursor.key().starts_with(prefix)) << prefix;
    return {std::string(cursor.key()), std::string(cursor.value())};
  }
  void Put(std::string_view key, std::string_view value) {
    WriteSet writes;
    writes.Put(Space::kHost, key, value);
    EXPECT_THAT(store_->engine().Write(writes), IsOk());
  }
  void Delete(std::string_view key) {
    WriteSet writes;
    writes.Delete(Space::kHost, key);
    EXPECT_THAT(store_->engine().Write(writes), IsOk());
  }
  void Alter(std::string_view name, const std::function<void(Item&)>& how) {
    const auto [key, bytes] = First(Key(kItemPrefix, name));
    Item item = *DecodeItem(name, bytes);
    how(item);
    Put(key, EncodeItem(item));
  }
};

struct Damage {
  const char* what;
  std::function<void(DamageWorld&)> how;
};

TEST(Damage, OfAnyKindIsFound) {
  const std::vector<Damage> damages = {
      {"an item is gone", [](DamageWorld& w) { w.Delete(Key(kItemPrefix, "capture:pay_1")); }},
      {"a row id is gone", [](DamageWorld& w) { w.Delete(w.First(kRowPrefix).first); }},
      {"a row id too many", [](DamageWorld& w) { w.Put(RowKey("batch", "x"), w.First(kRowPrefix).second); }},
      {"an entry of the index is gone", [](DamageWorld& w) { w.Delete(w.First(DayKey(kIndexPrefix, kDay)).first); }},
      {"an entry of the index too many",
       [](DamageWorld& w) {
         w.Put(IndexKey({kDay, "m1", 3}, "capture:x"), w.First(kIndexPrefix).second);
       }},
      {"a discrepancy is gone", [](DamageWorld& w) { w.Delete(Key(kDiscrepancyPrefix, "capture:pay_2")); }},
      {"a discrepancy too many",
       [](DamageWorld& w) { w.Put(Key(kDiscrepancyPrefix, "capture:x"), w.First(kDiscrepancyPrefix).second); }},
      {"what came in is other",
       [](DamageWorld& w) { w.Put(DayKey(kCountPrefix, kDay), w.First(DayKey(kCountPrefix, kDay - 20)).second); }},
      {"what came in is gone", [](DamageWorld& w) { w.Delete(DayKey(kCountPrefix, kDay)); }},
      {"our units", [](DamageWorld& w) { w.Alter("capture:pay_2", [](Item& item) { item.ours[0].units = 2'01; }); }},
      {"our merchant",
       [](DamageWorld& w) { w.Alter("capture:pay_3", [](Item& item) { item.ours[0].merchant_id = "m2"; }); }},
      {"our day", [](DamageWorld& w) { w.Alter("capture:pay_1", [](Item& item) { item.ours[0].day += 1; }); }},
      {"our record", [](DamageWorld& w) { w.Alter("capture:pay_1", [](Item& item) { item.ours[0].records[0] = 1; }); }},
      {"their text",
       [](DamageWorld& w) { w.Alter("capture:pay_1", [](Item& item) { item.theirs[0].raw[6] = "1.01"; }); }},
      {"their units",
       [](DamageWorld& w) { w.Alter("capture:pay_2", [](Item& item) { item.theirs[0].row.units = 2'00; }); }},
      {"a verdict",
       [](DamageWorld& w) { w.Alter("capture:pay_2", [](Item& item) { item.theirs[0].fate = RowFate::kMatched; }); }},
      {"that it is ignored",
       [](DamageWorld& w) { w.Alter("capture:pay_3", [](Item& item) { item.ignored = false; }); }},
      {"figures of the day",
       [](DamageWorld& w) {
         auto [key, bytes] = w.First(DayKey(kDayPrefix, kDay));
         bytes.back() = static_cast<char>(bytes.back() ^ 1);  // of a digest
         w.Put(key, bytes);
       }},
      {"half an item",
       [](DamageWorld& w) {
         const auto [key, bytes] = w.First(kItemPrefix);
         w.Put(key, bytes.substr(0, bytes.size() / 2));
       }},
  };
  for (const Damage& damage : damages) {
    DamageWorld world;
    ASSERT_THAT(world.run_->Verify(), IsOk());
    damage.how(world);
    EXPECT_THAT(world.run_->Verify(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("compare"))) << damage.what;
  }
}

}  // namespace
}  // namespace northwind::testing
