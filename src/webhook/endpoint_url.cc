// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/endpoint_url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr size_t kMaxLabelBytes = 63;

absl::Status Bad(std::string_view what) { return Error(absl::StatusCode::kInvalidArgument, "url: ", ToAbsl(what)); }

// Decimal, without leading zeros, at most `max`; −1 for anything else.
int ReadNumber(std::string_view text, int max) {
  if (text.empty() || text.size() > 5 || (text[0] == '0' && text.size() > 1)) return -1;
  int value = 0;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return -1;
    value = value * 10 + (c - '0');
  }
  return value <= max ? value : -1;
}

bool IsIpv4(std::string_view host) {
  for (int part = 0; part < 4; ++part) {
    const size_t dot = host.find('.');
    if ((dot == std::string_view::npos) != (part == 3) || ReadNumber(host.substr(0, dot), 255) < 0) return false;
    host.remove_prefix(part == 3 ? host.size() : dot + 1);
  }
  return true;
}

// What a resolver may take for a number, and a name with it for an address: decimal, octal, or anything that begins as
// hexadecimal does.
bool IsNumeric(std::string_view label) {
  return label.starts_with("0x") || std::all_of(label.begin(), label.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c));
         });
}

bool IsLabel(std::string_view label) {
  if (label.empty() || label.size() > kMaxLabelBytes || label.front() == '-' || label.back() == '-') return false;
  for (const char c : label) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') return false;
  }
  return true;
}

// In lower case.
bool IsName(std::string_view host) {
  if (host.size() > kMaxHostNameBytes) return false;
  for (bool more = true; more;) {
    const size_t dot = host.find('.');
    more = dot != std::string_view::npos;
    const std::string_view label = host.substr(0, dot);
    if (!IsLabel(label) || (!more && IsNumeric(label))) return false;
    if (more) host.remove_prefix(dot + 1);
  }
  return true;
}

// The text between the brackets; empty for one that is no address.
std::string CanonicalIpv6(std::string_view text) {
  in6_addr address;
  char canonical[INET6_ADDRSTRLEN];
  if (inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1 ||
      inet_ntop(AF_INET6, &address, canonical, sizeof canonical) == nullptr) {
    return "";
  }
  return canonical;
}

absl::StatusOr<std::string> CanonicalHost(std::string_view host) {
  if (host.empty()) return Bad("has no host");
  if (host.front() == '[') {
    if (host.size() < 2 || host.back() != ']') return Bad("\"[\" without \"]\"");
    const std::string address = CanonicalIpv6(host.substr(1, host.size() - 2));
    if (address.empty()) return Bad("the host is no IPv6 address");
    return absl::StrCat("[", address, "]");
  }
  std::string lower = absl::AsciiStrToLower(ToAbsl(host));
  if (!IsIpv4(lower) && !IsName(lower)) return Bad("the host is neither a name nor an address");
  return lower;
}

// Of path and query, from "/" or "?" on.
absl::Status CheckRest(std::string_view rest) {
  for (size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '%') {
      if (i + 2 >= rest.size() || !absl::ascii_isxdigit(static_cast<unsigned char>(rest[i + 1])) ||
          !absl::ascii_isxdigit(static_cast<unsigned char>(rest[i + 2]))) {
        return Bad("\"%\" must be followed by two hexadecimal digits");
      }
    } else if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
               std::string_view("-._~!$&'()*+,;=:@/?").find(c) == std::string_view::npos) {
      return Bad("path and query hold a character that must be percent-encoded");
    }
  }
  return absl::OkStatus();
}

// "." and "..", percent-encoded or not: clients and servers take them out, each at another moment.
bool HasDotSegment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // its "/"
    std::string segment = absl::AsciiStrToLower(ToAbsl(path.substr(0, path.find('/'))));
    path.remove_prefix(segment.size());
    absl::StrReplaceAll({{"%2e", "."}}, &segment);
    if (segment == "." || segment == "..") return true;
  }
  return false;
}

// Takes the scheme and "://" off; empty if there is none.
std::string TakeScheme(std::string_view& url) {
  for (const std::string_view scheme : {std::string_view("https"), std::string_view("http")}) {
    const std::string_view begin = url.substr(0, scheme.size());
    if (absl::AsciiStrToLower(ToAbsl(begin)) != scheme || url.substr(scheme.size(), 3) != "://") continue;
    url.remove_prefix(scheme.size() + 3);
    return std::string(scheme);
  }
  return "";
}

}  // namespace

absl::StatusOr<std::string> CanonicalUrl(std::string_view url, PlainHttp plain_http) {
  if (url.empty()) return Bad("missing");
  if (url.size() > kMaxUrlBytes) return Bad(absl::StrCat("longer than ", kMaxUrlBytes, " bytes"));
  for (const char c : url) {
    if (c <= ' ' || c > '~')
      return Bad("must be visible ASCII; percent-encode anything else, and write names in punycode");
  }
  if (url.find('#') != std::string_view::npos) return Bad("must have no fragment (\"#\")");
  const std::string scheme = TakeScheme(url);
  if (scheme.empty()) return Bad("must begin with https://");
  if (scheme == "http" && plain_http == PlainHttp::kRefused)
    return Bad("must begin with https://, http is not allowed");

  const std::string_view authority = url.substr(0, url.find_first_of("/?"));
  std::string_view rest = url.substr(authority.size());
  if (authority.find('@') != std::string_view::npos) return Bad("must hold no user or password (\"@\")");
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  NW_ASSIGN_OR_RETURN(const std::string host, CanonicalHost(authority.substr(0, colon)));
  int port = 0;
  if (colon != std::string_view::npos) {
    port = ReadNumber(authority.substr(colon + 1), 65535);
    if (port <= 0) return Bad("the port must be 1 to 65535");
  }
  NW_RETURN_IF_ERROR(CheckRest(rest));
  if (HasDotSegment(rest.substr(0, rest.find('?')))) return Bad("the path must hold no \".\" or \"..\"");
  if (rest.ends_with('?') && rest.find('?') == rest.size() - 1) rest.remove_suffix(1);

  const bool default_port = port == 0 || port == (scheme == "https" ? 443 : 80);
  std::string canonical = absl::StrCat(scheme, "://", host, default_port ? "" : absl::StrCat(":", port),
                                       rest.empty() || rest.front() == '?' ? "/" : "", ToAbsl(rest));
  if (canonical.size() > kMaxUrlBytes) return Bad(absl::StrCat("longer than ", kMaxUrlBytes, " bytes"));
  return canonical;
}

}  // namespace northwind::internal
