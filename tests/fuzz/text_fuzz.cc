// SPDX-License-Identifier: Apache-2.0
//
// The readers of text in the public headers: whatever they accept prints as itself, or as its canonical form.
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/amount.h"
#include "northwind/idempotency_key.h"
#include "northwind/status.h"

namespace nw = northwind;

// First byte: scale. The rest: the text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const int scale = data[0] % (nw::kMaxScale + 1);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);

  if (const auto amount = nw::Amount::Parse(text, scale); amount.ok()) {
    NW_CHECK(amount->units() <= nw::Amount::Max().units(), "amount over its bound");
    const auto again = nw::Amount::Parse(amount->ToString(scale), scale);
    NW_CHECK(again.ok() && *again == *amount, "an amount does not survive its own text");
  }
  if (const auto asset = nw::Asset::Parse(text); asset.ok()) {
    NW_CHECK(asset->ToString() == text, "an asset has one spelling");
  }
  if (const auto key = nw::IdempotencyKey::Parse(text); key.ok()) {
    std::string digits;
    for (const char c : text) {
      if (c != '-') digits.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    }
    NW_CHECK(key->ToString() == digits, "a key prints the digits it was read from");
  }
  if (const auto key = nw::IdempotencyKey::FromBytes(text); key.ok()) {
    NW_CHECK(key->bytes() == text, "a key keeps its bytes");
  }
  return 0;
}
