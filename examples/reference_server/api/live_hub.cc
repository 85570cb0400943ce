// SPDX-License-Identifier: Apache-2.0
//
// One thread reads the journal and puts each record into the streams of its merchants; `dispatched_` is how far it is. A stream begins at
// that place: what is recorded later reaches it through the thread, and what it missed before is read from the histories meanwhile. Until
// that is put in, the thread's own events for it are kept aside. So there is no gap at the seam, and nothing comes twice.
#include "examples/reference_server/api/live_hub.h"

#include <algorithm>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "examples/reference_server/api/merchant_book.h"
#include "examples/reference_server/observe/log.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kPage = 1'000;                                // records read at a time
constexpr absl::Duration kPatience = absl::Milliseconds(200);  // how long a read waits: Stop is seen that late
constexpr absl::Duration kSweepEvery = absl::Seconds(1);
constexpr absl::Duration kAskEvery = absl::Seconds(3);  // whether a stream's credential is good still
constexpr size_t kMaxAccountsKept = 100'000;            // in memory, to know whose an account is
constexpr size_t kResumedBytes = 1 << 20;               // of a stream that begins with what was missed …
constexpr size_t kReplayBytes = 700 << 10;              // … of which that is so much
constexpr size_t kAsideBytes = 256 << 10;               // and what comes meanwhile

std::string EventText(std::string_view event, std::optional<Sequence> id, const Json& data) {
  std::string text = absl::StrCat("event: ", std::string(event), "\n");
  if (id.has_value()) absl::StrAppend(&text, "id: ", id->value(), "\n");
  absl::StrAppend(&text, "data: ", data.dump(-1, ' ', false, Json::error_handler_t::replace), "\n\n");
  return text;
}

Json PlaceJson(Sequence sequence) { return {{"sequence", std::to_string(sequence.value())}}; }

struct Watcher {
  std::shared_ptr<EventStream> stream;
  Sequence after;  // nothing up to here
  absl::Time until;
  std::function<bool()> still_good;  // may be null
  absl::Time ask_at;                 // whether it is
  bool live = false;                 // else `aside` holds what the thread had for it
  std::string aside;
};

// Journal records of a merchant after `last` and up to `end`, in order; nothing if there are more than `most`.
absl::StatusOr<std::optional<std::vector<Sequence>>> MissedRecords(const Ledger& ledger,
                                                                   const std::vector<MerchantAccount>& accounts,
                                                                   Sequence last, Sequence end, size_t most) {
  std::vector<Sequence> missed;
  if (accounts.size() > kMaxMergedAccounts) return std::nullopt;
  for (const MerchantAccount& account : accounts) {
    HistoryQuery query{.limit = kMaxHistoryPage};
    query.cursor = HistoryCursor{.sequence = last, .index = std::numeric_limits<uint32_t>::max()};
    while (query.cursor.has_value()) {
      NW_ASSIGN_OR_RETURN(const HistoryPage page, ledger.History(account.id, query));
      query.cursor = page.next;
      for (const Entry& entry : page.entries) {
        if (entry.sequence > end) {
          query.cursor.reset();
          break;
        }
        if (missed.empty() || missed.back() != entry.sequence) missed.push_back(entry.sequence);
      }
      if (missed.size() > most) return std::nullopt;
    }
  }
  std::sort(missed.begin(), missed.end());
  missed.erase(std::unique(missed.begin(), missed.end()), missed.end());
  return missed;
}

}  // namespace

class LiveHub::Core {
 public:
  Core(const Ledger& ledger, const LiveHubOptions& options) : ledger_(ledger), options_(options) {}
  ~Core() { Stop(); }

  absl::Status Start() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_, stop_mutex_);
  absl::StatusOr<std::shared_ptr<EventStream>> Watch(std::string_view merchant, std::optional<Sequence> last,
                                                     std::function<bool()> still_good) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t streams() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return streams_;
  }

 private:
  using Watchers = std::vector<std::shared_ptr<Watcher>>;

  void Follow(JournalReader reader) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Dispatch(const JournalRecord& record) ABSL_LOCKS_EXCLUDED(mutex_);
  // False if nobody watches: then the record is dealt with.
  bool AnybodyWatches(Sequence sequence) ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<MerchantAccount> AccountOf(AccountId id);
  void Tell(Watchers& watchers, Sequence sequence, std::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropClosed(Watchers& watchers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Sweep() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndStreams() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::StatusOr<Sequence> Register(const std::string& merchant, const std::shared_ptr<Watcher>& watcher)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The beginning of a stream that goes live at `place`. Whether it is whole: else the stream is to end there.
  absl::StatusOr<bool> Begin(std::string_view merchant, std::optional<Sequence> last, Sequence place,
                             std::string& text) const;
  absl::StatusOr<bool> Replay(const std::vector<MerchantAccount>& accounts, const std::vector<Sequence>& missed,
                              std::string& text) const;
  void GoLive(Watcher& watcher, std::string_view beginning) ABSL_LOCKS_EXCLUDED(mutex_);

  const Ledger& ledger_;
  const LiveHubOptions options_;
  mutable absl::Mutex mutex_;
  bool following_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Sequence dispatched_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Watchers> watchers_ ABSL_GUARDED_BY(mutex_);
  size_t streams_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<AccountId, std::optional<MerchantAccount>> accounts_;  // of the thread
  absl::Mutex stop_mutex_;                                                   // one Stop joins, the others wait for it
  std::thread thread_;
};

// ---- The thread

absl::Status LiveHub::Core::Start() {
  absl::MutexLock lock(&mutex_);
  if (following_ || stopping_) return absl::FailedPreconditionError("the live hub has been started");
  following_ = true;
  dispatched_ = ledger_.Head().sequence;
  thread_ = std::thread([this, reader = ledger_.ReadJournal(dispatched_)] { Follow(reader); });
  return absl::OkStatus();
}

void LiveHub::Core::Follow(JournalReader reader) {
  absl::Time sweep_at = absl::Now() + kSweepEvery;
  absl::Status status;
  while (status.ok()) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) break;
    }
    const absl::StatusOr<std::vector<JournalRecord>> records = reader.Next(kPage, absl::Now() + kPatience);
    status = records.status();
    if (!status.ok()) break;
    for (auto record = records->begin(); record != records->end() && status.ok(); ++record) status = Dispatch(*record);
    if (absl::Now() < sweep_at) continue;
    Sweep();
    sweep_at = absl::Now() + kSweepEvery;
  }
  if (!status.ok() && !absl::IsCancelled(status)) {
    Log(Severity::kError, "nobody can watch until the server is started again", {{"why", status.ToString()}});
  }
  absl::MutexLock lock(&mutex_);
  following_ = false;
  stopping_ = true;  // whoever would watch now would hear nothing
  EndStreams();
}

bool LiveHub::Core::AnybodyWatches(Sequence sequence) {
  absl::MutexLock lock(&mutex_);
  if (streams_ > 0) return true;
  dispatched_ = sequence;
  return false;
}

absl::Status LiveHub::Core::Dispatch(const JournalRecord& record) {
  if (!AnybodyWatches(record.sequence)) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const std::optional<MovedRecord> moved, AsMovedRecord(ledger_, record));
  std::vector<std::string> merchants;
  if (moved.has_value()) {
    for (const MovedLine& line : moved->lines) {
      const std::optional<MerchantAccount> account = AccountOf(line.account);
      if (account.has_value()) merchants.push_back(account->merchant);
    }
  }
  std::sort(merchants.begin(), merchants.end());
  merchants.erase(std::unique(merchants.begin(), merchants.end()), merchants.end());
  absl::MutexLock lock(&mutex_);
  for (const std::string& merchant : merchants) {
    const auto found = watchers_.find(merchant);
    if (found == watchers_.end()) continue;
    const std::optional<Json> json =
        TransactionJson(*moved, merchant, [this](AccountId account) { return AccountOf(account); });
    if (!json.has_value()) continue;
    Tell(found->second, record.sequence, EventText("transaction", record.sequence, *json));
    if (found->second.empty()) watchers_.erase(found);
  }
  dispatched_ = record.sequence;
  return absl::OkStatus();
}

std::optional<MerchantAccount> LiveHub::Core::AccountOf(AccountId id) {
  if (const auto found = accounts_.find(id); found != accounts_.end()) return found->second;
  if (accounts_.size() >= kMaxAccountsKept) accounts_.clear();
  const absl::StatusOr<Account> account = ledger_.GetAccount(id);
  if (!account.ok()) return std::nullopt;
  return accounts_.emplace(id, AsMerchantAccount(*account)).first->second;
}

void LiveHub::Core::Tell(Watchers& watchers, Sequence sequence, std::string_view text) {
  for (const std::shared_ptr<Watcher>& watcher : watchers) {
    if (sequence <= watcher->after) continue;
    if (watcher->live) {
      watcher->stream->Put(text);
    } else if (watcher->aside.size() + text.size() <= kAsideBytes) {
      watcher->aside.append(text);
    } else {
      watcher->stream->Close();
    }
  }
  DropClosed(watchers);
}

void LiveHub::Core::DropClosed(Watchers& watchers) {
  const auto closed = std::remove_if(watchers.begin(), watchers.end(),
                                     [](const std::shared_ptr<Watcher>& watcher) { return watcher->stream->closed(); });
  streams_ -= static_cast<size_t>(watchers.end() - closed);
  watchers.erase(closed, watchers.end());
}

void LiveHub::Core::Sweep() {
  const absl::Time now = absl::Now();
  absl::MutexLock lock(&mutex_);
  for (auto it = watchers_.begin(); it != watchers_.end();) {
    for (const std::shared_ptr<Watcher>& watcher : it->second) {
      if (now >= watcher->until) watcher->stream->Close();
      if (watcher->still_good == nullptr || now < watcher->ask_at) continue;
      if (!watcher->still_good()) watcher->stream->Close();
      watcher->ask_at = now + kAskEvery;
    }
    DropClosed(it->second);
    const auto here = it++;
    if (here->second.empty()) watchers_.erase(here);
  }
}

void LiveHub::Core::EndStreams() {
  for (const auto& [merchant, watchers] : watchers_) {
    for (const std::shared_ptr<Watcher>& watcher : watchers) watcher->stream->Close();
  }
  watchers_.clear();
  streams_ = 0;
}

void LiveHub::Core::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  absl::MutexLock lock(&stop_mutex_);
  if (thread_.joinable()) thread_.join();
}

// ---- Watching

absl::StatusOr<Sequence> LiveHub::Core::Register(const std::string& merchant, const std::shared_ptr<Watcher>& watcher) {
  absl::MutexLock lock(&mutex_);
  if (!following_ || stopping_) return absl::UnavailableError("nothing is followed here (any more)");
  Watchers& watchers = watchers_[merchant];
  DropClosed(watchers);
  if (watchers.size() >= options_.max_streams_per_merchant || streams_ >= options_.max_streams) {
    if (watchers.empty()) watchers_.erase(merchant);
    return absl::ResourceExhaustedError("too many watch already");
  }
  watchers.push_back(watcher);
  ++streams_;
  return dispatched_;
}

absl::StatusOr<bool> LiveHub::Core::Replay(const std::vector<MerchantAccount>& accounts,
                                           const std::vector<Sequence>& missed, std::string& text) const {
  for (const Sequence sequence : missed) {
    NW_ASSIGN_OR_RETURN(const std::optional<MovedRecord> moved, ReadMovedRecord(ledger_, sequence));
    const std::optional<Json> json = moved.has_value() ? TransactionJson(*moved, accounts) : std::nullopt;
    if (!json.has_value()) continue;
    const std::string event = EventText("transaction", sequence, *json);
    if (text.size() + event.size() > kReplayBytes) return false;
    text += event;
  }
  return true;
}

absl::StatusOr<bool> LiveHub::Core::Begin(std::string_view merchant, std::optional<Sequence> last, Sequence place,
                                          std::string& text) const {
  if (!last.has_value()) {
    text = EventText("hello", place, PlaceJson(place));
    return true;
  }
  // The id stays the reader's until it has what it missed: a stream that breaks off here is gone on from there.
  text = EventText("hello", std::nullopt, PlaceJson(place));
  // A sequence that is not there yet: of another store, or of this one before it was restored.
  if (*last > ledger_.Head().sequence) {
    text += EventText("reset", place, PlaceJson(place));
    return true;
  }
  NW_ASSIGN_OR_RETURN(const std::vector<MerchantAccount> accounts, AccountsOf(ledger_, merchant));
  NW_ASSIGN_OR_RETURN(const std::optional<std::vector<Sequence>> missed,
                      MissedRecords(ledger_, accounts, *last, place, options_.max_replay));
  if (missed.has_value()) return Replay(accounts, *missed, text);
  text += EventText("reset", place, PlaceJson(place));
  return true;
}

void LiveHub::Core::GoLive(Watcher& watcher, std::string_view beginning) {
  absl::MutexLock lock(&mutex_);
  watcher.stream->Put(beginning);
  if (!watcher.aside.empty()) watcher.stream->Put(watcher.aside);
  std::string().swap(watcher.aside);
  watcher.live = true;
}

absl::StatusOr<std::shared_ptr<EventStream>> LiveHub::Core::Watch(std::string_view merchant,
                                                                  std::optional<Sequence> last,
                                                                  std::function<bool()> still_good) {
  const auto watcher = std::make_shared<Watcher>();
  watcher->stream = last.has_value() ? std::make_shared<EventStream>(kResumedBytes) : std::make_shared<EventStream>();
  // A sequence that is not there yet is no place to wait for.
  if (last.has_value() && *last <= ledger_.Head().sequence) watcher->after = *last;
  watcher->until = absl::Now() + options_.max_age;
  watcher->still_good = std::move(still_good);
  watcher->ask_at = absl::Now() + kAskEvery;
  NW_ASSIGN_OR_RETURN(const Sequence place, Register(std::string(merchant), watcher));
  std::string beginning;
  const absl::StatusOr<bool> whole = Begin(merchant, last, place, beginning);
  if (!whole.ok()) {
    watcher->stream->Close();  // the thread drops it
    return whole.status();
  }
  if (*whole) {
    GoLive(*watcher, beginning);
  } else {
    watcher->stream->Put(beginning);
    watcher->stream->Close();
  }
  return watcher->stream;
}

LiveHub::LiveHub(const Ledger& ledger, const LiveHubOptions& options)
    : core_(std::make_unique<Core>(ledger, options)) {}
LiveHub::~LiveHub() = default;

absl::Status LiveHub::Start() { return core_->Start(); }
void LiveHub::Stop() { core_->Stop(); }
absl::StatusOr<std::shared_ptr<EventStream>> LiveHub::Watch(std::string_view merchant, std::optional<Sequence> last,
                                                            std::function<bool()> still_good) {
  return core_->Watch(merchant, last, std::move(still_good));
}
size_t LiveHub::streams() const { return core_->streams(); }

}  // namespace northwind::server
