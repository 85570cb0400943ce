// SPDX-License-Identifier: Apache-2.0
//
// Signing and verifying for reference_test.py, which speaks to it in lines of words with one blank between two:
//
//   generate SCHEME                             ← v1 or v1a
//     → SIGNING_KEY VERIFICATION_KEY
//   sign ID SECONDS HEX_BODY KEY...
//     → the signature header
//   verify ID TIMESTAMP NOW HEX_BODY HEX_SIGNATURE_HEADER KEY...
//     → OK, or the status's name
//
// HEX_BODY is "-" for an empty body. What cannot be done ends it with a message and status 1.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "northwind/status.h"
#include "src/webhook/signature.h"

namespace nwi = northwind::internal;

namespace {

template <typename T>
T Need(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  std::exit(1);
}

std::string Unhex(const std::string& text) { return text == "-" ? "" : absl::HexStringToBytes(text); }
absl::Time Seconds(const std::string& text) { return absl::FromUnixSeconds(std::strtoll(text.c_str(), nullptr, 10)); }

std::string Answer(const std::vector<std::string>& words) {
  if (words[0] == "generate" && words.size() == 2) {
    const auto scheme =
        words[1] == "v1" ? northwind::SignatureScheme::kHmacSha256 : northwind::SignatureScheme::kEd25519;
    const nwi::SigningKey key = Need(nwi::SigningKey::Generate(scheme));
    return std::string(key.Text().view()) + " " + std::string(key.verification_key().Text().view());
  }
  if (words[0] == "sign" && words.size() > 4) {
    std::vector<nwi::SigningKey> keys;
    for (size_t i = 4; i < words.size(); ++i) keys.push_back(Need(nwi::SigningKey::Parse(words[i])));
    return Need(nwi::SignMessage(keys, words[1], Seconds(words[2]), Unhex(words[3]))).signature;
  }
  if (words[0] == "verify" && words.size() > 6) {
    std::vector<nwi::VerificationKey> keys;
    for (size_t i = 6; i < words.size(); ++i) keys.push_back(Need(nwi::VerificationKey::Parse(words[i])));
    const absl::Status status =
        nwi::VerifyMessage(keys, {words[1], words[2], Unhex(words[5])}, Unhex(words[4]), Seconds(words[3]));
    return absl::StatusCodeToString(status.code());
  }
  std::fprintf(stderr, "no such command: %s\n", words[0].c_str());
  std::exit(1);
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    std::cout << Answer(words) << std::endl;
  }
}
