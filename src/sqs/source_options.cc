// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/source_options.h"

#include "absl/strings/string_view.h"

namespace northwind::internal::sqs {
namespace {

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(what); }

bool WholeSeconds(absl::Duration duration) { return absl::Trunc(duration, absl::Seconds(1)) == duration; }

}  // namespace

absl::Status CheckOptions(const SqsOptions& options) {
  constexpr absl::Duration kLongestWait = absl::Seconds(20);
  constexpr absl::Duration kLongestVisibility = absl::Hours(12);
  constexpr size_t kMib = size_t{1} << 20;
  if (options.queue_url.empty()) return Bad("queue_url: is needed");
  if (options.body < SqsBody::kAuto || options.body > SqsBody::kProtobuf) return Bad("body: no such kind");
  if (options.poison < SqsPoison::kQuarantine || options.poison > SqsPoison::kRedrivePolicy) {
    return Bad("poison: no such policy");
  }
  if (options.pollers < 1 || options.pollers > kMaxSqsPollers) return Bad("pollers: must be 1 to 256");
  if (options.wait < absl::ZeroDuration() || options.wait > kLongestWait || !WholeSeconds(options.wait)) {
    return Bad("wait: must be 0 to 20 seconds, whole ones");
  }
  if (options.visibility < absl::ZeroDuration() || options.visibility > kLongestVisibility ||
      !WholeSeconds(options.visibility)) {
    return Bad("visibility: must be 1 second to 12 hours, whole seconds, or 0 for what the queue has");
  }
  if (options.max_messages < 10 || options.max_messages > 100'000) return Bad("max_messages: must be 10 to 100000");
  if (options.max_bytes < 16 * kMib || options.max_bytes > 4096 * kMib)
    return Bad("max_bytes: must be 16 MiB to 4 GiB");
  if (options.batch < 1 || options.batch > 100'000) return Bad("batch: must be 1 to 100000");
  return absl::OkStatus();
}

}  // namespace northwind::internal::sqs
