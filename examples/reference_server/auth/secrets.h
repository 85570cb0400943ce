// SPDX-License-Identifier: Apache-2.0
//
// Random secrets, what is kept of them, and how they are compared: OpenSSL's.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_SECRETS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_SECRETS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace northwind::server {

using Digest = std::array<uint8_t, 32>;

inline constexpr size_t kSecretBytes = 32;
inline constexpr size_t kSecretDigits = 2 * kSecretBytes;

// `bytes` random ones, in lower-case hexadecimal. Aborts if the machine has no randomness to give: nothing may go on without.
std::string RandomHex(size_t bytes);
Digest Sha256(std::string_view bytes);
// HMAC-SHA256 in hexadecimal.
std::string HmacHex(std::string_view key, std::string_view message);
std::string ToHex(const Digest& digest);
// Lower-case hexadecimal digits, and as many of them.
bool IsHex(std::string_view text, size_t digits);
// Takes as long for any two of one length.
bool SameSecret(std::string_view a, std::string_view b);
bool SameSecret(const Digest& a, const Digest& b);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_SECRETS_H_
