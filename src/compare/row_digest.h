// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_ROW_DIGEST_H_
#define NORTHWIND_SRC_COMPARE_ROW_DIGEST_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/compare.h"
#include "northwind/sequence.h"
#include "src/base/sha256.h"

namespace northwind::internal {

// The text of a row that both systems can write alike (docs/parallel-run.md): leg, id, merchant, asset, units, fee, status and day, joined
// by tabs, with nothing for what is not compared; no line end. The moment is not part of it: it may differ by the tolerance.
//   capture<TAB>pay_1<TAB>m_42<TAB>USD/2<TAB>10000<TAB>290<TAB>settled<TAB>2026-03-01
std::string CanonicalText(const SettledRow& row);

// Digests of digests: SHA-256 over the lines "<name>\t<hexadecimal digest>\n" in ascending order of names (bytewise); of rows, the name is "leg:id"
// and the digest that of the canonical text; rows of one name follow in ascending order of digest. Nothing added: all zero.
// Finish() begins anew. One thread at a time.
class DigestOfLines {
 public:
  // In that order: anything else is a programmer error.
  void Add(std::string_view name, const Hash256& digest);
  Hash256 Finish();
  uint64_t lines() const { return lines_; }

 private:
  Sha256 hash_;
  uint64_t lines_ = 0;
  std::string last_name_;
  Hash256 last_digest_{};
  std::string line_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_COMPARE_ROW_DIGEST_H_
