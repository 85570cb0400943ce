// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SQS_QUEUE_CLIENT_FIXTURE_H_
#define NORTHWIND_TESTS_SQS_QUEUE_CLIENT_FIXTURE_H_

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/sqs/queue_client.h"
#include "tests/sqs/sqs_server.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {

namespace sqs = ::northwind::internal::sqs;

// A callback, and what it is called with.
template <typename T>
class Awaited {
 public:
  sqs::QueueClient::Callback<T> Callback() {
    return [this](absl::StatusOr<T> value) { promise_.set_value(std::move(value)); };
  }
  absl::StatusOr<T> Get() { return promise_.get_future().get(); }

 private:
  std::promise<absl::StatusOr<T>> promise_;
};

inline absl::StatusOr<sqs::QueueAttributes> Attributes(sqs::QueueClient& client) {
  Awaited<sqs::QueueAttributes> awaited;
  client.GetAttributes(awaited.Callback());
  return awaited.Get();
}

inline absl::StatusOr<std::vector<sqs::Message>> Receive(sqs::QueueClient& client, size_t max = 10,
                                                         absl::Duration wait = absl::ZeroDuration(),
                                                         absl::Duration visibility = absl::ZeroDuration()) {
  Awaited<std::vector<sqs::Message>> awaited;
  client.Receive(max, wait, visibility, awaited.Callback());
  return awaited.Get();
}

inline absl::StatusOr<std::vector<absl::Status>> Delete(sqs::QueueClient& client,
                                                        const std::vector<std::string>& handles) {
  Awaited<std::vector<absl::Status>> awaited;
  client.Delete(handles, awaited.Callback());
  return awaited.Get();
}

inline absl::StatusOr<std::vector<absl::Status>> ChangeVisibility(sqs::QueueClient& client,
                                                                  const std::vector<sqs::VisibilityChange>& changes) {
  Awaited<std::vector<absl::Status>> awaited;
  client.ChangeVisibility(changes, awaited.Callback());
  return awaited.Get();
}

inline std::unique_ptr<sqs::QueueClient> MakeQueueClient(const sqs::QueueClientOptions& options,
                                                         std::unique_ptr<sqs::AwsCredentials> credentials) {
  auto client = sqs::QueueClient::Create(options, std::move(credentials));
  NW_CHECK(client.ok(), "no client");
  return *std::move(client);
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SQS_QUEUE_CLIENT_FIXTURE_H_
