// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/xml_text.h"

#include <expat.h>

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "northwind/status.h"

namespace northwind::internal::sqs {
namespace {

// What no answer comes near.
constexpr size_t kMaxXmlBytes = 1 << 20;

struct FreeParser {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

struct Reading {
  XML_Parser parser = nullptr;
  std::map<std::string, std::string, std::less<>> texts;
  std::string text;      // since the last tag
  bool is_leaf = false;  // the last tag was a beginning
};

void OnBegin(void* self, const char* /*name*/, const char** /*attributes*/) {
  auto& reading = *static_cast<Reading*>(self);
  reading.text.clear();
  reading.is_leaf = true;
}

void OnText(void* self, const char* text, int length) {
  static_cast<Reading*>(self)->text.append(text, static_cast<size_t>(length));
}

void OnEnd(void* self, const char* name) {
  auto& reading = *static_cast<Reading*>(self);
  if (reading.is_leaf) {
    absl::StripAsciiWhitespace(&reading.text);
    reading.texts.emplace(name, reading.text);
  }
  reading.is_leaf = false;
}

void OnDoctype(void* self, const char* /*name*/, const char* /*system*/, const char* /*id*/, int /*has_internal*/) {
  XML_StopParser(static_cast<Reading*>(self)->parser, XML_FALSE);
}

}  // namespace

std::map<std::string, std::string, std::less<>> XmlTexts(std::string_view xml) {
  if (xml.empty() || xml.size() > kMaxXmlBytes) return {};
  const std::unique_ptr<XML_ParserStruct, FreeParser> parser(XML_ParserCreate(nullptr));
  NW_CHECK(parser != nullptr, "out of memory");
  Reading reading;
  reading.parser = parser.get();
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(parser.get(), &OnBegin, &OnEnd);
  XML_SetCharacterDataHandler(parser.get(), &OnText);
  XML_SetStartDoctypeDeclHandler(parser.get(), &OnDoctype);
  if (XML_Parse(parser.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE) != XML_STATUS_OK) return {};
  return std::move(reading.texts);
}

}  // namespace northwind::internal::sqs
