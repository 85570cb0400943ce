// SPDX-License-Identifier: Apache-2.0
#include "src/http/poller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/status_matchers.h"

namespace northwind::internal::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kForEver = -1;
constexpr int kNotAtAll = 0;

class PollerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    NW_ASSERT_OK_AND_ASSIGN(poller_, Poller::Create());
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()), 0);
  }
  ~PollerTest() override {
    for (const int end : ends_) {
      if (end >= 0) close(end);
    }
  }
  std::vector<int> Wait(int timeout_ms) {
    std::vector<int> sockets;
    to_read_only_.clear();
    for (const Poller::Ready& ready : poller_->Wait(timeout_ms)) {
      sockets.push_back(ready.socket);
      to_read_only_.push_back(ready.to_read_only);
    }
    return sockets;
  }
  void Send() { ASSERT_EQ(write(ends_[1], "x", 1), 1); }

  std::unique_ptr<Poller> poller_;
  std::array<int, 2> ends_ = {-1, -1};
  std::vector<bool> to_read_only_;
};

TEST_F(PollerTest, TellsOfASocketAsLongAsThereIsSomethingToRead) {
  ASSERT_TRUE(poller_->Watch(ends_[0], Poller::kReading));
  EXPECT_THAT(Wait(kNotAtAll), IsEmpty());
  Send();
  EXPECT_THAT(Wait(kForEver), ElementsAre(ends_[0]));
  EXPECT_THAT(to_read_only_, ElementsAre(true));
  EXPECT_THAT(Wait(kForEver), ElementsAre(ends_[0]));
}

TEST_F(PollerTest, WhatIsSaidLastOfASocketHolds) {
  Send();
  ASSERT_TRUE(poller_->Watch(ends_[0], Poller::kBoth));
  EXPECT_THAT(Wait(kForEver), ElementsAre(ends_[0]));
  EXPECT_THAT(to_read_only_, ElementsAre(false));
  ASSERT_TRUE(poller_->Watch(ends_[0], Poller::kReading));
  EXPECT_THAT(Wait(kForEver), ElementsAre(ends_[0]));
  EXPECT_THAT(to_read_only_, ElementsAre(true));
  ASSERT_TRUE(poller_->Watch(ends_[0], Poller::kNothing));
  EXPECT_THAT(Wait(kNotAtAll), IsEmpty());
}

TEST_F(PollerTest, AnEndedConnectionIsMoreThanSomethingToRead) {
  ASSERT_TRUE(poller_->Watch(ends_[0], Poller::kReading));
  close(ends_[1]);
  ends_[1] = -1;
  EXPECT_THAT(Wait(kForEver), ElementsAre(ends_[0]));
  EXPECT_THAT(to_read_only_, ElementsAre(false));
}

TEST_F(PollerTest, AForgottenSocketIsNotToldOfAndCanBeWatchedAgain) {
  Send();
  ASSERT_TRUE(poller_->Watch(ends_[0], Poller::kReading));
  poller_->Forget(ends_[0]);
  EXPECT_THAT(Wait(kNotAtAll), IsEmpty());
  ASSERT_TRUE(poller_->Watch(ends_[0], Poller::kReading));
  EXPECT_THAT(Wait(kForEver), ElementsAre(ends_[0]));
}

TEST_F(PollerTest, AWakeUpEndsOneWaitWheneverItCame) {
  poller_->Wake();
  poller_->Wake();
  EXPECT_THAT(Wait(kForEver), IsEmpty());
  std::thread waker([&] { poller_->Wake(); });
  EXPECT_THAT(Wait(kForEver), IsEmpty());
  waker.join();
}

}  // namespace
}  // namespace northwind::internal::http
