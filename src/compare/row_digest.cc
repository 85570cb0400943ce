// SPDX-License-Identifier: Apache-2.0
#include "src/compare/row_digest.h"

#include "northwind/status.h"
#include "src/compare/legacy_text.h"

namespace northwind::internal {

std::string CanonicalText(const SettledRow& row) {
  std::string out;
  out.reserve(64 + row.id.size() + row.merchant_id.size());
  out.append(Name(row.leg)).push_back('\t');
  out.append(row.id).push_back('\t');
  out.append(row.merchant_id).push_back('\t');
  out.append(row.asset.ToString()).push_back('\t');
  out.append(FormatUnits(row.units, 0)).push_back('\t');
  if (row.fee.has_value()) out.append(FormatUnits(*row.fee, 0));
  out.push_back('\t');
  if (row.status.has_value()) out.append(Name(*row.status));
  out.push_back('\t');
  AppendDay(out, row.day);
  return out;
}

void DigestOfLines::Add(std::string_view name, const Hash256& digest) {
  // In another order, or with a name that holds a tab or line end, two systems would not come to the same digest.
  NW_CHECK(lines_ == 0 || last_name_ < name || (last_name_ == name && last_digest_ <= digest), "lines out of order");
  NW_CHECK(name.find_first_of("\t\n") == std::string_view::npos, "a name of one word");
  last_name_.assign(name);
  last_digest_ = digest;
  line_.assign(name);
  line_.push_back('\t');
  constexpr char kDigits[] = "0123456789abcdef";
  for (const uint8_t byte : digest) {
    line_.push_back(kDigits[byte >> 4]);
    line_.push_back(kDigits[byte & 15]);
  }
  line_.push_back('\n');
  hash_.Update(line_);
  ++lines_;
}

Hash256 DigestOfLines::Finish() {
  const Hash256 digest = hash_.Finish();
  const bool any = lines_ != 0;
  lines_ = 0;
  return any ? digest : Hash256{};
}

}  // namespace northwind::internal
