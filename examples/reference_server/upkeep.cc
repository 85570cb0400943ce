// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/upkeep.h"

#include <charconv>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/reference_server/observe/log.h"
#include "northwind/settlement.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr absl::Duration kPause = absl::Seconds(1);
constexpr char kFinishedKey[] = "server/finished";  // the last journal record that the cutover was told of
constexpr size_t kPage = 1000;
constexpr int kPagesARound = 100;

// The payout that came to its end with this record, if it is one. Not one whose request was rejected: it was never assigned, and may be requested
// again under the same id, and then be live when this record is read.
std::optional<std::string> EndedBy(const JournalRecord& record) {
  const auto* done = std::get_if<TransactionRecorded>(&record.body);
  if (done == nullptr) return std::nullopt;
  const std::optional<EventType> type = EventTypeOfCode(done->transaction.code);
  if (!type.has_value()) return std::nullopt;
  switch (*type) {
    case EventType::kPayoutPaid:
    case EventType::kPayoutFailed:
    case EventType::kPayoutCanceled:
      if (done->outcome == Outcome::kApplied) return done->transaction.reference;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace

Upkeep::~Upkeep() { Stop(); }

void Upkeep::Start() {
  thread_ = std::thread([this] {
    for (;;) {
      RunOnce();
      const absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kPause)) return;
    }
  });
}

void Upkeep::Stop() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Upkeep::RunOnce() {
  Note("parked events are not tried", host_.intake->RetryParked().status(), Part::kServing);
  Note("holds do not expire", host_.ledger->ExpireHolds().status(), Part::kServing);
  if (host_.cutover != nullptr) {
    Note("the cutover is not told what has ended", FinishPayouts(), Part::kBeside);
    const uint64_t epoch = host_.cutover->Status().epoch;
    if (host_.claims != nullptr && epoch != published_) {
      const absl::Status published = host_.cutover->PublishEpoch(*host_.claims);
      if (published.ok()) published_ = epoch;
      Note("the arbiter of claims is not told of the cutover's changes", published, Part::kBeside);
    }
  }
  if (host_.run != nullptr) Note("the parallel run does not follow", host_.run->CatchUp(), Part::kBeside);
  metrics_.Sample(host_.ledger->Head().sequence, absl::Now());
}

absl::Status Upkeep::FinishPayouts() const {
  uint64_t after = 0;
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> kept, host_.store->Get(kFinishedKey));
  if (kept.has_value()) std::from_chars(kept->data(), kept->data() + kept->size(), after);
  JournalReader reader = host_.ledger->ReadJournal(Sequence(after));
  for (int page = 0; page < kPagesARound; ++page) {
    NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records, reader.Next(kPage));
    if (records.empty()) return absl::OkStatus();
    std::vector<std::string> ended;
    for (const JournalRecord& record : records) {
      if (std::optional<std::string> payout = EndedBy(record)) ended.push_back(*std::move(payout));
    }
    if (!ended.empty()) NW_RETURN_IF_ERROR(host_.cutover->Finish(ended));
    // After it: what is told twice is told once.
    const HostChange cursor{.key = kFinishedKey, .value = std::to_string(reader.position().value())};
    NW_RETURN_IF_ERROR(host_.store->Write({&cursor, 1}));
  }
  return absl::OkStatus();
}

void Upkeep::Note(const char* what, const absl::Status& status, Part part) {
  const std::string why(status.message());
  {
    const absl::MutexLock lock(&mutex_);
    if (status.ok()) {
      failing_.erase(what);
      return;
    }
    if (!failing_.emplace(what, part).second) return;
  }
  Log(Severity::kError, what, {{"why", why}});
}

std::vector<std::string> Upkeep::trouble() const {
  const absl::MutexLock lock(&mutex_);
  std::vector<std::string> sentences;
  for (const auto& [what, part] : failing_) {
    if (part == Part::kServing) sentences.push_back(what);
  }
  return sentences;
}

}  // namespace northwind::server
