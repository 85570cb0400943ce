// SPDX-License-Identifier: Apache-2.0
//
// The program: settings, the host, the routes, the listener; and on SIGTERM all of that backwards. See --help.
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/reference_server/api/routes.h"
#include "examples/reference_server/auth/first_key.h"
#include "examples/reference_server/end_deadline.h"
#include "examples/reference_server/host.h"
#include "examples/reference_server/observe/log.h"
#include "examples/reference_server/observe/metrics.h"
#include "examples/reference_server/options.h"
#include "examples/reference_server/upkeep.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr char kHelp[] =
    R"(reference_server - settles events, executes payouts and tells merchants, on one store, over HTTP

  reference_server --data DIR [settings]
  reference_server --data DIR --print-routes   method, path, name and scope of each route
  reference_server --version
  reference_server --help

Every setting is a flag, --max-streams N, and an environment variable, NORTHWIND_MAX_STREAMS=N; the flag holds over it. Switches are true if
they stand alone, and may be given =true or =false. What is secret belongs into the environment.

)";
constexpr char kExits[] = R"(
Logs are lines of JSON on standard error; the one with the message "listening" has the address. SIGTERM and SIGINT end it: no new requests,
those under way are answered, all that was taken is settled.
Exit status: 0 ended by a signal, with nothing left undone; 1 it could not start, or run, or end in time; 2 bad settings.
)";

enum Exit : int { kDone = 0, kFailed = 1, kBadSettings = 2 };

std::string Printed(const absl::Status& status) { return std::string(status.message()); }

// All routes of the API, and what answers them besides the host.
struct Api {
  Api(Host& served, const ServerOptions& options)
      : host(served),
        router(*host.credentials),
        batcher(*host.intake),
        hub(*host.ledger,
            {.max_streams = options.max_streams, .max_streams_per_merchant = options.max_streams_per_merchant}),
        upkeep(host, metrics) {
    AddEventRoutes(router, batcher);
    AddMerchantRoutes(router, host);
    AddPayoutRoutes(router, host);
    AddLiveRoutes(router, hub, [this](const Request& request, const Caller& caller) {
      return host.credentials->StillGood(request, caller);
    });
    AddEndpointRoutes(router, host);
    AddDeliveryRoutes(router, host);
    AddAccessRoutes(router, host, options);
    AddOperatorRoutes(router, host, metrics, options);
    AddCutoverRoutes(router, host);
    AddHealthRoutes(
        router, host, metrics, options, [this] { return listening.load(); }, [this] { return upkeep.trouble(); });
    AddPageRoutes(router, options);
  }

  Host& host;
  Metrics metrics;
  Router router;
  EventBatcher batcher;
  LiveHub hub;
  Upkeep upkeep;
  std::atomic<const Listener*> listening{nullptr};
};

void PrintRoutes(const Router& router) {
  for (const Route& route : router.routes()) {
    std::printf("%s %s %s %s\n", std::string(Name(route.method)).c_str(), route.pattern.c_str(), route.name.c_str(),
                std::string(Name(route.scope)).c_str());
  }
}

absl::Status MakeKey(Host& host, const ServerOptions& options) {
  if (options.first_key.empty()) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const bool made, MakeFirstKey(*host.credentials, options.first_key, absl::Now()));
  if (made) Log(Severity::kInfo, "the first key was made", {{"file", options.first_key}});
  return absl::OkStatus();
}

std::string AddressOf(const ServerOptions& options, uint16_t port) {
  const std::string& address = options.listener.address;
  const std::string host = address.find(':') == std::string::npos ? address : absl::StrCat("[", address, "]");
  return absl::StrCat(options.listener.tls_key.empty() ? "http://" : "https://", host, ":", port);
}

// What an operator's request does, such as a verification, may take longer than whoever ends the server waits: then it is killed anyway. To go
// before that says why.
[[noreturn]] void EndLate(LogThread& log) {
  Log(Severity::kError, "did not end in time: what was under way is left, and nothing that was acknowledged is lost");
  log.End();
  _exit(kFailed);
}

// From here to the signal, and back; `ending` is called when that begins.
absl::Status Serve(Host& host, ServerOptions options, const sigset_t& signals, const std::function<void()>& ending) {
  NW_RETURN_IF_ERROR(MakeKey(host, options));
  // Of a port that is not known yet, links have no address before their path.
  if (options.public_url.empty() && options.listener.port != 0)
    options.public_url = AddressOf(options, options.listener.port);
  Api api(host, options);
  NW_RETURN_IF_ERROR(api.hub.Start());
  NW_RETURN_IF_ERROR(host.Start());
  api.upkeep.Start();
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<Listener> listener,
                      Listener::Start(options.listener, api.router, [&api](const RequestRecord& record) {
                        api.metrics.Observe(record);
                        LogRequest(record);
                      }));
  api.listening = listener.get();
  Log(Severity::kInfo, "listening", {{"address", AddressOf(options, listener->port())}});

  int signal = 0;
  sigwait(&signals, &signal);
  ending();
  Log(Severity::kInfo, "ending", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  api.listening = nullptr;
  listener->Stop();
  api.batcher.Stop();
  api.hub.Stop();
  api.upkeep.Stop();
  return absl::OkStatus();
}

int Run(const std::vector<std::string>& arguments, bool print_routes) {
  const absl::StatusOr<ServerOptions> options = ParseOptions(arguments, ProcessEnvironment());
  if (!options.ok()) {
    Log(Severity::kError, Printed(options.status()));
    return kBadSettings;
  }
  if (print_routes && options->leave_shadow) {
    Log(Severity::kError, "leave-shadow: is for good, and not for --print-routes: leave it out.");
    return kBadSettings;
  }
  // Before any thread is there, so that all of them leave the signals to Serve.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  LogThread log;
  std::optional<EndDeadline> deadline;  // of all that follows the signal
  absl::StatusOr<std::unique_ptr<Host>> host = Host::Open(*options);
  absl::Status status = host.status();
  if (status.ok() && print_routes) {
    PrintRoutes(Api(**host, *options).router);
  } else if (status.ok()) {
    status =
        Serve(**host, *options, signals, [&] { deadline.emplace(options->end_timeout, [&log] { EndLate(log); }); });
  }
  if (host.ok()) (*host)->Stop();
  if (!status.ok()) {
    Log(Severity::kError, Printed(status));
    return kFailed;
  }
  if (!print_routes) Log(Severity::kInfo, "ended");
  return kDone;
}

// Takes the word out, if it is there.
bool Take(std::vector<std::string>& arguments, const char* word) { return std::erase(arguments, word) > 0; }

}  // namespace
}  // namespace northwind::server

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (northwind::server::Take(arguments, "--help") || northwind::server::Take(arguments, "-h")) {
    std::fputs(
        absl::StrCat(northwind::server::kHelp, northwind::server::OptionsHelp(), northwind::server::kExits).c_str(),
        stdout);
    return 0;
  }
  if (northwind::server::Take(arguments, "--version")) {
    std::printf("reference_server %s\n", NORTHWIND_VERSION);
    return 0;
  }
  const bool print_routes = northwind::server::Take(arguments, "--print-routes");
  return northwind::server::Run(arguments, print_routes);
}
