// SPDX-License-Identifier: Apache-2.0
//
// Of what callers of a parallel run give it.
#ifndef NORTHWIND_SRC_COMPARE_CHECKS_H_
#define NORTHWIND_SRC_COMPARE_CHECKS_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "northwind/compare.h"

namespace northwind::internal::compare {

// InvalidArgument, all of them. Actors, reasons and notes are UTF-8 of bounded length.
absl::Status CheckActor(std::string_view actor);
absl::Status CheckReason(std::string_view reason);
absl::Status CheckNote(std::string_view note);
absl::Status CheckSource(std::string_view source);
absl::Status CheckLimit(size_t limit, size_t max);
absl::Status CheckOptions(const ParallelRunOptions& options);
absl::Status CheckTotals(const std::map<std::string, CountAndSum>& totals);
absl::Status CheckHour(int hour);
// Of one Ingest.
absl::Status CheckRows(absl::Span<const std::string> columns, absl::Span<const RawRow> rows, std::string_view next);

size_t BytesOf(const RawRow& row);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_CHECKS_H_
