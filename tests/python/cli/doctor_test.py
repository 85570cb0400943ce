# SPDX-License-Identifier: Apache-2.0
"""northwind doctor."""

import time

import northwind


def findings(end):
    return {row["what"]: row for row in end.rows()}


def test_a_store_that_is_well(settled):
    found = findings(settled("doctor", "--json"))
    assert {"software", "file system", "free space", "sync of 4 KiB", "open files", "store", "journal", "contents", "clock"} <= set(found)
    assert found["store"]["verdict"] == "good" and found["clock"]["verdict"] == "good"
    head = settled("verify", "--json").json()["head"]
    assert f"{head['sequence']}:{head['hash']}" in found["journal"]["found"]
    assert "✓ store: opened in" in settled("doctor").out
    assert sorted(path.name for path in settled.directory.iterdir()) == ["ledger.db"]


def test_what_waits_for_somebody(cli):
    cli("settle", "-", status=1, input=b"nonsense\n")
    with northwind.Store(cli.store) as store, northwind.Scheduler(store) as scheduler:
        scheduler.schedule(northwind.TaskSpec("t", "mine"))
        [task] = scheduler.claim("mine")
        scheduler.kill(task, "no use")
    found = findings(cli("doctor", "--json"))
    assert found["quarantine"]["found"] == "1 events" and found["dead letters"]["found"] == "1 in mine"


def test_a_clock_that_went_back(cli):
    with northwind.Ledger(cli.store, clock=lambda: time.time_ns() + 10**12) as ledger:
        ledger.open_account("a", "USD/2")
    found = findings(cli("doctor", "--json", status=1))
    assert found["clock"]["verdict"] == "bad" and "in the future" in found["clock"]["advice"]


def test_free_space_below_the_floor(settled):
    found = findings(settled("doctor", "--json", "--free-space-floor", str(1 << 40), status=1))
    assert found["free space"]["verdict"] == "bad" and "every write is refused" in found["free space"]["advice"]


def test_no_store_another_directory_and_one_that_is_open(settled):
    assert findings(settled("doctor", "-s", "absent/x.db", "--json"))["store"]["verdict"] == "look"
    (settled.directory / "docs").mkdir()
    assert findings(settled("doctor", "-s", "docs", "--json", status=1))["store"]["verdict"] == "bad"
    with northwind.Ledger(settled.store):
        assert findings(settled("doctor", "--json"))["store"]["found"] == "open in another process"


def test_a_damaged_store(cli):
    with northwind.Ledger(cli.store) as ledger:
        card, shop = ledger.open_account("card", "USD/2", external=True), ledger.open_account("shop", "USD/2")
        ledger.commit(northwind.Transaction(bytes(16), [(card, shop, 1)], reference="mark-of-a-reference" * 4))
        ledger.commit(northwind.Transaction(bytes([1] * 16), [(card, shop, 1)]))
    damaged = 0
    for path in cli.store.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        if b"mark-of-a" in data:
            path.write_bytes(data.replace(b"mark-of-a", b"Mark-of-a", 1))
            damaged += 1
    assert damaged
    found = findings(cli("doctor", "--json", status=1))
    assert found["store"]["verdict"] == "bad" and "Restore a checkpoint" in found["store"]["advice"]
