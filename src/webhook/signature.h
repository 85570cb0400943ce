// SPDX-License-Identifier: Apache-2.0
//
// The three headers of a Standard Webhooks message (https://www.standardwebhooks.com): made by a sender, checked by a
// receiver.
//
//   webhook-id         names the message, the same over all its attempts
//   webhook-timestamp  Unix seconds of this attempt
//   webhook-signature  "v1,<base64>" or "v1a,<base64>", several of them separated by one blank: one for each key that is
//                      good, so that a receiver that knows the old or the new key of a rotation finds its own
//
// What is signed is  id "." timestamp "." body,  with the body's bytes as sent. An id has no dot, so that two messages
// never have one text.
//
//   NW_ASSIGN_OR_RETURN(MessageHeaders headers, SignMessage(keys, "msg_1", now, body));
//   NW_RETURN_IF_ERROR(VerifyMessage(verification_keys, headers, body, now));
#ifndef NORTHWIND_SRC_WEBHOOK_SIGNATURE_H_
#define NORTHWIND_SRC_WEBHOOK_SIGNATURE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "src/webhook/signing_key.h"

namespace northwind::internal {

inline constexpr std::string_view kMessageIdHeader = "webhook-id";
inline constexpr std::string_view kMessageTimestampHeader = "webhook-timestamp";
inline constexpr std::string_view kMessageSignatureHeader = "webhook-signature";

inline constexpr size_t kMaxMessageIdBytes = 128;
inline constexpr size_t kMaxSigningKeys = 8;  // of one message, on either side
// Of a received header; those of unknown versions count.
inline constexpr size_t kMaxSignatures = 16;
inline constexpr size_t kMaxSignatureHeaderBytes = 4096;
// How far a message's time may be from the receiver's, either way: what a replay has to be quicker than.
inline constexpr absl::Duration kMessageTolerance = absl::Seconds(300);

struct MessageHeaders {
  std::string id;
  std::string timestamp;
  std::string signature;
};

// 1–128 visible ASCII characters, none of them a dot.
bool IsMessageId(std::string_view id);

// One signature for each key, in the order given. `at` is cut to whole seconds. InvalidArgument for no or too many keys,
// an id that is none, or a time before 1970 or after 9999.
absl::StatusOr<MessageHeaders> SignMessage(absl::Span<const SigningKey> keys, std::string_view id, absl::Time at,
                                           std::string_view body);

// OK if a signature is by one of the keys and the time is within the tolerance. Every key is tried on every signature of
// its scheme, found or not, so that how long it takes says nothing. Signatures of unknown versions are passed over.
// Errors, whose messages hold nothing of keys or signatures:
//   InvalidArgument  a header is missing or malformed, or no keys are given
//   OutOfRange       the time is too old or too new
//   Unauthenticated  no signature is by one of the keys: another body, id, time or key
absl::Status VerifyMessage(absl::Span<const VerificationKey> keys, const MessageHeaders& headers, std::string_view body,
                           absl::Time now, absl::Duration tolerance = kMessageTolerance);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_SIGNATURE_H_
