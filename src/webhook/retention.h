#pragma once
#include "src/store/engine.h"
#include "northwind/scheduler.h"
namespace northwind::internal {
struct SweepResult { std::string next; };
class Retention { public: Retention(Engine&, Scheduler&); absl::StatusOr<SweepResult> Sweep(absl::Time, size_t, std::string_view); };
}
