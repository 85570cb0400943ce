// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_SETTLE_REPORT_H_
#define NORTHWIND_EXAMPLES_SETTLE_REPORT_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "examples/settle/summary.h"
#include "northwind/settlement.h"

namespace northwind::examples {

// What one run did with its input.
struct RunCounts {
  uint64_t events = 0;  // lines that were not empty
  uint64_t empty_lines = 0;
  uint64_t applied = 0;
  uint64_t duplicates = 0;
  uint64_t already_settled = 0;
  std::map<std::string, uint64_t> rejected;     // by reason
  std::map<std::string, uint64_t> quarantined;  // by cause
  absl::Duration elapsed;                       // from the first read to the last durable outcome
  bool interrupted = false;

  // Counts an answer; parked events count when they are resolved.
  void Add(const EventOutcome& outcome);
  double per_second() const;
};

struct Report {
  std::string ledger;
  std::string input;
  RunCounts run;
  LedgerSummary summary;
  uint64_t replayed_at_open = 0;
  std::optional<VerifyReport> verified;
};

// What a ledger holds, for people and for machines: the last part of each report.
std::string LedgerText(const std::string& path, const LedgerSummary& ledger);
nlohmann::ordered_json LedgerJson(const std::string& path, const LedgerSummary& ledger);

// For people.
std::string ReportText(const Report& report);
// For machines: one line.
std::string ReportJson(const Report& report);

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_SETTLE_REPORT_H_
