// SPDX-License-Identifier: Apache-2.0
//
// The values of the public enumerations in words, as they stand in logs, metrics and JSON.
#include "northwind/webhook.h"

namespace northwind {

std::string_view Name(EndpointState state) {
  switch (state) {
    case EndpointState::kEnabled:
      return "enabled";
    case EndpointState::kPaused:
      return "paused";
    case EndpointState::kDisabled:
      return "disabled";
  }
  return "invalid";
}

std::string_view Name(DisableReason reason) {
  switch (reason) {
    case DisableReason::kByHand:
      return "by_hand";
    case DisableReason::kGone:
      return "gone";
    case DisableReason::kFailing:
      return "failing";
  }
  return "invalid";
}

std::string_view Name(SignatureScheme scheme) {
  switch (scheme) {
    case SignatureScheme::kHmacSha256:
      return "v1";
    case SignatureScheme::kEd25519:
      return "v1a";
  }
  return "invalid";
}

std::string_view Name(DeliveryState state) {
  switch (state) {
    case DeliveryState::kPending:
      return "pending";
    case DeliveryState::kDelivered:
      return "delivered";
    case DeliveryState::kDead:
      return "dead";
    case DeliveryState::kCanceled:
      return "canceled";
  }
  return "invalid";
}

std::string_view Name(AttemptFailure failure) {
  switch (failure) {
    case AttemptFailure::kNone:
      return "none";
    case AttemptFailure::kInvalidUrl:
      return "invalid_url";
    case AttemptFailure::kInvalidRequest:
      return "invalid_request";
    case AttemptFailure::kDns:
      return "dns";
    case AttemptFailure::kBlockedAddress:
      return "blocked_address";
    case AttemptFailure::kBlockedPort:
      return "blocked_port";
    case AttemptFailure::kConnect:
      return "connect";
    case AttemptFailure::kTls:
      return "tls";
    case AttemptFailure::kTimeout:
      return "timeout";
    case AttemptFailure::kSend:
      return "send";
    case AttemptFailure::kReceive:
      return "receive";
    case AttemptFailure::kHeadersTooLarge:
      return "headers_too_large";
    case AttemptFailure::kAborted:
      return "aborted";
    case AttemptFailure::kInternal:
      return "internal";
    case AttemptFailure::kStatus:
      return "status";
    case AttemptFailure::kRedirect:
      return "redirect";
    case AttemptFailure::kGone:
      return "gone";
    case AttemptFailure::kThrottled:
      return "throttled";
    case AttemptFailure::kUnknown:
      return "unknown";
    case AttemptFailure::kDisabled:
      return "disabled";
  }
  return "invalid";
}

std::string_view Name(AttemptTrigger trigger) {
  switch (trigger) {
    case AttemptTrigger::kSchedule:
      return "schedule";
    case AttemptTrigger::kResend:
      return "resend";
    case AttemptTrigger::kTest:
      return "test";
  }
  return "invalid";
}

std::string_view Name(RecoveryState state) {
  switch (state) {
    case RecoveryState::kRunning:
      return "running";
    case RecoveryState::kDone:
      return "done";
    case RecoveryState::kCanceled:
      return "canceled";
  }
  return "invalid";
}

}  // namespace northwind
