// SPDX-License-Identifier: Apache-2.0
//
// Bytes changed behind the ledger's back. Three attackers: one who rewrites values through the database, so that the
// database's own checksums are right; one who flips bits in its files; one who cuts, removes and swaps them. What they
// did must be found by opening or by Verify; until then nothing that is answered may be wrong.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/ledger.h"
#include "src/store/engine.h"
#include "tests/support/compare.h"
#include "tests/support/describe.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_fs.h"
#include "tests/support/model.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_on.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace northwind::testing {
namespace {

using internal::Space;

constexpr size_t kHeaderBytes = 92;  // of a journal block

// A ledger with some of everything, written through `store`. The model after each block is kept by its head.
class Writing {
 public:
  explicit Writing(uint64_t seed)
      : random_(seed), workload_({.name = "damage", .accounts = 8, .max_batch = 30}, model_, random_) {
    options_.clock = &clock_;
    options_.checkpoint_interval = 1 << 20;
  }

  void Write(Ledger& ledger, int batches) {
    if (model_.account_count() == 0) {
      std::vector<AccountSpec> specs;
      for (int i = 0; i < 8; ++i) {
        specs.push_back({.name = "first:" + std::to_string(i), .asset = "USD/2", .external = i < 2});
      }
      ASSERT_THAT(model_.OpenAccounts(specs, clock_.Now()), IsOk());
      ASSERT_THAT(ledger.OpenAccounts(specs), IsOk());
      ASSERT_THAT(model_.Freeze(AccountId(8), clock_.Now()), IsOk());
      ASSERT_THAT(ledger.Freeze(AccountId(8)), IsOk());
      heads_.push_back(model_.head());
    }
    for (int i = 0; i < batches; ++i) {
      clock_.Advance(absl::Milliseconds(random_.Between(0, 3000)));
      const std::vector<Transaction> batch = workload_.NextBatch(clock_.Now());
      model_.Commit(batch, {}, clock_.Now());
      ASSERT_THAT(ledger.Commit(batch), IsOk());
      ASSERT_EQ(ledger.Head().sequence, model_.head());
      heads_.push_back(model_.head());
    }
  }

  const Model& model() const { return model_; }
  const LedgerOptions& options() const { return options_; }
  Random& random() { return random_; }
  bool IsAHead(Sequence sequence) const {
    return sequence == Sequence() || std::find(heads_.begin(), heads_.end(), sequence) != heads_.end();
  }

 private:
  FakeClock clock_;
  LedgerOptions options_;
  Random random_;
  Model model_;
  Workload workload_;
  std::vector<Sequence> heads_;
};

struct Change {
  std::string what;
  std::string bytes;
};

// Each way to spoil a value at a place, if it changes anything.
std::vector<Change> SpoiledAt(const std::string& value, size_t place, Random& random) {
  std::vector<Change> changes;
  const auto add = [&](const char* what, std::string bytes) {
    if (bytes != value) changes.push_back({what, std::move(bytes)});
  };
  std::string flipped = value;
  flipped[place] = static_cast<char>(flipped[place] ^ (1 << random.Below(8)));
  add("a bit flipped", flipped);
  std::string zeroed = value;
  for (size_t i = place; i < std::min(place + 4, value.size()); ++i) zeroed[i] = '\0';
  add("four bytes zeroed", zeroed);
  std::string swapped = value;
  std::swap(swapped[place], swapped[random.Below(value.size())]);
  add("two bytes swapped", swapped);
  return changes;
}

// ---- Through the database -----------------------------------------------------------------------------------------------

class LedgerRewritten : public ::testing::Test {
 protected:
  void SetUp() override {
    seed_ = TestSeed();
    writing_ = std::make_unique<Writing>(seed_);
    Open();
    NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store_, writing_->options()));
    ASSERT_NO_FATAL_FAILURE(writing_->Write(*ledger, 25));
    ASSERT_THAT(ledger->WriteIndexes(), IsOk());
    ASSERT_NO_FATAL_FAILURE(writing_->Write(*ledger, 5));
    ASSERT_THAT(ledger->Close(), IsOk());
  }
  void TearDown() override { store_.reset(); }

  void Open() {
    NW_ASSERT_OK_AND_ASSIGN(auto engine,
                            internal::Engine::Open({.path = "/store", .free_space_floor_bytes = 0}, disk_.env()));
    engine_ = engine.get();
    store_ = internal::StoreOnEngine::Make(std::move(engine));
  }
  void Put(Space space, const std::string& key, const std::string& value) {
    internal::WriteSet writes;
    writes.Put(space, key, value);
    ASSERT_THAT(engine_->Write(writes), IsOk());
  }
  void Delete(Space space, const std::string& key) {
    internal::WriteSet writes;
    writes.Delete(space, key);
    ASSERT_THAT(engine_->Write(writes), IsOk());
  }
  std::vector<std::pair<std::string, std::string>> Contents(Space space) {
    std::vector<std::pair<std::string, std::string>> contents;
    internal::Cursor cursor = engine_->NewCursor(space);
    for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) contents.emplace_back(cursor.key(), cursor.value());
    EXPECT_THAT(cursor.status(), IsOk());
    return contents;
  }

  // Opens the damaged ledger: that or verifying it finds something, and says so. Until then, unless it is the header of
  // a block that was changed, the journal is read rightly or not at all.
  void ExpectFound(const std::string& what, bool reads_are_safe = true) {
    ++attacks_;
    const auto ledger = Ledger::Open(*store_, writing_->options());
    if (!ledger.ok()) {
      ++found_at_open_;
      ASSERT_THAT(ledger.status(), StatusIs(absl::StatusCode::kDataLoss)) << what;
      ASSERT_FALSE(ledger.status().message().empty());
      return;
    }
    JournalReader reader = (*ledger)->ReadJournal(Sequence());
    while (reads_are_safe) {
      const auto records = reader.Next(kMaxJournalPage);
      if (!records.ok()) {
        ASSERT_THAT(records, StatusIs(absl::StatusCode::kDataLoss)) << what;
        break;
      }
      if (records->empty()) break;
      // What a record says is under its block's own hash. When it was recorded is in the header, which only the next block pins:
      // that is for Verify.
      for (const JournalRecord& record : *records) {
        ASSERT_LE(record.sequence, writing_->model().head()) << what;
        JournalRecord expected = writing_->model().journal()[record.sequence.value() - 1];
        expected.recorded_at = record.recorded_at;
        ASSERT_TRUE(Same(record, expected)) << what << ": read wrongly: " << Describe(record);
      }
    }
    ASSERT_THAT((*ledger)->Verify(), StatusIs(absl::StatusCode::kDataLoss)) << what << ": not found";
  }

  // What is changed for `body` is put back afterwards.
  void Attack(Space space, const std::string& key, const std::string& value, const std::string& what,
              const std::function<void()>& change, bool reads_are_safe = true) {
    ASSERT_NO_FATAL_FAILURE(change());
    ASSERT_NO_FATAL_FAILURE(ExpectFound(what + " of key " + absl::BytesToHexString(key), reads_are_safe));
    ASSERT_NO_FATAL_FAILURE(Put(space, key, value));
  }

  // Every value of a space spoiled in all ways at `places` places of each, and each key removed.
  void SpoilEach(Space space, const char* name, size_t places, size_t at_most) {
    auto contents = Contents(space);
    ASSERT_FALSE(contents.empty()) << name;
    Random& random = writing_->random();
    while (contents.size() > at_most)
      contents.erase(contents.begin() + static_cast<long>(random.Below(contents.size())));
    for (const auto& each : contents) {
      const std::string& key = each.first;  // names that a lambda may capture
      const std::string& value = each.second;
      for (size_t i = 0; i < places && !value.empty(); ++i) {
        const size_t place = random.Below(value.size());
        for (const Change& change : SpoiledAt(value, place, random)) {
          const bool header =
              space == Space::kJournal && value.compare(0, kHeaderBytes, change.bytes, 0, kHeaderBytes) != 0;
          ASSERT_NO_FATAL_FAILURE(Attack(
              space, key, value, std::string(name) + ": " + change.what + " at byte " + std::to_string(place),
              [&] { Put(space, key, change.bytes); }, !header));
        }
      }
      ASSERT_NO_FATAL_FAILURE(Attack(space, key, value, std::string(name) + ": removal", [&] { Delete(space, key); }));
      ASSERT_NO_FATAL_FAILURE(
          Attack(space, key, value, std::string(name) + ": a byte added", [&] { Put(space, key, value + '\0'); }));
      if (!value.empty()) {
        ASSERT_NO_FATAL_FAILURE(Attack(space, key, value, std::string(name) + ": a byte cut off",
                                       [&] { Put(space, key, value.substr(0, value.size() - 1)); }));
      }
    }
    ExpectSoundAgain();
  }

  void ExpectSoundAgain() {
    std::printf("%d attacks, %d found at opening, the others by Verify\n", attacks_, found_at_open_);
    NW_ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Open(*store_, writing_->options()));
    ExpectSameEverything(*ledger, writing_->model());
  }

  uint64_t seed_ = 0;
  FaultFs disk_;
  internal::Engine* engine_ = nullptr;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Writing> writing_;
  int attacks_ = 0;
  int found_at_open_ = 0;
};

TEST_F(LedgerRewritten, JournalBlocksAreFound) { SpoilEach(Space::kJournal, "journal", 12, 40); }
TEST_F(LedgerRewritten, KeysAreFound) { SpoilEach(Space::kIds, "ids", 2, 40); }
TEST_F(LedgerRewritten, HistoryIsFound) { SpoilEach(Space::kEntries, "entries", 12, 16); }
TEST_F(LedgerRewritten, ReferencesAreFound) { SpoilEach(Space::kReferences, "references", 1, 40); }
TEST_F(LedgerRewritten, LinksAreFound) { SpoilEach(Space::kLinks, "links", 2, 40); }
TEST_F(LedgerRewritten, AccountsAreFound) { SpoilEach(Space::kAccounts, "accounts", 4, 40); }
TEST_F(LedgerRewritten, HoldsAreFound) { SpoilEach(Space::kHolds, "holds", 3, 30); }
TEST_F(LedgerRewritten, TimesAreFound) { SpoilEach(Space::kTimes, "times", 3, 30); }

// The note of how far the indexes go. Without it they are made again, and all is well.
TEST_F(LedgerRewritten, TheCheckpointItselfIsFound) {
  const auto contents = Contents(Space::kState);
  ASSERT_EQ(contents.size(), 1U);
  const std::string& key = contents[0].first;
  const std::string& value = contents[0].second;
  for (size_t place = 0; place < value.size(); ++place) {
    for (const Change& change : SpoiledAt(value, place, writing_->random())) {
      ASSERT_NO_FATAL_FAILURE(Attack(Space::kState, key, value, change.what + " at byte " + std::to_string(place),
                                     [&] { Put(Space::kState, key, change.bytes); }));
    }
  }
  ExpectSoundAgain();
}

TEST_F(LedgerRewritten, EntriesThatWereNeverThereAreFound) {
  const auto add = [this](Space space, std::string key, std::string value) {
    Put(space, key, value);
    ExpectFound("an entry added under " + absl::BytesToHexString(key));
    Delete(space, key);
  };
  add(Space::kIds, std::string(16, 'k'), Contents(Space::kIds)[0].second);
  add(Space::kReferences, std::string("\0\7\3abc", 6), Contents(Space::kReferences)[0].second);
  add(Space::kLinks, std::string("\0\0\0\0\0\0\0\7", 8), Contents(Space::kLinks)[0].second);
  const auto entries = Contents(Space::kEntries);
  add(Space::kEntries, entries.back().first.substr(0, 4) + std::string("\x7f\xff\xff\xff\xff\xff\xff\xff", 8),
      entries.back().second);
  add(Space::kHolds, std::string("\0\0\0\0\0\0\0\1", 8), Contents(Space::kHolds)[0].second);
  add(Space::kTimes, std::string(8, '\x11'), Contents(Space::kTimes)[0].second);
  add(Space::kJournal, std::string("\0\0\0\0\xff\0\0\0", 8), Contents(Space::kJournal)[0].second);
  ExpectSoundAgain();
}

TEST_F(LedgerRewritten, BlocksThatChangedPlacesAreFound) {
  const auto blocks = Contents(Space::kJournal);
  for (size_t i = 0; i + 1 < blocks.size(); i += 3) {
    Put(Space::kJournal, blocks[i].first, blocks[i + 1].second);
    Put(Space::kJournal, blocks[i + 1].first, blocks[i].second);
    ASSERT_NO_FATAL_FAILURE(ExpectFound("two blocks swapped"));
    Put(Space::kJournal, blocks[i].first, blocks[i].second);
    ASSERT_NO_FATAL_FAILURE(ExpectFound("a block twice"));
    Put(Space::kJournal, blocks[i + 1].first, blocks[i + 1].second);
  }
  ExpectSoundAgain();
}

// The indexes know how far the journal went.
TEST_F(LedgerRewritten, AJournalCutShortBelowItsIndexesIsFound) {
  const auto blocks = Contents(Space::kJournal);
  for (size_t cut = 1; cut <= 3; ++cut) {
    Delete(Space::kJournal, blocks[blocks.size() - cut].first);
    ASSERT_NO_FATAL_FAILURE(ExpectFound("the last " + std::to_string(cut) + " blocks removed"));
  }
}

TEST_F(LedgerRewritten, AnotherIdentityIsFound) {
  for (const auto& [key, value] : Contents(Space::kMeta)) {
    for (size_t place = 0; place < value.size(); place += 3) {
      std::string spoiled = value;
      spoiled[place] = static_cast<char>(spoiled[place] ^ 1);
      Put(Space::kMeta, key, spoiled);
      store_.reset();
      auto engine = internal::Engine::Open({.path = "/store", .free_space_floor_bytes = 0}, disk_.env());
      bool found = !engine.ok();
      if (engine.ok()) {
        engine_ = engine->get();
        store_ = internal::StoreOnEngine::Make(*std::move(engine));
        const auto ledger = Ledger::Open(*store_, writing_->options());
        found = !ledger.ok() || !(*ledger)->Verify().ok();
        Put(Space::kMeta, key, value);
      }
      ASSERT_TRUE(found) << "byte " << place << " of " << key;
      if (store_ == nullptr) return;  // refused: cannot be put back this way
    }
  }
}

// ---- In the files -------------------------------------------------------------------------------------------------------

class LedgerFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    writing_ = std::make_unique<Writing>(TestSeed());
    const std::string built = directory_ / "built";
    NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = built, .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store, writing_->options()));
    ASSERT_NO_FATAL_FAILURE(writing_->Write(*ledger, 25));
    ASSERT_THAT(ledger->WriteIndexes(), IsOk());
    ASSERT_NO_FATAL_FAILURE(writing_->Write(*ledger, 5));
    // What a kill leaves: indexes for the first part, and a log.
    std::filesystem::copy(built, directory_ / "good", std::filesystem::copy_options::recursive);
  }
  StoreOptions Options(const std::string& path) {
    return {.path = path, .create_if_missing = false, .free_space_floor_bytes = 0};
  }
  std::vector<std::string> Files() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ / "good")) {
      const std::string name = entry.path().filename();
      if (entry.is_regular_file() && name != "LOCK" && !name.starts_with("LOG")) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  static std::string ReadFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }

  // A copy, damaged by `damage`. Found, or without effect; of a damaged log, whole blocks at its end may be gone, as
  // nobody can tell that from a write that never was.
  void Try(const std::string& what, bool log, const std::function<void(const std::string&)>& damage) {
    const std::string path = directory_ / "trial";
    std::filesystem::remove_all(path);
    std::filesystem::copy(directory_ / "good", path, std::filesystem::copy_options::recursive);
    damage(path);
    ++trials_;
    const auto store = Store::Open(Options(path));
    if (!store.ok()) return Refused(what, store.status());
    const auto ledger = Ledger::Open(**store, writing_->options());
    if (!ledger.ok()) return Refused(what, ledger.status());
    const absl::Status verified = (*ledger)->Verify().status();
    if (!verified.ok()) {
      ASSERT_THAT(verified, StatusIs(absl::StatusCode::kDataLoss)) << what;
      ++found_by_verify_;
      return;
    }
    const Sequence head = (*ledger)->Head().sequence;
    if (log && head < writing_->model().head()) {
      ++shortened_;
      ASSERT_TRUE(writing_->IsAHead(head)) << what << ": half a block is left";
      for (JournalReader reader = (*ledger)->ReadJournal(Sequence()); reader.position() < head;) {
        NW_ASSERT_OK_AND_ASSIGN(const auto records, reader.Next(1000));
        for (const JournalRecord& record : records) {
          ASSERT_TRUE(Same(record, writing_->model().journal()[record.sequence.value() - 1])) << what;
        }
      }
      return;
    }
    ++without_effect_;
    ASSERT_NO_FATAL_FAILURE(ExpectSameEverything(**ledger, writing_->model())) << what;
  }
  void Refused(const std::string& what, const absl::Status& status) {
    ASSERT_TRUE(absl::IsDataLoss(status) || absl::IsFailedPrecondition(status) || absl::IsUnavailable(status) ||
                absl::IsNotFound(status))
        << what << ": " << status;
    ++refused_;
  }
  void Report() {
    std::printf("%d trials: %d refused, %d found by Verify, %d shortened, %d without effect\n", trials_, refused_,
                found_by_verify_, shortened_, without_effect_);
  }

  TempDir directory_;
  std::unique_ptr<Writing> writing_;
  int trials_ = 0;
  int refused_ = 0;
  int found_by_verify_ = 0;
  int shortened_ = 0;
  int without_effect_ = 0;
};

TEST_F(LedgerFiles, BytesChangedAnywhereAreFoundOrWithoutEffect) {
  Random& random = writing_->random();
  for (const std::string& name : Files()) {
    const bool log = name.ends_with(".log");
    const std::string good = ReadFile(directory_ / ("good/" + name));
    if (good.empty()) continue;
    const int trials = log ? 24 : name.ends_with(".sst") ? 6 : 8;
    for (int i = 0; i < trials; ++i) {
      const size_t place = random.Below(good.size());
      const std::vector<Change> changes = SpoiledAt(good, place, random);
      if (changes.empty()) continue;
      const Change& change = random.Pick(changes);
      ASSERT_NO_FATAL_FAILURE(
          Try(name + ": " + change.what + " at " + std::to_string(place), log,
              [&](const std::string& path) { std::ofstream(path + "/" + name, std::ios::binary) << change.bytes; }));
    }
  }
  Report();
}

TEST_F(LedgerFiles, FilesCutShortOrMissingAreFoundOrWithoutEffect) {
  Random& random = writing_->random();
  for (const std::string& name : Files()) {
    const bool log = name.ends_with(".log");
    const auto size = std::filesystem::file_size(directory_ / ("good/" + name));
    ASSERT_NO_FATAL_FAILURE(
        Try(name + " missing", log, [&](const std::string& path) { std::filesystem::remove(path + "/" + name); }));
    for (int i = 0; i < (log ? 10 : 2) && size > 0; ++i) {
      const auto left = random.Below(size);
      ASSERT_NO_FATAL_FAILURE(Try(name + " cut to " + std::to_string(left), log, [&](const std::string& path) {
        std::filesystem::resize_file(path + "/" + name, left);
      }));
    }
  }
  Report();
}

// Where a whole record ends, RocksDB takes what is left for all there ever was: an empty store, or one of long ago. A copy, which has
// next to nothing in its log, is what somebody may have copied on, and not to the end.
TEST_F(LedgerFiles, AManifestCutShortAnywhereIsFoundOrWithoutEffect) {
  Random& random = writing_->random();
  {
    NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(Options(directory_ / "built")));
    NW_ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Open(*store, writing_->options()));
    ASSERT_THAT(ledger->Checkpoint(directory_ / "copy"), IsOk());
  }
  for (const bool copy : {false, true}) {
    if (copy) {
      std::filesystem::remove_all(directory_ / "good");
      std::filesystem::rename(directory_ / "copy", directory_ / "good");
    }
    for (const std::string& name : Files()) {
      if (!name.starts_with("MANIFEST")) continue;
      const auto size = std::filesystem::file_size(directory_ / ("good/" + name));
      const uint64_t step = 7 * TestStride();
      for (uint64_t left = random.Below(step); left < size; left += step) {
        ASSERT_NO_FATAL_FAILURE(
            Try((copy ? "a copy's " : "") + name + " cut to " + std::to_string(left), false,
                [&](const std::string& path) { std::filesystem::resize_file(path + "/" + name, left); }));
      }
    }
  }
  Report();
}

TEST_F(LedgerFiles, TablesThatChangedPlacesAreFoundOrWithoutEffect) {
  std::vector<std::string> tables;
  for (const std::string& name : Files()) {
    if (name.ends_with(".sst")) tables.push_back(name);
  }
  for (size_t i = 0; i + 1 < tables.size(); ++i) {
    ASSERT_NO_FATAL_FAILURE(Try(tables[i] + " and " + tables[i + 1] + " swapped", false, [&](const std::string& path) {
      std::filesystem::rename(path + "/" + tables[i], path + "/x");
      std::filesystem::rename(path + "/" + tables[i + 1], path + "/" + tables[i]);
      std::filesystem::rename(path + "/x", path + "/" + tables[i + 1]);
    }));
  }
  Report();
}

}  // namespace
}  // namespace northwind::testing
