// SPDX-License-Identifier: Apache-2.0
#include "src/scheduler/task_log.h"

#include <utility>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr char kBlock = 'b';
constexpr std::string_view kFirstKey = "f";
constexpr char kKey = 'k';
constexpr char kQueue = 'q';

std::string BlockKey(uint64_t number) {
  std::string key(1, kBlock);
  PutBigEndian64(key, number);
  return key;
}

absl::Status Malformed(const char* what) { return Error(absl::StatusCode::kDataLoss, "scheduler: malformed ", what); }

}  // namespace

absl::Status TaskLog::Load(Visitor visit) {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> first, engine_.Get(Space::kTasks, kFirstKey));
  if (first) {
    if (first->view().size() != 8) return Malformed("beginning of the log");
    next_ = LoadBigEndian64(first->view().data());
  }
  Cursor cursor = engine_.NewCursor(Space::kTasks, {.fill_cache = false, .read_ahead = true, .interruptible = true});
  for (cursor.Seek(BlockKey(next_)); cursor.Valid() && cursor.key()[0] == kBlock; cursor.Next()) {
    if (cursor.key() != BlockKey(next_)) {
      return Error(absl::StatusCode::kDataLoss, "scheduler log: block ", next_, " is missing");
    }
    NW_RETURN_IF_ERROR(visit(next_, cursor.value()));
    sizes_.push_back(static_cast<uint32_t>(cursor.value().size()));
    bytes_ += cursor.value().size();
    ++next_;
  }
  NW_RETURN_IF_ERROR(cursor.status());
  if (first && sizes_.empty()) return Error(absl::StatusCode::kDataLoss, "scheduler log: block ", next_, " is missing");
  return absl::OkStatus();
}

absl::Status TaskLog::LoadSettings(
    absl::FunctionRef<absl::Status(std::string_view, const QueueConfig&)> queue,
    absl::FunctionRef<absl::Status(std::string_view, std::string_view, const KeyConfig&)> key) {
  Cursor cursor = engine_.NewCursor(Space::kTasks);
  for (cursor.Seek(std::string(1, kKey)); cursor.Valid(); cursor.Next()) {
    ByteReader in(cursor.value());
    uint8_t paused = 0, order = 0;
    uint32_t limit = 0;
    if (!in.GetByte(paused) || paused > 1 || !in.GetVarint(limit)) return Malformed("setting");
    const std::string_view name = cursor.key().substr(1);
    if (cursor.key()[0] == kKey) {
      const size_t size = name.empty() ? 0 : static_cast<uint8_t>(name[0]);
      if (size == 0 || name.size() <= 1 + size || !in.AtEnd()) return Malformed("setting of a key");
      NW_RETURN_IF_ERROR(
          key(name.substr(1, size), name.substr(1 + size), {.paused = paused != 0, .max_leased = limit}));
    } else if (cursor.key()[0] == kQueue) {
      if (name.empty() || !in.GetByte(order) || order > static_cast<uint8_t>(KeyOrder::kSkipDead) || !in.AtEnd()) {
        return Malformed("setting of a queue");
      }
      NW_RETURN_IF_ERROR(
          queue(name, {.paused = paused != 0, .max_per_key = limit, .order = static_cast<KeyOrder>(order)}));
    }
  }
  return cursor.status();
}

void TaskLog::Append(std::string_view block, WriteSet& writes) {
  writes.Put(Space::kTasks, BlockKey(next_), block);
  if (next_ == 1) {  // from now on a log without its first block is damage
    std::string first;
    PutBigEndian64(first, 1);
    writes.Put(Space::kTasks, kFirstKey, first);
  }
  appended_ = std::make_shared<const std::string>(block);
}

void TaskLog::DropFront(uint64_t count, WriteSet& writes) {
  if (count == 0) return;
  for (uint64_t i = 0; i < count; ++i) writes.Delete(Space::kTasks, BlockKey(first() + i));
  std::string value;
  PutBigEndian64(value, first() + count);
  writes.Put(Space::kTasks, kFirstKey, value);
  dropped_ = count;
}

void TaskLog::Committed() {
  if (appended_ != nullptr) {
    sizes_.push_back(static_cast<uint32_t>(appended_->size()));
    bytes_ += appended_->size();
    Cache(next_, appended_);
    appended_ = nullptr;
    ++next_;
  }
  for (; dropped_ > 0; --dropped_) {
    bytes_ -= sizes_.front();
    sizes_.pop_front();
  }
}

void TaskLog::PutQueue(std::string_view queue, const QueueConfig& config, WriteSet& writes) {
  std::string value(1, static_cast<char>(config.paused ? 1 : 0));
  PutVarint64(value, config.max_per_key);
  value.push_back(static_cast<char>(config.order));
  writes.Put(Space::kTasks, std::string(1, kQueue).append(queue), value);
}

void TaskLog::PutKey(std::string_view queue, std::string_view key, const KeyConfig& config, WriteSet& writes) {
  std::string name(1, kKey);
  name.push_back(static_cast<char>(queue.size()));
  name.append(queue).append(key);
  if (config == KeyConfig()) {
    writes.Delete(Space::kTasks, name);
    return;
  }
  std::string value(1, static_cast<char>(config.paused ? 1 : 0));
  PutVarint64(value, config.max_leased);
  writes.Put(Space::kTasks, name, value);
}

absl::StatusOr<std::shared_ptr<const std::string>> TaskLog::Read(uint64_t number) {
  if (const auto found = cache_.find(number); found != cache_.end()) return found->second;
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine_.Get(Space::kTasks, BlockKey(number)));
  if (!value) return Error(absl::StatusCode::kDataLoss, "scheduler log: block ", number, " is missing");
  auto block = std::make_shared<const std::string>(value->view());
  Cache(number, block);
  return block;
}

void TaskLog::Cache(uint64_t number, const std::shared_ptr<const std::string>& block) {
  cached_bytes_ += block->size();
  cache_.emplace(number, block);
  cached_.push_back(number);
  // The last one stays, however large: a turn that takes its tasks one by one must not read it for each.
  while (cached_bytes_ > cache_bytes_ && cached_.size() > 1) {
    const auto oldest = cache_.find(cached_.front());
    cached_bytes_ -= oldest->second->size();
    cache_.erase(oldest);
    cached_.pop_front();
  }
}

}  // namespace northwind::internal
