// SPDX-License-Identifier: Apache-2.0
//
// The file has a line for each thing that happened: S submission arrived, P accepted, E executed, F refused; then provider
// key, asset, minor units and, for whoever reads the books, payout id. Lines are appended whole by one write each: a killed
// process leaves none in part.
#include "examples/simulated_rail/rail.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "northwind/status.h"

namespace northwind::examples {
namespace {

// Of seed and key, the same in every process.
uint64_t Draw(uint64_t seed, const std::string& key) {
  uint64_t hash = 14695981039346656037u ^ seed;  // FNV-1a
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash ^ (hash >> 29);
}

struct Line {
  char what = 0;
  std::string key;
  std::string asset;
  std::string units;
};

absl::StatusOr<std::vector<Line>> ReadLines(const std::string& path) {
  std::ifstream in(path);
  if (!in) return absl::UnavailableError(absl::StrCat(path, ": ", std::strerror(errno)));
  std::vector<Line> lines;
  for (std::string text; std::getline(in, text);) {
    std::istringstream words(text);
    Line line;
    if (!(words >> line.what >> line.key >> line.asset >> line.units)) {
      return absl::DataLossError(absl::StrCat(path, ": not the books of a simulated rail: '", text, "'"));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SimulatedRail>> SimulatedRail::Open(const std::string& path,
                                                                   const SimulatedRailOptions& options) {
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return absl::UnavailableError(absl::StrCat(path, ": ", std::strerror(errno)));
  std::unique_ptr<SimulatedRail> rail(new SimulatedRail(file, options));
  NW_ASSIGN_OR_RETURN(const std::vector<Line> lines, ReadLines(path));
  absl::MutexLock lock(&rail->mutex_);
  for (const Line& line : lines) {
    if (line.what == 'P') rail->known_[line.key] = Known::kPending;
    if (line.what == 'E') rail->known_[line.key] = Known::kPaid;
    if (line.what == 'F') rail->known_[line.key] = Known::kFailed;
  }
  return rail;
}

SimulatedRail::~SimulatedRail() { close(file_); }

SimulatedRail::Fate SimulatedRail::FateOf(const std::string& key) const {
  int draw = static_cast<int>(Draw(options_.seed, key) % 100);
  const auto within = [&draw](int percent) {
    draw -= percent;
    return draw < 0;
  };
  if (within(options_.timeout_after_success)) return Fate::kTimeout;
  if (within(options_.lost)) return Fate::kLost;
  if (within(options_.pending)) return Fate::kPending;
  if (within(options_.failed)) return Fate::kFailed;
  return Fate::kPaid;
}

bool SimulatedRail::InOutage() {
  const uint64_t call = calls_++;
  return options_.outage_every != 0 && call % options_.outage_every >= options_.outage_every - options_.outage_calls;
}

void SimulatedRail::Note(char what, const PayoutInstruction& payout) {
  const std::string line =
      absl::StrCat(std::string(1, what), " ", payout.provider_key, " ", payout.asset.ToString(), " ",
                   FormatUnits(static_cast<absl::int128>(payout.amount.units()), 0), " ", payout.payout_id, "\n");
  NW_CHECK(write(file_, line.data(), line.size()) == static_cast<ssize_t>(line.size()), "the rail's books are written");
}

void SimulatedRail::Execute(const PayoutInstruction& payout) {
  Note('E', payout);
  known_[payout.provider_key] = Known::kPaid;
}

void SimulatedRail::TakeTime(const std::string& key) const {
  if (options_.latency <= absl::ZeroDuration()) return;
  absl::SleepFor(options_.latency * static_cast<double>(Draw(options_.seed + 1, key) % 1000) / 1000);
}

RailAnswer SimulatedRail::Submit(const PayoutInstruction& payout) {
  TakeTime(payout.provider_key);
  absl::MutexLock lock(&mutex_);
  if (InOutage()) return {.state = RailState::kUnknown, .reason = "outage"};
  const auto before = known_.find(payout.provider_key);
  const Fate fate = FateOf(payout.provider_key);
  // The first time only: a submission that is lost each time could not be told from a rail that does not work.
  if (fate == Fate::kLost && lost_.insert(payout.provider_key).second) {
    return {.state = RailState::kUnknown, .reason = "timed out"};
  }
  Note('S', payout);
  if (before != known_.end() && options_.honours_keys) {
    switch (before->second) {
      case Known::kPaid:
        return {.state = RailState::kPaid};
      case Known::kFailed:
        return {.state = RailState::kFailed, .reason = "account closed"};
      case Known::kPending:
      case Known::kAsked:
        return {.state = RailState::kPending};
    }
  }
  switch (fate) {
    case Fate::kFailed:
      Note('F', payout);
      known_[payout.provider_key] = Known::kFailed;
      return {.state = RailState::kFailed, .reason = "account closed"};
    case Fate::kPending:
      Note('P', payout);
      known_[payout.provider_key] = Known::kPending;
      return {.state = RailState::kPending};
    case Fate::kTimeout:
      Execute(payout);
      return {.state = RailState::kUnknown, .reason = "timed out"};
    case Fate::kLost:
    case Fate::kPaid:
      break;
  }
  Execute(payout);
  return {.state = RailState::kPaid};
}

RailAnswer SimulatedRail::Query(const PayoutInstruction& payout) {
  TakeTime(payout.provider_key);
  absl::MutexLock lock(&mutex_);
  if (InOutage()) return {.state = RailState::kUnknown, .reason = "outage"};
  const auto found = known_.find(payout.provider_key);
  if (found == known_.end()) {
    return {.state = options_.honours_keys ? RailState::kNotFound : RailState::kUnknown, .reason = "no such payout"};
  }
  switch (found->second) {
    case Known::kPending:
      found->second = Known::kAsked;
      return {.state = RailState::kPending};
    case Known::kAsked:
      Execute(payout);
      return {.state = RailState::kPaid};
    case Known::kPaid:
      return {.state = RailState::kPaid};
    case Known::kFailed:
      return {.state = RailState::kFailed, .reason = "account closed"};
  }
  return {};
}

absl::StatusOr<SimulatedRail::Books> SimulatedRail::ReadBooks(const std::string& path) {
  NW_ASSIGN_OR_RETURN(const std::vector<Line> lines, ReadLines(path));
  Books books;
  for (const Line& line : lines) {
    if (line.what == 'S') ++books.submissions[line.key];
    if (line.what != 'E') continue;
    ++books.executions[line.key];
    NW_ASSIGN_OR_RETURN(const Amount amount, Amount::Parse(line.units, 0));
    books.totals[line.asset] += amount.units();
  }
  return books;
}

uint64_t SimulatedRail::Books::most_executions() const {
  uint64_t most = 0;
  for (const auto& [key, count] : executions) most = std::max(most, count);
  return most;
}

}  // namespace northwind::examples
