// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/transaction.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/python/src/errors.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"

namespace northwind::python {
namespace {

Posting PostingOf(py::handle object) {
  if (py::isinstance<Posting>(object)) return object.cast<const Posting&>();
  PyObject* const tuple = object.ptr();
  if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != 3) {
    throw py::type_error("a posting is a Posting or a tuple (debit, credit, amount)");
  }
  return {AccountIdOf(PyTuple_GET_ITEM(tuple, 0)), AccountIdOf(PyTuple_GET_ITEM(tuple, 1)),
          As<Amount>(PyTuple_GET_ITEM(tuple, 2), "an amount")};
}

std::string Text(py::handle object, const char* what) {
  std::string text;
  if (!ToText(object, text)) throw py::type_error(std::string(what) + " is str or bytes");
  return text;
}

Target TargetOf(py::handle object) {
  if (py::isinstance<Target>(object)) return object.cast<const Target&>();
  if (py::isinstance<py::tuple>(object)) {
    const auto pair = py::reinterpret_borrow<py::tuple>(object);
    if (pair.size() != 2) throw py::type_error("a target by reference is a tuple (code, reference)");
    return Target::Reference(As<uint16_t>(pair[0], "a code"), Text(pair[1], "a reference"));
  }
  return Target::Key(As<IdempotencyKey>(object, "a target"));
}

template <typename T>
std::optional<T> Maybe(const py::object& object, const char* what) {
  if (object.is_none()) return std::nullopt;
  return As<T>(object, what);
}

Transaction Make(const IdempotencyKey& key, const py::object& postings, TransactionKind kind, const py::object& target,
                 Amount amount, bool final_capture, uint16_t code, const py::object& reference, bool unique_reference,
                 const py::object& effective_at, const py::object& expires_at, const py::object& metadata,
                 const py::object& host_records) {
  Transaction t{.key = key, .kind = kind};
  for (const py::handle posting : postings) t.postings.push_back(PostingOf(posting));
  if (!target.is_none()) t.target = TargetOf(target);
  t.amount = amount;
  t.final_capture = final_capture;
  t.code = code;
  t.reference = Text(reference, "a reference");
  t.unique_reference = unique_reference;
  t.effective_at = Maybe<absl::Time>(effective_at, "effective_at");
  t.expires_at = Maybe<absl::Time>(expires_at, "expires_at");
  if (!ToBytes(metadata, t.metadata)) throw py::type_error("metadata is bytes");
  t.host_records = HostRecordsOf(host_records);
  return t;
}

py::object OptionalNanos(const std::optional<absl::Time>& time) { return time ? NanosOf(*time) : py::none(); }

}  // namespace

AccountId AccountIdOf(py::handle object) {
  if (!PyLong_Check(object.ptr()) && py::isinstance<Account>(object)) return object.cast<const Account&>().id;
  return As<AccountId>(object, "an account");
}

py::tuple PostingsOf(const Postings& postings) {
  py::tuple tuple(postings.size());
  for (size_t i = 0; i < postings.size(); ++i) tuple[i] = py::cast(postings[i]);
  return tuple;
}

std::vector<Transaction> TransactionsOf(const py::iterable& objects) {
  std::vector<Transaction> transactions;
  transactions.reserve(py::len_hint(objects));
  for (const py::handle object : objects) {
    if (!py::isinstance<Transaction>(object)) throw py::type_error("a batch is of Transactions");
    transactions.push_back(object.cast<const Transaction&>());
  }
  return transactions;
}

std::vector<HostRecord> HostRecordsOf(const py::object& records) {
  std::vector<HostRecord> list;
  if (records.is_none()) return list;
  for (const auto& [key, value] : As<py::dict>(records, "host_records")) {
    HostRecord& record = list.emplace_back(HostRecord{.key = Text(key, "a host record's key")});
    if (!ToBytes(value, record.value)) throw py::type_error("a host record's value is bytes");
  }
  return list;
}

void BindTransaction(py::module_& m) {
  Record<Posting>(m, "Posting", "Money moves out of `debit` into `credit`.")
      .Def(py::init([](const py::object& debit, const py::object& credit, Amount amount) {
             return Posting{AccountIdOf(debit), AccountIdOf(credit), amount};
           }),
           py::arg("debit"), py::arg("credit"), py::arg("amount"))
      .Field("debit", Member(&Posting::debit), "")
      .Field("credit", Member(&Posting::credit), "")
      .Field("amount", Member(&Posting::amount), "In minor units.");

  Record<Target>(
      m, "Target",
      "The earlier transaction that a capture, release or reverse works on: by key, or by code and reference.")
      .Def(py::init([](const py::object& key, uint16_t code, const py::object& reference) {
             return Target{Maybe<IdempotencyKey>(key, "a key"), code, Text(reference, "a reference")};
           }),
           py::kw_only(), py::arg("key") = py::none(), py::arg("code") = 0, py::arg("reference") = "")
      .Field("key", Member(&Target::key), "")
      .Field("code", Member(&Target::code), "")
      .Field("reference", Member(&Target::reference), "");

  Record<Transaction>(
      m, "Transaction",
      "A request to the ledger. Which fields a kind takes is in docs/ledger.md; the others stay at their defaults.")
      .Def(py::init(&Make), py::arg("key"), py::arg("postings") = py::tuple(), py::kw_only(),
           py::arg("kind") = TransactionKind::kPost, py::arg("target") = py::none(), py::arg("amount") = Amount(),
           py::arg("final_capture") = false, py::arg("code") = 0, py::arg("reference") = "",
           py::arg("unique_reference") = false, py::arg("effective_at") = py::none(),
           py::arg("expires_at") = py::none(), py::arg("metadata") = py::bytes(), py::arg("host_records") = py::none())
      .Field("key", Member(&Transaction::key), "Under which it is applied at most once, for ever.")
      .Field("kind", Member(&Transaction::kind), "")
      .Field(
          "postings", [](const Transaction& t) { return PostingsOf(t.postings); }, "")
      .Kept(&Transaction::postings, &Transaction::host_records)
      .Field("target", Member(&Transaction::target), "")
      .Field("amount", Member(&Transaction::amount), "Of a capture; 0: all that remains.")
      .Field("final_capture", Member(&Transaction::final_capture), "Whether a capture gives the rest of the hold back.")
      .Field("code", Member(&Transaction::code), "The caller's category.")
      .Field("reference", Member(&Transaction::reference), "The caller's name for it, such as a payment id.")
      .Field("unique_reference", Member(&Transaction::unique_reference), "")
      .Field("effective_at", Member(&Transaction::effective_at), "When it happened in the business.")
      .Field("expires_at", Member(&Transaction::expires_at), "When the ledger releases the hold.")
      .Field("metadata", Bytes(&Transaction::metadata), "Opaque to the ledger.")
      .Field(
          "host_records",
          [](const Transaction& t) {
            py::dict records;
            for (const HostRecord& record : t.host_records) records[TextOf(record.key)] = py::bytes(record.value);
            return records;
          },
          "Written if and only if it is applied, in the same atomic write.")
      .Also(
          "effective_at_ns", [](const Transaction& t) { return OptionalNanos(t.effective_at); }, "To the nanosecond.")
      .Also(
          "expires_at_ns", [](const Transaction& t) { return OptionalNanos(t.expires_at); }, "To the nanosecond.");
}

}  // namespace northwind::python
