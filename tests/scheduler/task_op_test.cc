// SPDX-License-Identifier: Apache-2.0
//
// Golden bytes of the scheduler's log, written down by hand from src/scheduler/task_op.h.
#include "src/scheduler/task_op.h"

#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/scheduler/policy.h"

namespace northwind::internal {
namespace {

constexpr int64_t kLine = 1'000'000;

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[c & 15]);
  }
  return out;
}

TaskOp Make(TaskOpKind kind) {
  TaskOp op;
  op.kind = kind;
  op.slot = 3;
  op.number = 300;
  op.error = "e!";
  op.due = kLine + 64;
  op.delay = 5;
  op.until = kLine - 1;
  op.epoch = 2;
  op.cause = DeathCause::kAge;
  return op;
}

std::string EncodedPolicy() {
  std::string policy;
  EncodePolicy(RetryPolicy::StandardWebhooks(), policy);
  return policy;
}

TaskOp MakeTask(const std::string& policy) {
  TaskOp op = Make(TaskOpKind::kTask);
  op.id = "id";
  op.queue = "q";
  op.key = "k";
  op.payload = "pay";
  op.priority = 7;
  op.policy = policy;
  op.created = kLine;
  op.attempts = 1;
  op.state = StoredState::kDead;
  op.unknown = true;
  return op;
}

// The bytes of one op in a block.
std::string Encode(TaskOp op) {
  TaskBlockWriter writer;
  writer.Begin({.line = kLine, .next_number = 9});
  writer.Add(op);
  return Hex(std::string_view(writer.Finish(5)).substr(op.offset, op.bytes));
}

TEST(TaskOpGolden, EveryOp) {
  TaskOp prolongs = Make(TaskOpKind::kLeased);
  prolongs.prolongs = true;
  EXPECT_EQ(Encode(MakeTask(EncodedPolicy())),
            "0103ac02"  // task, slot, number
            "026964"
            "0171"
            "016b"
            "03706179"                  // id, queue, key, payload
            "07"                        // priority
            "410000ffffffffffffffff7f"  // policy: the standard delays, no jitter, no limits
            "00"
            "8001"
            "0a"  // created, due, delay
            "02"
            "01"
            "03"
            "01"
            "03"
            "01"        // epoch, attempts, state, flags, cause, until
            "026521");  // error
  EXPECT_EQ(Encode(Make(TaskOpKind::kLeased)),
            "0203ac02"
            "02"
            "01"
            "00");
  EXPECT_EQ(Encode(prolongs),
            "0203ac02"
            "02"
            "01"
            "01");
  EXPECT_EQ(Encode(Make(TaskOpKind::kGone)), "0303ac02");
  EXPECT_EQ(Encode(Make(TaskOpKind::kWaits)),
            "0403ac02"
            "8001"
            "0a"
            "00"
            "026521");
  EXPECT_EQ(Encode(Make(TaskOpKind::kDead)),
            "0503ac02"
            "03"
            "01"
            "00"
            "026521");
  EXPECT_EQ(Encode(Make(TaskOpKind::kAgain)),
            "0603ac02"
            "8001"
            "0a");
}

TEST(TaskOpGolden, ABlock) {
  TaskBlockWriter writer;
  writer.Begin({.line = kLine, .next_number = 9});
  TaskOp gone = Make(TaskOpKind::kGone);
  writer.Add(gone);
  // version, XXH3-64 with seed 5 of what follows it (by another implementation of xxHash), line, next number, op
  EXPECT_EQ(Hex(writer.Finish(5)),
            "01"
            "54554de24d00fc7d"
            "80897a"
            "09"
            "0303ac02");
}

TEST(TaskOp, SurvivesItsEncoding) {
  const std::string policy = EncodedPolicy();
  std::vector<TaskOp> ops = {MakeTask(policy),         Make(TaskOpKind::kLeased), Make(TaskOpKind::kGone),
                             Make(TaskOpKind::kWaits), Make(TaskOpKind::kDead),   Make(TaskOpKind::kAgain)};
  ops[3].due = std::numeric_limits<int64_t>::max();
  ops[4].until = 0;
  TaskBlockWriter writer;
  writer.Begin({.line = kLine, .next_number = 9});
  for (TaskOp& op : ops) writer.Add(op);
  const std::string block = writer.Finish(5);
  TaskBlockReader reader(block);
  TaskBlockHeader header;
  ASSERT_TRUE(reader.ReadHeader(5, header));
  EXPECT_EQ(header.line, kLine);
  EXPECT_EQ(header.next_number, 9U);
  TaskOp found;
  for (const TaskOp& op : ops) {
    ASSERT_TRUE(reader.Next(found));
    EXPECT_EQ(found.kind, op.kind);
    EXPECT_EQ(found.offset, op.offset);
    EXPECT_EQ(found.bytes, op.bytes);
    TaskOp again;
    ASSERT_TRUE(TaskBlockReader(block).ReadAt(op.offset, again));
    EXPECT_EQ(again.number, op.number);
  }
  EXPECT_FALSE(reader.Next(found));
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(found.due, ops[5].due);
  std::string_view error;
  ASSERT_TRUE(ReadErrorAt(block, ops[3].error_offset, error));
  EXPECT_EQ(error, "e!");
  ASSERT_TRUE(TaskBlockReader(block).ReadAt(ops[0].offset, found));
  EXPECT_EQ(found.payload, "pay");
  EXPECT_EQ(found.error, "e!");
  EXPECT_EQ(found.created, kLine);
  EXPECT_EQ(found.policy, policy);
  ASSERT_TRUE(TaskBlockReader(block).ReadAt(ops[3].offset, found));
  EXPECT_EQ(found.due, std::numeric_limits<int64_t>::max());
}

TEST(TaskOp, NoByteOfABlockCanChange) {
  TaskBlockWriter writer;
  writer.Begin({.line = kLine, .next_number = 9});
  TaskOp op = Make(TaskOpKind::kWaits);
  writer.Add(op);
  const std::string block = writer.Finish(5);
  for (size_t at = 0; at < block.size(); ++at) {
    std::string damaged = block;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    TaskBlockHeader header;
    EXPECT_FALSE(TaskBlockReader(damaged).ReadHeader(5, header)) << at;
    EXPECT_FALSE(TaskBlockReader(std::string_view(block).substr(0, at)).ReadHeader(5, header)) << at;
  }
  TaskBlockHeader header;
  EXPECT_TRUE(TaskBlockReader(block).ReadHeader(5, header));
  EXPECT_FALSE(TaskBlockReader(block).ReadHeader(6, header)) << "in another's place";
}

}  // namespace
}  // namespace northwind::internal
