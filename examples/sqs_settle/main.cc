// SPDX-License-Identifier: Apache-2.0
//
// Applies payment events from an SQS queue to a ledger. See --help.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/command_line.h"
#include "examples/settle/report.h"
#include "examples/settle/summary.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/sqs.h"
#include "northwind/status.h"
#include "northwind/store.h"

namespace nw = northwind;
namespace ex = northwind::examples;

namespace {

constexpr char kHelp[] =
    R"(sqs_settle - payment events from an Amazon SQS queue into a ledger, each applied once

  sqs_settle --store DIR --queue-url URL [options]

  --store DIR          the ledger; made if it does not exist
  --queue-url URL      the queue
  --follow             go on until SIGINT or SIGTERM, instead of until the queue is empty: nothing visible, in flight or
                       delayed, at two looks one after the other, as SQS counts approximately
  --region NAME        default: AWS_REGION, AWS_DEFAULT_REGION, the profile's, the queue URL's
  --endpoint URL       another place than the queue URL's, such as http://localhost:4566
  --profile NAME       of the shared configuration files
  --body KIND          auto, json, protobuf (default auto)
  --sns                bodies are notifications of SNS
  --poison HOW         quarantine: delete what can never be applied, once it is in quarantine; redrive: leave it to the queue's
                       redrive policy (default quarantine)
  --pollers N          receives under way, 1 to 256 (default 4)
  --wait N             seconds that a receive waits for messages, 0 to 20 (default 20 with --follow, else 2)
  --visibility N       seconds that messages are hidden from others (default 0: as the queue has it)
  --dump FILE          write every account and every payout as JSON
  --json               report as one line of JSON instead of text
  --progress-ms N      milliseconds between two lines of progress on standard error (default 1000; 0: none)
  --help               this text

Credentials come from the environment, web identity, the shared files, the container or the instance; see docs/sqs.md. Kill it
at any moment and run it again: messages are deleted only after they are durable, and what comes twice counts once.

Exit status: 0 done, 1 the ledger or the queue failed, 2 bad arguments, 4 interrupted without --follow: run again to complete.
)";

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 4;

volatile sig_atomic_t g_interrupted = 0;

void OnSignal(int) { g_interrupted = 1; }

void CatchSignals() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

struct Settings {
  std::string store;
  std::string dump;
  bool follow = false;
  bool json = false;
  absl::Duration progress;
  nw::SqsOptions sqs;
};

int Complain(int status, const std::string& what) {
  std::fprintf(stderr, "sqs_settle: %s\n", what.c_str());
  return status;
}

int Complain(const absl::Status& status) {
  return Complain(kExitFailed, absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message()));
}

// An error message, or nothing.
std::string ReadArguments(ex::CommandLine& line, Settings& settings) {
  settings.store = line.Text("--store", "");
  settings.dump = line.Text("--dump", "");
  settings.follow = line.Flag("--follow");
  settings.json = line.Flag("--json");
  settings.progress = absl::Milliseconds(line.Number("--progress-ms", 1000, 0, 3'600'000));
  nw::SqsOptions& sqs = settings.sqs;
  sqs.queue_url = line.Text("--queue-url", "");
  sqs.region = line.Text("--region", "");
  sqs.endpoint = line.Text("--endpoint", "");
  sqs.profile = line.Text("--profile", "");
  sqs.sns_envelope = line.Flag("--sns");
  sqs.pollers = static_cast<int>(line.Number("--pollers", 4, 1, nw::kMaxSqsPollers));
  sqs.wait = absl::Seconds(line.Number("--wait", settings.follow ? 20 : 2, 0, 20));
  sqs.visibility = absl::Seconds(line.Number("--visibility", 0, 0, 43'200));
  const std::string body = line.Text("--body", "auto");
  if (body == "json") {
    sqs.body = nw::SqsBody::kJson;
  } else if (body == "protobuf") {
    sqs.body = nw::SqsBody::kProtobuf;
  } else if (body != "auto") {
    return "--body must be auto, json or protobuf, not '" + body + "'";
  }
  const std::string poison = line.Text("--poison", "quarantine");
  if (poison == "redrive") {
    sqs.poison = nw::SqsPoison::kRedrivePolicy;
  } else if (poison != "quarantine") {
    return "--poison must be quarantine or redrive, not '" + poison + "'";
  }
  if (!line.ok()) return line.error();
  if (settings.store.empty()) return "--store is needed";
  if (sqs.queue_url.empty()) return "--queue-url is needed";
  return "";
}

void ShowProgress(const nw::SqsStats& stats, size_t parked) {
  const std::string why = stats.status.ok() ? "" : absl::StrCat(" (", stats.status.message(), ")");
  std::fprintf(stderr,
               "%s%s: received %llu, applied %llu, duplicates %llu, rejected %llu, poison %llu, held %zu, parked %zu\n",
               std::string(nw::Name(stats.state)).c_str(), why.c_str(), static_cast<unsigned long long>(stats.received),
               static_cast<unsigned long long>(stats.applied), static_cast<unsigned long long>(stats.duplicates),
               static_cast<unsigned long long>(stats.rejected), static_cast<unsigned long long>(stats.poison),
               stats.held, parked);
}

// Until the queue is empty, as its own counts have it, too: a receive sees neither what is in flight elsewhere (a process
// that was killed a moment ago held it) nor what is delayed. The counts are approximate: they must say so at two looks, with a receive that
// comes back empty before each. True if it is; false if the source ends before that.
absl::StatusOr<bool> AwaitEmpty(nw::SqsSource& source) {
  constexpr int kLooks = 2;
  for (int looks = 0; looks < kLooks;) {
    if (!source.WaitUntilDrained(absl::InfiniteDuration())) return false;
    const absl::StatusOr<nw::SqsCounts> counts = source.CountMessages();
    if (absl::IsCancelled(counts.status())) return false;  // it is being stopped
    const bool passes = absl::IsUnavailable(counts.status()) || absl::IsResourceExhausted(counts.status());
    if (!counts.ok() && !passes) return counts.status();
    looks = counts.ok() && counts->none() ? looks + 1 : 0;
  }
  return true;
}

// A queue that does not answer is asked for minutes: a signal ends that, with Cancelled.
absl::Status Start(nw::SqsSource& source) {
  constexpr absl::Duration kLook = absl::Milliseconds(20);
  absl::Status status;
  std::atomic<bool> done = false;
  std::thread starter([&] {
    status = source.Start();
    done = true;
  });
  while (!done) {
    if (g_interrupted != 0) (void)source.Stop();
    absl::SleepFor(kLook);
  }
  starter.join();
  return status;
}

// Until the queue is found to be empty, or a signal; or until something stands in the way that does not pass.
absl::Status Settle(nw::SqsSource& source, nw::Intake& intake, const std::atomic<bool>& emptied,
                    const Settings& settings) {
  constexpr absl::Duration kLook = absl::Milliseconds(100);
  constexpr absl::Duration kRetryParkedEvery = absl::Seconds(30);
  absl::Time shown = absl::Now();
  absl::Time retried = absl::Now();
  while (g_interrupted == 0 && !emptied) {
    const nw::SqsStats stats = source.Stats();
    if (stats.state == nw::SqsState::kHalted) return stats.status;
    const absl::Time now = absl::Now();
    if (settings.progress > absl::ZeroDuration() && now - shown >= settings.progress) {
      ShowProgress(stats, intake.parked());
      shown = now;
    }
    if (now - retried >= kRetryParkedEvery) {
      // What the disk has no room for now is tried again the next time.
      const absl::Status status = intake.RetryParked().status();
      if (!status.ok() && !absl::IsResourceExhausted(status)) return status;
      retried = now;
    }
    absl::SleepFor(kLook);
  }
  return absl::OkStatus();
}

std::string CountsText(const nw::SqsStats& stats) {
  std::string out = "\nThis run\n";
  const auto line = [&out](const char* what, uint64_t n) { absl::StrAppend(&out, "  ", what, n, "\n"); };
  line("messages received            ", stats.received);
  line("  of those again             ", stats.redelivered);
  line("deleted                      ", stats.deleted);
  line("given back                   ", stats.returned);
  line("corrupt                      ", stats.corrupt);
  line("applied                      ", stats.applied);
  line("duplicates                   ", stats.duplicates);
  line("rejected                     ", stats.rejected);
  line("parked                       ", stats.parked);
  line("quarantined                  ", stats.poison);
  line("requests made again          ", stats.retries);
  return out;
}

std::string ReportJson(const nw::SqsStats& stats, size_t parked, bool interrupted, const Settings& settings,
                       const ex::LedgerSummary& summary) {
  nlohmann::ordered_json json;
  json["queue_url"] = settings.sqs.queue_url;
  json["received"] = stats.received;
  json["redelivered"] = stats.redelivered;
  json["deleted"] = stats.deleted;
  json["returned"] = stats.returned;
  json["corrupt"] = stats.corrupt;
  json["applied"] = stats.applied;
  json["duplicates"] = stats.duplicates;
  json["rejected"] = stats.rejected;
  json["parked"] = stats.parked;
  json["poison"] = stats.poison;
  json["delete_failures"] = stats.delete_failures;
  json["heartbeat_failures"] = stats.heartbeat_failures;
  json["retries"] = stats.retries;
  json["throttled"] = stats.throttled;
  json["parked_now"] = parked;
  json["interrupted"] = interrupted;
  json["ledger"] = ex::LedgerJson(settings.store, summary);
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int Run(const Settings& settings) {
  absl::StatusOr<std::unique_ptr<nw::Store>> store = nw::Store::Open({.path = settings.store});
  if (!store.ok()) return Complain(store.status());
  absl::StatusOr<std::unique_ptr<nw::Ledger>> ledger = nw::Ledger::Open(**store);
  if (!ledger.ok()) return Complain(ledger.status());
  absl::StatusOr<std::unique_ptr<nw::Scheduler>> scheduler = nw::Scheduler::Open(**store);
  if (!scheduler.ok()) return Complain(scheduler.status());
  absl::StatusOr<std::unique_ptr<nw::Intake>> intake =
      nw::Intake::Open(**ledger, **store, {.scheduler = scheduler->get()});
  if (!intake.ok()) return Complain(intake.status());
  absl::StatusOr<std::unique_ptr<nw::SqsSource>> source = nw::SqsSource::Open(**intake, settings.sqs);
  if (absl::IsInvalidArgument(source.status())) return Complain(kExitUsage, std::string(source.status().message()));
  if (!source.ok()) return Complain(source.status());

  const absl::Status started = Start(**source);
  if (!started.ok() && !absl::IsCancelled(started)) return Complain(started);
  std::atomic<bool> emptied = false;
  absl::StatusOr<bool> empty = false;
  std::thread watch([&] {  // ends with the source, at the latest
    if (settings.follow) return;
    empty = AwaitEmpty(**source);
    emptied = !empty.ok() || *empty;
  });
  absl::Status settled = Settle(**source, **intake, emptied, settings);
  const bool interrupted = g_interrupted != 0;
  const absl::Status stopped = (*source)->Stop();
  watch.join();
  if (settled.ok()) settled = empty.status();
  if (!stopped.ok()) return Complain(stopped);
  const nw::SqsStats stats = (*source)->Stats();
  if (settings.progress > absl::ZeroDuration()) ShowProgress(stats, (*intake)->parked());
  if (!settled.ok()) return Complain(settled);

  absl::StatusOr<ex::LedgerSummary> summary = ex::Summarize(**ledger, **intake);
  if (!summary.ok()) return Complain(summary.status());
  if (!settings.dump.empty()) {
    if (absl::Status status = ex::WriteDump(**ledger, *summary, settings.dump); !status.ok()) return Complain(status);
  }
  const std::string text = settings.json ? ReportJson(stats, (*intake)->parked(), interrupted, settings, *summary)
                                         : CountsText(stats) + ex::LedgerText(settings.store, *summary);
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return Complain(kExitFailed, "cannot write the report");
  }
  source->reset();
  intake->reset();
  if (absl::Status status = (*ledger)->Close(); !status.ok()) return Complain(status);
  return interrupted && !settings.follow ? kExitInterrupted : EXIT_SUCCESS;
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
