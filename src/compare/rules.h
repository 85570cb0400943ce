// SPDX-License-Identifier: Apache-2.0
//
// Rules of what may be ignored, and what each of them covers at the moment.
//
//   rule       = u8(1) definition u8(retired) varint(count) units        -- what it covers
//   definition = bytes(id) bytes(owner) bytes(reason) u8(class) u8(leg, 0 all) bytes(merchant) day day time varint(max count) units
//   units      = varint(n) n × (bytes(asset) varint128)
#ifndef NORTHWIND_SRC_COMPARE_RULES_H_
#define NORTHWIND_SRC_COMPARE_RULES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/base/coding.h"
#include "src/store/engine.h"

namespace northwind::internal::compare {

inline constexpr size_t kMaxRules = 1000;  // ever

using Units = std::map<std::string, absl::uint128>;  // by asset
void PutUnits(std::string& out, const Units& units);
bool GetUnits(ByteReader& in, Units& units);

// InvalidArgument that names the member.
absl::Status ValidateRule(const IgnoreRule& rule);

// What a rule is asked about.
struct Case {
  std::vector<DiscrepancyClass> classes;
  std::optional<Leg> leg;
  std::string merchant_id;
  absl::CivilDay day;
  Units at_stake;
};

// All rules. A value: what a write is to change is done to a copy, which takes the original's place once it is durable. Thread-compatible.
class RuleBook {
 public:
  static absl::StatusOr<RuleBook> Load(const Engine& engine);

  absl::Status Add(const IgnoreRule& rule);
  absl::Status Retire(std::string_view id);  // NotFound
  bool IsActive(const std::string& id) const;
  std::vector<IgnoreRule> Active() const;  // by id; expired ones too
  std::map<std::string, uint64_t> Uses() const;
  // Ids of rules that are retired, but still cover something.
  std::vector<std::string> Unfinished() const;
  // Those that have expired by then, and still cover something.
  std::vector<std::string> Expired(absl::Time now) const;

  // The rules that together cover all classes, each with room for the case; nothing if there are none.
  std::optional<std::vector<std::string>> Covering(const Case& of, absl::Time now) const;
  void Charge(const std::vector<std::string>& ids, const Units& units);
  void Release(const std::vector<std::string>& ids, const Units& units);

  // Over mapping and active rules.
  Hash256 HashWith(std::string_view mapping_json) const;

  // Puts what was changed since the last call.
  void WriteChanges(WriteSet& writes);

  struct Usage {
    uint64_t count = 0;
    Units units;
    friend bool operator==(const Usage&, const Usage&) = default;
  };
  std::map<std::string, Usage> AllUsage() const;

 private:
  struct Kept {
    IgnoreRule rule;
    bool retired = false;
    Usage usage;
  };
  static bool Covers(const Kept& kept, DiscrepancyClass c, const Case& of, absl::Time now);
  static std::string Encode(const Kept& kept);
  static absl::StatusOr<Kept> Decode(std::string_view key, std::string_view bytes);

  std::map<std::string, Kept, std::less<>> rules_;
  std::set<std::string> changed_;
};

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_RULES_H_
