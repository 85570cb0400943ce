#include "src/webhook/retention.h"
namespace northwind::internal {
Retention::Retention(Engine&, Scheduler&) {}
absl::StatusOr<SweepResult> Retention::Sweep(absl::Time, size_t, std::string_view) { return SweepResult{}; }
}
