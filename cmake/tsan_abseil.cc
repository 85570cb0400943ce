// SPDX-License-Identifier: Apache-2.0
//
// Part of ThreadSanitizer builds only. The distribution's Abseil is not instrumented, so that ThreadSanitizer does not
// see what absl::Mutex, CondVar, Notification and BlockingCounter order, and takes everything they guard for a race.
// The definitions below stand in front of the library's (which they call) and tell it. So does that by which a Status
// whose copies are in many threads is freed by the last.
//
// Conditions given to Await and LockWhen run inside the library, on whichever thread unlocks: accesses made there are
// not checked.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/base/options.h"
#include "absl/status/status.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

namespace {

// The library's own function of that (Itanium-mangled) name inside namespace absl.
void* Real(const char* mangled_tail) {
#define NW_TEXT_INNER(x) #x
#define NW_TEXT(x) NW_TEXT_INNER(x)
  std::string name = "_ZN";
  if (mangled_tail[0] == 'K') name += *mangled_tail++;
  name += "4absl";
#if ABSL_OPTION_USE_INLINE_NAMESPACE
  const std::string inline_namespace = NW_TEXT(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  name += std::to_string(inline_namespace.size()) + inline_namespace;
#endif
  name += mangled_tail;
  void* const found = dlsym(RTLD_NEXT, name.c_str());
  if (found == nullptr) {
    std::fprintf(stderr, "tsan_abseil.cc: no %s in the Abseil that is loaded\n", name.c_str());
    std::abort();
  }
  return found;
}

template <typename Function>
Function* As(void* address) {
  return reinterpret_cast<Function*>(address);
}

// The library's functions call one another; only the outermost call is told.
thread_local int depth = 0;

class LockScope {
 public:
  LockScope(const absl::Mutex* mutex, unsigned flags) : mutex_(mutex), flags_(flags), outermost_(depth++ == 0) {
    if (outermost_) __tsan_mutex_pre_lock(Address(), flags_);
  }
  ~LockScope() {
    --depth;
    if (outermost_) __tsan_mutex_post_lock(Address(), flags_, 0);
  }
  LockScope(const LockScope&) = delete;
  LockScope& operator=(const LockScope&) = delete;
  void Failed() { flags_ |= __tsan_mutex_try_lock_failed; }

 private:
  void* Address() const { return const_cast<absl::Mutex*>(mutex_); }

  const absl::Mutex* mutex_;
  unsigned flags_;
  bool outermost_;
};

class UnlockScope {
 public:
  UnlockScope(const absl::Mutex* mutex, unsigned flags) : mutex_(mutex), flags_(flags), outermost_(depth++ == 0) {
    if (outermost_) __tsan_mutex_pre_unlock(const_cast<absl::Mutex*>(mutex_), flags_);
  }
  ~UnlockScope() {
    --depth;
    if (outermost_) __tsan_mutex_post_unlock(const_cast<absl::Mutex*>(mutex_), flags_);
  }
  UnlockScope(const UnlockScope&) = delete;
  UnlockScope& operator=(const UnlockScope&) = delete;

 private:
  const absl::Mutex* mutex_;
  unsigned flags_;
  bool outermost_;
};

// Gives the mutex up and takes it back, as a wait does. Only writers wait in this code base.
class WaitScope {
 public:
  explicit WaitScope(const absl::Mutex* mutex) : mutex_(const_cast<absl::Mutex*>(mutex)), outermost_(depth++ == 0) {
    if (!outermost_) return;
    __tsan_mutex_pre_unlock(mutex_, 0);
    __tsan_mutex_post_unlock(mutex_, 0);
    __tsan_mutex_pre_lock(mutex_, 0);
  }
  ~WaitScope() {
    --depth;
    if (outermost_) __tsan_mutex_post_lock(mutex_, 0, 0);
  }
  WaitScope(const WaitScope&) = delete;
  WaitScope& operator=(const WaitScope&) = delete;

 private:
  absl::Mutex* mutex_;
  bool outermost_;
};

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static auto* const real = As<void(Mutex*)>(Real("5Mutex4LockEv"));
  LockScope scope(this, 0);
  real(this);
}
void Mutex::Unlock() {
  static auto* const real = As<void(Mutex*)>(Real("5Mutex6UnlockEv"));
  UnlockScope scope(this, 0);
  real(this);
}
bool Mutex::TryLock() {
  static auto* const real = As<bool(Mutex*)>(Real("5Mutex7TryLockEv"));
  LockScope scope(this, __tsan_mutex_try_lock);
  const bool taken = real(this);
  if (!taken) scope.Failed();
  return taken;
}
void Mutex::ReaderLock() {
  static auto* const real = As<void(Mutex*)>(Real("5Mutex10ReaderLockEv"));
  LockScope scope(this, __tsan_mutex_read_lock);
  real(this);
}
void Mutex::ReaderUnlock() {
  static auto* const real = As<void(Mutex*)>(Real("5Mutex12ReaderUnlockEv"));
  UnlockScope scope(this, __tsan_mutex_read_lock);
  real(this);
}
bool Mutex::ReaderTryLock() {
  static auto* const real = As<bool(Mutex*)>(Real("5Mutex13ReaderTryLockEv"));
  LockScope scope(this, __tsan_mutex_try_lock | __tsan_mutex_read_lock);
  const bool taken = real(this);
  if (!taken) scope.Failed();
  return taken;
}
void Mutex::Await(const Condition& condition) {
  static auto* const real = As<void(Mutex*, const Condition&)>(Real("5Mutex5AwaitERKNS0_9ConditionE"));
  WaitScope scope(this);
  real(this, condition);
}
bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static auto* const real =
      As<bool(Mutex*, const Condition&, Duration)>(Real("5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE"));
  WaitScope scope(this);
  return real(this, condition, timeout);
}
bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static auto* const real =
      As<bool(Mutex*, const Condition&, Time)>(Real("5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE"));
  WaitScope scope(this);
  return real(this, condition, deadline);
}
void Mutex::LockWhen(const Condition& condition) {
  static auto* const real = As<void(Mutex*, const Condition&)>(Real("5Mutex8LockWhenERKNS0_9ConditionE"));
  LockScope scope(this, 0);
  real(this, condition);
}
bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  static auto* const real =
      As<bool(Mutex*, const Condition&, Duration)>(Real("5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE"));
  LockScope scope(this, 0);
  return real(this, condition, timeout);
}
bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  static auto* const real =
      As<bool(Mutex*, const Condition&, Time)>(Real("5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE"));
  LockScope scope(this, 0);
  return real(this, condition, deadline);
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const real = As<void(CondVar*, Mutex*)>(Real("7CondVar4WaitEPNS0_5MutexE"));
  WaitScope scope(mutex);
  real(this, mutex);
}
bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static auto* const real =
      As<bool(CondVar*, Mutex*, Duration)>(Real("7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE"));
  WaitScope scope(mutex);
  return real(this, mutex, timeout);
}
bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* const real = As<bool(CondVar*, Mutex*, Time)>(Real("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE"));
  WaitScope scope(mutex);
  return real(this, mutex, deadline);
}

void Notification::Notify() {
  static auto* const real = As<void(Notification*)>(Real("12Notification6NotifyEv"));
  __tsan_release(this);
  real(this);
}
void Notification::WaitForNotification() const {
  static auto* const real = As<void(const Notification*)>(Real("K12Notification19WaitForNotificationEv"));
  real(this);
  __tsan_acquire(const_cast<Notification*>(this));
}
bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static auto* const real =
      As<bool(const Notification*, Duration)>(Real("K12Notification30WaitForNotificationWithTimeoutENS0_8DurationE"));
  const bool notified = real(this, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}
bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  static auto* const real =
      As<bool(const Notification*, Time)>(Real("K12Notification31WaitForNotificationWithDeadlineENS0_4TimeE"));
  const bool notified = real(this, deadline);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

bool BlockingCounter::DecrementCount() {
  static auto* const real = As<bool(BlockingCounter*)>(Real("15BlockingCounter14DecrementCountEv"));
  __tsan_release(this);
  const bool last = real(this);
  if (last) __tsan_acquire(this);
  return last;
}
void BlockingCounter::Wait() {
  static auto* const real = As<void(BlockingCounter*)>(Real("15BlockingCounter4WaitEv"));
  real(this);
  __tsan_acquire(this);
}

// Instead of the library's: between counting down and freeing there is no place to tell of it from outside.
#if defined(ABSL_LTS_RELEASE_VERSION) && ABSL_LTS_RELEASE_VERSION < 20240116
void Status::UnrefNonInlined(uintptr_t rep) {
  status_internal::StatusRep* const shared = RepToPointer(rep);
  if (shared->ref.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared;
}
#else
void status_internal::StatusRep::Unref() const {
  if (ref_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}
#endif

ABSL_NAMESPACE_END
}  // namespace absl
