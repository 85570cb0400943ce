// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "northwind/sqs.h"
#include "northwind/status.h"
#include "src/sqs/open_client.h"
#include "src/sqs/source_core.h"
#include "src/sqs/source_options.h"

namespace northwind {

namespace sqs = internal::sqs;

class SqsSource::Core : public sqs::SourceCore {
  using SourceCore::SourceCore;
};

SqsSource::SqsSource(std::unique_ptr<Core> core) : core_(std::move(core)) {}
SqsSource::~SqsSource() = default;

absl::StatusOr<std::unique_ptr<SqsSource>> SqsSource::Open(Intake& intake, const SqsOptions& options) {
  NW_RETURN_IF_ERROR(sqs::CheckOptions(options));
  if (!intake.parks_durably()) {
    return absl::FailedPreconditionError(
        "sqs: the intake has no scheduler (IntakeOptions::scheduler): parked events would be lost with the process "
        "when their "
        "messages are deleted");
  }
  NW_ASSIGN_OR_RETURN(auto client, sqs::OpenClient(options, sqs::SourceCore::RequestsUnderWay(options)));
  return std::unique_ptr<SqsSource>(new SqsSource(std::make_unique<Core>(intake, options, std::move(client))));
}

absl::Status SqsSource::Start() { return core_->Start(); }
absl::Status SqsSource::Stop() { return core_->Stop(absl::InfiniteDuration()); }
bool SqsSource::WaitUntilDrained(absl::Duration timeout) { return core_->WaitUntilDrained(timeout); }
absl::StatusOr<SqsCounts> SqsSource::CountMessages() const {
  NW_ASSIGN_OR_RETURN(const sqs::QueueAttributes attributes, core_->AskAttributes());
  return SqsCounts{.visible = attributes.visible, .in_flight = attributes.in_flight, .delayed = attributes.delayed};
}
SqsStats SqsSource::Stats() const { return core_->Stats(); }

}  // namespace northwind
