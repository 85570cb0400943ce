// SPDX-License-Identifier: Apache-2.0
//
// Headers that a merchant wants on its deliveries, beside those that every delivery has.
#ifndef NORTHWIND_SRC_WEBHOOK_CUSTOM_HEADER_H_
#define NORTHWIND_SRC_WEBHOOK_CUSTOM_HEADER_H_

#include <cstddef>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "northwind/webhook.h"
#include "src/webhook/secret_bytes.h"

namespace northwind::internal {

inline constexpr size_t kMaxCustomHeaders = 32;
inline constexpr size_t kMaxHeaderNameBytes = 64;
inline constexpr size_t kMaxHeaderValueBytes = 1024;
inline constexpr size_t kMaxCustomHeaderBytes = 8 << 10;  // all names and values together

// Whether a header is the sender's own: those that frame the message or belong to one hop (RFC 9110 section 7.6.1),
// those that say what a delivery is (content-*, host, user-agent, webhook-*), and those that would make the receiver
// answer in ways the sender does not follow (expect, accept-encoding, range). `authorization` and `cookie` are not:
// gateways in front of an endpoint ask for them. They are credentials, and so all custom headers are stored sealed.
bool IsReservedHeader(std::string_view name);

// InvalidArgument names the header at fault by its place, never by its value: too many, too long, no token, reserved, a
// control character (CR, LF and NUL would begin another header), or a name that is there twice.
absl::Status ValidateCustomHeaders(absl::Span<const CustomHeader> headers);

// As they are sealed, in the order given; of valid ones only. Decoding is strict: DataLoss for bytes that are not from
// the encoder, or whose headers are not valid.
//
//   headers  = varint(count, 1–32) count × (bytes(name) bytes(value))
//   bytes(s) = varint(size of s) s
SecretBytes EncodeCustomHeaders(absl::Span<const CustomHeader> headers);
absl::StatusOr<std::vector<CustomHeader>> DecodeCustomHeaders(std::string_view bytes);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_CUSTOM_HEADER_H_
