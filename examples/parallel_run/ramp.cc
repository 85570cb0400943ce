// SPDX-License-Identifier: Apache-2.0
//
// The ramp of a cutover, with a rollback on the way: northwind and a batch pay the payouts of the same merchants at one bank. See --help.
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "examples/command_line.h"
#include "examples/parallel_run/ramp_batch.h"
#include "examples/parallel_run/ramp_parts.h"
#include "northwind/status.h"

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

5 % of merchants, 25 %, a rollback while payouts are under way, 25 % again, 100 %, two business days each: what the batch has of a day is
compared with the ledger, the day is closed, and must be clean, and the next raise goes by that. Every payout is then looked up in the bank's
books: paid twice, or not at all. The last line of standard output is JSON. Exit status: 0 done, and each payout was paid once or refused by the
bank; 1 it failed or one was not; 2 bad arguments.
)";

constexpr char kActor[] = "ramp";
constexpr absl::Duration kPatience = absl::Minutes(10);
constexpr absl::Duration kLook = absl::Milliseconds(20);
// The gate takes days after that of the last raise alone, which is the first of the next stage.
constexpr uint64_t kDaysOfStage = 2;

// ---- Stages -------------------------------------------------------------------------------------------------

class Ramp {
 public:
  Ramp(ex::RampParts& parts, const ex::RampSettings& settings)
      : parts_(parts), settings_(settings), batch_(parts), today_(parts.last_day) {}

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

  // ---- Days

  void BeginDay() {
    ++today_;
    parts_.clock->Set(Noon());
  }
  absl::Time Noon() const { return absl::FromCivil(absl::CivilSecond(today_) + int64_t{12} * 3600, parts_.zone); }

  // When all payouts have come to their end: the batch's lines and totals come in, the day is closed, and must be clean.
  absl::Status EndDay(const std::vector<ex::AskedPayout>& asked) {
    NW_RETURN_IF_ERROR(AwaitEnds(asked));
    std::vector<std::string> ids;
    for (const ex::AskedPayout& payout : Of(asked, nw::SettlementSystem::kNorthwind)) ids.push_back(payout.id);
    NW_RETURN_IF_ERROR(parts_.cutover->Finish(ids));
    parts_.clock->Set(absl::FromCivil(absl::CivilSecond(today_ + 1) + int64_t{3600}, parts_.zone));
    NW_ASSIGN_OR_RETURN(nw::DayFigures figures, batch_.CloseDay(today_));
    NW_RETURN_IF_ERROR(ExplainRefused());
    NW_ASSIGN_OR_RETURN(figures, parts_.run->CloseDay(today_, {.actor = kActor}));
    if (!figures.clean()) return absl::InternalError(absl::StrCat(absl::FormatCivilTime(today_), " is not clean"));
    for (const auto& [asset, sides] : figures.assets) {
      stage_.compared += sides.ours.matched.count;
      stage_.by_northwind += sides.ours.by_northwind.count;
    }
    stage_.payouts += asked.size();
    stage_.assigned += ids.size();
    ++stage_.days;
    return absl::OkStatus();
  }

  // What the bank refuses northwind is paid by nobody, and the merchant has it in the balance again: a person looks at each, and says so.
  absl::Status ExplainRefused() {
    nw::DiscrepancyQuery query{.state = nw::DiscrepancyState::kOpen, .day = today_, .limit = nw::kMaxDiscrepancyPage};
    do {
      NW_ASSIGN_OR_RETURN(const nw::DiscrepancyPage page, parts_.run->ListDiscrepancies(query));
      for (const nw::Discrepancy& found : page.discrepancies) {
        const std::string_view prefix = "payout:";
        // Of another class it would be a difference that nobody has looked at.
        if (!found.id.starts_with(prefix) || found.classes != std::vector{nw::DiscrepancyClass::kMissingThere})
          return absl::InternalError(absl::StrCat(found.id, ": ", found.detail));
        NW_ASSIGN_OR_RETURN(const nw::Payout payout, parts_.payouts->GetPayout(found.id.substr(prefix.size())));
        if (payout.state != nw::PayoutState::kFailed) {
          return absl::InternalError(absl::StrCat(found.id, ": ", found.detail, "; ", Story(payout)));
        }
        NW_RETURN_IF_ERROR(
            parts_.run->Explain(found.id, kActor, "the bank refused it; it is in the merchant's balance again"));
        ++stage_.explained;
      }
      query.after = page.next;
    } while (!query.after.empty());
    return absl::OkStatus();
  }

  // Payouts of all merchants in turn, assigned, and then held by the ledger, which both systems take them from.
  absl::StatusOr<std::vector<ex::AskedPayout>> Ask(uint64_t count) {
    std::vector<ex::AskedPayout> asked;
    std::vector<nw::RouteRequest> requests;
    for (uint64_t n = 0; n < count; ++n) {
      asked.push_back({.id = absl::StrFormat("ramp_po_%08d", ++numbered_),
                       .merchant = Merchant(1 + numbered_ % settings_.merchants)});
      requests.push_back({.id = asked.back().id, .merchant_id = asked.back().merchant});
    }
    NW_ASSIGN_OR_RETURN(const auto assignments, parts_.cutover->Assign(requests));
    std::vector<nw::PaymentEvent> events;
    for (size_t i = 0; i < asked.size(); ++i) {
      asked[i].system = assignments[i].system;
      events.push_back(ex::RampEvent(nw::EventType::kPaymentCaptured, asked[i].merchant, Noon(), ex::kRampCaptured));
      events.back().payment_id = absl::StrCat("pay_of_", asked[i].id);
      events.push_back(ex::RampEvent(nw::EventType::kPayoutRequested, asked[i].merchant, Noon(), ex::kRampPaidOut));
      events.back().payout_id = asked[i].id;
      batch_.Captured(asked[i], Noon());
    }
    NW_ASSIGN_OR_RETURN(const nw::IntakeResult result, parts_.intake->Apply(absl::MakeConstSpan(events)));
    for (const nw::EventOutcome& outcome : result.outcomes) {
      if (outcome.status != nw::EventStatus::kApplied) return absl::InternalError("a payout was not taken");
    }
    all_.insert(all_.end(), asked.begin(), asked.end());
    return asked;
  }

  // ---- Stages

  absl::Status Stage(const char* name) {
    for (uint64_t day = 0; day < kDaysOfStage; ++day) {
      BeginDay();
      // The first ones have what does not divide.
      NW_ASSIGN_OR_RETURN(const std::vector<ex::AskedPayout> asked,
                          Ask((settings_.payouts + kDaysOfStage - 1 - day) / kDaysOfStage));
      NW_RETURN_IF_ERROR(batch_.Pay(Of(asked, nw::SettlementSystem::kBatch), Noon()));
      NW_RETURN_IF_ERROR(EndDay(asked));
    }
    Tell(name, 0, 0);
    return absl::OkStatus();
  }

  // With payouts of northwind under way: new ones go to the batch at once, and of the others it gets those that northwind has not
  // claimed. Which they are is a race, and has no wrong end.
  absl::Status RollBack() {
    BeginDay();
    NW_ASSIGN_OR_RETURN(const std::vector<ex::AskedPayout> asked, Ask(settings_.payouts));
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
    NW_ASSIGN_OR_RETURN(
        const nw::HandBackResult back,
        parts_.cutover->HandBack(*parts_.claims, residue, kActor, "the batch pays them", parts_.ledger.get()));
    // The batch tries all of them: what is northwind's it cannot claim.
    NW_RETURN_IF_ERROR(batch_.Pay(asked, Noon()));
    NW_RETURN_IF_ERROR(parts_.cutover->ResumeSending(kActor, "what is left is northwind's to end"));
    NW_RETURN_IF_ERROR(parts_.cutover->PublishEpoch(*parts_.claims));
    NW_RETURN_IF_ERROR(EndDay(asked));
    Tell("25 %, rolled back on the way", back.handed, back.kept);
    return absl::OkStatus();
  }

  static std::vector<ex::AskedPayout> Of(const std::vector<ex::AskedPayout>& asked, nw::SettlementSystem system) {
    std::vector<ex::AskedPayout> found;
    for (const ex::AskedPayout& payout : asked) {
      if (payout.system == system) found.push_back(payout);
    }
    return found;
  }

  // Waits until northwind is about to pay, or has paid, a third of them.
  absl::Status AwaitBegun(const std::vector<ex::AskedPayout>& asked) {
    const absl::Time deadline = absl::Now() + kPatience;
    for (;;) {
      size_t begun = 0;
      for (const ex::AskedPayout& payout : asked) {
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

  absl::Status AwaitEnds(const std::vector<ex::AskedPayout>& asked) {
    const absl::Time deadline = absl::Now() + kPatience;
    for (const ex::AskedPayout& payout : asked) {
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
    return absl::OkStatus();
  }

  void Tell(const char* name, uint64_t handed, uint64_t kept) {
    const nw::CutoverStatus status = parts_.cutover->Status();
    stages_.push_back({{"stage", name},
                       {"threshold", status.threshold},
                       {"routed_to_batch", status.routed_to_batch},
                       {"days", stage_.days},
                       {"payouts", stage_.payouts},
                       {"northwind", stage_.assigned},
                       {"compared", stage_.compared},
                       {"by_northwind", stage_.by_northwind},
                       {"explained", stage_.explained},
                       {"handed_back", handed},
                       {"kept", kept},
                       {"residue", status.residue}});
    absl::PrintF("  %-30s %d clean days, %6d payouts, %6d assigned to northwind", name, stage_.days, stage_.payouts,
                 stage_.assigned);
    if (handed + kept > 0) absl::PrintF(", %d of them handed back, %d kept", handed, kept);
    absl::PrintF("\n");
    std::fflush(stdout);
    stage_ = {};
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
    for (const ex::AskedPayout& payout : all_) {
      NW_ASSIGN_OR_RETURN(const nw::Payout found, parts_.payouts->GetPayout(payout.id));
      const uint64_t ours = executed(found.provider_key), theirs = executed(ex::RampBatch::BatchKey(payout.id));
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

  struct StageFigures {
    uint64_t days = 0, payouts = 0, assigned = 0, compared = 0, by_northwind = 0, explained = 0;
  };

  ex::RampParts& parts_;
  const ex::RampSettings& settings_;
  ex::RampBatch batch_;
  absl::CivilDay today_;
  uint64_t numbered_ = 0;
  std::vector<ex::AskedPayout> all_;
  StageFigures stage_;
  nlohmann::json stages_ = nlohmann::json::array();
};

absl::Status Run(const ex::RampSettings& settings) {
  NW_ASSIGN_OR_RETURN(ex::RampParts parts, ex::RampParts::Open(settings));
  Ramp ramp(parts, settings);
  NW_ASSIGN_OR_RETURN(const nlohmann::json figures, ramp.Play());
  std::printf("%s\n", figures.dump().c_str());
  if (figures["paid_twice"] != 0 || figures["unpaid"] != 0)
    return absl::InternalError("not every payout was paid once");
  return absl::OkStatus();
}

// An error message, or nothing.
std::string ReadArguments(ex::CommandLine& line, ex::RampSettings& settings) {
  settings.ledger = line.Text("--ledger", "");
  settings.compare = line.Text("--compare", "");
  settings.mapping = line.Text("--mapping", "");
  settings.connection = line.Text("--connection", "");
  settings.bank = line.Text("--bank", "");
  settings.gate_days = static_cast<int>(line.Number("--gate-days", 14, 1, 365));
  settings.payouts = line.Number("--payouts", 500, kDaysOfStage, nw::kMaxAssignBatch);
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
  ex::RampSettings settings;
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
