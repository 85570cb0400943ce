// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/answer_error.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "nlohmann/json.hpp"
#include "src/base/error.h"
#include "src/http/retry_after.h"
#include "src/sqs/xml_text.h"

namespace northwind::internal::sqs {
namespace {

using Json = nlohmann::json;
using http::Failure;

// Of what a service says, so much is repeated.
constexpr size_t kMaxMessageBytes = 512;
// Signatures are refused from five minutes on.
constexpr absl::Duration kSkewToBeNamed = absl::Minutes(4);

struct Meaning {
  absl::StatusCode status;
  Remedy remedy;
};

constexpr Meaning kNoQueue = {absl::StatusCode::kNotFound, Remedy::kNone};
constexpr Meaning kDenied = {absl::StatusCode::kPermissionDenied, Remedy::kNone};
constexpr Meaning kKeysRefused = {absl::StatusCode::kUnauthenticated, Remedy::kOtherKeys};
constexpr Meaning kClockRefused = {absl::StatusCode::kUnauthenticated, Remedy::kNone};
constexpr Meaning kThrottled = {absl::StatusCode::kResourceExhausted, Remedy::kSlowDown};
constexpr Meaning kInFlightLimit = {absl::StatusCode::kResourceExhausted, Remedy::kNone};
constexpr Meaning kFailing = {absl::StatusCode::kUnavailable, Remedy::kRetry};
constexpr Meaning kRefused = {absl::StatusCode::kInvalidArgument, Remedy::kNone};

// By what the service calls it, without namespace and without the prefix that the older protocol has.
constexpr std::pair<std::string_view, Meaning> kMeanings[] = {
    {"QueueDoesNotExist", kNoQueue},
    {"NonExistentQueue", kNoQueue},

    {"AccessDenied", kDenied},
    {"AccessDeniedException", kDenied},
    {"AuthorizationError", kDenied},
    {"UnauthorizedOperation", kDenied},
    {"OptInRequired", kDenied},
    {"KmsAccessDenied", kDenied},
    {"KMS.AccessDeniedException", kDenied},
    {"KmsDisabled", kDenied},
    {"KMS.DisabledException", kDenied},
    {"KmsInvalidKeyUsage", kDenied},
    {"KmsInvalidState", kDenied},
    {"KmsNotFound", kDenied},
    {"KMS.NotFoundException", kDenied},
    {"KmsOptInRequired", kDenied},

    {"UnrecognizedClientException", kKeysRefused},
    {"InvalidClientTokenId", kKeysRefused},
    {"InvalidAccessKeyId", kKeysRefused},
    {"InvalidSecurity", kKeysRefused},
    {"InvalidToken", kKeysRefused},
    {"ExpiredToken", kKeysRefused},
    {"ExpiredTokenException", kKeysRefused},
    {"TokenRefreshRequired", kKeysRefused},
    {"AuthFailure", kKeysRefused},
    {"SignatureDoesNotMatch", kKeysRefused},
    {"InvalidSignatureException", kKeysRefused},
    {"IncompleteSignature", kKeysRefused},
    {"IncompleteSignatureException", kKeysRefused},
    {"MissingAuthenticationToken", kKeysRefused},
    {"MissingAuthenticationTokenException", kKeysRefused},
    {"RequestTimeTooSkewed", kClockRefused},
    {"RequestExpired", kClockRefused},

    {"Throttling", kThrottled},
    {"ThrottlingException", kThrottled},
    {"ThrottledException", kThrottled},
    {"RequestThrottled", kThrottled},
    {"RequestThrottledException", kThrottled},
    {"RequestLimitExceeded", kThrottled},
    {"BandwidthLimitExceeded", kThrottled},
    {"LimitExceededException", kThrottled},
    {"TooManyRequestsException", kThrottled},
    {"PriorRequestNotComplete", kThrottled},
    {"SlowDown", kThrottled},
    {"KmsThrottled", kThrottled},
    {"KMS.ThrottlingException", kThrottled},
    {"OverLimit", kInFlightLimit},

    {"InternalFailure", kFailing},
    {"InternalError", kFailing},
    {"InternalServerError", kFailing},
    {"ServiceUnavailable", kFailing},
    {"ServiceUnavailableException", kFailing},
    {"RequestTimeout", kFailing},
    {"RequestTimeoutException", kFailing},
};

// "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender", "AccessDenied:http://...": the name
// by itself.
std::string_view BareCode(std::string_view code) {
  code = code.substr(0, code.find_first_of(":;"));
  if (const size_t hash = code.rfind('#'); hash != std::string_view::npos) code.remove_prefix(hash + 1);
  constexpr std::string_view kOldPrefix = "AWS.SimpleQueueService.";
  if (absl::StartsWith(ToAbsl(code), ToAbsl(kOldPrefix))) code.remove_prefix(kOldPrefix.size());
  return code;
}

std::optional<Meaning> MeaningOf(std::string_view bare) {
  const auto at =
      std::find_if(std::begin(kMeanings), std::end(kMeanings), [bare](const auto& each) { return each.first == bare; });
  if (at == std::end(kMeanings)) return std::nullopt;
  return at->second;
}

Meaning MeaningOf(int status) {
  if (status == 429) return kThrottled;
  if (status == 408 || status >= 500) return kFailing;
  if (status == 401) return kKeysRefused;
  if (status == 403) return kDenied;
  return kRefused;
}

// A text of the service in words that can be shown: of a bounded length, on one line.
std::string Shown(std::string_view text) {
  std::string shown(text.substr(0, kMaxMessageBytes));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return shown;
}

std::string TextOf(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

struct Told {
  std::string code;  // bare
  std::string message;
  std::optional<Meaning> meaning;
};

// What the service says; of the names that it may give, the first that we know.
Told Read(const http::Result& result) {
  Told told;
  std::vector<std::string> codes;
  const Json body = Json::parse(result.body, nullptr, /*allow_exceptions=*/false);
  if (body.is_object()) {
    told.message = TextOf(body, "message");
    if (told.message.empty()) told.message = TextOf(body, "Message");
    for (const char* key : {"__type", "code", "Code"}) codes.push_back(TextOf(body, key));
  } else if (const auto texts = XmlTexts(result.body); !texts.empty()) {
    // What stands before the service, and looks at signatures, may speak XML.
    if (const auto code = texts.find("Code"); code != texts.end()) codes.push_back(code->second);
    if (const auto message = texts.find("Message"); message != texts.end()) told.message = message->second;
  }
  for (const char* header : {"x-amzn-errortype", "x-amzn-query-error"}) {
    codes.emplace_back(result.FindHeader(header).value_or(""));
  }
  for (const std::string& code : codes) {
    const std::string_view bare = BareCode(code);
    if (told.code.empty()) told.code = bare;
    if (told.meaning || bare.empty()) continue;
    told.meaning = MeaningOf(bare);
    if (told.meaning) told.code = bare;
  }
  return told;
}

// What there is to say of the clock, if the answer has to do with it; else nothing.
std::string ClockMessage(const http::Result& result, const Told& told, absl::Time now) {
  const bool is_told = absl::StrContains(told.message, "Signature expired") ||
                       absl::StrContains(told.message, "Signature not yet current") ||
                       told.code == "RequestTimeTooSkewed" || told.code == "RequestExpired";
  const auto date = http::ParseHttpDate(result.FindHeader("date").value_or(""), now);
  const absl::Duration behind = date ? *date - now : absl::ZeroDuration();
  const bool is_seen = absl::AbsDuration(behind) >= kSkewToBeNamed;
  if (is_seen) {
    return absl::StrCat("; this machine's clock is ",
                        absl::FormatDuration(absl::Trunc(absl::AbsDuration(behind), absl::Seconds(1))),
                        behind > absl::ZeroDuration() ? " behind" : " ahead of", " the service's: set it");
  }
  return is_told ? "; the service takes this machine's clock, or its own, to be wrong" : "";
}

AnswerError OfFailure(const http::Result& result, std::string_view operation) {
  AnswerError error;
  const auto make = [&](absl::StatusCode code) { return Error(code, ToAbsl(operation), ": ", result.message); };
  switch (result.failure) {
    case Failure::kAborted:
      error.status = make(absl::StatusCode::kCancelled);
      break;
    case Failure::kInvalidUrl:
    case Failure::kInvalidRequest:
    case Failure::kBlockedAddress:
    case Failure::kBlockedPort:
      error.status = make(absl::StatusCode::kInvalidArgument);
      break;
    default:
      error.status = make(absl::StatusCode::kUnavailable);
      error.remedy = Remedy::kRetry;
      error.answer_lost = result.failure == Failure::kReceive || result.failure == Failure::kTimeout ||
                          result.failure == Failure::kHeadersTooLarge;
      break;
  }
  return error;
}

}  // namespace

std::optional<AnswerError> ErrorOf(const http::Result& result, std::string_view operation, absl::Time now) {
  if (!result.ok()) return OfFailure(result, operation);
  if (result.truncated) {
    return AnswerError{.status = Error(absl::StatusCode::kUnavailable, ToAbsl(operation), ": an answer of more than ",
                                       result.body.size(), " bytes"),
                       .answer_lost = true};
  }
  if (result.status / 100 == 2) return std::nullopt;
  const Told told = Read(result);
  const Meaning meaning = told.meaning ? *told.meaning : MeaningOf(result.status);
  AnswerError error;
  error.remedy = meaning.remedy;
  std::string clock;
  if (meaning.status == absl::StatusCode::kUnauthenticated) {
    clock = ClockMessage(result, told, now);
    if (!clock.empty()) error.remedy = Remedy::kNone;
  }
  error.status = Error(meaning.status, ToAbsl(operation), ": HTTP status ", result.status, told.code.empty() ? "" : " ",
                       Shown(told.code), told.message.empty() ? "" : ": ", Shown(told.message), clock);
  // What a gateway says when it does not know the answer itself.
  error.answer_lost = !told.meaning && (result.status == 502 || result.status == 504);
  error.retry_after = http::ParseRetryAfter(result.FindHeader("retry-after").value_or(""), now);
  return error;
}

absl::Status EntryError(std::string_view code, std::string_view message, bool sender_fault) {
  const std::string_view bare = BareCode(code);
  const Meaning meaning = MeaningOf(bare).value_or(sender_fault ? kRefused : kFailing);
  return Error(meaning.status, Shown(bare), message.empty() ? "" : ": ", Shown(message));
}

}  // namespace northwind::internal::sqs
