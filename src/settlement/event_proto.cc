// SPDX-License-Identifier: Apache-2.0
//
// Events as protobuf. The generated parser forgives: it keeps unknown fields aside, lets the last of several values win,
// and drops what it does not know inside a map entry. CheckWire walks the bytes by the schema first and refuses all that.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include "northwind/v1/payment_event.pb.h"
#include "src/base/error.h"
#include "src/settlement/event.h"
#include "src/settlement/event_text.h"

namespace northwind {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using internal::FieldError;
using internal::Printable;

constexpr int64_t kNanosPerSecond = 1'000'000'000;

WireFormatLite::WireType WireTypeOf(const FieldDescriptor& field) {
  return WireFormatLite::WireTypeForFieldType(static_cast<WireFormatLite::FieldType>(field.type()));
}

// Reads one length-prefixed value as a view into the input.
bool ReadView(CodedInputStream& in, std::string_view& view) {
  uint32_t size = 0;
  const void* data = nullptr;
  int available = 0;
  if (!in.ReadVarint32(&size)) return false;
  view = {};
  if (size == 0) return true;
  if (!in.GetDirectBufferPointer(&data, &available) || static_cast<uint32_t>(available) < size) return false;
  view = {static_cast<const char*>(data), size};
  return in.Skip(static_cast<int>(size));
}

// Every field known, of its wire type, and at most once if it is not repeated; strings UTF-8. `map_entries` counts the
// entries of maps. The schema is three levels deep and not recursive, and so is this.
absl::Status CheckWire(const Descriptor& message, std::string_view bytes, const std::string& path, int& map_entries) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  const std::string here = path.empty() ? "protobuf" : path;
  uint32_t seen = 0;
  while (in.CurrentPosition() < static_cast<int>(bytes.size())) {
    const uint32_t tag = in.ReadTag();
    if (tag == 0) return FieldError(here, "damaged or cut short");
    const int number = WireFormatLite::GetTagFieldNumber(tag);
    const FieldDescriptor* field = message.FindFieldByNumber(number);
    if (field == nullptr) return FieldError(here, "unknown field ", number);
    const auto name = [&] { return path.empty() ? field->name() : absl::StrCat(path, ".", field->name()); };
    if (WireFormatLite::GetTagWireType(tag) != WireTypeOf(*field)) return FieldError(name(), "has another wire type");
    if (!field->is_repeated()) {
      const uint32_t bit = uint32_t{1} << number;  // the schema's numbers are below 32
      if ((seen & bit) != 0) return FieldError(name(), "given twice");
      seen |= bit;
    }
    if (WireTypeOf(*field) == WireFormatLite::WIRETYPE_VARINT) {
      uint64_t value;
      if (!in.ReadVarint64(&value)) return FieldError(name(), "damaged or cut short");
      continue;
    }
    std::string_view view;
    if (!ReadView(in, view)) return FieldError(name(), "damaged or cut short");
    if (field->type() == FieldDescriptor::TYPE_STRING) {
      if (!internal::IsUtf8(view)) return FieldError(name(), "not UTF-8");
      continue;
    }
    if (field->is_map()) ++map_entries;
    NW_RETURN_IF_ERROR(CheckWire(*field->message_type(), view, name(), map_entries));
  }
  return absl::OkStatus();
}

absl::StatusOr<Money> ReadMoney(absl::string_view field, const v1::Money& message) {
  absl::StatusOr<Asset> asset = Asset::Parse(message.asset());
  if (!asset.ok()) return FieldError(absl::StrCat(field, ".asset"), asset.status().message());
  const std::optional<Amount> units = internal::ParseUnits(message.units());
  if (!units.has_value()) {
    return FieldError(absl::StrCat(field, ".units"), "not whole minor units of at most 2^127-1 in plain digits: '",
                      Printable(message.units()), "'");
  }
  return Money{.asset = *std::move(asset), .units = *units};
}

absl::StatusOr<absl::Time> ReadTime(const google::protobuf::Timestamp& message) {
  // The range of the standard (years 1–9999); ValidateEvent has the narrower one.
  if (message.seconds() < -62'135'596'800 || message.seconds() > 253'402'300'799) {
    return FieldError("occurred_at", "seconds out of range");
  }
  if (message.nanos() < 0 || message.nanos() >= kNanosPerSecond) return FieldError("occurred_at", "nanos out of range");
  return absl::FromUnixSeconds(message.seconds()) + absl::Nanoseconds(message.nanos());
}

absl::StatusOr<PaymentEvent> FromMessage(const v1::PaymentEvent& message) {
  PaymentEvent event;
  if (message.type() < 0 || message.type() > static_cast<int>(kEventTypes)) return FieldError("type", "unknown");
  event.type = static_cast<EventType>(message.type());
  event.payment_id = message.payment_id();
  event.payout_id = message.payout_id();
  event.refund_id = message.refund_id();
  event.merchant_id = message.merchant_id();
  if (message.has_occurred_at()) {
    NW_ASSIGN_OR_RETURN(event.occurred_at, ReadTime(message.occurred_at()));
  }
  if (message.has_amount()) {
    NW_ASSIGN_OR_RETURN(event.amount, ReadMoney("amount", message.amount()));
  }
  if (message.has_fee()) {
    NW_ASSIGN_OR_RETURN(event.fee, ReadMoney("fee", message.fee()));
  }
  if (message.direction() < 0 || message.direction() > 2) return FieldError("direction", "unknown");
  if (message.direction() != 0) event.direction = static_cast<AdjustmentDirection>(message.direction());
  event.metadata.insert(message.metadata().begin(), message.metadata().end());
  return event;
}

void WriteMoney(const Money& money, v1::Money& message) {
  message.set_asset(money.asset.ToString());
  message.set_units(money.units.ToString(0));
}

}  // namespace

absl::StatusOr<PaymentEvent> DecodeEventProto(std::string_view bytes) {
  if (bytes.size() > kMaxEventBytes) return FieldError("protobuf", "longer than ", kMaxEventBytes, " bytes");
  int map_entries = 0;
  NW_RETURN_IF_ERROR(CheckWire(*v1::PaymentEvent::descriptor(), bytes, "", map_entries));
  v1::PaymentEvent message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return FieldError("protobuf", "damaged or cut short");
  }
  if (message.metadata_size() != map_entries) return FieldError("metadata", "a key is given twice");
  NW_ASSIGN_OR_RETURN(PaymentEvent event, FromMessage(message));
  NW_RETURN_IF_ERROR(ValidateEvent(event));
  return event;
}

absl::StatusOr<std::string> EncodeEventProto(const PaymentEvent& event) {
  NW_RETURN_IF_ERROR(ValidateEvent(event));
  v1::PaymentEvent message;
  message.set_type(static_cast<v1::PaymentEvent::Type>(event.type));
  message.set_payment_id(event.payment_id);
  message.set_payout_id(event.payout_id);
  message.set_refund_id(event.refund_id);
  message.set_merchant_id(event.merchant_id);
  const int64_t nanos = absl::ToUnixNanos(event.occurred_at);  // not negative: times begin in 2000
  message.mutable_occurred_at()->set_seconds(nanos / kNanosPerSecond);
  message.mutable_occurred_at()->set_nanos(static_cast<int32_t>(nanos % kNanosPerSecond));
  if (event.amount.has_value()) WriteMoney(*event.amount, *message.mutable_amount());
  if (event.fee.has_value()) WriteMoney(*event.fee, *message.mutable_fee());
  if (event.direction.has_value()) message.set_direction(static_cast<v1::PaymentEvent::Direction>(*event.direction));
  message.mutable_metadata()->insert(event.metadata.begin(), event.metadata.end());

  std::string out;
  google::protobuf::io::StringOutputStream stream(&out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);  // sorts the metadata
  NW_CHECK(message.SerializeToCodedStream(&coded), "a valid event serialises");
  coded.Trim();
  return out;
}

}  // namespace northwind
