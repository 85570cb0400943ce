// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SUPPORT_KILLER_H_
#define NORTHWIND_TESTS_SUPPORT_KILLER_H_

#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/seed.h"

namespace northwind::testing {

// When children are killed: so many of ten some time after their start, most likely while they open, so many with one of
// their first messages, and the others some time after they have opened.
struct KillMoments {
  uint64_t while_opening = 3;
  uint64_t with_message = 4;
  uint64_t messages = 200;
  std::chrono::microseconds after_opening{40'000};  // at most
};

// Runs children and kills them with SIGKILL at random moments. A child writes messages, plain structs, to its descriptor 3; it is not to
// end by itself.
template <typename Message>
class Killer {
 public:
  Killer(Random& random, const KillMoments& moments) : random_(random), moments_(moments) {}

  // `take` is called for each message and says whether it is the one by which the child tells that it has opened. To be called
  // with ASSERT_NO_FATAL_FAILURE, as `take` may assert too.
  template <typename Take>
  void RunAndKill(const std::vector<std::string>& command, const Take& take) {
    using Clock = std::chrono::steady_clock;
    ChildProcess child(command);
    const auto start = Clock::now();
    const auto deadline = start + std::chrono::seconds(120);
    const uint64_t choice = random_.Below(10);
    const bool await_open = choice >= moments_.while_opening;
    const uint64_t messages = choice >= 10 - moments_.with_message ? 1 + random_.Below(moments_.messages) : 0;
    const auto most = await_open ? moments_.after_opening : 2 * opening_took_;
    const std::chrono::microseconds delay(random_.Below(static_cast<uint64_t>(most.count())));
    auto moment = start + delay;
    opened_ = false;
    received_ = 0;
    while (true) {
      const auto now = Clock::now();
      ASSERT_LT(now, deadline) << "the child does nothing";
      const bool ready = (!await_open || opened_) && received_ >= messages;
      if (ready && now >= moment) break;
      const bool was_open = opened_;
      // Whether the clock or a message brings the next step: look again soon.
      ASSERT_TRUE(child.Read(bytes_, ready ? 0 : 1)) << "the child ended by itself with " << child.Wait();
      ASSERT_NO_FATAL_FAILURE(TakeMessages(take));
      if (await_open && opened_ && !was_open) {
        opening_took_ =
            std::chrono::duration_cast<std::chrono::microseconds>(now - start) + std::chrono::microseconds(1);
        moment = now + delay;
      }
      if (messages > 0) moment = now;
    }
    child.Kill();
    while (child.Read(bytes_, -1)) ASSERT_NO_FATAL_FAILURE(TakeMessages(take));
    ASSERT_NO_FATAL_FAILURE(TakeMessages(take));
    const int status = child.Wait();
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended with " << status;
    bytes_.clear();  // of a message that was cut off
    ++kills_;
    if (!opened_) ++kills_while_opening_;
  }

  unsigned long long kills() const { return kills_; }
  unsigned long long kills_while_opening() const { return kills_while_opening_; }

 private:
  template <typename Take>
  void TakeMessages(const Take& take) {
    size_t used = 0;
    for (; used + sizeof(Message) <= bytes_.size(); used += sizeof(Message)) {
      Message message;
      std::memcpy(&message, bytes_.data() + used, sizeof(message));
      bool opens = false;
      ASSERT_NO_FATAL_FAILURE(opens = take(message));
      if (opens) {
        opened_ = true;
      } else {
        ++received_;
      }
    }
    bytes_.erase(0, used);
  }

  Random& random_;
  const KillMoments moments_;
  unsigned long long kills_ = 0;
  unsigned long long kills_while_opening_ = 0;

  std::chrono::microseconds opening_took_{60'000};  // the last time
  std::string bytes_;                               // of the pipe, not yet understood
  bool opened_ = false;
  uint64_t received_ = 0;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_KILLER_H_
