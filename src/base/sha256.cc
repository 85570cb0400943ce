// SPDX-License-Identifier: Apache-2.0
#include "src/base/sha256.h"

#include <openssl/evp.h>

#include "northwind/status.h"

namespace northwind::internal {
namespace {

// Fetched once: an implicit fetch in every EVP_DigestInit costs more than hashing a short text.
const EVP_MD* Algorithm() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  NW_CHECK(md != nullptr, "libcrypto has no SHA-256");
  return md;
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  NW_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_, Algorithm(), nullptr) == 1, "EVP_DigestInit_ex");
}

Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

void Sha256::Update(std::string_view bytes) {
  NW_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1, "EVP_DigestUpdate");
}

Hash256 Sha256::Finish() {
  Hash256 hash;
  NW_CHECK(EVP_DigestFinal_ex(context_, hash.data(), nullptr) == 1, "EVP_DigestFinal_ex");
  NW_CHECK(EVP_DigestInit_ex(context_, nullptr, nullptr) == 1, "EVP_DigestInit_ex");
  return hash;
}

Hash256 Sha256::Of(std::string_view bytes) {
  thread_local Sha256 hasher;
  hasher.Update(bytes);
  return hasher.Finish();
}

}  // namespace northwind::internal
