# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C, a real SIGINT, ends every kind of long call, and leaves what it was called on as good as before.

The program of each test writes "begun" and makes the call without a step of Python in between, so that the signal can be answered by the call
alone; what comes before the call or after it does not count. A call that comes to its end is made again: one that is deaf to signals never ends
the program, and the test fails by its time limit.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import textwrap

import pytest

HERE = pathlib.Path(__file__).parent

PROGRAM = """
import functools, itertools, operator, os, pathlib, signal, sys
import northwind
from conftest import NOON, Book
from compare_world import COLUMNS, DAY, MAPPING, ONE, World, noon, row

path, server = pathlib.Path(sys.argv[1]), sys.argv[2]
done = []

def ignore(*_):
    pass

signal.signal(signal.SIGINT, ignore)

def interrupted(prepare):
    while True:
        call = prepare()
        try:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                done.extend(map(operator.methodcaller("__call__"), [functools.partial(os.write, 1, b"begun\\n"), call]))
            finally:
                signal.signal(signal.SIGINT, ignore)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, ignore)
            if len(done) == 1:  # "begun" is written, and the call has not come to its end
                return
        finally:
            done.clear()

def same(function, *arguments, **options):
    call = functools.partial(function, *arguments, **options)
    return lambda: call

def events(count, merchants=50):
    return [
        northwind.PaymentEvent(northwind.EventType.PAYMENT_CAPTURED, f"m{n % merchants}", noon(DAY), payment_id=f"p{n}", amount=("USD/2", n + 1))
        for n in range(count)
    ]

def compared(count, **options):
    "A day of so many captures, of which the batch has all but some."
    world = World(path / "w", **options)
    batch = events(count)
    world.intake.apply(batch)
    world.run.catch_up()
    rows = [["r" + e.payment_id, "CAP", e.payment_id, e.merchant_id, "USD", f"{e.amount.units // 100}.{e.amount.units % 100:02}", "OK",
             DAY.isoformat()] for e in batch if e.amount.units % 100]
    world.run.ingest("batch", COLUMNS, rows)
    return world, rows

def journaled(name, count=20_000):
    import numpy
    book = Book(path / name)
    keys = numpy.zeros((count, 2), ">u8")
    keys[:, 1] = numpy.arange(count)
    book.ledger.commit_arrays(keys, book.card, book.shop, 1)
    return book

"""

# By name: what is called, and what holds afterwards.
COMPARE = {
    "verify": """
        world, _ = compared(3000)
        world.close_day()
        interrupted(same(world.run.verify))
        world.run.verify()
    """,
    "close_day": """
        world, _ = compared(3000)
        interrupted(same(world.run.close_day, DAY, "ann"))
        assert world.run.days(DAY, DAY)[0].state is not northwind.DayState.OPEN  # begun, or closed by a turn before
        figures = world.run.close_day(DAY, "ann")
        assert figures.state is northwind.DayState.CLOSED and figures.by_class[northwind.DiscrepancyClass.MISSING_THERE] == 30
        world.run.verify()
    """,
    "days": """
        world, _ = compared(3000)
        interrupted(same(world.run.days, DAY, DAY))
        assert world.run.days(DAY, DAY)[0].assets["USD/2"].ours.ingested.count == 3000
    """,
    "report": """
        world, _ = compared(3000)
        world.close_day()
        interrupted(same(world.run.report, DAY, DAY))
        assert world.run.report(DAY, DAY).unresolved_count == 30
    """,
    "ingest": """
        world, rows = compared(100)
        more = [[f"s{n}", "CAP", f"x{n}", "m1", "USD", "1.00", "OK", DAY.isoformat()] for n in range(30_000)]
        interrupted(same(world.run.ingest, "more", COLUMNS, more, next="end"))
        result = world.run.ingest("more", COLUMNS, more, next="end")
        assert result.rows == 30_000 and result.new_rows + result.unchanged == 30_000
        assert world.run.days(DAY, DAY)[0].assets["USD/2"].theirs.ingested.count == 30_099
        world.run.verify()
    """,
    "opening with another mapping": """
        world, _ = compared(3000)
        mappings = itertools.cycle([{**MAPPING, "skipped_statuses": {"VOID"}}, MAPPING])
        def reopen():
            world.run.close()
            return functools.partial(northwind.ParallelRun, world.ledger, next(mappings), clock=lambda: world.now)
        interrupted(reopen)
        world.open()
        world.run.verify()
        assert world.run.days(DAY, DAY)[0].assets["USD/2"].theirs.ingested.count == 2970
    """,
    "preview": """
        book = Book(path / "l")
        cutover = northwind.Cutover(book.ledger.store, "salt")
        merchants = [f"m{n}" for n in range(10_000)]
        cutover.add_merchants(merchants, "ann")
        interrupted(same(cutover.preview, 5000))
        assert cutover.preview(10_000).then.merchants == 10_000
    """,
}
LEDGER = {
    "verify": """
        book = journaled("l")
        interrupted(same(book.ledger.verify))
        book.ledger.verify()
    """,
    "export_journal": """
        book = journaled("l")
        names = itertools.count()
        interrupted(lambda: functools.partial(book.ledger.export_journal, path / f"export{next(names)}"))
        assert not (path / f"export{next(names) - 1}").exists()  # nothing half done
        head = book.ledger.export_journal(path / "export")
        assert head == book.ledger.head
    """,
    "import_journal": """
        book = journaled("l")
        book.ledger.export_journal(path / "export")
        stores = []
        def empty():
            stores.append(northwind.Store(path / f"copy{len(stores)}"))
            return functools.partial(northwind.Ledger.import_journal, stores[-1], path / "export")
        interrupted(empty)
        assert northwind.Ledger.import_journal(stores[-1], path / "export") == book.ledger.head
        northwind.Ledger(stores[-1]).verify()
    """,
    "opening that derives everything again": """
        book = journaled("l")
        head = book.ledger.head
        book.ledger.close()
        interrupted(same(northwind.Ledger, path / "l", rebuild_indexes=True))
        with northwind.Ledger(path / "l") as ledger:
            assert ledger.head == head and ledger.verify().transactions_applied == 20_000
    """,
    "journal_arrays": """
        book = journaled("l")
        interrupted(same(book.ledger.journal_arrays))
        assert len(book.ledger.journal_arrays().records) == 20_003
    """,
    "history_array": """
        book = journaled("l")
        interrupted(same(book.ledger.history_array, book.shop))
        assert len(book.ledger.history_array(book.shop)) == 20_000
    """,
    "commit_arrays": """
        import numpy
        book = Book(path / "l")
        keys = numpy.zeros((200_000, 2), ">u8")
        keys[:, 1] = numpy.arange(len(keys))
        interrupted(same(book.ledger.commit_arrays, keys, book.card, book.shop, 1))
        answers = book.ledger.commit_arrays(keys, book.card, book.shop, 1)
        assert set(answers["original"].tolist()) == {northwind.Outcome.APPLIED} and book.ledger.balance(book.shop).available == len(keys)
    """,
    "apply": """
        book = Book(path / "l")
        intake = northwind.Intake(book.ledger, batch_size=500)
        day = events(20_000)
        # Refunds that come before their payments, and wait.
        early = [northwind.PaymentEvent(northwind.EventType.PAYMENT_REFUNDED, e.merchant_id, noon(DAY), payment_id=e.payment_id, refund_id="r",
                                        amount=("USD/2", 1)) for e in day[::100]]
        interrupted(same(intake.apply, early + day))
        intake.apply(early + day)
        assert intake.parked == 0
        assert sum(a.balance.available for a in book.ledger.accounts("merchant:m")) == sum(e.amount.units for e in day) - len(early)
        book.ledger.verify()
    """,
    "following the journal": """
        book = Book(path / "l")
        interrupted(lambda: functools.partial(next, book.ledger.journal(3, follow=True)))
        book.ledger.commit(book.pay("a"))
    """,
    "claiming a task": """
        book = Book(path / "l")
        scheduler = northwind.Scheduler(book.ledger.store)
        interrupted(same(scheduler.claim, "queue", wait=3600))
        scheduler.schedule(northwind.TaskSpec("t", "queue"))
        assert [t.id for t in scheduler.claim("queue")] == ["t"]
    """,
    "a rail that is interrupted": """
        import select
        book = Book(path / "l")
        scheduler = northwind.Scheduler(book.ledger.store)
        intake = northwind.Intake(book.ledger, scheduler=scheduler)
        intake.apply([northwind.PaymentEvent(northwind.EventType.PAYMENT_CAPTURED, "m", NOON, payment_id="p", amount=("USD/2", 100)),
                      northwind.PaymentEvent(northwind.EventType.PAYOUT_REQUESTED, "m", NOON, payout_id="o", amount=("USD/2", 100))])
        class Bank:
            submits = queries = 0
            def submit(self, payout):
                self.submits += 1
                os.write(1, b"begun\\n")
                while True:  # a signal that comes just before a wait does not end it
                    select.select([], [], [], 0.1)
            def query(self, payout):
                self.queries += 1
                return northwind.RailState.PAID
        bank = Bank()
        payouts = northwind.Payouts(book.ledger, scheduler, intake, bank, policy=northwind.RetryPolicy(initial=0.001, cap=0.001))
        while payouts.follow_once():
            pass
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            while True:
                payouts.work_once()
        except KeyboardInterrupt:
            pass
        assert payouts.payout("o").state is northwind.PayoutState.SUBMITTED and bank.submits == 1
        while payouts.payout("o").state is not northwind.PayoutState.PAID:
            payouts.work_once()
            payouts.follow_once()
        assert (bank.submits, bank.queries) == (1, 1)
    """,
}
# Against something that takes connections and never answers.
MUTE = {
    "LegacyReader": "interrupted(same(northwind.LegacyReader, server, statement_timeout=3600))",
    "PostgresClaims.migrate": "interrupted(same(northwind.PostgresClaims.migrate, server))",
    "PostgresClaims.find": """
        claims = northwind.PostgresClaims(server, statement_timeout=3600)
        interrupted(same(claims.find, "po_1"))
        claims.close()
    """,
    "PostgresClaims.claim": """
        claims = northwind.PostgresClaims(server, statement_timeout=3600, connections=1)
        request = northwind.ClaimRequest("po_1", "m1", northwind.SettlementSystem.NORTHWIND, 1, bytes(16))
        interrupted(same(claims.claim, request))
        claims.close()
    """,
    "Mirror.migrate": "interrupted(same(northwind.Mirror.migrate, server))",
    "Mirror.reset": "interrupted(same(northwind.Mirror.reset, server))",
    "Mirror.audit": """
        book = Book(path / "l")
        with northwind.Mirror(book.ledger, server, statement_timeout=3600) as mirror:
            interrupted(same(mirror.audit))
    """,
    "Mirror.wait_for": """
        book = Book(path / "l")
        with northwind.Mirror(book.ledger, server, statement_timeout=3600) as mirror:
            mirror.start()
            interrupted(same(mirror.wait_for, 3, 3600))
    """,
    "Cutover.residue": """
        book = Book(path / "l")
        cutover = northwind.Cutover(book.ledger.store, "salt")
        cutover.add_merchants(["m1"], "ann")
        cutover.force_raise(10_000, "ann", "test")
        cutover.assign([("po_1", "m1")])
        with northwind.PostgresClaims(server, statement_timeout=3600) as claims:
            interrupted(lambda: functools.partial(next, cutover.residue(claims)))
            interrupted(same(cutover.hand_back, claims, ["po_1"], "ann", "test"))
            interrupted(same(cutover.publish_epoch, claims))
        assert cutover.status().residue == 1
    """,
    "close_day that asks": """
        world = World(path / "w")
        with northwind.Cutover(world.ledger.store, "salt") as cutover, northwind.PostgresClaims(server, statement_timeout=3600) as claims:
            world.run.close()
            world.open(is_ours=northwind.northwind_pays(cutover, claims))
            world.capture("p1", 100)
            world.payout("o1", 100)
            world.run.catch_up()
            interrupted(same(world.run.close_day, DAY, "ann"))
            world.run.close()
    """,
    "SqsSource.start": """
        book = Book(path / "l")
        intake = northwind.Intake(book.ledger, scheduler=northwind.Scheduler(book.ledger.store))
        with northwind.SqsSource(intake, "http://127.0.0.1/1/queue", region="eu-central-1", endpoint=sys.argv[3]) as source:
            interrupted(same(source.start))
            assert source.stats().state is northwind.SqsState.STOPPED
            interrupted(same(source.count_messages))
    """,
}
# Against a server.
POSTGRES = {
    "LegacyReader.read": """
        def stays_good(begin):
            "Not if the server takes longer than 0.3 s to end the statement, as a busy machine's may."
            with northwind.LegacyReader(server, statement_timeout=3600) as reader:
                one = reader.read("SELECT 1 AS n", ["n"])
                interrupted(lambda: begin(reader))
                try:
                    return reader.read("SELECT 1 AS n", ["n"]) == one  # in the same snapshot
                except northwind.Unavailable:
                    return False
        for sql in ("SELECT n, pg_sleep(3600)::text FROM generate_series(1, 2) n", "SELECT sum(n) AS n FROM generate_series(1, 1000000000000) n"):
            while not stays_good(lambda reader: functools.partial(reader.read, sql, ["n"])):
                pass
        slow = "SELECT '' AS merchant_id, '' AS asset, pg_sleep(3600)::text AS units"
        while not stays_good(lambda reader: functools.partial(next, reader.balances(slow, ["merchant_id"]))):
            pass
        running = "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        left = None
        while left != (("0",),):  # nothing is left running there
            with northwind.LegacyReader(server) as reader:
                left = reader.read(running, ["n"]).rows
    """,
}


def run(code, tmp_path, server="", endpoint="", limit=100):
    """Runs it, with a signal for each time that a call has begun, until it ends."""
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with subprocess.Popen(
        ["timeout", "--signal=KILL", str(limit), sys.executable, "-c", PROGRAM + textwrap.dedent(code) + "\nprint('good')\n",
         str(tmp_path), server, endpoint],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as process:
        signals = 0
        try:
            for line in process.stdout:
                if line == "begun\n":
                    signals += 1
                    # Of `timeout`; none if that has killed it.
                    for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                        os.kill(int(child), signal.SIGINT)
                else:
                    assert line == "good\n"
                    break
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, error) == (0, ""), (process.returncode, error)
    assert signals > 0


@contextlib.contextmanager
def mute():
    """A port that takes connections, and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]


@pytest.mark.parametrize("call", COMPARE)
def test_a_parallel_run(tmp_path, call):
    run(COMPARE[call], tmp_path)


@pytest.mark.parametrize("call", LEDGER)
def test_a_ledger(tmp_path, call):
    pytest.importorskip("numpy")
    run(LEDGER[call], tmp_path)


@pytest.mark.parametrize("call", MUTE)
def test_something_that_does_not_answer(tmp_path, call):
    with mute() as port:
        run(MUTE[call], tmp_path, f"host=127.0.0.1 port={port} user=x dbname=x sslmode=disable connect_timeout=0", f"http://127.0.0.1:{port}")


def test_a_queue_that_never_answers(tmp_path):
    """A source that waits for its queue is waited for without an end."""
    with mute() as port:
        pass  # refused from here on
    code = """
        book = Book(path / "l")
        intake = northwind.Intake(book.ledger, scheduler=northwind.Scheduler(book.ledger.store))
        with northwind.SqsSource(intake, "http://127.0.0.1/1/queue", region="eu-central-1", endpoint=sys.argv[3]) as source:
            source.start()
            interrupted(same(source.wait_until_drained))
            assert source.wait_until_drained(0) is False
    """
    run(code, tmp_path, endpoint=f"http://127.0.0.1:{port}")


def test_a_legacy_reader(tmp_path, postgres):
    run(POSTGRES["LegacyReader.read"], tmp_path, postgres)


def test_a_call_that_hears_nothing_is_found(tmp_path):
    """What all of the above rests on: sum looks at no signals."""
    with pytest.raises(AssertionError, match="-9"):
        run("interrupted(same(sum, range(10**6)))", tmp_path, limit=5)


def test_a_handler_of_the_programs_own_runs_after_the_call_and_may_call_whatever_it_wants(tmp_path):
    """Within the call it would wait for locks that the call holds."""
    code = """
        book = Book(path / "l")
        scheduler = northwind.Scheduler(book.ledger.store)
        intake = northwind.Intake(book.ledger, scheduler=scheduler)
        called = []
        def stop(*_):
            intake.apply(events(1))
            called.append(scheduler.stats())
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGALRM, stop)
        more = events(60_000)
        os.write(1, b"begun\\n")
        while len(called) < 4:  # each a call in whose middle the alarm comes, wherever the signal of the test does
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            assert len(intake.apply(more).outcomes) == 60_000
    """
    run(code, tmp_path)


def test_an_exit_of_the_program_within_a_rail_is_not_lost(tmp_path):
    code = """
        book = Book(path / "l")
        scheduler = northwind.Scheduler(book.ledger.store)
        intake = northwind.Intake(book.ledger, scheduler=scheduler)
        intake.apply([northwind.PaymentEvent(northwind.EventType.PAYMENT_CAPTURED, "m", NOON, payment_id="p", amount=("USD/2", 100)),
                      northwind.PaymentEvent(northwind.EventType.PAYOUT_REQUESTED, "m", NOON, payout_id="o", amount=("USD/2", 100))])
        class Bank:
            def submit(self, payout):
                os.write(1, b"begun\\n")
                sys.exit(3)
            def query(self, payout):
                return northwind.RailState.PAID
        payouts = northwind.Payouts(book.ledger, scheduler, intake, Bank(), policy=northwind.RetryPolicy(initial=0.001, cap=0.001))
        while payouts.follow_once():
            pass
        try:
            while True:
                payouts.work_once()
        except SystemExit as end:
            assert end.code == 3
        assert payouts.payout("o").state is northwind.PayoutState.SUBMITTED
    """
    run(code, tmp_path)
