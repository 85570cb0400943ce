// SPDX-License-Identifier: Apache-2.0
//
// Writes a stream of payment events as JSON lines. See --help.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "examples/command_line.h"
#include "examples/make_events/stream.h"

namespace {

constexpr char kHelp[] =
    R"(make_events - a realistic stream of payment events, one JSON line each

  make_events [--events N] [--merchants N] [--seed N] [--output FILE]

  --events N      lines to write, in all (default 100000)
  --merchants N   merchants, of very different sizes (default 2000)
  --seed N        another seed, another stream; the same seed, the same bytes (default 1)
  --duplicates F  share of lines that are copies of earlier ones, 0 to 0.5 (default 0.10): six in ten byte for byte,
                  the others the same thing under a new timestamp
  --malformed F   share of lines that are no valid event (default 0.0003)
  --conflicts F   share of lines that reuse an event's id and time for another amount (default 0.00015)
  --days N        spread over so many days from 2024-03-01 on, instead of one line every 20 ms or so
  --order-free    what is paid out was brought in by events that arrived before, or is far more than there can be: a system
                  that settles by the day comes to the same results as one that settles by the event
  --output FILE   where to write; - is standard output (default -)
  --help          this text

The stream holds captures with fees, partial and full refunds, disputes, payouts with all their ends, and adjustments, in
USD/2, EUR/2 and JPY/0; some arrive late, some before what they follow, some never. What was written is counted on
standard error. Exit status: 0 written, 1 the output failed, 2 bad arguments.
)";

// "0.10" → 100,000. Read as text: a float would make the stream depend on the machine.
bool ParseShare(const std::string& text, uint64_t& ppm) {
  const size_t point = text.find('.');
  const std::string whole = text.substr(0, point);
  std::string part = point == std::string::npos ? "" : text.substr(point + 1);
  if ((whole != "0" && whole != "1") || part.size() > 6 || (point != std::string::npos && part.empty())) return false;
  part.append(6 - part.size(), '0');
  ppm = whole == "1" ? 1'000'000 : 0;
  uint64_t fraction = 0;
  for (const char c : part) {
    if (c < '0' || c > '9') return false;
    fraction = fraction * 10 + static_cast<uint64_t>(c - '0');
  }
  ppm += fraction;
  return ppm <= 500'000;
}

int Usage(const std::string& what) {
  std::fprintf(stderr, "make_events: %s (--help tells more)\n", what.c_str());
  return 2;
}

int Write(northwind::examples::EventStream& stream, const std::string& path) {
  std::FILE* out = path == "-" ? stdout : std::fopen(path.c_str(), "wb");
  if (out == nullptr) {
    std::fprintf(stderr, "make_events: cannot write %s: %s\n", path.c_str(), std::strerror(errno));
    return 1;
  }
  static char buffer[1 << 20];
  std::setvbuf(out, buffer, _IOFBF, sizeof buffer);
  std::string line;
  bool good = true;
  while (good && stream.Next(line)) {
    line.push_back('\n');
    good = std::fwrite(line.data(), 1, line.size(), out) == line.size();
  }
  if (std::fflush(out) != 0 || (out != stdout && std::fclose(out) != 0)) good = false;
  if (!good) {
    std::fprintf(stderr, "make_events: writing %s failed: %s\n", path.c_str(), std::strerror(errno));
    return 1;
  }
  const northwind::examples::StreamCounts& counts = stream.counts();
  std::fprintf(stderr,
               "{\"lines\":%llu,\"identical_copies\":%llu,\"copies_with_a_new_time\":%llu,\"conflicts\":%llu,"
               "\"malformed\":%llu}\n",
               static_cast<unsigned long long>(counts.lines), static_cast<unsigned long long>(counts.identical),
               static_cast<unsigned long long>(counts.resent), static_cast<unsigned long long>(counts.conflicts),
               static_cast<unsigned long long>(counts.malformed));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  northwind::examples::CommandLine line(argc, argv);
  if (line.Flag("--help") || line.Flag("-h")) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  northwind::examples::StreamOptions options;
  options.events = line.Number("--events", options.events, 0, 1'000'000'000'000);
  options.merchants = line.Number("--merchants", options.merchants, 1, 10'000'000);
  options.seed = line.Number("--seed", options.seed, 0, UINT64_MAX);
  options.days = line.Number("--days", 0, 0, northwind::examples::kMaxStreamDays);
  options.order_free = line.Flag("--order-free");
  const std::string path = line.Text("--output", "-");
  if (!ParseShare(line.Text("--duplicates", "0.1"), options.duplicates_ppm)) {
    return Usage("--duplicates must be a share from 0 to 0.5, such as 0.1");
  }
  if (!ParseShare(line.Text("--malformed", "0.0003"), options.malformed_ppm)) {
    return Usage("--malformed must be a share from 0 to 0.5");
  }
  if (!ParseShare(line.Text("--conflicts", "0.00015"), options.conflicts_ppm)) {
    return Usage("--conflicts must be a share from 0 to 0.5");
  }
  if (!line.ok()) return Usage(line.error());
  northwind::examples::EventStream stream(options);
  return Write(stream, path);
}
