# SPDX-License-Identifier: Apache-2.0
"""A queue of the SQS protocol (moto's server) and a PostgreSQL, each started for these tests alone."""

import contextlib
import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import pytest

import northwind
from conftest import NOON, Book
from northwind import EventType, MirrorState, PaymentEvent, SqsPoison, SqsState

ROOT = pathlib.Path(__file__).resolve().parents[2]


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- SQS ------------------------------------------------------------------------------------------------------


class Queues:
    """tests/sqs/sqs_server.py, which ends when its socket does."""

    def __init__(self, socket, greeting):
        self.lines = socket.makefile("rw", encoding="utf-8")
        self.greeting = json.loads(self.lines.readline()) if greeting else None

    def sqs(self, operation, **arguments):
        self.lines.write(json.dumps({"service": "sqs", "operation": operation, "arguments": arguments}) + "\n")
        self.lines.flush()
        return json.loads(self.lines.readline())["ok"]


@pytest.fixture(scope="module")
def queues():
    pytest.importorskip("moto")
    ours, theirs = socket.socketpair()
    # Descriptor 3 is the server's end of the socket; a shell puts it there.
    command = f'exec "$0" "$1" 3<&{theirs.fileno()} 3>&{theirs.fileno()}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", command, sys.executable, str(ROOT / "tests/sqs/sqs_server.py")], pass_fds=(theirs.fileno(),)
    )
    theirs.close()
    with ours:
        server = Queues(ours, True)
        environment = pytest.MonkeyPatch()
        environment.setenv("AWS_ACCESS_KEY_ID", server.greeting["access_key_id"])
        environment.setenv("AWS_SECRET_ACCESS_KEY", server.greeting["secret_access_key"])
        environment.setenv("AWS_REGION", "eu-central-1")
        yield server
        environment.undo()
        server.lines.close()
    process.wait(60)


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


@pytest.fixture(scope="module")
def postgres():
    # In a short directory: the path of a socket has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="nwpg", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples/live/postgres_server.py"), "fsync=off"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "TMPDIR": "/tmp"},
        )
        connection = process.stdout.readline().strip()
        assert connection
        yield connection
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


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
        mirror.start()
        results = book.ledger.commit([book.pay(str(n), n + 1) for n in range(3000)])
        mirror.wait_for(results[-1].sequence, 120)
        stats = mirror.stats()
        assert stats.state is MirrorState.RUNNING and stats.mirrored == stats.head == 3003 and stats.lag_records == 0 and stats.error is None
        with pytest.raises(northwind.DeadlineExceeded):
            mirror.wait_for(10**9, 0)
        seen = []
        report = mirror.audit(lambda checked, end: seen.append((checked, end)))
        assert report.clean and report.watermark == 3003 and report.transactions == 3000 and report.accounts == 3 and seen
        with pytest.raises(northwind.Cancelled):
            mirror.audit(lambda checked, end: False)
        mirror.stop()
    book.ledger.close()
