// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/message_body.h"

#include <openssl/evp.h>

#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "nlohmann/json.hpp"
#include "src/base/error.h"

namespace northwind::internal::sqs {
namespace {

constexpr size_t kMd5Bytes = 16;

bool LooksLikeJson(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

// absl::Base64Unescape also takes blanks and goes without padding; RFC 4648 does not.
bool DecodeBase64(std::string_view text, std::string& bytes) {
  return absl::Base64Unescape(ToAbsl(text), &bytes) && absl::Base64Escape(bytes) == ToAbsl(text);
}

EventBytes Refused(std::string body, const char* why) {
  return {.bytes = std::move(body), .format = EventFormat::kJson, .refused = why};
}

// The Message of a notification; false if it is none.
bool OpenEnvelope(std::string_view body, std::string& message) {
  nlohmann::json envelope = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!envelope.is_object()) return false;
  const auto type = envelope.find("Type");
  const auto inner = envelope.find("Message");
  if (type == envelope.end() || *type != "Notification" || inner == envelope.end() || !inner->is_string()) return false;
  message = std::move(inner->get_ref<std::string&>());
  return true;
}

const EVP_MD* Md5() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "MD5", nullptr);
  return md;
}

}  // namespace

EventBytes EventOfBody(std::string body, SqsBody kind, bool sns_envelope) {
  std::string message;
  if (sns_envelope && !OpenEnvelope(body, message)) return Refused(std::move(body), "body: not a notification of SNS");
  const std::string& text = sns_envelope ? message : body;
  if (kind == SqsBody::kJson || (kind == SqsBody::kAuto && LooksLikeJson(text))) {
    return {.bytes = sns_envelope ? std::move(message) : std::move(body), .format = EventFormat::kJson};
  }
  std::string bytes;
  if (!DecodeBase64(text, bytes)) {
    return Refused(std::move(body), kind == SqsBody::kAuto ? "body: neither JSON nor base64" : "body: not base64");
  }
  return {.bytes = std::move(bytes), .format = EventFormat::kProtobuf};
}

bool HasMd5(std::string_view body, std::string_view md5) {
  std::array<unsigned char, kMd5Bytes> digest;
  if (Md5() == nullptr || EVP_Digest(body.data(), body.size(), digest.data(), nullptr, Md5(), nullptr) != 1)
    return true;
  const absl::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
  return absl::BytesToHexString(bytes) == absl::AsciiStrToLower(ToAbsl(md5));
}

uint64_t PositionOfMessage(std::string_view id) {
  std::string digits;
  for (const char c : id) {
    if (c != '-') digits += c;
    if (digits.size() == 16) break;
  }
  uint64_t position = 0;
  return digits.size() == 16 && absl::SimpleHexAtoi(digits, &position) ? position : 0;
}

}  // namespace northwind::internal::sqs
