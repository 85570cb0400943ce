// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/observe/log_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
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

TEST_F(LogQueueTest, EndsAlthoughNobodyReads) {
  Start({.end_patience = absl::Milliseconds(1)});
  for (int i = 0; i < 2'000; ++i) queue_->Put(std::string(99, 'x') + "\n", Kind::kOther);
  queue_.reset();
}

TEST_F(LogQueueTest, AReaderThatHasGoneIsNoEnd) {
  signal(SIGPIPE, SIG_IGN);
  Start({});
  close(ends_[0]);
  ends_[0] = dup(STDERR_FILENO);
  for (int i = 0; i < 2'000; ++i) queue_->Put(std::string(99, 'x') + "\n", Kind::kOther);
  queue_.reset();
}

}  // namespace
}  // namespace northwind::server
