// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SQS_OPEN_CLIENT_H_
#define NORTHWIND_SRC_SQS_OPEN_CLIENT_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "northwind/sqs.h"
#include "src/sqs/queue_client.h"

namespace northwind::internal::sqs {

// The client that the options ask for, with what they leave out from the environment and the configuration files. Does not touch
// the network. InvalidArgument if something is missing or cannot be read.
absl::StatusOr<std::unique_ptr<QueueClient>> OpenClient(const SqsOptions& options, size_t max_in_flight);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_OPEN_CLIENT_H_
