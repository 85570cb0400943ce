# SPDX-License-Identifier: Apache-2.0
"""The move from the batch to northwind and back, with claims and a bank of Python."""

import datetime
import hashlib
import pathlib
import subprocess
import sys
import threading

import pytest

import compare_world
import northwind
from compare_world import COLUMNS, DAY, noon, row
from northwind import (
    ClaimRecord, ClaimRequest, ClaimVerdict, EventType, Leg, Override, PaymentEvent, PayoutState, RailState, RetryPolicy, RouteReason,
    SettlementSystem,
)

NORTHWIND, BATCH = SettlementSystem.NORTHWIND, SettlementSystem.BATCH


class Claims:
    """Claims in memory. `faults` are what the next calls of claim do instead: an exception before, or ("after", exception)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.claims = {}
        self.published = 0
        self.requests = []
        self.faults = []

    def claim(self, request):
        with self.lock:
            self.requests.append(request)
            fault = self.faults.pop(0) if self.faults else None
            if isinstance(fault, Exception):
                raise fault
            verdict = self.decide(request)
            if fault:
                raise fault[1]
            return verdict

    def decide(self, request):
        if request.id in self.claims:
            record, token = self.claims[request.id]
            if record.system is not request.system:
                return ClaimVerdict.OTHER
            return ClaimVerdict.CLAIMED if token == request.token else ClaimVerdict.HELD
        if request.epoch < self.published:
            return ClaimVerdict.STALE
        self.claims[request.id] = ClaimRecord(request.id, request.merchant_id, request.system, request.epoch, noon(DAY)), request.token
        return ClaimVerdict.CLAIMED

    def find(self, id):
        with self.lock:
            return self.claims[id][0] if id in self.claims else None

    def publish_epoch(self, epoch):
        with self.lock:
            self.published = max(self.published, epoch)

    def claim_for_batch(self, id):
        assert self.claim(ClaimRequest(id, "m1", BATCH, 2**64 - 1, bytes(16))) is ClaimVerdict.CLAIMED
        self.requests.clear()


@pytest.fixture
def store(tmp_path):
    with northwind.Store(tmp_path / "s") as store:
        yield store


@pytest.fixture
def cutover(store):
    with northwind.Cutover(store, "2026-spring") as cutover:
        yield cutover


def to_all(cutover, *merchants):
    cutover.add_merchants(merchants, "ann")
    cutover.force_raise(10_000, "ann", "test")


# ---- Settings and assignment ----------------------------------------------------------------------------------


def test_buckets_are_those_of_the_specification():
    for salt, merchant, bucket in (("2026-spring", "m_1", 3562), ("s", "x", 3748), ("a b", "c", 6963), ("~" * 64, "M" * 64, 4286)):
        assert northwind.cutover_bucket(salt, merchant) == bucket
        assert bucket == int.from_bytes(hashlib.sha256(salt.encode() + b"\0" + merchant.encode()).digest()[:7], "big") % 10_000


def test_an_assignment_is_for_ever(store, cutover):
    to_all(cutover, "m1")
    one, two = cutover.assign([("po_1", "m1"), ["po_2", "m9"]])
    assert (one.system, one.reason, one.epoch) == (NORTHWIND, RouteReason.BUCKET, cutover.status().epoch)
    assert (two.system, two.reason) == (BATCH, RouteReason.UNKNOWN_MERCHANT)
    cutover.lower(0, "ann", "odd figures")
    assert cutover.peek("m1") is BATCH and cutover.assign([("po_1", "m1")]) == (one,) == (cutover.find("po_1"),)
    cutover.close()
    with northwind.Cutover(store, "2026-spring") as again:
        assert again.find("po_1") == one and again.status().threshold == 0
    with pytest.raises(northwind.FailedPrecondition):
        northwind.Cutover(store, "another")


def test_overrides_are_listed_page_by_page(store, cutover):
    assert list(cutover.overrides()) == []
    names = [f"m{n:04}" for n in range(1003)]  # more than a page of the store's
    for name in reversed(names):
        cutover.set_override(name, Override.DENY, "ann", f"because of {name}")
    cutover.set_override("m0001", Override.ALLOW, "bob", "goes first")
    cutover.set_override("m0002", None, "bob", "mended")
    del names[2]
    pages = cutover.overrides()
    first, second = next(pages), next(pages)
    assert (first.merchant_id, first.value, first.actor, first.reason, first.line) == ("m0000", Override.DENY, "ann", "because of m0000", 1003)
    assert (second.merchant_id, second.value, second.actor, second.line) == ("m0001", Override.ALLOW, "bob", 1004)
    line = list(cutover.audit_log(1003))[0]
    assert (line.at, line.number, line.reason) == (second.at, second.line, second.reason)
    assert [first.merchant_id, second.merchant_id, *(item.merchant_id for item in pages)] == names
    assert [item.merchant_id for item in cutover.overrides(after="m1000")] == ["m1001", "m1002"]
    # What was not read yet is read as it is then.
    pages = cutover.overrides()
    next(pages)
    cutover.set_override("m1002", None, "ann", "mended")
    assert sum(1 for _ in pages) == len(names) - 2
    with pytest.raises(TypeError):
        cutover.overrides("m1")
    cutover.close()
    with northwind.Cutover(store, "2026-spring") as again:
        assert [item.merchant_id for item in again.overrides()] == names[:-1]
    with pytest.raises(northwind.Closed):
        cutover.overrides()


def test_what_is_wrong_does_nothing(store, cutover):
    to_all(cutover, "m1")
    with pytest.raises(northwind.NotFound):
        cutover.find("po_1")
    cutover.assign([("po_1", "m1")])
    with pytest.raises(northwind.InvalidArgument):
        cutover.assign([("po_2", "m1"), ("po_1", "m2")])
    with pytest.raises(northwind.NotFound):
        cutover.find("po_2")
    for wrong in (["ab"], [("a", "b", "c")], [("a", 1)]):
        with pytest.raises(TypeError):
            cutover.assign(wrong)
    for call in (lambda: cutover.finish("po_1"), lambda: cutover.add_merchants("m1", "ann"), lambda: cutover.finish([1])):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(northwind.InvalidArgument):
        cutover.lower(10_000, "ann", "is not lower")
    with pytest.raises(northwind.InvalidArgument):
        cutover.route_to_batch("", "nobody")
    with pytest.raises(northwind.FailedPrecondition):
        northwind.Cutover(store, "2026-spring")
    with pytest.raises(northwind.FailedPrecondition):
        store.close()


def test_switches_overrides_and_the_audit_log(cutover):
    to_all(cutover, "m1", "m2")
    cutover.set_override("m2", Override.DENY, "ann", "asked for it")
    assert cutover.peek("m2") is BATCH and cutover.status().denied == 1
    cutover.set_override("m2", None, "ann", "asked for it")
    assert cutover.peek("m2") is NORTHWIND
    cutover.route_to_batch("ann", "odd figures")
    cutover.stop_sending("ann", "odd figures")
    status = cutover.status()
    assert status.routed_to_batch and status.sending_stopped and status.sending == 0 and cutover.peek("m1") is BATCH
    cutover.force_resume_routing("bob", "figures were right")
    cutover.resume_sending("bob", "figures were right")
    cutover.advance_epoch(100, "bob", "restored")
    status = cutover.status()
    assert not status.routed_to_batch and not status.sending_stopped and status.epoch == 100
    assert (status.threshold, status.stages, status.merchants) == (10_000, (500, 2500, 10_000), 2)
    lines = list(cutover.audit_log())
    assert [line.number for line in lines] == list(range(1, len(lines) + 1)) and len({line.hash for line in lines}) == len(lines)
    assert lines[-1].actor == "bob" and lines[-1].epoch == 100 and "route_to_batch" in [line.action for line in lines]
    assert list(cutover.audit_log(after=len(lines) - 2)) == lines[-2:]


def test_a_preview_counts_merchants_and_money(cutover):
    cutover.add_merchants(["m_1", "m_42"], "ann")
    preview = cutover.preview(5000, [("m_1", "USD/2", 2**100), ("m_42", "USD/2", 5), ("m_x", "EUR/2", 7)])
    assert preview.units == {"USD/2": 2**100 + 5, "EUR/2": 7} and preview.merchants == 2
    assert preview.now.merchants == 0 and preview.then.merchants == 1 and preview.then.units == {"USD/2": 2**100} and preview.moved == ("m_1",)
    with pytest.raises(northwind.InvalidArgument):
        cutover.preview(5000, [("m_1", "USD/2", -1)])
    with pytest.raises(northwind.InvalidArgument):
        cutover.preview(5000, [("m_1", "USD/2", 2**128)])


def test_raising_asks_the_gate(tmp_path):
    world = compare_world.World(tmp_path / "l")
    cutover = northwind.Cutover(world.ledger.store, "2026-spring", stages=[100, 10_000], clock=lambda: world.now)
    world.capture("p1", 100)
    with pytest.raises(northwind.FailedPrecondition):
        cutover.raise_(world.run, "ann", "too early")
    assert cutover.status().threshold == 0
    world.run.ingest("batch", COLUMNS, [row("p1", "1.00")])
    assert world.close_day().clean
    cutover.raise_(world.run, "ann", "a clean day")
    assert cutover.status().threshold == 100
    with pytest.raises(northwind.FailedPrecondition):
        cutover.raise_(world.run, "ann", "no clean day since")
    cutover.route_to_batch("ann", "to see that it can be done")
    cutover.resume_routing(world.run, "ann", "the gate is open")
    assert not cutover.status().routed_to_batch
    with pytest.raises(TypeError):
        cutover.raise_(None, "ann", "no run")
    cutover.close()
    world.close()


# ---- Payouts --------------------------------------------------------------------------------------------------


class Bank:
    def __init__(self):
        self.calls = []
        self.paid = set()

    def submit(self, instruction):
        self.calls.append(("submit", instruction.payout_id))
        assert instruction.payout_id not in self.paid
        self.paid.add(instruction.payout_id)
        return RailState.PAID

    def query(self, instruction):
        self.calls.append(("query", instruction.payout_id))
        return RailState.PAID if instruction.payout_id in self.paid else RailState.NOT_FOUND


class World:
    """Payouts through a claimed rail; the clock is moved past every delay."""

    def __init__(self, path, wrap=lambda rail: rail):
        self.now = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.timezone.utc)
        clock = lambda: self.now  # noqa: E731
        self.ledger = northwind.Ledger(path, clock=clock)
        self.scheduler = northwind.Scheduler(self.ledger.store, clock=clock)
        self.intake = northwind.Intake(self.ledger, scheduler=self.scheduler)
        self.cutover = northwind.Cutover(self.ledger.store, "2026-spring", clock=clock)
        self.claims, self.bank = Claims(), Bank()
        to_all(self.cutover, "m1")
        self.apply(EventType.PAYMENT_CAPTURED, 10_000, payment_id="p1")
        self.rail = northwind.ClaimedRail(self.bank, self.claims, self.cutover)
        policy = RetryPolicy(initial=1, cap=1)
        self.payouts = northwind.Payouts(self.ledger, self.scheduler, self.intake, wrap(self.rail), policy=policy, clock=clock)

    def apply(self, type, cents, **ids):
        event = PaymentEvent(type, "m1", noon(DAY), amount=("USD/2", cents), **ids)
        assert self.intake.apply([event]).outcomes[0].status is northwind.EventStatus.APPLIED

    def request(self, *ids):
        for id in ids:
            self.apply(EventType.PAYOUT_REQUESTED, 100, payout_id=id)
        while self.payouts.follow_once():
            pass

    def work(self):
        """Once more for every payout that waits."""
        self.now += datetime.timedelta(minutes=10)
        while self.payouts.work_once():
            pass
        while self.payouts.follow_once():
            pass

    def state(self, id):
        return self.payouts.payout(id).state

    def close(self):
        for part in (self.payouts, self.rail, self.cutover, self.intake, self.scheduler, self.ledger):
            part.close()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path / "l")
    yield world
    world.close()


def test_what_is_assigned_is_claimed_and_paid_and_nothing_else(world):
    world.cutover.assign([("po_1", "m1")])
    world.claims.claim_for_batch("po_3")
    world.cutover.assign([("po_3", "m1")])
    world.request("po_1", "po_2", "po_3")
    for _ in range(3):
        world.work()
    assert world.bank.calls == [("submit", "po_1")] and world.state("po_1") is PayoutState.PAID
    (request,) = [r for r in world.claims.requests if r.id == "po_1"]
    assert (request.merchant_id, request.system, request.epoch) == ("m1", NORTHWIND, world.cutover.status().epoch) and len(request.token) == 16
    assert world.state("po_2") is PayoutState.REQUESTED and "not assigned" in world.payouts.payout("po_2").timeline[-1].detail
    assert world.state("po_3") is PayoutState.REQUESTED and "batch has claimed" in world.payouts.payout("po_3").timeline[-1].detail


def test_an_arbiter_that_cannot_answer_lets_payouts_wait(world, monkeypatch):
    unraisable = []
    monkeypatch.setattr("sys.unraisablehook", lambda hook: unraisable.append(hook.exc_value))
    world.cutover.assign([("po_1", "m1"), ("po_2", "m1")])
    # Each is asked twice with one token. The answer to the second is lost although the claim was made.
    lost = northwind.Unavailable("the connection was lost")
    world.claims.faults = [lost, lost, OSError("no line"), ("after", lost)]
    world.request("po_1", "po_2")
    world.work()
    assert world.bank.calls == [] and [world.state(id) for id in ("po_1", "po_2")] == [PayoutState.SUBMITTED] * 2
    assert [str(error) for error in unraisable] == ["no line"], "what an arbiter is expected to raise is no news"
    for _ in range(3):
        world.work()
    assert sorted(c for c in world.bank.calls if c[0] == "submit") == [("submit", "po_1"), ("submit", "po_2")]
    assert [world.state(id) for id in ("po_1", "po_2")] == [PayoutState.PAID] * 2


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("no words")


@pytest.mark.parametrize("error", [Unspeakable(), OSError("\udcff"), northwind.Unavailable("\udcff"), KeyError(), SystemExit()], ids=lambda error: type(error).__name__)
def test_whatever_an_arbiter_or_a_bank_raises_is_no_payment(world, monkeypatch, error):
    monkeypatch.setattr("sys.unraisablehook", lambda hook: None)

    def work():
        try:
            world.work()
        except SystemExit as end:  # the program's end is kept, and comes out of the call once that is done
            assert end is error

    world.cutover.assign([("po_1", "m1")])
    world.claims.faults = [error, error]
    world.request("po_1")
    work()
    assert world.bank.calls == [] and world.state("po_1") is PayoutState.SUBMITTED
    submit, answers = world.bank.submit, [error]

    def failing(instruction):
        if answers:
            raise answers.pop()
        return submit(instruction)

    monkeypatch.setattr(world.bank, "submit", failing)
    for _ in range(6):
        work()
    assert not answers and world.state("po_1") is PayoutState.PAID and world.bank.calls.count(("submit", "po_1")) == 1


def test_a_verdict_that_is_none_is_no_claim(world, monkeypatch):
    monkeypatch.setattr("sys.unraisablehook", lambda hook: None)
    world.cutover.assign([("po_1", "m1")])
    monkeypatch.setattr(world.claims, "claim", lambda request: 1)  # the value of CLAIMED, and not the member
    world.request("po_1")
    world.work()
    assert world.bank.calls == []


def test_nothing_is_sent_while_sending_is_stopped(world):
    world.cutover.assign([("po_1", "m1")])
    world.cutover.stop_sending("ann", "test")
    world.request("po_1")
    world.work()
    assert world.bank.calls == [] and world.claims.requests == []
    world.cutover.resume_sending("ann", "test")
    world.work()
    assert world.bank.calls == [("submit", "po_1")]


def test_beside_a_batch_a_rail_claims_first(world):
    world.payouts.close()
    with pytest.raises(northwind.FailedPrecondition):
        northwind.Payouts(world.ledger, world.scheduler, world.intake, world.bank)
    assert world.rail.claims_first


class Watched:
    """A rail of Python around a claimed one."""

    def __init__(self, rail):
        self.rail = rail
        self.claims_first = rail.claims_first
        self.submit, self.query, self.claim_to_cancel = rail.submit, rail.query, rail.claim_to_cancel


@pytest.mark.parametrize("wrap", [lambda rail: rail, Watched], ids=["itself", "within a rail of Python"])
def test_what_is_canceled_is_claimed(tmp_path, wrap):
    world = World(tmp_path / "l", wrap)
    world.claims.claim_for_batch("po_2")
    world.request("po_1", "po_2")
    world.payouts.cancel("po_1")
    assert world.claims.find("po_1").system is NORTHWIND
    with pytest.raises(northwind.FailedPrecondition, match="the batch has claimed it"):
        world.payouts.cancel("po_2")
    world.work()
    assert world.bank.calls == [] and world.state("po_1") is PayoutState.CANCELED
    world.close()


def test_after_a_rollback_the_batch_gets_what_nobody_has_claimed(world):
    world.cutover.assign([(f"po_{n}", "m1") for n in range(1, 5)])
    world.request("po_1", "po_2", "po_3")
    world.claims.claim_for_batch("po_2")
    world.cutover.publish_epoch(world.claims)
    assert world.claims.published == world.cutover.status().epoch
    assert world.claims.claim(ClaimRequest("po_1", "m1", NORTHWIND, world.claims.published, b"t" * 16)) is ClaimVerdict.CLAIMED
    residue = {item.assignment.id: item.claim and item.claim.system for item in world.cutover.residue(world.claims)}
    assert residue == {"po_1": NORTHWIND, "po_2": BATCH, "po_3": None, "po_4": None}
    assert [item.assignment.id for item in world.cutover.residue(world.claims, after="po_2")] == ["po_3", "po_4"]
    # No money is held for po_4: nobody has to pay it.
    result = world.cutover.hand_back(world.claims, residue, "ann", "rolled back", ledger=world.ledger)
    assert (result.handed, result.kept, result.before, result.finished) == (1, 1, 1, 1)
    assert world.claims.find("po_3").system is BATCH
    world.cutover.finish(["po_1", "po_2", "po_3", "po_4"])
    assert list(world.cutover.residue(world.claims)) == [] and world.cutover.status().residue == 0


def test_what_an_arbiter_raises_comes_back(world):
    world.cutover.assign([("po_1", "m1")])

    class Down(Claims):
        def find(self, id):
            raise northwind.PermissionDenied("not you")

    with pytest.raises(northwind.PermissionDenied, match="not you"):
        list(world.cutover.residue(Down()))
    for wrong in (None, object()):
        with pytest.raises(TypeError):
            world.cutover.residue(wrong)
        with pytest.raises(TypeError):
            northwind.ClaimedRail(world.bank, wrong, world.cutover)
    with pytest.raises(TypeError):
        northwind.ClaimedRail(object(), world.claims, world.cutover)


def test_what_stands_on_it_is_closed_first(world):
    with pytest.raises(northwind.FailedPrecondition):
        world.cutover.close()
    with pytest.raises(northwind.FailedPrecondition):
        world.rail.close()
    world.payouts.close()
    world.rail.close()
    world.cutover.close()
    with pytest.raises(northwind.Closed):
        northwind.ClaimedRail(world.bank, world.claims, world.cutover)
    with pytest.raises(northwind.Closed):
        world.cutover.status()


def test_the_parallel_run_asks_who_pays(tmp_path):
    world = compare_world.World(tmp_path / "l")
    world.run.close()
    cutover, claims = northwind.Cutover(world.ledger.store, "2026-spring"), Claims()
    to_all(cutover, "m1")
    cutover.assign([("po_1", "m1"), ("po_2", "m1")])
    claims.claim_for_batch("po_2")
    pays = northwind.northwind_pays(cutover, claims)
    assert [pays(Leg.PAYOUT, id, "m1") for id in ("po_1", "po_2", "po_3")] == [True, False, False] and not pays(Leg.CAPTURE, "po_1", "m1")
    world.open(is_ours=pays)
    world.capture("p1", 1000)
    world.payout("po_1", 300)
    world.payout("po_2", 200)
    rows = [row("p1", "10.00"), row("po_2", "2.00", kind="PAY", status="OPEN")]
    world.run.ingest("batch", COLUMNS, rows)
    world.close_day()
    assert [d.id for d in world.run.discrepancies()] == ["payout:po_1"]
    with pytest.raises(northwind.FailedPrecondition):
        cutover.close()
    world.run.close()
    cutover.close()
    world.close()
    with pytest.raises(northwind.Closed):
        pays(Leg.PAYOUT, "po_1", "m1")


LEFT_OPEN = """
import sys
sys.path.insert(0, sys.argv[2])
import cutover_test, compare_world, northwind
world = cutover_test.World(sys.argv[1])
world.cutover.assign([("po_1", "m1")])
world.request("po_1")
world.payouts.start()
run = northwind.ParallelRun(world.ledger, compare_world.MAPPING, is_ours=northwind.northwind_pays(world.cutover, world.claims))
world.bank.world = world.claims.world = world  # and in circles
run.catch_up()
pages = run.discrepancies(), world.cutover.residue(world.claims)
print(len(list(world.cutover.audit_log())))
"""


def test_what_is_left_open_is_closed_at_the_end_of_the_process(tmp_path):
    program = [sys.executable, "-X", "dev", "-c", LEFT_OPEN, str(tmp_path / "l"), str(pathlib.Path(__file__).parent)]
    end = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert (end.returncode, end.stdout, end.stderr) == (0, "2\n", "")
    with northwind.Ledger(tmp_path / "l") as ledger, northwind.Cutover(ledger.store, "2026-spring") as cutover:
        assert cutover.find("po_1").system is NORTHWIND
