// SPDX-License-Identifier: Apache-2.0
//
// From a message's body to the event in it. Pure.
#ifndef NORTHWIND_SRC_SQS_MESSAGE_BODY_H_
#define NORTHWIND_SRC_SQS_MESSAGE_BODY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/settlement.h"
#include "northwind/sqs.h"

namespace northwind::internal::sqs {

// The event as it was sent, before it is decoded.
struct EventBytes {
  std::string bytes;
  EventFormat format = EventFormat::kJson;
  std::string refused;  // not empty: why there is no event in the body; `bytes` is then the whole body
};

EventBytes EventOfBody(std::string body, SqsBody kind, bool sns_envelope);

// Whether `md5` is the MD5 of the body, in hexadecimal. True if libcrypto may not compute it (FIPS): the body was
// protected by TLS on its way all the same.
bool HasMd5(std::string_view body, std::string_view md5);

// A number that finds the message again: the first 64 bits of its id, which is a UUID; 0 if it is none.
uint64_t PositionOfMessage(std::string_view id);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_MESSAGE_BODY_H_
