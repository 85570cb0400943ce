// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_HTTP_BLOCK_SIGNALS_H_
#define NORTHWIND_SRC_HTTP_BLOCK_SIGNALS_H_

#include <csignal>

namespace northwind::internal::http {

// Called first on every thread of this folder. The host's signals are not for them, and SIGPIPE, which a TLS library may
// raise by writing to a closed connection, must not end the host. What reports a fault, and profilers, stay as they are.
inline void BlockSignals() {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int kept : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF}) sigdelset(&blocked, kept);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
}

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_BLOCK_SIGNALS_H_
