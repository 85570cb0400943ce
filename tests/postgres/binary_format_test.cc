// SPDX-License-Identifier: Apache-2.0
//
// Every value that is sent has the bytes that the server itself sends for it; those of numeric are spelt out, too.
#include "src/postgres/binary_format.h"

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/postgres/rows.h"
#include "tests/postgres/postgres_server.h"
#include "tests/postgres/postgres_session.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

using namespace internal::postgres;
using ::testing::Eq;
using ::testing::Optional;

constexpr absl::int128 kMax = absl::Int128Max();

std::string Hex(std::string_view bytes) { return absl::BytesToHexString({bytes.data(), bytes.size()}); }

// What one of the functions puts, without its length, which must be right.
template <typename Put, typename Value>
std::string Field(Put put, Value value) {
  std::string out = "before";
  put(out, value);
  EXPECT_EQ(out.substr(0, 6), "before");
  out.erase(0, 6);
  std::string length;
  for (int shift = 24; shift >= 0; shift -= 8) length.push_back(static_cast<char>((out.size() - 4) >> shift));
  EXPECT_EQ(Hex(out.substr(0, 4)), Hex(length));
  return out.substr(4);
}

class BinaryFormat : public ::testing::Test {
 protected:
  using ResultPointer = std::unique_ptr<PGresult, decltype(&PQclear)>;

  // The one value that a SELECT of this expression brings, in binary.
  std::string Sent(const std::string& expression) {
    const ResultPointer result(PQexecParams(sql_.raw(), ("SELECT " + expression).c_str(), 0, nullptr, nullptr, nullptr,
                                            nullptr, /*resultFormat=*/1),
                               PQclear);
    EXPECT_EQ(PQresultStatus(result.get()), PGRES_TUPLES_OK) << expression << ": " << PQerrorMessage(sql_.raw());
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) return {};
    EXPECT_EQ(PQgetisnull(result.get(), 0, 0), 0) << expression;
    return {PQgetvalue(result.get(), 0, 0), static_cast<size_t>(PQgetlength(result.get(), 0, 0))};
  }
  // The SQLSTATE, or the text of the one value, of an expression of one parameter given in binary; "00000 " before a value.
  std::string With(const std::string& expression, const std::string& bytes) {
    const char* const values[] = {bytes.data()};
    const int lengths[] = {static_cast<int>(bytes.size())}, formats[] = {1};
    const ResultPointer result(PQexecParams(sql_.raw(), ("SELECT " + expression).c_str(), 1, nullptr, values, lengths,
                                            formats, /*resultFormat=*/0),
                               PQclear);
    if (PQresultStatus(result.get()) == PGRES_TUPLES_OK) return absl::StrCat("00000 ", PQgetvalue(result.get(), 0, 0));
    return PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  }
  // All that COPY of this query TO STDOUT sends, in binary.
  std::string Copied(const std::string& query) {
    const ResultPointer result(PQexec(sql_.raw(), ("COPY (" + query + ") TO STDOUT (FORMAT binary)").c_str()), PQclear);
    EXPECT_EQ(PQresultStatus(result.get()), PGRES_COPY_OUT) << PQerrorMessage(sql_.raw());
    std::string all;
    char* piece = nullptr;
    for (int size; (size = PQgetCopyData(sql_.raw(), &piece, 0)) > 0; PQfreemem(piece)) {
      all.append(piece, static_cast<size_t>(size));
    }
    const ResultPointer end(PQgetResult(sql_.raw()), PQclear);
    EXPECT_EQ(PQresultStatus(end.get()), PGRES_COMMAND_OK) << PQerrorMessage(sql_.raw());
    EXPECT_EQ(PQgetResult(sql_.raw()), nullptr);
    return all;
  }

  PostgresSession sql_{PostgresServer::Shared().Connection()};
};

// ---- numeric ------------------------------------------------------------------------------------------------

struct GoldenNumeric {
  absl::int128 value;
  std::string text;
  std::string hex;  // digits, weight, sign, scale; then the digits
};

std::vector<GoldenNumeric> GoldenNumerics() {
  return {
      {0, "0", "0000000000000000"},
      {1, "1", "00010000000000000001"},
      {-1, "-1", "00010000400000000001"},
      {9'999, "9999", "0001000000000000270f"},
      {-9'999, "-9999", "0001000040000000270f"},
      {10'000, "10000", "00010001000000000001"},
      {-10'000, "-10000", "00010001400000000001"},
      {10'001, "10001", "000200010000000000010001"},
      {100'000'000, "100000000", "00010002000000000001"},
      {100'000'001, "100000001", "0003000200000000000100000001"},
      {123'450'000, "123450000", "000200020000000000010929"},
      {kMax, "170141183460469231731687303715884105727", "000a00090000000000aa0583209a01d5090d0c601c871bf620da165f"},
      {-kMax, "-170141183460469231731687303715884105727", "000a00094000000000aa0583209a01d5090d0c601c871bf620da165f"},
      {absl::Int128Min(), "-170141183460469231731687303715884105728",
       "000a00094000000000aa0583209a01d5090d0c601c871bf620da1660"},
  };
}

TEST_F(BinaryFormat, NumericIsTheServersToTheByte) {
  for (const GoldenNumeric& golden : GoldenNumerics()) {
    EXPECT_EQ(Hex(Field(PutNumeric, golden.value)), golden.hex) << golden.text;
    EXPECT_EQ(Hex(Sent("'" + golden.text + "'::numeric(39, 0)")), golden.hex) << golden.text;
    EXPECT_EQ(With("$1::numeric(39, 0)::text", Field(PutNumeric, golden.value)), "00000 " + golden.text);
  }
}

TEST_F(BinaryFormat, NumericIsReadBackAsItWasPut) {
  for (const GoldenNumeric& golden : GoldenNumerics()) {
    const std::string bytes = Field(PutNumeric, golden.value);
    EXPECT_THAT(ParseNumeric(bytes), Optional(Eq(golden.value))) << golden.text;
    EXPECT_EQ(NumericText(bytes), golden.text);
  }
}

TEST_F(BinaryFormat, NumericOfAnySizeIsTheServersToTheByte) {
  Random random(TestSeed());
  for (int i = 0; i < 500; ++i) {
    // As many as of each length; and many zeros in between, at either end too.
    absl::int128 value = absl::MakeInt128(static_cast<int64_t>(random.Next() >> 1), random.Next()) >>
                         static_cast<int>(random.Below(127));
    for (uint64_t n = random.Below(4); n > 0 && value < kMax / 10'000; --n) value *= 10'000;
    if (random.OneIn(2)) value = -value;
    std::string text;
    const absl::uint128 magnitude = value < 0 ? -static_cast<absl::uint128>(value) : static_cast<absl::uint128>(value);
    for (absl::uint128 rest = magnitude; rest != 0 || text.empty(); rest /= 10) {
      text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
    }
    if (value < 0) text.insert(text.begin(), '-');
    const std::string bytes = Field(PutNumeric, value);
    ASSERT_EQ(Hex(bytes), Hex(Sent("'" + text + "'::numeric(39, 0)"))) << text;
    ASSERT_THAT(ParseNumeric(bytes), Optional(Eq(value))) << text;
    ASSERT_EQ(NumericText(bytes), text);
  }
}

TEST_F(BinaryFormat, AnyNumericOfTheServerIsTextAsItWritesIt) {
  for (const char* text :
       {"0.5", "-0.5", "0.00", "1.10", "0.0001", "0.00001", "-0.0000000000000000000012", "123456.789", "10000.0001",
        "99999999.99999999", "1000000000000000000000000000000000000000000", "NaN", "Infinity", "-Infinity"}) {
    EXPECT_EQ(NumericText(Sent(absl::StrCat("'", text, "'::numeric"))), text);
  }
}

TEST_F(BinaryFormat, WhatIsNoWholeNumberOfThatSizeIsNotReadAsOne) {
  for (const char* text : {"NaN", "Infinity", "-Infinity", "0.5", "1.0", "170141183460469231731687303715884105728",
                           "-170141183460469231731687303715884105729", "1e60", "-1e60"}) {
    EXPECT_EQ(ParseNumeric(Sent(absl::StrCat("'", text, "'::numeric"))), std::nullopt) << text;
  }
  const std::string one = Sent("1::numeric");
  for (size_t size = 0; size < one.size(); ++size) EXPECT_EQ(ParseNumeric(one.substr(0, size)), std::nullopt) << size;
  EXPECT_EQ(ParseNumeric(one + '\0'), std::nullopt);
}

// ---- The others ---------------------------------------------------------------------------------------------

TEST_F(BinaryFormat, NumbersAndTruthAreTheServersToTheByte) {
  for (const int64_t value : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{0x0102030405060708}, INT64_MAX}) {
    EXPECT_EQ(Hex(Field(PutInt8, value)), Hex(Sent(absl::StrCat("'", value, "'::int8")))) << value;
  }
  for (const int32_t value : {INT32_MIN, -1, 0, 1, 0x01020304, INT32_MAX}) {
    EXPECT_EQ(Hex(Field(PutInt4, value)), Hex(Sent(absl::StrCat("'", value, "'::int4")))) << value;
  }
  EXPECT_EQ(Hex(Field(PutBool, true)), Hex(Sent("true")));
  EXPECT_EQ(Hex(Field(PutBool, false)), Hex(Sent("false")));
}

TEST_F(BinaryFormat, TextAndBytesAreTheServersToTheByte) {
  EXPECT_EQ(Field(PutBytes, "caf\xc3\xa9"), Sent("'caf\xc3\xa9'::text"));
  EXPECT_EQ(Field(PutBytes, ""), Sent("''::text"));
  EXPECT_EQ(Field(PutBytes, std::string_view("\0\xff", 2)), Sent("'\\x00ff'::bytea"));
  EXPECT_EQ(Field(PutBytes, "0123456789abcdef"), Sent("'30313233-3435-3637-3839-616263646566'::uuid"));
  std::string null;
  PutNull(null);
  EXPECT_EQ(Hex(null), "ffffffff");
}

TEST_F(BinaryFormat, TimesAreTheServersToTheByteAndRoundedDown) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  const std::pair<absl::Time, const char*> times[] = {
      {absl::FromCivil(absl::CivilSecond(2000, 1, 1), utc), "2000-01-01 00:00:00+00"},
      {absl::FromCivil(absl::CivilSecond(2000, 1, 1), utc) - absl::Nanoseconds(1), "1999-12-31 23:59:59.999999+00"},
      {absl::FromCivil(absl::CivilSecond(1970, 1, 1), utc), "1970-01-01 00:00:00+00"},
      {absl::FromUnixMicros(1'700'000'000'123'456) + absl::Nanoseconds(999), "2023-11-14 22:13:20.123456+00"},
      {absl::FromCivil(absl::CivilSecond(1, 1, 1), utc), "0001-01-01 00:00:00+00"},
      {absl::FromCivil(absl::CivilSecond(9999, 12, 31, 23, 59, 59), utc), "9999-12-31 23:59:59+00"},
  };
  for (const auto& [time, text] : times) {
    EXPECT_EQ(Hex(Field(PutTimestamp, time)), Hex(Sent(absl::StrCat("'", text, "'::timestamptz")))) << text;
  }
}

// ---- Text of any bytes --------------------------------------------------------------------------------------

TEST_F(BinaryFormat, TextOfAnyBytesIsTakenByTheServerAndCanBeTurnedBack) {
  Random random(TestSeed());
  // What is near the limits of UTF-8, and what is special here.
  constexpr std::string_view kBytes(
      "\0\x01\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xed\xee\xef\xf0\xf3\xf4\xf5\xff\\0a1", 26);
  std::vector<std::string> samples;
  for (int byte = 0; byte < 256; ++byte) samples.emplace_back(1, static_cast<char>(byte));
  while (samples.size() < 3'000) {
    std::string sample;
    for (uint64_t n = random.Below(7); n > 0; --n) sample += kBytes[random.Below(kBytes.size())];
    samples.push_back(std::move(sample));
  }
  int whole = 0;
  for (const std::string& sample : samples) {
    const std::string text = EscapeText(sample);
    // The server's own reader of such escapes.
    ASSERT_EQ(With("encode(decode($1::text, 'escape'), 'hex')", text), "00000 " + Hex(sample)) << Hex(sample);
    if (sample.find('\\') != std::string::npos) continue;
    // And its own verdict on what needs none.
    const bool is_text = With("length(convert_from($1::bytea, 'UTF8'))", sample) != "22021";
    ASSERT_EQ(text == sample, is_text) << Hex(sample) << " became " << text;
    whole += is_text ? 1 : 0;
  }
  EXPECT_GT(whole, 128);
}

// ---- Arrays and COPY ----------------------------------------------------------------------------------------

const Column kColumns[] = {{"b", ColumnType::kBool},    {"i", ColumnType::kInt4},     {"l", ColumnType::kInt8},
                           {"t", ColumnType::kText},    {"u", ColumnType::kUuid},     {"y", ColumnType::kBytea},
                           {"n", ColumnType::kNumeric}, {"m", ColumnType::kTimestamp}};
const Table kTable = {"samples", kColumns};

Rows SampleRows() {
  Rows rows(kTable);
  const absl::Time time = absl::FromUnixMicros(1'700'000'000'123'456);
  rows.Bool(true).Int4(-7).Int8(int64_t{1} << 40).Text("caf\xc3\xa9").Uuid("0123456789abcdef");
  rows.BytesOrNull(std::string_view("\0\xff", 2)).Numeric(kMax).Timestamp(time).EndRow();
  for (size_t i = 0; i < kTable.columns.size(); ++i) rows.Null();
  rows.EndRow();
  rows.Bool(false).Int4(7).Int8(int64_t{0}).Text("").Uuid("fedcba9876543210").BytesOrNull("a");
  rows.Numeric(absl::int128(-10'000)).Timestamp(absl::UnixEpoch()).EndRow();
  return rows;
}

// The same, as the server knows them.
const char* const kSampleValues[][3] = {
    {"true", "NULL", "false"},
    {"-7", "NULL", "7"},
    {"1099511627776", "NULL", "0"},
    {"'caf\xc3\xa9'", "NULL", "''"},
    {"'30313233-3435-3637-3839-616263646566'", "NULL", "'66656463-6261-3938-3736-353433323130'"},
    {"'\\x00ff'", "NULL", "'\\x61'"},
    {"170141183460469231731687303715884105727", "NULL", "-10000"},
    {"'2023-11-14 22:13:20.123456+00'", "NULL", "'1970-01-01 00:00:00+00'"},
};

TEST_F(BinaryFormat, ArraysAreTheServersToTheByte) {
  const Rows rows = SampleRows(), none(kTable);
  for (size_t i = 0; i < kTable.columns.size(); ++i) {
    const std::string type(SqlName(kTable.columns[i].type));
    const auto& values = kSampleValues[i];
    EXPECT_EQ(Hex(rows.Array(i)),
              Hex(Sent(absl::StrCat("ARRAY[", values[0], ", ", values[1], ", ", values[2], "]::", type, "[]"))))
        << type;
    EXPECT_EQ(Hex(none.Array(i)), Hex(Sent(absl::StrCat("'{}'::", type, "[]")))) << type;
    EXPECT_EQ(sql_.Value(absl::StrCat("SELECT typarray FROM pg_type WHERE oid = '", type, "'::regtype")),
              absl::StrCat(ArrayOid(kTable.columns[i].type)))
        << type;
  }
}

TEST_F(BinaryFormat, AnArrayWithoutNullsSaysSo) {
  constexpr Column kOne[] = {{"l", ColumnType::kInt8}};
  const Table table = {"one", kOne};
  Rows rows(table);
  rows.Int8(int64_t{5}).EndRow();
  rows.Int8(int64_t{6}).EndRow();
  EXPECT_EQ(Hex(rows.Array(0)), Hex(Sent("ARRAY[5, 6]::int8[]")));
}

TEST_F(BinaryFormat, CopyIsTheServersToTheByte) {
  std::vector<std::string> rows(3);
  for (size_t row = 0; row < 3; ++row) {
    for (size_t i = 0; i < kTable.columns.size(); ++i) {
      absl::StrAppend(&rows[row], i == 0 ? "" : ", ", kSampleValues[i][row],
                      "::", std::string(SqlName(kTable.columns[i].type)));
    }
  }
  EXPECT_EQ(Hex(SampleRows().CopyData()),
            Hex(Copied(absl::StrCat("VALUES (", rows[0], "), (", rows[1], "), (", rows[2], ")"))));
  EXPECT_EQ(Hex(Rows(kTable).CopyData()), Hex(Copied(absl::StrCat("SELECT ", rows[0], " WHERE false"))));
}

}  // namespace
}  // namespace northwind::testing
