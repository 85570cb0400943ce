// SPDX-License-Identifier: Apache-2.0
#include "src/base/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

std::string Hex(const Hash256& hash) { return absl::BytesToHexString(ToAbsl(AsBytes(hash))); }

// FIPS 180-4 examples and the long vector of NIST's test suite.
TEST(Sha256, GivesTheVectorsOfNist) {
  EXPECT_EQ(Hex(Sha256::Of("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(Sha256::Of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256::Of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Hex(Sha256::Of("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                           "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu")),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(Hex(Sha256::Of(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesHashAsTheWhole) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text.push_back(static_cast<char>(i * 7));
  for (size_t piece = 1; piece < 200; piece += 13) {
    Sha256 hasher;
    for (size_t i = 0; i < text.size(); i += piece) hasher.Update(std::string_view(text).substr(i, piece));
    EXPECT_EQ(hasher.Finish(), Sha256::Of(text)) << piece;
  }
}

TEST(Sha256, FinishBeginsAnew) {
  Sha256 hasher;
  hasher.Update("abc");
  const Hash256 first = hasher.Finish();
  EXPECT_EQ(hasher.Finish(), Sha256::Of(""));
  hasher.Update("abc");
  EXPECT_EQ(hasher.Finish(), first);
}

}  // namespace
}  // namespace northwind::internal
