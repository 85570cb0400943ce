// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/csv.h"

#include "gtest/gtest.h"

namespace northwind::server {
namespace {

std::string Line(std::initializer_list<std::string_view> cells) {
  std::string line;
  AppendCsvLine(line, cells);
  return line;
}

TEST(Csv, QuotesWhatRfc4180WantsQuoted) {
  EXPECT_EQ(Line({"a", "", "b c"}), "a,,b c\r\n");
  EXPECT_EQ(Line({"a,b", "say \"hi\"", "two\nlines"}), "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n");
}

TEST(Csv, AFormulaIsTextAndANumberIsANumber) {
  EXPECT_EQ(Line({"=1+1", "+1", "-cmd", "@SUM(A1)", "\tx"}), "'=1+1,'+1,'-cmd,'@SUM(A1),'\tx\r\n");
  EXPECT_EQ(Line({"-12", "-0.05", "12.50", "7"}), "-12,-0.05,12.50,7\r\n");
  EXPECT_EQ(Line({"-", "-1.", "-.5", "-1-1", "-1.2.3"}), "'-,'-1.,'-.5,'-1-1,'-1.2.3\r\n");
  EXPECT_EQ(Line({"=HYPERLINK(\"x\",\"y\")"}), "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"\r\n");
}

}  // namespace
}  // namespace northwind::server
