// SPDX-License-Identifier: Apache-2.0
//
// A parallel run: settles a file of events, compares what the ledger says with what a batch system in PostgreSQL says. See --help.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/command_line.h"
#include "examples/parallel_run/past_clock.h"
#include "examples/settle/line_reader.h"
#include "northwind/compare.h"
#include "northwind/ledger.h"
#include "northwind/postgres.h"
#include "northwind/settlement.h"
#include "northwind/status.h"
#include "northwind/store.h"

namespace nw = northwind;
namespace ex = northwind::examples;

namespace {

constexpr char kHelp[] =
    R"(parallel_run - a ledger and a batch system, compared line by line

  parallel_run --ledger DIR [--input FILE] --compare DIR --connection CONNINFO --sql FILE --key COLUMN --mapping FILE
               [options]

  --ledger DIR       the ledger; made if it does not exist
  --input FILE       events that it settles first, JSON lines
  --compare DIR      the store in which what is compared is kept; made if it does not exist
  --connection TEXT  the batch system's PostgreSQL
  --sql FILE         one SELECT of all that it settled
  --key COLUMN       of the result: unique, never null
  --mapping FILE     how its columns are read, as JSON
  --totals FILE      what it says that it has of each day, as JSON: {"2024-03-01": {"USD/2": {"count": 3, "sum": "-1250"}}}
  --gate-days N      days that must be clean in a row (default 14)
  --list FILE        write every discrepancy, a line of JSON each
  --report FILE      write the report as a page of HTML
  --quiet            no report on standard output
  --help             this text

All days that anything is known of are closed, in order. The last line of standard output is JSON. Exit status: 0 done (whatever
differs), 1 it failed while running, 2 bad arguments.
)";

constexpr char kSource[] = "batch";
constexpr char kActor[] = "parallel_run";
constexpr size_t kPart = 16'384;

struct Settings {
  std::string ledger, input, compare, connection, sql, key, mapping, totals, list, report;
  int gate_days = 0;
  bool quiet = false;
};

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.flush();
  return out ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("cannot write ", path));
}

// ---- Our side -----------------------------------------------------------------------------------------------

absl::StatusOr<uint64_t> Settle(nw::Ledger& ledger, nw::Store& store, const std::string& path) {
  NW_ASSIGN_OR_RETURN(const auto reader, ex::LineReader::Open(path));
  NW_ASSIGN_OR_RETURN(const auto intake, nw::Intake::Open(ledger, store, {}));
  uint64_t events = 0;
  std::vector<nw::RawEvent> lines;
  while (!reader->at_end()) {
    NW_RETURN_IF_ERROR(reader->Next(lines));
    for (size_t first = 0; first < lines.size(); first += kPart) {
      NW_RETURN_IF_ERROR(intake->Apply(absl::MakeConstSpan(lines).subspan(first, kPart)).status());
    }
    events += lines.size();
  }
  NW_RETURN_IF_ERROR(intake->Finish().status());
  return events;
}

// ---- Their side ---------------------------------------------------------------------------------------------

// All of it, in one snapshot.
absl::StatusOr<nw::IngestResult> IngestAll(nw::ParallelRun& run, const Settings& settings) {
  NW_ASSIGN_OR_RETURN(const std::string sql, ReadFile(settings.sql));
  const nw::LegacyQuery query{.sql = sql, .key = {settings.key}};
  NW_ASSIGN_OR_RETURN(const auto reader, nw::LegacyReader::Open({.connection = settings.connection, .page = 20'000}));
  nw::IngestResult all;
  std::string after;
  do {
    NW_ASSIGN_OR_RETURN(const nw::LegacyPage page, reader->Read(query, after));
    NW_ASSIGN_OR_RETURN(const nw::IngestResult part, run.Ingest(kSource, page.columns, page.rows, page.next));
    all.rows += part.rows;
    all.new_rows += part.new_rows;
    all.corrected += part.corrected;
    all.unchanged += part.unchanged;
    all.unreadable += part.unreadable;
    all.skipped += part.skipped;
    after = page.next;
  } while (!after.empty());
  return all;
}

// ---- Days ---------------------------------------------------------------------------------------------------

using DayTotals = std::map<std::string, nw::CountAndSum>;  // by asset

absl::StatusOr<absl::int128> ParseUnits(absl::string_view text) {
  int64_t units = 0;
  if (!absl::SimpleAtoi(text, &units)) return absl::InvalidArgumentError(absl::StrCat("no number of units: ", text));
  return absl::int128(units);
}

absl::StatusOr<std::map<absl::CivilDay, DayTotals>> ReadTotals(const std::string& path) {
  std::map<absl::CivilDay, DayTotals> totals;
  if (path.empty()) return totals;
  NW_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  try {
    const nlohmann::json days = nlohmann::json::parse(text);
    for (const auto& [name, assets] : days.items()) {
      absl::CivilDay day;
      if (!absl::ParseCivilTime(name, &day)) return absl::InvalidArgumentError(absl::StrCat("no day: ", name));
      for (const auto& [asset, of] : assets.items()) {
        NW_ASSIGN_OR_RETURN(const absl::int128 sum, ParseUnits(of.at("sum").get<std::string>()));
        totals[day][asset] = {.count = of.at("count").get<uint64_t>(), .sum = sum};
      }
    }
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
  return totals;
}

// Closes all days; returns the first and the last.
absl::StatusOr<std::pair<absl::CivilDay, absl::CivilDay>> CloseAll(nw::ParallelRun& run, const Settings& settings,
                                                                   ex::PastClock& clock) {
  NW_ASSIGN_OR_RETURN(const auto totals, ReadTotals(settings.totals));
  NW_ASSIGN_OR_RETURN(const std::vector<nw::DayFigures> days,
                      run.Days(absl::CivilDay(2000, 1, 1), absl::CivilDay(2200, 1, 1)));
  if (days.empty()) return absl::NotFoundError("there is nothing to compare");
  clock.SetLastDay(days.back().day);
  for (const nw::DayFigures& day : days) {
    nw::CloseDayOptions options{.actor = kActor};
    // A day that is not in the file has nothing.
    if (const auto found = totals.find(day.day); found != totals.end()) {
      options.expected = found->second;
    } else if (!settings.totals.empty()) {
      options.expected.emplace();
    }
    NW_RETURN_IF_ERROR(run.CloseDay(day.day, options).status());
  }
  return std::pair(days.front().day, days.back().day);
}

// ---- What came of it ----------------------------------------------------------------------------------------

nlohmann::json Names(const std::vector<nw::DiscrepancyClass>& classes) {
  nlohmann::json names = nlohmann::json::array();
  for (const nw::DiscrepancyClass c : classes) names.push_back(nw::Name(c));
  return names;
}

absl::StatusOr<std::string> ListAll(const nw::ParallelRun& run) {
  std::string text;
  nw::DiscrepancyQuery query{.limit = nw::kMaxDiscrepancyPage};
  do {
    NW_ASSIGN_OR_RETURN(const nw::DiscrepancyPage page, run.ListDiscrepancies(query));
    for (const nw::Discrepancy& d : page.discrepancies) {
      const nlohmann::json line{{"id", d.id},
                                {"classes", Names(d.classes)},
                                {"state", nw::Name(d.state)},
                                {"day", absl::FormatCivilTime(d.day)},
                                {"detail", d.detail}};
      absl::StrAppend(&text, line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), "\n");
    }
    query.after = page.next;
  } while (!query.after.empty());
  return text;
}

nlohmann::json Figures(const nw::RunReport& report, const nw::IngestResult& ingested, uint64_t events) {
  uint64_t compared = 0, clean = 0;
  std::map<std::string, uint64_t> by_class;
  bool holds = true, sound = true, complete = true;
  for (const nw::DayFigures& day : report.days) {
    clean += day.clean();
    sound = sound && day.sound;
    complete = complete && day.incomplete.empty();
    for (const auto& [asset, sides] : day.assets) {
      compared += sides.ours.matched.count + sides.ours.mismatched.count;
      holds = holds && sides.ours.holds() && sides.theirs.holds();
    }
    for (const auto& [c, count] : day.by_class) by_class[std::string(nw::Name(c))] += count;
  }
  uint64_t discrepancies = 0;
  for (const auto& [name, count] : by_class) discrepancies += count;
  return {{"events", events},
          {"journal", report.followed.value()},
          {"rows", ingested.rows},
          {"skipped", ingested.skipped},
          {"unreadable", ingested.unreadable},
          {"compared", compared},
          {"days", report.days.size()},
          {"clean_days", clean},
          {"by_class", by_class},
          {"discrepancies", discrepancies},
          {"unresolved", report.unresolved_count},
          {"coverage_holds", holds},
          {"canaries_sound", sound},
          {"complete", complete},
          {"gate_open", report.gate.open},
          {"gate_reasons", report.gate.reasons}};
}

absl::Status Run(const Settings& settings) {
  NW_ASSIGN_OR_RETURN(const std::string mapping_text, ReadFile(settings.mapping));
  NW_ASSIGN_OR_RETURN(const nw::LegacyMapping mapping, nw::ParseMappingJson(mapping_text));
  NW_ASSIGN_OR_RETURN(const auto store, nw::Store::Open({.path = settings.ledger}));
  NW_ASSIGN_OR_RETURN(const auto ledger, nw::Ledger::Open(*store));
  std::vector<std::pair<std::string, absl::Time>> marks{{"", absl::Now()}};
  const auto mark = [&marks](const char* name) { marks.emplace_back(name, absl::Now()); };

  uint64_t events = 0;
  if (!settings.input.empty()) {
    NW_ASSIGN_OR_RETURN(events, Settle(*ledger, *store, settings.input));
    mark("settle");
  }
  NW_ASSIGN_OR_RETURN(const auto kept, nw::Store::Open({.path = settings.compare}));
  ex::PastClock clock;
  NW_ASSIGN_OR_RETURN(const auto run, nw::ParallelRun::Open(*ledger, *kept,
                                                            {.mapping = mapping,
                                                             .clock = &clock,
                                                             .gate_days = settings.gate_days,
                                                             .needs_totals = !settings.totals.empty()}));
  NW_RETURN_IF_ERROR(run->CatchUp());
  mark("follow");
  NW_ASSIGN_OR_RETURN(const nw::IngestResult ingested, IngestAll(*run, settings));
  mark("ingest");
  NW_ASSIGN_OR_RETURN(const auto range, CloseAll(*run, settings, clock));
  mark("close");
  NW_ASSIGN_OR_RETURN(const nw::RunReport report, run->Report(range.first, range.second));
  if (!settings.list.empty()) {
    NW_ASSIGN_OR_RETURN(const std::string text, ListAll(*run));
    NW_RETURN_IF_ERROR(WriteFile(settings.list, text));
  }
  if (!settings.report.empty()) NW_RETURN_IF_ERROR(WriteFile(settings.report, nw::FormatReportHtml(report)));
  if (!settings.quiet) std::fputs(nw::FormatReportText(report).c_str(), stdout);

  nlohmann::json figures = Figures(report, ingested, events);
  for (size_t i = 1; i < marks.size(); ++i) {
    figures["seconds"][marks[i].first] = absl::ToDoubleSeconds(marks[i].second - marks[i - 1].second);
  }
  std::printf("%s\n", figures.dump().c_str());
  return ledger->Close();
}

// An error message, or nothing.
std::string ReadArguments(ex::CommandLine& line, Settings& settings) {
  settings.ledger = line.Text("--ledger", "");
  settings.input = line.Text("--input", "");
  settings.compare = line.Text("--compare", "");
  settings.connection = line.Text("--connection", "");
  settings.sql = line.Text("--sql", "");
  settings.key = line.Text("--key", "");
  settings.mapping = line.Text("--mapping", "");
  settings.totals = line.Text("--totals", "");
  settings.list = line.Text("--list", "");
  settings.report = line.Text("--report", "");
  settings.gate_days = static_cast<int>(line.Number("--gate-days", 14, 1, 365));
  settings.quiet = line.Flag("--quiet");
  if (!line.ok()) return line.error();
  if (settings.ledger.empty() || settings.compare.empty() || settings.connection.empty() || settings.sql.empty() ||
      settings.key.empty() || settings.mapping.empty()) {
    return "--ledger, --compare, --connection, --sql, --key and --mapping are needed";
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  ex::CommandLine line(argc, argv);
  if (line.Flag("--help") || line.Flag("-h")) {
    std::fputs(kHelp, stdout);
    return EXIT_SUCCESS;
  }
  Settings settings;
  if (const std::string error = ReadArguments(line, settings); !error.empty()) {
    std::fprintf(stderr, "parallel_run: %s (--help tells more)\n", error.c_str());
    return 2;
  }
  if (const absl::Status status = Run(settings); !status.ok()) {
    std::fprintf(stderr, "parallel_run: %s\n", status.ToString().c_str());
    return 1;
  }
  return EXIT_SUCCESS;
}
