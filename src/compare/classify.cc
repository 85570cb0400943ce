// SPDX-License-Identifier: Apache-2.0
#include "src/compare/classify.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "src/base/error.h"

namespace northwind::internal::compare {
namespace {

// Classes as bits: 1 << class.
using ClassSet = uint32_t;
constexpr ClassSet Bit(DiscrepancyClass c) { return ClassSet{1} << static_cast<uint8_t>(c); }
constexpr size_t kNone = Verdict::kAlone;

bool DaysAgree(const OurKept& ours, const TheirKept& theirs, const Terms& terms) {
  if (ours.day == theirs.row.day) return true;
  return terms.tolerance > absl::ZeroDuration() && terms.days.Distance(ours.at, theirs.row.day) <= terms.tolerance;
}

ClassSet Differences(const OurKept& ours, const TheirKept& theirs, const Terms& terms) {
  ClassSet set = 0;
  if (ours.asset != theirs.row.asset) set |= Bit(DiscrepancyClass::kCurrency);
  if (ours.units != theirs.row.units) set |= Bit(DiscrepancyClass::kAmount);
  if (terms.fees && theirs.row.fee && ours.fee != *theirs.row.fee) set |= Bit(DiscrepancyClass::kFee);
  if (ours.merchant_id != theirs.row.merchant_id) set |= Bit(DiscrepancyClass::kMerchant);
  if (terms.statuses && theirs.row.status && ours.status != *theirs.row.status) set |= Bit(DiscrepancyClass::kStatus);
  if (!DaysAgree(ours, theirs, terms)) set |= Bit(DiscrepancyClass::kDayShift);
  return set;
}

// Two rows of one side.
bool Same(const OurKept& a, const OurKept& b) {
  return a.merchant_id == b.merchant_id && a.asset == b.asset && a.units == b.units && a.fee == b.fee &&
         a.status == b.status && a.day == b.day;
}
bool Same(const TheirKept& a, const TheirKept& b) {
  return a.row.merchant_id == b.row.merchant_id && a.row.asset == b.row.asset && a.row.units == b.row.units &&
         a.row.fee == b.row.fee && a.row.status == b.row.status && a.row.day == b.row.day;
}

using Content = std::tuple<absl::CivilDay, absl::int128, std::string_view, std::string_view, absl::int128, LegStatus>;
Content ContentOf(const OurKept& row) {
  return {row.day, row.units, row.merchant_id, row.asset.code, row.fee, row.status};
}
Content ContentOf(const TheirKept& row) {
  return {row.row.day,        row.row.units,           row.row.merchant_id,
          row.row.asset.code, row.row.fee.value_or(0), row.row.status.value_or(LegStatus{})};
}

// Whether the batch pays, or has, or is about to; nobody is paid by what has failed.
bool Pays(const TheirKept& row) {
  return row.kind == MappedRow::Kind::kRow && row.row.status != LegStatus::kFailed &&
         row.row.status != LegStatus::kCanceled;
}

bool IsCompared(const OurKept&) { return true; }
bool IsCompared(const TheirKept& row) { return row.kind == MappedRow::Kind::kRow; }
absl::CivilDay DayOf(const OurKept& row) { return row.day; }
absl::CivilDay DayOf(const TheirKept& row) { return row.row.day; }

class Classifier {
 public:
  Classifier(const Item& item, const Terms& terms, WasClosed was_closed)
      : item_(item), terms_(terms), was_closed_(was_closed) {
    verdict_.ours.assign(item.ours.size(), RowFate::kPending);
    verdict_.theirs.resize(item.theirs.size());
    for (size_t j = 0; j < item.theirs.size(); ++j) {
      verdict_.theirs[j] = item.theirs[j].kind == MappedRow::Kind::kRow       ? RowFate::kPending
                           : item.theirs[j].kind == MappedRow::Kind::kSkipped ? RowFate::kSkipped
                                                                              : RowFate::kUnreadable;
      if (verdict_.theirs[j] == RowFate::kUnreadable) set_ |= Bit(DiscrepancyClass::kUnreadable);
    }
    our_mate_.assign(item.ours.size(), kNone);
    their_mate_.assign(item.theirs.size(), kNone);
  }

  Verdict Run() {
    Cancel([](const OurKept& a, const TheirKept& b) { return a.day == b.row.day && a.late == b.late; });
    Cancel([](const OurKept& a, const TheirKept& b) { return a.day == b.row.day; });
    Cancel([](const OurKept&, const TheirKept&) { return true; });
    PairTheRest();
    Alone(item_.ours, our_mate_, verdict_.ours, DiscrepancyClass::kMissingThere);
    Alone(item_.theirs, their_mate_, verdict_.theirs, DiscrepancyClass::kMissingHere);
    if (item_.northwind) ByNorthwind();
    if (!item_.many.empty()) set_ |= Bit(DiscrepancyClass::kDuplicate);
    if (set_ == 0) Late();
    File();
    for (uint8_t c = 1; c <= static_cast<uint8_t>(DiscrepancyClass::kUnreadable); ++c) {
      if ((set_ & (ClassSet{1} << c)) != 0) verdict_.classes.push_back(static_cast<DiscrepancyClass>(c));
    }
    return std::move(verdict_);
  }

 private:
  using Preferred = absl::FunctionRef<bool(const OurKept&, const TheirKept&)>;
  void Cancel(Preferred preferred) {
    for (size_t i = 0; i < item_.ours.size(); ++i) {
      for (size_t j = 0; our_mate_[i] == kNone && j < item_.theirs.size(); ++j) {
        const TheirKept& theirs = item_.theirs[j];
        if (their_mate_[j] != kNone || !IsCompared(theirs)) continue;
        if (!preferred(item_.ours[i], theirs)) continue;
        if (Differences(item_.ours[i], theirs, terms_) != 0) continue;
        Mate(i, j, RowFate::kMatched);
      }
    }
  }

  void PairTheRest() {
    struct Candidate {
      int weight;
      ClassSet set;
      size_t ours, theirs;
    };
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < item_.ours.size(); ++i) {
      if (our_mate_[i] != kNone || Waits(item_.ours[i])) continue;
      for (size_t j = 0; j < item_.theirs.size(); ++j) {
        if (their_mate_[j] != kNone || !IsCompared(item_.theirs[j]) || Waits(item_.theirs[j])) continue;
        const ClassSet set = Differences(item_.ours[i], item_.theirs[j], terms_);
        candidates.push_back({std::popcount(set), set, i, j});
      }
    }
    // By what the rows say alone: in which order they came must not matter.
    const auto order = [this](const Candidate& c) {
      return std::tuple(c.weight, c.set, ContentOf(item_.ours[c.ours]), ContentOf(item_.theirs[c.theirs]));
    };
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&](const Candidate& a, const Candidate& b) { return order(a) < order(b); });
    for (const Candidate& c : candidates) {
      if (our_mate_[c.ours] != kNone || their_mate_[c.theirs] != kNone) continue;
      Mate(c.ours, c.theirs, RowFate::kMismatched);
      set_ |= c.set;
      verdict_.differing.push_back({c.ours, c.theirs});
    }
  }

  template <typename Row>
  void Alone(const std::vector<Row>& rows, const std::vector<size_t>& mates, std::vector<RowFate>& fates,
             DiscrepancyClass missing) {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (mates[i] != kNone || !IsCompared(rows[i])) continue;
      if (IsByNorthwind(rows[i])) {
        fates[i] = RowFate::kByNorthwind;
        continue;
      }
      bool twice = false;
      for (size_t k = 0; k < rows.size() && !twice; ++k) twice = mates[k] != kNone && Same(rows[i], rows[k]);
      const bool closed = Closed(DayOf(rows[i]));
      if (!closed && (!twice || item_.anonymous())) {
        verdict_.pending = true;
        continue;
      }
      fates[i] = RowFate::kMismatched;
      set_ |= Bit(twice ? DiscrepancyClass::kDuplicate : missing);
    }
  }

  // What northwind is to pay, and has not, is missing: somebody waits for the money, whoever was to send it.
  bool IsByNorthwind(const OurKept& row) const {
    return item_.northwind && item_.is_payout() && (item_.leg == Leg::kPayoutReturn || row.status == LegStatus::kPaid);
  }
  static bool IsByNorthwind(const TheirKept&) { return false; }

  // What comes back of a payout may well come to both.
  void ByNorthwind() {
    if (item_.leg != Leg::kPayout) return;
    for (size_t j = 0; j < item_.theirs.size(); ++j) {
      if (!Pays(item_.theirs[j])) continue;
      const size_t i = their_mate_[j];
      if (i != kNone) verdict_.ours[i] = RowFate::kMismatched;
      verdict_.theirs[j] = RowFate::kMismatched;
      verdict_.both_pay.push_back({i, j});
      set_ |= Bit(DiscrepancyClass::kDuplicate);
    }
  }

  void Late() {
    for (size_t i = 0; i < item_.ours.size(); ++i) {
      const size_t j = our_mate_[i];
      if (j == kNone || !(item_.ours[i].late || item_.theirs[j].late)) continue;
      verdict_.ours[i] = verdict_.theirs[j] = RowFate::kMismatched;
      set_ |= Bit(DiscrepancyClass::kLate);
    }
  }

  // The moment may differ by the tolerance, or be missing: rows that go together are to lie together.
  void File() {
    for (size_t j = 0; j < item_.theirs.size(); ++j) {
      const SettledRow& row = item_.theirs[j].row;
      const size_t i = their_mate_[j];
      const bool together = i != kNone && item_.ours[i].day == row.day;
      verdict_.their_hours.push_back(together ? item_.ours[i].hour : row.at ? terms_.HourOf(*row.at) : 0);
    }
  }

  void Mate(size_t i, size_t j, RowFate fate) {
    our_mate_[i] = j;
    their_mate_[j] = i;
    verdict_.ours[i] = verdict_.theirs[j] = fate;
  }
  // Canaries do not wait for the days that they are laid into.
  bool Closed(absl::CivilDay day) const { return item_.canary || was_closed_(day); }
  template <typename Row>
  bool Waits(const Row& row) const {
    return item_.anonymous() && !Closed(DayOf(row));
  }

  const Item& item_;
  const Terms& terms_;
  const WasClosed was_closed_;
  Verdict verdict_;
  ClassSet set_ = 0;
  std::vector<size_t> our_mate_;
  std::vector<size_t> their_mate_;
};

// ---- In words -----------------------------------------------------------------------------------------------

std::string Money(absl::int128 units, const Asset& asset) { return FormatUnits(units, asset.scale); }

std::string Text(absl::CivilDay day) { return absl::FormatCivilTime(day); }
std::string Text(std::optional<LegStatus> status) { return status ? std::string(Name(*status)) : "none"; }

std::string RowText(const SettledRow& row) {
  return absl::StrCat(Money(row.units, row.asset), " ", row.asset.code, " of ", row.merchant_id, " on ", Text(row.day));
}

void DescribePair(const SettledRow& ours, const SettledRow& theirs, const Terms& terms, ClassSet set,
                  std::vector<std::string>& out) {
  const auto add = [&](DiscrepancyClass c, const std::string& here, const std::string& there, absl::string_view more) {
    if ((set & Bit(c)) == 0) return;
    out.push_back(absl::StrCat(ToAbsl(Name(c)), ": ", here, " here, ", there, " there", more));
  };
  const std::string code = absl::StrCat(" (", ours.asset.code, ")");
  add(DiscrepancyClass::kCurrency, ours.asset.ToString(), theirs.asset.ToString(), "");
  add(DiscrepancyClass::kAmount, Money(ours.units, ours.asset), Money(theirs.units, theirs.asset),
      ours.asset == theirs.asset ? code : "");
  if (ours.fee && theirs.fee) {
    add(DiscrepancyClass::kFee, Money(*ours.fee, ours.asset), Money(*theirs.fee, theirs.asset),
        ours.asset == theirs.asset ? code : "");
  }
  add(DiscrepancyClass::kMerchant, ours.merchant_id, theirs.merchant_id, "");
  add(DiscrepancyClass::kStatus, Text(ours.status), Text(theirs.status), "");
  const std::string moment = absl::StrCat(
      " (ours occurred ",
      absl::FormatTime("%Y-%m-%d %H:%M:%E*S UTC", ours.at.value_or(absl::InfinitePast()), absl::UTCTimeZone()),
      terms.tolerance > absl::ZeroDuration() ? absl::StrCat(", tolerance ", absl::FormatDuration(terms.tolerance)) : "",
      ")");
  add(DiscrepancyClass::kDayShift, Text(ours.day), Text(theirs.day), moment);
}

}  // namespace

std::atomic<VerdictSpoiler> verdict_spoiler_for_testing = nullptr;

Verdict Classify(const Item& item, const Terms& terms, WasClosed was_closed) {
  Verdict verdict = Classifier(item, terms, was_closed).Run();
  if (const VerdictSpoiler spoil = verdict_spoiler_for_testing.load(std::memory_order_relaxed)) spoil(item, verdict);
  return verdict;
}

std::string Describe(const Item& item, const Verdict& verdict, const Terms& terms) {
  std::vector<std::string> out;
  std::vector<bool> ours_paired(item.ours.size()), theirs_paired(item.theirs.size());
  for (const Verdict::Pair& pair : verdict.differing) {
    ours_paired[pair.ours] = theirs_paired[pair.theirs] = true;
    DescribePair(terms.RowOf(item, item.ours[pair.ours]), item.theirs[pair.theirs].row, terms,
                 Differences(item.ours[pair.ours], item.theirs[pair.theirs], terms), out);
  }
  for (const Verdict::Pair& pair : verdict.both_pay) {
    if (pair.ours != Verdict::kAlone) ours_paired[pair.ours] = true;
    theirs_paired[pair.theirs] = true;
    out.push_back(absl::StrCat("northwind's to pay, and there too: ", RowText(item.theirs[pair.theirs].row)));
  }
  const bool late = verdict.classes == std::vector{DiscrepancyClass::kLate};
  for (size_t i = 0; i < item.ours.size(); ++i) {
    const OurKept& row = item.ours[i];
    if (late ? !row.late : verdict.ours[i] != RowFate::kMismatched || ours_paired[i]) continue;
    const bool unpaid = !late && item.northwind && item.leg == Leg::kPayout && row.status != LegStatus::kPaid;
    out.push_back(absl::StrCat(late     ? "late here: "
                               : unpaid ? "northwind's to pay, and not paid: "
                                        : "here only: ",
                               RowText(terms.RowOf(item, row))));
  }
  for (size_t j = 0; j < item.theirs.size(); ++j) {
    const TheirKept& row = item.theirs[j];
    if (row.kind == MappedRow::Kind::kUnreadable) out.push_back(absl::StrCat("unreadable: ", row.error));
    if (late ? !row.late : verdict.theirs[j] != RowFate::kMismatched || theirs_paired[j]) continue;
    out.push_back(absl::StrCat(late ? "late there: " : "there only: ", RowText(row.row)));
  }
  for (const ManyRows& many : item.many) {
    out.push_back(absl::StrCat(many.rows.count, " more rows ", many.side == Side::kOurs ? "here" : "there", " on ",
                               Text(many.place.day)));
  }
  return absl::StrJoin(out, "; ");
}

}  // namespace northwind::internal::compare
