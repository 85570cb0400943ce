// SPDX-License-Identifier: Apache-2.0
#include "src/scheduler/task_op.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "src/scheduler/policy.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kHashAt = 1;
constexpr size_t kHashedFrom = kHashAt + 8;
constexpr uint8_t kUnknownFlag = 1;

uint64_t HashOf(std::string_view block, uint64_t number) {
  return XXH3_64bits_withSeed(block.data() + kHashedFrom, block.size() - kHashedFrom, number);
}

void PutZigZag(std::string& out, int64_t v) { PutVarint64(out, ZigZag(v)); }

bool GetFlag(ByteReader& in, bool& flag) {
  uint8_t byte = 0;
  if (!in.GetByte(byte) || byte > 1) return in.Fail();
  flag = byte != 0;
  return true;
}

bool GetCause(ByteReader& in, DeathCause& cause) {
  uint8_t byte = 0;
  if (!in.GetByte(byte) || byte > static_cast<uint8_t>(DeathCause::kAge)) return in.Fail();
  cause = static_cast<DeathCause>(byte);
  return true;
}

}  // namespace

void TaskBlockWriter::Begin(const TaskBlockHeader& header) {
  bytes_.clear();
  bytes_.push_back(static_cast<char>(kVersion));
  bytes_.append(8, '\0');
  PutZigZag(bytes_, header.line);
  PutVarint64(bytes_, header.next_number);
  line_ = header.line;
  ops_ = 0;
}

// Wraps around for times that are further apart than 2^63 ns; reading wraps back.
void TaskBlockWriter::PutTime(int64_t time) {
  PutZigZag(bytes_, static_cast<int64_t>(static_cast<uint64_t>(time) - static_cast<uint64_t>(line_)));
}

void TaskBlockWriter::Add(TaskOp& op) {
  op.offset = static_cast<uint32_t>(bytes_.size());
  bytes_.push_back(static_cast<char>(op.kind));
  PutVarint64(bytes_, op.slot);
  PutVarint64(bytes_, op.number);
  const auto put_error = [&] {
    op.error_offset = static_cast<uint32_t>(bytes_.size());
    PutBytes(bytes_, op.error);
  };
  switch (op.kind) {
    case TaskOpKind::kTask:
      PutBytes(bytes_, op.id);
      PutBytes(bytes_, op.queue);
      PutBytes(bytes_, op.key);
      PutBytes(bytes_, op.payload);
      bytes_.push_back(static_cast<char>(op.priority));
      bytes_.append(op.policy);
      PutTime(op.created);
      PutTime(op.due);
      PutZigZag(bytes_, op.delay);
      PutVarint64(bytes_, op.epoch);
      PutVarint64(bytes_, op.attempts);
      bytes_.push_back(static_cast<char>(op.state));
      bytes_.push_back(static_cast<char>(op.unknown ? kUnknownFlag : 0));
      bytes_.push_back(static_cast<char>(op.cause));
      PutTime(op.until);
      put_error();
      break;
    case TaskOpKind::kLeased:
      PutVarint64(bytes_, op.epoch);
      PutTime(op.until);
      bytes_.push_back(op.prolongs ? 1 : 0);
      break;
    case TaskOpKind::kGone:
      break;
    case TaskOpKind::kWaits:
      PutTime(op.due);
      PutZigZag(bytes_, op.delay);
      bytes_.push_back(op.unknown ? 1 : 0);
      put_error();
      break;
    case TaskOpKind::kDead:
      bytes_.push_back(static_cast<char>(op.cause));
      PutTime(op.until);
      bytes_.push_back(op.unknown ? 1 : 0);
      put_error();
      break;
    case TaskOpKind::kAgain:
      PutTime(op.due);
      PutZigZag(bytes_, op.delay);
      break;
  }
  op.bytes = static_cast<uint32_t>(bytes_.size()) - op.offset;
  ++ops_;
}

const std::string& TaskBlockWriter::Finish(uint64_t number) {
  std::string hash;
  PutBigEndian64(hash, HashOf(bytes_, number));
  bytes_.replace(kHashAt, 8, hash);
  return bytes_;
}

bool TaskBlockReader::ReadHeader(uint64_t number, TaskBlockHeader& header) {
  uint8_t version = 0;
  uint64_t hash = 0;
  if (!in_.GetByte(version) || version != kVersion || !in_.GetBigEndian64(hash) || hash != HashOf(block_, number)) {
    return in_.Fail();
  }
  if (!in_.GetZigZag(header.line) || !in_.GetVarint64(header.next_number)) return false;
  line_ = header.line;
  return true;
}

bool TaskBlockReader::GetTime(int64_t& time) {
  int64_t delta = 0;
  if (!in_.GetZigZag(delta)) return false;
  time = static_cast<int64_t>(static_cast<uint64_t>(line_) + static_cast<uint64_t>(delta));
  return true;
}

bool TaskBlockReader::GetTask(TaskOp& op) {
  if (!in_.GetBytes(kMaxTaskIdBytes, op.id) || op.id.empty() || !in_.GetBytes(kMaxQueueNameBytes, op.queue) ||
      op.queue.empty() || !in_.GetBytes(kMaxTaskKeyBytes, op.key) || !in_.GetBytes(kMaxTaskPayloadBytes, op.payload) ||
      !in_.GetByte(op.priority)) {
    return in_.Fail();
  }
  const char* const policy = in_.position();
  RetryPolicy unused;
  if (!DecodePolicy(in_, unused)) return false;
  op.policy = {policy, static_cast<size_t>(in_.position() - policy)};
  uint8_t state = 0;
  if (!GetTime(op.created) || !GetTime(op.due) || !in_.GetZigZag(op.delay) || !in_.GetVarint(op.epoch) ||
      !in_.GetVarint(op.attempts) || !in_.GetByte(state) || state < 1 || state > 3) {
    return in_.Fail();
  }
  op.state = static_cast<StoredState>(state);
  if (!GetFlag(in_, op.unknown) || !GetCause(in_, op.cause) || !GetTime(op.until)) return false;
  op.error_offset = static_cast<uint32_t>(in_.position() - block_.data());
  return in_.GetBytes(kMaxTaskErrorBytes, op.error);
}

bool TaskBlockReader::Next(TaskOp& op) {
  if (in_.AtEnd()) return false;
  op = TaskOp();
  const char* const begin = in_.position();
  op.offset = static_cast<uint32_t>(begin - block_.data());
  uint8_t kind = 0;
  if (!in_.GetByte(kind) || !in_.GetVarint(op.slot) || !in_.GetVarint64(op.number)) return false;
  op.kind = static_cast<TaskOpKind>(kind);
  const auto get_error = [&] {
    op.error_offset = static_cast<uint32_t>(in_.position() - block_.data());
    return in_.GetBytes(kMaxTaskErrorBytes, op.error);
  };
  bool good = false;
  switch (op.kind) {
    case TaskOpKind::kTask:
      good = GetTask(op);
      break;
    case TaskOpKind::kLeased:
      good = in_.GetVarint(op.epoch) && GetTime(op.until) && GetFlag(in_, op.prolongs);
      break;
    case TaskOpKind::kGone:
      good = true;
      break;
    case TaskOpKind::kWaits:
      good = GetTime(op.due) && in_.GetZigZag(op.delay) && GetFlag(in_, op.unknown) && get_error();
      break;
    case TaskOpKind::kDead:
      good = GetCause(in_, op.cause) && op.cause != DeathCause{} && GetTime(op.until) && GetFlag(in_, op.unknown) &&
             get_error();
      break;
    case TaskOpKind::kAgain:
      good = GetTime(op.due) && in_.GetZigZag(op.delay);
      break;
  }
  if (!good) return in_.Fail();
  op.bytes = static_cast<uint32_t>(in_.position() - begin);
  return true;
}

bool TaskBlockReader::ReadAt(uint32_t offset, TaskOp& op) {
  TaskBlockHeader header;
  if (!in_.GetRaw(kHashedFrom, op.id) || !in_.GetZigZag(header.line)) return false;  // checked when it was read first
  line_ = header.line;
  if (offset >= block_.size()) return in_.Fail();
  in_ = ByteReader(block_.substr(offset));
  return Next(op);
}

bool ReadErrorAt(std::string_view block, uint32_t offset, std::string_view& error) {
  if (offset >= block.size()) return false;
  return ByteReader(block.substr(offset)).GetBytes(kMaxTaskErrorBytes, error);
}

}  // namespace northwind::internal
