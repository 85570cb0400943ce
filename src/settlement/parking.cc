// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/parking.h"

#include <algorithm>

#include "northwind/status.h"

namespace northwind::internal {
namespace {

// All that the ledger compares a duplicate on.
bool SameContent(const Transaction& a, const Transaction& b) {
  return a.kind == b.kind && a.postings == b.postings && a.target == b.target && a.amount == b.amount &&
         a.final_capture == b.final_capture && a.code == b.code && a.reference == b.reference &&
         a.unique_reference == b.unique_reference && a.effective_at == b.effective_at && a.expires_at == b.expires_at &&
         a.metadata == b.metadata;
}

void Erase(std::vector<uint64_t>& numbers, uint64_t number) {
  const auto it = std::lower_bound(numbers.begin(), numbers.end(), number);
  NW_CHECK(it != numbers.end() && *it == number, "a parked event is in all its indexes");
  numbers.erase(it);
}

}  // namespace

size_t Parking::BytesOf(const ParkedEvent& event) {
  constexpr size_t kOverhead = 512;  // the object, its nodes in the three maps, short strings
  return kOverhead + event.raw.size() + event.transaction.metadata.size() + 4 * event.transaction.reference.size() +
         event.copies.size() * sizeof(Delivery);
}

Parking::Answer Parking::Park(ParkedEvent&& event) {
  const Transaction& t = event.transaction;
  const size_t free_bytes = limits_.bytes - std::min(bytes_, limits_.bytes);
  if (const auto same_key = by_key_.find(t.key); same_key != by_key_.end()) {
    for (const uint64_t arrival : same_key->second) {
      ParkedEvent& parked = events_.at(arrival);
      if (!SameContent(parked.transaction, t)) continue;
      if (sizeof(Delivery) > free_bytes) return Answer::kFull;
      parked.copies.push_back(event.delivery);
      bytes_ += sizeof(Delivery);
      return Answer::kCopy;
    }
  }
  const size_t bytes = BytesOf(event);
  if (events_.size() >= limits_.events || bytes > free_bytes) return Answer::kFull;
  const Subject target = Subject::TargetOf(t);
  auto waiting = waiting_.find(target);
  if (waiting == waiting_.end()) {
    waiting = waiting_.try_emplace(Name{target.code, std::string(target.reference)}).first;
  }
  if (waiting->second.size() >= limits_.per_target) return Answer::kTargetFull;

  const uint64_t arrival = next_arrival_++;
  waiting->second.push_back(arrival);
  by_key_[t.key].push_back(arrival);
  bytes_ += bytes;
  events_.emplace_hint(events_.end(), arrival, std::move(event));
  return Answer::kParked;
}

std::vector<uint64_t> Parking::WaitingFor(const Subject& subject) const {
  const auto first = waiting_.find(subject);
  if (first == waiting_.end()) return {};
  std::vector<uint64_t> found = first->second;
  // Several of them may bear one name (a copy under a new timestamp), so each list is taken once. Targets are always
  // events of another type: the chain is short and cannot come back to itself.
  std::vector<const Numbers*> taken = {&first->second};
  for (size_t i = 0; i < found.size(); ++i) {
    const auto more = waiting_.find(Subject::Of(events_.at(found[i]).transaction));
    if (more == waiting_.end() || std::find(taken.begin(), taken.end(), &more->second) != taken.end()) continue;
    taken.push_back(&more->second);
    found.insert(found.end(), more->second.begin(), more->second.end());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<uint64_t> Parking::Oldest(size_t limit) const {
  std::vector<uint64_t> oldest;
  for (auto it = events_.begin(); it != events_.end() && oldest.size() < limit; ++it) oldest.push_back(it->first);
  return oldest;
}

const ParkedEvent* Parking::Find(uint64_t arrival) const {
  const auto it = events_.find(arrival);
  return it == events_.end() ? nullptr : &it->second;
}

std::optional<uint64_t> Parking::FindRaw(const IdempotencyKey& key, std::string_view raw) const {
  const auto same_key = by_key_.find(key);
  if (same_key == by_key_.end()) return std::nullopt;
  for (const uint64_t arrival : same_key->second) {
    if (events_.at(arrival).raw == raw) return arrival;
  }
  return std::nullopt;
}

ParkedEvent Parking::Remove(uint64_t arrival) {
  auto node = events_.extract(arrival);
  NW_CHECK(!node.empty(), "the event is parked");
  ParkedEvent event = std::move(node.mapped());
  const auto waiting = waiting_.find(Subject::TargetOf(event.transaction));
  NW_CHECK(waiting != waiting_.end(), "a parked event waits for its target");
  Erase(waiting->second, arrival);
  if (waiting->second.empty()) waiting_.erase(waiting);
  const auto same_key = by_key_.find(event.transaction.key);
  NW_CHECK(same_key != by_key_.end(), "a parked event is known by its key");
  Erase(same_key->second, arrival);
  if (same_key->second.empty()) by_key_.erase(same_key);
  bytes_ -= BytesOf(event);
  return event;
}

}  // namespace northwind::internal
