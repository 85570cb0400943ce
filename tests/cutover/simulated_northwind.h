// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_CUTOVER_SIMULATED_NORTHWIND_H_
#define NORTHWIND_TESTS_CUTOVER_SIMULATED_NORTHWIND_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "northwind/cutover.h"
#include "tests/cutover/chaos.h"
#include "tests/cutover/simulated_network.h"
#include "tests/cutover/store_pool.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_fs.h"

namespace northwind::testing {

// A process of northwind: a real Store, in some worlds on a disk that loses power, a real Cutover, a real ClaimedRail; and in the place of Payouts what
// Payouts does with a rail. Of each payout it keeps that it was submitted before it calls the rail; a worker that takes it over asks
// instead of submitting; kNotFound and kWithheld make it unsubmitted again; an answer that comes after somebody else has taken
// the payout over is not heard.
class SimulatedNorthwind {
 public:
  struct Row {
    std::string merchant;
    bool submitted = false;
    bool settled = false;   // in the ledger: paid, by whomever
    bool finished = false;  // Cutover has been told
    bool called = false;    // the rail was, ever
    bool locked = false;    // somebody is about to cancel it
    uint64_t lease = 0;
  };

  SimulatedNorthwind(Chaos& chaos, ArbiterModel& arbiter, SimulatedBank& bank, ProcessId process, std::string salt,
                     StorePool& stores);
  // From now on its disk may lose power: a store of its own, before the first Start.
  void MakeDiskFail() { disk_ = std::make_unique<FaultFs>(chaos_.random.Next()); }
  ~SimulatedNorthwind();

  // The process begins, with what the disk has.
  void Start();
  // It is gone: killed, which costs nothing that was written (and so the store stays open, as that is what takes time); or with the power
  // of its disk, if that may fail.
  enum class How : uint8_t { kKilled, kPowerCut };
  void End(How how);
  bool running() const { return cutover_ != nullptr; }

  // An event: this is to be paid. False if it could not be taken; it comes again then.
  bool Receive(const std::string& id, const std::string& merchant);
  // An event: the batch has paid it.
  void Settled(const std::string& id);
  // A worker takes it.
  void Work(const std::string& id);
  // Somebody cancels it, if the rail was not called for it.
  void Cancel(const std::string& id);
  // A backup takes another's place: what it knew is all that is known.
  void TakePlaceOf(ProcessId process);
  // Tells Cutover what is settled.
  void Follow();

  Cutover& cutover() { return *cutover_; }
  ArbiterLink& link() { return link_; }
  FakeClock& clock() { return clock_; }
  FaultFs* disk() { return disk_.get(); }  // null: it does not fail
  std::map<std::string, Row>& rows() { return rows_; }
  // What was answered when an id was assigned first: it may never be another.
  const std::map<std::string, SettlementSystem>& assigned() const { return assigned_; }

  // A status of Cutover: OK, or the end of the process if its disk is gone, or else a violation. `allowed` may be as well.
  bool Check(const char* what, const absl::Status& status, absl::StatusCode allowed = absl::StatusCode::kOk);

  bool claims_nothing = false;  // what no host may do: for tests that must fail

 private:
  Chaos& chaos_;
  ProcessId process_;
  const std::string salt_;
  FakeClock clock_;
  ArbiterLink link_;
  SimulatedBank& bank_;
  BankRail bank_rail_;
  StorePool& stores_;
  std::unique_ptr<FaultFs> disk_;
  StorePool::Lent store_;
  std::unique_ptr<Cutover> cutover_;
  std::unique_ptr<ClaimedRail> rail_;
  std::map<std::string, Row> rows_;  // as in a database: survives
  std::map<std::string, SettlementSystem> assigned_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_CUTOVER_SIMULATED_NORTHWIND_H_
