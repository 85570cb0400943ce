// SPDX-License-Identifier: Apache-2.0
//
// LegacyMapping as JSON (docs/parallel-run.md). Read over nlohmann's SAX interface, which shows members that are given twice.
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "northwind/compare.h"
#include "src/base/error.h"
#include "src/settlement/event_text.h"
#include "src/settlement/json_text.h"

namespace northwind {
namespace {

using internal::Printable;

// More than the longest valid mapping takes.
constexpr size_t kMaxMappingBytes = 1 << 20;

constexpr std::string_view kDecimal = "decimal";
constexpr std::string_view kMinorUnits = "minor_units";
constexpr std::string_view kMagnitude = "magnitude";
constexpr std::string_view kMerchant = "merchant";

enum class Form : uint8_t { kText, kTexts, kList, kNumber };

// In the order in which they are written.
enum class Member : uint8_t {
  kRowId,
  kLeg,
  kLegs,
  kOnlyLeg,
  kId,
  kRefundId,
  kMerchantId,
  kAsset,
  kAssets,
  kAmount,
  kAmountForm,
  kAmountSign,
  kFee,
  kStatus,
  kStatuses,
  kSkippedStatuses,
  kDay,
  kAt,
  kTimeZone,
  kDayBegins,
  kTimeTolerance,
  kCount
};
struct MemberRule {
  std::string_view name;
  Form form;
};
constexpr std::array<MemberRule, static_cast<size_t>(Member::kCount)> kMembers = {{
    {"row_id", Form::kText},
    {"leg", Form::kText},
    {"legs", Form::kTexts},
    {"only_leg", Form::kText},
    {"id", Form::kText},
    {"refund_id", Form::kText},
    {"merchant_id", Form::kText},
    {"asset", Form::kText},
    {"assets", Form::kTexts},
    {"amount", Form::kText},
    {"amount_form", Form::kText},
    {"amount_sign", Form::kText},
    {"fee", Form::kText},
    {"status", Form::kText},
    {"statuses", Form::kTexts},
    {"skipped_statuses", Form::kList},
    {"day", Form::kText},
    {"at", Form::kText},
    {"time_zone", Form::kText},
    {"day_begins_minutes", Form::kNumber},
    {"time_tolerance_seconds", Form::kNumber},
}};

std::string_view NameOf(Member member) { return kMembers[static_cast<size_t>(member)].name; }

template <typename... Parts>
absl::Status MemberError(std::string_view member, const Parts&... parts) {
  return internal::Error(absl::StatusCode::kInvalidArgument, internal::ToAbsl(member), ": ", parts...);
}

// Takes the parser's calls; each returns false to stop it, with status_ saying why.
class Reader {
 public:
  bool null() { return Refuse("null"); }
  bool boolean(bool) { return Refuse("a boolean"); }
  bool number_float(double, const std::string&) { return Refuse("a number with a point or exponent"); }
  bool binary(nlohmann::json::binary_t&) { return Refuse("binary"); }
  bool number_integer(int64_t value) { return SetNumber(value); }
  bool number_unsigned(uint64_t value) {
    constexpr uint64_t kMost = std::numeric_limits<int32_t>::max();
    return SetNumber(static_cast<int64_t>(value < kMost ? value : kMost));
  }

  bool start_object(size_t) {
    if (place_ == Place::kStart) {
      place_ = Place::kMapping;
      return true;
    }
    if (place_ != Place::kMapping || form() != Form::kTexts) return Refuse("an object");
    place_ = Place::kTexts;
    return true;
  }
  bool end_object() {
    place_ = place_ == Place::kTexts ? Place::kMapping : Place::kStart;
    return true;
  }
  bool start_array(size_t) {
    if (place_ != Place::kMapping || form() != Form::kList) return Refuse("an array");
    place_ = Place::kList;
    return true;
  }
  bool end_array() {
    place_ = Place::kMapping;
    return true;
  }

  bool key(std::string& name) {
    if (place_ == Place::kTexts) {
      text_ = name;
      return true;
    }
    for (size_t i = 0; i < kMembers.size(); ++i) {
      if (kMembers[i].name != name) continue;
      member_ = static_cast<Member>(i);
      if ((seen_ >> i & 1) != 0) return Fail("given twice");
      seen_ |= uint32_t{1} << i;
      return true;
    }
    status_ = MemberError(Printable(name), "unknown member");
    return false;
  }

  bool string(std::string& value) {
    if (place_ == Place::kTexts) return AddText(value);
    if (place_ == Place::kList) {
      return mapping_.skipped_statuses.insert(value).second || Fail("'", Printable(value), "' given twice");
    }
    if (place_ != Place::kMapping || form() != Form::kText) return Refuse("a string");
    if (value.empty()) return Fail("must not be empty; leave out what is not there");
    return SetText(value);
  }

  template <typename Exception>
  bool parse_error(size_t position, const std::string&, const Exception&) {
    status_ = MemberError("json", "not valid JSON at byte ", position);
    return false;
  }

  absl::Status& status() { return status_; }
  LegacyMapping& mapping() { return mapping_; }

 private:
  enum class Place : uint8_t { kStart, kMapping, kTexts, kList };

  Form form() const { return kMembers[static_cast<size_t>(member_)].form; }

  template <typename... Parts>
  bool Fail(const Parts&... parts) {
    status_ = MemberError(NameOf(member_), parts...);
    return false;
  }

  bool Refuse(absl::string_view what) {
    if (place_ == Place::kStart) {
      status_ = MemberError("json", "a mapping is one JSON object, not ", what);
      return false;
    }
    if (place_ == Place::kTexts) return Fail("must be an object of strings, not of ", what);
    if (place_ == Place::kList) return Fail("must be an array of strings, not of ", what);
    constexpr absl::string_view kForms[] = {"a string", "an object of strings", "an array of strings",
                                            "a whole number"};
    return Fail("must be ", kForms[static_cast<size_t>(form())], ", not ", what);
  }

  bool SetNumber(int64_t value) {
    if (place_ != Place::kMapping || form() != Form::kNumber) return Refuse("a number");
    if (member_ == Member::kDayBegins) return mapping_.day_begins = absl::Minutes(value), true;
    return mapping_.time_tolerance = absl::Seconds(value), true;
  }

  // A text of `legs`, `assets` or `statuses`, and what it stands for.
  bool AddText(std::string& value) {
    bool added = false;
    if (member_ == Member::kLegs) {
      const std::optional<Leg> leg = ParseLeg(value);
      if (!leg.has_value()) return Fail("no such leg: '", Printable(value), "'");
      added = mapping_.legs.emplace(text_, *leg).second;
    } else if (member_ == Member::kStatuses) {
      const std::optional<LegStatus> status = ParseLegStatus(value);
      if (!status.has_value()) return Fail("no such status: '", Printable(value), "'");
      added = mapping_.statuses.emplace(text_, *status).second;
    } else {
      added = mapping_.assets.emplace(text_, value).second;
    }
    return added || Fail("'", Printable(text_), "' given twice");
  }

  bool SetText(std::string& value) {
    LegacyMapping& m = mapping_;
    switch (member_) {
      case Member::kRowId:
        return m.row_id = value, true;
      case Member::kLeg:
        return m.leg = value, true;
      case Member::kId:
        return m.id = value, true;
      case Member::kRefundId:
        return m.refund_id = value, true;
      case Member::kMerchantId:
        return m.merchant_id = value, true;
      case Member::kAsset:
        return m.asset = value, true;
      case Member::kAmount:
        return m.amount = value, true;
      case Member::kFee:
        return m.fee = value, true;
      case Member::kStatus:
        return m.status = value, true;
      case Member::kDay:
        return m.day = value, true;
      case Member::kAt:
        return m.at = value, true;
      case Member::kTimeZone:
        return m.time_zone = value, true;
      case Member::kOnlyLeg:
        m.only_leg = ParseLeg(value);
        return m.only_leg.has_value() || Fail("no such leg: '", Printable(value), "'");
      case Member::kAmountForm:
        m.amount_form = value == kDecimal ? LegacyAmountForm::kDecimal : LegacyAmountForm::kMinorUnits;
        return value == kDecimal || value == kMinorUnits || Fail("must be \"decimal\" or \"minor_units\"");
      case Member::kAmountSign:
        m.amount_sign = value == kMagnitude ? LegacyAmountSign::kMagnitude : LegacyAmountSign::kMerchant;
        return value == kMagnitude || value == kMerchant || Fail("must be \"magnitude\" or \"merchant\"");
      default:
        return Refuse("a string");
    }
  }

  LegacyMapping mapping_;
  absl::Status status_;
  Place place_ = Place::kStart;
  Member member_ = Member::kRowId;
  std::string text_;
  uint32_t seen_ = 0;
};

template <typename Value>
std::map<std::string, std::string> Named(const std::map<std::string, Value>& values) {
  std::map<std::string, std::string> names;
  for (const auto& [text, value] : values) names.emplace(text, Name(value));
  return names;
}

void AppendList(std::string& out, std::string_view name, const std::set<std::string>& texts) {
  if (texts.empty()) return;
  internal::AppendJsonName(out, name);
  char before = '[';
  for (const std::string& text : texts) {
    out.push_back(before);
    internal::AppendJsonText(out, text);
    before = ',';
  }
  out.push_back(']');
}

}  // namespace

absl::StatusOr<LegacyMapping> ParseMappingJson(std::string_view json) {
  if (json.size() > kMaxMappingBytes) return MemberError("json", "longer than ", kMaxMappingBytes, " bytes");
  // Two liberties of the parser: it takes a NUL for the end of the text, and passes over a byte order mark.
  if (json.find('\0') != std::string_view::npos) return MemberError("json", "contains a NUL byte");
  if (!json.empty() && json[0] == '\xEF') return MemberError("json", "begins with a byte order mark");
  Reader reader;
  if (!nlohmann::json::sax_parse(json.data(), json.data() + json.size(), &reader)) {
    if (reader.status().ok()) return MemberError("json", "not valid JSON");
    return std::move(reader.status());
  }
  NW_RETURN_IF_ERROR(ValidateMapping(reader.mapping()));
  return std::move(reader.mapping());
}

std::string FormatMappingJson(const LegacyMapping& m) {
  using internal::AppendJsonField;
  using internal::AppendJsonTexts;
  std::string out = "{";
  const auto text = [&out](Member member, std::string_view value) { AppendJsonField(out, NameOf(member), value); };
  const auto number = [&out](Member member, int64_t value) {
    internal::AppendJsonName(out, NameOf(member));
    out.append(std::to_string(value));
  };
  text(Member::kRowId, m.row_id);
  text(Member::kLeg, m.leg);
  AppendJsonTexts(out, NameOf(Member::kLegs), Named(m.legs));
  if (m.only_leg.has_value()) text(Member::kOnlyLeg, Name(*m.only_leg));
  text(Member::kId, m.id);
  text(Member::kRefundId, m.refund_id);
  text(Member::kMerchantId, m.merchant_id);
  text(Member::kAsset, m.asset);
  AppendJsonTexts(out, NameOf(Member::kAssets), m.assets);
  text(Member::kAmount, m.amount);
  text(Member::kAmountForm, m.amount_form == LegacyAmountForm::kDecimal ? kDecimal : kMinorUnits);
  text(Member::kAmountSign, m.amount_sign == LegacyAmountSign::kMagnitude ? kMagnitude : kMerchant);
  text(Member::kFee, m.fee);
  text(Member::kStatus, m.status);
  AppendJsonTexts(out, NameOf(Member::kStatuses), Named(m.statuses));
  AppendList(out, NameOf(Member::kSkippedStatuses), m.skipped_statuses);
  text(Member::kDay, m.day);
  text(Member::kAt, m.at);
  text(Member::kTimeZone, m.time_zone);
  number(Member::kDayBegins, absl::ToInt64Minutes(m.day_begins));
  number(Member::kTimeTolerance, absl::ToInt64Seconds(m.time_tolerance));
  out.push_back('}');
  return out;
}

}  // namespace northwind
