// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_HTTP_BLOCK_SIGNALS_H_
#define NORTHWIND_SRC_HTTP_BLOCK_SIGNALS_H_

#include <csignal>

namespace northwind::internal::http {

// Called first on every thread of this folder. The host's signals are not for them, and SIGPIPE, which a TLS library may
// raise by writing to a closed connection, must not end the host.
inline void BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_BLOCK_SIGNALS_H_
