// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bindings/python/src/arrays.h"
#include "bindings/python/src/casters.h"
#include "bindings/python/src/ledger.h"

namespace northwind::python {
namespace {

// Batches on their way at a time: one is made, one applied, one written.
constexpr size_t kInFlight = 4;
// After so many, a look for Ctrl-C.
constexpr size_t kBatchesPerSignalCheck = 8;

// A row of the answer; as CommitResult.
struct ResultRow {
  uint64_t sequence = 0;
  int64_t recorded_at = kNotATime;
  Outcome outcome = Outcome::kInvalid;
  Outcome original = Outcome::kInvalid;
  Reason reason = Reason::kNone;
  Field conflict = Field::kNone;
};
const std::vector<FieldOfRow> kResultFields = {
    {"outcome", "u1", offsetof(ResultRow, outcome)},   {"original", "u1", offsetof(ResultRow, original)},
    {"reason", "u1", offsetof(ResultRow, reason)},     {"conflict", "u1", offsetof(ResultRow, conflict)},
    {"sequence", "u8", offsetof(ResultRow, sequence)}, {"recorded_at", "M8[ns]", offsetof(ResultRow, recorded_at)}};

struct Columns {
  BytesColumn keys;
  IntegerColumn debit;
  IntegerColumn credit;
  IntegerColumn amount;
  IntegerColumn amount_high;
  IntegerColumn code;
  std::optional<IntegerColumn> effective_at;
  std::optional<BytesColumn> reference;
  TransactionKind kind;
  bool unique_reference;
};

absl::StatusOr<uint64_t> Value(const IntegerColumn& column, size_t row) {
  if (const std::optional<uint64_t> value = column.At(row)) return *value;
  return absl::InvalidArgumentError(std::string(column.name()) + " of row " + std::to_string(row) + " is out of range");
}

absl::Status Fill(const Columns& columns, size_t row, Transaction& t) {
  NW_ASSIGN_OR_RETURN(t.key, IdempotencyKey::FromBytes(columns.keys.At(row)));
  NW_ASSIGN_OR_RETURN(const uint64_t debit, Value(columns.debit, row));
  NW_ASSIGN_OR_RETURN(const uint64_t credit, Value(columns.credit, row));
  NW_ASSIGN_OR_RETURN(const uint64_t low, Value(columns.amount, row));
  NW_ASSIGN_OR_RETURN(const uint64_t high, Value(columns.amount_high, row));
  NW_ASSIGN_OR_RETURN(const uint64_t code, Value(columns.code, row));
  NW_ASSIGN_OR_RETURN(const Amount amount, Amount::FromUnits(absl::MakeUint128(high, low)));
  t.kind = columns.kind;
  t.postings.push_back({AccountId(static_cast<uint32_t>(debit)), AccountId(static_cast<uint32_t>(credit)), amount});
  t.code = static_cast<uint16_t>(code);
  t.unique_reference = columns.unique_reference;
  if (columns.effective_at) {
    NW_ASSIGN_OR_RETURN(const uint64_t nanos, Value(*columns.effective_at, row));
    t.effective_at = absl::FromUnixNanos(static_cast<int64_t>(nanos));
  }
  if (columns.reference) {
    std::string_view text = columns.reference->At(row);
    while (!text.empty() && text.back() == '\0') text.remove_suffix(1);
    t.reference = text;
  }
  return absl::OkStatus();
}

// The batches of one call, in order, a few on their way at a time; answers go to their rows by themselves.
class Run {
 public:
  Run(Ledger& ledger, DeferredPolicy deferred, std::vector<ResultRow>& rows)
      : ledger_(ledger), options_{.deferred = deferred}, rows_(rows) {}
  ~Run() { WaitFor(0); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Waits until it is taken on. An error of it, or of one before.
  absl::Status Send(std::vector<Transaction> batch, size_t first) {
    WaitFor(kInFlight - 1);
    NW_RETURN_IF_ERROR(status());
    Begin();
    const absl::Status sent = ledger_.CommitAsync(std::move(batch), Taker(first), options_);
    if (!sent.ok()) End();
    return sent;
  }
  // Waits until all have their answers.
  absl::Status Finish() {
    WaitFor(0);
    return status();
  }

 private:
  CommitCallback Taker(size_t first) {
    return [this, first](absl::StatusOr<std::vector<CommitResult>> results) {
      if (results.ok()) {
        for (size_t i = 0; i < results->size(); ++i) {
          const CommitResult& r = (*results)[i];
          rows_[first + i] = {r.sequence.value(), NanosOrNone(r.recorded_at), r.outcome, r.original, r.reason,
                              r.conflict};
        }
      }
      absl::MutexLock lock(&mutex_);
      if (status_.ok()) status_ = results.status();
      --in_flight_;
    };
  }
  void Begin() {
    absl::MutexLock lock(&mutex_);
    ++in_flight_;
  }
  void End() {
    absl::MutexLock lock(&mutex_);
    --in_flight_;
  }
  void WaitFor(size_t most) {
    absl::MutexLock lock(&mutex_);
    const auto few = [this, most]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return in_flight_ <= most; };
    mutex_.Await(absl::Condition(&few));
  }
  absl::Status status() {
    absl::MutexLock lock(&mutex_);
    return status_;
  }

  Ledger& ledger_;
  const CommitOptions options_;
  std::vector<ResultRow>& rows_;
  absl::Mutex mutex_;
  size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// Runs without the GIL, but for looks at signals, of which the first that raises is kept.
absl::Status CommitColumns(Ledger& ledger, const Columns& columns, DeferredPolicy deferred,
                           std::vector<ResultRow>& rows, std::exception_ptr& raised) {
  Run run(ledger, deferred, rows);
  const auto send = [&](size_t first) -> absl::Status {
    std::vector<Transaction> batch(std::min(kMaxBatchTransactions, rows.size() - first));
    for (size_t i = 0; i < batch.size(); ++i) NW_RETURN_IF_ERROR(Fill(columns, first + i, batch[i]));
    return run.Send(std::move(batch), first);
  };
  size_t batches = 0;
  for (size_t first = 0; first < rows.size(); first += kMaxBatchTransactions) {
    absl::Status sent = send(first);
    if (absl::IsResourceExhausted(sent)) {
      // The queue is full, with what we put there perhaps.
      NW_RETURN_IF_ERROR(run.Finish());
      sent = send(first);
    }
    NW_RETURN_IF_ERROR(sent);
    if (Ending()) return absl::CancelledError("Python is ending");
    if (++batches % kBatchesPerSignalCheck != 0) continue;
    try {
      py::gil_scoped_acquire acquire;
      CheckSignals();
    } catch (...) {
      raised = std::current_exception();
      break;
    }
  }
  return run.Finish();
}

py::object CommitArrays(const PyLedger& self, const py::object& keys, const py::object& debit, const py::object& credit,
                        const py::object& amount, const py::object& amount_high, TransactionKind kind,
                        const py::object& code, const py::object& reference, bool unique_reference,
                        const py::object& effective_at, DeferredPolicy deferred) {
  if (kind != TransactionKind::kPost && kind != TransactionKind::kHold) {
    RaiseNamed("InvalidArgument", "arrays are of posts or of holds");
  }
  py::module_::import("numpy");  // for the answer: not to be missed when the money has moved
  const std::shared_ptr<Ledger> ledger = self.Get();
  BytesColumn key_column = BytesColumn::Keys(keys);
  const size_t n = key_column.rows();
  Columns columns{std::move(key_column),
                  IntegerColumn(debit, "debit", n, UINT32_MAX),
                  IntegerColumn(credit, "credit", n, UINT32_MAX),
                  IntegerColumn(amount, "amount", n, UINT64_MAX),
                  IntegerColumn(amount_high, "amount_high", n, INT64_MAX),
                  IntegerColumn(code, "code", n, UINT16_MAX),
                  std::nullopt,
                  std::nullopt,
                  kind,
                  unique_reference};
  if (!effective_at.is_none()) columns.effective_at.emplace(effective_at, "effective_at", n, INT64_MAX);
  if (!reference.is_none()) columns.reference = BytesColumn::Text(reference, "reference", n, kMaxReferenceBytes);
  std::vector<ResultRow> rows(n);
  std::exception_ptr raised;
  const absl::Status status = Unlocked([&] { return CommitColumns(*ledger, columns, deferred, rows, raised); });
  Must(status);
  if (raised) std::rethrow_exception(raised);
  return ArrayOf(std::move(rows), kResultFields);
}

}  // namespace

void DefineCommitArrays(LedgerClass& type) {
  type.def("commit_arrays", &CommitArrays, py::arg("keys"), py::arg("debit"), py::arg("credit"), py::arg("amount"),
           py::kw_only(), py::arg("amount_high") = 0, py::arg("kind") = TransactionKind::kPost, py::arg("code") = 0,
           py::arg("reference") = py::none(), py::arg("unique_reference") = false, py::arg("effective_at") = py::none(),
           py::arg("deferred") = DeferredPolicy::kReturn,
           "Commits posts, or holds, of one posting a row, from arrays or any other buffers, in batches of 8,190. A "
           "column is an array "
           "or one number for all rows. Returns a structured array, a row for each: outcome, original, reason, "
           "conflict, sequence, "
           "recorded_at. The arrays are copied first. After an exception, send the same arrays again: what was applied "
           "answers as a duplicate.");
}

}  // namespace northwind::python
