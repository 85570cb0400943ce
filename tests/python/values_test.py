# SPDX-License-Identifier: Apache-2.0
"""Values: every immutable class of the module is pickled and copied, compared and hashed. One that no test makes here is missed by name."""

import copy
import datetime
import inspect
import multiprocessing
import pickle

import pytest

import northwind
from compare_world import COLUMNS, DAY, MAPPING, ONE, World, noon, row
from conftest import NOON, Book
from cutover_test import Claims, to_all
from northwind import EventType, PaymentEvent, _northwind

# With fields by which they are compared.
CLASSES = {c for c in vars(_northwind).values() if inspect.isclass(c) and hasattr(c, "__match_args__")}

PRECISE = 1_709_294_400_123_456_789  # nanoseconds, which no datetime has


def parts(value):
    """A value, and all values in it."""
    if type(value) in CLASSES:
        yield value
        for name in dir(value):
            if not name.startswith("_") and not callable(getattr(value, name)):
                yield from parts(getattr(value, name))
    elif isinstance(value, dict):
        for item in (*value.keys(), *value.values()):
            yield from parts(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from parts(item)


def everything_shown(value):
    """All that can be read of it, exceptions by what they say."""
    shown = {n: getattr(value, n) for n in dir(value) if not n.startswith("_") and not callable(getattr(value, n))}
    return {n: repr(v) if isinstance(v, Exception) else v for n, v in shown.items()}


@pytest.fixture(scope="module")
def values(tmp_path_factory, request):
    """Of each class some that northwind made, as they come."""
    path = tmp_path_factory.mktemp("values")
    found = []

    # What people make.
    retry = northwind.RetryPolicy(delays=[0, 1.5], jitter=northwind.Jitter.FULL, max_age=datetime.timedelta(days=400 * 365))
    endless = northwind.RetryPolicy(multiplier=1.25)
    found += [retry, endless, northwind.WebhookPolicy(retry=retry), northwind.AccountSpec("x", "USD/2", min_available=-(2**100))]
    found += [northwind.Posting(1, 2, 2**127 - 1), northwind.Target(key=bytes(range(16))), northwind.Target(code=7, reference="x"), northwind.HistoryCursor(3, 1)]
    full = northwind.Transaction(
        bytes(16), [(1, 2, 3), (2, 3, 2**80)], kind=northwind.TransactionKind.HOLD, target=(7, "x"), amount=5, final_capture=True, code=9,
        reference=b"\x80", unique_reference=True, effective_at=PRECISE, expires_at=PRECISE + 1, metadata=b"\0\xff", host_records={"k": b"v"},
    )
    found += [full, northwind.Transaction(bytes(16)), northwind.Money("JPY/0", 7), northwind.DeliveryName("m", "e", "x")]
    event = PaymentEvent(EventType.ADJUSTMENT, "m", PRECISE, payment_id="p", amount=("USD/2", 5), direction=northwind.AdjustmentDirection.DEBIT, metadata={"a": "b"})
    found += [event, northwind.TaskSpec("t", "q", b"\0", due=PRECISE, policy=retry), northwind.TaskSpec("t", "q")]
    found += [northwind.Finish(northwind.TaskHandle(1, 2, 3), northwind.Verdict.RETRY, error="x", not_before=PRECISE, host_records={"k": b"v"})]
    found += [northwind.RailAnswer(northwind.RailState.FAILED, "x", not_before=PRECISE), northwind.CountAndSum(3, -(2**90))]
    found += [northwind.ClaimRequest("x", "m", northwind.SettlementSystem.BATCH, 1, bytes(range(16)))]
    found += [northwind.ClaimRecord("x", "m", northwind.SettlementSystem.NORTHWIND, 2, PRECISE)]

    # A ledger.
    now = [PRECISE]
    book = Book(path / "l", clock=lambda: now[0])
    paid = book.ledger.commit([book.pay("a", 100, reference="x", effective_at=PRECISE), book.pay("a", 101), book.pay("b", 2**90)], balances=True)
    hold = northwind.Transaction(northwind.derive_key("h", NOON), [(book.shop, book.card, 7)], kind=northwind.TransactionKind.HOLD, expires_at=PRECISE + 10**12)
    found += paid + book.ledger.commit([hold], balances=True)
    book.ledger.freeze(book.other)
    found += [book.ledger.account(book.shop), book.ledger.transaction(hold.key), book.ledger.transaction(paid[0].sequence), book.ledger.head]
    found += list(book.ledger.history(book.shop)) + list(book.ledger.open_holds(book.shop)) + [book.ledger.stats(), book.ledger.verify()]
    now[0] += 10**13
    assert book.ledger.expire_holds() == 1
    scheduler = northwind.Scheduler(book.ledger.store)
    scheduler.schedule([northwind.TaskSpec(name, "q", b"\0") for name in "abc"])
    task, dead = scheduler.claim("q", 2)
    scheduler.kill(dead, "x")
    found += [task, *scheduler.tasks("q"), scheduler.queue("q"), scheduler.key("q", "k"), scheduler.stats()]
    intake = northwind.Intake(book.ledger, scheduler=scheduler)
    payments = [PaymentEvent(EventType.PAYMENT_REFUNDED, "m1", NOON, payment_id="p", refund_id="r", amount=("USD/2", 5))]
    payments += [PaymentEvent(EventType.PAYMENT_CAPTURED, "m1", NOON, payment_id=f"p{n}", amount=("USD/2", 500)) for n in ("", 1)]
    payments += [PaymentEvent(EventType.PAYOUT_REQUESTED, "m1", NOON, payout_id="o", amount=("USD/2", 50)), b"no event \xff"]
    found += [intake.apply(payments[:1]), intake.apply(payments[1:]), *intake.quarantine()]

    class Bank:
        def submit(self, payout):
            found.append(payout)
            return northwind.RailState.PAID

        query = submit

    with northwind.Payouts(book.ledger, scheduler, intake, Bank()) as payouts:
        while payouts.payout("o").state is not northwind.PayoutState.PAID if payouts.followed else True:
            payouts.follow_once()
            payouts.work_once()
        found.append(payouts.payout("o"))
    found += list(book.ledger.journal())
    with northwind.Webhooks(book.ledger, scheduler, {"k1": bytes(range(32))}, plain_http=True, ports=[1], allowed_networks={"127.0.0.1/32": [1]}) as webhooks:
        webhooks.create_endpoint("m1", "http://127.0.0.1:1/", id="e", policy=northwind.WebhookPolicy(retry=retry), headers={"X-A": "b"})
        webhooks.start()
        northwind_events = [PaymentEvent(EventType.PAYMENT_CAPTURED, "m1", NOON, payment_id="w", amount=("USD/2", 5))]
        intake.apply(northwind_events)
        while not list(webhooks.attempts("m1")):
            scheduler.claim("none", wait=0.05)  # what was sent has no other sign
        webhooks.stop()
        found += [*webhooks.deliveries("m1"), *webhooks.attempts("m1"), webhooks.endpoint_health("m1", "e"), webhooks.stats()]
        found += [webhooks.count_recoverable("m1", "e", NOON)]
        found += [webhooks.disable_endpoint("m1", "e", "x"), webhooks.enable_endpoint("m1", "e"), webhooks.start_recovery("m1", "e", NOON)]
    with northwind.SqsSource(intake, "http://127.0.0.1:1/1/q", region="eu-central-1", endpoint="http://127.0.0.1:1") as source:
        found.append(source.stats())
    with northwind.Mirror(book.ledger, "host=/nowhere") as mirror:
        found.append(mirror.stats())
    intake.close()
    scheduler.close()
    book.ledger.close()

    # A parallel run and a cutover.
    world = World(path / "w")
    for n in range(3):
        world.capture(f"p{n}", 100 + n)
    world.run.catch_up()
    found.append(world.run.ingest("batch", COLUMNS, [row("p0", "1.00"), row("p1", "9.00"), row("x", None), ["r", *[None] * 7]]))
    rule = northwind.IgnoreRule("r", owner="ann", reason="x", of=northwind.DiscrepancyClass.MISSING_THERE, first_day=DAY, last_day=DAY,
                                expires_at=noon(DAY + 9 * ONE), max_count=5, max_units={"USD/2": 2**100}, leg=northwind.Leg.CAPTURE)  # fmt: skip
    world.run.add_rule(rule)
    found += [rule, world.close_day(), world.run.report(DAY, DAY), world.run.gate(), *world.run.merchant_digests(DAY)]
    found += [world.run.discrepancy(d.id) for d in world.run.discrepancies()]
    rows = path / "rows.csv"
    rows.write_text("row,ref\n1,\n2,b\n")
    with northwind.LegacyFile(rows, northwind.LegacyFileFormat.CSV) as file:
        found.append(file.read(1))
    with northwind.Cutover(world.ledger.store, "salt") as cutover:
        to_all(cutover, "m1")
        claims = Claims()
        found += [*cutover.assign([("o1", "m1"), ("o2", "m1")]), cutover.status(), cutover.preview(5, [("m1", "USD/2", 2**100)])]
        claims.claim_for_batch("o1")
        found += [*cutover.residue(claims), cutover.hand_back(claims, ["o1"], "ann", "x"), *cutover.audit_log()]
        cutover.set_override("m1", northwind.Override.DENY, "ann", "x")
        found += cutover.overrides()
    world.close()
    return [part for value in found for part in parts(value)]


# What only a service gives, and services_test.py looks at.
OF_SERVICES = {"AuditReport", "LegacyBalance", "LegacyMerchant", "SqsCounts"}


def of_services(postgres, queues, path):
    northwind.Mirror.migrate(postgres, schema="values")
    book = Book(path / "services")
    with northwind.Mirror(book.ledger, postgres, schema="values") as mirror:
        mirror.start()
        mirror.wait_for(3, 60)
        yield mirror.audit()
        yield mirror.stats()
    scheduler = northwind.Scheduler(book.ledger.store)
    url = queues.sqs("create_queue", QueueName="values")["QueueUrl"]
    with northwind.Intake(book.ledger, scheduler=scheduler) as intake:
        with northwind.SqsSource(intake, url, endpoint=f"http://127.0.0.1:{queues.greeting['port']}") as source:
            yield source.count_messages()
    scheduler.close()
    book.ledger.close()
    with northwind.LegacyReader(postgres) as reader:
        yield from reader.merchants("SELECT 'm' AS merchant_id, 'Shop' AS name", ["merchant_id"])
        yield from reader.balances("SELECT 'm' AS merchant_id, 'USD/2' AS asset, -12.50 AS amount", ["merchant_id"])


def check(value):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(value, protocol))
        assert type(again) is type(value) and again is not value
        assert again == value and not again != value and hash(again) == hash(value) and repr(again) == repr(value)
        assert everything_shown(again) == everything_shown(value) and again.asdict() == value.asdict()
    assert copy.copy(value) == copy.deepcopy(value) == value
    assert copy.deepcopy([value]) == [value] and value != object() and value not in (None, 1, value.asdict())


def test_every_value_is_pickled_and_copied(values):
    for value in values:
        check(value)
    seen = {type(value).__name__ for value in values}
    assert seen == {c.__name__ for c in CLASSES} - OF_SERVICES


def test_values_of_services(postgres, queues, tmp_path):
    seen = set()
    for value in of_services(postgres, queues, tmp_path):
        check(value)
        seen.add(type(value).__name__)
    assert seen >= OF_SERVICES


def test_values_that_differ_are_told_apart(values):
    """Of each class, no two of other fields are equal; and whatever is in a set is found again."""
    for cls in CLASSES:
        mine = [v for v in values if type(v) is cls]
        assert all((a == b) == (a.asdict() == b.asdict()) for a in mine[:40] for b in mine[:40])
        assert all(pickle.loads(pickle.dumps(v)) in set(mine) for v in mine[:40])


def test_a_pickle_is_as_precise_as_the_ledger():
    event = PaymentEvent(EventType.PAYMENT_CAPTURED, "m", PRECISE, payment_id="p", amount=("USD/2", 5))
    assert pickle.loads(pickle.dumps(event)).occurred_at_ns == PRECISE
    assert pickle.loads(pickle.dumps(event)).to_proto() == event.to_proto()


def test_what_is_not_shown_is_kept():
    finish = northwind.Finish(northwind.TaskHandle(1, 2, 3), host_records={"key": b"value"})
    assert b"value" in pickle.dumps(finish) and pickle.loads(pickle.dumps(finish)).__reduce__() == finish.__reduce__()


def test_reports_are_whole(values):
    for report in [v for v in values if isinstance(v, northwind.RunReport)]:
        again = pickle.loads(pickle.dumps(report))
        assert (again.text(), again.json(), again.html()) == (report.text(), report.json(), report.html())


def test_what_is_no_pickle_of_it_is_refused(values):
    for cls in CLASSES:
        (restore, (restored, state)) = next(v for v in values if type(v) is cls).__reduce__() if cls.__name__ not in OF_SERVICES else (None, (cls, ()))
        assert restored is cls
        for wrong in ((*state, None), tuple("x" for _ in state) + ("x",)):
            with pytest.raises((ValueError, TypeError, northwind.InvalidArgument)):
                cls._restore(wrong)
        with pytest.raises(TypeError):
            cls._restore("x")


def test_exceptions_are_pickled_with_their_result(book):
    book.ledger.commit(book.pay("a"))
    with pytest.raises(northwind.Conflict) as raised:
        book.ledger.commit(book.pay("a", 1))
    again = pickle.loads(pickle.dumps(raised.value))
    assert type(again) is northwind.Conflict and again.result == raised.value.result and str(again) == str(raised.value)
    for name in northwind.errors.__all__:
        cls = getattr(northwind, name)
        if not issubclass(cls, northwind.TransactionError):
            again = pickle.loads(pickle.dumps(cls("x")))
            assert type(again) is cls and str(again) == "x"


def _applied_in_a_child(path, transactions):
    with northwind.Ledger(path) as ledger:
        ledger.open_account("world:card", "USD/2", external=True)
        ledger.open_account("merchant:1:available", "USD/2")
        try:
            ledger.commit(northwind.Transaction(bytes(16), [(2, 1, 1)]))
        except northwind.InsufficientFunds as error:
            return ledger.commit(transactions), error


def test_results_come_back_from_other_processes(tmp_path):
    transactions = [northwind.Transaction(northwind.derive_key(str(n), NOON), [(1, 2, n + 1)], effective_at=PRECISE) for n in range(100)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        results, error = pool.apply(_applied_in_a_child, (tmp_path / "l", transactions))
    assert all(result.applied for result in results) and error.result.reason is northwind.Reason.INSUFFICIENT_FUNDS
    with northwind.Ledger(tmp_path / "l") as ledger:
        assert ledger.commit(transactions)[5].sequence == results[5].sequence
        assert ledger.transaction(results[5].sequence).record.transaction == transactions[5]


def test_secrets_and_what_is_open_are_not_pickled(book):
    for value in (book.ledger, book.ledger.store, book.ledger.journal()):
        with pytest.raises(TypeError):
            pickle.dumps(value)
