# SPDX-License-Identifier: Apache-2.0
"""Payment events in, ledger transactions out; payouts by a rail of Python."""

import datetime
import json
import threading

import pytest

import northwind
from conftest import NOON
from northwind import (
    AdjustmentDirection, EventFormat, EventStatus, EventType, Money, PaymentEvent, PayoutState, QuarantineCause, RailAnswer, RailState,
    RetryPolicy,
)

SHOP = "merchant:m_1:available:USD/2"


def captured(n, units=10_000, **fields):
    return PaymentEvent(EventType.PAYMENT_CAPTURED, "m_1", NOON, payment_id=f"pay_{n}", amount=("USD/2", units), **fields)


class World:
    def __init__(self, path):
        self.ledger = northwind.Ledger(path)
        self.scheduler = northwind.Scheduler(self.ledger.store)
        self.intake = northwind.Intake(self.ledger, scheduler=self.scheduler)

    def close(self):
        self.intake.close()
        self.scheduler.close()
        self.ledger.close()

    def available(self):
        return self.ledger.balance(SHOP).available


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path / "l")
    yield world
    world.close()


def test_an_event_in_every_form_is_one_event(world):
    event = captured(1, fee=Money("USD/2", 320), metadata={"order": "A-17", "naïve": "é"})
    as_dict = {
        "type": EventType.PAYMENT_CAPTURED, "payment_id": "pay_1", "occurred_at": NOON, "merchant_id": "m_1",
        "amount": {"asset": "USD/2", "units": 10_000}, "fee": {"asset": "USD/2", "units": "320"},
        "metadata": {"order": "A-17", "naïve": "é"},
    }
    text = event.to_json()
    assert json.loads(text)["amount"] == {"asset": "USD/2", "units": "10000"}
    forms = [event, as_dict, text, text.encode(), bytearray(text.encode())]
    result = world.intake.apply(forms)
    assert [o.status for o in result.outcomes] == [EventStatus.APPLIED] + [EventStatus.DUPLICATE] * 4
    (proto,) = world.intake.apply([event.to_proto()], format=EventFormat.PROTOBUF).outcomes
    assert proto.status is EventStatus.DUPLICATE and proto.type is EventType.PAYMENT_CAPTURED
    assert world.available() == 9680
    assert PaymentEvent.from_json(text) == PaymentEvent.from_proto(event.to_proto()) == event


def test_events_are_valid_or_are_not_made():
    with pytest.raises(northwind.InvalidArgument, match="^payment_id"):
        PaymentEvent(EventType.PAYMENT_CAPTURED, "m_1", NOON, amount=("USD/2", 1))
    with pytest.raises(northwind.InvalidArgument, match="^amount"):
        captured(1, 0)
    with pytest.raises(TypeError):
        captured(1, 1.5)
    with pytest.raises(northwind.InvalidArgument):
        PaymentEvent.from_json('{"type":"PAYMENT_CAPTURED","payment_id":"p","unknown":"x"}')
    event = PaymentEvent(
        EventType.ADJUSTMENT, "m_1", 1_709_294_400_000_000_001, payment_id="a", amount=("USD/2", 5), direction=AdjustmentDirection.DEBIT
    )
    assert event.occurred_at_ns == 1_709_294_400_000_000_001 and "00.000000001Z" in event.to_json()


def test_what_cannot_be_applied_is_kept_with_its_reason(world):
    bad = [b"{", {"type": "PAYMENT_CAPTURED"}, {**json.loads(captured(1).to_json()), "amount": {"asset": "USD/2", "units": 1.5}}]
    outcomes = world.intake.apply(bad, first_position=10).outcomes
    assert [o.status for o in outcomes] == [EventStatus.QUARANTINED] * 3 and {o.cause for o in outcomes} == {QuarantineCause.MALFORMED}
    kept = sorted(world.intake.quarantine(), key=lambda q: q.position)
    assert [q.position for q in kept] == [10, 11, 12] and kept[0].raw == b"{" and kept[2].detail.startswith("amount")
    assert world.intake.redrive_quarantined(kept[:1])[0].status is EventStatus.QUARANTINED
    assert world.intake.discard_quarantined([kept[0].id, kept[1]]) == 2 and len(list(world.intake.quarantine())) == 1
    with pytest.raises(northwind.NotFound):
        world.intake.redrive_quarantined([bytes(16)])
    for wrong in ("text", b"bytes", {"type": "x"}):
        with pytest.raises(TypeError):
            world.intake.apply(wrong)
    with pytest.raises(TypeError):
        world.intake.apply([1])
    with pytest.raises(northwind.InvalidArgument):
        world.intake.apply([{"occurred_at": datetime.datetime(2024, 3, 1)}])


def test_an_event_that_comes_too_early_waits_for_the_one_it_needs(tmp_path):
    world = World(tmp_path / "l")
    refund = PaymentEvent(EventType.PAYMENT_REFUNDED, "m_1", NOON, payment_id="pay_1", refund_id="r", amount=("USD/2", 400))
    (parked,) = world.intake.apply([refund], first_position=5).outcomes
    assert parked.status is EventStatus.PARKED and world.intake.parked == 1 and world.intake.parks_durably
    world.close()
    world = World(tmp_path / "l")
    result = world.intake.apply([captured(1)])
    assert [(late.position, late.outcome.status) for late in result.late] == [(5, EventStatus.APPLIED)]
    assert world.available() == 9600 and world.intake.retry_parked() == ()
    world.intake.apply([PaymentEvent(EventType.PAYMENT_REFUNDED, "m_1", NOON, payment_id="never", amount=("USD/2", 1))])
    (late,) = world.intake.finish()
    assert late.outcome.cause is QuarantineCause.TARGET_NOT_FOUND
    world.close()


def test_a_day_of_events_in_any_cut(world):
    events = [captured(n, n + 1).to_json() for n in range(3000)]
    first = world.intake.apply(events[:1700])
    second = world.intake.apply(iter(events[1500:]), first_position=1500)
    assert all(o.status is EventStatus.APPLIED for o in first.outcomes)
    assert [o.status for o in second.outcomes] == [EventStatus.DUPLICATE] * 200 + [EventStatus.APPLIED] * 1300
    assert world.available() == 3000 * 3001 // 2


# ---- Payouts --------------------------------------------------------------------------------------------------


class Bank:
    """Pays what it is told, once for each provider key; the first answer may get lost."""

    def __init__(self, first=RailState.PAID, then=RailState.PAID):
        self.first, self.then = first, then
        self.calls = []
        self.done = threading.Event()

    def submit(self, instruction):
        self.calls.append(("submit", instruction))
        return self.answer(self.first)

    def query(self, instruction):
        self.calls.append(("query", instruction))
        return self.answer(self.then)

    def answer(self, answer):
        if isinstance(answer, Exception):
            raise answer
        if answer is RailState.PAID or answer is RailState.FAILED:
            self.done.set()
        return answer


def request(n, units=500):
    return PaymentEvent(EventType.PAYOUT_REQUESTED, "m_1", NOON, payout_id=f"po_{n}", amount=("USD/2", units))


def at_once():
    return RetryPolicy(initial=datetime.timedelta(microseconds=1), cap=datetime.timedelta(microseconds=1))


def work(payouts, until=PayoutState.PAID):
    for _ in range(1000):
        payouts.follow_once()
        payouts.work_once()
        if payouts.payout("po_1").state is until:
            return
    raise AssertionError(payouts.payout("po_1"))


def test_a_rail_in_python_pays(world):
    world.intake.apply([captured(1), request(1)])
    bank = Bank()
    with northwind.Payouts(world.ledger, world.scheduler, world.intake, bank) as payouts:
        with pytest.raises(northwind.FailedPrecondition):
            world.intake.close()
        payouts.start()
        assert bank.done.wait(60)
        # The money moves once the event that the answer became is applied.
        for record in world.ledger.journal(follow=True):
            if isinstance(record, northwind.TransactionRecorded) and record.transaction.code == 1000 + EventType.PAYOUT_PAID:
                break
        while payouts.followed < record.sequence:
            assert payouts.error is None
        payouts.stop()
        assert payouts.error is None
        payout = payouts.payout("po_1")
        assert payout.amount == 500 and payout.submits == 1 and [m.what for m in payout.timeline][0] == "PAYOUT_REQUESTED"
        assert [p.payout_id for p in payouts.payouts(merchant_id="m_1", state=PayoutState.PAID)] == ["po_1"]
    ((name, instruction),) = bank.calls
    assert name == "submit" and (instruction.payout_id, instruction.asset, instruction.amount) == ("po_1", "USD/2", 500)
    assert world.available() == 9500 and world.ledger.balance(SHOP).debits_held == 0


def test_a_rail_that_raises_is_asked_and_never_told_twice(world, monkeypatch):
    unraisable = []
    monkeypatch.setattr("sys.unraisablehook", lambda hook: unraisable.append(hook.exc_value))
    world.intake.apply([captured(1), request(1)])
    bank = Bank(first=OSError("line is dead"))
    with northwind.Payouts(world.ledger, world.scheduler, world.intake, bank, policy=at_once()) as payouts:
        work(payouts)
        payout = payouts.payout("po_1")
        assert payout.submits == 1 and payout.queries == 1 and any("line is dead" in m.detail for m in payout.timeline)
    assert [name for name, _ in bank.calls] == ["submit", "query"] and isinstance(unraisable[0], OSError)
    assert bank.calls[0][1].provider_key == bank.calls[1][1].provider_key
    assert world.available() == 9500


def test_what_is_no_answer_is_unknown(world, monkeypatch):
    monkeypatch.setattr("sys.unraisablehook", lambda hook: None)
    world.intake.apply([captured(1), request(1)])
    bank = Bank(first=None, then=RailAnswer(RailState.PAID))
    with northwind.Payouts(world.ledger, world.scheduler, world.intake, bank, policy=at_once()) as payouts:
        work(payouts)
        assert payouts.payout("po_1").submits == 1


def test_a_payout_that_fails_gives_the_money_back(world):
    world.intake.apply([captured(1), request(1), request(2)])
    bank = Bank(first=RailAnswer(RailState.FAILED, "account closed"))
    with northwind.Payouts(world.ledger, world.scheduler, world.intake, bank) as payouts:
        payouts.follow_once()
        payouts.cancel("po_2")
        work(payouts, PayoutState.FAILED)
        assert any("account closed" in m.detail for m in payouts.payout("po_1").timeline)
        assert payouts.payout("po_2").state is PayoutState.CANCELED
        with pytest.raises(northwind.NotFound):
            payouts.payout("po_3")
    assert world.available() == 10_000 and world.ledger.balance(SHOP).debits_held == 0


def test_a_rail_has_both_methods(world):
    with pytest.raises(TypeError, match="query"):
        northwind.Payouts(world.ledger, world.scheduler, world.intake, type("Half", (), {"submit": lambda self, i: None})())
