// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as what merchants and senders write: a URL, headers before they are sealed, an event filter, keys, a sealed
// secret, the headers of a message. Refused, or in a form that comes back as it is.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/http/url.h"
#include "src/webhook/custom_header.h"
#include "src/webhook/endpoint_url.h"
#include "src/webhook/event_filter.h"
#include "src/webhook/secret_box.h"
#include "src/webhook/signature.h"

namespace nwi = northwind::internal;

namespace {

void Url(std::string_view text) {
  const auto url = nwi::CanonicalUrl(text, nwi::PlainHttp::kAllowed);
  if (!url.ok()) return;
  const auto again = nwi::CanonicalUrl(*url, nwi::PlainHttp::kAllowed);
  NW_CHECK(again.ok() && *again == *url, "a canonical URL stays as it is");
  NW_CHECK(url->find_first_of("@#\r\n \\") >= url->find('/', 8), "nothing strange before the path");
  const auto called = nwi::http::ParseUrl(*url, nwi::http::Schemes::kHttpAndHttps);
  NW_CHECK(called.ok() && called->text == *url, "the sender takes it, and means the same");
}

void Headers(std::string_view text) {
  const auto headers = nwi::DecodeCustomHeaders(text);
  if (headers.ok()) NW_CHECK(nwi::EncodeCustomHeaders(*headers).view() == text, "headers have one encoding");
}

void Filter(std::string_view text) {
  const std::vector<std::string> patterns = absl::StrSplit(nwi::ToAbsl(text), '\n');
  const auto filter = nwi::EventFilter::Make(patterns);
  if (!filter.ok()) return;
  const auto again = nwi::EventFilter::Make(filter->patterns());
  NW_CHECK(again.ok() && *again == *filter, "a canonical filter stays as it is");
  for (const std::string& pattern : patterns) {
    NW_CHECK(!nwi::IsEventType(pattern) || filter->Matches(pattern), "a filter matches the types it names");
  }
}

void Keys(std::string_view text) {
  if (const auto key = nwi::SigningKey::Parse(text); key.ok())
    NW_CHECK(key->Text().view() == text, "a key has one text");
  if (const auto key = nwi::VerificationKey::Parse(text); key.ok())
    NW_CHECK(key->Text().view() == text, "a key has one text");
}

void Sealed(std::string_view text) {
  static const nwi::SecretBox* const box = [] {
    std::vector<nwi::HostKey> keys;
    keys.push_back({"k1", nwi::SecretBytes("0123456789abcdef0123456789abcdef")});
    return new nwi::SecretBox(*nwi::SecretBox::Make(std::move(keys)));
  }();
  const auto secret = box->Open({"m", "r"}, text);
  NW_CHECK(secret.ok() || absl::IsDataLoss(secret.status()) || absl::IsFailedPrecondition(secret.status()),
           "refused as such");
}

void Message(std::string_view text) {
  static const auto* const keys = [] {
    auto* made = new std::vector<nwi::VerificationKey>;
    made->push_back(*nwi::VerificationKey::Parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    made->push_back(*nwi::VerificationKey::Parse("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="));
    return made;
  }();
  const std::vector<std::string> parts = absl::StrSplit(nwi::ToAbsl(text), absl::MaxSplits('\n', 3));
  if (parts.size() < 4) return;
  nwi::VerifyMessage(*keys, {parts[0], parts[1], parts[2]}, parts[3], absl::FromUnixSeconds(1614265330)).IgnoreError();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Url(text);
  Headers(text);
  Filter(text);
  Keys(text);
  Sealed(text);
  Message(text);
  return 0;
}
