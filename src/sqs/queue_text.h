// SPDX-License-Identifier: Apache-2.0
//
// The JSON of SQS: what is asked, and what is answered. Pure; answers may be any bytes.
#ifndef NORTHWIND_SRC_SQS_QUEUE_TEXT_H_
#define NORTHWIND_SRC_SQS_QUEUE_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "src/sqs/queue_client.h"

namespace northwind::internal::sqs {

std::string AttributesRequest(std::string_view queue_url);
std::string ReceiveRequest(std::string_view queue_url, size_t max, absl::Duration wait, absl::Duration visibility);
// Entries are named by their place.
std::string DeleteRequest(std::string_view queue_url, const std::vector<std::string>& receipt_handles);
std::string VisibilityRequest(std::string_view queue_url, const std::vector<VisibilityChange>& changes);

// Unavailable, if it is not what the service would answer: something in between has garbled it.
absl::StatusOr<QueueAttributes> ReadAttributes(std::string_view answer);
absl::StatusOr<std::vector<Message>> ReadMessages(std::string_view answer);
// Of the `count` entries of a batch. One that the answer does not speak of is Unavailable.
absl::StatusOr<std::vector<absl::Status>> ReadEntries(std::string_view answer, size_t count);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_QUEUE_TEXT_H_
