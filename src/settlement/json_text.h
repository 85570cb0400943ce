// SPDX-License-Identifier: Apache-2.0
//
// Writing JSON, for what is made here: events, and what is told of them. Each function appends to an object that was
// begun with "{", which the caller closes; the same content is the same text, byte for byte, without blanks or line ends.
//
//   std::string out = "{";
//   AppendJsonField(out, "merchant_id", event.merchant_id);
//   AppendJsonMoney(out, "amount", *event.amount);
//   out.push_back('}');
#ifndef NORTHWIND_SRC_SETTLEMENT_JSON_TEXT_H_
#define NORTHWIND_SRC_SETTLEMENT_JSON_TEXT_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "northwind/settlement.h"

namespace northwind::internal {

// A string with its quotes. What is not UTF-8 becomes U+FFFD.
void AppendJsonText(std::string& out, std::string_view text);
// "name": with a comma before it, unless it is the object's first. Of plain ASCII.
void AppendJsonName(std::string& out, std::string_view name);

// Nothing if the value is empty.
void AppendJsonField(std::string& out, std::string_view name, std::string_view value);
// {"asset":"USD/2","units":"1250"}
void AppendJsonMoney(std::string& out, std::string_view name, const Money& money);
// RFC 3339 in UTC, as AppendTimestamp.
void AppendJsonTime(std::string& out, std::string_view name, absl::Time time);
// An object of strings; nothing if there are none.
void AppendJsonTexts(std::string& out, std::string_view name, const std::map<std::string, std::string>& texts);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_JSON_TEXT_H_
