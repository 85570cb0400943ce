// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/handle.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "bindings/python/src/parts.h"

namespace northwind::python {
namespace {

std::atomic<bool> opened = false;
std::atomic<bool> forked = false;
std::atomic<bool> ending = false;

// Guarded by the GIL. Never destroyed: nothing of Python is to be touched after its end.
std::vector<std::weak_ptr<Closable>>& Registry() {
  static auto* const registry = new std::vector<std::weak_ptr<Closable>>;
  return *registry;
}

void CloseAll() {
  if (Forked()) return;
  ending = true;
  std::vector<std::weak_ptr<Closable>> all = std::move(Registry());
  Registry().clear();
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    const std::shared_ptr<Closable> closable = it->lock();
    if (closable == nullptr) continue;
    try {
      closable->Close();
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("closing northwind at exit");
    }
    // Other threads, which nobody joins, find it closed and let it go.
    UnderWay::WaitForAll();
  }
}

}  // namespace

bool Forked() { return forked.load(std::memory_order_relaxed); }
bool Ending() { return ending.load(std::memory_order_relaxed); }

void NoteOpening() {
  RefuseAfterFork();
  if (Ending()) RaiseNamed("Closed", "Python is ending");
  opened = true;
}

void RefuseAfterFork() {
  if (!Forked()) return;
  RaiseNamed(
      "ForkedProcess",
      "this process was forked from one that had opened northwind, whose threads are not here: open it in the child "
      "only, or start children by spawn or forkserver");
}

void Closable::CloseAtExit() {
  auto& registry = Registry();
  std::erase_if(registry, [](const std::weak_ptr<Closable>& entry) { return entry.expired(); });
  registry.push_back(weak_from_this());
}

void LoadHandles(py::module_& m) {
  LoadSignals();
  pthread_atfork(nullptr, nullptr, [] {
    if (!opened || forked) return;
    forked = true;
    // At the end of the process RocksDB joins its threads, which are not here. By then Python has ended already: what is left
    // to do is to write out what stdio holds. Registered last, this runs first.
    on_exit(
        [](int status, void*) {
          std::fflush(nullptr);
          _exit(status);
        },
        nullptr);
  });
  py::module_::import("atexit").attr("register")(py::cpp_function(CloseAll));
  static_cast<void>(m);
}

}  // namespace northwind::python
