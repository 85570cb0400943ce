// SPDX-License-Identifier: Apache-2.0
//
// The ramp of a cutover, with a rollback on the way: northwind and a batch pay the payouts of the same merchants at one bank. See --help.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "examples/command_line.h"
#include "examples/parallel_run/past_clock.h"
#include "examples/simulated_rail/rail.h"
#include "northwind/compare.h"
#include "northwind/cutover.h"
#include "northwind/ledger.h"
#include "northwind/payout.h"
#include "northwind/postgres.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/status.h"
#include "northwind/store.h"

namespace nw = northwind;
namespace ex = northwind::examples;

namespace {

constexpr char kHelp[] =
    R"(ramp - payouts move from a batch system to northwind in stages, and back, and on again

  ramp --ledger DIR --compare DIR --mapping FILE --connection CONNINFO --bank FILE [options]

  --ledger DIR       the ledger
  --compare DIR      the store of a parallel run over it, whose gate must be open
  --mapping FILE     of that run
  --connection TEXT  a PostgreSQL in which both systems claim what they pay
  --bank FILE        the books of a simulated bank; made if there are none
  --gate-days N      as the parallel run was given (default 14)
  --payouts N        in each stage (default 500)
  --merchants N      that they are of (default 400)
  --seed N           of the bank's faults (default 1)
  --help             this text

5 % of merchants, 25 %, a rollback while payouts are under way, 25 % again, 100 %. Every payout is then looked up in the bank's books: paid
twice, or not at all. The last line of standard output is JSON. Exit status: 0 done, and each payout was paid once or refused by the
bank; 1 it failed or one was not; 2 bad arguments.
)";

constexpr char kActor[] = "ramp";
constexpr absl::Duration kPatience = absl::Minutes(10);
constexpr absl::Duration kLook = absl::Milliseconds(20);
constexpr absl::Duration kBankTakes = absl::Milliseconds(5);  // up to, for a call
constexpr int64_t kCaptured = 100'000;
constexpr int64_t kPaidOut = 60'000;

struct Settings {
  std::string ledger, compare, mapping, connection, bank;
  int gate_days = 0;
  uint64_t payouts = 0, merchants = 0, seed = 0;
};

struct Parts {
  std::unique_ptr<nw::Store> store, kept;
  std::unique_ptr<nw::Ledger> ledger;
  std::unique_ptr<nw::Scheduler> scheduler;
  std::unique_ptr<nw::Intake> intake;
  std::unique_ptr<ex::PastClock> clock;
  std::unique_ptr<nw::ParallelRun> run;
  std::unique_ptr<nw::PostgresClaims> claims;
  std::unique_ptr<nw::Cutover> cutover;
  std::unique_ptr<ex::SimulatedRail> bank;
  std::unique_ptr<nw::ClaimedRail> rail;
  std::unique_ptr<nw::Payouts> payouts;
};

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

absl::StatusOr<Parts> Open(const Settings& settings) {
  Parts parts;
  NW_ASSIGN_OR_RETURN(const std::string text, ReadFile(settings.mapping));
  NW_ASSIGN_OR_RETURN(const nw::LegacyMapping mapping, nw::ParseMappingJson(text));
  NW_ASSIGN_OR_RETURN(parts.store, nw::Store::Open({.path = settings.ledger}));
  NW_ASSIGN_OR_RETURN(parts.ledger, nw::Ledger::Open(*parts.store));
  NW_ASSIGN_OR_RETURN(parts.kept, nw::Store::Open({.path = settings.compare}));
  parts.clock = std::make_unique<ex::PastClock>();
  NW_ASSIGN_OR_RETURN(
      parts.run,
      nw::ParallelRun::Open(*parts.ledger, *parts.kept,
                            {.mapping = mapping, .clock = parts.clock.get(), .gate_days = settings.gate_days}));
  NW_ASSIGN_OR_RETURN(const auto days, parts.run->Days(absl::CivilDay(2000, 1, 1), absl::CivilDay(2200, 1, 1)));
  for (const nw::DayFigures& day : days) {
    if (day.state != nw::DayState::kOpen) parts.clock->SetLastDay(day.day);
  }
  NW_ASSIGN_OR_RETURN(parts.scheduler, nw::Scheduler::Open(*parts.store));
  NW_ASSIGN_OR_RETURN(parts.intake,
                      nw::Intake::Open(*parts.ledger, *parts.store, {.scheduler = parts.scheduler.get()}));
  const nw::PostgresClaimsOptions claims{.connection = settings.connection};
  NW_RETURN_IF_ERROR(nw::PostgresClaims::Migrate(claims));
  NW_ASSIGN_OR_RETURN(parts.claims, nw::PostgresClaims::Open(claims));
  // All stages in one hour, on the same clean days: what nobody does with money.
  NW_ASSIGN_OR_RETURN(parts.cutover,
                      nw::Cutover::Open(*parts.store, {.salt = "demonstration", .days_between_raises = 0}));
  // What the bank has not got must be sent again, which waits for minutes if sending is stopped just then: so it gets everything.
  NW_ASSIGN_OR_RETURN(
      parts.bank, ex::SimulatedRail::Open(settings.bank, {.seed = settings.seed, .lost = 0, .latency = kBankTakes}));
  parts.rail = std::make_unique<nw::ClaimedRail>(*parts.bank, *parts.claims, *parts.cutover);
  nw::PayoutOptions options{.batch = 4};
  options.policy.initial = absl::Milliseconds(20);
  options.policy.cap = absl::Milliseconds(500);
  NW_ASSIGN_OR_RETURN(
      parts.payouts,
      nw::Payouts::Open({*parts.ledger, *parts.store, *parts.scheduler, *parts.intake, *parts.rail}, options));
  return parts;
}

// A payout as both systems know it.
struct Asked {
  std::string id;
  std::string merchant;
  nw::SettlementSystem system{};
};

nw::PaymentEvent EventOf(nw::EventType type, const std::string& merchant, int64_t units) {
  nw::PaymentEvent event{.type = type};
  event.occurred_at = absl::Now();
  event.merchant_id = merchant;
  if (units > 0) event.amount = nw::Money{.asset = {.code = "USD", .scale = 2}, .units = static_cast<uint64_t>(units)};
  return event;
}

// ---- The batch ----------------------------------------------------------------------------------------------

std::string BatchKey(const std::string& id) { return "batch_" + id; }

// Pays what it can claim, one after the other, under keys of its own: the bank does not know that they are the same payouts.
class Batch {
 public:
  explicit Batch(Parts& parts) : parts_(parts) {}

  absl::Status Pay(const std::vector<Asked>& payouts) {
    std::vector<nw::PaymentEvent> ends;
    for (const Asked& payout : payouts) {
      nw::ClaimRequest claim{.id = payout.id,
                             .merchant_id = payout.merchant,
                             .system = nw::SettlementSystem::kBatch,
                             .epoch = parts_.cutover->Status().epoch};
      const uint64_t number = ++attempts_;
      for (size_t i = 0; i < 8; ++i) claim.token[i] = static_cast<uint8_t>(number >> (8 * i));
      NW_ASSIGN_OR_RETURN(const nw::ClaimVerdict verdict, parts_.claims->Claim(claim));
      if (verdict == nw::ClaimVerdict::kOther) {
        ++left_to_northwind_;
        continue;
      }
      if (verdict == nw::ClaimVerdict::kStale) return absl::InternalError("the newest epoch is stale");
      const nw::RailState state = Execute(payout);
      const bool paid = state == nw::RailState::kPaid;
      ends.push_back(EventOf(paid ? nw::EventType::kPayoutPaid : nw::EventType::kPayoutFailed, payout.merchant, 0));
      ends.back().payout_id = payout.id;
      ++paid_;
    }
    return parts_.intake->Apply(absl::MakeConstSpan(ends)).status();
  }

  uint64_t paid() const { return paid_; }
  uint64_t left_to_northwind() const { return left_to_northwind_; }

 private:
  nw::RailState Execute(const Asked& payout) {
    const nw::PayoutInstruction instruction{.provider_key = BatchKey(payout.id),
                                            .payout_id = payout.id,
                                            .merchant_id = payout.merchant,
                                            .asset = {.code = "USD", .scale = 2},
                                            .amount = static_cast<uint64_t>(kPaidOut)};
    nw::RailAnswer answer = parts_.bank->Submit(instruction);
    while (answer.state != nw::RailState::kPaid && answer.state != nw::RailState::kFailed) {
      answer =
          answer.state == nw::RailState::kNotFound ? parts_.bank->Submit(instruction) : parts_.bank->Query(instruction);
    }
    return answer.state;
  }

  Parts& parts_;
  uint64_t attempts_ = 0, paid_ = 0, left_to_northwind_ = 0;
};

// ---- Stages -------------------------------------------------------------------------------------------------

class Ramp {
 public:
  Ramp(Parts& parts, const Settings& settings) : parts_(parts), settings_(settings), batch_(parts) {}

  absl::StatusOr<nlohmann::json> Play() {
    std::vector<std::string> merchants;
    for (uint64_t n = 1; n <= settings_.merchants; ++n) merchants.push_back(Merchant(n));
    NW_RETURN_IF_ERROR(parts_.cutover->AddMerchants(merchants, kActor));
    NW_RETURN_IF_ERROR(parts_.payouts->Start());

    NW_RETURN_IF_ERROR(Stage("the batch pays all"));
    NW_RETURN_IF_ERROR(Raise("two clean weeks"));
    NW_RETURN_IF_ERROR(Stage("5 %"));
    NW_RETURN_IF_ERROR(Raise("nothing odd at 5 %"));
    NW_RETURN_IF_ERROR(Stage("25 %"));
    NW_RETURN_IF_ERROR(RollBack());
    NW_RETURN_IF_ERROR(Stage("rolled back"));
    NW_RETURN_IF_ERROR(parts_.cutover->ResumeRouting(*parts_.run, kActor, "it was the monitor, not the money"));
    NW_RETURN_IF_ERROR(parts_.cutover->PublishEpoch(*parts_.claims));
    NW_RETURN_IF_ERROR(Stage("25 % again"));
    NW_RETURN_IF_ERROR(Raise("nothing odd at 25 %"));
    NW_RETURN_IF_ERROR(Stage("100 %"));
    return Audit();
  }

 private:
  static std::string Merchant(uint64_t n) { return absl::StrFormat("m_%08d", n); }

  absl::Status Raise(const char* reason) {
    NW_RETURN_IF_ERROR(parts_.cutover->Raise(*parts_.run, kActor, reason));
    return parts_.cutover->PublishEpoch(*parts_.claims);
  }

  // Payouts of all merchants in turn, assigned, and then held by the ledger, which both systems take them from.
  absl::StatusOr<std::vector<Asked>> Ask() {
    std::vector<Asked> asked;
    std::vector<nw::RouteRequest> requests;
    for (uint64_t n = 0; n < settings_.payouts; ++n) {
      asked.push_back({.id = absl::StrFormat("ramp_po_%08d", ++numbered_),
                       .merchant = Merchant(1 + numbered_ % settings_.merchants)});
      requests.push_back({.id = asked.back().id, .merchant_id = asked.back().merchant});
    }
    NW_ASSIGN_OR_RETURN(const auto assignments, parts_.cutover->Assign(requests));
    std::vector<nw::PaymentEvent> events;
    for (size_t i = 0; i < asked.size(); ++i) {
      asked[i].system = assignments[i].system;
      events.push_back(EventOf(nw::EventType::kPaymentCaptured, asked[i].merchant, kCaptured));
      events.back().payment_id = absl::StrCat("pay_of_", asked[i].id);
      events.push_back(EventOf(nw::EventType::kPayoutRequested, asked[i].merchant, kPaidOut));
      events.back().payout_id = asked[i].id;
    }
    NW_ASSIGN_OR_RETURN(const nw::IntakeResult result, parts_.intake->Apply(absl::MakeConstSpan(events)));
    for (const nw::EventOutcome& outcome : result.outcomes) {
      if (outcome.status != nw::EventStatus::kApplied) return absl::InternalError("a payout was not taken");
    }
    all_.insert(all_.end(), asked.begin(), asked.end());
    return asked;
  }

  absl::Status Stage(const char* name) {
    NW_ASSIGN_OR_RETURN(const std::vector<Asked> asked, Ask());
    NW_RETURN_IF_ERROR(batch_.Pay(Of(asked, nw::SettlementSystem::kBatch)));
    return End(name, asked, 0, 0);
  }

  // With payouts of northwind under way: new ones go to the batch at once, and of the others it gets those that northwind has not
  // claimed. Which they are is a race, and has no wrong end.
  absl::Status RollBack() {
    NW_ASSIGN_OR_RETURN(const std::vector<Asked> asked, Ask());
    NW_RETURN_IF_ERROR(AwaitBegun(Of(asked, nw::SettlementSystem::kNorthwind)));
    NW_RETURN_IF_ERROR(parts_.cutover->RouteToBatch(kActor, "odd figures"));
    NW_RETURN_IF_ERROR(parts_.cutover->StopSending(kActor, "odd figures"));
    NW_RETURN_IF_ERROR(parts_.cutover->PublishEpoch(*parts_.claims));
    std::vector<std::string> residue;
    nw::ResiduePage page;
    do {
      NW_ASSIGN_OR_RETURN(page, parts_.cutover->Residue(*parts_.claims, page.next, nw::kMaxAuditPage));
      for (const auto& item : page.items) residue.push_back(item.assignment.id);
    } while (!page.next.empty());
    NW_ASSIGN_OR_RETURN(const nw::HandBackResult back,
                        parts_.cutover->HandBack(*parts_.claims, residue, kActor, "the batch pays them"));
    // The batch tries all of them: what is northwind's it cannot claim.
    NW_RETURN_IF_ERROR(batch_.Pay(asked));
    NW_RETURN_IF_ERROR(parts_.cutover->ResumeSending(kActor, "what is left is northwind's to end"));
    NW_RETURN_IF_ERROR(parts_.cutover->PublishEpoch(*parts_.claims));
    return End("25 %, rolled back on the way", asked, back.handed, back.kept);
  }

  static std::vector<Asked> Of(const std::vector<Asked>& asked, nw::SettlementSystem system) {
    std::vector<Asked> found;
    for (const Asked& payout : asked) {
      if (payout.system == system) found.push_back(payout);
    }
    return found;
  }

  // Waits until northwind is about to pay, or has paid, a third of them.
  absl::Status AwaitBegun(const std::vector<Asked>& asked) {
    const absl::Time deadline = absl::Now() + kPatience;
    for (;;) {
      size_t begun = 0;
      for (const Asked& payout : asked) {
        const absl::StatusOr<nw::Payout> found = parts_.payouts->GetPayout(payout.id);
        if (!found.ok() && !absl::IsNotFound(found.status())) return found.status();
        begun += found.ok() && found->state != nw::PayoutState::kRequested;
      }
      if (3 * begun >= asked.size()) return absl::OkStatus();
      NW_RETURN_IF_ERROR(parts_.payouts->status());
      if (absl::Now() > deadline) return absl::DeadlineExceededError("northwind pays nothing");
      absl::SleepFor(absl::Milliseconds(1));
    }
  }

  static std::string Story(const absl::StatusOr<nw::Payout>& payout) {
    if (!payout.ok()) return payout.status().ToString();
    std::string story(nw::Name(payout->state));
    for (const nw::PayoutMoment& moment : payout->timeline) {
      absl::StrAppend(&story, "; ", absl::FormatTime(moment.at), " ", moment.what, " ", moment.detail);
    }
    return payout->next_attempt ? absl::StrCat(story, "; next ", absl::FormatTime(*payout->next_attempt)) : story;
  }

  // Waits until all of them have come to their end.
  absl::Status End(const char* name, const std::vector<Asked>& asked, uint64_t handed, uint64_t kept) {
    const absl::Time deadline = absl::Now() + kPatience;
    for (const Asked& payout : asked) {
      for (;;) {
        const absl::StatusOr<nw::Payout> found = parts_.payouts->GetPayout(payout.id);
        if (!found.ok() && !absl::IsNotFound(found.status())) return found.status();
        if (found.ok() && (found->state == nw::PayoutState::kPaid || found->state == nw::PayoutState::kFailed)) break;
        NW_RETURN_IF_ERROR(parts_.payouts->status());
        if (absl::Now() > deadline)
          return absl::DeadlineExceededError(absl::StrCat(payout.id, " has no end: ", Story(found)));
        absl::SleepFor(kLook);
      }
    }
    std::vector<std::string> ids;
    for (const Asked& payout : Of(asked, nw::SettlementSystem::kNorthwind)) ids.push_back(payout.id);
    NW_RETURN_IF_ERROR(parts_.cutover->Finish(ids));
    const nw::CutoverStatus status = parts_.cutover->Status();
    stages_.push_back({{"stage", name},
                       {"threshold", status.threshold},
                       {"routed_to_batch", status.routed_to_batch},
                       {"payouts", asked.size()},
                       {"northwind", ids.size()},
                       {"handed_back", handed},
                       {"kept", kept},
                       {"residue", status.residue}});
    std::printf("  %-30s %6zu payouts, %6zu assigned to northwind", name, asked.size(), ids.size());
    if (handed + kept > 0) {
      std::printf(", %llu of them handed back, %llu kept", static_cast<unsigned long long>(handed),
                  static_cast<unsigned long long>(kept));
    }
    std::printf("\n");
    std::fflush(stdout);
    return absl::OkStatus();
  }

  // What the bank says of every payout, under the keys of both systems.
  absl::StatusOr<nlohmann::json> Audit() {
    parts_.payouts->Stop();
    NW_ASSIGN_OR_RETURN(const auto books, ex::SimulatedRail::ReadBooks(settings_.bank));
    const auto executed = [&books](const std::string& key) {
      const auto found = books.executions.find(key);
      return found == books.executions.end() ? uint64_t{0} : found->second;
    };
    uint64_t twice = 0, unpaid = 0, refused = 0, by_northwind = 0, by_batch = 0;
    for (const Asked& payout : all_) {
      NW_ASSIGN_OR_RETURN(const nw::Payout found, parts_.payouts->GetPayout(payout.id));
      const uint64_t ours = executed(found.provider_key), theirs = executed(BatchKey(payout.id));
      by_northwind += ours;
      by_batch += theirs;
      twice += ours + theirs > 1;
      const bool failed = found.state == nw::PayoutState::kFailed;
      refused += failed;
      unpaid += ours + theirs == 0 && !failed;
      twice += ours + theirs > 0 && failed;  // the merchant has the money and the balance
    }
    NW_ASSIGN_OR_RETURN(const auto log, parts_.cutover->AuditLog(0, nw::kMaxAuditPage));
    return nlohmann::json{{"stages", stages_},
                          {"payouts", all_.size()},
                          {"paid_by_northwind", by_northwind},
                          {"paid_by_batch", by_batch},
                          {"claims_refused", batch_.left_to_northwind()},
                          {"refused_by_bank", refused},
                          {"paid_twice", twice},
                          {"unpaid", unpaid},
                          {"audit_lines", log.size()}};
  }

  Parts& parts_;
  const Settings& settings_;
  Batch batch_;
  uint64_t numbered_ = 0;
  std::vector<Asked> all_;
  nlohmann::json stages_ = nlohmann::json::array();
};

absl::Status Run(const Settings& settings) {
  NW_ASSIGN_OR_RETURN(Parts parts, Open(settings));
  Ramp ramp(parts, settings);
  NW_ASSIGN_OR_RETURN(const nlohmann::json figures, ramp.Play());
  std::printf("%s\n", figures.dump().c_str());
  if (figures["paid_twice"] != 0 || figures["unpaid"] != 0)
    return absl::InternalError("not every payout was paid once");
  return absl::OkStatus();
}

// An error message, or nothing.
std::string ReadArguments(ex::CommandLine& line, Settings& settings) {
  settings.ledger = line.Text("--ledger", "");
  settings.compare = line.Text("--compare", "");
  settings.mapping = line.Text("--mapping", "");
  settings.connection = line.Text("--connection", "");
  settings.bank = line.Text("--bank", "");
  settings.gate_days = static_cast<int>(line.Number("--gate-days", 14, 1, 365));
  settings.payouts = line.Number("--payouts", 500, 1, nw::kMaxAssignBatch);
  settings.merchants = line.Number("--merchants", 400, 1, nw::kMaxAssignBatch);
  settings.seed = line.Number("--seed", 1, 0, UINT64_MAX);
  if (!line.ok()) return line.error();
  if (settings.ledger.empty() || settings.compare.empty() || settings.mapping.empty() || settings.connection.empty() ||
      settings.bank.empty()) {
    return "--ledger, --compare, --mapping, --connection and --bank are needed";
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
    std::fprintf(stderr, "ramp: %s (--help tells more)\n", error.c_str());
    return 2;
  }
  if (const absl::Status status = Run(settings); !status.ok()) {
    std::fprintf(stderr, "ramp: %s\n", status.ToString().c_str());
    return 1;
  }
  return EXIT_SUCCESS;
}
