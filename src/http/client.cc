// SPDX-License-Identifier: Apache-2.0
#include "src/http/client.h"

#include <curl/curl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/http/block_signals.h"
#include "src/http/poller.h"
#include "src/http/transfer.h"

namespace northwind::internal::http {
namespace {

constexpr uint16_t kHttpPort = 80;
// Nothing is missed by waiting longer; timers and wake-ups cut it short.
constexpr int kMaxPollMs = 60'000;
// Of some 6 KB each.
constexpr size_t kMaxIdleHandles = 256;
constexpr size_t kUsualDescriptors = 1024;
constexpr size_t kMaxDescriptors = 1 << 30;  // of a process without a limit
// A connection on which a request found no answer is not reused unless others use it too, and not at all once that is
// longer ago than this.
constexpr std::chrono::seconds kDoubt = kMaxIdle + std::chrono::seconds(1);
constexpr size_t kMinDoubtsSwept = 64;

// How many descriptors the process may have.
size_t DescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kUsualDescriptors;
  return std::min<rlim_t>(limit.rlim_cur, kMaxDescriptors);
}

TransferRules MakeRules(ClientOptions& options) {
  AddressGuardOptions guard = std::move(options.guard);
  if (options.schemes == Schemes::kHttpAndHttps) guard.ports.push_back(kHttpPort);
  return {.guard = AddressGuard(std::move(guard)),
          .schemes = options.schemes,
          .ca_bundle = std::move(options.ca_bundle),
          .user_agent = std::move(options.user_agent),
          .descriptors = static_cast<int>(DescriptorLimit() / 4 * 3)};
}

std::string Authority(const Url& url) { return absl::StrCat(url.host, ":", url.port); }

}  // namespace

// The thread, and all that it drives. Transfers belong to the thread from the moment it takes them from `incoming_`.
class Client::Loop {
 public:
  Loop(ClientOptions options, CURLM* multi, std::unique_ptr<Poller> poller);
  ~Loop();

  absl::Status Start(Request request, ResultCallback callback) ABSL_LOCKS_EXCLUDED(mutex_);
  void RunAfter(absl::Duration delay, Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Drain(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t in_flight() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using SteadyTime = Transfer::SteadyTime;
  struct Timer {
    SteadyTime due;
    Task task;
  };
  struct Resolved {
    uint64_t ticket;
    absl::StatusOr<std::vector<IpAddress>> addresses;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // The rest runs on the thread.
  // libcurl's callbacks: which sockets it waits for, and when it wants to be called although none is ready.
  static int SocketCallback(CURL* easy, curl_socket_t socket, int what, void* self, void* watched);
  static int TimerCallback(CURLM* multi, long timeout_ms, void* self);
  void Admit(std::unique_ptr<Transfer> transfer);
  void OnResolved(const Resolved& resolved);
  void Connect(std::unique_ptr<Transfer> transfer);
  void ExpireLookups();
  // Those that are due then, and no longer.
  void RunTimers(SteadyTime now);
  // All, and what they give.
  void RunLastTimers() ABSL_LOCKS_EXCLUDED(mutex_);
  void Doubt(const Url& url);
  bool IsInDoubt(const Url& url) const;
  void Perform();
  void FinishDone();
  void Wait();
  // Those given, and all that are under way.
  void AbortAll(std::vector<std::unique_ptr<Transfer>> all);
  void Finish(std::unique_ptr<Transfer> transfer) ABSL_LOCKS_EXCLUDED(mutex_);

  const TransferRules rules_;
  const size_t max_in_flight_;

  mutable absl::Mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> incoming_ ABSL_GUARDED_BY(mutex_);
  std::vector<Resolved> resolved_ ABSL_GUARDED_BY(mutex_);
  std::vector<Timer> new_timers_ ABSL_GUARDED_BY(mutex_);
  size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;   // accepted, callback not yet called
  size_t unfinished_ ABSL_GUARDED_BY(mutex_) = 0;  // accepted, callback not yet returned
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  const std::unique_ptr<Poller> poller_;

  // The thread's own.
  CURLM* const multi_;
  SteadyTime timer_ = SteadyTime::max();  // when libcurl wants to be called
  absl::Span<const Poller::Ready> ready_;
  std::multimap<SteadyTime, Task> timers_;
  uint64_t last_ticket_ = 0;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Transfer>> looking_up_;
  std::set<std::pair<SteadyTime, uint64_t>> lookup_deadlines_;           // of those
  absl::flat_hash_map<Transfer*, std::unique_ptr<Transfer>> connected_;  // with libcurl
  std::vector<EasyHandle> idle_;                                         // for transfers to come
  // Hosts that left a request unanswered, and until when that counts; those of the past are dropped when it has grown.
  absl::flat_hash_map<std::string, SteadyTime> in_doubt_;
  size_t in_doubt_swept_ = 0;  // its size after that

  NameResolver resolver_;
  std::thread thread_;
};

Client::Loop::Loop(ClientOptions options, CURLM* multi, std::unique_ptr<Poller> poller)
    : rules_(MakeRules(options)),
      max_in_flight_(std::max<size_t>(options.max_in_flight, 1)),
      poller_(std::move(poller)),
      multi_(multi),
      resolver_(std::move(options.resolve), options.max_resolver_threads,
                [this](uint64_t ticket, const absl::StatusOr<std::vector<IpAddress>>& addresses) {
                  absl::MutexLock lock(&mutex_);
                  resolved_.push_back({ticket, addresses});
                  poller_->Wake();
                }),
      thread_([this] { Run(); }) {}

Client::Loop::~Loop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    poller_->Wake();
  }
  thread_.join();
}

absl::Status Client::Loop::Start(Request request, ResultCallback callback) {
  NW_CHECK(callback != nullptr, "a request needs a callback");
  auto transfer = std::make_unique<Transfer>(std::move(request), std::move(callback), rules_);
  absl::MutexLock lock(&mutex_);
  if (stopping_) return absl::FailedPreconditionError("the HTTP client is being destroyed");
  if (in_flight_ >= max_in_flight_) {
    return Error(absl::StatusCode::kResourceExhausted, in_flight_, " HTTP requests are in flight, the most allowed");
  }
  ++in_flight_;
  ++unfinished_;
  incoming_.push_back(std::move(transfer));
  if (incoming_.size() == 1) poller_->Wake();
  return absl::OkStatus();
}

void Client::Loop::RunAfter(absl::Duration delay, Task task) {
  NW_CHECK(task != nullptr, "no task");
  const SteadyTime due = std::chrono::steady_clock::now() +
                         absl::ToChronoNanoseconds(std::clamp(delay, absl::ZeroDuration(), kMaxTimeout));
  absl::MutexLock lock(&mutex_);
  new_timers_.push_back({due, std::move(task)});
  if (new_timers_.size() == 1) poller_->Wake();
}

bool Client::Loop::Drain(absl::Duration timeout) {
  NW_CHECK(std::this_thread::get_id() != thread_.get_id(), "a callback cannot wait for itself");
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return unfinished_ == 0; };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&done), timeout);
}

size_t Client::Loop::in_flight() const {
  absl::MutexLock lock(&mutex_);
  return in_flight_;
}

int Client::Loop::SocketCallback(CURL* /*easy*/, curl_socket_t socket, int what, void* self, void* /*watched*/) {
  Poller& poller = *static_cast<Loop*>(self)->poller_;
  switch (what) {
    case CURL_POLL_IN:
      poller.Watch(socket, Poller::kReading);
      break;
    case CURL_POLL_OUT:
      poller.Watch(socket, Poller::kWriting);
      break;
    case CURL_POLL_INOUT:
      poller.Watch(socket, Poller::kBoth);
      break;
    case CURL_POLL_REMOVE:
      poller.Forget(socket);
      break;
    default:
      break;
  }
  return 0;  // what cannot be watched, for want of memory, times out; anything else here would end all transfers
}

int Client::Loop::TimerCallback(CURLM* /*multi*/, long timeout_ms, void* self) {
  static_cast<Loop*>(self)->timer_ =
      timeout_ms < 0 ? SteadyTime::max() : std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  return 0;
}

void Client::Loop::Run() {
  BlockSignals();
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &SocketCallback);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, static_cast<void*>(this));
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &TimerCallback);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, static_cast<void*>(this));
  while (true) {
    std::vector<std::unique_ptr<Transfer>> incoming;
    std::vector<Resolved> resolved;
    std::vector<Timer> new_timers;
    bool stopping;
    {
      absl::MutexLock lock(&mutex_);
      new_timers.swap(new_timers_);
      incoming.swap(incoming_);
      resolved.swap(resolved_);
      stopping = stopping_;
    }
    for (Timer& timer : new_timers) timers_.emplace(timer.due, std::move(timer.task));
    if (stopping) {
      AbortAll(std::move(incoming));
      RunLastTimers();
      break;
    }
    for (std::unique_ptr<Transfer>& transfer : incoming) Admit(std::move(transfer));
    for (const Resolved& each : resolved) OnResolved(each);
    ExpireLookups();
    RunTimers(std::chrono::steady_clock::now());
    Perform();
    Wait();
  }
  idle_.clear();
  // Here, as it may write to connections: see BlockSignals.
  curl_multi_cleanup(multi_);
}

void Client::Loop::Admit(std::unique_ptr<Transfer> transfer) {
  if (!transfer->Check()) return Finish(std::move(transfer));
  const Url& url = transfer->url();
  if (url.literal) {
    if (!transfer->Vet(std::vector<IpAddress>{*url.literal})) return Finish(std::move(transfer));
    return Connect(std::move(transfer));
  }
  const uint64_t ticket = ++last_ticket_;
  lookup_deadlines_.emplace(transfer->connect_deadline(), ticket);
  resolver_.Lookup(url.host, ticket);
  looking_up_.emplace(ticket, std::move(transfer));
}

void Client::Loop::OnResolved(const Resolved& resolved) {
  const auto at = looking_up_.find(resolved.ticket);
  if (at == looking_up_.end()) return;  // timed out while it was answered
  std::unique_ptr<Transfer> transfer = std::move(at->second);
  looking_up_.erase(at);
  lookup_deadlines_.erase({transfer->connect_deadline(), resolved.ticket});
  if (!transfer->Vet(resolved.addresses)) return Finish(std::move(transfer));
  Connect(std::move(transfer));
}

void Client::Loop::Connect(std::unique_ptr<Transfer> transfer) {
  EasyHandle easy;
  if (!idle_.empty()) {
    easy = std::move(idle_.back());
    idle_.pop_back();
  }
  if (!transfer->Prepare(std::move(easy))) return Finish(std::move(transfer));
  if (IsInDoubt(transfer->url())) transfer->UseOwnConnection();
  if (curl_multi_add_handle(multi_, transfer->easy()) != CURLM_OK) {
    transfer->Fail(Failure::kInternal, "out of memory");
    return Finish(std::move(transfer));
  }
  Transfer* const key = transfer.get();
  connected_.emplace(key, std::move(transfer));
}

void Client::Loop::ExpireLookups() {
  const SteadyTime now = std::chrono::steady_clock::now();
  while (!lookup_deadlines_.empty() && lookup_deadlines_.begin()->first <= now) {
    const uint64_t ticket = lookup_deadlines_.begin()->second;
    lookup_deadlines_.erase(lookup_deadlines_.begin());
    const auto at = looking_up_.find(ticket);
    std::unique_ptr<Transfer> transfer = std::move(at->second);
    looking_up_.erase(at);
    resolver_.Forget(transfer->url().host, ticket);
    transfer->Fail(Failure::kTimeout, "timed out looking up the host's name");
    Finish(std::move(transfer));
  }
}

void Client::Loop::RunTimers(SteadyTime now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Task task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    std::move(task)();
  }
}

void Client::Loop::RunLastTimers() {
  while (true) {
    RunTimers(SteadyTime::max());
    absl::MutexLock lock(&mutex_);
    if (new_timers_.empty()) return;
    for (Timer& timer : new_timers_) timers_.emplace(timer.due, std::move(timer.task));
    new_timers_.clear();
  }
}

void Client::Loop::Doubt(const Url& url) {
  const SteadyTime now = std::chrono::steady_clock::now();
  in_doubt_.insert_or_assign(Authority(url), now + kDoubt);
  if (in_doubt_.size() < 2 * in_doubt_swept_ + kMinDoubtsSwept) return;
  absl::erase_if(in_doubt_, [now](const auto& each) { return each.second <= now; });
  in_doubt_swept_ = in_doubt_.size();
}

bool Client::Loop::IsInDoubt(const Url& url) const {
  if (in_doubt_.empty()) return false;
  const auto at = in_doubt_.find(Authority(url));
  return at != in_doubt_.end() && std::chrono::steady_clock::now() < at->second;
}

void Client::Loop::Perform() {
  int running = 0;
  for (const Poller::Ready& ready : ready_) {
    // 0: libcurl is to look itself.
    curl_multi_socket_action(multi_, ready.socket, ready.to_read_only ? CURL_CSELECT_IN : 0, &running);
  }
  if (timer_ <= std::chrono::steady_clock::now()) {
    timer_ = SteadyTime::max();
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  FinishDone();
}

void Client::Loop::FinishDone() {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    char* self = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &self);
    const auto at = connected_.find(reinterpret_cast<Transfer*>(self));
    NW_CHECK(at != connected_.end(), "libcurl finished a transfer that it was not given");
    std::unique_ptr<Transfer> transfer = std::move(at->second);
    connected_.erase(at);
    transfer->Complete(code);
    if (transfer->unanswered()) Doubt(transfer->url());
    curl_multi_remove_handle(multi_, transfer->easy());
    if (EasyHandle easy = transfer->TakeEasy(); easy != nullptr && idle_.size() < kMaxIdleHandles) {
      idle_.push_back(std::move(easy));
    }
    Finish(std::move(transfer));
  }
}

void Client::Loop::Wait() {
  SteadyTime until = timer_;
  if (!lookup_deadlines_.empty()) until = std::min(until, lookup_deadlines_.begin()->first);
  if (!timers_.empty()) until = std::min(until, timers_.begin()->first);
  int timeout_ms = kMaxPollMs;
  if (until != SteadyTime::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    timeout_ms = static_cast<int>(std::clamp<int64_t>(left, 0, kMaxPollMs));
  }
  ready_ = poller_->Wait(timeout_ms);
}

void Client::Loop::AbortAll(std::vector<std::unique_ptr<Transfer>> all) {
  for (auto& [ticket, transfer] : looking_up_) {
    resolver_.Forget(transfer->url().host, ticket);
    all.push_back(std::move(transfer));
  }
  for (auto& [key, transfer] : connected_) {
    curl_multi_remove_handle(multi_, transfer->easy());
    all.push_back(std::move(transfer));
  }
  looking_up_.clear();
  lookup_deadlines_.clear();
  connected_.clear();
  for (std::unique_ptr<Transfer>& transfer : all) {
    transfer->Fail(Failure::kAborted, "the client was shut down");
    Finish(std::move(transfer));
  }
}

void Client::Loop::Finish(std::unique_ptr<Transfer> transfer) {
  ResultCallback callback = std::move(transfer->callback());
  Result result = transfer->TakeResult();
  transfer.reset();
  {
    absl::MutexLock lock(&mutex_);
    --in_flight_;  // first, so that the callback may start the next
  }
  std::move(callback)(std::move(result));
  callback = nullptr;  // whatever it holds on to is gone before Drain returns
  absl::MutexLock lock(&mutex_);
  --unfinished_;
}

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised != CURLE_OK) return absl::InternalError("libcurl could not be initialised");
  if (!options.ca_bundle.empty() && access(options.ca_bundle.c_str(), R_OK) != 0) {
    return Error(absl::StatusCode::kInvalidArgument, "ca_bundle ", options.ca_bundle, " cannot be read");
  }
  NW_RETURN_IF_ERROR(CheckHeader("User-Agent", options.user_agent));
  NW_CHECK(options.resolve != nullptr, "a client needs a way to look names up");
  NW_ASSIGN_OR_RETURN(std::unique_ptr<Poller> poller, Poller::Create());
  CURLM* const multi = curl_multi_init();
  if (multi == nullptr) return absl::ResourceExhaustedError("no descriptors or memory for an HTTP client");
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  const size_t kept = std::clamp<size_t>(options.max_in_flight, 1, std::max<size_t>(DescriptorLimit() / 2, 1));
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(kept));
  try {
    return std::unique_ptr<Client>(new Client(std::make_unique<Loop>(std::move(options), multi, std::move(poller))));
  } catch (const std::system_error&) {
    curl_multi_cleanup(multi);
    return absl::ResourceExhaustedError("no threads for an HTTP client");
  }
}

Client::Client(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Client::~Client() = default;

absl::Status Client::Start(Request request, ResultCallback callback) {
  return loop_->Start(std::move(request), std::move(callback));
}
void Client::RunAfter(absl::Duration delay, Task task) { loop_->RunAfter(delay, std::move(task)); }
bool Client::Drain(absl::Duration timeout) { return loop_->Drain(timeout); }
size_t Client::in_flight() const { return loop_->in_flight(); }

}  // namespace northwind::internal::http
