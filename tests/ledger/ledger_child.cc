// SPDX-License-Identifier: Apache-2.0
//
// The other process of tests that need one.
//
//   ledger_child open DIRECTORY            exit status = the code of Store::Open
//   ledger_child commit DIRECTORY RUN SEED CHECKPOINT_INTERVAL
//                                          commits without end and writes kill_protocol.h messages; made to be killed
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "northwind/ledger.h"
#include "northwind/store.h"
#include "tests/ledger/kill_protocol.h"

namespace northwind::testing {
namespace {

// Not tests/support/seed.h: this program does not know GoogleTest.
uint64_t NextRandom(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

void Send(const Message& message) {
  if (write(kMessageDescriptor, &message, sizeof(message)) != sizeof(message)) _exit(3);
}

[[noreturn]] void Fail(const char* what, const absl::Status& status) {
  std::fprintf(stderr, "ledger_child: %s: %s\n", what, status.ToString().c_str());
  _exit(2);
}

class Committer {
 public:
  Committer(Ledger& ledger, std::vector<AccountId> accounts, uint32_t run, uint32_t number, uint64_t seed)
      : ledger_(ledger), accounts_(std::move(accounts)), name_{.run = run, .committer = number}, state_(seed) {}

  void RunBlocking() {
    while (true) {
      const auto results = ledger_.Commit(NextBatch());
      if (!results.ok()) Fail("Commit", results.status());
      Send({.kind = Message::kDurable, .batch = name_});
      ++name_.batch;
    }
  }

  void RunAsync() {
    while (true) {
      if (in_flight_ >= 16) {
        std::this_thread::yield();
        continue;
      }
      ++in_flight_;
      const absl::Status status = ledger_.CommitAsync(NextBatch(), [this, name = name_](auto results) {
        if (!results.ok()) Fail("CommitAsync", results.status());
        Send({.kind = Message::kDurable, .batch = name});
        --in_flight_;
      });
      if (!status.ok()) Fail("CommitAsync", status);
      ++name_.batch;
    }
  }

 private:
  uint64_t Below(uint64_t n) { return NextRandom(state_) % n; }
  AccountId Any() { return accounts_[1 + Below(accounts_.size() - 1)]; }
  AccountId AnyBut(AccountId other) {
    AccountId id = Any();
    while (id == other) id = Any();
    return id;
  }

  std::vector<Transaction> NextBatch() {
    const auto size = static_cast<uint16_t>(1 + Below(Below(8) == 0 ? 300 : 12));
    std::vector<Transaction> batch;
    for (uint16_t i = 0; i < size; ++i) batch.push_back(NextMember(i, size));
    return batch;
  }

  // Of every kind; all end applied or rejected, so that every member is journaled.
  Transaction NextMember(uint16_t index, uint16_t size) {
    Transaction t{.key = KeyOf({.batch = name_, .index = index, .size = size})};
    const AccountId world = accounts_[0];
    const AccountId from = Any();
    if (index == 0) {
      t.postings = {{world, from, 1 + Below(100)}};
      t.host_records = {{HostKey(name_.committer), HostValue(name_)}};
      return t;
    }
    const Target before = Target::Key(KeyOf({.batch = name_, .index = static_cast<uint16_t>(index - 1), .size = size}));
    switch (Below(7)) {
      case 0:
        t.kind = TransactionKind::kHold;
        t.postings = {{from, AnyBut(from), 1 + Below(50)}};
        if (Below(2) == 0) t.expires_at = absl::Now() + absl::Milliseconds(Below(40));
        break;
      case 1:
        t.kind = TransactionKind::kCapture;
        t.target = before;
        t.final_capture = Below(2) == 0;
        break;
      case 2:
        t.kind = TransactionKind::kRelease;
        t.target = before;
        break;
      case 3:
        t.kind = TransactionKind::kReverse;
        t.target = before;
        break;
      default:
        t.postings = {{from, AnyBut(from), 1 + Below(50)}};
        if (Below(4) == 0) t.postings.push_back({world, from, 1 + Below(50)});
        if (Below(4) == 0) {
          t.code = static_cast<uint16_t>(Below(4));
          t.reference = "reference" + std::to_string(Below(1000));
          t.unique_reference = Below(2) == 0;
        }
        break;
    }
    return t;
  }

  Ledger& ledger_;
  const std::vector<AccountId> accounts_;
  BatchName name_;
  uint64_t state_;
  std::atomic<int> in_flight_ = 0;
};

int CommitUntilKilled(const std::string& directory, uint32_t run, uint64_t seed, uint64_t checkpoint_interval) {
  auto store = Store::Open({.path = directory, .free_space_floor_bytes = 0, .write_buffer_bytes = 1 << 20});
  if (!store.ok()) Fail("Store::Open", store.status());
  LedgerOptions options;
  options.checkpoint_interval = checkpoint_interval;
  auto ledger = Ledger::Open(**store, options);
  if (!ledger.ok()) Fail("Ledger::Open", ledger.status());
  Send({.kind = Message::kOpened});

  std::vector<AccountSpec> specs = {{.name = "world", .asset = "USD/2", .external = true}};
  for (int i = 0; i < 20; ++i) specs.push_back({.name = "account:" + std::to_string(i), .asset = "USD/2"});
  const auto accounts = (*ledger)->OpenAccounts(specs);
  if (!accounts.ok()) Fail("OpenAccounts", accounts.status());

  std::vector<std::thread> threads;
  for (uint32_t number = 0; number < kCommitters; ++number) {
    threads.emplace_back([&, number] {
      Committer committer(**ledger, *accounts, run, number, seed + number);
      number == 0 ? committer.RunAsync() : committer.RunBlocking();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace northwind::testing

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "open" && argc == 3) {
    return static_cast<int>(northwind::Store::Open({.path = argv[2]}).status().code());
  }
  if (command == "commit" && argc == 6) {
    return northwind::testing::CommitUntilKilled(argv[2], static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10)),
                                                 std::strtoull(argv[4], nullptr, 10),
                                                 std::strtoull(argv[5], nullptr, 10));
  }
  std::fprintf(stderr, "usage: ledger_child open DIRECTORY | commit DIRECTORY RUN SEED CHECKPOINT_INTERVAL\n");
  return 64;
}
