// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/message.h"

#include <array>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace northwind::server {
namespace {

constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

}  // namespace

std::string_view Name(Method method) { return kMethods.at(static_cast<size_t>(method)); }

std::optional<Method> ParseMethod(std::string_view name) {
  for (size_t i = 0; i < kMethods.size(); ++i) {
    if (kMethods[i] == name) return static_cast<Method>(i);
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::field(std::string_view name) const {
  for (const Field& field : fields) {
    if (absl::EqualsIgnoreCase(field.name, absl::string_view(name.data(), name.size()))) return field.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

struct EventStream::State {
  mutable absl::Mutex mutex;
  std::string waiting ABSL_GUARDED_BY(mutex);
  bool closed ABSL_GUARDED_BY(mutex) = false;
  std::function<void()> ready ABSL_GUARDED_BY(mutex);
};

EventStream::EventStream(size_t max_bytes) : max_bytes_(max_bytes), state_(std::make_shared<State>()) {}
EventStream::~EventStream() = default;

bool EventStream::Put(std::string_view text) {
  std::function<void()> ready;
  bool taken = false;
  {
    absl::MutexLock lock(&state_->mutex);
    if (state_->closed) return false;
    taken = text.size() <= max_bytes_ - state_->waiting.size();
    if (taken) {
      state_->waiting.append(text);
    } else {
      state_->closed = true;
    }
    ready = std::exchange(state_->ready, nullptr);
  }
  if (ready) ready();
  return taken;
}

void EventStream::Close() {
  std::function<void()> ready;
  {
    absl::MutexLock lock(&state_->mutex);
    state_->closed = true;
    ready = std::exchange(state_->ready, nullptr);
  }
  if (ready) ready();
}

bool EventStream::closed() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->closed;
}

std::string EventStream::Take() {
  absl::MutexLock lock(&state_->mutex);
  return std::exchange(state_->waiting, {});
}

void EventStream::OnReady(std::function<void()> ready) {
  {
    absl::MutexLock lock(&state_->mutex);
    if (state_->waiting.empty() && !state_->closed) {
      state_->ready = std::move(ready);
      return;
    }
  }
  ready();
}

}  // namespace northwind::server
