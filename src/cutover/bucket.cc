// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "northwind/cutover.h"
#include "src/base/sha256.h"

namespace northwind {

uint32_t CutoverBucket(std::string_view salt, std::string_view merchant_id) {
  internal::Sha256 hash;
  hash.Update(salt);
  hash.Update(std::string_view("\0", 1));  // so that no other salt and merchant make the same text
  hash.Update(merchant_id);
  const Hash256 digest = hash.Finish();
  // Seven bytes: what SQL's bigint holds without a sign.
  uint64_t number = 0;
  for (int i = 0; i < 7; ++i) number = number << 8 | digest[static_cast<size_t>(i)];
  return static_cast<uint32_t>(number % kBasisPoints);
}

}  // namespace northwind
