// SPDX-License-Identifier: Apache-2.0
//
// The process that mirror_kill_test kills: mirror_child DIRECTORY CONNECTION RUN SEED. Commits transactions of every kind without end, as
// far ahead of its mirror as it is told to stay, and writes to descriptor 3 how far the mirror is.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "northwind/ledger.h"
#include "northwind/postgres.h"
#include "northwind/store.h"
#include "tests/postgres/mirror_kill_protocol.h"

namespace northwind::testing {
namespace {

constexpr size_t kAccounts = 40;

[[noreturn]] void Fail(const char* what, const absl::Status& status) {
  std::fprintf(stderr, "mirror_child: %s: %s\n", what, status.ToString().c_str());
  _exit(2);
}

void Send(const MirrorMessage& message) {
  if (write(3, &message, sizeof(message)) != sizeof(message)) _exit(3);
}

class Committer {
 public:
  Committer(Ledger& ledger, std::vector<AccountId> accounts, uint64_t run, uint64_t seed)
      : ledger_(ledger), accounts_(std::move(accounts)), run_(run), random_(seed) {}

  void CommitOne() {
    std::vector<Transaction> batch;
    for (uint64_t left = 1 + random_() % 300; left > 0; --left) batch.push_back(Next());
    const auto results = ledger_.Commit(batch);
    if (!results.ok()) Fail("Commit", results.status());
  }

 private:
  static IdempotencyKey KeyOf(uint64_t run, uint64_t number) {
    std::array<uint8_t, IdempotencyKey::kSize> bytes{};
    for (size_t i = 0; i < 8; ++i) {
      bytes[7 - i] = static_cast<uint8_t>(run >> (8 * i));
      bytes[15 - i] = static_cast<uint8_t>(number >> (8 * i));
    }
    return IdempotencyKey(bytes);
  }
  AccountId Any() { return accounts_[1 + random_() % (accounts_.size() - 1)]; }

  // Targets are what came shortly before: most are holds that are open, some are what nothing can be done with.
  Transaction Next() {
    Transaction t{.key = KeyOf(run_, ++count_)};
    const Target before = Target::Key(KeyOf(run_, count_ - 1 - random_() % 3));
    const AccountId from = Any();
    AccountId to = Any();
    while (to == from) to = Any();
    switch (random_() % 8) {
      case 0:
      case 1:
        t.kind = TransactionKind::kHold;
        t.postings = {{from, to, 1 + random_() % 50}};
        if (random_() % 2 == 0) t.expires_at = absl::Now() + absl::Milliseconds(static_cast<int64_t>(random_() % 40));
        break;
      case 2:
        t.kind = TransactionKind::kCapture;
        t.target = before;
        t.final_capture = random_() % 2 == 0;
        t.amount = random_() % 3;  // 0 is all
        break;
      case 3:
        t.kind = TransactionKind::kRelease;
        t.target = before;
        break;
      case 4:
        t.kind = TransactionKind::kReverse;
        t.target = before;
        break;
      default:
        t.postings = {{accounts_[0], from, 1 + random_() % 100}};
        if (random_() % 4 == 0) t.postings.push_back({from, to, 1 + random_() % 60});
        if (random_() % 4 == 0) {
          t.code = static_cast<uint16_t>(random_() % 4);
          t.reference = "reference " + std::to_string(random_() % 1000);
          t.unique_reference = random_() % 2 == 0;
        }
        break;
    }
    return t;
  }

  Ledger& ledger_;
  const std::vector<AccountId> accounts_;
  const uint64_t run_;
  std::mt19937_64 random_;
  uint64_t count_ = 10;  // what is before it is there for nobody
};

std::vector<AccountId> OpenAccounts(Ledger& ledger) {
  std::vector<AccountSpec> specs = {{.name = "world", .asset = "USD/2", .external = true}};
  for (size_t i = 1; i < kAccounts; ++i) {
    specs.push_back({.name = "merchant:" + std::to_string(i) + ":available:USD/2", .asset = "USD/2"});
  }
  auto accounts = ledger.OpenAccounts(specs);
  if (!accounts.ok()) Fail("OpenAccounts", accounts.status());
  return *std::move(accounts);
}

[[noreturn]] void Run(const std::string& directory, const std::string& connection, uint64_t run, uint64_t seed) {
  auto store = Store::Open({.path = directory, .free_space_floor_bytes = 0});
  if (!store.ok()) Fail("Store::Open", store.status());
  LedgerOptions ledger_options;
  ledger_options.checkpoint_interval = 5000;
  auto ledger = Ledger::Open(**store, ledger_options);
  if (!ledger.ok()) Fail("Ledger::Open", ledger.status());
  Committer committer(**ledger, OpenAccounts(**ledger), run, seed);
  MirrorOptions options = MirrorOfKillTest(connection);
  auto mirror = Mirror::Open(**ledger, options);
  if (!mirror.ok()) Fail("Mirror::Open", mirror.status());
  if (const absl::Status started = (*mirror)->Start(); !started.ok()) Fail("Mirror::Start", started);
  Send({.kind = MirrorMessage::kOpened});
  std::thread reporter([&] {
    Sequence told;
    while (true) {
      const absl::Status moved = (*mirror)->WaitFor(Sequence(told.value() + 1), absl::Milliseconds(50));
      const MirrorStats stats = (*mirror)->Stats();
      if (stats.state == MirrorState::kHalted) Fail("halted", stats.status);
      if (!moved.ok() || stats.mirrored == told) continue;
      told = stats.mirrored;
      Send({.kind = MirrorMessage::kMirrored,
            .sequence = told.value(),
            .copied = stats.copied,
            .ambiguous = stats.ambiguous});
    }
  });
  const uint64_t ahead = kMaxAhead[seed % 2];
  while (true) {
    const uint64_t head = (*ledger)->Head().sequence.value();
    const Sequence enough(head - std::min(head, ahead));
    if ((*mirror)->WaitFor(enough, absl::Milliseconds(20)).ok()) committer.CommitOne();
  }
}

}  // namespace
}  // namespace northwind::testing

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  northwind::testing::Run(argv[1], argv[2], std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10));
}
