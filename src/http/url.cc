// SPDX-License-Identifier: Apache-2.0
#include "src/http/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal::http {
namespace {

constexpr size_t kMaxHostBytes = 253;  // of a name in its text form, RFC 1035 2.3.4 without the root's dot
constexpr size_t kMaxLabelBytes = 63;

struct FreeCurlUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, FreeCurlUrl>;

absl::Status Bad(const char* why) { return Error(absl::StatusCode::kInvalidArgument, "URL refused: ", why); }

absl::Status ToStatus(CURLUcode code) {
  switch (code) {
    case CURLUE_OK:
      return absl::OkStatus();
    case CURLUE_USER_NOT_ALLOWED:
      return Bad("it contains user information");
    case CURLUE_UNSUPPORTED_SCHEME:
      return Bad("its scheme is not allowed");
    case CURLUE_BAD_PORT_NUMBER:
      return Bad("its port is not a number from 1 to 65535");
    case CURLUE_NO_HOST:
      return Bad("it has no host");
    default:
      return Bad(curl_url_strerror(code));
  }
}

// A part of the URL; empty if it has none.
std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

bool IsLabelByte(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; }
bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

// Labels and dots. The last label must not be a number: what looks like an address but is not one has no meaning that
// all resolvers share.
absl::Status CheckName(std::string_view name) {
  if (name.empty() || name.size() > kMaxHostBytes) return Bad("its host is empty or too long");
  std::string_view label;
  for (size_t begin = 0; begin <= name.size(); begin += label.size() + 1) {
    label = name.substr(begin, name.find('.', begin) - begin);
    if (label.empty() || label.size() > kMaxLabelBytes) return Bad("a label of its host is empty or too long");
    if (!std::all_of(label.begin(), label.end(), IsLabelByte)) return Bad("its host is not a name in ASCII form");
  }
  const bool hex = label.size() >= 2 && label[0] == '0' && label[1] == 'x';
  if (hex || std::all_of(label.begin(), label.end(), IsDigit)) return Bad("its host ends in a number");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Url> ParseUrl(std::string_view text, Schemes schemes) {
  if (text.empty() || text.size() > kMaxUrlBytes) return Bad("it is empty or too long");
  const auto printable = [](char c) { return c > ' ' && c < 0x7f && c != '\\'; };
  if (!std::all_of(text.begin(), text.end(), printable))
    return Bad("it contains a space, backslash or control or non-ASCII byte");
  // The parser would also take one slash or three.
  const std::string_view after_scheme = text.substr(std::min(text.find(':'), text.size()));
  if (after_scheme.substr(0, 3) != "://" || after_scheme.substr(3, 1) == "/")
    return Bad("it does not begin with a scheme and ://");
  const CurlUrl parsed(curl_url());
  NW_CHECK(parsed != nullptr, "out of memory");
  NW_RETURN_IF_ERROR(ToStatus(curl_url_set(parsed.get(), CURLUPART_URL, std::string(text).c_str(),
                                           CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME)));
  const std::string scheme = Part(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "https" && (scheme != "http" || schemes == Schemes::kHttpsOnly)) {
    return ToStatus(CURLUE_UNSUPPORTED_SCHEME);
  }
  if (!Part(parsed.get(), CURLUPART_ZONEID).empty()) return Bad("its address has a zone");
  NW_RETURN_IF_ERROR(ToStatus(curl_url_set(parsed.get(), CURLUPART_FRAGMENT, nullptr, 0)));

  Url url;
  url.host = absl::AsciiStrToLower(Part(parsed.get(), CURLUPART_HOST));
  NW_RETURN_IF_ERROR(ToStatus(curl_url_set(parsed.get(), CURLUPART_HOST, url.host.c_str(), 0)));
  const bool bracketed = url.host.size() > 2 && url.host.front() == '[' && url.host.back() == ']';
  if (bracketed) url.host = url.host.substr(1, url.host.size() - 2);
  url.literal = IpAddress::Parse(url.host);
  if (bracketed && !url.literal) return Bad("its host is not an address");
  if (!url.literal) NW_RETURN_IF_ERROR(CheckName(url.host));
  int port = 0;
  if (!absl::SimpleAtoi(Part(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT), &port) || port < 1 || port > 65535) {
    return ToStatus(CURLUE_BAD_PORT_NUMBER);
  }
  url.port = static_cast<uint16_t>(port);
  url.text = Part(parsed.get(), CURLUPART_URL);
  return url;
}

}  // namespace northwind::internal::http
