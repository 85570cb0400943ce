# SPDX-License-Identifier: Apache-2.0
"""The core: values, outcomes and exceptions, reads, care."""

import copy
import datetime
import uuid

import pytest

import northwind
from conftest import NOON, Book
from northwind import Outcome, Posting, Reason, Transaction, TransactionKind


def key(n):
    return n.to_bytes(16, "big")


# ---- Values ---------------------------------------------------------------------------------------------------


def test_keys_are_bytes_uuids_or_text():
    raw = bytes(range(16))
    for form in (raw, bytearray(raw), memoryview(raw), uuid.UUID(bytes=raw), raw.hex(), str(uuid.UUID(bytes=raw))):
        assert Transaction(form).key == raw
    with pytest.raises(northwind.InvalidArgument):
        Transaction(b"short")
    with pytest.raises(northwind.InvalidArgument):
        Transaction("not a key")
    with pytest.raises(TypeError):
        Transaction(17)


def test_derived_keys_are_those_of_every_language():
    # The golden vector of docs/format.md.
    at = datetime.datetime(2024, 3, 1, 12, tzinfo=datetime.timezone.utc)
    assert northwind.derive_key("pay_1", at) == northwind.derive_key(b"pay_1", int(at.timestamp()) * 10**9)
    assert northwind.derive_key("pay_1", at)[:6] == int(at.timestamp() * 1000).to_bytes(6, "big")
    assert northwind.derive_key("pay_1", at) != northwind.derive_key("pay_1", int(at.timestamp()) * 10**9 + 1)


def test_a_time_in_any_zone_is_the_same_moment():
    plus_two = datetime.timezone(datetime.timedelta(hours=2))
    assert northwind.derive_key("a", NOON) == northwind.derive_key("a", NOON.astimezone(plus_two))
    with pytest.raises(northwind.InvalidArgument):
        northwind.derive_key("a", datetime.datetime(2024, 3, 1))
    with pytest.raises(TypeError):
        northwind.derive_key("a", 1.5)


def test_times_come_back_as_they_were_given():
    at = datetime.datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=datetime.timezone.utc)
    t = Transaction(key(1), effective_at=at)
    assert t.effective_at == at and t.effective_at.tzinfo is datetime.timezone.utc
    assert Transaction(key(1), effective_at=1_709_251_199_123_456_789).effective_at_ns == 1_709_251_199_123_456_789
    assert Transaction(key(1)).effective_at is None


@pytest.mark.parametrize("amount", [0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**100 + 12345, 2**127 - 1])
def test_amounts_have_128_bits(amount):
    assert Posting(1, 2, amount).amount == amount
    assert northwind.format_amount(-amount, 0) == str(-amount)


@pytest.mark.parametrize("amount", [-1, -(2**70), 2**127, 2**200])
def test_amounts_out_of_range_are_refused(amount):
    with pytest.raises(northwind.InvalidArgument):
        Posting(1, 2, amount)


@pytest.mark.parametrize("amount", [1.0, True, "1", None, float("nan")])
def test_amounts_are_integers_and_nothing_else(amount):
    with pytest.raises(TypeError):
        Posting(1, 2, amount)
    with pytest.raises(TypeError):
        Transaction(key(1), [(1, 2, amount)])


def test_integers_of_numpy_are_integers():
    numpy = pytest.importorskip("numpy")
    assert Posting(numpy.uint32(1), numpy.int64(2), numpy.uint64(2**64 - 1)) == Posting(1, 2, 2**64 - 1)
    with pytest.raises(TypeError):
        Posting(1, 2, numpy.float64(3))


def test_decimal_text():
    assert northwind.parse_amount("12.34", "USD/2") == 1234
    assert northwind.parse_amount("12", 2) == 1200
    assert northwind.format_amount(1234, "USD/2") == "12.34"
    assert northwind.format_amount(-5, 2) == "-0.05"
    for bad in ("1.234", "-1", "1e3", " 1", ""):
        with pytest.raises(northwind.InvalidArgument):
            northwind.parse_amount(bad, "USD/2")
    with pytest.raises(northwind.InvalidArgument):
        northwind.format_amount(1, 19)
    with pytest.raises(northwind.OutOfRange):
        northwind.parse_amount(str(2**127), 0)
    assert northwind.MAX_AMOUNT == 2**127 - 1


def test_values_are_immutable_and_equal_by_content():
    t = Transaction(key(1), [(1, 2, 3)], reference="r", metadata=b"\x00\xff")
    assert t == Transaction(key(1), [Posting(1, 2, 3)], reference=b"r", metadata=b"\x00\xff")
    assert t != Transaction(key(1), [(1, 2, 4)], reference="r", metadata=b"\x00\xff")
    assert t != "t" and len({t, copy.copy(t), copy.deepcopy(t)}) == 1
    assert hash(t) == hash(Transaction(key(1), [(1, 2, 3)], reference="r", metadata=b"\x00\xff"))
    assert repr(Posting(1, 2, 3)) == "Posting(debit=1, credit=2, amount=3)"
    assert Posting(1, 2, 3).asdict() == {"debit": 1, "credit": 2, "amount": 3}
    assert t.asdict()["postings"] == ({"debit": 1, "credit": 2, "amount": 3},)
    with pytest.raises(AttributeError):
        t.code = 4
    assert Posting.__match_args__ == ("debit", "credit", "amount")


def test_enumerations_are_integers_with_the_names_of_reports():
    assert Outcome.APPLIED == 1 and str(Reason.INSUFFICIENT_FUNDS) == "insufficient_funds"
    assert f"{Outcome.APPLIED}" == "applied" and repr(Outcome.APPLIED) == "Outcome.APPLIED"
    with pytest.raises(TypeError):
        Transaction(key(1), kind=1)


def test_references_may_be_any_bytes():
    t = Transaction(key(1), reference=b"caf\xe9")
    assert t.reference == "caf\udce9" and Transaction(key(1), reference=t.reference) == t


# ---- Outcomes -------------------------------------------------------------------------------------------------


def test_a_payment_committed_twice_moves_once(book):
    first = book.ledger.commit(book.pay("pay_1"), balances=True)
    assert (first.outcome, first.applied) == (Outcome.APPLIED, True)
    assert first.balances[book.shop].available == 10_000 and first.balances[book.card].available == -10_000
    again = book.ledger.commit(book.pay("pay_1"))
    assert (again.outcome, again.original, again.sequence) == (Outcome.DUPLICATE, Outcome.APPLIED, first.sequence)
    assert again.applied and again.recorded_at == first.recorded_at
    assert book.ledger.balance(book.shop).available == 10_000


def test_the_same_key_with_another_amount_is_a_conflict_and_moves_nothing(book):
    book.ledger.commit(book.pay("pay_1"))
    with pytest.raises(northwind.Conflict) as caught:
        book.ledger.commit(book.pay("pay_1", 10_001))
    assert caught.value.result.conflict is northwind.Field.POSTINGS and caught.value.code == "CONFLICT"
    assert book.ledger.balance(book.shop).available == 10_000


def test_money_that_is_not_there_is_refused_for_ever(book):
    out = Transaction(key(1), [(book.shop, book.card, 1)])
    for _ in range(2):
        with pytest.raises(northwind.InsufficientFunds) as caught:
            book.ledger.commit(out)
        assert caught.value.result.reason is Reason.INSUFFICIENT_FUNDS
        assert isinstance(caught.value, northwind.Rejected) and isinstance(caught.value, northwind.Error)
        book.ledger.commit(book.pay("pay_1"))
    assert book.ledger.balance(book.shop).available == 10_000


def test_other_outcomes_have_exceptions_of_their_own(book):
    with pytest.raises(northwind.Deferred) as deferred:
        book.ledger.commit(Transaction(key(1), kind=TransactionKind.RELEASE, target=key(9)))
    assert deferred.value.result.reason is Reason.TARGET_NOT_FOUND and deferred.value.result.recorded_at is None
    with pytest.raises(northwind.InvalidTransaction) as invalid:
        book.ledger.commit(Transaction(key(2)))
    assert invalid.value.result.reason is Reason.POSTING_COUNT and isinstance(invalid.value, ValueError)
    book.ledger.freeze(book.shop)
    with pytest.raises(northwind.Rejected) as rejected:
        book.ledger.commit(book.pay("pay_1"))
    assert rejected.value.result.reason is Reason.ACCOUNT_FROZEN
    assert not isinstance(rejected.value, northwind.InsufficientFunds)


def test_a_batch_answers_each_and_raises_none(book):
    batch = [book.pay("a"), book.pay("a"), book.pay("a", 1), Transaction(key(1), [(book.other, book.card, 1)]), Transaction(key(2))]
    results = book.ledger.commit(batch)
    assert [r.outcome for r in results] == [
        Outcome.APPLIED, Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.REJECTED, Outcome.INVALID,
    ]
    assert [r.applied for r in results] == [True, True, False, False, False]
    results[0].raise_for_outcome()
    for result, error in zip(results[2:], (northwind.Conflict, northwind.InsufficientFunds, northwind.InvalidTransaction)):
        with pytest.raises(error):
            result.raise_for_outcome()
    with pytest.raises(northwind.InvalidArgument):
        book.ledger.commit([])
    with pytest.raises(northwind.InvalidArgument):
        book.ledger.commit(book.pay(str(i)) for i in range(8191))
    with pytest.raises(TypeError):
        book.ledger.commit([1])


def test_deferred_in_a_batch_may_be_tried_again(book):
    batch = [
        Transaction(key(2), kind=TransactionKind.CAPTURE, target=key(1), final_capture=True),
        Transaction(key(1), [(book.card, book.shop, 5)], kind=TransactionKind.HOLD),
    ]
    assert book.ledger.commit(batch[:1])[0].outcome is Outcome.DEFERRED
    results = book.ledger.commit(batch, deferred=northwind.DeferredPolicy.RETRY_IN_BATCH)
    assert [r.outcome for r in results] == [Outcome.APPLIED] * 2


def test_hold_capture_release_reverse(book):
    ledger = book.ledger
    ledger.commit(book.pay("pay", 100))
    hold = Transaction(
        key(1), [(book.shop, book.card, 60)], kind=TransactionKind.HOLD, code=20, reference="po_1", unique_reference=True
    )
    ledger.commit(hold)
    assert ledger.balance(book.shop).available == 40 and ledger.balance(book.shop).posted == 100
    assert [h.remaining for h in ledger.open_holds(book.shop)] == [60]
    ledger.commit(Transaction(key(2), kind=TransactionKind.CAPTURE, target=(20, "po_1"), amount=50))
    ledger.commit(Transaction(key(3), kind=TransactionKind.RELEASE, target=northwind.Target(key=key(1))))
    view = ledger.transaction(key(1))
    assert (view.captured, view.released, view.remaining) == (50, 10, 0) and len(view.links) == 2
    assert ledger.balance(book.shop).available == 50
    ledger.commit(Transaction(key(4), [(book.card, book.shop, 20)], kind=TransactionKind.REVERSE, target=key(2)))
    assert ledger.balance(book.shop).available == 70 and ledger.transaction(key(2)).reversed == 20
    assert ledger.find_by_reference(20, "po_1") == [view]
    assert ledger.transaction(view.sequence) == view


def test_host_records_are_written_with_the_transaction_only(book):
    book.ledger.commit(book.pay("a", host_records={"cursor": b"1"}))
    assert book.ledger.store.get("cursor") == b"1"
    with pytest.raises(northwind.InsufficientFunds):
        book.ledger.commit(Transaction(key(1), [(book.other, book.card, 1)], host_records={"cursor": b"2"}))
    assert book.ledger.store.get("cursor") == b"1"


def test_holds_expire_by_the_ledgers_clock(tmp_path):
    now = [NOON]
    with northwind.Ledger(tmp_path / "l", clock=lambda: now[0]) as ledger:
        a, b = ledger.open_account("a", "USD/2", external=True), ledger.open_account("b", "USD/2")
        expires = NOON + datetime.timedelta(minutes=5)
        ledger.commit(Transaction(key(1), [(a, b, 5)], kind=TransactionKind.HOLD, expires_at=expires))
        assert ledger.expire_holds() == 0
        now[0] = NOON + datetime.timedelta(minutes=6)
        assert ledger.expire_holds() == 1
        last = list(ledger.journal())[-1]
        assert isinstance(last, northwind.HoldExpired) and last.released == 5 and last.recorded_at == now[0]


def test_a_clock_that_raises_is_reported_and_the_time_before_holds(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: seen.append(unraisable.exc_value))
    fail = [False]

    def clock():
        if fail[0]:
            raise OSError("no time")
        return NOON

    with northwind.Ledger(tmp_path / "l", clock=clock) as ledger:
        fail[0] = True
        ledger.open_account("a", "USD/2")
        assert next(ledger.journal()).recorded_at == NOON
    assert seen and isinstance(seen[0], OSError)
    with pytest.raises(OSError):
        northwind.Ledger(tmp_path / "m", clock=clock)


# ---- Accounts and reads ---------------------------------------------------------------------------------------


def test_accounts(book):
    ledger = book.ledger
    assert ledger.open_account("merchant:1:available", "USD/2") == book.shop
    with pytest.raises(northwind.AlreadyExists):
        ledger.open_account("merchant:1:available", "EUR/2")
    with pytest.raises(northwind.InvalidArgument):
        ledger.open_account("with blank", "USD/2")
    many = ledger.open_accounts(northwind.AccountSpec(f"many:{i:05}", "USD/2", external=i % 2 == 0) for i in range(2500))
    assert len(set(many)) == 2500
    assert [a.id for a in ledger.accounts("many:")] == many
    account = ledger.account("merchant:1:available")
    assert account == ledger.account(book.shop) == ledger.account(account) and account.asset == "USD/2"
    with pytest.raises(northwind.NotFound):
        ledger.account("nobody")
    with pytest.raises(LookupError):
        ledger.balance(10**9)
    ledger.set_min_available(account, -500)
    ledger.commit(Transaction(key(1), [(account, book.card, 500)]))
    assert ledger.account(account).balance.available == -500
    ledger.freeze("merchant:2:available")
    assert ledger.account(book.other).state is northwind.AccountState.FROZEN
    ledger.unfreeze(book.other)
    ledger.close_account(book.other)
    assert ledger.account(book.other).state is northwind.AccountState.CLOSED
    with pytest.raises(northwind.FailedPrecondition):
        ledger.unfreeze(book.other)


def test_balances_as_of_every_record_and_moment(book):
    results = [book.ledger.commit(book.pay(str(i), 10**i)) for i in range(5)]
    for i, result in enumerate(results):
        expected = sum(10**j for j in range(i + 1))
        assert book.ledger.balance(book.shop, at=result.sequence).available == expected
        # A datetime names a microsecond; what was recorded within it is in.
        at = book.ledger.balance(book.shop, at=result.recorded_at).available
        same = [r for r in results if r.recorded_at == result.recorded_at]
        assert at == sum(10 ** results.index(r) for r in results[: i + 1]) or len(same) > 1
    assert book.ledger.balance(book.shop, at=NOON).available == 0
    with pytest.raises(northwind.OutOfRange):
        book.ledger.balance(book.shop, at=10**9)
    assert [b.available for b in book.ledger.balances([book.shop, "world:card"])] == [11_111, -11_111]


def test_history_is_paged_lazily_both_ways(book):
    batch = [book.pay(str(i), i + 1, code=i % 2) for i in range(2500)]
    book.ledger.commit(batch)
    entries = list(book.ledger.history(book.shop))
    assert [e.amount for e in entries] == list(range(1, 2501))
    assert list(book.ledger.history("merchant:1:available", reverse=True)) == entries[::-1]
    assert list(book.ledger.history(book.shop, code=1)) == entries[1::2]
    assert list(book.ledger.history(book.shop, after=entries[99].cursor)) == entries[100:]
    middle = entries[1000].recorded_at
    assert list(book.ledger.history(book.shop, start=middle)) + list(book.ledger.history(book.shop, end=middle)) != []
    iterator = book.ledger.history(book.shop)
    next(iterator)
    book.ledger.commit(book.pay("more", 7))
    assert sum(1 for _ in iterator) == 2500  # the one that came while it was read as well


def test_the_journal_tells_everything_in_order(book):
    book.ledger.commit([book.pay(str(i)) for i in range(2100)])
    book.ledger.freeze(book.other)
    records = list(book.ledger.journal())
    assert [r.sequence for r in records] == list(range(1, book.ledger.head.sequence + 1))
    assert [type(r).__name__ for r in records[:3]] == ["AccountOpened"] * 3
    assert records[3].transaction == book.pay("0") and records[3].moved == (Posting(book.card, book.shop, 10_000),)
    assert isinstance(records[-1], northwind.AccountChanged)
    assert list(book.ledger.journal(after=2100)) == records[2100:]
    assert book.ledger.block_at(book.ledger.head.sequence) == book.ledger.head


def test_following_the_journal_ends_when_nothing_comes(book):
    iterator = book.ledger.journal(follow=True, timeout=0)
    assert len(list(iterator)) == 3
    book.ledger.commit(book.pay("a"))
    assert [r.sequence for r in book.ledger.journal(3, follow=True, timeout=datetime.timedelta(0))] == [4]
    with pytest.raises(northwind.InvalidArgument):
        book.ledger.journal(timeout=1)


# ---- Care -----------------------------------------------------------------------------------------------------


def test_verify_tells_how_far_it_is_and_can_be_cancelled(book):
    book.ledger.commit([book.pay(str(i)) for i in range(5000)])
    seen = []
    report = book.ledger.verify(lambda checked, head: seen.append((checked, head)))
    assert report.transactions_applied == 5000 and report.head == book.ledger.head and report.accounts == 3
    assert seen and seen[-1][1] == book.ledger.head.sequence
    with pytest.raises(northwind.Cancelled):
        book.ledger.verify(lambda checked, head: False)

    def fails(checked, head):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        book.ledger.verify(fails)


def test_a_checkpoint_is_a_ledger_of_its_own(book, tmp_path):
    book.ledger.commit(book.pay("a"))
    head = book.ledger.checkpoint(tmp_path / "copy")
    book.ledger.commit(book.pay("b"))
    with northwind.Ledger(tmp_path / "copy") as copied:
        assert copied.head == head and copied.id == book.ledger.id
        assert copied.balance("merchant:1:available").available == 10_000
        assert copied.commit(book.pay("a")).outcome is Outcome.DUPLICATE
        copied.verify()


def test_export_and_import(book, tmp_path):
    book.ledger.commit(book.pay("a"))
    head = book.ledger.export_journal(tmp_path / "journal")
    with northwind.Store(tmp_path / "new") as store:
        assert northwind.Ledger.import_journal(store, tmp_path / "journal") == head
        with northwind.Ledger(store) as ledger:
            assert list(ledger.journal()) == list(book.ledger.journal())
        with pytest.raises(northwind.FailedPrecondition):
            northwind.Ledger.import_journal(store, tmp_path / "journal")


def test_reopening_gives_everything_back(tmp_path):
    book = Book(tmp_path / "l")
    result = book.ledger.commit(book.pay("a"))
    records = list(book.ledger.journal())
    book.ledger.close()
    with northwind.Ledger(tmp_path / "l", rebuild_indexes=True) as ledger:
        assert list(ledger.journal()) == records
        assert ledger.commit(book.pay("a")).sequence == result.sequence
        assert ledger.stats().accounts == 3


# ---- Store and closing ----------------------------------------------------------------------------------------


def test_records_of_the_host(tmp_path):
    with northwind.Store(tmp_path / "s") as store:
        store.write({f"k/{i:04}": str(i).encode() for i in range(1000)})
        store.write({"k/1000": b"", b"other": b"x"})
        assert [k for k, _ in store.items("k/")] == [f"k/{i:04}" for i in range(1001)]
        assert store.get("k/0007") == b"7" and store.get("k/1000") == b"" and store.get("nothing") is None
        store.write({"k/0007": None})
        assert store.get("k/0007") is None
        with pytest.raises(northwind.InvalidArgument):
            store.write({"nw/mine": b"x"})
        with pytest.raises(TypeError):
            store.write({"k": "text"})


def test_a_store_that_is_missing_or_taken(tmp_path):
    with pytest.raises(northwind.NotFound):
        northwind.Store(tmp_path / "none", create=False)
    with northwind.Store(tmp_path / "s"):
        with pytest.raises(northwind.FailedPrecondition):
            northwind.Store(tmp_path / "s")
    northwind.Store(tmp_path / "s").close()


def test_use_after_close_raises(tmp_path):
    ledger = northwind.Ledger(tmp_path / "l")
    account = ledger.open_account("a", "USD/2")
    journal, store = ledger.journal(), ledger.store
    ledger.close()
    ledger.close()
    assert ledger.closed and store.closed and "closed" in repr(ledger) + repr(store)
    uses = [
        lambda: ledger.balance(account), lambda: ledger.commit(Transaction(key(1))), lambda: ledger.head, lambda: next(journal),
        lambda: ledger.verify(), lambda: ledger.stats(), lambda: store.get("k"), lambda: ledger.__enter__(), lambda: ledger.accounts(),
        lambda: ledger.history(account), lambda: ledger.id, lambda: northwind.Ledger(store),
    ]
    for use in uses:
        with pytest.raises(northwind.Closed):
            use()


def test_a_store_is_not_closed_under_its_ledger(tmp_path):
    store = northwind.Store(tmp_path / "s")
    ledger = northwind.Ledger(store)
    with pytest.raises(northwind.FailedPrecondition, match="close that first"):
        store.close()
    with pytest.raises(northwind.FailedPrecondition):
        northwind.Ledger(store)
    assert not store.closed and ledger.head.sequence == 0
    ledger.close()
    assert not store.closed
    store.close()


def test_what_is_not_closed_is_closed_with_its_last_reference(tmp_path):
    for i in range(3):
        ledger = northwind.Ledger(tmp_path / "l")
        journal = ledger.journal()
        ledger.open_account(f"a{i}", "USD/2")
        del ledger, journal
    with northwind.Ledger(tmp_path / "l") as ledger:
        assert ledger.head.sequence == 3
