// SPDX-License-Identifier: Apache-2.0
#include "src/http/name_resolver.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/http/client_fixture.h"

namespace northwind::testing {
namespace {

using http::IpAddress;
using http::NameResolver;
using Addresses = absl::StatusOr<std::vector<IpAddress>>;

// Answers by ticket.
class Answers {
 public:
  NameResolver::Answer Function() {
    return [this](uint64_t ticket, const Addresses& addresses) {
      const std::lock_guard lock(mutex_);
      EXPECT_TRUE(by_ticket_.emplace(ticket, addresses).second) << "answered twice: " << ticket;
      changed_.notify_all();
    };
  }
  Addresses Await(uint64_t ticket) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return by_ticket_.count(ticket) > 0; });
    return by_ticket_.at(ticket);
  }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return by_ticket_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, Addresses> by_ticket_;
};

TEST(NameResolver, TheSystemsResolverKnowsThisMachineAndSaysWhenThereIsNothing) {
  const Addresses addresses = http::ResolveBySystem("localhost");
  ASSERT_THAT(addresses, IsOk());
  for (const IpAddress& address : *addresses) {
    EXPECT_TRUE(Range("127.0.0.0/8").Contains(address) || Range("::1/128").Contains(address)) << address.ToString();
  }
  EXPECT_FALSE(http::ResolveBySystem("no such name").ok());
}

TEST(NameResolver, LookupsOfOneNameThatMeetShareACall) {
  Answers answers;
  absl::Notification looking;
  absl::Notification release;
  std::atomic<int> calls = 0;
  NameResolver resolver(
      [&](const std::string&) -> Addresses {
        if (calls++ == 0) looking.Notify();
        release.WaitForNotification();
        return std::vector<IpAddress>{*IpAddress::Parse("1.2.3.4")};
      },
      8, answers.Function());
  resolver.Lookup("a.test", 1);
  looking.WaitForNotification();
  for (uint64_t ticket = 2; ticket <= 100; ++ticket) resolver.Lookup("a.test", ticket);
  release.Notify();
  for (uint64_t ticket = 1; ticket <= 100; ++ticket) EXPECT_THAT(answers.Await(ticket), IsOk());
  EXPECT_EQ(calls, 1);
  resolver.Lookup("a.test", 101);
  EXPECT_THAT(answers.Await(101), IsOk());
  EXPECT_EQ(calls, 2) << "nothing is remembered";
}

TEST(NameResolver, ANameThatHangsKeepsOneThreadAndTheOthersGoOn) {
  Answers answers;
  absl::Notification release;
  NameResolver resolver(
      [&](const std::string& host) -> Addresses {
        if (host == "hangs.test") release.WaitForNotification();
        return absl::NotFoundError(host);
      },
      2, answers.Function());
  for (uint64_t ticket = 1; ticket <= 10; ++ticket) resolver.Lookup("hangs.test", ticket);
  for (uint64_t ticket = 11; ticket <= 20; ++ticket) {
    resolver.Lookup(std::to_string(ticket), ticket);
    EXPECT_THAT(answers.Await(ticket), StatusIs(absl::StatusCode::kNotFound, std::to_string(ticket)));
  }
  EXPECT_EQ(answers.count(), 10u);
  release.Notify();
  for (uint64_t ticket = 1; ticket <= 10; ++ticket) EXPECT_FALSE(answers.Await(ticket).ok());
}

// Names that once failed, or took long, and then hang.
TEST(NameResolver, NamesKnownToBeSlowLeaveHalfOfTheThreadsToTheOthers) {
  struct Case {
    absl::Status first;
    std::chrono::seconds slow;
  };
  for (const Case& each : {Case{absl::UnavailableError("servers"), std::chrono::hours(1)},
                           Case{absl::NotFoundError("name"), std::chrono::seconds(0)}}) {
    Answers answers;
    Counter running;
    std::atomic<bool> hang = false;
    absl::Notification release;
    NameResolver resolver(
        [&](const std::string& host) -> Addresses {
          if (host[0] == 'q') return absl::NotFoundError(host);
          if (!hang) return each.first;
          running.Add();
          release.WaitForNotification();
          return absl::NotFoundError(host);
        },
        4, answers.Function(), each.slow);
    for (uint64_t ticket = 0; ticket < 8; ++ticket) {
      resolver.Lookup(absl::StrCat("slow", ticket), ticket);
      answers.Await(ticket).IgnoreError();
    }
    hang = true;
    for (uint64_t ticket = 10; ticket < 18; ++ticket) resolver.Lookup(absl::StrCat("slow", ticket - 10), ticket);
    running.Await(2);
    for (uint64_t ticket = 20; ticket < 40; ++ticket) {
      resolver.Lookup(absl::StrCat("quick", ticket), ticket);
      EXPECT_FALSE(answers.Await(ticket).ok());
    }
    EXPECT_EQ(running.count(), 2u);
    resolver.Forget("slow7", 17);
    release.Notify();
    for (uint64_t ticket = 10; ticket < 17; ++ticket) EXPECT_FALSE(answers.Await(ticket).ok());
    EXPECT_EQ(running.count(), 7u);
  }
}

TEST(NameResolver, ANameThatIsQuickAgainIsLikeAnyOther) {
  Answers answers;
  Counter running;
  std::atomic<int> round = 0;
  absl::Notification release;
  NameResolver resolver(
      [&](const std::string& host) -> Addresses {
        if (round == 0) return absl::UnavailableError(host);
        if (round == 2) {
          running.Add();
          release.WaitForNotification();
        }
        return absl::NotFoundError(host);
      },
      2, answers.Function(), std::chrono::hours(1));
  uint64_t ticket = 0;
  for (; round < 2; ++round) {
    for (const char* host : {"a.test", "b.test"}) {
      resolver.Lookup(host, ++ticket);
      EXPECT_FALSE(answers.Await(ticket).ok());
    }
  }
  resolver.Lookup("a.test", 5);
  resolver.Lookup("b.test", 6);
  running.Await(2);  // of slow ones, only one would run
  release.Notify();
  for (const uint64_t each : {5, 6}) EXPECT_FALSE(answers.Await(each).ok());
}

TEST(NameResolver, WhatIsForgottenIsNotAnswered) {
  Answers answers;
  absl::Notification looking;
  absl::Notification release;
  std::vector<std::string> calls;
  {
    NameResolver resolver(
        [&](const std::string& host) -> Addresses {
          calls.push_back(host);
          if (calls.size() == 1) {
            looking.Notify();
            release.WaitForNotification();
          }
          return absl::NotFoundError(host);
        },
        1, answers.Function());
    resolver.Lookup("running.test", 1);
    resolver.Lookup("running.test", 2);
    resolver.Lookup("waiting.test", 3);
    resolver.Lookup("kept.test", 4);
    looking.WaitForNotification();
    resolver.Forget("running.test", 1);
    resolver.Forget("waiting.test", 3);
    resolver.Forget("never.test", 5);
    release.Notify();
    EXPECT_FALSE(answers.Await(2).ok());
    EXPECT_FALSE(answers.Await(4).ok());
  }
  EXPECT_EQ(answers.count(), 2u);
  EXPECT_EQ(calls, (std::vector<std::string>{"running.test", "kept.test"}));
}

}  // namespace
}  // namespace northwind::testing
