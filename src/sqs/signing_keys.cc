// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/signing_keys.h"

#include <algorithm>
#include <utility>

#include "northwind/status.h"
#include "src/http/block_signals.h"

namespace northwind::internal::sqs {
namespace {

absl::Status Stopped() { return absl::CancelledError("the queue's client is being destroyed"); }

}  // namespace

SigningKeys::SigningKeys(std::unique_ptr<AwsCredentials> source, std::function<absl::Time()> now,
                         absl::Duration renew_pause)
    : source_(std::move(source)), now_(std::move(now)), renew_pause_(renew_pause), thread_([this] { Run(); }) {}

SigningKeys::~SigningKeys() { Stop(); }

void SigningKeys::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void SigningKeys::Get(Callback callback) {
  absl::StatusOr<Keys> answer = Stopped();
  {
    absl::MutexLock lock(&mutex_);
    if (!stopping_ && !IsGood()) {
      waiting_.push_back(std::move(callback));
      return;
    }
    if (!stopping_) answer = keys_;
  }
  std::move(callback)(std::move(answer));
}

void SigningKeys::Refuse(const Keys& keys) {
  absl::MutexLock lock(&mutex_);
  if (keys_ == keys) keys_ = nullptr;
}

bool SigningKeys::IsGood() const {
  return keys_ != nullptr && (!keys_->expires_at || now_() < *keys_->expires_at - kUnusedBefore);
}

absl::Duration SigningKeys::UntilRenewal() const {
  if (keys_ == nullptr || !keys_->expires_at) return absl::InfiniteDuration();
  return std::max(*keys_->expires_at - kRenewBefore, asked_at_ + renew_pause_) - now_();
}

void SigningKeys::Run() {
  http::BlockSignals();
  // Also looked at whenever somebody gets keys: a clock may have been set, or a machine have slept.
  const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !waiting_.empty() || UntilRenewal() <= absl::ZeroDuration();
  };
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (!mutex_.AwaitWithTimeout(absl::Condition(&wanted), UntilRenewal())) continue;
      if (stopping_) break;
      asked_at_ = now_();
    }
    const absl::StatusOr<AwsKeys> fresh = source_->Get();
    std::vector<Callback> waiting;
    absl::StatusOr<Keys> answer = Stopped();
    {
      absl::MutexLock lock(&mutex_);
      if (fresh.ok()) keys_ = std::make_shared<const AwsKeys>(*fresh);
      if (stopping_) break;
      waiting.swap(waiting_);
      answer = fresh.ok() ? absl::StatusOr<Keys>(keys_) : fresh.status();
    }
    for (Callback& callback : waiting) std::move(callback)(answer);
  }
  std::vector<Callback> waiting;
  {
    absl::MutexLock lock(&mutex_);
    waiting.swap(waiting_);
  }
  for (Callback& callback : waiting) std::move(callback)(Stopped());
}

}  // namespace northwind::internal::sqs
