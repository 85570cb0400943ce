// SPDX-License-Identifier: Apache-2.0
#include "src/http/request.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal::http {
namespace {

constexpr std::string_view kOwnHeaders[] = {"connection", "content-length",    "expect", "host",    "http2-settings",
                                            "keep-alive", "transfer-encoding", "te",     "trailer", "upgrade"};
// Everything of this kind speaks to a proxy; there is none.
constexpr std::string_view kProxyPrefix = "proxy-";

bool IsTokenByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsValueByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

bool IsSpace(char c) { return c == ' ' || c == '\t'; }

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return Error(absl::StatusCode::kInvalidArgument, "request refused: ", parts...);
}

// Whether nothing but a slash follows scheme and host.
bool IsRoot(std::string_view url) {
  const size_t host = url.find("://");
  if (host == std::string_view::npos) return false;
  const size_t end = url.find_first_of("/?#", host + 3);
  return end == std::string_view::npos || url.substr(end) == "/";
}

bool IsScopePart(std::string_view part) {
  const auto is_plain = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-'; };
  return !part.empty() && std::all_of(part.begin(), part.end(), is_plain);
}

absl::Status CheckSigned(const Request& request) {
  const AwsSignature& signature = *request.signature;
  if (!IsScopePart(signature.region) || !IsScopePart(signature.service)) {
    return Bad("region or service of its signature is no word");
  }
  if (signature.access_key_id.empty() || signature.secret_access_key.empty()) return Bad("no keys to sign it with");
  if (request.method != Method::kPost || !IsRoot(request.url)) return Bad("signed, but not POST /");
  if (request.body.size() > kMaxSignedBodyBytes)
    return Bad("a signed body of more than ", kMaxSignedBodyBytes, " bytes");
  std::vector<std::string> names = {"host", "x-amz-date"};
  bool has_content_type = false;
  for (const Header& header : request.headers) {
    if (header.value.empty()) return Bad("header ", header.name, " of a signed request is empty");
    names.push_back(absl::AsciiStrToLower(header.name));
    if (names.back() == "authorization") return Bad("header authorization of a signed request cannot be chosen");
    has_content_type = has_content_type || names.back() == "content-type";
  }
  if (!has_content_type) return Bad("a signed request without a Content-Type");
  // Of sorted names, one that begins another comes right before the first of those.
  std::sort(names.begin(), names.end());
  const auto begins = [](const std::string& name, const std::string& next) { return absl::StartsWith(next, name); };
  if (const auto at = std::adjacent_find(names.begin(), names.end(), begins); at != names.end()) {
    return Bad("header ", *at, " of a signed request is there twice, or begins another's name");
  }
  return absl::OkStatus();
}

}  // namespace

const char* MethodName(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kDelete:
      return "DELETE";
  }
  return "";
}

absl::Status CheckHeader(std::string_view name, std::string_view value) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsTokenByte)) return Bad("a header name is not a token");
  const auto is_name = [name](std::string_view own) { return absl::EqualsIgnoreCase(ToAbsl(name), ToAbsl(own)); };
  if (std::any_of(std::begin(kOwnHeaders), std::end(kOwnHeaders), is_name) ||
      absl::StartsWithIgnoreCase(ToAbsl(name), ToAbsl(kProxyPrefix))) {
    return Bad("header ", ToAbsl(name), " cannot be chosen");
  }
  if (!std::all_of(value.begin(), value.end(), IsValueByte)) {
    return Bad("the value of header ", ToAbsl(name), " contains a control byte");
  }
  if (!value.empty() && (IsSpace(value.front()) || IsSpace(value.back()))) {
    return Bad("the value of header ", ToAbsl(name), " begins or ends with a space");
  }
  return absl::OkStatus();
}

absl::Status CheckRequest(const Request& request) {
  if (request.headers.size() > kMaxRequestHeaders) return Bad("more than ", kMaxRequestHeaders, " headers");
  size_t header_bytes = 0;
  for (const Header& header : request.headers) {
    NW_RETURN_IF_ERROR(CheckHeader(header.name, header.value));
    header_bytes += header.name.size() + header.value.size();
  }
  if (header_bytes > kMaxRequestHeaderBytes) return Bad("headers of more than ", kMaxRequestHeaderBytes, " bytes");
  if (request.body.size() > kMaxRequestBodyBytes) return Bad("a body of more than ", kMaxRequestBodyBytes, " bytes");
  if (request.method == Method::kGet && !request.body.empty()) return Bad("GET with a body");
  if (request.max_header_bytes > kMaxResponseHeaderBytes) {
    return Bad("max_header_bytes of more than ", kMaxResponseHeaderBytes);
  }
  if (request.timeout <= absl::ZeroDuration() || request.connect_timeout <= absl::ZeroDuration()) {
    return Bad("a timeout is not positive");
  }
  if (request.timeout > kMaxTimeout) return Bad("a timeout of more than ", absl::FormatDuration(kMaxTimeout));
  return request.signature ? CheckSigned(request) : absl::OkStatus();
}

}  // namespace northwind::internal::http
