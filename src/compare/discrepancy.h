// SPDX-License-Identifier: Apache-2.0
//
// What is kept of a discrepancy beside the rows that it is about (item.h): how it stands, and how it came to that.
//
//   record = u8(1) classes u8(state) u8(agreed) day bytes(merchant) time(first seen) time(last seen) hash(32) fingerprint(16)
//            ids(rules) units(charged) change*
//   change = time u8(state) classes bytes(actor) bytes(reason)
//   classes = varint(n) n × u8
#ifndef NORTHWIND_SRC_COMPARE_DISCREPANCY_H_
#define NORTHWIND_SRC_COMPARE_DISCREPANCY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/compare/classify.h"
#include "src/compare/item.h"
#include "src/compare/rules.h"

namespace northwind::internal::compare {

struct DiscrepancyRecord {
  std::vector<DiscrepancyClass> classes;  // as last seen: once the sides agree, those of before
  DiscrepancyState state = DiscrepancyState::kOpen;
  bool agreed = false;  // resolved because nothing differs any more
  absl::CivilDay day;
  std::string merchant_id;
  absl::Time first_seen;
  absl::Time last_seen;
  Hash256 rules_hash{};
  std::string fingerprint;         // of what differs: another one makes an explanation void
  std::vector<std::string> rules;  // that it is ignored under
  Units charged;                   // to each of them
  std::vector<DiscrepancyChange> history;
};

std::string EncodeDiscrepancy(const DiscrepancyRecord& record);
absl::StatusOr<DiscrepancyRecord> DecodeDiscrepancy(std::string_view name, std::string_view bytes);

// What a discrepancy is judged with.
struct Judge {
  absl::Time now;
  Hash256 rules_hash;
  RuleBook* rules;  // is charged
};

// Brings a record up to a verdict that finds something; `record` is a new one if it has no classes.
void Observe(const Item& item, const Verdict& verdict, const Judge& judge, DiscrepancyRecord& record);
// The same for a verdict that finds nothing (any more).
void ObserveAgreement(const Item& item, const Verdict& verdict, const Judge& judge, DiscrepancyRecord& record);
// By hand: explained, resolved or open. FailedPrecondition if the sides agree.
absl::Status Decide(DiscrepancyState state, std::string_view actor, std::string_view reason, const Judge& judge,
                    DiscrepancyRecord& record);

// By asset, the sum of magnitudes of the rows that do not agree, of the side where it is more.
Units AtStake(const Item& item, const Verdict& verdict);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_DISCREPANCY_H_
