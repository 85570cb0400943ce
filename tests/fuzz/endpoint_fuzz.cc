// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a record of an endpoint: refused as damaged, or a record that encodes to the same bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/status.h"
#include "src/webhook/endpoint.h"

namespace nwi = northwind::internal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto endpoint = nwi::DecodeEndpoint(nwi::EndpointKey("m", "e"), value);
  if (!endpoint.ok()) {
    NW_CHECK(absl::IsDataLoss(endpoint.status()), "refused as damaged");
    return 0;
  }
  NW_CHECK(nwi::EncodeEndpoint(*endpoint) == value, "a record has one encoding");
  return 0;
}
