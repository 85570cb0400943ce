# SPDX-License-Identifier: Apache-2.0
"""northwind compare and cutover."""

import csv
import datetime
import json

import northwind
import pytest
from compare_world import COLUMNS, DAY, MAPPING, World, row

SALT = ["--salt", "2026-spring"]


@pytest.fixture
def compared(cli):
    """Two captures here, of which the batch has one, and another amount for the other."""
    world = World(cli.store)
    world.capture("p1", 10_000)
    world.capture("p2", 500)
    world.close()
    (cli.directory / "batch.json").write_text(northwind.format_mapping(MAPPING))
    with open(cli.directory / "rows.csv", "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, row("p1", "100.00"), row("p2", "5.01")])
    return cli


def test_a_day_from_rows_to_an_explanation(compared):
    run = ["--mapping", "batch.json", "--no-totals", "--gate-days", "1"]
    end = compared("compare", "ingest", "nightly", "rows.csv", *run, "--json").json()
    assert (end["rows"], end["new_rows"], end["unreadable"]) == (2, 2, 0)
    assert compared("compare", "ingest", "nightly", "rows.csv", *run, "--json").json()["unchanged"] == 2
    day = compared("compare", "close", DAY.isoformat(), "--actor", "ann", *run, "--json", status=1).json()
    assert day["clean"] is False and day["by_class"] == {"amount": 1}
    [found] = compared("compare", "list", "--state", "open", *run, "--json").rows()
    assert (found["id"], found["classes"]) == ("capture:p2", ["amount"]) and found["theirs"][0]["amount"] == "5.01"
    assert "capture:p2" in compared("compare", "list", *run).out
    gate = compared("compare", "gate", *run, "--json", status=1).json()
    assert gate["open"] is False and gate["reasons"]
    end = compared("compare", "explain", "capture:p2", "--actor", "ann", "--reason", "rounded there", *run, "--json").json()
    assert end["state"] == "explained" and end["history"][-1]["reason"] == "rounded there"
    assert "rounded there" in compared("compare", "show", "capture:p2", *run).out
    assert json.loads(compared("compare", "report", DAY.isoformat(), DAY.isoformat(), *run, "--json").out)
    assert "<html" in compared("compare", "report", DAY.isoformat(), DAY.isoformat(), "--html", *run).out.lower()
    compared.complains("compare", "show", "capture:p9", *run, status=3)
    compared.complains("compare", "list", "--mapping", "absent.json", status=3)
    compared("cutover", "begin", *SALT)
    tomorrow = (DAY + datetime.timedelta(days=1)).isoformat()
    assert "a cutover has begun here" in compared.complains("compare", "close", tomorrow, "--actor", "ann", *run, status=4)


def test_a_cutover_is_begun_once_looked_at_and_taken_back(settled):
    assert "no cutover has begun" in settled.complains("cutover", "status", *SALT, status=4)
    settled("cutover", "begin", *SALT)
    assert "already" in settled.complains("cutover", "begin", *SALT, status=4)
    settled.complains("cutover", "status", "--salt", "other", status=4)
    assert "which salt?" in settled.complains("cutover", "status", status=2)
    who = ["--actor", "ann", "--reason", "to try"]
    settled("cutover", "add-merchants", "m_1", "m_2", "m_3", "--actor", "ann", *SALT)
    with northwind.Ledger(settled.store) as ledger, northwind.Cutover(ledger.store, "2026-spring") as cutover:
        cutover.force_raise(10_000, "ann", "test")
        cutover.assign([("po_9", "m_1")])
    status = settled("cutover", "status", *SALT, "--json").json()
    assert (status["merchants"], status["threshold"], status["residue"]) == (3, 10_000, 1)
    assert settled("cutover", "find", "po_9", *SALT, "--json").json()["system"] == "northwind"
    preview = settled("cutover", "preview", "0", *SALT, "--json").json()
    assert (preview["now"], preview["then"]) == (3, 0) and sorted(preview["moved"]) == ["m_1", "m_2", "m_3"]
    assert settled("cutover", "override", "m_2", "deny", *who, *SALT, "--json").json()["denied"] == 1
    assert settled("cutover", "override", "m_2", "none", *who, *SALT, "--json").json()["denied"] == 0
    assert settled("cutover", "lower", "500", *who, *SALT, "--json").json()["threshold"] == 500
    assert settled("cutover", "route-to-batch", *who, *SALT, "--json").json()["routed_to_batch"] is True
    assert settled("cutover", "stop-sending", *who, *SALT, "--json").json()["sending_stopped"] is True
    assert settled("cutover", "resume-sending", *who, *SALT, "--json").json()["sending_stopped"] is False
    lines = settled("cutover", "log", *SALT, "--json").rows()
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["action"] for line in lines][-4:] == ["lower", "route_to_batch", "stop_sending", "resume_sending"]
    assert all(line["actor"] == "ann" for line in lines[1:])
    assert "is none of allow, deny" in settled.complains("cutover", "override", "m_2", "maybe", *who, *SALT, status=2)
    settled.complains("cutover", "lower", "9000", *who, *SALT, status=5)


def test_residue_with_claims_in_postgres(settled, postgres):
    northwind.PostgresClaims.migrate(postgres)
    with northwind.Ledger(settled.store) as ledger, northwind.Cutover(ledger.store, "2026-spring") as cutover:
        cutover.add_merchants(["m_1"], "ann")
        cutover.force_raise(10_000, "ann", "test")
        cutover.assign([("po_9", "m_1")])
    [row] = settled("cutover", "residue", "--claims", postgres, *SALT, "--json").rows()
    assert (row["id"], row["claimed_by"]) == ("po_9", None)
    settled.complains("cutover", "residue", "--claims", "host=/nonexistent", *SALT, status=6)
