// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <optional>
#include <string_view>

#include "northwind/compare.h"

namespace northwind {
namespace {

// The value whose name it is, of an enumeration that is dense from 1 on.
template <typename Enum>
std::optional<Enum> Parse(std::string_view name) {
  for (uint8_t i = 1; !Name(static_cast<Enum>(i)).empty(); ++i) {
    if (Name(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view Name(Leg leg) {
  switch (leg) {
    case Leg::kCapture:
      return "capture";
    case Leg::kRefund:
      return "refund";
    case Leg::kDispute:
      return "dispute";
    case Leg::kPayout:
      return "payout";
    case Leg::kPayoutReturn:
      return "payout_return";
    case Leg::kAdjustment:
      return "adjustment";
  }
  return "";
}

std::string_view Name(LegStatus status) {
  switch (status) {
    case LegStatus::kSettled:
      return "settled";
    case LegStatus::kOpen:
      return "open";
    case LegStatus::kPaid:
      return "paid";
    case LegStatus::kFailed:
      return "failed";
    case LegStatus::kCanceled:
      return "canceled";
    case LegStatus::kLost:
      return "lost";
    case LegStatus::kWon:
      return "won";
  }
  return "";
}

std::string_view Name(DiscrepancyClass c) {
  switch (c) {
    case DiscrepancyClass::kMissingHere:
      return "missing_here";
    case DiscrepancyClass::kMissingThere:
      return "missing_there";
    case DiscrepancyClass::kDuplicate:
      return "duplicate";
    case DiscrepancyClass::kCurrency:
      return "currency";
    case DiscrepancyClass::kAmount:
      return "amount";
    case DiscrepancyClass::kFee:
      return "fee";
    case DiscrepancyClass::kMerchant:
      return "merchant";
    case DiscrepancyClass::kStatus:
      return "status";
    case DiscrepancyClass::kDayShift:
      return "day_shift";
    case DiscrepancyClass::kLate:
      return "late";
    case DiscrepancyClass::kUnreadable:
      return "unreadable";
  }
  return "";
}

std::string_view Name(DiscrepancyState state) {
  switch (state) {
    case DiscrepancyState::kOpen:
      return "open";
    case DiscrepancyState::kExplained:
      return "explained";
    case DiscrepancyState::kResolved:
      return "resolved";
    case DiscrepancyState::kIgnored:
      return "ignored";
  }
  return "";
}

std::string_view Name(DayState state) {
  switch (state) {
    case DayState::kOpen:
      return "open";
    case DayState::kClosed:
      return "closed";
    case DayState::kReopened:
      return "reopened";
  }
  return "";
}

std::optional<Leg> ParseLeg(std::string_view name) { return Parse<Leg>(name); }
std::optional<LegStatus> ParseLegStatus(std::string_view name) { return Parse<LegStatus>(name); }
std::optional<DiscrepancyClass> ParseDiscrepancyClass(std::string_view name) { return Parse<DiscrepancyClass>(name); }

}  // namespace northwind
