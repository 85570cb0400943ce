// SPDX-License-Identifier: Apache-2.0
//
// Random histories of both sides, with corrections, closings, reopenings and payouts that turn out to be northwind's or the batch's, against a model that keeps all rows in memory and says of
// each id, by the words of docs/parallel-run.md alone, what differs.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/compare/run_world.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

// A row as far as the model compares it.
struct ModelRow {
  int64_t units = 0;
  std::string merchant;
  std::string asset;
  int64_t fee = 0;
  std::string status;
  int day = 0;
  bool late = false;
  bool skipped = false;
  bool Pays() const { return status != "FAILED" && status != "CANCELED"; }
  auto Content() const { return std::tie(units, merchant, asset, fee, status, day); }
  using Order = std::tuple<int, int64_t, std::string, std::string, int64_t, size_t>;
  Order InOrder() const {
    static const std::vector<std::string> statuses = {"OK", "OPEN", "PAID", "FAILED", "CANCELED", "LOST", "WON"};
    const auto place = std::find(statuses.begin(), statuses.end(), status) - statuses.begin();
    return {day, units, merchant, asset, fee, static_cast<size_t>(place)};
  }
};

struct Counts {
  uint64_t ingested = 0, matched = 0, mismatched = 0, pending = 0, ignored = 0, by_northwind = 0;
  auto operator<=>(const Counts&) const = default;
};

// What the model says of one id.
struct Expected {
  std::set<DiscrepancyClass> classes;
  std::map<std::tuple<int, std::string, bool>, Counts> counts;  // day, asset, theirs
};

Expected Judge(const std::vector<ModelRow>& ours_in, const std::vector<ModelRow>& theirs_in, bool anonymous,
               bool northwind, const std::set<int>& closed) {
  Expected out;
  const auto at = [&](const ModelRow& row, bool theirs) -> Counts& { return out.counts[{row.day, row.asset, theirs}]; };
  std::vector<ModelRow> ours = ours_in, theirs, our_kin, their_kin;
  for (const ModelRow& row : theirs_in) {
    ++at(row, true).ingested;
    if (row.skipped) {
      ++at(row, true).ignored;
    } else {
      theirs.push_back(row);
    }
  }
  for (const ModelRow& row : ours) ++at(row, false).ingested;
  // Equal pairs cancel.
  std::vector<std::pair<ModelRow, ModelRow>> equal;
  for (const bool alike_in_time : {true, false}) {
    for (auto mine = ours.begin(); mine != ours.end();) {
      const auto twin = std::find_if(theirs.begin(), theirs.end(), [&](const ModelRow& row) {
        return row.Content() == mine->Content() && (!alike_in_time || row.late == mine->late);
      });
      if (twin == theirs.end()) {
        ++mine;
        continue;
      }
      equal.emplace_back(*mine, *twin);
      our_kin.push_back(*mine);
      their_kin.push_back(*twin);
      theirs.erase(twin);
      mine = ours.erase(mine);
    }
  }
  // Those that are left on both sides differ, the most alike in the first place.
  const auto waits = [&](const ModelRow& row) { return anonymous && !closed.contains(row.day); };
  const auto differences = [](const ModelRow& a, const ModelRow& b) {
    std::set<DiscrepancyClass> found;
    if (a.asset != b.asset) found.insert(DiscrepancyClass::kCurrency);
    if (a.units != b.units) found.insert(DiscrepancyClass::kAmount);
    if (a.fee != b.fee) found.insert(DiscrepancyClass::kFee);
    if (a.merchant != b.merchant) found.insert(DiscrepancyClass::kMerchant);
    if (a.status != b.status) found.insert(DiscrepancyClass::kStatus);
    if (a.day != b.day) found.insert(DiscrepancyClass::kDayShift);
    return found;
  };
  while (true) {
    using Rank = std::tuple<size_t, unsigned, ModelRow::Order, ModelRow::Order>;
    std::optional<Rank> best;
    size_t bi = 0, bj = 0;
    for (size_t i = 0; i < ours.size(); ++i) {
      for (size_t j = 0; j < theirs.size(); ++j) {
        if (waits(ours[i]) || waits(theirs[j])) continue;
        const std::set<DiscrepancyClass> set = differences(ours[i], theirs[j]);
        unsigned mask = 0;
        for (const DiscrepancyClass c : set) mask |= 1U << static_cast<unsigned>(c);
        const Rank rank(set.size(), mask, ours[i].InOrder(), theirs[j].InOrder());
        if (best && !(rank < *best)) continue;
        best = rank;
        bi = i;
        bj = j;
      }
    }
    if (!best) break;
    out.classes.merge(differences(ours[bi], theirs[bj]));
    if (northwind && theirs[bj].Pays()) out.classes.insert(DiscrepancyClass::kDuplicate);
    ++at(ours[bi], false).mismatched;
    ++at(theirs[bj], true).mismatched;
    our_kin.push_back(ours[bi]);
    their_kin.push_back(theirs[bj]);
    ours.erase(ours.begin() + static_cast<ptrdiff_t>(bi));
    theirs.erase(theirs.begin() + static_cast<ptrdiff_t>(bj));
  }
  const auto alone = [&](const std::vector<ModelRow>& rows, const std::vector<ModelRow>& kin, bool is_theirs) {
    for (const ModelRow& row : rows) {
      if (northwind && !is_theirs && row.status == "PAID") {
        ++at(row, false).ignored;
        ++at(row, false).by_northwind;
        continue;
      }
      const bool both_pay = northwind && is_theirs && row.Pays();
      if (both_pay) out.classes.insert(DiscrepancyClass::kDuplicate);
      const bool twice =
          std::any_of(kin.begin(), kin.end(), [&](const ModelRow& k) { return k.Content() == row.Content(); });
      if (!closed.contains(row.day) && (anonymous || !twice)) {
        ++(both_pay ? at(row, true).mismatched : at(row, is_theirs).pending);
        continue;
      }
      ++at(row, is_theirs).mismatched;
      out.classes.insert(twice       ? DiscrepancyClass::kDuplicate
                         : is_theirs ? DiscrepancyClass::kMissingHere
                                     : DiscrepancyClass::kMissingThere);
    }
  };
  alone(ours, our_kin, false);
  alone(theirs, their_kin, true);
  const auto both_pay = [northwind](const std::pair<ModelRow, ModelRow>& pair) {
    return northwind && pair.second.Pays();
  };
  if (std::any_of(equal.begin(), equal.end(), both_pay)) out.classes.insert(DiscrepancyClass::kDuplicate);
  const bool agrees = out.classes.empty();
  for (const auto& pair : equal) {
    const auto& [mine, twin] = pair;
    const bool late = agrees && (mine.late || twin.late), differs = late || both_pay(pair);
    ++(differs ? at(mine, false).mismatched : at(mine, false).matched);
    ++(differs ? at(twin, true).mismatched : at(twin, true).matched);
    if (late) out.classes.insert(DiscrepancyClass::kLate);
  }
  return out;
}

class Oracle {
 public:
  explicit Oracle(uint64_t seed) : random_(seed) {
    world_.options_of_run_.is_ours = [this](Leg leg, std::string_view id, std::string_view) {
      EXPECT_EQ(leg, Leg::kPayout);
      return absl::StatusOr<bool>(answers_.contains(absl::StrCat("payout:", std::string(id))));
    };
    world_.ReopenRun();
  }

  void Run(uint64_t steps) {
    world_.clock_.Set(Noon(kDay + 10));
    for (uint64_t i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      Step();
      world_.Check();
      Compare();
      if (random_.OneIn(40)) world_.ReopenRun();
      if (random_.OneIn(60)) world_.CrashAll();  // the power is cut: what was answered is there
    }
  }

 private:
  static constexpr int kDays = 4;

  void Step() {
    const uint64_t what = random_.Below(100);
    if (what < 30) return Capture();
    if (what < 42) return Refund();
    if (what < 52) return Payout();
    if (what < 60) return EndPayout();
    if (what < 86) return Batch();
    if (what < 92) return Answer();
    return Close();
  }

  int AnyDay() { return static_cast<int>(random_.Below(kDays)); }
  bool Late(int day) const { return closed_.contains(day); }

  void Settled(const PaymentEvent& event, const std::string& name, ModelRow row) {
    const EventOutcome outcome = world_.Apply(event);
    ASSERT_THAT(world_.run_->CatchUp(), IsOk());
    if (outcome.status != EventStatus::kApplied) return;  // such as a second capture: no row
    row.late = Late(row.day);
    ours_[name].push_back(row);
  }

  void Capture() {
    const std::string id = absl::StrCat("p", random_.Below(8));
    const int day = AnyDay();
    const uint64_t cents = 1000 + random_.Below(2), fee = random_.Below(2);
    const std::string merchant = absl::StrCat("m", 1 + random_.Below(2));
    Settled(testing::Capture(id, cents, fee, Moment(day), merchant), "capture:" + id,
            {.units = static_cast<int64_t>(cents),
             .merchant = merchant,
             .asset = "USD/2",
             .fee = static_cast<int64_t>(fee),
             .status = "OK",
             .day = day});
  }
  void Refund() {
    const std::string id = absl::StrCat("p", random_.Below(8));
    const bool anonymous = random_.OneIn(2);
    const int day = AnyDay();
    const uint64_t cents = 1 + random_.Below(2);
    PaymentEvent event = testing::Refund(id, cents, Moment(day), anonymous ? "" : "r1");
    const auto capture = ours_.find("capture:" + id);
    if (capture == ours_.end()) return;
    event.merchant_id = capture->second[0].merchant;
    Settled(event, absl::StrCat("refund:", id, anonymous ? "" : "/r1"),
            {.units = -static_cast<int64_t>(cents),
             .merchant = event.merchant_id,
             .asset = "USD/2",
             .status = "OK",
             .day = day});
  }
  void Payout() {
    const std::string id = absl::StrCat("o", random_.Below(6));
    const int day = AnyDay();
    Settled(OfPayout(EventType::kPayoutRequested, id, Moment(day), 500), "payout:" + id,
            {.units = -500, .merchant = "m1", .asset = "USD/2", .status = "OPEN", .day = day});
  }
  void EndPayout() {
    const std::string id = absl::StrCat("o", random_.Below(6));
    const auto found = ours_.find("payout:" + id);
    if (found == ours_.end() || found->second[0].status != "OPEN") return;
    const bool paid = random_.OneIn(2);
    const uint64_t cents = paid && random_.OneIn(3) ? 400 : 0;
    const auto outcome =
        world_.Apply(OfPayout(paid ? EventType::kPayoutPaid : EventType::kPayoutFailed, id, Moment(AnyDay()), cents));
    ASSERT_EQ(outcome.status, EventStatus::kApplied);
    ASSERT_THAT(world_.run_->CatchUp(), IsOk());
    found->second[0].status = paid ? "PAID" : "FAILED";
    if (cents > 0) found->second[0].units = -static_cast<int64_t>(cents);
  }

  // Somebody claims a payout, or gives it back; what is known of it changes when a day of it is closed.
  void Answer() {
    const std::string name = absl::StrCat("payout:o", random_.Below(6));
    if (answers_.erase(name) == 0) answers_.insert(name);
  }

  // A few rows of the batch, mostly right, some of them corrections.
  void Batch() {
    std::vector<Line> lines;
    for (uint64_t n = 1 + random_.Below(5); n > 0; --n) lines.push_back(AnyLine());
    world_.Ingest(lines);
    for (const Line& line : lines) Take(line);
  }

  Line AnyLine() {
    Line line{.row = absl::StrCat(random_.Below(40))};
    ModelRow like{.units = 1000, .merchant = "m1", .asset = "USD/2", .status = "OK", .day = AnyDay()};
    std::string name = absl::StrCat("capture:p", random_.Below(9));
    if (!ours_.empty() && !random_.OneIn(5)) {
      auto any = ours_.begin();
      std::advance(any, static_cast<ptrdiff_t>(random_.Below(ours_.size())));
      name = any->first;
      like = any->second[random_.Below(any->second.size())];
    }
    const size_t colon = name.find(':'), slash = name.find('/');
    line.type = name[0] == 'c' ? "CAP" : name[0] == 'r' ? "REF" : "PAY";
    line.ref = name.substr(colon + 1, slash == std::string::npos ? slash : slash - colon - 1);
    if (slash != std::string::npos) line.refund = name.substr(slash + 1);
    if (random_.OneIn(12)) like.units += like.units < 0 ? -1 : 1;
    if (random_.OneIn(12)) like.merchant = "m3";
    if (random_.OneIn(12)) like.fee += 1;
    if (random_.OneIn(12)) like.day = AnyDay();
    line.merchant = like.merchant;
    line.currency = random_.OneIn(15) ? "EUR" : "USD";
    line.amount = Amount(static_cast<uint64_t>(std::abs(like.units))).ToString(2);
    line.fee = Amount(static_cast<uint64_t>(like.fee)).ToString(2);
    line.status = random_.OneIn(15) ? "VOID" : random_.OneIn(15) ? "LOST" : like.status;
    line.day = absl::FormatCivilTime(kDay + like.day);
    return line;
  }

  void Take(const Line& line) {
    const std::string name = absl::StrCat(line.type == "CAP"   ? "capture:"
                                          : line.type == "REF" ? "refund:"
                                                               : "payout:",
                                          line.ref, line.refund ? "/" + *line.refund : "");
    ModelRow row{.units = static_cast<int64_t>(absl::Uint128Low64(Amount::Parse(line.amount, 2)->units())),
                 .merchant = line.merchant,
                 .asset = line.currency + "/2",
                 .fee = static_cast<int64_t>(absl::Uint128Low64(Amount::Parse(*line.fee, 2)->units())),
                 .status = line.status,
                 .day = static_cast<int>(absl::CivilDay(2026, 3, 2 + (line.day.back() - '2')) - kDay),
                 .skipped = line.status == "VOID"};
    if (line.type != "CAP") row.units = -row.units;
    const auto before = theirs_.find(line.row);
    row.late = before != theirs_.end() && before->second.first == name ? before->second.second.late : Late(row.day);
    theirs_[line.row] = {name, row};
  }

  void Close() {
    const int day = AnyDay();
    world_.Close(kDay + day);
    closed_.insert(day);
    const auto ask = [&](const std::string& name, const ModelRow& row) {
      if (!name.starts_with("payout:") || row.day != day) return;
      if (answers_.contains(name)) {
        northwind_.insert(name);
      } else {
        northwind_.erase(name);
      }
    };
    for (const auto& [name, rows] : ours_) {
      for (const ModelRow& row : rows) ask(name, row);
    }
    for (const auto& [id, row] : theirs_) ask(row.first, row.second);
  }

  absl::Time Moment(int day) { return Noon(kDay + day) + absl::Nanoseconds(++moments_); }

  void Compare() {
    std::map<std::string, std::pair<std::vector<ModelRow>, std::vector<ModelRow>>> items;
    for (const auto& [name, rows] : ours_) items[name].first = rows;
    for (const auto& [id, row] : theirs_) items[row.first].second.push_back(row.second);
    std::map<std::tuple<int, std::string, bool>, Counts> counts;
    std::map<std::string, std::set<DiscrepancyClass>> expected, found;
    for (const auto& [name, sides] : items) {
      const bool anonymous = name.starts_with("refund:") && name.find('/') == std::string::npos;
      Expected one = Judge(sides.first, sides.second, anonymous, northwind_.contains(name), closed_);
      if (!one.classes.empty()) expected[name] = one.classes;
      for (const auto& [key, c] : one.counts) {
        Counts& sum = counts[key];
        sum.ingested += c.ingested;
        sum.matched += c.matched;
        sum.mismatched += c.mismatched;
        sum.pending += c.pending;
        sum.ignored += c.ignored;
        sum.by_northwind += c.by_northwind;
      }
    }
    for (const Discrepancy& discrepancy :
         world_.List({.state = DiscrepancyState::kOpen, .limit = kMaxDiscrepancyPage})) {
      found[discrepancy.id] = {discrepancy.classes.begin(), discrepancy.classes.end()};
    }
    for (const auto& [name, classes] : expected) EXPECT_EQ(found[name], classes) << name;
    for (const auto& [name, classes] : found) EXPECT_EQ(classes, expected[name]) << name;
    for (int day = 0; day < kDays; ++day) {
      const DayFigures figures = world_.Day(kDay + day);
      if (figures.state == DayState::kReopened) continue;  // of its last closing
      for (const std::string asset : {"USD/2", "EUR/2"}) {
        const auto sides = figures.assets.find(asset);
        for (const bool theirs : {false, true}) {
          const Coverage coverage = sides == figures.assets.end() ? Coverage{}
                                    : theirs                      ? sides->second.theirs
                                                                  : sides->second.ours;
          EXPECT_EQ(Counts({coverage.ingested.count, coverage.matched.count, coverage.mismatched.count,
                            coverage.pending.count, coverage.ignored.count, coverage.by_northwind.count}) <=>
                        (counts[{day, asset, theirs}]),
                    std::strong_ordering::equal)
              << "day " << day << " " << asset << (theirs ? " theirs" : " ours");
        }
      }
    }
  }

  RunWorld world_;
  Random random_;
  std::map<std::string, std::vector<ModelRow>> ours_;
  std::map<std::string, std::pair<std::string, ModelRow>> theirs_;  // by row id: of which item
  std::set<int> closed_;
  std::set<std::string> answers_, northwind_;  // payouts that are northwind's: as who is asked says; as was answered
  int moments_ = 0;
};

TEST(Oracle, RandomHistoriesComeToWhatTheModelSays) {
  Random seeds(TestSeed());
  for (int history = 0; history < 4 && !HasFailure(); ++history) Oracle(seeds.Next()).Run(TestOps(150));
}

}  // namespace
}  // namespace northwind::testing
