// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_WEBHOOK_AES_GCM_H_
#define NORTHWIND_SRC_WEBHOOK_AES_GCM_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "src/webhook/secret_bytes.h"

namespace northwind::internal {

inline constexpr size_t kAesGcmKeyBytes = 32;
inline constexpr size_t kAesGcmNonceBytes = 12;
inline constexpr size_t kAesGcmTagBytes = 16;

// AES-256-GCM (NIST SP 800-38D) by libcrypto: ciphertext and then the tag. Key and nonce must be of their sizes, texts
// below 1 GiB. One nonce must never be used twice with one key.
std::string AesGcmSeal(std::string_view key, std::string_view nonce, std::string_view associated,
                       std::string_view plaintext);
// Nothing if key, nonce, associated data or a bit of the sealed text is another.
std::optional<SecretBytes> AesGcmOpen(std::string_view key, std::string_view nonce, std::string_view associated,
                                      std::string_view sealed);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_AES_GCM_H_
