// SPDX-License-Identifier: Apache-2.0
//
// Two weeks in which merchants move from the batch to northwind and back, while everything that can go wrong does; and then a calm, in which
// all that was begun must come to its end.
#ifndef NORTHWIND_TESTS_CUTOVER_CUTOVER_WORLD_H_
#define NORTHWIND_TESTS_CUTOVER_CUTOVER_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/cutover/arbiter_model.h"
#include "tests/cutover/chaos.h"
#include "tests/cutover/simulated_batch.h"
#include "tests/cutover/simulated_network.h"
#include "tests/cutover/simulated_northwind.h"
#include "tests/cutover/store_pool.h"

namespace northwind::testing {

// What is broken on purpose.
enum class Sabotage : uint8_t { kNone, kArbiterForgets, kNorthwindClaimsNothing, kBatchClaimsNothing };

struct SimulationResult {
  std::vector<std::string> violations;  // none: it went as it must
  SimulationCounts counts;
};

class CutoverWorld {
 public:
  CutoverWorld(uint64_t seed, Sabotage sabotage, StorePool& stores);
  SimulationResult Run();

 private:
  struct Payment {
    std::string id;
    std::string merchant;
    int hour = 0;          // when it comes
    bool taken = false;    // northwind has answered for it
    bool settled = false;  // northwind knows that the batch has paid it
  };

  void Hour(int hour);
  // Something that somebody does.
  void Step();
  // While `process` is between two steps.
  void Meanwhile(ProcessId process);
  // Runs what a process does, with its end if that comes.
  template <typename Action>
  void As(ProcessId process, const Action& action);
  void EndOf(ProcessId process);

  void DeliverEvents(int hour);
  void DeliverPayment(Payment& payment);
  void WorkOnOne(SimulatedNorthwind& northwind, bool whatever);
  void Operate();
  void Change();
  void RollBack();
  void HandBack();
  void TellBatchOfAll();
  void Partition();
  void Fork();
  void Restore();
  void Advance();
  void CancelOne();
  // Nobody can tell whether it was paid, and so nobody pays it.
  bool IsUnclear(const std::string& id) const;
  void CheckOwners();

  // Faults have stopped.
  void Settle();
  bool AllIsSettled();
  void CheckEnd();

  // What happens to northwind, and to the one that will be a zombie until it is.
  template <typename Action>
  void OnBoth(const Action& action);

  const Sabotage sabotage_;
  Chaos chaos_;
  Random& random_;
  ArbiterModel arbiter_;
  SimulatedBank bank_;
  SimulatedBatch batch_;
  std::unique_ptr<SimulatedNorthwind> northwind_;
  std::unique_ptr<SimulatedNorthwind> zombie_;  // an older copy, once forked
  bool forked_ = false;
  bool restores_ = false;  // the older copy is a backup, which does nothing until it takes the place of the other
  bool publish_due_ = false;
  int down_until_ = 0;  // hour
  int hour_ = 0;
  int depth_ = 0;                    // of steps within steps
  std::map<ProcessId, int> frames_;  // of each process, that are under way
  std::vector<Payment> payments_;
  std::vector<std::string> merchants_;
  std::map<std::string, SettlementSystem> owners_;  // as first seen
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_CUTOVER_CUTOVER_WORLD_H_
