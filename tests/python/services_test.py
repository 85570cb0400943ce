# SPDX-License-Identifier: Apache-2.0
"""The SQS source and the mirror in PostgreSQL, each with a server of its own."""

import contextlib

import pytest

import northwind
from conftest import NOON, Book
from northwind import ClaimRequest, ClaimVerdict, EventType, MirrorState, PaymentEvent, SettlementSystem, SqsPoison, SqsState


# ---- SQS ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def settling(path):
    with northwind.Ledger(path) as ledger, northwind.Scheduler(ledger.store) as scheduler:
        with northwind.Intake(ledger, scheduler=scheduler) as intake:
            yield ledger, intake


def test_a_queue_is_settled_and_empty(queues, tmp_path):
    url = queues.sqs("create_queue", QueueName="events")["QueueUrl"]
    texts = [
        PaymentEvent(EventType.PAYMENT_CAPTURED, "m_1", NOON, payment_id=f"p{n % 20}", amount=("USD/2", n % 20 + 1)).to_json()
        for n in range(30)
    ] + ["no event"]
    for n, text in enumerate(texts):
        queues.sqs("send_message", QueueUrl=url, MessageBody=text)
    endpoint = f"http://127.0.0.1:{queues.greeting['port']}"
    with settling(tmp_path / "l") as (ledger, intake):
        with northwind.SqsSource(intake, url, endpoint=endpoint, wait=0, poison=SqsPoison.QUARANTINE) as source:
            assert source.stats().state is SqsState.STOPPED and source.stats().error is None
            source.start()
            with pytest.raises(northwind.FailedPrecondition):
                intake.close()
            assert source.wait_until_drained(120)
            assert source.count_messages().none
            stats = source.stats()
            assert (stats.applied, stats.duplicates, stats.poison, stats.deleted) == (20, 10, 1, 31)
            source.stop()
        assert ledger.balance("merchant:m_1:available:USD/2").available == 210
        assert [q.raw for q in intake.quarantine()] == [b"no event"]
        with pytest.raises(northwind.Closed):
            source.stats()


def test_a_queue_that_is_not_there(queues, tmp_path):
    url = queues.sqs("create_queue", QueueName="events2")["QueueUrl"]
    with settling(tmp_path / "l") as (ledger, intake):
        with northwind.SqsSource(intake, url + "x", endpoint=f"http://127.0.0.1:{queues.greeting['port']}") as source:
            with pytest.raises(northwind.NotFound):
                source.start()
        with pytest.raises(northwind.InvalidArgument):
            northwind.SqsSource(intake, url, pollers=0)
    with northwind.Ledger(tmp_path / "m") as ledger, northwind.Intake(ledger) as intake:
        with pytest.raises(northwind.FailedPrecondition):
            northwind.SqsSource(intake, url)


# ---- PostgreSQL -----------------------------------------------------------------------------------------------


def test_postgres_holds_what_the_journal_says(postgres, tmp_path):
    book = Book(tmp_path / "l")
    with pytest.raises(northwind.Error):
        with northwind.Mirror(book.ledger, postgres, schema="absent") as mirror:
            mirror.start()
            mirror.wait_for(1, 60)
    northwind.Mirror.migrate(postgres)
    with northwind.Mirror(book.ledger, postgres) as mirror:
        with pytest.raises(northwind.FailedPrecondition):
            book.ledger.close()
        assert mirror.read_watermark() == 0 and mirror.stats().connections == 0
        mirror.start()
        results = book.ledger.commit([book.pay(str(n), n + 1) for n in range(3000)])
        mirror.wait_for(results[-1].sequence, 120)
        stats = mirror.stats()
        assert stats.state is MirrorState.RUNNING and stats.mirrored == stats.head == 3003 and stats.lag_records == 0 and stats.error is None
        with pytest.raises(northwind.DeadlineExceeded):
            mirror.wait_for(10**9, 0)
        assert mirror.read_watermark() == 3003
        seen = []
        report = mirror.audit(lambda checked, end: seen.append((checked, end)))
        assert report.clean and report.watermark == 3003 and report.transactions == 3000 and report.accounts == 3 and seen
        with pytest.raises(northwind.Cancelled):
            mirror.audit(lambda checked, end: False)
        mirror.stop()
    book.ledger.close()


def test_postgres_keeps_claims(postgres, tmp_path):
    with northwind.PostgresClaims(postgres, schema="absent") as claims, pytest.raises(northwind.FailedPrecondition):
        claims.find("po_1")
    northwind.PostgresClaims.migrate(postgres)
    northwind.PostgresClaims.migrate(postgres)

    def request(id, system, token, epoch=1, merchant_id="m1"):
        return ClaimRequest(id, merchant_id, system, epoch, token * 16)

    ours, theirs = SettlementSystem.NORTHWIND, SettlementSystem.BATCH
    with northwind.PostgresClaims(postgres, connections=2) as claims:
        assert claims.find("po_1") is None and claims.published_epoch() == 0
        assert claims.claim(request("po_1", ours, b"a")) is ClaimVerdict.CLAIMED
        assert claims.claim(request("po_1", ours, b"a")) is ClaimVerdict.CLAIMED
        assert claims.claim(request("po_1", ours, b"b")) is ClaimVerdict.HELD
        assert claims.claim(request("po_1", theirs, b"c")) is ClaimVerdict.OTHER
        found = claims.find("po_1")
        assert (found.id, found.merchant_id, found.system, found.epoch) == ("po_1", "m1", ours, 1) and found.at.tzinfo is not None
        with pytest.raises(northwind.InvalidArgument):
            claims.claim(request("po_1", ours, b"a", merchant_id="m2"))
        with pytest.raises(TypeError):
            ClaimRequest("po_1", "m1", ours, 1, b"short")
        claims.publish_epoch(5)
        assert claims.published_epoch() == 5 and claims.claim(request("po_2", ours, b"a")) is ClaimVerdict.STALE
        with northwind.Store(tmp_path / "s") as store, northwind.Cutover(store, "salt") as cutover:
            cutover.add_merchants(["m1"], "ann")
            cutover.force_raise(10_000, "ann", "test")
            cutover.advance_epoch(7, "ann", "test")
            cutover.assign([("po_1", "m1"), ("po_3", "m1")])
            cutover.publish_epoch(claims)
            assert claims.published_epoch() == 7
            with northwind.ClaimedRail(type("Bank", (), {"submit": None, "query": None})(), claims, cutover):
                with pytest.raises(northwind.FailedPrecondition):
                    claims.close()
            result = cutover.hand_back(claims, ["po_1", "po_3"], "ann", "rolled back")
            assert (result.handed, result.kept) == (1, 1) and claims.find("po_3").system is theirs
    with pytest.raises(northwind.Closed):
        claims.find("po_1")
    with northwind.PostgresClaims("host=/nowhere", statement_timeout=1) as claims, pytest.raises(northwind.Unavailable):
        claims.find("po_1")


def test_a_schema_of_before_is_read_in_one_snapshot(postgres):
    with northwind.LegacyReader(postgres, page=2) as reader:
        assert reader.snapshot_at.tzinfo is not None
        sql = "SELECT n::text AS id, CASE WHEN n = 3 THEN NULL ELSE n * 1.5 END AS amount FROM generate_series(1, 5) n"
        pages = list(reader.pages(sql, ["id"]))
        assert [len(page.rows) for page in pages] == [2, 2, 1] and pages[0].columns == ("id", "amount")
        assert [r for page in pages for r in page.rows] == [("1", "1.5"), ("2", "3.0"), ("3", None), ("4", "6.0"), ("5", "7.5")]
        first = reader.read(sql, ("id",))
        assert first == pages[0] and reader.read(sql, ["id"], after=first.next) == pages[1]
        merchants = reader.merchants("SELECT 'm' || n AS merchant_id, 'Shop ' || n AS name FROM generate_series(1, 3) n", ["merchant_id"])
        assert [(m.merchant_id, m.name) for m in merchants] == [(f"m{n}", f"Shop {n}") for n in range(1, 4)]
        balances = "SELECT 'm' || n AS merchant_id, 'USD/2' AS asset, -12.50 * n AS amount FROM generate_series(1, 3) n"
        assert [b.units for b in reader.balances(balances, ["merchant_id"])] == [-1250, -2500, -3750]
        with pytest.raises(northwind.DataLoss):
            list(reader.balances(balances.replace("12.50", "12.505"), ["merchant_id"]))
        with pytest.raises(northwind.InvalidArgument):
            reader.read("CREATE TABLE x (y int)", ["y"])
        with pytest.raises(TypeError):
            reader.read(sql, "id")
        assert reader.read(sql, ["id"]) == first, "it stays good after these"
    with pytest.raises(northwind.Closed):
        reader.read(sql, ["id"])
    with pytest.raises(northwind.Unavailable):
        northwind.LegacyReader("host=/nowhere")
