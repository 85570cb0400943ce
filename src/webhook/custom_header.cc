// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/custom_header.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr std::string_view kReserved[] = {
    "accept-encoding", "connection",        "expect",  "host",       "http2-settings", "keep-alive", "range", "te",
    "trailer",         "transfer-encoding", "upgrade", "user-agent",
};
constexpr std::string_view kReservedBeginnings[] = {"content-", "proxy-", "webhook-"};

std::string Lower(std::string_view text) { return absl::AsciiStrToLower(ToAbsl(text)); }

bool IsToken(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

bool IsValue(std::string_view value) {
  if (!value.empty() && (IsBlank(value.front()) || IsBlank(value.back()))) return false;
  return std::all_of(value.begin(), value.end(), [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
}

}  // namespace

bool IsReservedHeader(std::string_view name) {
  const std::string lower = Lower(name);
  return std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved) ||
         std::any_of(std::begin(kReservedBeginnings), std::end(kReservedBeginnings),
                     [&](std::string_view begin) { return lower.starts_with(begin); });
}

absl::Status ValidateCustomHeaders(absl::Span<const CustomHeader> headers) {
  if (headers.size() > kMaxCustomHeaders) {
    return Error(absl::StatusCode::kInvalidArgument, "headers: at most ", kMaxCustomHeaders, ", not ", headers.size());
  }
  std::vector<std::string> names;
  size_t bytes = 0;
  for (size_t i = 0; i < headers.size(); ++i) {
    const auto bad = [&](const auto&... what) {
      return Error(absl::StatusCode::kInvalidArgument, "headers[", i, "]", what...);
    };
    const auto& [name, value] = headers[i];
    if (name.size() > kMaxHeaderNameBytes) return bad(".name: longer than ", kMaxHeaderNameBytes, " bytes");
    if (!IsToken(name)) return bad(".name: must be letters, digits and !#$%&'*+-.^_`|~");
    if (IsReservedHeader(name)) return bad(".name: ", Lower(name), " is set by the sender itself");
    if (value.size() > kMaxHeaderValueBytes) return bad(".value: longer than ", kMaxHeaderValueBytes, " bytes");
    if (!IsValue(value)) return bad(".value: must be printable ASCII without blanks at its ends");
    names.push_back(Lower(name));
    if (std::count(names.begin(), names.end(), names.back()) > 1)
      return bad(".name: ", names.back(), " is there twice");
    bytes += name.size() + value.size();
  }
  if (bytes > kMaxCustomHeaderBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "headers: longer than ", kMaxCustomHeaderBytes, " bytes together");
  }
  return absl::OkStatus();
}

SecretBytes EncodeCustomHeaders(absl::Span<const CustomHeader> headers) {
  std::string out;
  // So that the string never moves and leaves a copy behind: three bytes are more than any length here takes.
  out.reserve(kMaxCustomHeaderBytes + 2 * 3 * kMaxCustomHeaders + 3);
  PutVarint64(out, headers.size());
  for (const CustomHeader& header : headers) {
    PutBytes(out, header.name);
    PutBytes(out, header.value);
  }
  SecretBytes bytes(out);
  OPENSSL_cleanse(out.data(), out.size());
  return bytes;
}

absl::StatusOr<std::vector<CustomHeader>> DecodeCustomHeaders(std::string_view bytes) {
  ByteReader in(bytes);
  uint64_t count = 0;
  std::vector<CustomHeader> headers;
  bool good = in.GetVarint64(count) && count >= 1 && count <= kMaxCustomHeaders;
  for (uint64_t i = 0; good && i < count; ++i) {
    std::string_view name, value;
    good = in.GetBytes(kMaxHeaderNameBytes, name) && in.GetBytes(kMaxHeaderValueBytes, value);
    headers.push_back({std::string(name), std::string(value)});
  }
  if (!good || !in.AtEnd() || !ValidateCustomHeaders(headers).ok()) {
    return Error(absl::StatusCode::kDataLoss, "custom headers damaged");
  }
  return headers;
}

}  // namespace northwind::internal
