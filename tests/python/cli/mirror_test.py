# SPDX-License-Identifier: Apache-2.0
"""northwind mirror, with a PostgreSQL."""

import contextlib
import os
import subprocess

from command_line import EVENTS


@contextlib.contextmanager
def locked(connection, table):
    """Nobody can read the table meanwhile: an audit would wait."""
    keeper = subprocess.Popen(["psql", "-q", "-t", connection], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    keeper.stdin.write(f"BEGIN; LOCK TABLE {table}; SELECT 'locked';\n")
    keeper.stdin.flush()
    try:
        assert keeper.stdout.readline().strip() == "locked"
        yield
    finally:
        keeper.communicate("ROLLBACK;\n", timeout=60)


def test_a_mirror_from_nothing_to_clean(settled, postgres):
    settled.environment["NORTHWIND_POSTGRES"] = postgres
    schema = ["--schema", "cli"]
    settled.complains("mirror", "status", *schema, status=4)
    assert settled("mirror", "migrate", *schema, "--json").json()["migrated"] is True
    head = settled("verify", "--json").json()["head"]["sequence"]
    assert settled("mirror", "sync", *schema, "--json").json() == {"mirrored": head, "records": head}
    assert settled("mirror", "status", *schema, "--json").json() == {"mirrored": head, "head": head, "lag_records": 0}
    settled.settle([{**EVENTS[0], "payment_id": "more"}])
    assert settled("mirror", "status", *schema, "--json").json() == {"mirrored": head, "head": head + 1, "lag_records": 1}
    # Nothing may be written, and no table but the watermark's be read.
    settled.environment["PGOPTIONS"] = "-c default_transaction_read_only=on"
    with locked(postgres, "cli.postings"):
        assert settled("mirror", "status", *schema, "--json").json() == {"mirrored": head, "head": head + 1, "lag_records": 1}
    end = settled("mirror", "status", "--audit", *schema, "--json").json()
    assert end["lag_records"] == 1 and end["audit"]["clean"] is True and end["audit"]["watermark"] == head
    assert "behind by      1 records\nclean          yes\n" in settled("mirror", "status", "--audit", *schema).out
    del settled.environment["PGOPTIONS"]
    settled("mirror", "sync", *schema)
    report = settled("mirror", "audit", *schema, "--json").json()
    assert report["clean"] is True and report["watermark"] == head + 1 and report["transactions"] == 5
    subprocess.run(
        ["psql", "-q", postgres, "-c", "UPDATE cli.postings SET amount = amount + 1 WHERE sequence = (SELECT max(sequence) FROM cli.postings)"],
        check=True, env={**os.environ}, stdout=subprocess.DEVNULL,
    )
    report = settled("mirror", "audit", *schema, "--json", status=1).json()
    assert report["clean"] is False and report["differences"] >= 1 and report["findings"]
    assert "finding" in settled("mirror", "audit", *schema, status=1).out
    assert settled("mirror", "status", "--audit", *schema, "--json", status=1).json()["audit"]["differences"] >= 1
    # Of another ledger: nothing is written, and why is said.
    settled("settle", "-", "-s", "other.db", input=b"")
    settled.complains("mirror", "audit", "-s", "other.db", *schema, status=4)


def test_a_database_that_is_not_there(settled):
    settled.complains("mirror", "status", "--connection", "host=/nonexistent", status=6)
    settled.complains("mirror", "migrate", "--connection", "host=/nonexistent", status=6)
