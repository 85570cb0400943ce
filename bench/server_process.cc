// SPDX-License-Identifier: Apache-2.0
#include "bench/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <thread>

namespace northwind::bench {
namespace {

constexpr auto kLook = std::chrono::milliseconds(5);
constexpr int kLooks = 12'000;

// The port of the line with the message "listening"; 0 if it is not there yet.
uint16_t PortIn(const std::string& log) {
  std::ifstream in(log);
  for (std::string text; std::getline(in, text) && !in.eof();) {
    const nlohmann::json line = nlohmann::json::parse(text);
    if (line.at("message") != "listening") continue;
    const std::string address = line.at("address");
    return static_cast<uint16_t>(std::strtoul(address.substr(address.rfind(':') + 1).c_str(), nullptr, 10));
  }
  return 0;
}

}  // namespace

ServerProcess::ServerProcess(const std::string& directory, const std::vector<std::string>& flags)
    : store_(directory + "/data/store") {
  const std::string data = directory + "/data", key_file = directory + "/first.key", log = directory + "/server.log";
  std::filesystem::create_directories(data);
  std::vector<std::string> words = {NORTHWIND_REFERENCE_SERVER, "--data", data, "--first-key", key_file};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Whatever begins with NORTHWIND_ would be a setting.
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("NORTHWIND_")) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  const int to_log = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (to_log < 0) std::abort();
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    dup2(to_log, STDERR_FILENO);
    execve(arguments[0], arguments.data(), environment.data());
    _exit(127);
  }
  close(to_log);
  for (int looks = 0; (port_ = PortIn(log)) == 0; ++looks) {
    if (waitpid(process_, nullptr, WNOHANG) != 0 || looks == kLooks) {
      std::fprintf(stderr, "%s did not start; its log is:\n%s\n", arguments[0],
                   (std::stringstream() << std::ifstream(log).rdbuf()).str().c_str());
      std::abort();
    }
    std::this_thread::sleep_for(kLook);
  }
  std::ifstream(key_file) >> key_;
}

ServerProcess::~ServerProcess() { Kill(); }

void ServerProcess::Kill() {
  if (process_ < 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

uint64_t ServerProcess::KilobytesOf(const std::string& name) const {
  std::ifstream status("/proc/" + std::to_string(process_) + "/status");
  for (std::string word; status >> word;) {
    if (word != name) continue;
    uint64_t kilobytes = 0;
    status >> kilobytes;
    return kilobytes;
  }
  std::abort();
}

uint64_t ServerProcess::ResidentBytes() const { return KilobytesOf("VmRSS:") << 10; }
uint64_t ServerProcess::PeakResidentBytes() const { return KilobytesOf("VmHWM:") << 10; }

double ServerProcess::CpuSeconds() const {
  std::ifstream stat("/proc/" + std::to_string(process_) + "/stat");
  std::string text;
  std::getline(stat, text);
  // After the name, which may have blanks: fields 3 …; user and system time are 14 and 15 (proc(5)).
  std::istringstream rest(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) rest >> skipped;
  uint64_t user = 0, system = 0;
  rest >> user >> system;
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace northwind::bench
