// SPDX-License-Identifier: Apache-2.0
#include "tests/postgres/postgres_server.h"

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "tests/postgres/postgres_session.h"

namespace northwind::testing {
namespace {

constexpr int kOldest = 15;
constexpr auto kPatience = std::chrono::seconds(60);  // for a start
constexpr auto kPause = std::chrono::milliseconds(10);

// The directory of the newest server's programs.
std::string FindBinaries() {
  int newest = 0;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
    const int version = std::atoi(entry.path().filename().c_str());
    if (std::filesystem::exists(entry.path() / "bin/initdb") && version > newest) newest = version;
  }
  NW_CHECK(newest >= kOldest, "no PostgreSQL 15 or newer in /usr/lib/postgresql: see scripts/bootstrap");
  return absl::StrCat("/usr/lib/postgresql/", newest, "/bin/");
}

// Below the range from which the system takes ports for clients: still free when the server is started again.
uint16_t FreePort() {
  std::random_device device;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<uint16_t>(20000 + device() % 12000);
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    close(probe);
    if (free) return port;
  }
  NW_CHECK(false, "no free port");
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Of a process that is stopped, and so makes no more of them.
std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    // "PID (NAME) STATE PARENT …", where a name may hold anything; gone meanwhile is nobody's child.
    const std::string stat = ReadFile(entry.path() / "stat");
    const size_t name_end = stat.rfind(')');
    if (name_end != std::string::npos && std::atoi(stat.c_str() + name_end + 4) == parent) children.push_back(pid);
  }
  return children;
}

// Kills a process that is not a child of this one, and waits until it has ended.
void KillAndAwait(pid_t pid) {
  // The header of the function has no extern "C" in glibc 2.36.
  const int process = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (process < 0) return;  // it has ended
  kill(pid, SIGKILL);
  pollfd ended = {.fd = process, .events = POLLIN, .revents = 0};
  while (poll(&ended, 1, -1) < 0 && errno == EINTR) {
  }
  close(process);
}

}  // namespace

PostgresServer::PostgresServer(const Options& options)
    : binaries_(FindBinaries()), user_(geteuid()), group_(getegid()) {
  if (user_ == 0) {
    const passwd* account = getpwnam("postgres");
    if (account == nullptr) account = getpwnam("nobody");
    NW_CHECK(account != nullptr, "neither an account postgres nor nobody to run PostgreSQL as");
    user_ = account->pw_uid;
    group_ = account->pw_gid;
    NW_CHECK(chown(directory_.path().c_str(), user_, group_) == 0, "cannot give the directory to PostgreSQL's user");
  }
  MakeCluster(options.standby_of);
  Configure(options);
  for (int attempt = 0; options.tcp && attempt < 5 && !running(); ++attempt) {
    port_ = FreePort();
    TryStart();
  }
  if (!running()) Start();
}

PostgresServer::~PostgresServer() { Stop(Shutdown::kImmediate); }

PostgresServer& PostgresServer::Shared() {
  // It is never crashed: what it would wait for is time of the disk's, most of it for making databases.
  static PostgresServer server({.tcp = true, .settings = {"fsync = off"}});
  return server;
}

void PostgresServer::MakeCluster(const PostgresServer* standby_of) const {
  const std::string data = "--pgdata=" + (directory_ / "data");
  const bool made = standby_of == nullptr
                        ? RunAsServer({Program("initdb"), data, "--username=postgres", "--auth=trust",
                                       "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"})
                        : RunAsServer({Program("pg_basebackup"), data, "--dbname=" + standby_of->Connection(),
                                       "--write-recovery-conf", "--checkpoint=fast", "--no-sync"});
  NW_CHECK(made, Log().c_str());
}

void PostgresServer::Configure(const Options& options) const {
  std::ofstream settings(DataPath("postgresql.conf"), std::ios::app);
  settings << "unix_socket_directories = '" << directory_.path() << "'\n"
           << "listen_addresses = '" << (options.tcp ? "127.0.0.1" : "") << "'\n";
  if (!options.certificate_pem.empty()) {
    for (const auto& [name, pem] :
         {std::pair("server.crt", options.certificate_pem), {"server.key", options.key_pem}}) {
      std::ofstream(DataPath(name)) << pem;
      NW_CHECK(chmod(DataPath(name).c_str(), 0600) == 0 && chown(DataPath(name).c_str(), user_, group_) == 0, name);
    }
    settings << "ssl = on\n";
  }
  for (const std::string& line : options.settings) settings << line << "\n";
  const std::string everybody = ReadFile(DataPath("pg_hba.conf"));
  std::ofstream hba(DataPath("pg_hba.conf"));
  for (const std::string& line : options.hba) hba << line << "\n";
  hba << everybody;
}

std::string PostgresServer::Connection(std::string_view database) const {
  return absl::StrCat("host=", directory_.path(), " port=", port_, " dbname=", std::string(database), " user=postgres");
}

std::string PostgresServer::TcpConnection(std::string_view database) const {
  return absl::StrCat("host=127.0.0.1 port=", port_, " dbname=", std::string(database), " user=postgres");
}

std::string PostgresServer::MakeDatabase() {
  const std::string name = absl::StrCat("test_", ++databases_);
  PostgresSession(Connection()).Run("CREATE DATABASE " + name + " TEMPLATE template0");
  return name;
}

void PostgresServer::Start() {
  NW_CHECK(!running(), "PostgreSQL runs already");
  // After kill -9 of the postmaster those that it left behind hold its memory for a moment, and it does not start meanwhile.
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!TryStart()) {
    NW_CHECK(std::chrono::steady_clock::now() < until, Log().c_str());
    std::this_thread::sleep_for(kPause);
  }
}

bool PostgresServer::TryStart() {
  postmaster_ = Spawn({Program("postgres"), "-D", directory_ / "data", "-p", std::to_string(port_)});
  const auto until = std::chrono::steady_clock::now() + kPatience;
  // PQPING_OK would be the answer of another server at the port, too: only one that runs is ours.
  while (waitpid(postmaster_, nullptr, WNOHANG) == 0) {
    if (PQping(Connection().c_str()) == PQPING_OK) return true;
    NW_CHECK(std::chrono::steady_clock::now() < until, Log().c_str());
    std::this_thread::sleep_for(kPause);
  }
  postmaster_ = 0;
  return false;
}

void PostgresServer::Stop(Shutdown how) {
  if (!running()) return;
  kill(postmaster_, how == Shutdown::kSmart ? SIGTERM : how == Shutdown::kFast ? SIGINT : SIGQUIT);
  while (waitpid(postmaster_, nullptr, 0) < 0 && errno == EINTR) {
  }
  postmaster_ = 0;
}

void PostgresServer::Kill() {
  NW_CHECK(running(), "PostgreSQL does not run");
  // A session that has not noticed yet that the postmaster is gone would still answer.
  kill(postmaster_, SIGSTOP);
  while (waitpid(postmaster_, nullptr, WUNTRACED) < 0 && errno == EINTR) {
  }
  const std::vector<pid_t> sessions = ChildrenOf(postmaster_);
  kill(postmaster_, SIGKILL);
  for (const pid_t session : sessions) KillAndAwait(session);
  while (waitpid(postmaster_, nullptr, 0) < 0 && errno == EINTR) {
  }
  postmaster_ = 0;
}

std::string PostgresServer::Log() const { return ReadFile(directory_ / "log"); }

bool PostgresServer::RunAsServer(const std::vector<std::string>& command) const {
  const pid_t child = Spawn(command);
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

pid_t PostgresServer::Spawn(const std::vector<std::string>& command) const {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const std::string log = directory_ / "log";
  const pid_t parent = getpid();
  const pid_t child = fork();
  NW_CHECK(child >= 0, "cannot fork");
  if (child > 0) return child;
  // Only what may be called between fork and exec.
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  const int input = open("/dev/null", O_RDONLY);
  if (geteuid() == 0 && (setgroups(0, nullptr) != 0 || setgid(group_) != 0 || setuid(user_) != 0)) _exit(126);
  // After setuid, which would forget it. SIGQUIT: at once, and its own children with it.
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (getppid() != parent) _exit(126);
  if (chdir(directory_.path().c_str()) != 0) _exit(126);
  dup2(input, 0);
  dup2(output, 1);
  dup2(output, 2);
  close_range(3, ~0U, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // A session of its own: what the terminal sends to the test is not for the server.
  setsid();
  execv(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace northwind::testing
