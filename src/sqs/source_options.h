// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SQS_SOURCE_OPTIONS_H_
#define NORTHWIND_SRC_SQS_SOURCE_OPTIONS_H_

#include "absl/status/status.h"
#include "northwind/sqs.h"

namespace northwind::internal::sqs {

// InvalidArgument that begins with the name of the option that is out of range.
absl::Status CheckOptions(const SqsOptions& options);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_SOURCE_OPTIONS_H_
