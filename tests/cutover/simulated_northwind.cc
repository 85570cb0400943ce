// SPDX-License-Identifier: Apache-2.0
#include "tests/cutover/simulated_northwind.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/store_on.h"

namespace northwind::testing {

SimulatedNorthwind::SimulatedNorthwind(Chaos& chaos, ArbiterModel& arbiter, SimulatedBank& bank, ProcessId process,
                                       std::string salt, StorePool& stores)
    : chaos_(chaos),
      process_(process),
      salt_(std::move(salt)),
      link_(chaos, arbiter, process),
      bank_(bank),
      bank_rail_(bank, process),
      stores_(stores) {
  bank_rail_.stopped = [this] { return !claims_nothing && cutover_->Status().sending_stopped; };
}

SimulatedNorthwind::~SimulatedNorthwind() {
  End(How::kKilled);
  if (disk_ == nullptr && store_.store != nullptr) stores_.GiveBack(std::move(store_)).IgnoreError();
}

void SimulatedNorthwind::Start() {
  if (store_.store == nullptr && disk_ != nullptr) {
    auto store = OpenStoreOn(disk_->env(), {.path = "/db", .free_space_floor_bytes = 0});
    if (!store.ok()) return chaos_.Violation("opening the store: " + store.status().ToString());
    store_.store = *std::move(store);
  } else if (store_.store == nullptr) {
    auto lent = stores_.Take();
    if (!lent.ok()) return chaos_.Violation("opening a store: " + lent.status().ToString());
    store_ = *std::move(lent);
  }
  CutoverOptions options{.salt = salt_};
  options.clock = &clock_;
  auto cutover = Cutover::Open(*store_.store, options);
  if (!cutover.ok()) return chaos_.Violation("opening the cutover: " + cutover.status().ToString());
  cutover_ = *std::move(cutover);
  rail_ = std::make_unique<ClaimedRail>(bank_rail_, link_, *cutover_);
}

void SimulatedNorthwind::End(How how) {
  rail_.reset();
  cutover_.reset();
  if (how == How::kKilled || disk_ == nullptr) return;
  disk_->CutPower();
  store_.store.reset();
  disk_->Restart(Loss::kUnsynced);
}

bool SimulatedNorthwind::Check(const char* what, const absl::Status& status, absl::StatusCode allowed) {
  if (status.ok()) return true;
  if (disk_ != nullptr && disk_->PowerIsCut()) throw Crash{process_};
  if (status.code() != allowed) chaos_.Violation(absl::StrCat(what, ": ", status.ToString()));
  return false;
}

bool SimulatedNorthwind::Receive(const std::string& id, const std::string& merchant) {
  // The payout may be known, and worked on, before it is assigned.
  const bool early = chaos_.Happens(300);
  if (early) rows_.try_emplace(id, Row{.merchant = merchant});
  chaos_.Between(process_);
  const bool routed_to_batch = cutover_->Status().routed_to_batch;
  const bool is_new = !cutover_->Find(id).ok();
  const auto answer = cutover_->Assign(std::vector<RouteRequest>{{.id = id, .merchant_id = merchant}});
  if (!Check("assigning", answer.status())) return false;
  const SettlementSystem system = answer->front().system;
  if (const auto [first, added] = assigned_.emplace(id, system); !added && first->second != system) {
    chaos_.Violation(absl::StrCat(id, " was assigned to one system, and then to the other"));
  }
  if (is_new && routed_to_batch && system != SettlementSystem::kBatch) {
    chaos_.Violation(absl::StrCat(id, " was assigned to northwind after the rollback"));
  }
  chaos_.Between(process_);
  rows_.try_emplace(id, Row{.merchant = merchant});
  return true;
}

void SimulatedNorthwind::Settled(const std::string& id) {
  if (const auto row = rows_.find(id); row != rows_.end()) row->second.settled = true;
}

void SimulatedNorthwind::Work(const std::string& id) {
  Row& row = rows_.at(id);
  if (row.settled || row.locked) return;
  row.called = true;
  const PayoutInstruction payout{.provider_key = "nw_" + id, .payout_id = id, .merchant_id = row.merchant};
  PayoutRail& rail = claims_nothing ? static_cast<PayoutRail&>(bank_rail_) : *rail_;
  const bool submits = !row.submitted;
  row.submitted = true;
  const uint64_t lease = ++row.lease;
  chaos_.Between(process_);
  const RailAnswer answer = submits ? rail.Submit(payout) : rail.Query(payout);
  chaos_.Between(process_);
  if (row.lease != lease || row.settled) return;
  switch (answer.state) {
    case RailState::kPaid:
    case RailState::kFailed:
      row.settled = true;
      break;
    case RailState::kNotFound:
      if (!submits) row.submitted = false;
      break;
    case RailState::kWithheld:
      row.submitted = false;
      break;
    default:
      break;
  }
}

void SimulatedNorthwind::Cancel(const std::string& id) {
  Row& row = rows_.at(id);
  if (row.settled || row.called || row.locked) return;
  row.locked = true;
  struct Unlock {
    bool& locked;
    ~Unlock() { locked = false; }
  } unlock{row.locked};
  const absl::Status claimed =
      rail_->ClaimToCancel({.provider_key = "nw_" + id, .payout_id = id, .merchant_id = row.merchant});
  if (!claimed.ok()) return;
  chaos_.Between(process_);
  row.settled = true;
  bank_.Canceled(id);
  ++chaos_.counts.canceled;
}

void SimulatedNorthwind::TakePlaceOf(ProcessId process) {
  process_ = process;
  link_.set_process(process);
  bank_rail_.set_process(process);
  for (auto& [id, row] : rows_) row.finished = false;  // its residue is that of the copy
}

void SimulatedNorthwind::Follow() {
  std::vector<std::string> ids;
  // What is not assigned yet would be passed over. Some of them again.
  for (const auto& [id, row] : rows_) {
    if (row.settled && (!row.finished || chaos_.Happens(20)) && cutover_->Find(id).ok()) ids.push_back(id);
  }
  if (ids.empty()) return;
  if (!Check("finishing", cutover_->Finish(ids))) return;
  chaos_.Between(process_);
  for (const std::string& id : ids) rows_.at(id).finished = true;
}

}  // namespace northwind::testing
