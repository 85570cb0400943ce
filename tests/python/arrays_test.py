# SPDX-License-Identifier: Apache-2.0
"""Columns in, structured arrays out; and that numpy is not needed for anything else."""

import array
import datetime
import subprocess
import sys

import pytest

import northwind
from conftest import Book
from northwind import EntryKind, Outcome, Reason, RecordType, TransactionKind

np = pytest.importorskip("numpy")


def columns(book, n, start=0):
    keys = np.zeros((n, 16), np.uint8)
    keys[:, 8:] = np.arange(start, start + n, dtype=">u8").view(np.uint8).reshape(n, 8)
    return {
        "keys": keys, "debit": np.full(n, book.card, np.uint32), "credit": np.where(np.arange(n) % 2, book.shop, book.other),
        "amount": np.arange(1, n + 1, dtype=np.uint64),
    }


def test_rows_are_committed_in_order_over_many_batches(book):
    n = 3 * 8190 + 17
    given = columns(book, n)
    result = book.ledger.commit_arrays(**given)
    assert result.dtype.names == ("outcome", "original", "reason", "conflict", "sequence", "recorded_at")
    assert len(result) == n and (result["outcome"] == Outcome.APPLIED).all() and (result["reason"] == Reason.NONE).all()
    assert (result["sequence"] == np.arange(4, n + 4)).all() and (np.diff(result["recorded_at"]) > np.timedelta64(0, "ns")).all()
    assert book.ledger.balance(book.shop).available == int(given["amount"][1::2].sum())
    again = book.ledger.commit_arrays(**given)
    assert (again["outcome"] == Outcome.DUPLICATE).all() and (again["original"] == Outcome.APPLIED).all()
    assert (again["sequence"] == result["sequence"]).all()
    view = book.ledger.transaction(given["keys"][12345].tobytes())
    assert view.sequence == result["sequence"][12345] and view.record.moved[0].amount == 12346
    book.ledger.verify()


def test_each_row_has_its_own_answer(book):
    keys = b"".join(i.to_bytes(16, "big") for i in (1, 2, 1, 1, 3))
    result = book.ledger.commit_arrays(
        keys, [book.card, book.shop, book.card, book.card, 999], [book.shop, book.card, book.shop, book.shop, book.shop],
        [10, 11, 10, 12, 1],
    )
    outcomes = [Outcome.APPLIED, Outcome.REJECTED, Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.DEFERRED]
    assert list(result["outcome"]) == outcomes
    assert list(result["reason"]) == [0, Reason.INSUFFICIENT_FUNDS, 0, 0, Reason.ACCOUNT_NOT_FOUND]
    assert result["conflict"][3] == northwind.Field.POSTINGS and np.isnat(result["recorded_at"][4])
    assert book.ledger.balance(book.shop).available == 10


@pytest.mark.parametrize("form", ["bytes", "S16", "V16", "u8 pairs", "strided", "memoryview"])
def test_keys_in_every_shape(book, form):
    raw = np.frombuffer(bytes(range(64)), np.uint8).reshape(4, 16)
    keys = {
        "bytes": raw.tobytes(), "S16": raw.view("S16")[:, 0], "V16": raw.view("V16")[:, 0], "u8 pairs": raw.view(np.uint64),
        "strided": np.repeat(raw.view("V16")[:, 0], 2)[::2], "memoryview": memoryview(raw.tobytes()),
    }[form]
    result = book.ledger.commit_arrays(keys, book.card, book.shop, 5)
    assert (result["outcome"] == Outcome.APPLIED).all()
    for i in range(4):
        assert book.ledger.transaction(bytes(raw[i])).sequence == result["sequence"][i]


@pytest.mark.parametrize("keys", [b"short", np.zeros((4, 15), np.uint8), np.zeros((4, 32), np.uint8)[:, :16], np.zeros(4), None, [1]])
def test_keys_in_another_shape_are_refused(book, keys):
    with pytest.raises(TypeError):
        book.ledger.commit_arrays(keys, book.card, book.shop, 5)
    assert book.ledger.balance(book.shop).available == 0


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
def test_integers_of_every_width(book, kind):
    given = columns(book, 100)
    assert (book.ledger.commit_arrays(**{**given, "amount": given["amount"].astype(kind)})["outcome"] == Outcome.APPLIED).all()
    assert book.ledger.balances([book.shop, book.other])[0].available == sum(range(2, 101, 2))


def test_strided_and_reversed_columns(book):
    amount = np.arange(20, dtype=np.int64)[::-2]
    result = book.ledger.commit_arrays(np.arange(20, dtype=np.uint64).reshape(10, 2), book.card, book.shop, amount)
    moved = [book.ledger.transaction(int(s)).record.moved[0].amount for s in result["sequence"]]
    assert moved == [19, 17, 15, 13, 11, 9, 7, 5, 3, 1]


def test_columns_of_the_standard_library(book):
    result = book.ledger.commit_arrays(bytes(32), array.array("I", [book.card] * 2), book.shop, array.array("q", [7, 7]))
    assert list(result["outcome"]) == [Outcome.APPLIED, Outcome.DUPLICATE]


def test_columns_that_only_numpy_can_read(book):
    class Series:
        """As a column of pandas: no buffer, but an array."""

        def __init__(self, values):
            self.values = np.asarray(values)
            self.dtype = self.values.dtype

        def __array__(self, dtype=None, copy=None):
            return self.values

    at = Series(np.array(["2024-03-01T12:00:00.000000001"], "M8[ns]"))
    result = book.ledger.commit_arrays(bytes(16), Series([book.card]), book.shop, Series([3]), effective_at=at)
    view = book.ledger.transaction(int(result["sequence"][0]))
    assert view.record.transaction.effective_at_ns == 1_709_294_400_000_000_001


def test_times_of_coarser_units(book):
    book.ledger.commit_arrays(bytes(16), book.card, book.shop, 3, effective_at=np.array(["2024-03-01"], "M8[D]"))
    at = book.ledger.transaction(bytes(16)).record.transaction.effective_at
    assert at == datetime.datetime(2024, 3, 1, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": np.array([1.0, 2.0])}, {"amount": np.array([1, 2], ">u8")}, {"amount": np.array(["1", "2"])}, {"debit": 1.5},
        {"amount": np.array([[1], [2]])}, {"amount": np.array([True, False])}, {"reference": np.array(["a", "b"])},
        {"amount": np.array([1, 2], object)},
    ],
)
def test_columns_of_other_types_are_refused(book, changed):
    with pytest.raises(TypeError):
        book.ledger.commit_arrays(**{**columns(book, 2), **changed})
    assert book.ledger.head.sequence == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": np.array([1, 2, 3])}, {"amount": np.array([1, -1])}, {"debit": np.array([1, 2**32])}, {"code": 65536},
        {"amount": -1}, {"amount_high": 2**63}, {"code": np.array([1, 70_000])}, {"reference": np.zeros(2, "S129")},
        {"reference": np.zeros(3, "S1")}, {"kind": TransactionKind.CAPTURE},
    ],
)
def test_values_out_of_range_are_refused(book, changed):
    with pytest.raises(northwind.InvalidArgument):
        book.ledger.commit_arrays(**{**columns(book, 2), **changed})
    assert book.ledger.head.sequence == 3


def test_a_bad_row_far_down_stops_there_and_the_rest_can_be_sent_again(book):
    given = columns(book, 20_000)
    bad = given["amount"].astype(np.int64)
    bad[15_000] = -5
    with pytest.raises(northwind.InvalidArgument, match="amount of row 15000"):
        book.ledger.commit_arrays(**{**given, "amount": bad})
    done = book.ledger.head.sequence - 3
    assert done in (0, 8190)
    result = book.ledger.commit_arrays(**given)
    assert (result["outcome"][:done] == Outcome.DUPLICATE).all() and (result["outcome"][done:] == Outcome.APPLIED).all()


def test_amounts_past_64_bits(book):
    book.ledger.commit_arrays(bytes(16), book.card, book.shop, 5, amount_high=3)
    assert book.ledger.balance(book.shop).available == (3 << 64) + 5
    postings = book.ledger.journal_arrays().postings
    assert (int(postings["amount_high"][0]) << 64) + int(postings["amount"][0]) == (3 << 64) + 5
    history = book.ledger.history_array(book.card)
    assert (int(history["available_high"][0]) << 64) + int(history["available"].view("u8")[0]) == -((3 << 64) + 5)


def test_references_codes_and_holds(book):
    result = book.ledger.commit_arrays(
        bytes(range(32)), book.card, book.shop, [5, 6], kind=TransactionKind.HOLD, code=np.array([7, 8], np.uint16),
        reference=np.array([b"po_1", b"longer-one"]), unique_reference=True,
    )
    assert (result["outcome"] == Outcome.APPLIED).all()
    assert [(h.code, h.reference, h.remaining) for h in book.ledger.open_holds(book.shop)] == [(7, "po_1", 5), (8, "longer-one", 6)]


def test_nothing_is_nothing(book):
    assert len(book.ledger.commit_arrays(b"", book.card, book.shop, 5)) == 0


def test_a_full_queue_is_waited_for(tmp_path):
    from conftest import Book

    book = Book(tmp_path / "l", max_queued_transactions=9000)
    result = book.ledger.commit_arrays(**columns(book, 50_000))
    assert (result["outcome"] == Outcome.APPLIED).all()
    book.ledger.close()


def test_the_journal_as_arrays_is_the_journal(book):
    book.ledger.commit_arrays(**columns(book, 300_000), code=9)
    ledger = book.ledger
    ledger.freeze(book.other)
    key = (2**100).to_bytes(16, "big")
    ledger.commit(northwind.Transaction(key, [(book.shop, book.card, 5), (book.shop, book.card, 6)], effective_at=17))
    ledger.commit([northwind.Transaction(b"x" * 16, [(book.other, book.card, 2**126)])])
    records, postings = ledger.journal_arrays()
    assert (records["sequence"] == np.arange(1, ledger.head.sequence + 1)).all()
    assert (np.diff(records["recorded_at"].view("i8")) > 0).all()
    for record in list(ledger.journal(after=299_990)) + [next(ledger.journal()), next(ledger.journal(7))]:
        row = records[record.sequence - 1]
        assert row["recorded_at"].astype("i8") == record.recorded_at_ns
        if isinstance(record, northwind.TransactionRecorded):
            assert row["type"] == RecordType.TRANSACTION and row["key"].tobytes() == record.transaction.key
            assert (row["outcome"], row["reason"], row["code"]) == (record.outcome, record.reason, record.transaction.code)
            moved = postings[row["first_posting"] : row["first_posting"] + row["postings"]]
            assert [tuple(m) for m in moved[["debit", "credit", "amount"]]] == [(m.debit, m.credit, m.amount) for m in record.moved]
            assert (moved["sequence"] == record.sequence).all()
            effective = record.transaction.effective_at_ns
            assert np.isnat(row["effective_at"]) if effective is None else row["effective_at"].astype("i8") == effective
        else:
            assert row["account"] == record.id and row["postings"] == 0
    assert len(postings) == 300_002 and int(postings["amount"].sum()) == 300_000 * 300_001 // 2 + 11
    part = ledger.journal_arrays(100, limit=50)
    assert list(part.records["sequence"]) == list(range(101, 151)) and part.records["first_posting"][0] == 0
    assert len(ledger.journal_arrays(ledger.head.sequence).records) == 0
    assert len(ledger.journal_arrays(10**12).records) == 0


def test_history_as_an_array_is_the_history(book):
    book.ledger.commit_arrays(**columns(book, 5000), code=np.arange(5000, dtype=np.uint16) % 3)
    rows = book.ledger.history_array(book.shop)
    entries = list(book.ledger.history(book.shop))
    assert len(rows) == len(entries) == 2500
    for name, values in {
        "sequence": [e.sequence for e in entries], "amount": [e.amount for e in entries], "code": [e.code for e in entries],
        "available": [e.after.available for e in entries], "posted": [e.after.posted for e in entries],
    }.items():
        assert rows[name].tolist() == values, name
    assert (rows["kind"] == EntryKind.CREDIT).all() and (rows["available_high"] == 0).all()
    assert rows["recorded_at"].astype("i8").tolist() == [e.recorded_at_ns for e in entries]
    assert book.ledger.history_array(book.shop, code=1)["sequence"].tolist() == [e.sequence for e in entries if e.code == 1]


def test_arrays_do_not_leak(book):
    from closing_test import grows

    given = columns(book, 20_000)

    def step():
        book.ledger.commit_arrays(**given)
        book.ledger.journal_arrays()
        book.ledger.history_array(book.shop)
        with pytest.raises(TypeError):
            book.ledger.commit_arrays(**{**given, "amount": np.zeros(20_000)})

    assert grows(step, 10, 30) < 8 << 20


def test_without_numpy_all_else_works(tmp_path):
    code = """
import sys
sys.modules["numpy"] = None
import northwind
with northwind.Ledger(sys.argv[1]) as ledger:
    a, b = ledger.open_account("a", "USD/2", external=True), ledger.open_account("b", "USD/2")
    ledger.commit(northwind.Transaction(bytes(16), [(a, b, 1)]))
    head = ledger.head.sequence
    for call in (lambda: ledger.commit_arrays(b"1" * 16, a, b, 1), ledger.journal_arrays, lambda: ledger.history_array(a)):
        try:
            call()
        except ImportError:
            pass
        else:
            sys.exit("no ImportError")
    assert ledger.head.sequence == head
assert not any(m.split(".")[0] == "numpy" for m in sys.modules if sys.modules[m])
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "l")], check=True, timeout=60)


def test_what_is_written_into_the_arrays_meanwhile_is_not_seen(tmp_path):
    """The clock is read by northwind's threads while the call is under way: here it spoils every array."""
    count, nanos = 8190 * 10, 1_709_294_400_123_456_789
    arrays = {}

    def spoil():
        for array in arrays.values():
            array[...] = 2
        return nanos

    book = Book(tmp_path / "l", clock=spoil)
    arrays.update(
        keys=np.arange(count * 2, dtype=">u8").reshape(count, 2), debit=np.full(count, book.card), credit=np.full(count, book.shop),
        amount=np.full((count, 2), 5)[:, 0], code=np.full(count, 7), effective_at=np.full(count, nanos), reference=np.full(count, b"x"),
    )
    answers = book.ledger.commit_arrays(**arrays)
    assert (answers["outcome"] == Outcome.APPLIED).all() and (arrays["amount"] == 2).all()
    assert book.ledger.balance(book.shop).available == 5 * count
    last = book.ledger.transaction(int(answers["sequence"][-1])).record.transaction
    assert (last.code, last.reference, last.effective_at_ns) == (7, "x", nanos)
    assert last.key == np.arange(count * 2 - 2, count * 2, dtype=">u8").tobytes()
    book.ledger.close()
