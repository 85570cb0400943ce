// SPDX-License-Identifier: Apache-2.0
//
// Giving up a call that takes long, such as when somebody presses Ctrl-C:
//
//   const InterruptScope scope([&] { return somebody_pressed_ctrl_c.load(); });
//   const absl::Status verified = run->Verify();  // Cancelled, soon after
#ifndef NORTHWIND_INTERRUPT_H_
#define NORTHWIND_INTERRUPT_H_

#include <chrono>
#include <functional>

#include "absl/status/status.h"

namespace northwind {

class InterruptScope;

namespace internal {
// Whether the scope of this thread says that the call under way is to end. Cheap: the host is asked at most every kAskEvery.
bool Interrupted();
// Whether there is anybody to ask: then waits are cut to kAskEvery.
bool Interruptible();
// Cancelled, or OK.
absl::Status CheckInterrupted();
inline constexpr std::chrono::milliseconds kAskEvery{50};
}  // namespace internal

// While one lives on a thread, calls on that thread that take long ask it now and then whether to go on, and end with Cancelled once it
// says no; it is not asked again then. They are: opening a ledger, a scheduler or a parallel run; export and import of a journal;
// Intake::Apply, between its batches; all of ParallelRun that reads a day or more, and Ingest, between its writes; Cutover::Preview;
// Webhooks::CountRecoverable; SqsSource::Start, CountMessages and WaitUntilDrained; and whatever waits for PostgreSQL on the calling thread.
// Nothing is left half done: each ends as after an error of the disk or the network at that place, and is to be called again. A commit to the ledger, and
// what closes or stops, is not interrupted. A claim, or an epoch that is published, may have been made though it was: ask again, with the same token.
//
// The function is called with locks of the object at work held: it must not call northwind. Scopes of one thread end in the reverse order; an inner
// one hides the outer one, one without a function lets nothing be interrupted.
class InterruptScope {
 public:
  explicit InterruptScope(std::function<bool()> interrupted);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  friend bool internal::Interrupted();
  friend bool internal::Interruptible();
  bool Ask();

  const std::function<bool()> ask_;
  InterruptScope* const outer_;
  std::chrono::steady_clock::time_point next_;
  bool interrupted_ = false;
};

}  // namespace northwind

#endif  // NORTHWIND_INTERRUPT_H_
