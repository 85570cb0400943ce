// SPDX-License-Identifier: Apache-2.0
//
// Events as JSON, over nlohmann's SAX interface: no tree is built, and what a tree would hide (a key given twice, a
// number where money should be a string, depth) is seen as it comes.
#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/settlement/event.h"
#include "src/settlement/event_text.h"
#include "src/settlement/json_text.h"

namespace northwind {
namespace {

using internal::FieldError;
using internal::Printable;

// In the order of the schema; also bits of Reader::seen_.
enum class Field : uint8_t {
  kType,
  kPaymentId,
  kPayoutId,
  kOccurredAt,
  kMerchantId,
  kAmount,
  kFee,
  kMetadata,
  kRefundId,
  kDirection,
  kCount
};
constexpr std::array<std::string_view, static_cast<size_t>(Field::kCount)> kFieldNames = {
    "type",   "payment_id", "payout_id", "occurred_at", "merchant_id",
    "amount", "fee",        "metadata",  "refund_id",   "direction"};

// Takes the parser's calls; each returns false to stop it, with status_ saying why.
class Reader {
 public:
  bool null() { return Refuse("null"); }
  bool boolean(bool) { return Refuse("a boolean"); }
  bool number_integer(int64_t) { return Refuse("a number"); }
  bool number_unsigned(uint64_t) { return Refuse("a number"); }
  bool number_float(double, const std::string&) { return Refuse("a number"); }
  bool binary(nlohmann::json::binary_t&) { return Refuse("binary"); }
  bool start_array(size_t) { return Refuse("an array"); }
  bool end_array() { return Refuse("an array"); }

  bool start_object(size_t) {
    switch (place_) {
      case Place::kStart:
        place_ = Place::kEvent;
        return true;
      case Place::kEvent:
        if (field_ == Field::kAmount || field_ == Field::kFee) {
          place_ = Place::kMoney;
          money_ = &(field_ == Field::kAmount ? event_.amount : event_.fee).emplace();
          money_seen_ = 0;
          return true;
        }
        if (field_ == Field::kMetadata) {
          place_ = Place::kMetadata;
          return true;
        }
        [[fallthrough]];
      default:
        return Refuse("an object");
    }
  }

  bool key(std::string& name) {
    if (place_ == Place::kMetadata) {
      metadata_key_ = name;
      return true;
    }
    if (place_ == Place::kMoney) {
      money_units_ = name == "units";
      if (!money_units_ && name != "asset") return Fail(Path(), "unknown field '", Printable(name), "'");
      return MarkSeen(money_seen_, money_units_ ? 1 : 0, Path());
    }
    for (size_t i = 0; i < kFieldNames.size(); ++i) {
      if (kFieldNames[i] != name) continue;
      field_ = static_cast<Field>(i);
      return MarkSeen(seen_, i, std::string(name));
    }
    return Fail(Printable(name), "unknown field");
  }

  bool string(std::string& value) {
    switch (place_) {
      case Place::kStart:
        return Refuse("a string");
      case Place::kEvent:
        return SetField(value);
      case Place::kMoney:
        return money_units_ ? SetUnits(value) : SetAsset(value);
      case Place::kMetadata:
        return event_.metadata.try_emplace(metadata_key_, value).second ||
               Fail("metadata", "key '", Printable(metadata_key_), "' given twice");
    }
    return false;
  }

  bool end_object() {
    if (place_ == Place::kMoney && money_seen_ != 3) {
      return Fail(absl::StrCat(Path(), (money_seen_ & 1) == 0 ? ".asset" : ".units"), "missing");
    }
    place_ = place_ == Place::kEvent ? Place::kStart : Place::kEvent;
    return true;
  }

  template <typename Exception>
  bool parse_error(size_t position, const std::string&, const Exception&) {
    return Fail("json", "not valid JSON at byte ", position);
  }

  absl::Status& status() { return status_; }
  PaymentEvent& event() { return event_; }

 private:
  enum class Place : uint8_t { kStart, kEvent, kMoney, kMetadata };

  std::string Path() const {
    if (place_ == Place::kStart) return "json";
    return std::string(kFieldNames[static_cast<size_t>(field_)]);
  }

  template <typename... Parts>
  bool Fail(const std::string& field, const Parts&... parts) {
    status_ = FieldError(field, parts...);
    return false;
  }

  bool Refuse(absl::string_view what) {
    if (place_ == Place::kStart) return Fail("json", "an event is one JSON object, not ", what);
    const bool object =
        place_ == Place::kEvent && (field_ == Field::kAmount || field_ == Field::kFee || field_ == Field::kMetadata);
    std::string path = Path();
    if (place_ == Place::kMoney) path += money_units_ ? ".units" : ".asset";
    return Fail(path, "must be ", object ? "an object" : "a string", ", not ", what);
  }

  bool MarkSeen(uint32_t& seen, size_t bit, const std::string& path) {
    const uint32_t mask = uint32_t{1} << bit;
    if ((seen & mask) != 0) return Fail(path, place_ == Place::kMoney ? "a key is given twice" : "given twice");
    seen |= mask;
    return true;
  }

  bool SetField(std::string& value) {
    if (value.empty()) return Fail(Path(), "must not be empty");
    switch (field_) {
      case Field::kType:
        if (const auto type = internal::ParseEventType(value)) return event_.type = *type, true;
        return Fail("type", "no such type: '", Printable(value), "'");
      case Field::kOccurredAt:
        if (const auto time = internal::ParseTimestamp(value)) return event_.occurred_at = *time, true;
        return Fail("occurred_at", "not a UTC time such as 2024-03-01T12:00:00.25Z: '", Printable(value), "'");
      case Field::kDirection:
        if (const auto direction = internal::ParseDirection(value)) return event_.direction = *direction, true;
        return Fail("direction", "must be CREDIT or DEBIT");
      case Field::kPaymentId:
        return event_.payment_id = value, true;
      case Field::kPayoutId:
        return event_.payout_id = value, true;
      case Field::kMerchantId:
        return event_.merchant_id = value, true;
      case Field::kRefundId:
        return event_.refund_id = value, true;
      default:
        return Refuse("a string");
    }
  }

  bool SetAsset(const std::string& value) {
    absl::StatusOr<Asset> asset = Asset::Parse(value);
    if (!asset.ok()) return Fail(Path() + ".asset", asset.status().message());
    money_->asset = *std::move(asset);
    return true;
  }

  bool SetUnits(const std::string& value) {
    const std::optional<Amount> units = internal::ParseUnits(value);
    if (!units.has_value()) {
      return Fail(Path() + ".units", "not whole minor units of at most 2^127-1 in plain digits: '", Printable(value),
                  "'");
    }
    money_->units = *units;
    return true;
  }

  PaymentEvent event_;
  absl::Status status_;
  Place place_ = Place::kStart;
  Field field_ = Field::kType;
  uint32_t seen_ = 0;
  Money* money_ = nullptr;
  bool money_units_ = false;
  uint32_t money_seen_ = 0;
  std::string metadata_key_;
};

}  // namespace

namespace internal {

std::string WriteEventJson(const PaymentEvent& event) {
  std::string out = "{";
  out.reserve(320);
  AppendJsonField(out, "type", northwind::Name(event.type));
  AppendJsonField(out, "payment_id", event.payment_id);
  AppendJsonField(out, "payout_id", event.payout_id);
  if (event.occurred_at != absl::InfinitePast() && event.occurred_at != absl::InfiniteFuture()) {
    AppendJsonTime(out, "occurred_at", event.occurred_at);
  }
  AppendJsonField(out, "merchant_id", event.merchant_id);
  if (event.amount.has_value()) AppendJsonMoney(out, "amount", *event.amount);
  if (event.fee.has_value()) AppendJsonMoney(out, "fee", *event.fee);
  AppendJsonTexts(out, "metadata", event.metadata);
  AppendJsonField(out, "refund_id", event.refund_id);
  if (event.direction.has_value()) AppendJsonField(out, "direction", Name(*event.direction));
  out.push_back('}');
  return out;
}

}  // namespace internal

absl::StatusOr<PaymentEvent> DecodeEventJson(std::string_view json) {
  if (json.size() > kMaxEventBytes) return FieldError("json", "longer than ", kMaxEventBytes, " bytes");
  // Two liberties of the parser: it takes a NUL for the end of the text, and passes over a byte order mark.
  if (json.find('\0') != std::string_view::npos) return FieldError("json", "contains a NUL byte");
  if (!json.empty() && json[0] == '\xEF') return FieldError("json", "begins with a byte order mark");
  Reader reader;
  if (!nlohmann::json::sax_parse(json.data(), json.data() + json.size(), &reader)) {
    if (reader.status().ok()) return FieldError("json", "not valid JSON");
    return std::move(reader.status());
  }
  NW_RETURN_IF_ERROR(ValidateEvent(reader.event()));
  return std::move(reader.event());
}

absl::StatusOr<std::string> EncodeEventJson(const PaymentEvent& event) {
  NW_RETURN_IF_ERROR(ValidateEvent(event));
  return internal::WriteEventJson(event);
}

}  // namespace northwind
