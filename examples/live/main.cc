// SPDX-License-Identifier: Apache-2.0
//
// Settles events as they come, executes payouts at a simulated bank, tells merchants by webhooks, and mirrors all of it to
// PostgreSQL. See --help.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/command_line.h"
#include "examples/live/session.h"
#include "examples/settle/line_reader.h"
#include "northwind/status.h"

namespace nw = northwind;
namespace ex = northwind::examples;

namespace {

constexpr char kHelp[] =
    R"(live - payment events, payouts and webhooks of a ledger, as they happen

  live endpoints --ledger DIR --rail FILE --key FILE --plan FILE
  live run --ledger DIR --rail FILE --key FILE --plan FILE (--input FILE | --queue URL) [--mirror CONNECTION]
           --deliveries FILE

endpoints    makes the webhook endpoints of the plan, one a line: MERCHANT ID URL POLICY PATTERN...  with the policy usual, patient
             or short. Prints a line for each: keys ID SECRET
run          applies the events of the input, JSON lines, in small batches, while payouts go to a simulated bank and webhooks to the
             endpoints; then waits until every payout has its end and every webhook is delivered or given up. Reports on
             standard error; a line of JSON at the end. Kill it at any moment and run it again with the same input. Events of a
             queue are taken until it is empty.

  --ledger DIR       the ledger
  --rail FILE        the books of the simulated bank; made if there are none
  --key FILE         32 bytes that the endpoints' secrets are kept with
  --plan FILE        see above
  --input FILE       the events; - is standard input
  --queue URL        a queue of Amazon SQS that events come from instead
  --mirror TEXT      how to connect to a PostgreSQL that the ledger is mirrored to; it is audited at the end
  --deliveries FILE  write what became of every webhook, as JSON lines
  --redrive          first, webhooks that were given up are tried again
  --seed N           of the bank's faults (default 1)
  --help             this text

Exit status: 0 done, 1 it failed while running, 2 bad arguments.
)";

// Events in one batch; and before the next one, how many webhooks may wait, and how far payouts may be behind the journal.
constexpr size_t kPart = 200;
constexpr uint64_t kMaxWaiting = 3000;
constexpr uint64_t kMaxBehind = 2000;
constexpr absl::Duration kLook = absl::Milliseconds(10);
constexpr absl::Duration kReportEvery = absl::Milliseconds(50);
constexpr absl::Duration kCountEvery = absl::Seconds(1);
// A mirror that needs longer than this for what is left at the end has failed.
constexpr absl::Duration kMirrorPatience = absl::Minutes(10);

struct PlannedEndpoint {
  std::string merchant;
  nw::EndpointSpec spec;
};

absl::StatusOr<std::vector<PlannedEndpoint>> ReadPlan(const std::string& path) {
  std::ifstream in(path);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  std::vector<PlannedEndpoint> plan;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    PlannedEndpoint endpoint;
    std::string policy;
    words >> endpoint.merchant >> endpoint.spec.id >> endpoint.spec.url >> policy;
    endpoint.spec.events.assign(std::istream_iterator<std::string>(words), {});
    NW_ASSIGN_OR_RETURN(endpoint.spec.policy, ex::PolicyNamed(policy));
    plan.push_back(std::move(endpoint));
  }
  return plan;
}

absl::Status MakeEndpoints(const ex::SessionOptions& options, const std::string& plan_path) {
  NW_ASSIGN_OR_RETURN(const std::vector<PlannedEndpoint> plan, ReadPlan(plan_path));
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<ex::Session> session, ex::Session::Open(options));
  for (const PlannedEndpoint& endpoint : plan) {
    NW_ASSIGN_OR_RETURN(const nw::NewEndpoint made,
                        session->webhooks->CreateEndpoint(endpoint.merchant, endpoint.spec));
    std::printf("keys %s %s\n", made.endpoint.id.c_str(), made.secret.c_str());
  }
  return absl::OkStatus();
}

// Runs until all is done, and says how far it is.
class Runner {
 public:
  explicit Runner(ex::Session& session) : session_(session) {}

  absl::Status Redrive() const { return session_.webhooks->RedriveAllDead().status(); }

  absl::Status Run(const std::string& input) {
    NW_RETURN_IF_ERROR(session_.payouts->Start());
    NW_RETURN_IF_ERROR(session_.webhooks->Start());
    if (session_.mirror != nullptr) NW_RETURN_IF_ERROR(session_.mirror->Start());
    NW_RETURN_IF_ERROR(session_.source != nullptr ? Drain() : Feed(input));
    NW_RETURN_IF_ERROR(AwaitEnd());
    return Report(true);
  }

  uint64_t events() const { return events_; }
  const std::map<std::string, uint64_t>& outcomes() const { return outcomes_; }

 private:
  absl::Status Feed(const std::string& input) {
    NW_ASSIGN_OR_RETURN(const std::unique_ptr<ex::LineReader> reader, ex::LineReader::Open(input));
    std::vector<nw::RawEvent> lines;
    while (!reader->at_end()) {
      NW_RETURN_IF_ERROR(reader->Next(lines));
      for (size_t first = 0; first < lines.size(); first += kPart) {
        NW_ASSIGN_OR_RETURN(const nw::IntakeResult result,
                            session_.intake->Apply(absl::MakeConstSpan(lines).subspan(first, kPart)));
        events_ += result.outcomes.size();
        for (const nw::EventOutcome& outcome : result.outcomes) ++outcomes_[std::string(nw::Name(outcome.status))];
        NW_RETURN_IF_ERROR(AwaitRoom());
      }
    }
    return absl::OkStatus();
  }

  absl::Status Drain() {
    nw::SqsSource& source = *session_.source;
    NW_RETURN_IF_ERROR(source.Start());
    absl::Time counted = absl::Now();
    while (true) {
      absl::SleepFor(kLook);
      const nw::SqsStats stats = source.Stats();
      if (stats.state == nw::SqsState::kHalted) return stats.status;
      events_ = stats.received;
      NW_RETURN_IF_ERROR(Report(false));
      if (stats.held > 0 || absl::Now() - counted < kCountEvery) continue;
      // What a process before this one had received when it was killed is hidden for a while: an empty answer says little.
      NW_ASSIGN_OR_RETURN(const nw::SqsCounts left, source.CountMessages());
      counted = absl::Now();
      if (left.visible + left.in_flight == 0 && source.WaitUntilDrained(3 * ex::kQueueWait)) break;
    }
    NW_RETURN_IF_ERROR(source.Stop());
    const nw::SqsStats stats = source.Stats();
    events_ = stats.received;
    outcomes_ = {{"applied", stats.applied},
                 {"duplicate", stats.duplicates},
                 {"rejected", stats.rejected},
                 {"parked", stats.parked},
                 {"quarantined", stats.poison}};
    return absl::OkStatus();
  }

  // Events come no faster than they are dealt with, so that a kill finds work of all kinds under way.
  absl::Status AwaitRoom() {
    return AwaitThat([this]() -> absl::StatusOr<bool> {
      NW_ASSIGN_OR_RETURN(const nw::WebhookStats stats, session_.webhooks->Stats());
      return Followed(stats) && stats.waiting <= kMaxWaiting &&
             session_.payouts->followed().value() + kMaxBehind >= session_.ledger->Head().sequence.value();
    });
  }

  absl::Status AwaitEnd() {
    return AwaitThat([this]() -> absl::StatusOr<bool> {
      // In this order: payouts make records, records make webhooks, and nothing makes payouts any more.
      const nw::Sequence head = session_.ledger->Head().sequence;
      if (session_.payouts->followed() < head) return false;
      NW_ASSIGN_OR_RETURN(const nw::SchedulerStats tasks, session_.scheduler->Stats());
      for (const nw::QueueStats& queue : tasks.queues) {
        if (queue.queue == "nw/payout" && queue.waiting + queue.leased > 0) return false;
      }
      NW_ASSIGN_OR_RETURN(const nw::WebhookStats stats, session_.webhooks->Stats());
      return Followed(stats) && stats.waiting == 0 && stats.in_flight == 0;
    });
  }

  bool Followed(const nw::WebhookStats& stats) const { return stats.followed >= session_.ledger->Head().sequence; }

  absl::Status AwaitThat(const std::function<absl::StatusOr<bool>()>& condition) {
    while (true) {
      NW_RETURN_IF_ERROR(session_.payouts->status());
      NW_RETURN_IF_ERROR(session_.webhooks->status());
      NW_ASSIGN_OR_RETURN(const bool good, condition());
      NW_RETURN_IF_ERROR(Report(false));
      if (good) return absl::OkStatus();
      absl::SleepFor(kLook);
    }
  }

  absl::Status Report(bool now) {
    if (!now && absl::Now() - reported_ < kReportEvery) return absl::OkStatus();
    reported_ = absl::Now();
    NW_ASSIGN_OR_RETURN(const nw::WebhookStats stats, session_.webhooks->Stats());
    std::fprintf(stderr,
                 "%llu events  payouts followed to %llu of %llu  %llu webhooks delivered  %llu failed attempts  "
                 "%llu waiting  %llu dead\n",
                 static_cast<unsigned long long>(events_),
                 static_cast<unsigned long long>(session_.payouts->followed().value()),
                 static_cast<unsigned long long>(session_.ledger->Head().sequence.value()),
                 static_cast<unsigned long long>(stats.delivered), static_cast<unsigned long long>(stats.failed),
                 static_cast<unsigned long long>(stats.waiting), static_cast<unsigned long long>(stats.dead));
    return absl::OkStatus();
  }

  ex::Session& session_;
  uint64_t events_ = 0;
  std::map<std::string, uint64_t> outcomes_;
  absl::Time reported_ = absl::InfinitePast();
};

// Writes all deliveries of these merchants. How many there are in each state.
absl::StatusOr<std::map<std::string, uint64_t>> WriteDeliveries(const nw::Webhooks& webhooks,
                                                                const std::set<std::string>& merchants,
                                                                const std::string& path) {
  std::ofstream out(path);
  std::map<std::string, uint64_t> states;
  for (const std::string& merchant : merchants) {
    nw::DeliveryQuery query{.merchant_id = merchant, .limit = nw::kMaxDeliveryPage};
    do {
      NW_ASSIGN_OR_RETURN(const nw::WebhookDeliveryPage page, webhooks.ListDeliveries(query));
      for (const nw::WebhookDelivery& delivery : page.deliveries) {
        ++states[std::string(nw::Name(delivery.state))];
        out << nlohmann::ordered_json{{"endpoint", delivery.name.endpoint_id},
                                      {"id", delivery.name.message_id},
                                      {"type", delivery.type},
                                      {"state", nw::Name(delivery.state)},
                                      {"attempts", delivery.attempts}}
                   .dump()
            << '\n';
      }
      query.after = page.next;
    } while (!query.after.empty());
  }
  out.close();
  if (!out) return absl::UnavailableError(absl::StrCat("cannot write ", path));
  return states;
}

// Attempts by endpoint and by how they ended, of all processes.
using AttemptCounts = std::map<std::string, std::map<std::string, uint64_t>>;

absl::StatusOr<AttemptCounts> CountAttempts(const nw::Webhooks& webhooks, const std::set<std::string>& merchants) {
  AttemptCounts counts;
  for (const std::string& merchant : merchants) {
    nw::AttemptQuery query{.merchant_id = merchant, .limit = nw::kMaxAttemptPage};
    do {
      NW_ASSIGN_OR_RETURN(const nw::WebhookAttemptPage page, webhooks.ListAttempts(query));
      for (const nw::WebhookAttempt& attempt : page.attempts) {
        ++counts[attempt.delivery.endpoint_id][std::string(nw::Name(attempt.failure))];
      }
      query.after = page.next;
    } while (!query.after.empty());
  }
  return counts;
}

// Waits until PostgreSQL has everything, and compares every row with the journal.
absl::StatusOr<nlohmann::ordered_json> AuditMirror(ex::Session& session) {
  nw::Mirror& mirror = *session.mirror;
  const absl::Status status = mirror.WaitFor(session.ledger->Head().sequence, kMirrorPatience);
  const nw::MirrorStats stats = mirror.Stats();
  if (!status.ok()) return stats.status.ok() ? status : stats.status;
  NW_ASSIGN_OR_RETURN(const nw::AuditReport report, mirror.Audit());
  return nlohmann::ordered_json{
      {"watermark", report.watermark.value()}, {"transactions", report.transactions}, {"postings", report.postings},
      {"accounts", report.accounts},           {"payouts", report.payouts},           {"copied", stats.copied},
      {"differences", report.differences},     {"findings", report.findings}};
}

enum class Dead { kLeft, kRedriven };

absl::Status Run(const ex::SessionOptions& options, const std::string& plan_path, const std::string& input,
                 const std::string& deliveries, Dead dead) {
  NW_ASSIGN_OR_RETURN(const std::vector<PlannedEndpoint> plan, ReadPlan(plan_path));
  std::set<std::string> merchants;
  for (const PlannedEndpoint& endpoint : plan) merchants.insert(endpoint.merchant);
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<ex::Session> session, ex::Session::Open(options));
  const absl::Time start = absl::Now();
  Runner runner(*session);
  if (dead == Dead::kRedriven) NW_RETURN_IF_ERROR(runner.Redrive());
  NW_RETURN_IF_ERROR(runner.Run(input));
  const absl::Duration elapsed = absl::Now() - start;
  NW_ASSIGN_OR_RETURN(const auto states, WriteDeliveries(*session->webhooks, merchants, deliveries));
  NW_ASSIGN_OR_RETURN(const auto attempts, CountAttempts(*session->webhooks, merchants));
  nlohmann::ordered_json result{{"events", runner.events()},
                                {"outcomes", runner.outcomes()},
                                {"deliveries", states},
                                {"attempts", attempts},
                                {"seconds", absl::ToDoubleSeconds(elapsed)}};
  if (session->mirror != nullptr) {
    NW_ASSIGN_OR_RETURN(result["mirror"], AuditMirror(*session));
  }
  std::printf("%s\n", result.dump().c_str());
  return absl::OkStatus();
}

int Complain(int status, const std::string& what) {
  std::fprintf(stderr, "live: %s\n", what.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  ex::CommandLine line(argc, argv);
  if (line.Flag("--help") || line.Flag("-h")) {
    std::fputs(kHelp, stdout);
    return EXIT_SUCCESS;
  }
  const bool endpoints = line.Flag("endpoints"), run = line.Flag("run");
  const Dead dead = line.Flag("--redrive") ? Dead::kRedriven : Dead::kLeft;
  ex::SessionOptions options{.ledger = line.Text("--ledger", ""), .rail = line.Text("--rail", "")};
  options.seed = line.Number("--seed", 1, 0, UINT64_MAX);
  options.queue = line.Text("--queue", "");
  options.mirror = line.Text("--mirror", "");
  const std::string key = line.Text("--key", ""), plan = line.Text("--plan", "");
  const std::string input = line.Text("--input", "-"), deliveries = line.Text("--deliveries", "");
  if (!line.ok()) return Complain(2, line.error() + " (--help tells more)");
  if (endpoints == run || options.ledger.empty() || options.rail.empty() || key.empty() || plan.empty() ||
      (run && deliveries.empty())) {
    return Complain(2, "what is to be done, and with what? (--help tells)");
  }
  std::ifstream in(key, std::ios::binary);
  options.key.assign(std::istreambuf_iterator<char>(in), {});
  std::signal(SIGPIPE, SIG_IGN);
  const absl::Status status = run ? Run(options, plan, input, deliveries, dead) : MakeEndpoints(options, plan);
  return status.ok() ? EXIT_SUCCESS : Complain(1, status.ToString());
}
