// SPDX-License-Identifier: Apache-2.0
//
// A fleet of receivers of webhooks as a program. See --help.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "examples/command_line.h"
#include "examples/receivers/receiver_fleet.h"
#include "northwind/status.h"

namespace nw = northwind;
namespace ex = northwind::examples;

namespace {

constexpr char kHelp[] =
    R"(receivers - receivers of webhooks on this machine, good ones and bad ones

  receivers [--count N] [--bad N] [--fail-percent N] [--log FILE] [--seed N]

  --count N         receivers r1 … rN that answer 204 (default 0)
  --bad N           and bad1 … badN, which in turn hang, drip, reset, error, redirect, gone, throttle, endless and flaky (default 0)
  --fail-percent N  of the answers of flaky ones that fail (default 20)
  --log FILE        append a JSON line for each message, before it is answered
  --seed N          of what flaky ones do (default 1)
  --help            this text

Prints a line with name and URL for each. Then takes commands from standard input, a line each:

  add NAME BEHAVIOUR [MILLISECONDS]   one more, which takes that long to answer; prints its name and URL
  keys NAME KEY...                    what its messages are verified with from now on
  behave NAME BEHAVIOUR               what it does from now on
  stats                               prints what was counted so far, as one line of JSON

At the end of standard input prints what was counted, and ends. Exit status: 0, 1 a command failed, 2 bad arguments.
)";

int Complain(int status, const std::string& what) {
  std::fprintf(stderr, "receivers: %s\n", what.c_str());
  return status;
}

void Print(const std::string& text) {
  std::fputs((text + "\n").c_str(), stdout);
  std::fflush(stdout);
}

nlohmann::ordered_json Json(const ex::ReceiverStats& stats) {
  return {{"requests", stats.requests},
          {"verified", stats.verified},
          {"signature_failures", stats.signature_failures},
          {"distinct", stats.distinct},
          {"duplicates", stats.duplicates},
          {"acknowledged", stats.acknowledged},
          {"distinct_acknowledged", stats.distinct_acknowledged},
          {"repeated_after_acknowledged", stats.repeated_after_acknowledged}};
}

std::string Summary(const ex::ReceiverFleet& fleet) {
  ex::ReceiverStats all;
  nlohmann::ordered_json receivers = nlohmann::ordered_json::object();
  for (const auto& [name, stats] : fleet.Stats()) {
    all += stats;
    receivers[name] = Json(stats);
  }
  return nlohmann::ordered_json{{"all", Json(all)}, {"receivers", receivers}}.dump();
}

absl::Status Add(ex::ReceiverFleet& fleet, ex::ReceiverSpec spec, double fail_rate) {
  spec.fail_rate = fail_rate;
  spec.location = "http://127.0.0.1:9/elsewhere";
  NW_ASSIGN_OR_RETURN(const std::string url, fleet.Add(spec));
  Print(absl::StrCat(spec.name, " ", url));
  return absl::OkStatus();
}

absl::Status Obey(ex::ReceiverFleet& fleet, const std::string& line, double fail_rate) {
  std::istringstream words(line);
  std::string command, name, word;
  words >> command;
  if (command == "stats") {
    Print(Summary(fleet));
    return absl::OkStatus();
  }
  words >> name;
  if (command == "keys") {
    std::vector<std::string> keys;
    while (words >> word) keys.push_back(word);
    return fleet.SetKeys(name, std::move(keys));
  }
  words >> word;
  const std::optional<ex::Behaviour> behaviour = ex::BehaviourNamed(word);
  if (!behaviour.has_value() || (command != "add" && command != "behave")) {
    return absl::InvalidArgumentError(absl::StrCat("not understood: ", line));
  }
  if (command == "behave") return fleet.SetBehaviour(name, *behaviour);
  int64_t milliseconds = 0;
  words >> milliseconds;
  return Add(fleet, {.name = name, .behaviour = *behaviour, .delay = absl::Milliseconds(milliseconds)}, fail_rate);
}

absl::Status Serve(const ex::ReceiverFleetOptions& options, uint64_t count, uint64_t bad, double fail_rate) {
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<ex::ReceiverFleet> fleet, ex::ReceiverFleet::Start(options));
  for (uint64_t i = 1; i <= count; ++i) {
    NW_RETURN_IF_ERROR(Add(*fleet, {.name = absl::StrCat("r", i)}, fail_rate));
  }
  constexpr uint64_t kBadOnes = static_cast<uint64_t>(ex::Behaviour::kFlaky);
  for (uint64_t i = 0; i < bad; ++i) {
    const auto behaviour = static_cast<ex::Behaviour>(1 + i % kBadOnes);
    NW_RETURN_IF_ERROR(Add(*fleet, {.name = absl::StrCat("bad", i + 1), .behaviour = behaviour}, fail_rate));
  }
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty()) NW_RETURN_IF_ERROR(Obey(*fleet, line, fail_rate));
  }
  fleet->Stop();
  Print(Summary(*fleet));
  return absl::OkStatus();
}

// As many connections as the machine lets this process have.
void AllowOpenFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  ex::CommandLine line(argc, argv);
  if (line.Flag("--help") || line.Flag("-h")) {
    std::fputs(kHelp, stdout);
    return EXIT_SUCCESS;
  }
  const uint64_t count = line.Number("--count", 0, 0, 10'000);
  const uint64_t bad = line.Number("--bad", 0, 0, 10'000);
  const double fail_rate = static_cast<double>(line.Number("--fail-percent", 20, 0, 100)) / 100;
  const std::string path = line.Text("--log", "");
  ex::ReceiverFleetOptions options{.seed = line.Number("--seed", 1, 0, UINT64_MAX)};
  if (!line.ok()) return Complain(2, line.error() + " (--help tells more)");
  AllowOpenFiles();
  std::FILE* log = path.empty() ? nullptr : std::fopen(path.c_str(), "ae");
  if (log != nullptr) {
    options.on_message = [log](const ex::ReceivedMessage& message) {
      const nlohmann::ordered_json json{{"receiver", message.receiver},
                                        {"id", message.headers.id},
                                        {"timestamp", message.headers.timestamp},
                                        {"signature", message.headers.signature},
                                        {"verified", message.verified.ok()},
                                        {"answer", message.answer},
                                        {"body", message.body}};
      std::fputs((json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n").c_str(), log);
    };
  } else if (!path.empty()) {
    return Complain(2, "cannot write " + path);
  }
  const absl::Status status = Serve(options, count, bad, fail_rate);
  if (log != nullptr && std::fclose(log) != 0) return Complain(1, "writing " + path + " failed");
  return status.ok() ? EXIT_SUCCESS : Complain(1, std::string(status.message()));
}
