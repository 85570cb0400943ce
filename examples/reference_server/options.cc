// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/options.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr char kPrefix[] = "NORTHWIND_";
constexpr uint64_t kMany = 1'000'000'000;
constexpr absl::Duration kAfterDrain = absl::Minutes(1);  // for the rest of the end, if nothing is given

// What a setting takes. Read answers an empty text, or what a value must be: "a whole number from 0 to 65535, such as 8443".
struct Setting {
  std::string name;
  std::string takes;  // for the help: "N"; empty: a switch
  std::string help;
  std::function<std::string(ServerOptions&, const std::string&)> read;

  bool is_switch() const { return takes.empty(); }
  std::string variable() const {
    return absl::StrCat(kPrefix, absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
  }
};

ListenerOptions& OfListener(ServerOptions& options) { return options.listener; }
ServerOptions& OfServer(ServerOptions& options) { return options; }

template <typename Owner>
Setting Text(const char* name, const char* takes, const char* help, Owner& (*owner)(ServerOptions&),
             std::string Owner::*member) {
  return {name, takes, help, [owner, member](ServerOptions& options, const std::string& text) {
            owner(options).*member = text;
            return std::string();
          }};
}

template <typename Owner>
Setting Switch(const char* name, const char* help, Owner& (*owner)(ServerOptions&), bool Owner::*member) {
  return {name, "", help, [owner, member](ServerOptions& options, const std::string& text) -> std::string {
            if (text != "true" && text != "false") return "true or false";
            owner(options).*member = text == "true";
            return "";
          }};
}

template <typename Owner, typename Number>
Setting Whole(const char* name, const char* help, Owner& (*owner)(ServerOptions&), Number Owner::*member,
              uint64_t least, uint64_t most) {
  return {name, "N", help,
          [owner, member, least, most](ServerOptions& options, const std::string& text) -> std::string {
            uint64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
              return absl::StrCat("a whole number from ", least, " to ", most);
            }
            owner(options).*member = static_cast<Number>(value);
            return "";
          }};
}

template <typename Owner>
Setting Time(const char* name, const char* help, Owner& (*owner)(ServerOptions&), absl::Duration Owner::*member) {
  return {name, "TIME", help, [owner, member](ServerOptions& options, const std::string& text) -> std::string {
            absl::Duration value;
            if (!absl::ParseDuration(text, &value) || value < absl::Milliseconds(1) || value > absl::Hours(24)) {
              return "a time from 1ms to 24h, such as 10s or 1m30s";
            }
            owner(options).*member = value;
            return "";
          }};
}

Setting Addresses(const char* name, const char* help, std::vector<std::string> ListenerOptions::*member) {
  return {name, "LIST", help, [member](ServerOptions& options, const std::string& text) -> std::string {
            options.listener.*member = absl::StrSplit(text, ',', absl::SkipWhitespace());
            for (std::string& one : options.listener.*member) one = std::string(absl::StripAsciiWhitespace(one));
            return "";
          }};
}

std::vector<Setting> MakeSettings() {
  using L = ListenerOptions;
  using S = ServerOptions;
  return {
      Text("data", "DIR", "needed: where everything is kept; made if missing", OfServer, &S::data),
      Text("first-key", "FILE", "if there is no key yet, make one that may do all and write it here, mode 0600",
           OfServer, &S::first_key),
      Text("address", "ADDRESS", "to listen on (default 127.0.0.1)", OfListener, &L::address),
      Whole("port", "to listen on; 0: any that is free (default 0)", OfListener, &L::port, 0, 65535),
      Text("tls-certificate", "FILE", "PEM; with tls-key", OfListener, &L::tls_certificate),
      Text("tls-key", "FILE", "PEM; with tls-certificate", OfListener, &L::tls_key),
      Addresses("trusted-proxies", "addresses whose X-Forwarded-For is believed, by commas", &L::trusted_proxies),
      Text("public-url", "URL", "what sign-in links begin with (default: the address listened on)", OfServer,
           &S::public_url),
      Switch("plain-cookies", "sessions over http, for a demonstration on one machine", OfServer, &S::plain_cookies),
      Switch("open-metrics", "GET /metrics without a key", OfServer, &S::open_metrics),
      Whole("io-threads", "that read and write (default 2)", OfListener, &L::io_threads, 1, 64),
      Whole("worker-threads", "that requests block on (default 8)", OfListener, &L::worker_threads, 1, 1024),
      Whole("max-connections", "(default 10000)", OfListener, &L::max_connections, 1, kMany),
      Whole("max-in-flight", "requests at once; more are answered 503 (default 2000)", OfListener, &L::max_in_flight, 1,
            kMany),
      Whole(
          "max-body-bytes",
          "of all large bodies together, and a quarter of it of one caller; more are answered 503 (default 268435456)",
          OfListener, &L::max_body_bytes, 64 << 20, uint64_t{1} << 40),
      Whole("max-header", "bytes of a request's head (default 16384)", OfListener, &L::max_header, 1024, 1 << 20),
      Time("header-timeout", "for a request's head (default 10s)", OfListener, &L::header_timeout),
      Time("body-timeout", "for its body (default 30s)", OfListener, &L::body_timeout),
      Time("write-timeout", "for an answer, without progress (default 30s)", OfListener, &L::write_timeout),
      Time("idle-timeout", "between two requests (default 75s)", OfListener, &L::idle_timeout),
      Time("drain-timeout", "for requests under way when the server ends (default 20s)", OfListener, &L::drain_timeout),
      Time("end-timeout",
           "for the whole end of the server; what is not done then is left (default drain-timeout and 1m)", OfServer,
           &S::end_timeout),
      Time("stream-heartbeat", "between comments on event streams (default 15s)", OfListener, &L::stream_heartbeat),
      Whole("max-streams", "event streams at once (default 20000)", OfServer, &S::max_streams, 1, kMany),
      Whole("max-streams-per-merchant", "(default 100)", OfServer, &S::max_streams_per_merchant, 1, kMany),
      Switch("shadow", "compute everything, send nothing", OfServer, &S::shadow),
      Switch("leave-shadow", "a store that was a shadow is live from now on, for good", OfServer, &S::leave_shadow),
      Switch("batch-gone", "no batch system pays out beside this server any more", OfServer, &S::batch_gone),
      Switch("simulated-bank", "the only bank that this example has (default true)", OfServer, &S::simulated_bank),
      Whole("bank-seed", "of the bank's faults (default 1)", OfServer, &S::bank_seed, 0,
            std::numeric_limits<uint64_t>::max()),
      Switch("webhooks-to-loopback", "http, and to this machine, for a demonstration", OfServer,
             &S::webhooks_to_loopback),
      Text("sqs-queue-url", "URL", "of a queue that events come from as well", OfServer, &S::sqs_queue_url),
      Text("mirror-connection", "CONNINFO", "of a PostgreSQL that the journal is copied to", OfServer,
           &S::mirror_connection),
      Text("claims-connection", "CONNINFO", "of a PostgreSQL in which this server and the batch claim what they pay",
           OfServer, &S::claims_connection),
      Text("cutover-salt", "TEXT", "switches the cutover on; never to be changed afterwards", OfServer,
           &S::cutover_salt),
      Text("compare-mapping", "FILE", "switches the parallel run on: the mapping of the batch's rows, JSON", OfServer,
           &S::compare_mapping),
      Whole("gate-days", "clean days in a row that the cutover's gate wants (default 14)", OfServer, &S::gate_days, 1,
            365),
  };
}

const std::vector<Setting>& Settings() {
  static const auto* settings = new std::vector<Setting>(MakeSettings());
  return *settings;
}

const Setting* FindByName(std::string_view name) {
  const auto found =
      std::find_if(Settings().begin(), Settings().end(), [&](const Setting& setting) { return setting.name == name; });
  return found == Settings().end() ? nullptr : &*found;
}

absl::Status Refuse(const std::string& name, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(name, " ", what));
}

// Values are not repeated: they may be secret.
absl::Status Read(const Setting& setting, const std::string& as, const std::string& value, ServerOptions& options) {
  const std::string wanted = setting.read(options, value);
  if (wanted.empty()) return absl::OkStatus();
  return Refuse(as, absl::StrCat("must be ", wanted, ": mend it or leave it out."));
}

absl::Status ReadEnvironment(const std::map<std::string, std::string>& environment, ServerOptions& options) {
  std::map<std::string, const Setting*> known;
  for (const Setting& setting : Settings()) known[setting.variable()] = &setting;
  for (auto it = environment.lower_bound(kPrefix); it != environment.end() && absl::StartsWith(it->first, kPrefix);
       ++it) {
    const auto found = known.find(it->first);
    if (found == known.end()) {
      return Refuse(it->first,
                    "is set in the environment and is no setting: unset it, or see --help for how it is spelt.");
    }
    NW_RETURN_IF_ERROR(Read(*found->second, it->first, it->second, options));
  }
  return absl::OkStatus();
}

absl::Status ReadArguments(const std::vector<std::string>& arguments, ServerOptions& options) {
  std::set<std::string> seen;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (!absl::StartsWith(word, "--")) {
      return Refuse(absl::StrCat("'", word, "'"), "is no setting: settings begin with --, see --help.");
    }
    const size_t equals = word.find('=');
    const std::string flag = word.substr(0, equals);
    const Setting* setting = FindByName(flag.substr(2));
    if (setting == nullptr) return Refuse(flag, "is no setting: see --help for those there are.");
    if (!seen.insert(flag).second) return Refuse(flag, "is given twice: leave one of them out.");
    if (equals != std::string::npos) {
      NW_RETURN_IF_ERROR(Read(*setting, flag, word.substr(equals + 1), options));
    } else if (setting->is_switch()) {
      NW_RETURN_IF_ERROR(Read(*setting, flag, "true", options));
    } else {
      if (i + 1 == arguments.size())
        return Refuse(flag, absl::StrCat("needs a value: ", flag, " ", setting->takes, "."));
      NW_RETURN_IF_ERROR(Read(*setting, flag, arguments[++i], options));
    }
  }
  return absl::OkStatus();
}

bool IsLoopback(const std::string& address) { return absl::StartsWith(address, "127.") || address == "::1"; }

// What no setting can be wrong in alone.
absl::Status CheckTogether(const ServerOptions& o) {
  if (o.data.empty()) return Refuse("data", "is missing: give a directory with --data DIR or NORTHWIND_DATA.");
  if (o.listener.tls_certificate.empty() != o.listener.tls_key.empty()) {
    return Refuse("tls-certificate", "and tls-key belong together: give both, or none.");
  }
  if (o.plain_cookies && !IsLoopback(o.listener.address)) {
    return Refuse("plain-cookies", "is for one machine only: listen on 127.0.0.1, or use TLS and leave it out.");
  }
  if (!o.public_url.empty() &&
      (!(absl::StartsWith(o.public_url, "https://") || absl::StartsWith(o.public_url, "http://")) ||
       o.public_url.back() == '/' || o.public_url.find_first_of("?# ") != std::string::npos)) {
    return Refuse("public-url", "must be a URL without a slash at its end, such as https://pay.example.");
  }
  if (o.end_timeout <= o.listener.drain_timeout) {
    return Refuse("end-timeout", absl::StrCat("must be longer than drain-timeout, which is a part of it and is ",
                                              absl::FormatDuration(o.listener.drain_timeout),
                                              ": lengthen it, or shorten drain-timeout."));
  }
  if (!o.simulated_bank) {
    return Refuse("simulated-bank",
                  "cannot be false in this example: write a PayoutRail of your own and open it in host.cc.");
  }
  if (o.shadow && o.leave_shadow)
    return Refuse("shadow", "and leave-shadow exclude each other: leave one of them out.");
  if (!o.cutover_salt.empty() && o.claims_connection.empty() && !o.shadow) {
    return Refuse("cutover-salt",
                  "needs claims-connection: without claims, this server and the batch could pay twice.");
  }
  if (o.batch_gone && !o.cutover_salt.empty()) {
    return Refuse(
        "batch-gone",
        "and cutover-salt exclude each other: what is assigned to a batch that is gone nobody would pay. Leave "
        "cutover-salt and claims-connection out once nothing is assigned to the batch any more.");
  }
  if (o.cutover_salt.empty() && !o.claims_connection.empty()) {
    return Refuse("claims-connection", "does nothing without cutover-salt: give both, or none.");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ServerOptions> ParseOptions(const std::vector<std::string>& arguments,
                                           const std::map<std::string, std::string>& environment) {
  ServerOptions options;
  NW_RETURN_IF_ERROR(ReadEnvironment(environment, options));
  NW_RETURN_IF_ERROR(ReadArguments(arguments, options));
  options.listener.max_body_bytes_of_caller = options.listener.max_body_bytes / 4;
  if (options.end_timeout == absl::ZeroDuration()) options.end_timeout = options.listener.drain_timeout + kAfterDrain;
  NW_RETURN_IF_ERROR(CheckTogether(options));
  return options;
}

std::map<std::string, std::string> ProcessEnvironment() {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return all;
}

std::string OptionsHelp() {
  std::string help;
  for (const Setting& setting : Settings()) {
    absl::StrAppendFormat(&help, "  %-32s %s\n",
                          absl::StrCat("--", setting.name, setting.is_switch() ? "" : " ", setting.takes),
                          setting.help);
  }
  return help;
}

std::vector<std::string> SettingNames() {
  std::vector<std::string> names;
  for (const Setting& setting : Settings()) names.push_back(setting.name);
  return names;
}

}  // namespace northwind::server
