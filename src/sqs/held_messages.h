// SPDX-License-Identifier: Apache-2.0
//
// The messages that were received and are not yet deleted or given back: what is to be done with each, in which order, and how much room
// they take. Pure: no clock, no network, no lock.
//
//   buffered → applying → deleting → gone      the usual way
//      ↑          │
//      └──────────┤ put back                   what could not be applied and is tried again
//                 → returning → gone           what could not be applied and is made visible again
//                 → gone                       what is left to its visibility timeout
//
// Of a message at most one request is under way. A delete or return waits for a heartbeat that is; no heartbeat begins on a
// message that is to be deleted or returned. Only what is left is forgotten at once, with a request under way or not: its answer is then for
// nobody, be it that the message has been received again, and has another number.
#ifndef NORTHWIND_SRC_SQS_HELD_MESSAGES_H_
#define NORTHWIND_SRC_SQS_HELD_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "src/sqs/message_body.h"

namespace northwind::internal::sqs {

class HeldMessages {
 public:
  struct Limits {
    size_t messages;
    size_t bytes;
  };
  explicit HeldMessages(const Limits& limits) : limits_(limits) {}

  // How long messages are hidden by a receive or a heartbeat; heartbeats come at a third of it.
  void SetVisibility(absl::Duration visibility) { visibility_ = visibility; }

  // ---- Room ---------------------------------------------------------------------------------------------------

  // Sets room aside for a receive, if there is as much.
  bool Reserve(size_t messages, size_t bytes);
  // Gives it back, when what came is known.
  void Release(size_t messages, size_t bytes);

  size_t size() const { return held_.size(); }
  size_t bytes() const { return bytes_; }
  bool empty() const { return held_.empty(); }

  // ---- Receiving ----------------------------------------------------------------------------------------------

  struct Arrival {
    std::string id;
    std::string receipt_handle;
    std::string group;  // empty: none
    EventBytes event;
  };
  // One that is held already takes the new handle and is not held twice; then false.
  bool Add(Arrival arrival, absl::Time now);

  // ---- Applying -----------------------------------------------------------------------------------------------

  using Number = uint64_t;  // of a message held, never used again
  struct Taken {
    Number number;
    const EventBytes* event;   // until the message is done with
    const std::string* group;  // likewise
    uint64_t position;
  };
  enum class Groups : uint8_t { kWhole, kOneEach };
  // From those buffered, in order of arrival. Of a group none behind an event of more than kMaxEventBytes, which may come to stop it; kOneEach:
  // at most one.
  std::vector<Taken> Take(size_t most, Groups groups);
  size_t buffered() const { return buffered_.size(); }

  // What becomes of those that were taken.
  void Delete(Number number);
  // It is no longer held, and visible again after its timeout.
  void Leave(Number number);
  // Buffered again, ahead of all others; in the order in which they were taken.
  void PutBack(const std::vector<Number>& numbers);

  // Gives back what is buffered: all but the first `kept`, or all of one group.
  void ReturnBuffered(size_t kept = 0);
  void ReturnGroup(const std::string& group);

  // ---- Requests -----------------------------------------------------------------------------------------------

  struct Request {
    Number number;
    uint64_t handle_version;
    std::string receipt_handle;
  };
  // What is to be asked for now, up to `most`; it is under way from then on, until the next functions tell how it went.
  std::vector<Request> BeginDeletes(size_t most) { return Begin(to_delete_, most); }
  std::vector<Request> BeginReturns(size_t most) { return Begin(to_return_, most); }
  std::vector<Request> BeginHeartbeats(absl::Time now, size_t most);
  // When the next heartbeat is due.
  absl::Time next_heartbeat() const;

  enum class Ended : uint8_t {
    kDone,     // or refused for good
    kNotDone,  // to be asked for again
  };
  void DeleteEnded(const Request& request, Ended ended) { RequestEnded(request, ended); }
  void ReturnEnded(const Request& request, Ended ended) { RequestEnded(request, ended); }
  void HeartbeatEnded(const Request& request, absl::Time now);

  bool has_deletes() const { return !to_delete_.empty(); }
  bool has_returns() const { return !to_return_.empty(); }
  // Forgets all, and all room that is set aside. What is under way must not be told of any more.
  void Clear();

 private:
  enum class Stage : uint8_t { kBuffered, kApplying, kDeleting, kReturning };
  enum class UnderWay : uint8_t { kNothing, kHeartbeat, kLast };  // kLast: its delete or return
  struct Held {
    std::string id;
    std::string receipt_handle;
    uint64_t handle_version = 0;
    std::string group;
    EventBytes event;
    size_t charged = 0;
    Stage stage = Stage::kBuffered;
    UnderWay under_way = UnderWay::kNothing;
    absl::Time beat_at;
  };

  Held& Get(Number number) { return *held_.at(number); }
  // The message's last request, or what leads to it, is to be made as soon as nothing else is under way.
  void Queue(Number number, Held& held, Stage stage);
  std::vector<Request> Begin(std::deque<Number>& from, size_t most);
  void RequestEnded(const Request& request, Ended ended);
  void ScheduleBeat(Number number, Held& held, absl::Time at);
  void CancelBeat(Number number, Held& held) { beats_.erase({held.beat_at, number}); }
  void Forget(Number number);

  const Limits limits_;
  absl::Duration visibility_ = absl::Seconds(30);
  size_t reserved_messages_ = 0;
  size_t reserved_bytes_ = 0;
  size_t bytes_ = 0;
  Number last_number_ = 0;
  absl::flat_hash_map<Number, std::unique_ptr<Held>> held_;
  absl::flat_hash_map<std::string, Number> by_id_;
  std::deque<Number> buffered_;                    // in order of arrival
  std::deque<Number> to_delete_;                   // with nothing under way
  std::deque<Number> to_return_;                   // likewise
  std::set<std::pair<absl::Time, Number>> beats_;  // of those buffered and applying that have no heartbeat under way
};

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_HELD_MESSAGES_H_
