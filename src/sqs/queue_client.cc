// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/queue_client.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <random>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/http/client.h"
#include "src/sqs/answer_error.h"
#include "src/sqs/queue_text.h"
#include "src/sqs/retry_budget.h"
#include "src/sqs/signing_keys.h"

namespace northwind::internal::sqs {
namespace {

// Ten messages of 1 MiB, of which each byte may be written as six (\u00e9), and what goes with them.
constexpr size_t kMaxAnswerBytes = size_t{64} << 20;
constexpr absl::Duration kMaxWait = absl::Seconds(20);

// One operation, from the call to the callback.
struct Operation {
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>;

  const char* name;
  std::string body;
  Done done;  // with the body of the answer
  absl::Duration wait = absl::ZeroDuration();
  // May be done again although it may have been done before.
  bool repeatable = true;
  int attempts = 0;
  SigningKeys::Keys keys;     // of the last attempt
  SigningKeys::Keys refused;  // by the service, in an attempt of this operation
  absl::Status refusal;       // and in what words
};
using OperationPtr = std::unique_ptr<Operation>;

absl::Status Destroyed(const Operation& operation) {
  return Error(absl::StatusCode::kCancelled, operation.name, ": the queue's client is being destroyed");
}

}  // namespace

// Where an operation is: waiting for room, or for keys (SigningKeys), sent (the HTTP client), or waiting to be sent again (the
// HTTP client's timers). It belongs to whoever calls next, so that no list of them is needed.
class QueueClient::Core {
 public:
  Core(QueueClientOptions options, std::unique_ptr<AwsCredentials> credentials, std::unique_ptr<http::Client> client)
      : options_(std::move(options)), keys_(std::move(credentials)), http_(client.release()) {}
  ~Core();

  const std::string& queue_url() const { return options_.queue_url; }
  // From any thread, and so is what it calls as far as Send.
  void Begin(OperationPtr operation) ABSL_LOCKS_EXCLUDED(mutex_);
  QueueClientStats Stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Sign(OperationPtr operation);
  void Send(OperationPtr operation) ABSL_LOCKS_EXCLUDED(mutex_);
  http::Request MakeRequest(const Operation& operation) const;
  // On the client's thread, and so is all that follows.
  void FailLater(OperationPtr operation, AnswerError error);
  void OnAnswer(OperationPtr operation, http::Result result);
  void RetryOrFinish(OperationPtr operation, AnswerError error) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(OperationPtr operation, absl::StatusOr<std::string> answer) ABSL_LOCKS_EXCLUDED(mutex_);

  bool IsStopping() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return stopping_;
  }

  const QueueClientOptions options_;
  SigningKeys keys_;
  http::Client* const http_;  // its own; not in a unique_ptr, which callbacks could find empty while it is destroyed

  mutable absl::Mutex mutex_;
  std::deque<OperationPtr> waiting_ ABSL_GUARDED_BY(mutex_);  // for room
  size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  QueueClientStats stats_ ABSL_GUARDED_BY(mutex_);

  // The thread's own.
  RetryBudget budget_;
  std::mt19937_64 random_{std::random_device()()};
};

QueueClient::Core::~Core() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  keys_.Stop();
  delete http_;  // answers all that is left
}

void QueueClient::Core::Begin(OperationPtr operation) {
  {
    absl::MutexLock lock(&mutex_);
    if (in_flight_ >= options_.max_in_flight) {
      waiting_.push_back(std::move(operation));
      return;
    }
    ++in_flight_;
  }
  Sign(std::move(operation));
}

void QueueClient::Core::Sign(OperationPtr operation) {
  ++operation->attempts;
  keys_.Get([this, operation = std::move(operation)](absl::StatusOr<SigningKeys::Keys> keys) mutable {
    if (!keys.ok()) {
      const Remedy remedy = absl::IsUnavailable(keys.status()) ? Remedy::kRetry : Remedy::kNone;
      return FailLater(std::move(operation), {.status = std::move(keys).status(), .remedy = remedy});
    }
    if (operation->refused != nullptr && *operation->refused == **keys) {
      absl::Status refusal = Error(operation->refusal.code(), operation->refusal.message(),
                                   "; the source of the credentials has no others");
      return FailLater(std::move(operation), {.status = std::move(refusal)});
    }
    operation->keys = *std::move(keys);
    Send(std::move(operation));
  });
}

http::Request QueueClient::Core::MakeRequest(const Operation& operation) const {
  const AwsKeys& keys = *operation.keys;
  http::Request request = {
      .url = options_.endpoint,
      .headers = {{"Content-Type", "application/x-amz-json-1.0"},
                  {"X-Amz-Target", absl::StrCat("AmazonSQS.", operation.name)}},
      .body = operation.body,
      .signature = http::AwsSignature{options_.region, "sqs", keys.access_key_id, keys.secret_access_key},
      .timeout = operation.wait + kAnswerTimeout,
      .max_body_bytes = kMaxAnswerBytes};
  if (!keys.session_token.empty()) request.headers.push_back({"X-Amz-Security-Token", keys.session_token});
  return request;
}

void QueueClient::Core::Send(OperationPtr operation) {
  {
    absl::MutexLock lock(&mutex_);
    ++stats_.requests;
    if (operation->attempts > 1) ++stats_.retries;
  }
  http::Request request = MakeRequest(*operation);
  // Shared, as a callback that is not accepted would take it along.
  auto held = std::make_shared<OperationPtr>(std::move(operation));
  const absl::Status started = http_->Start(
      std::move(request), [this, held](http::Result result) { OnAnswer(std::move(*held), std::move(result)); });
  if (!started.ok()) FailLater(std::move(*held), {.status = started, .remedy = Remedy::kRetry});
}

void QueueClient::Core::FailLater(OperationPtr operation, AnswerError error) {
  http_->RunAfter(absl::ZeroDuration(), [this, operation = std::move(operation), error = std::move(error)]() mutable {
    RetryOrFinish(std::move(operation), std::move(error));
  });
}

void QueueClient::Core::OnAnswer(OperationPtr operation, http::Result result) {
  std::optional<AnswerError> error = ErrorOf(result, operation->name, absl::Now());
  if (error) return RetryOrFinish(std::move(operation), *std::move(error));
  budget_.OnSuccess();
  Finish(std::move(operation), std::move(result.body));
}

void QueueClient::Core::RetryOrFinish(OperationPtr operation, AnswerError error) {
  if (IsStopping()) {
    absl::Status cancelled = Destroyed(*operation);
    return Finish(std::move(operation), std::move(cancelled));
  }
  if (error.remedy == Remedy::kSlowDown) {
    absl::MutexLock lock(&mutex_);
    ++stats_.throttled;
  }
  if (error.remedy == Remedy::kOtherKeys && operation->refused == nullptr) {
    operation->refused = operation->keys;
    operation->refusal = std::move(error.status);
    keys_.Refuse(operation->keys);
    return Sign(std::move(operation));
  }
  const bool may_pass = error.remedy == Remedy::kRetry || error.remedy == Remedy::kSlowDown;
  if (!may_pass || (error.answer_lost && !operation->repeatable) || operation->attempts >= kMaxAttempts ||
      !budget_.Take()) {
    return Finish(std::move(operation), std::move(error.status));
  }
  const absl::Duration first = error.remedy == Remedy::kSlowDown ? kFirstSlowDownDelay : kFirstRetryDelay;
  absl::Duration delay = FullJitter(first, operation->attempts, random_);
  if (error.retry_after) delay = std::max(delay, std::min(*error.retry_after, kMaxAskedDelay));
  http_->RunAfter(delay, [this, operation = std::move(operation)]() mutable { Sign(std::move(operation)); });
}

void QueueClient::Core::Finish(OperationPtr operation, absl::StatusOr<std::string> answer) {
  OperationPtr next;
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.empty()) {
      --in_flight_;
    } else {
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
  }
  if (next != nullptr) Sign(std::move(next));
  std::move(operation->done)(std::move(answer));
}

QueueClientStats QueueClient::Core::Stats() const {
  absl::MutexLock lock(&mutex_);
  return stats_;
}

absl::StatusOr<std::unique_ptr<QueueClient>> QueueClient::Create(const QueueClientOptions& options,
                                                                 std::unique_ptr<AwsCredentials> credentials) {
  NW_CHECK(credentials != nullptr, "a queue's client needs credentials");
  QueueClientOptions checked = options;
  NW_ASSIGN_OR_RETURN(const http::Url endpoint, http::ParseUrl(options.endpoint, http::Schemes::kHttpAndHttps));
  checked.endpoint = endpoint.text;
  if (!absl::EndsWith(checked.endpoint, "/")) checked.endpoint += '/';
  if (std::count(checked.endpoint.begin(), checked.endpoint.end(), '/') != 3) {
    return Error(absl::StatusCode::kInvalidArgument, "endpoint ", options.endpoint,
                 " is more than scheme, host and port");
  }
  if (options.region.empty()) return absl::InvalidArgumentError("no region");
  if (options.queue_url.empty()) return absl::InvalidArgumentError("no queue URL");
  checked.max_in_flight = std::max<size_t>(checked.max_in_flight, 1);
  NW_ASSIGN_OR_RETURN(auto client, http::Client::Create({.schemes = http::Schemes::kHttpAndHttps,
                                                         .guard = http::AnyAddress(),
                                                         .ca_bundle = options.ca_bundle,
                                                         .max_in_flight = checked.max_in_flight}));
  return std::unique_ptr<QueueClient>(
      new QueueClient(std::make_unique<Core>(std::move(checked), std::move(credentials), std::move(client))));
}

QueueClient::QueueClient(std::unique_ptr<Core> core) : core_(std::move(core)) {}
QueueClient::~QueueClient() = default;

namespace {

// Reads what was answered, and calls back with that.
template <typename T, typename Read>
Operation::Done Reading(QueueClient::Callback<T> callback, Read read) {
  return [callback = std::move(callback), read](absl::StatusOr<std::string> answer) mutable {
    if (!answer.ok()) return std::move(callback)(std::move(answer).status());
    std::move(callback)(read(*answer));
  };
}

Operation::Done ReadingEntries(QueueClient::Callback<std::vector<absl::Status>> callback, size_t count) {
  NW_CHECK(count >= 1 && count <= kMaxBatchEntries, "a batch has 1 to 10 entries");
  return Reading<std::vector<absl::Status>>(std::move(callback),
                                            [count](const std::string& answer) { return ReadEntries(answer, count); });
}

}  // namespace

void QueueClient::GetAttributes(Callback<QueueAttributes> callback) {
  core_->Begin(std::make_unique<Operation>(
      Operation{.name = "GetQueueAttributes",
                .body = AttributesRequest(core_->queue_url()),
                .done = Reading<QueueAttributes>(std::move(callback),
                                                 [](const std::string& answer) { return ReadAttributes(answer); })}));
}

void QueueClient::Receive(size_t max, absl::Duration wait, absl::Duration visibility,
                          Callback<std::vector<Message>> callback) {
  NW_CHECK(max >= 1 && max <= kMaxBatchEntries, "a receive is of 1 to 10 messages");
  NW_CHECK(wait >= absl::ZeroDuration() && wait <= kMaxWait, "a receive waits up to 20 s");
  core_->Begin(std::make_unique<Operation>(
      Operation{.name = "ReceiveMessage",
                .body = ReceiveRequest(core_->queue_url(), max, wait, visibility),
                .done = Reading<std::vector<Message>>(std::move(callback),
                                                      [](const std::string& answer) { return ReadMessages(answer); }),
                .wait = wait,
                .repeatable = false}));
}

void QueueClient::Delete(const std::vector<std::string>& receipt_handles,
                         Callback<std::vector<absl::Status>> callback) {
  core_->Begin(
      std::make_unique<Operation>(Operation{.name = "DeleteMessageBatch",
                                            .body = DeleteRequest(core_->queue_url(), receipt_handles),
                                            .done = ReadingEntries(std::move(callback), receipt_handles.size())}));
}

void QueueClient::ChangeVisibility(const std::vector<VisibilityChange>& changes,
                                   Callback<std::vector<absl::Status>> callback) {
  core_->Begin(std::make_unique<Operation>(Operation{.name = "ChangeMessageVisibilityBatch",
                                                     .body = VisibilityRequest(core_->queue_url(), changes),
                                                     .done = ReadingEntries(std::move(callback), changes.size())}));
}

QueueClientStats QueueClient::Stats() const { return core_->Stats(); }

}  // namespace northwind::internal::sqs
