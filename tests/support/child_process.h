// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SUPPORT_CHILD_PROCESS_H_
#define NORTHWIND_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

extern char** environ;

namespace northwind::testing {

// A program that runs beside the test. Its descriptor 3 is the other end of what this reads and writes, and is at its end
// when the test is. Killed and reaped at the latest when this is destroyed.
class ChildProcess {
 public:
  explicit ChildProcess(const std::vector<std::string>& command) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) Abort("socketpair");
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    // Through a third number: dup2 of a descriptor onto itself would leave it to be closed by exec.
    posix_spawn_file_actions_adddup2(&actions, ends[1], 100);
    posix_spawn_file_actions_adddup2(&actions, 100, 3);
    posix_spawn_file_actions_addclose(&actions, 100);
    if (posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) Abort("posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    socket_ = ends[0];
  }
  ~ChildProcess() {
    Kill();
    Wait();
    close(socket_);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Waits for bytes for so long at most and appends them; false at their end.
  bool Read(std::string& bytes, int timeout_ms) {
    pollfd ready = {.fd = socket_, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, timeout_ms) <= 0) return true;
    char buffer[65536];
    const ssize_t count = read(socket_, buffer, sizeof(buffer));
    if (count > 0) bytes.append(buffer, static_cast<size_t>(count));
    return count > 0 || (count < 0 && errno == EINTR);
  }

  // False if nobody reads any more.
  bool Write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0 && errno != EINTR) return false;
      if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  void Kill() { Signal(SIGKILL); }
  void Signal(int signal) const {
    if (pid_ > 0) kill(pid_, signal);
  }
  // Until it ends; its status as of waitpid.
  int Wait() {
    while (pid_ > 0) {
      if (waitpid(pid_, &status_, 0) == pid_) pid_ = 0;
    }
    return status_;
  }

 private:
  [[noreturn]] static void Abort(const char* what) {
    std::perror(what);
    std::abort();
  }

  pid_t pid_ = 0;
  int status_ = 0;
  int socket_ = -1;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_CHILD_PROCESS_H_
