// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "northwind/compare.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace northwind {
namespace {

using testing::Random;
using testing::TempDir;

constexpr auto kCsv = LegacyFileFormat::kCsv;
constexpr auto kJsonl = LegacyFileFormat::kJsonl;
using Columns = std::vector<std::string>;
using Rows = std::vector<RawRow>;

class LegacyFiles : public ::testing::Test {
 protected:
  std::string Path() const { return directory_ / "batch"; }

  void Write(std::string_view text) {
    std::ofstream stream(Path(), std::ios::binary | std::ios::trunc);
    stream.write(text.data(), static_cast<std::streamsize>(text.size()));
    stream.close();
    ASSERT_TRUE(stream.good());
  }

  absl::StatusOr<std::unique_ptr<LegacyFile>> Open(std::string_view text, LegacyFileFormat format) {
    Write(text);
    return LegacyFile::Open(Path(), format);
  }

  // The whole file in pages of `limit`.
  absl::StatusOr<LegacyFilePage> ReadAll(std::string_view text, LegacyFileFormat format, size_t limit = 100'000) {
    NW_ASSIGN_OR_RETURN(const auto file, Open(text, format));
    LegacyFilePage all;
    do {
      NW_ASSIGN_OR_RETURN(LegacyFilePage page, file->Read(limit, all.next));
      EXPECT_LE(page.rows.size(), limit);
      all.columns = page.columns;
      all.next = page.next;
      for (RawRow& row : page.rows) all.rows.push_back(std::move(row));
    } while (!all.next.empty());
    return all;
  }

  Rows RowsOf(std::string_view text, LegacyFileFormat format) {
    const auto page = ReadAll(text, format);
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? page->rows : Rows();
  }

  // Why reading stops, without the path.
  std::string WhyNot(std::string_view text, LegacyFileFormat format, absl::StatusCode code) {
    const auto page = ReadAll(text, format);
    EXPECT_EQ(page.status().code(), code) << page.status();
    const std::string message(page.status().message());
    EXPECT_EQ(message.find(Path() + ": "), 0u) << message;
    return message.substr(std::min(message.size(), Path().size() + 2));
  }
  std::string Lost(std::string_view text, LegacyFileFormat format = kCsv) {
    return WhyNot(text, format, absl::StatusCode::kDataLoss);
  }
  std::string NoHead(std::string_view text, LegacyFileFormat format = kCsv) {
    return WhyNot(text, format, absl::StatusCode::kInvalidArgument);
  }

  TempDir directory_;
};

TEST_F(LegacyFiles, CsvHasAHeadAndRows) {
  const auto page = ReadAll("id,amount\n1,12.50\n2,-0.10\n", kCsv);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->columns, (Columns{"id", "amount"}));
  EXPECT_EQ(page->rows, (Rows{{"1", "12.50"}, {"2", "-0.10"}}));
  EXPECT_EQ(page->next, "");
}

TEST_F(LegacyFiles, AnUnquotedFieldOfNothingIsNullAndAQuotedOneEmpty) {
  EXPECT_EQ(RowsOf("a,b,c\n,\"\",\n\"\",,\"\"\n", kCsv),
            (Rows{{std::nullopt, "", std::nullopt}, {"", std::nullopt, ""}}));
}

TEST_F(LegacyFiles, QuotedFieldsHoldQuotesCommasAndLineEnds) {
  EXPECT_EQ(RowsOf("a,b\n\"1,2\",\"say \"\"x\"\"\"\n\"l1\nl2\r\nl3\",\"\"\"\"\n", kCsv),
            (Rows{{"1,2", "say \"x\""}, {"l1\nl2\r\nl3", "\""}}));
}

TEST_F(LegacyFiles, LinesMayEndWithACarriageReturnToo) {
  EXPECT_EQ(RowsOf("a,b\r\n1,\r\n\"2\",3\n", kCsv), (Rows{{"1", std::nullopt}, {"2", "3"}}));
}

TEST_F(LegacyFiles, BlanksBelongToTheirField) {
  EXPECT_EQ(RowsOf("a,b\n 1 ,\t\n\" 2 \",3 4\n", kCsv), (Rows{{" 1 ", "\t"}, {" 2 ", "3 4"}}));
}

TEST_F(LegacyFiles, AByteOrderMarkIsNoPartOfTheHead) {
  const auto csv = ReadAll("\xEF\xBB\xBFid,b\n1,2\n", kCsv);
  ASSERT_TRUE(csv.ok()) << csv.status();
  EXPECT_EQ(csv->columns, (Columns{"id", "b"}));
  const auto jsonl = ReadAll("\xEF\xBB\xBF{\"id\":\"1\"}\n", kJsonl);
  ASSERT_TRUE(jsonl.ok()) << jsonl.status();
  EXPECT_EQ(jsonl->columns, (Columns{"id"}));
}

TEST_F(LegacyFiles, AHeadThatIsNoneIsRefused) {
  EXPECT_EQ(NoHead(""), "no head: the file is empty");
  EXPECT_EQ(NoHead("", kJsonl), "no head: the file is empty");
  EXPECT_EQ(NoHead("a,,c\n"), "no head: a column without a name");
  EXPECT_EQ(NoHead("a,\"\"\n"), "no head: a column without a name");
  EXPECT_EQ(NoHead("{\"\":1}\n", kJsonl), "no head: a column without a name");
  EXPECT_EQ(NoHead("{}\n", kJsonl), "no head: no columns");
  EXPECT_EQ(NoHead("a,b,a\n"), "column 'a' is there twice");
  EXPECT_NE(NoHead("a,b").find("without a line end"), std::string::npos);
  EXPECT_NE(NoHead("\n").find("empty"), std::string::npos);
  EXPECT_NE(NoHead("[1]\n", kJsonl).find("not an object"), std::string::npos);
}

TEST_F(LegacyFiles, AHeadAloneIsAFileWithoutRows) { EXPECT_EQ(RowsOf("a,b\n", kCsv), Rows()); }

TEST_F(LegacyFiles, ALineThatIsNoRowIsNamed) {
  EXPECT_EQ(Lost("a,b\n1,2\n3\n"), "line 3: 1 fields, but 2 columns");
  EXPECT_EQ(Lost("a,b\n1,2,3\n"), "line 2: 3 fields, but 2 columns");
  EXPECT_EQ(Lost("a,b\n\"x\ny\",2\n1\n"), "line 4: 1 fields, but 2 columns");
  EXPECT_EQ(Lost("a,b\n1,2\n\n"), "line 3: empty");
  EXPECT_EQ(Lost("a,b\n1,2\n\r\n"), "line 3: empty");
  EXPECT_EQ(Lost("a,b\n1,x\"y\n"), "line 2: a quote where none may be");
  EXPECT_EQ(Lost("a,b\n1,\"x\"y\n"), "line 2: a quote where none may be");
  EXPECT_EQ(Lost("a,b\n1,\"x\" \n"), "line 2: a quote where none may be");
  EXPECT_EQ(Lost("a,b\n1,2\r3,4\n"), "line 2: a carriage return that is no part of a line end");
  EXPECT_EQ(Lost("a,b\n1,2\r\r\n"), "line 2: a carriage return that is no part of a line end");
  EXPECT_EQ(Lost("a,b\n1,\xFF\n"), "line 2: not UTF-8");
  EXPECT_EQ(Lost(std::string_view("a,b\n1,\0\n", 8)), "line 2: a NUL");
}

TEST_F(LegacyFiles, AFileThatWasCutOffDoesNotPassForWhole) {
  EXPECT_EQ(Lost("a,b\n1,100.05\n1,100.0"), "line 3: the file ends in it, without a line end");
  EXPECT_EQ(Lost("a,b\n1,\"x\n"), "line 2: the file ends in it, without a line end");
  EXPECT_EQ(Lost("a,b\n1,\"x"), "line 2: the file ends in it, without a line end");
  EXPECT_EQ(Lost("{\"a\":1}\n{\"a\":2}", kJsonl), "line 2: the file ends in it, without a line end");
}

TEST_F(LegacyFiles, ARowMayHaveItsBoundAndNoByteMore) {
  const std::string head = "a,b\n";
  const std::string longest = "1," + std::string(kMaxLegacyRowBytes - 3, 'x');
  EXPECT_EQ(RowsOf(head + longest + "\n2,y\n", kCsv)[1], (RawRow{"2", "y"}));
  EXPECT_EQ(Lost(head + longest + "x\n2,y\n"), "line 2: longer than 65536 bytes");
  // Also if it is made of many short lines, and if it never ends.
  std::string lines = head + "1,\"";
  for (size_t i = 0; i < kMaxLegacyRowBytes; ++i) lines += "\n";
  EXPECT_EQ(Lost(lines + "\"\n"), "line 2: longer than 65536 bytes");
  EXPECT_EQ(Lost(head + std::string(1'000'000, 'x')), "line 2: longer than 65536 bytes");
  EXPECT_EQ(Lost("{\"a\":1}\n{\"a\":\"" + std::string(kMaxLegacyRowBytes, 'x') + "\"}\n", kJsonl),
            "line 2: longer than 65536 bytes");
}

TEST_F(LegacyFiles, RowsBeforeABadLineComeFirst) {
  const auto file = Open("a,b\n1,2\n3,4\n5\n", kCsv);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto page = (*file)->Read(100);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->rows, (Rows{{"1", "2"}, {"3", "4"}}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(absl::IsDataLoss((*file)->Read(100, page->next).status()));
  }
}

TEST_F(LegacyFiles, JsonlKeepsDigitsAsTheyAreWritten) {
  const auto page =
      ReadAll(R"({"id":"1","amount":10.10,"fee":-7,"big":123456789012345678901234567890,"ok":true,"none":null}
{"id":"2","amount":1e2,"fee":0.0,"big":18446744073709551615,"ok":false,"none":""}
)",
              kJsonl);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->columns, (Columns{"id", "amount", "fee", "big", "ok", "none"}));
  EXPECT_EQ(page->rows, (Rows{{"1", "10.10", "-7", "123456789012345678901234567890", "true", std::nullopt},
                              {"2", "1e2", "0.0", "18446744073709551615", "false", ""}}));
}

TEST_F(LegacyFiles, JsonlMembersMayBeInAnotherOrderOrMissing) {
  EXPECT_EQ(
      RowsOf("{\"a\":\"1\",\"b\":\"2\"}\r\n {\"b\" : \"4\", \"a\" : \"\\u00e9\\n\"} \n{\"b\":\"5\"}\n{}\n", kJsonl),
      (Rows{{"1", "2"}, {"\xC3\xA9\n", "4"}, {std::nullopt, "5"}, {std::nullopt, std::nullopt}}));
}

TEST_F(LegacyFiles, JsonlThatIsNoFlatObjectIsNamed) {
  const std::string head = "{\"a\":1,\"b\":2}\n";
  EXPECT_EQ(Lost(head + "{\"a\":1,\"c\":2}\n", kJsonl), "line 2: 'c' is not in the first line");
  EXPECT_EQ(Lost(head + "{\"a\":1,\"a\":2}\n", kJsonl), "line 2: 'a' given twice");
  EXPECT_EQ(Lost(head + "{\"a\":{\"b\":1}}\n", kJsonl), "line 2: 'a' is not a scalar");
  EXPECT_EQ(Lost(head + "{\"a\":[]}\n", kJsonl), "line 2: 'a' is not a scalar");
  EXPECT_EQ(Lost(head + "[1]\n", kJsonl), "line 2: not an object");
  EXPECT_EQ(Lost(head + "7\n", kJsonl), "line 2: not an object");
  EXPECT_EQ(Lost(head + "{\"a\":1\n", kJsonl).find("line 2: not valid JSON at byte "), 0u);
  EXPECT_EQ(Lost(head + "{\"a\":1} {}\n", kJsonl).find("line 2: not valid JSON at byte "), 0u);
  EXPECT_EQ(Lost(head + "{\"a\":01}\n", kJsonl).find("line 2: not valid JSON at byte "), 0u);
  EXPECT_EQ(Lost(head + "{\"a\":1.}\n", kJsonl).find("line 2: not valid JSON at byte "), 0u);
  EXPECT_EQ(Lost(head + "{\"a\":NaN}\n", kJsonl).find("line 2: not valid JSON at byte "), 0u);
  EXPECT_EQ(Lost(head + "\n", kJsonl).find("line 2: not valid JSON at byte "), 0u);
  EXPECT_EQ(Lost(head + "{\"a\":\"\\u0000\"}\n", kJsonl), "line 2: a NUL in 'a'");
  EXPECT_EQ(Lost(head + "{\"a\":\"\xC0\x80\"}\n", kJsonl), "line 2: not UTF-8");
}

TEST_F(LegacyFiles, ReadingGoesOnAtEveryRow) {
  const std::string csv = "a,b\r\n1,\"x\ny\"\r\n,\"\"\n3,\"\"\"\"\n4,z\n";
  const std::string jsonl = "{\"a\":1,\"b\":null}\n{\"b\":\"2\"}\n{\"a\":\"3\",\"b\":4.0}\n";
  for (const auto& [text, format] : {std::pair(csv, kCsv), std::pair(jsonl, kJsonl)}) {
    const Rows all = RowsOf(text, format);
    ASSERT_GE(all.size(), 3u);
    for (size_t limit = 1; limit <= all.size() + 1; ++limit) {
      const auto pages = ReadAll(text, format, limit);
      ASSERT_TRUE(pages.ok()) << pages.status();
      EXPECT_EQ(pages->rows, all) << limit;
    }
    // Also by a file that was opened anew, at each place.
    std::string next;
    for (size_t i = 0; i < all.size(); ++i) {
      const auto file = LegacyFile::Open(Path(), format);
      ASSERT_TRUE(file.ok()) << file.status();
      const auto page = (*file)->Read(1, next);
      ASSERT_TRUE(page.ok()) << page.status();
      EXPECT_EQ(page->rows, Rows{all[i]});
      next = page->next;
    }
    EXPECT_EQ(next, "");
  }
}

TEST_F(LegacyFiles, APageEndsWhenItIsLarge) {
  std::string text = "a,b\n";
  for (int i = 0; i < 400; ++i) text += std::to_string(i) + "," + std::string(60'000, 'x') + "\n";
  const auto file = Open(text, kCsv);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto first = (*file)->Read(400);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_LT(first->rows.size(), 300u);
  const auto second = (*file)->Read(400, first->next);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->rows.size() + second->rows.size(), 400u);
  EXPECT_EQ(second->next, "");
}

TEST_F(LegacyFiles, APlaceIsOfThisFileAsItIs) {
  const std::string text = "a,b\n1,2\n3,4\n5,6\n";
  const auto file = Open(text, kCsv);
  ASSERT_TRUE(file.ok()) << file.status();
  const std::string next = (*file)->Read(2)->next;
  ASSERT_NE(next, "");
  const auto refused = [this](std::string_view content, std::string_view after) {
    const auto other = Open(content, kCsv);
    EXPECT_TRUE(other.ok()) << other.status();
    const auto page = (*other)->Read(1, after);
    EXPECT_TRUE(absl::IsInvalidArgument(page.status())) << after;
    EXPECT_NE(page.status().message().find("no place of this file"), std::string::npos) << page.status();
  };
  EXPECT_EQ((*Open(text, kCsv))->Read(9, next)->rows, (Rows{{"5", "6"}}));  // of a copy
  refused("a,c\n1,2\n3,4\n5,6\n", next);                                    // another head
  refused("a,b\n1,2\n3,5\n5,6\n", next);                                    // other rows before
  refused(text + "7,8\n", next);                                            // longer
  refused("a,b\n", next);
  for (const char* none : {"x", "-", "--", "0-1-", "12-4-", "4-2-00000000000000000000000000000000", " ", "12"}) {
    refused(text, none);
  }
  for (size_t i = 0; i < next.size(); ++i) {
    std::string changed = next;
    changed[i] = changed[i] == '1' ? '2' : '1';
    refused(text, changed);
  }
}

TEST_F(LegacyFiles, LimitsAndPathsAreChecked) {
  const auto file = Open("a\n1\n", kCsv);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(absl::IsInvalidArgument((*file)->Read(0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument((*file)->Read(100'001).status()));
  EXPECT_TRUE((*file)->Read(100'000).ok());
  EXPECT_TRUE(absl::IsNotFound(LegacyFile::Open(directory_ / "none", kCsv).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(LegacyFile::Open(directory_.path(), kCsv).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(LegacyFile::Open(Path(), static_cast<LegacyFileFormat>(3)).status()));
  const std::string pipe = directory_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(LegacyFile::Open(pipe, kCsv).status()));
  if (geteuid() != 0) {  // root may read everything
    ASSERT_EQ(chmod(Path().c_str(), 0), 0);
    EXPECT_TRUE(absl::IsPermissionDenied(LegacyFile::Open(Path(), kCsv).status()));
  }
}

// A field as RFC 4180 has it, quoted where it must be, and now and then where it need not.
std::string CsvField(Random& random, const std::optional<std::string>& value) {
  if (!value.has_value()) return "";
  if (!value->empty() && value->find_first_of(",\"\r\n") == std::string::npos && !random.OneIn(3)) return *value;
  std::string out = "\"";
  for (const char c : *value) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

TEST_F(LegacyFiles, CsvThatIsWrittenIsReadBack) {
  Random random(testing::TestSeed());
  const std::vector<std::string> pieces = {"a", "1", " ", ",", "\"", "\n", "\r\n", "\r", "\xC3\xA9", "."};
  for (uint64_t run = testing::TestOps(100); run > 0; --run) {
    std::string text = "a,b,c\n";
    Rows rows(random.Below(60));
    for (RawRow& row : rows) {
      for (int i = 0; i < 3; ++i) {
        auto& value = row.emplace_back();
        if (!random.OneIn(4)) value.emplace();
        for (uint64_t n = value.has_value() ? random.Below(6) : 0; n > 0; --n) *value += random.Pick(pieces);
        text += CsvField(random, value) + (i < 2 ? "," : random.OneIn(2) ? "\r\n" : "\n");
      }
    }
    const auto read = ReadAll(text, kCsv, 1 + random.Below(20));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->rows, rows) << text;
  }
}

}  // namespace
}  // namespace northwind
