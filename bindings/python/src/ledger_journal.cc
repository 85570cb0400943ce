// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "bindings/python/src/casters.h"
#include "bindings/python/src/journal.h"
#include "bindings/python/src/ledger.h"
#include "bindings/python/src/pages.h"

namespace northwind::python {
namespace {

// Large enough that a page costs little beside its records, small enough that Ctrl-C and memory do not suffer.
constexpr size_t kPage = 1000;
// Waits are cut, so that Ctrl-C ends them.
constexpr absl::Duration kSlice = absl::Milliseconds(100);

Pages Journal(std::shared_ptr<PyLedger> self, Sequence after, bool follow, const py::object& timeout) {
  self->CheckOpen();
  absl::Duration patience = follow ? absl::InfiniteDuration() : absl::ZeroDuration();
  if (!timeout.is_none()) {
    if (!follow) RaiseNamed("InvalidArgument", "a timeout is for following");
    patience = As<absl::Duration>(timeout, "timeout");
  }
  return PagesOf<JournalRecord>(
      [self = std::move(self), after, follow, patience](std::vector<JournalRecord>& page) mutable {
        const absl::Time until = follow ? absl::Now() + patience : absl::InfinitePast();
        while (true) {
          const std::shared_ptr<Ledger> ledger = self->Get();
          page = Must(Unlocked([&] {
            JournalReader reader = ledger->ReadJournal(after);
            return reader.Next(kPage, follow ? std::min(until, absl::Now() + kSlice) : absl::InfinitePast());
          }));
          CheckSignals();
          if (!page.empty()) break;
          if (!follow || absl::Now() >= until) return false;
        }
        after = page.back().sequence;
        return true;
      },
      ObjectOf);
}

}  // namespace

void DefineJournal(LedgerClass& type) {
  type.def("journal", &Journal, py::arg("after") = Sequence(), py::kw_only(), py::arg("follow") = false,
           py::arg("timeout") = py::none(),
           "Records of the journal after a sequence, in order, read page by page: AccountOpened, AccountChanged, "
           "TransactionRecorded, "
           "HoldExpired. With `follow` it waits for new ones, and ends when none has come for `timeout`.")
      .def_property_readonly(
          "head",
          [](const PyLedger& self) {
            const std::shared_ptr<Ledger> ledger = self.Get();
            return Unlocked([&] { return ledger->Head(); });
          },
          "Where the journal ends.")
      .def(
          "block_at",
          [](const PyLedger& self, Sequence sequence) {
            const std::shared_ptr<Ledger> ledger = self.Get();
            return Must(Unlocked([&] { return ledger->BlockAt(sequence); }));
          },
          py::arg("sequence"), "Last sequence and hash of the block that holds `sequence`. OutOfRange.")
      .def_property_readonly(
          "id", [](const PyLedger& self) { return self.Get()->id(); },
          "The identity of the journal, 16 bytes; copies share it.");
}

}  // namespace northwind::python
