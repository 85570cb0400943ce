// SPDX-License-Identifier: Apache-2.0
//
// What a parallel run finds and counts.
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "bindings/python/src/compare.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/record.h"

namespace northwind::python {
namespace {

void BindRows(py::module_& m) {
  using S = SettledRow;
  Record<S>(m, "SettledRow", "A row of either side as it is compared.")
      .Field("leg", Member(&S::leg), "")
      .Field("id", Member(&S::id), "")
      .Field("merchant_id", Member(&S::merchant_id), "")
      .Field("asset", Member(&S::asset), "")
      .Field("units", Member(&S::units),
             "As the merchant sees them: refunds, disputes, payouts and debits are negative.")
      .Field("fee", Member(&S::fee), "None if it is not compared.")
      .Field("status", Member(&S::status), "None if it is not compared.")
      .Field("day", Member(&S::day), "The business day.")
      .Field("at", Member(&S::at), "None if the batch says only the day.");
  using T = TheirRow;
  Record<T>(m, "TheirRow", "A row of the batch system.")
      .Field("source", Member(&T::source), "")
      .Field("row_id", Member(&T::row_id), "")
      .Field(
          "raw",
          [](const T& t) {
            py::dict raw;
            for (const auto& [column, text] : t.raw) {
              raw[TextOf(column)] = text.has_value() ? TextOf(*text) : py::object(py::none());
            }
            return raw;
          },
          "Text by column.")
      .Kept(&T::raw)
      .Field("row", Member(&T::row), "None if it cannot be read.");
  using O = OurRow;
  Record<O>(m, "OurRow", "A row that the ledger settled.")
      .Field("records", Member(&O::records), "Sequences in the journal.")
      .Field("raw", Member(&O::raw), "The event of the first of them, as JSON; of ParallelRun.discrepancy only.")
      .Field("row", Member(&O::row), "");
}

void BindDiscrepancy(py::module_& m) {
  using C = DiscrepancyChange;
  Record<C>(m, "DiscrepancyChange", "Something that became of a discrepancy.")
      .Field("at", Member(&C::at), "")
      .Field("state", Member(&C::state), "")
      .Field("classes", Member(&C::classes), "")
      .Field("actor", Member(&C::actor), "Empty: the run itself.")
      .Field("reason", Member(&C::reason), "Or the rule's id.");
  using D = Discrepancy;
  Record<D>(m, "Discrepancy", "Where ledger and batch differ.")
      .Field("id", Member(&D::id), "\"payout:po_1\"; of unreadable rows \"row:<source>:<row id>\".")
      .Field("classes", Member(&D::classes), "All that differs; the first is the class that it is counted under.")
      .Field("state", Member(&D::state), "")
      .Field("ours", Member(&D::ours), "")
      .Field("theirs", Member(&D::theirs), "")
      .Field("detail", Member(&D::detail), "What differs, in words.")
      .Field("day", Member(&D::day), "")
      .Field("first_seen", Member(&D::first_seen), "")
      .Field("last_seen", Member(&D::last_seen), "")
      .Field("rules_hash", Member(&D::rules_hash), "Of mapping and rules when last seen.")
      .Field("history", Member(&D::history), "The last 50 changes.");
  using R = IgnoreRule;
  Record<R>(m, "IgnoreRule", "What may be ignored: never a difference of money.")
      .Def(
          py::init([](std::string id, std::string owner, std::string reason, DiscrepancyClass of,
                      absl::CivilDay first_day, absl::CivilDay last_day, absl::Time expires_at, uint64_t max_count,
                      std::optional<Leg> leg, std::string merchant_id, std::map<std::string, absl::uint128> max_units) {
            return R{.id = std::move(id),
                     .owner = std::move(owner),
                     .reason = std::move(reason),
                     .of = of,
                     .leg = leg,
                     .merchant_id = std::move(merchant_id),
                     .from = first_day,
                     .to = last_day,
                     .expires_at = expires_at,
                     .max_count = max_count,
                     .max_units = std::move(max_units)};
          }),
          py::arg("id"), py::kw_only(), py::arg("owner"), py::arg("reason"), py::arg("of"), py::arg("first_day"),
          py::arg("last_day"), py::arg("expires_at"), py::arg("max_count"), py::arg("leg") = py::none(),
          py::arg("merchant_id") = "", py::arg("max_units") = py::dict())
      .Field("id", Member(&R::id), "")
      .Field("owner", Member(&R::owner), "")
      .Field("reason", Member(&R::reason), "")
      .Field("of", Member(&R::of), "The class that it covers.")
      .Field("leg", Member(&R::leg), "None: all.")
      .Field("merchant_id", Member(&R::merchant_id), "Empty: all.")
      .Field("first_day", Member(&R::from), "")
      .Field("last_day", Member(&R::to), "Inclusive.")
      .Field("expires_at", Member(&R::expires_at), "")
      .Field("max_count", Member(&R::max_count), "Discrepancies.")
      .Field("max_units", Member(&R::max_units),
             "Sums of magnitudes by asset; an asset that is not here is not covered.");
}

void BindDays(py::module_& m) {
  using N = CountAndSum;
  Record<N>(m, "CountAndSum", "So many rows, of so much.")
      .Def(py::init([](uint64_t count, absl::int128 sum) { return N{.count = count, .sum = sum}; }), py::arg("count"),
           py::arg("sum"))
      .Field("count", Member(&N::count), "")
      .Field("sum", Member(&N::sum), "");
  using C = Coverage;
  Record<C>(m, "Coverage", "The rows of one side, of one day and asset.")
      .Field("ingested", Member(&C::ingested), "")
      .Field("matched", Member(&C::matched), "")
      .Field("mismatched", Member(&C::mismatched), "")
      .Field("pending", Member(&C::pending), "Alone so far, and the day is not closed.")
      .Field("ignored", Member(&C::ignored), "")
      .Field("by_northwind", Member(&C::by_northwind), "Of `ignored`, what northwind has paid.")
      .Also("holds", &C::holds, "ingested = matched + mismatched + pending + ignored.");
  Record<SideBySide>(m, "SideBySide", "Both sides of a day and asset.")
      .Field("ours", Member(&SideBySide::ours), "")
      .Field("theirs", Member(&SideBySide::theirs), "");
  using R = CanaryResult;
  Record<R>(m, "CanaryResult", "A row that was made to differ, and what it was found as.")
      .Field("expected", Member(&R::expected), "")
      .Field("found", Member(&R::found), "Empty: it was not found.")
      .Also("sound", &R::sound, "Whether it was found as what it is.");
  using D = DayFigures;
  Record<D>(m, "DayFigures", "A business day, compared.")
      .Field("day", Member(&D::day), "")
      .Field("state", Member(&D::state), "")
      .Field("closed_at", Member(&D::closed_at), "")
      .Field("closed_by", Member(&D::closed_by), "")
      .Field("assets", Member(&D::assets), "SideBySide by asset.")
      .Field("by_class", Member(&D::by_class), "Discrepancies by first class.")
      .Field("by_state", Member(&D::by_state), "")
      .Field("rules_hash", Member(&D::rules_hash), "")
      .Field("canaries", Member(&D::canaries), "")
      .Field("sound", Member(&D::sound), "There were canaries, and all were found as what they are.")
      .Field("incomplete", Member(&D::incomplete), "Where the batch's own totals do not fit what was ingested.")
      .Field("totals", Member(&D::totals), "The batch's own, by asset.")
      .Field("totals_told", Member(&D::totals_told), "Whether they were told, be it that there is nothing.")
      .Field("our_digest", Member(&D::our_digest), "")
      .Field("their_digest", Member(&D::their_digest), "")
      .Also("clean", &D::clean, "Closed, sound, complete, something compared, and nothing open.");
  using G = DigestNode;
  Record<G>(m, "DigestNode", "The digests of a merchant, an hour or a row.")
      .Field("name", Member(&G::name), "")
      .Field("ours", Member(&G::ours), "Zero: nothing there.")
      .Field("theirs", Member(&G::theirs), "")
      .Field("our_rows", Member(&G::our_rows), "")
      .Field("their_rows", Member(&G::their_rows), "")
      .Also("same", &G::same, "");
}

void BindReport(py::module_& m) {
  using G = GateStatus;
  Record<G>(m, "GateStatus", "Whether the next stage may be entered.")
      .Field("open", Member(&G::open), "")
      .Field("reasons", Member(&G::reasons), "Why not, one sentence each.")
      .Field("days", Member(&G::days), "The clean days in a row, up to the last closed one.")
      .Field("rules_hash", Member(&G::rules_hash), "");
  using R = RunReport;
  const auto format = [](std::string (*as)(const R&)) {
    return [as](const R& report) { return TextOf(Unlocked([&] { return as(report); })); };
  };
  Record<R>(m, "RunReport", "What a parallel run came to.")
      .Field("made_at", Member(&R::made_at), "")
      .Field("ledger_id", Member(&R::ledger_id), "Hexadecimal.")
      .Field("followed", Member(&R::followed), "")
      .Field("first_day", Member(&R::from), "")
      .Field("last_day", Member(&R::to), "")
      .Field("days", Member(&R::days), "")
      .Field("unresolved", Member(&R::unresolved), "The first 1000.")
      .Field("unresolved_count", Member(&R::unresolved_count), "")
      .Field("rules", Member(&R::rules), "")
      .Field("rule_uses", Member(&R::rule_uses), "")
      .Field("gate", Member(&R::gate), "")
      .Field("signed_by", Member(&R::signed_by), "Empty: nobody.")
      .Field("note", Member(&R::note), "")
      .Field("signed_at", Member(&R::signed_at), "")
      .Def("text", format(&FormatReportText), "The report as plain text.")
      .Def("json", format(&FormatReportJson), "The report as JSON.")
      .Def("html", format(&FormatReportHtml), "The report as one page of HTML, without other files.");
  using I = IngestResult;
  Record<I>(m, "IngestResult", "What became of rows: rows = new_rows + corrected + unchanged.")
      .Field("rows", Member(&I::rows), "")
      .Field("new_rows", Member(&I::new_rows), "")
      .Field("corrected", Member(&I::corrected), "Same row id, other content.")
      .Field("unchanged", Member(&I::unchanged), "Seen before.")
      .Field("unreadable", Member(&I::unreadable), "Each of them a discrepancy.")
      .Field("skipped", Member(&I::skipped), "By status.");
}

}  // namespace

void BindFigures(py::module_& m) {
  BindRows(m);
  BindDiscrepancy(m);
  BindDays(m);
  BindReport(m);
}

}  // namespace northwind::python
