// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/observe/log_queue.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace northwind::server {
namespace {

using Kind = LogQueue::Kind;
using ::testing::ElementsAre;

// A pipe holds 64 KiB of what nobody reads.
class LogQueueTest : public ::testing::Test {
 protected:
  LogQueueTest() { EXPECT_EQ(pipe(ends_.data()), 0); }
  ~LogQueueTest() override {
    queue_.reset();
    for (const int end : ends_) close(end);
  }

  void Start(LogQueueOptions options) {
    options.dropped_line = [](uint64_t count) { return absl::StrCat("dropped ", count, "\n"); };
    queue_ = std::make_unique<LogQueue>(ends_[1], options);
  }

  // Ends the queue, and reads to the end of what it wrote.
  std::vector<std::string> Lines() {
    std::thread end([this] {
      queue_.reset();
      EXPECT_EQ(write(ends_[1], "end\n", 4), 4);
    });
    std::string text;
    while (!absl::EndsWith(text, "end\n")) {
      std::array<char, 4096> piece;
      const ssize_t size = read(ends_[0], piece.data(), piece.size());
      if (size <= 0) break;
      text.append(piece.data(), static_cast<size_t>(size));
    }
    end.join();
    std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
    EXPECT_EQ(lines.back(), "end");
    lines.pop_back();
    return lines;
  }

  std::array<int, 2> ends_{};
  std::unique_ptr<LogQueue> queue_;
};

TEST_F(LogQueueTest, LinesComeWholeAndInOrder) {
  Start({});
  std::vector<std::string> put;
  for (int i = 0; i < 2'000; ++i) {
    put.push_back(absl::StrCat("line ", i, " ", std::string(static_cast<size_t>(i % 100), 'x')));
    queue_->Put(put.back() + "\n", i % 2 == 0 ? Kind::kRequest : Kind::kOther);
  }
  EXPECT_EQ(Lines(), put);
}

TEST_F(LogQueueTest, WhoeverLogsDoesNotWaitAndWhatFindsNoRoomIsCounted) {
  constexpr int kLines = 5'000;
  Start({.max_bytes = 100'000, .reserved_bytes = 50'000});
  const std::string line = std::string(99, 'x') + "\n";
  // Nobody reads: without the bound, or with a write by whoever logs, this would not end well.
  for (int i = 0; i < kLines; ++i) queue_->Put(line, Kind::kRequest);
  const uint64_t dropped = queue_->dropped();
  EXPECT_GT(dropped, 0);
  // Strangers' requests leave room for what an operator should know of.
  queue_->Put("important\n", Kind::kOther);
  EXPECT_EQ(queue_->dropped(), dropped);
  uint64_t whole = 0, told = 0, important = 0;
  for (const std::string& got : Lines()) {
    if (got == line.substr(0, 99)) ++whole;
    if (got == "important") ++important;
    if (absl::StartsWith(got, "dropped ")) told += std::stoull(got.substr(8));
  }
  EXPECT_EQ(told, dropped);
  EXPECT_EQ(whole + dropped, kLines);
  EXPECT_EQ(important, 1);
}

// What is there of the pipe, whole lines and the last part of one; what else is put is not there.
std::string ReadAll(int end) {
  EXPECT_EQ(fcntl(end, F_SETFL, O_NONBLOCK), 0);
  std::string text;
  std::array<char, 4096> piece;
  for (ssize_t size = 0; (size = read(end, piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<size_t>(size));
  }
  return text;
}

TEST_F(LogQueueTest, EndsAlthoughNobodyReadsAndCountsWhatIsLost) {
  constexpr uint64_t kLines = 2'000;
  Start({.end_patience = absl::Milliseconds(1)});
  for (uint64_t i = 0; i < kLines; ++i) queue_->Put(std::string(99, 'x') + "\n", Kind::kOther);
  queue_->End();
  const std::string text = ReadAll(ends_[0]);
  const auto whole = static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
  EXPECT_GE(queue_->dropped(), kLines - (64 << 10) / 100);
  EXPECT_EQ(whole + queue_->dropped(), kLines);
  queue_->Put("late\n", Kind::kOther);
  EXPECT_EQ(whole + queue_->dropped(), kLines + 1);
}

TEST_F(LogQueueTest, WhatAReaderThatHasGoneDoesNotTakeIsCounted) {
  signal(SIGPIPE, SIG_IGN);
  Start({});
  close(ends_[0]);
  ends_[0] = dup(STDERR_FILENO);
  for (int i = 0; i < 2'000; ++i) queue_->Put(std::string(99, 'x') + "\n", Kind::kOther);
  queue_->End();
  EXPECT_EQ(queue_->dropped(), 2'000);
}

TEST_F(LogQueueTest, WhatADiskThatIsFullDoesNotTakeIsToldOnceItTakesLinesAgain) {
  const int pipe_end = dup(ends_[1]);
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(dup2(full, ends_[1]), 0);
  close(full);
  Start({});
  for (int i = 0; i < 3; ++i) queue_->Put("lost\n", Kind::kOther);
  while (queue_->dropped() < 3) std::this_thread::yield();
  ASSERT_GE(dup2(pipe_end, ends_[1]), 0);
  close(pipe_end);
  queue_->Put("kept\n", Kind::kOther);
  EXPECT_THAT(Lines(), ElementsAre("kept", "dropped 3"));
}

TEST_F(LogQueueTest, APartOfALineIsALineOfItsOwn) {
  signal(SIGXFSZ, SIG_IGN);
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  ASSERT_GE(dup2(fileno(file), ends_[1]), 0);
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit low{.rlim_cur = 150, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  Start({});
  for (int i = 0; i < 3; ++i) queue_->Put(std::string(99, 'x') + "\n", Kind::kOther);
  while (queue_->dropped() < 2) std::this_thread::yield();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  queue_->Put("kept\n", Kind::kOther);
  queue_->End();
  EXPECT_EQ(queue_->dropped(), 2);
  std::string text(1'000, '\0');
  text.resize(static_cast<size_t>(pread(fileno(file), text.data(), text.size(), 0)));
  EXPECT_EQ(text, std::string(99, 'x') + "\n" + std::string(50, 'x') + "\nkept\ndropped 2\n");
  std::fclose(file);
}

// An eventfd says that it has room if there is some, and what is written, as a number, is more: that waits until somebody reads.
TEST_F(LogQueueTest, EndsAlthoughAWriteDoesNotComeBack) {
  const int number = eventfd(0, EFD_CLOEXEC);
  ASSERT_EQ(eventfd_write(number, std::numeric_limits<uint64_t>::max() - 2), 0);
  ASSERT_GE(dup2(number, ends_[1]), 0);
  Start({.end_patience = absl::Milliseconds(300)});  // time for the thread to come to its write
  queue_->Put("8 bytes\n", Kind::kOther);            // which it takes for a number
  queue_->End();
  EXPECT_EQ(queue_->dropped(), 1);
  uint64_t before = 0;
  EXPECT_EQ(eventfd_read(number, &before), 0);  // lets the write go
  close(number);
}

}  // namespace
}  // namespace northwind::server
