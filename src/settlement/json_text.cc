// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/json_text.h"

#include <nlohmann/json.hpp>

#include "src/settlement/event_text.h"

namespace northwind::internal {

void AppendJsonText(std::string& out, std::string_view text) {
  bool plain = true;
  for (const char c : text) plain = plain && c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
  if (plain) {
    out.push_back('"');
    out.append(text);
    out.push_back('"');
    return;
  }
  out.append(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void AppendJsonName(std::string& out, std::string_view name) {
  out.append(out.back() == '{' ? "\"" : ",\"");
  out.append(name);
  out.append("\":");
}

void AppendJsonField(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  AppendJsonName(out, name);
  AppendJsonText(out, value);
}

void AppendJsonMoney(std::string& out, std::string_view name, const Money& money) {
  AppendJsonName(out, name);
  out.append("{\"asset\":");
  AppendJsonText(out, money.asset.ToString());
  out.append(",\"units\":\"");
  out.append(money.units.ToString(0));
  out.append("\"}");
}

void AppendJsonTime(std::string& out, std::string_view name, absl::Time time) {
  AppendJsonName(out, name);
  out.push_back('"');
  AppendTimestamp(out, time);
  out.push_back('"');
}

void AppendJsonTexts(std::string& out, std::string_view name, const std::map<std::string, std::string>& texts) {
  if (texts.empty()) return;
  AppendJsonName(out, name);
  out.push_back('{');
  for (const auto& [key, value] : texts) {
    if (out.back() != '{') out.push_back(',');
    AppendJsonText(out, key);
    out.push_back(':');
    AppendJsonText(out, value);
  }
  out.push_back('}');
}

}  // namespace northwind::internal
