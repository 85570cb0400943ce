# SPDX-License-Identifier: Apache-2.0
"""northwind compare."""

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
