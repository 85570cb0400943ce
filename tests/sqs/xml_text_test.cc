// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/xml_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace northwind::internal::sqs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(XmlTexts, AreThoseOfElementsWithoutOthers) {
  EXPECT_THAT(XmlTexts("<?xml version='1.0'?><a xmlns='urn:x'><b> one &amp; two </b><c><b>later</b><d/></c></a>"),
              ElementsAre(Pair("b", "one & two"), Pair("d", "")));
}

TEST(XmlTexts, OfWhatIsNotWellFormedOrHasEntitiesOfItsOwnThereAreNone) {
  for (const char* xml : {"", "x", "<a>", "<a><b>1</a></b>", "<a>1</a><a>2</a>", "{\"a\":1}", "<a>\xff</a>",
                          "<!DOCTYPE a [<!ENTITY e 'x'>]><a><b>&e;</b></a>", "<!DOCTYPE a><a><b>1</b></a>"}) {
    EXPECT_THAT(XmlTexts(xml), IsEmpty()) << xml;
  }
}

}  // namespace
}  // namespace northwind::internal::sqs
