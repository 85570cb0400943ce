// SPDX-License-Identifier: Apache-2.0
//
// tsan_probe ordered: threads that are in step by every means of Abseil that northwind uses; nothing may be reported.
// tsan_probe race: one access that is not; it must be reported.
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace {

constexpr int kRounds = 1000;

struct Shared {
  absl::Mutex mutex;
  absl::CondVar changed;
  int turns ABSL_GUARDED_BY(mutex) = 0;
  bool ready ABSL_GUARDED_BY(mutex) = false;
  int unguarded = 0;
};

void TakeTurns(Shared& shared, int mine) {
  for (int i = 0; i < kRounds; ++i) {
    absl::MutexLock lock(&shared.mutex);
    while (shared.turns % 2 != mine) shared.changed.WaitWithTimeout(&shared.mutex, absl::Seconds(10));
    ++shared.turns;
    ++shared.unguarded;
    shared.changed.Signal();
  }
}

// Each thread reads its own copy of a status and forgets it; who is last, frees what they share.
void ShareStatuses() {
  const auto read = [](absl::Status mine, size_t& length) { length += std::string(mine.message()).size(); };
  size_t lengths[2] = {0, 0};
  for (int i = 0; i < kRounds; ++i) {
    absl::Status shared = absl::UnavailableError("longer than what a string holds within itself");
    std::thread other(read, shared, std::ref(lengths[1]));
    read(std::move(shared), lengths[0]);
    other.join();
  }
  std::printf("%zu %zu\n", lengths[0], lengths[1]);
}

void RunOrdered() {
  Shared shared;
  std::thread even(TakeTurns, std::ref(shared), 0);
  std::thread odd(TakeTurns, std::ref(shared), 1);
  even.join();
  odd.join();

  absl::Notification told;
  absl::BlockingCounter finished(2);
  const auto work = [&](int& mine) {
    {
      absl::MutexLock lock(&shared.mutex, absl::Condition(&shared.ready));
      ++shared.unguarded;
    }
    told.WaitForNotification();
    mine = shared.unguarded;
    finished.DecrementCount();
  };
  int seen[2] = {0, 0};
  std::thread first(work, std::ref(seen[0]));
  std::thread second(work, std::ref(seen[1]));
  {
    absl::MutexLock lock(&shared.mutex);
    ++shared.unguarded;
    shared.ready = true;
  }
  {
    const auto both = [&shared] { return shared.unguarded == 2 * kRounds + 3; };
    absl::MutexLock lock(&shared.mutex);
    shared.mutex.Await(absl::Condition(&both));
    ++shared.unguarded;
  }
  told.Notify();
  finished.Wait();
  std::printf("%d %d\n", seen[0], seen[1]);
  first.join();
  second.join();
  ShareStatuses();
}

void RunRace() {
  Shared shared;
  const auto add = [&shared] {
    for (int i = 0; i < kRounds; ++i) {
      { absl::MutexLock lock(&shared.mutex); }
      ++shared.unguarded;
    }
  };
  std::thread first(add);
  std::thread second(add);
  first.join();
  second.join();
  std::printf("%d\n", shared.unguarded);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "ordered") {
    RunOrdered();
  } else if (what == "race") {
    RunRace();
  } else {
    std::fprintf(stderr, "usage: tsan_probe ordered|race\n");
  }
  return 0;
}
