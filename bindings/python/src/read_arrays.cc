// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "bindings/python/src/arrays.h"
#include "bindings/python/src/casters.h"
#include "bindings/python/src/journal.h"
#include "bindings/python/src/ledger.h"

namespace northwind::python {
namespace {

// Records that one thread reads at a time, and threads. Beyond that, the disk and the memory decide.
constexpr uint64_t kStretch = 1 << 17;
constexpr unsigned kMaxReaders = 4;
// Of the journal: records that are still in the processor's cache when they are made rows of.
constexpr uint64_t kPage = 256;

struct RecordRow {
  uint64_t sequence = 0;
  int64_t recorded_at = kNotATime;
  int64_t effective_at = kNotATime;
  uint64_t target = 0;
  uint64_t released = 0;
  uint64_t released_high = 0;
  uint64_t first_posting = 0;
  uint8_t key[IdempotencyKey::kSize] = {};
  uint32_t account = 0;
  uint16_t postings = 0;
  uint16_t code = 0;
  RecordType type = RecordType::kTransaction;
  uint8_t kind = 0;
  uint8_t outcome = 0;
  uint8_t reason = 0;
};
const std::vector<FieldOfRow> kRecordFields = {{"sequence", "u8", offsetof(RecordRow, sequence)},
                                               {"recorded_at", "M8[ns]", offsetof(RecordRow, recorded_at)},
                                               {"type", "u1", offsetof(RecordRow, type)},
                                               {"kind", "u1", offsetof(RecordRow, kind)},
                                               {"outcome", "u1", offsetof(RecordRow, outcome)},
                                               {"reason", "u1", offsetof(RecordRow, reason)},
                                               {"key", "V16", offsetof(RecordRow, key)},
                                               {"code", "u2", offsetof(RecordRow, code)},
                                               {"account", "u4", offsetof(RecordRow, account)},
                                               {"target", "u8", offsetof(RecordRow, target)},
                                               {"released", "u8", offsetof(RecordRow, released)},
                                               {"released_high", "u8", offsetof(RecordRow, released_high)},
                                               {"effective_at", "M8[ns]", offsetof(RecordRow, effective_at)},
                                               {"first_posting", "u8", offsetof(RecordRow, first_posting)},
                                               {"postings", "u2", offsetof(RecordRow, postings)}};

struct PostingRow {
  uint64_t sequence = 0;
  uint64_t amount = 0;
  uint64_t amount_high = 0;
  uint32_t debit = 0;
  uint32_t credit = 0;
};
const std::vector<FieldOfRow> kPostingFields = {{"sequence", "u8", offsetof(PostingRow, sequence)},
                                                {"debit", "u4", offsetof(PostingRow, debit)},
                                                {"credit", "u4", offsetof(PostingRow, credit)},
                                                {"amount", "u8", offsetof(PostingRow, amount)},
                                                {"amount_high", "u8", offsetof(PostingRow, amount_high)}};

struct Rows {
  std::vector<RecordRow> records;
  std::vector<PostingRow> postings;
};

void AppendBody(const AccountOpened& opened, RecordRow& row, std::vector<PostingRow>&) {
  row.type = RecordType::kAccountOpened;
  row.account = opened.id.value();
}
void AppendBody(const AccountChanged& changed, RecordRow& row, std::vector<PostingRow>&) {
  row.type = RecordType::kAccountChanged;
  row.account = changed.id.value();
}
void AppendBody(const HoldExpired& expired, RecordRow& row, std::vector<PostingRow>&) {
  row.type = RecordType::kHoldExpired;
  row.target = expired.hold.value();
  row.released = Low(expired.released.units());
  row.released_high = High(expired.released.units());
}
void AppendBody(const TransactionRecorded& recorded, RecordRow& row, std::vector<PostingRow>& postings) {
  row.type = RecordType::kTransaction;
  row.kind = static_cast<uint8_t>(recorded.transaction.kind);
  row.outcome = static_cast<uint8_t>(recorded.outcome);
  row.reason = static_cast<uint8_t>(recorded.reason);
  std::memcpy(row.key, recorded.transaction.key.bytes().data(), sizeof row.key);
  row.code = recorded.transaction.code;
  row.target = recorded.target.value();
  row.released = Low(recorded.released.units());
  row.released_high = High(recorded.released.units());
  if (recorded.transaction.effective_at) row.effective_at = NanosOrNone(*recorded.transaction.effective_at);
  row.postings = static_cast<uint16_t>(recorded.moved.size());
  for (const Posting& posting : recorded.moved) {
    postings.push_back({row.sequence, Low(posting.amount.units()), High(posting.amount.units()), posting.debit.value(),
                        posting.credit.value()});
  }
}

// What one thread reads at a time: records after `after`, up to `last`, each to its own row, and what they moved.
struct Stretch {
  uint64_t after = 0;
  uint64_t last = 0;
  std::vector<PostingRow> postings;
  absl::Status status;
  bool out_of_memory = false;
};

// `records` is the row of the first of them. `first_posting` is counted from the stretch's own first.
absl::Status Read(const Ledger& ledger, Stretch& stretch, RecordRow* records) {
  JournalReader reader = ledger.ReadJournal(Sequence(stretch.after));
  while (reader.position().value() < stretch.last) {
    const uint64_t left = stretch.last - reader.position().value();
    NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> page, reader.Next(std::min(left, kPage)));
    for (const JournalRecord& record : page) {
      RecordRow& row = records[record.sequence.value() - stretch.after - 1];
      row.sequence = record.sequence.value();
      row.recorded_at = absl::ToUnixNanos(record.recorded_at);
      row.first_posting = stretch.postings.size();
      std::visit([&](const auto& body) { AppendBody(body, row, stretch.postings); }, record.body);
    }
  }
  return absl::OkStatus();
}

// All of a round at the same time, the first by this thread.
void ReadRound(const Ledger& ledger, std::vector<Stretch>& round, RecordRow* records) {
  const auto read = [&ledger, records, first = round.front().after](Stretch& stretch) {
    try {
      stretch.status = Read(ledger, stretch, records + (stretch.after - first));
    } catch (const std::bad_alloc&) {
      stretch.out_of_memory = true;
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(round.size());
  size_t begun = 1;
  try {
    for (; begun < round.size() && round[begun].after < round[begun].last; ++begun) {
      threads.emplace_back(read, std::ref(round[begun]));
    }
  } catch (const std::system_error&) {  // no thread left: this one does it all
  }
  read(round.front());
  for (; begun < round.size(); ++begun) read(round[begun]);
  for (std::thread& thread : threads) thread.join();
}

// By several threads, in rounds of stretches that are put together in order.
absl::Status ReadAll(const Ledger& ledger, uint64_t after, uint64_t last, Rows& rows, std::exception_ptr& raised) {
  const unsigned readers = std::clamp(std::thread::hardware_concurrency(), 1U, kMaxReaders);
  rows.records.resize(last - after);
  rows.postings.reserve(last - after);
  std::vector<Stretch> round(readers);
  for (uint64_t at = after; at < last;) {
    const uint64_t begin = at;
    for (Stretch& stretch : round) {
      stretch.postings.clear();  // with their memory
      stretch.after = at;
      at = stretch.last = std::min(last, at + kStretch);
    }
    ReadRound(ledger, round, rows.records.data() + (begin - after));
    for (const Stretch& stretch : round) {
      if (stretch.out_of_memory) throw std::bad_alloc();
      NW_RETURN_IF_ERROR(stretch.status);
      for (uint64_t i = stretch.after; i < stretch.last; ++i) {
        rows.records[i - after].first_posting += rows.postings.size();
      }
      rows.postings.insert(rows.postings.end(), stretch.postings.begin(), stretch.postings.end());
    }
    if (Ending()) return absl::CancelledError("Python is ending");
    try {
      py::gil_scoped_acquire acquire;
      CheckSignals();
    } catch (...) {
      raised = std::current_exception();
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

py::object JournalArrays(const PyLedger& self, Sequence after, std::optional<uint64_t> limit) {
  const py::object make = py::module_::import("northwind._arrays").attr("JournalArrays");
  const std::shared_ptr<Ledger> ledger = self.Get();
  Rows rows;
  std::exception_ptr raised;
  Must(Unlocked([&] {
    uint64_t last = std::max(ledger->Head().sequence.value(), after.value());
    if (limit) last = after.value() + std::min(*limit, last - after.value());
    return ReadAll(*ledger, after.value(), last, rows, raised);
  }));
  if (raised) std::rethrow_exception(raised);
  return make(ArrayOf(std::move(rows.records), kRecordFields), ArrayOf(std::move(rows.postings), kPostingFields));
}

struct EntryRow {
  uint64_t sequence = 0;
  int64_t recorded_at = 0;
  uint64_t amount = 0;
  uint64_t amount_high = 0;
  uint64_t available = 0;
  uint64_t available_high = 0;
  uint64_t posted = 0;
  uint64_t posted_high = 0;
  uint32_t index = 0;
  uint16_t code = 0;
  EntryKind kind{};
};
const std::vector<FieldOfRow> kEntryFields = {{"sequence", "u8", offsetof(EntryRow, sequence)},
                                              {"index", "u4", offsetof(EntryRow, index)},
                                              {"recorded_at", "M8[ns]", offsetof(EntryRow, recorded_at)},
                                              {"kind", "u1", offsetof(EntryRow, kind)},
                                              {"code", "u2", offsetof(EntryRow, code)},
                                              {"amount", "u8", offsetof(EntryRow, amount)},
                                              {"amount_high", "u8", offsetof(EntryRow, amount_high)},
                                              {"available", "i8", offsetof(EntryRow, available)},
                                              {"available_high", "i8", offsetof(EntryRow, available_high)},
                                              {"posted", "i8", offsetof(EntryRow, posted)},
                                              {"posted_high", "i8", offsetof(EntryRow, posted_high)}};

EntryRow RowOf(const Entry& entry) {
  const auto available = static_cast<absl::uint128>(entry.after.available());
  const auto posted = static_cast<absl::uint128>(entry.after.posted());
  return {entry.sequence.value(),
          absl::ToUnixNanos(entry.recorded_at),
          Low(entry.amount.units()),
          High(entry.amount.units()),
          Low(available),
          High(available),
          Low(posted),
          High(posted),
          entry.index,
          entry.code,
          entry.kind};
}

py::object HistoryArray(const PyLedger& self, const py::object& account, std::optional<uint16_t> code,
                        const py::object& start, const py::object& end) {
  py::module_::import("numpy");
  const std::shared_ptr<Ledger> ledger = self.Get();
  const AccountId id = ResolveAccount(*ledger, account);
  HistoryQuery query{.limit = kMaxHistoryPage, .code = code};
  if (!start.is_none()) query.from = As<absl::Time>(start, "start");
  if (!end.is_none()) query.to = As<absl::Time>(end, "end");
  std::vector<EntryRow> rows;
  do {
    const HistoryPage page = Must(Unlocked([&] { return ledger->History(id, query); }));
    std::transform(page.entries.begin(), page.entries.end(), std::back_inserter(rows), RowOf);
    query.cursor = page.next;
    CheckSignals();
    if (Ending()) break;
  } while (query.cursor);
  return ArrayOf(std::move(rows), kEntryFields);
}

}  // namespace

void DefineReadArrays(LedgerClass& type) {
  type.def("journal_arrays", &JournalArrays, py::arg("after") = Sequence(), py::kw_only(),
           py::arg("limit") = py::none(),
           "Records of the journal after a sequence, up to the head, as two structured arrays: `records`, and "
           "`postings` with what they "
           "moved.")
      .def("history_array", &HistoryArray, py::arg("account"), py::kw_only(), py::arg("code") = py::none(),
           py::arg("start") = py::none(), py::arg("end") = py::none(),
           "The account's entries as a structured array; `start` and `end` as those of history.");
}

}  // namespace northwind::python
