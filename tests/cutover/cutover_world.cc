// SPDX-License-Identifier: Apache-2.0
#include "tests/cutover/cutover_world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace northwind::testing {
namespace {

constexpr int kDays = 14;
constexpr int kHours = 24 * kDays;
constexpr int kPayments = 40;
constexpr int kMerchants = 8;
constexpr int kSettlingRounds = 60;

}  // namespace

CutoverWorld::CutoverWorld(uint64_t seed, Sabotage sabotage, StorePool& stores)
    : sabotage_(sabotage),
      chaos_(seed),
      random_(chaos_.random),
      bank_(chaos_, arbiter_),
      batch_(chaos_, arbiter_, bank_) {
  const std::string salt = absl::StrCat("salt-", seed);
  northwind_ = std::make_unique<SimulatedNorthwind>(chaos_, arbiter_, bank_, ProcessId::kNorthwind, salt, stores);
  restores_ = random_.OneIn(4);
  bank_.takes_keys_once = !random_.OneIn(4);
  if (restores_ || random_.OneIn(6)) {
    zombie_ = std::make_unique<SimulatedNorthwind>(chaos_, arbiter_, bank_, ProcessId::kZombie, salt, stores);
  }
  if (!restores_ && random_.OneIn(16)) northwind_->MakeDiskFail();
  northwind_->claims_nothing = sabotage == Sabotage::kNorthwindClaimsNothing;
  batch_.claims_nothing = sabotage == Sabotage::kBatchClaimsNothing;
  for (int i = 0; i < kMerchants; ++i) merchants_.push_back(absl::StrCat("m_", i));
  for (int i = 0; i < kPayments; ++i) {
    payments_.push_back({.id = absl::StrCat("po_", i),
                         .merchant = random_.Pick(merchants_),
                         .hour = static_cast<int>(random_.Below(kHours))});
  }
  arbiter_.now = [this] { return northwind_->clock().Now() + absl::Minutes(random_.Between(-90, 90)); };
  chaos_.meanwhile = [this](ProcessId process) { Meanwhile(process); };
}

SimulationResult CutoverWorld::Run() {
  const uint32_t begin = random_.Pick(std::vector<uint32_t>{500, 5'000, 10'000});
  OnBoth([&](SimulatedNorthwind& northwind) {
    northwind.Start();
    if (!northwind.running()) return;
    northwind.Check("adding merchants", northwind.cutover().AddMerchants(merchants_, "import"));
    northwind.Check("raising", northwind.cutover().ForceRaise(begin, "maria", "begin"));
  });
  // What is sabotaged goes on, to the worst.
  const auto may_go_on = [this] { return chaos_.violations.empty() || sabotage_ != Sabotage::kNone; };
  for (int hour = 0; hour < kHours && may_go_on(); ++hour) Hour(hour);
  if (may_go_on()) Settle();
  if (chaos_.violations.empty()) CheckEnd();
  chaos_.counts.payments = payments_.size();
  return {.violations = chaos_.violations, .counts = chaos_.counts};
}

template <typename Action>
void CutoverWorld::OnBoth(const Action& action) {
  action(*northwind_);
  if (zombie_ != nullptr && !forked_) action(*zombie_);
}

// ---- Steps, and steps within steps --------------------------------------------------------------------------

template <typename Action>
void CutoverWorld::As(ProcessId process, const Action& action) {
  ++frames_[process];
  try {
    action();
    --frames_[process];
  } catch (const Crash& crash) {
    --frames_[process];
    // The operator works through northwind, and ends with it.
    if (frames_[crash.process] > 0) throw;
    EndOf(crash.process);
  }
}

void CutoverWorld::EndOf(ProcessId process) {
  ++chaos_.counts.crashes;
  switch (process) {
    case ProcessId::kNorthwind: {
      FaultFs* const disk = northwind_->disk();
      const bool power = disk != nullptr && (disk->PowerIsCut() || random_.OneIn(4));
      if (power) ++chaos_.counts.power_cuts;
      northwind_->End(power ? SimulatedNorthwind::How::kPowerCut : SimulatedNorthwind::How::kKilled);
      down_until_ = hour_ + static_cast<int>(random_.Below(12));
      return;
    }
    case ProcessId::kZombie:
      zombie_.reset();
      return;
    case ProcessId::kBatch:
      return batch_.Restart();
  }
}

void CutoverWorld::Hour(int hour) {
  hour_ = hour;
  OnBoth([&](SimulatedNorthwind& northwind) {
    northwind.clock().Advance(absl::Hours(1));
    if (chaos_.Happens(20)) northwind.clock().Jump(absl::Minutes(random_.Between(-600, 600)));
  });
  if (!northwind_->running() && hour >= down_until_) northwind_->Start();
  DeliverEvents(hour);
  if (hour % 24 == 2) As(ProcessId::kBatch, [this] { batch_.Begin(); });
  for (uint64_t steps = 1 + random_.Below(3); steps > 0; --steps) Step();
  CheckOwners();
}

void CutoverWorld::Step() {
  const uint64_t what = random_.Below(100);
  if (what < 10) return chaos_.DeliverOne();
  if (what < 14) return Partition();
  if (what < 40) {
    if (!batch_.Working() || frames_[ProcessId::kBatch] > 0) return;
    return As(ProcessId::kBatch, [this] {
      for (uint64_t n = 1 + random_.Below(4); n > 0; --n) batch_.Step();
    });
  }
  if (zombie_ != nullptr && forked_ && !restores_ && what < 50) {
    if (frames_[ProcessId::kZombie] > 0) return;
    return As(ProcessId::kZombie, [this] { WorkOnOne(*zombie_, false); });
  }
  if (what == 50) return forked_ && restores_ ? Restore() : Fork();
  if (!northwind_->running()) return;
  if (what == 51) {
    FaultFs* const disk = northwind_->disk();
    const uint64_t changes = random_.Below(8);
    if (disk != nullptr && !disk->PowerIsCut()) disk->CutPowerAfter(changes);
    return;
  }
  As(ProcessId::kNorthwind, [&] {
    if (what < 75) return WorkOnOne(*northwind_, random_.OneIn(4));
    if (what < 85) return northwind_->Follow();
    Operate();
  });
}

void CutoverWorld::Meanwhile(ProcessId /*process*/) {
  if (depth_ > 0) return;
  ++depth_;
  struct Leave {
    int& depth;
    ~Leave() { --depth; }
  } leave{depth_};
  // The worst moments are those in which somebody turns back.
  if (random_.OneIn(25) && northwind_->running()) {
    As(ProcessId::kNorthwind, [this] {
      RollBack();
      if (random_.OneIn(2)) HandBack();
    });
  }
  for (uint64_t steps = 1 + random_.Below(4); steps > 0; --steps) Step();
  CheckOwners();
}

// ---- What they do -------------------------------------------------------------------------------------------

void CutoverWorld::DeliverEvents(int hour) {
  for (Payment& payment : payments_) {
    if (payment.hour > hour || !northwind_->running()) continue;
    // At least once, and some of them again.
    if (!payment.taken || chaos_.Happens(10)) {
      As(ProcessId::kNorthwind, [&] { DeliverPayment(payment); });
    }
    if (!payment.settled && northwind_->running() && batch_.HasEnded(payment.id) && !chaos_.Happens(700)) {
      northwind_->Settled(payment.id);
      payment.settled = payment.taken;
    }
  }
}

void CutoverWorld::DeliverPayment(Payment& payment) {
  if (!northwind_->Receive(payment.id, payment.merchant)) return;
  if (northwind_->assigned().at(payment.id) == SettlementSystem::kBatch) batch_.Tell(payment.id, payment.merchant);
  payment.taken = true;
  if (zombie_ != nullptr && !forked_) {
    zombie_->cutover()
        .Assign(std::vector<RouteRequest>{{.id = payment.id, .merchant_id = payment.merchant}})
        .status()
        .IgnoreError();
  }
}

void CutoverWorld::WorkOnOne(SimulatedNorthwind& northwind, bool whatever) {
  std::vector<std::string> open;
  for (const auto& [id, row] : northwind.rows()) {
    if (!row.settled) open.push_back(id);
  }
  for (uint64_t n = whatever ? 6 : 2; n > 0 && !open.empty(); --n) northwind.Work(random_.Pick(open));
}

void CutoverWorld::Operate() {
  switch (random_.Below(20)) {
    case 0:
      return RollBack();
    case 1:
      return HandBack();
    case 2:
      return TellBatchOfAll();
    case 7:
    case 8:
      // Another copy of the store would not know of it, and pay.
      if (zombie_ != nullptr || restores_ || northwind_->rows().empty()) return;
      return CancelOne();
    case 3:
    case 4:
    case 5:
    case 6:
      return Change();
    default:
      if (!publish_due_) return;
      if (northwind_->cutover().PublishEpoch(northwind_->link()).ok()) publish_due_ = false;
  }
}

void CutoverWorld::Change() {
  const CutoverStatus status = northwind_->cutover().Status();
  ++chaos_.counts.changes;
  publish_due_ = true;
  const uint64_t what = random_.Below(8);
  const std::string merchant = random_.Pick(merchants_);
  const uint64_t override = random_.Below(3);
  OnBoth([&](SimulatedNorthwind& northwind) {
    Cutover& cutover = northwind.cutover();
    switch (what) {
      case 0:
      case 1: {
        const auto next = std::upper_bound(status.stages.begin(), status.stages.end(), status.threshold);
        if (next == status.stages.end()) return;
        northwind.Check("raising", cutover.ForceRaise(*next, "maria", "two clean weeks"));
        return;
      }
      case 2:
      case 3:
      case 4:
        northwind.Check("resuming routing", cutover.ForceResumeRouting("maria", "mended"));
        return;
      case 5:
      case 6:
        northwind.Check("resuming sending", cutover.ResumeSending("maria", "mended"));
        return;
      default:
        northwind.Check("an override", cutover.SetOverride(merchant,
                                                           override == 0   ? std::optional<Override>()
                                                           : override == 1 ? Override::kAllow
                                                                           : Override::kDeny,
                                                           "maria", "asked for"));
    }
  });
}

void CutoverWorld::RollBack() {
  ++chaos_.counts.changes;
  ++chaos_.counts.rollbacks;
  publish_due_ = true;
  const uint64_t what = random_.Below(3);
  OnBoth([&](SimulatedNorthwind& northwind) {
    Cutover& cutover = northwind.cutover();
    if (what == 0) {
      northwind.Check("routing to the batch", cutover.RouteToBatch("maria", "odd figures"));
    } else if (what == 1) {
      northwind.Check("stopping", cutover.StopSending("maria", "odd figures"));
    } else if (const uint32_t threshold = cutover.Status().threshold; threshold > 0) {
      northwind.Check("lowering", cutover.Lower(threshold / 2, "maria", "odd figures"));
    }
  });
  if (random_.OneIn(2) && northwind_->cutover().PublishEpoch(northwind_->link()).ok()) publish_due_ = false;
}

void CutoverWorld::HandBack() {
  const auto page = northwind_->cutover().Residue(northwind_->link(), {}, 1 + random_.Below(20));
  if (!northwind_->Check("the residue", page.status(), absl::StatusCode::kUnavailable)) return;
  std::vector<std::string> ids;
  for (const ResiduePage::Item& item : page->items) ids.push_back(item.assignment.id);
  const auto result = northwind_->cutover().HandBack(northwind_->link(), ids, "maria", "after the rollback");
  // Stale, if another changes settings and publishes their epoch meanwhile.
  const bool stale = absl::IsFailedPrecondition(result.status());
  if (!northwind_->Check("handing back", result.status(),
                         stale ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kUnavailable)) {
    return;
  }
  chaos_.counts.handed_back += result->handed;
}

// Nobody hands anything back, and the batch is simply told to take what is open: what it may pay the claims decide.
void CutoverWorld::TellBatchOfAll() {
  for (const Payment& payment : payments_) {
    if (payment.taken && random_.OneIn(2)) batch_.Tell(payment.id, payment.merchant);
  }
}

void CutoverWorld::CancelOne() {
  std::vector<std::string> waiting;
  for (const auto& [id, row] : northwind_->rows()) {
    if (!row.settled && !row.called) waiting.push_back(id);
  }
  if (!waiting.empty()) northwind_->Cancel(random_.Pick(waiting));
}

void CutoverWorld::Partition() {
  northwind_->link().cut = chaos_.Happens(200);
  batch_.link().cut = chaos_.Happens(200);
  if (zombie_ != nullptr) zombie_->link().cut = chaos_.Happens(200);
  if (sabotage_ == Sabotage::kArbiterForgets && !arbiter_.rows().empty()) {
    auto row = arbiter_.rows().begin();
    std::advance(row, random_.Below(arbiter_.rows().size()));
    arbiter_.Forget(std::string(row->first));
  }
}

// From now on there are two: one goes on, and one with what it knew is still there.
void CutoverWorld::Fork() {
  if (zombie_ == nullptr || forked_ || depth_ > 0) return;
  forked_ = true;
  ++chaos_.counts.zombies;
  zombie_->rows() = northwind_->rows();
}

// Its disk is lost; there is a backup, and the queue has the events once more.
void CutoverWorld::Restore() {
  if (zombie_ == nullptr || depth_ > 0 || frames_[ProcessId::kNorthwind] > 0) return;
  ++chaos_.counts.restores;
  northwind_ = std::move(zombie_);
  northwind_->TakePlaceOf(ProcessId::kNorthwind);
  for (Payment& payment : payments_) payment.taken = payment.settled = false;
  // Whoever restores is careful first: what was northwind's is assigned to the batch now.
  As(ProcessId::kNorthwind, [this] {
    if (random_.OneIn(2)) RollBack();
    Advance();
  });
}

// Somebody has seen that the settings are what they should be.
void CutoverWorld::Advance() {
  const uint64_t published = arbiter_.published();
  if (northwind_->cutover().Status().epoch > published) return;
  northwind_->Check("advancing", northwind_->cutover().AdvanceEpoch(published + 1, "maria", "restored"));
  publish_due_ = true;
}

// ---- What must hold -----------------------------------------------------------------------------------------

void CutoverWorld::CheckOwners() {
  for (const auto& [id, row] : arbiter_.rows()) {
    const auto [first, added] = owners_.emplace(id, row.record.system);
    if (!added && first->second != row.record.system) chaos_.Violation(absl::StrCat("the owner of ", id, " changed"));
  }
}

void CutoverWorld::Settle() {
  chaos_.calm = true;
  zombie_.reset();
  Partition();  // which mends
  while (!chaos_.in_flight.empty()) chaos_.DeliverOne();
  northwind_->End(SimulatedNorthwind::How::kPowerCut);  // so that none is to come any more
  northwind_->Start();
  if (!northwind_->running()) return;
  if (restores_) Advance();
  const bool hand_back = random_.OneIn(2);
  for (int round = 0; round < kSettlingRounds; ++round) {
    northwind_->clock().Advance(absl::Hours(12));
    DeliverEvents(kHours);
    // All go back to the batch but what northwind has claimed, which it must be let pay.
    if (hand_back) HandBack();
    if (!hand_back || round == 10) {
      northwind_->Check("resuming", northwind_->cutover().ResumeSending("maria", "mended"));
    }
    for (auto& [id, row] : northwind_->rows()) northwind_->Work(id);
    batch_.Begin();
    while (batch_.Working()) batch_.Step();
    northwind_->Follow();
    CheckOwners();
    if (!northwind_->cutover().PublishEpoch(northwind_->link()).ok()) chaos_.Violation("the epoch is not published");
    if ((bank_.takes_keys_once || round > 12) && AllIsSettled()) return;
  }
}

bool CutoverWorld::AllIsSettled() {
  const auto& rows = northwind_->rows();
  return rows.size() == payments_.size() && std::all_of(rows.begin(), rows.end(), [this](const auto& row) {
           return row.second.finished || IsUnclear(row.first);
         });
}

bool CutoverWorld::IsUnclear(const std::string& id) const {
  return !bank_.takes_keys_once && owners_.contains(id) && !bank_.paid().contains(id) && !bank_.HasNoPayer(id);
}

void CutoverWorld::CheckEnd() {
  uint64_t unclear = 0;
  for (const Payment& payment : payments_) {
    const auto paid = bank_.paid().find(payment.id);
    if (IsUnclear(payment.id)) {
      ++unclear;
      continue;
    }
    if (paid == bank_.paid().end() && bank_.HasNoPayer(payment.id)) {
      if (!northwind_->rows().at(payment.id).finished) chaos_.Violation(payment.id + " never came to its end");
      continue;
    }
    if (paid == bank_.paid().end()) {
      chaos_.Violation(absl::StrCat(payment.id, " was never paid"));
      continue;
    }
    if (paid->second.front() == SettlementSystem::kBatch) ++chaos_.counts.by_batch;
    if (!northwind_->rows().at(payment.id).finished)
      chaos_.Violation(absl::StrCat(payment.id, " never came to its end"));
    const auto owner = owners_.find(payment.id);
    if (owner == owners_.end() || owner->second != paid->second.front()) {
      chaos_.Violation(absl::StrCat(payment.id, " was not paid by its owner"));
    }
  }
  const CutoverStatus status = northwind_->cutover().Status();
  chaos_.counts.unclear += unclear;
  if (status.residue > unclear) chaos_.Violation(absl::StrCat("residue: ", status.residue));
  const auto page = northwind_->cutover().Residue(northwind_->link());
  if (!page.ok() || page->items.size() != status.residue) chaos_.Violation("there is residue in the list");
  if (arbiter_.published() != status.epoch) chaos_.Violation("the published epoch is not the last one");
  if (const auto log = northwind_->cutover().AuditLog(0, kMaxAuditPage); !log.ok()) {
    chaos_.Violation("the audit log: " + log.status().ToString());
  }
}

}  // namespace northwind::testing
