// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a JSON event: refused with a field's name, or an event that survives both encodings and can be mapped.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/settlement.h"
#include "northwind/status.h"

namespace nw = northwind;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto event = nw::DecodeEventJson({reinterpret_cast<const char*>(data), size});
  if (!event.ok()) {
    NW_CHECK(absl::IsInvalidArgument(event.status()), "refused as an invalid argument");
    NW_CHECK(std::string(event.status().message()).find(": ") != std::string::npos, "the field is named");
    return 0;
  }
  const auto json = nw::EncodeEventJson(*event);
  const auto bytes = nw::EncodeEventProto(*event);
  NW_CHECK(json.ok() && bytes.ok(), "what was read can be written");
  const auto from_json = nw::DecodeEventJson(*json);
  const auto from_bytes = nw::DecodeEventProto(*bytes);
  NW_CHECK(from_json.ok() && *from_json == *event, "an event survives JSON");
  NW_CHECK(from_bytes.ok() && *from_bytes == *event, "an event survives protobuf");
  NW_CHECK(nw::MapEvent(*event).ok(), "a valid event has a transaction");
  return 0;
}
