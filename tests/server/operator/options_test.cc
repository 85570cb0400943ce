// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "tests/support/status_matchers.h"

namespace northwind::server {
namespace {

using ::northwind::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
using Words = std::vector<std::string>;

absl::StatusOr<ServerOptions> Parse(Words words, const std::map<std::string, std::string>& environment = {}) {
  words.insert(words.begin(), "--data=/d");
  return ParseOptions(words, environment);
}

TEST(ServerOptions, OnlyTheDirectoryIsNeeded) {
  NW_ASSERT_OK_AND_ASSIGN(const ServerOptions options, ParseOptions({"--data", "/d"}, {}));
  EXPECT_EQ(options.data, "/d");
  EXPECT_EQ(options.listener.address, "127.0.0.1");
  EXPECT_EQ(options.gate_days, 14);
  EXPECT_THAT(ParseOptions({}, {}), StatusIs(kInvalid, HasSubstr("give a directory with --data")));
}

TEST(ServerOptions, AFlagHoldsOverTheEnvironment) {
  const std::map<std::string, std::string> environment = {
      {"NORTHWIND_PORT", "1"}, {"NORTHWIND_SHADOW", "true"}, {"NORTHWIND_GATE_DAYS", "3"}, {"PATH", "/bin"}};
  NW_ASSERT_OK_AND_ASSIGN(const ServerOptions options,
                          Parse({"--port", "2", "--drain-timeout=1m30s", "--trusted-proxies=10.0.0.1, ::1",
                                 "--shadow=false", "--open-metrics"},
                                environment));
  EXPECT_EQ(options.listener.port, 2);
  EXPECT_FALSE(options.shadow);
  EXPECT_TRUE(options.open_metrics);
  EXPECT_EQ(options.gate_days, 3);
  EXPECT_EQ(options.listener.drain_timeout, absl::Seconds(90));
  EXPECT_THAT(options.listener.trusted_proxies, ElementsAre("10.0.0.1", "::1"));
}

TEST(ServerOptions, WhatIsWrongIsNamedInOneSentence) {
  const std::vector<std::pair<Words, std::string>> wrong = {
      {{"--prot", "1"}, "--prot is no setting"},
      {{"-h"}, "'-h' is no setting"},
      {{"--port"}, "--port needs a value: --port N."},
      {{"--port", "65536"}, "--port must be a whole number from 0 to 65535"},
      {{"--port", "-1"}, "--port must be"},
      {{"--port", "1x"}, "--port must be"},
      {{"--port="}, "--port must be"},
      {{"--port=1", "--port=1"}, "--port is given twice"},
      {{"--data=/e"}, "--data is given twice"},
      {{"--shadow=yes"}, "--shadow must be true or false"},
      {{"--io-threads=0"}, "--io-threads must be a whole number from 1 to 64"},
      {{"--gate-days=366"}, "--gate-days must be"},
      {{"--idle-timeout=5"}, "--idle-timeout must be a time"},
      {{"--idle-timeout=inf"}, "--idle-timeout must be a time"},
      {{"--idle-timeout=0s"}, "--idle-timeout must be a time"},
      {{"--tls-key=k"}, "tls-certificate and tls-key belong together"},
      {{"--plain-cookies", "--address=0.0.0.0"}, "plain-cookies is for one machine only"},
      {{"--public-url=pay.example"}, "public-url must be a URL"},
      {{"--public-url=https://pay.example/"}, "public-url must be a URL"},
      {{"--simulated-bank=false"}, "simulated-bank cannot be false"},
      {{"--shadow", "--leave-shadow"}, "shadow and leave-shadow exclude each other"},
      {{"--cutover-salt=s"}, "cutover-salt needs claims-connection"},
      {{"--claims-connection=c"}, "claims-connection does nothing without cutover-salt"},
  };
  for (const auto& [words, said] : wrong) {
    const absl::Status status = Parse(words).status();
    EXPECT_THAT(status, StatusIs(kInvalid, StartsWith(said)));
    EXPECT_TRUE(absl::EndsWith(status.message(), ".")) << status;
  }
  EXPECT_TRUE(Parse({"--cutover-salt=s", "--shadow"}).ok());
}

TEST(ServerOptions, TheWholeEndIsLongerThanTheDraining) {
  EXPECT_EQ(Parse({})->end_timeout, absl::Seconds(80));
  EXPECT_EQ(Parse({"--drain-timeout=2h"})->end_timeout, absl::Minutes(121));
  EXPECT_EQ(Parse({"--drain-timeout=1ms", "--end-timeout=2ms"})->end_timeout, absl::Milliseconds(2));
  EXPECT_EQ(Parse({"--end-timeout=21s"})->end_timeout, absl::Seconds(21));
  const auto refused = [](const std::string& drain) {
    return StatusIs(kInvalid,
                    StartsWith("end-timeout must be longer than drain-timeout, which is a part of it and is " + drain));
  };
  EXPECT_THAT(Parse({"--drain-timeout=2m", "--end-timeout=1m"}), refused("2m"));
  EXPECT_THAT(Parse({"--drain-timeout=2m", "--end-timeout=2m"}), refused("2m"));
  EXPECT_THAT(Parse({"--end-timeout=20s"}), refused("20s")) << "what drain-timeout is by default";
  EXPECT_THAT(Parse({"--end-timeout=1m"}, {{"NORTHWIND_DRAIN_TIMEOUT", "1h"}}), refused("1h"));
}

TEST(ServerOptions, TheEnvironmentIsReadAsStrictly) {
  EXPECT_THAT(Parse({}, {{"NORTHWIND_PROT", "1"}}),
              StatusIs(kInvalid, StartsWith("NORTHWIND_PROT is set in the environment and is no setting")));
  EXPECT_THAT(Parse({}, {{"NORTHWIND_PORT", "hunter2"}}),
              StatusIs(kInvalid, AllOf(StartsWith("NORTHWIND_PORT must be"), Not(HasSubstr("hunter2")))));
}

TEST(ServerOptions, TheExampleHasAllSettingsAndCanBeUsed) {
  std::ifstream file(NORTHWIND_ENV_FILE);
  ASSERT_TRUE(file) << NORTHWIND_ENV_FILE;
  std::map<std::string, std::string> set;
  std::set<std::string> named;
  for (std::string line; std::getline(file, line);) {
    const bool commented = absl::StartsWith(line, "#NORTHWIND_");
    if (!commented && !absl::StartsWith(line, "NORTHWIND_")) continue;
    const size_t begin = commented ? 1 : 0;
    const size_t equals = line.find('=');
    ASSERT_NE(equals, std::string::npos) << line;
    const std::string name = line.substr(begin, equals - begin);
    const std::string value = line.substr(equals + 1);
    EXPECT_TRUE(named.insert(name).second) << name;
    if (!commented) set[name] = value;
    // Each by itself is what its setting takes: what is wrong then is only what it needs beside it.
    const absl::Status alone = Parse({}, {{name, value}}).status();
    if (alone.ok()) continue;
    EXPECT_THAT(alone, StatusIs(kInvalid, ::testing::AnyOf(HasSubstr("both, or none"), HasSubstr("needs claims"))));
  }
  EXPECT_EQ(ParseOptions({}, set).status(), absl::OkStatus());
  std::set<std::string> expected;
  for (const std::string& name : SettingNames()) {
    expected.insert("NORTHWIND_" + absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
    EXPECT_THAT(OptionsHelp(), HasSubstr("--" + name));
  }
  EXPECT_EQ(named, expected);
}

}  // namespace
}  // namespace northwind::server
