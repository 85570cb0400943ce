// SPDX-License-Identifier: Apache-2.0
//
// A journal record of any bytes: refused, or exactly what the encoder makes of what was read.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/ledger/record.h"

namespace nwi = northwind::internal;

namespace {

std::string Encode(const nwi::StoredRecord& record) {
  std::string out;
  if (const auto* stored = std::get_if<nwi::StoredTransaction>(&record)) {
    std::string content;
    nwi::EncodeContent(stored->record.transaction, content);
    nwi::EncodeTransaction(*stored, content, out);
  } else if (const auto* opened = std::get_if<northwind::AccountOpened>(&record)) {
    nwi::EncodeRecord(*opened, out);
  } else if (const auto* changed = std::get_if<northwind::AccountChanged>(&record)) {
    nwi::EncodeRecord(*changed, out);
  } else {
    nwi::EncodeRecord(std::get<nwi::StoredExpiry>(record), out);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  nwi::StoredRecord record;
  if (!nwi::DecodeRecord(input, record).ok()) return 0;
  std::string framed;
  nwi::PutBytes(framed, input);
  NW_CHECK(Encode(record) == framed, "a record that no encoder makes was accepted");
  return 0;
}
