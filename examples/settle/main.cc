// SPDX-License-Identifier: Apache-2.0
//
// Applies payment events from a file or standard input to a ledger. See --help.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/command_line.h"
#include "examples/settle/line_reader.h"
#include "examples/settle/progress.h"
#include "examples/settle/report.h"
#include "examples/settle/summary.h"
#include "northwind/ledger.h"
#include "northwind/settlement.h"
#include "northwind/status.h"
#include "northwind/store.h"

namespace nw = northwind;
namespace ex = northwind::examples;

namespace {

constexpr char kHelp[] =
    R"(settle - payment events, one JSON object a line, into a ledger

  settle --ledger DIR [--input FILE] [options]

  --ledger DIR     the ledger; made if it does not exist
  --input FILE     the events; - is standard input (default -)
  --verify         derive the whole ledger again from its journal afterwards, and compare
  --dump FILE      write every account and every payout as JSON
  --json           report as one line of JSON instead of text
  --batch N        events in one durable write, 1 to 8190 (default 4096)
  --progress HOW   on standard error: auto (a bar on a terminal, else lines), bar, lines, none (default auto)
  --progress-ms N  milliseconds between two of them (default: 100 for a bar, 1000 for lines)
  --help           this text

What is reported is durable. Kill it at any moment and run it again with the same input: the second run completes the
first, and the ledger is the same as if there had been one. Events that cannot be applied are kept in the ledger's
quarantine with the reason; see docs/events.md.

Exit status: 0 done (whatever was rejected or quarantined), 1 the ledger or the input failed while running, 2 bad arguments
or input that cannot be opened, 3 --verify found damage, 4 interrupted (SIGINT, SIGTERM): run again to complete.
)";

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitDamaged = 3;
constexpr int kExitInterrupted = 4;

volatile sig_atomic_t g_interrupted = 0;

void OnSignal(int) { g_interrupted = 1; }

void CatchSignals() {
  struct sigaction action {};
  action.sa_handler = OnSignal;  // without SA_RESTART: a read that waits for input ends
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

struct Settings {
  std::string ledger;
  std::string input;
  std::string dump;
  bool verify = false;
  bool json = false;
  size_t batch = 0;
  ex::ProgressMode progress = ex::ProgressMode::kNone;
  absl::Duration interval;
};

int Complain(int status, const std::string& what) {
  std::fprintf(stderr, "settle: %s\n", what.c_str());
  return status;
}

int Complain(const absl::Status& status) {
  return Complain(kExitFailed, absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message()));
}

// An error message, or nothing.
std::string ReadArguments(ex::CommandLine& line, Settings& settings) {
  settings.ledger = line.Text("--ledger", "");
  settings.input = line.Text("--input", "-");
  settings.dump = line.Text("--dump", "");
  settings.verify = line.Flag("--verify");
  settings.json = line.Flag("--json");
  settings.batch = line.Number("--batch", 4096, 1, nw::kMaxBatchTransactions);
  const std::string how = line.Text("--progress", "auto");
  if (how == "bar" || (how == "auto" && isatty(STDERR_FILENO) != 0)) {
    settings.progress = ex::ProgressMode::kBar;
  } else if (how == "lines" || how == "auto") {
    settings.progress = ex::ProgressMode::kLines;
  } else if (how != "none") {
    return "--progress must be auto, bar, lines or none, not '" + how + "'";
  }
  const uint64_t usual = settings.progress == ex::ProgressMode::kBar ? 100 : 1000;
  settings.interval = absl::Milliseconds(line.Number("--progress-ms", usual, 1, 3'600'000));
  if (!line.ok()) return line.error();
  if (settings.ledger.empty()) return "--ledger is needed";
  return "";
}

// Reads and applies until the end, or until a signal.
absl::Status ApplyAll(ex::LineReader& reader, nw::Intake& intake, const Settings& settings, ex::RunCounts& run) {
  ex::Progress progress(settings.progress, reader.size(), settings.interval);
  ex::ProgressSample sample;
  std::vector<nw::RawEvent> lines;
  const absl::Time start = absl::Now();
  absl::Status status;
  while (!reader.at_end() && g_interrupted == 0 && status.ok()) {
    status = reader.Next(lines);
    const absl::Time read = absl::Now();
    // In parts, so that progress moves and a signal is seen soon.
    constexpr size_t kPart = 16'384;
    for (size_t first = 0; first < lines.size() && status.ok() && g_interrupted == 0; first += kPart) {
      absl::StatusOr<nw::IntakeResult> result = intake.Apply(absl::MakeConstSpan(lines).subspan(first, kPart));
      if (!result.ok()) {
        status = result.status();
        break;
      }
      run.events += result->outcomes.size();
      for (const nw::EventOutcome& outcome : result->outcomes) run.Add(outcome);
      for (const nw::LateOutcome& late : result->late) run.Add(late.outcome);
      sample = {
          .events = run.events, .bytes = reader.bytes_read(), .parked = intake.parked(), .lag = absl::Now() - read};
      progress.Update(sample);
    }
  }
  run.interrupted = g_interrupted != 0;
  if (status.ok() && !run.interrupted) {
    absl::StatusOr<std::vector<nw::LateOutcome>> rest = intake.Finish();
    status = rest.status();
    if (rest.ok()) {
      for (const nw::LateOutcome& late : *rest) run.Add(late.outcome);
      sample.parked = 0;
    }
  }
  run.elapsed = absl::Now() - start;
  run.empty_lines = reader.empty_lines();
  progress.Finish(sample);
  return status;
}

int Run(const Settings& settings) {
  absl::StatusOr<std::unique_ptr<ex::LineReader>> reader = ex::LineReader::Open(settings.input);
  if (!reader.ok()) return Complain(kExitUsage, std::string(reader.status().message()));
  absl::StatusOr<std::unique_ptr<nw::Store>> store = nw::Store::Open({.path = settings.ledger});
  if (!store.ok()) return Complain(store.status());
  absl::StatusOr<std::unique_ptr<nw::Ledger>> ledger = nw::Ledger::Open(**store);
  if (!ledger.ok()) return Complain(ledger.status());
  absl::StatusOr<std::unique_ptr<nw::Intake>> intake =
      nw::Intake::Open(**ledger, **store, {.batch_size = settings.batch});
  if (!intake.ok()) return Complain(intake.status());

  ex::Report report{.ledger = settings.ledger, .input = settings.input};
  report.replayed_at_open = (*ledger)->Stats().replayed_at_open;
  if (absl::Status status = ApplyAll(**reader, **intake, settings, report.run); !status.ok()) return Complain(status);

  if (settings.verify && !report.run.interrupted) {
    absl::StatusOr<nw::VerifyReport> verified = (*ledger)->Verify();
    if (absl::IsDataLoss(verified.status())) {
      return Complain(kExitDamaged, absl::StrCat("the ledger is damaged: ", verified.status().message()));
    }
    if (!verified.ok()) return Complain(verified.status());
    report.verified = *verified;
  }
  absl::StatusOr<ex::LedgerSummary> summary = ex::Summarize(**ledger, **intake);
  if (!summary.ok()) return Complain(summary.status());
  report.summary = *std::move(summary);
  if (!settings.dump.empty()) {
    if (absl::Status status = ex::WriteDump(**ledger, report.summary, settings.dump); !status.ok()) {
      return Complain(status);
    }
  }
  intake->reset();
  if (absl::Status status = (*ledger)->Close(); !status.ok()) return Complain(status);
  const std::string text = settings.json ? ex::ReportJson(report) + "\n" : ex::ReportText(report);
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return Complain(kExitFailed, "cannot write the report");
  }
  return report.run.interrupted ? kExitInterrupted : EXIT_SUCCESS;
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
    return Complain(kExitUsage, error + " (--help tells more)");
  }
  CatchSignals();
  return Run(settings);
}
