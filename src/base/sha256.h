// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_BASE_SHA256_H_
#define NORTHWIND_SRC_BASE_SHA256_H_

#include <string_view>

#include "northwind/sequence.h"

struct evp_md_ctx_st;

namespace northwind::internal {

// SHA-256 by libcrypto. Reusable: Finish() begins anew. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::string_view bytes);
  Hash256 Finish();

  // Of one piece of text.
  static Hash256 Of(std::string_view bytes);

 private:
  evp_md_ctx_st* context_;
};

inline std::string_view AsBytes(const Hash256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_BASE_SHA256_H_
