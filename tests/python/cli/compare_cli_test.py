# SPDX-License-Identifier: Apache-2.0
"""northwind compare."""

import csv
import datetime
import json

import northwind
import pytest
from compare_world import COLUMNS, DAY, MAPPING, ONE, World, row

SALT = ["--salt", "2026-spring"]
RUN = ["--mapping", "batch.json", "--gate-days", "1"]


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
    assert "a cutover has begun here" in compared.complains("compare", "close", tomorrow, "--actor", "ann", *run, status=2)


@pytest.fixture
def yesterday(cli):
    """A capture of yesterday, in USD, and the row of the batch."""
    cli.day = datetime.datetime.now(datetime.timezone.utc).date() - ONE
    world = World(cli.store, day=cli.day + ONE)
    world.now = datetime.datetime.now(datetime.timezone.utc)
    world.capture("p1", 10_000, day=cli.day)
    world.capture("p2", 500, day=cli.day)
    world.close()
    (cli.directory / "batch.json").write_text(northwind.format_mapping(MAPPING))
    with open(cli.directory / "rows.csv", "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, row("p1", "100.00", day=cli.day), row("p2", "5.00", day=cli.day)])
    cli("compare", "ingest", "nightly", "rows.csv", *RUN)
    return cli


def test_totals_open_the_gate_and_a_name_goes_under_the_report(yesterday):
    day, who = yesterday.day.isoformat(), ["--actor", "ann"]
    end = yesterday("compare", "close", day, *who, *RUN, "--json").json()
    assert end["clean"] is True and end["totals_told"] is False and end["assets"]["USD/2"]["ours"]["matched"] == {"count": 2, "sum": "10500"}
    assert yesterday("compare", "gate", *RUN, "--json", status=1).json()["open"] is False
    yesterday.complains("compare", "sign-off", day, day, *who, *RUN, status=4)
    end = yesterday("compare", "close", day, *who, "--total", "USD/2=3:10500", *RUN, "--json", status=1).json()
    assert end["incomplete"] and end["totals"] == {"USD/2": {"count": 3, "sum": "10500"}}
    yesterday("compare", "close", day, *who, "--nothing", *RUN, status=1)
    (yesterday.directory / "totals.json").write_text('{"USD/2":{"count":2,"sum":"10500"}}')
    text = yesterday("compare", "close", day, *who, "--totals", "totals.json", *RUN).out
    assert "totals of the batch  told\n" in text and "here                 2 rows, 105.00 USD: 2 matched\n" in text
    assert yesterday("compare", "gate", *RUN, "--json").json()["open"] is True
    [row_] = yesterday("compare", "days", day, day, *RUN, "--json").rows()
    assert (row_["day"], row_["state"], row_["clean"], row_["closed_by"]) == (day, "closed", True, "ann") and len(row_["canaries"]) > 3
    assert "nothing is known" in yesterday("compare", "days", "2020-01-01", "2020-01-31", *RUN).err
    end = yesterday("compare", "sign-off", day, day, *who, "--note", "seen", *RUN, "--json").json()
    assert end == {"first": day, "last": day, "signed_by": "ann", "note": "seen"}
    assert json.loads(yesterday("compare", "report", day, day, *RUN, "--json").out)["signed_by"] == "ann"
    assert yesterday("compare", "verify", *RUN, "--json").json() == {"good": True}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("[]", 5), ("{", 5), ('{"USD/2":3}', 5), ('{"USD/2":{"count":2,"sum":10500}}', 5), ('{"USD/2":{"count":true,"sum":"1"}}', 5),
        ('{"USD/2":{"count":2,"sum":"1.5"}}', 5), ('{"USD/2":{"count":2,"sum":"1","day":1}}', 5), ('{"USD/2":{"count":-1,"sum":"1"}}', 5),
        ('{"USD/2":{"count":1,"sum":"1"},"USD/2":{"count":2,"sum":"2"}}', 2),
    ],
)
def test_totals_that_cannot_be_read_close_nothing(yesterday, text, status):
    (yesterday.directory / "totals.json").write_text(text)
    day = yesterday.day.isoformat()
    yesterday.complains("compare", "close", day, "--actor", "ann", "--totals", "totals.json", *RUN, status=status)
    assert yesterday("compare", "days", day, day, *RUN, "--json").json()["state"] == "open"


def test_totals_that_make_no_sense(yesterday):
    close = ["compare", "close", yesterday.day.isoformat(), "--actor", "ann", *RUN]
    for totals in (["--total", "USD/2"], ["--total", "USD/2=1:5.00"], ["--total", f"USD/2=1:{2**127}"], ["--nothing", "--total", "USD/2=1:5"], ["--total", "A/2=1:1", "--total", "A/2=1:2"]):
        yesterday.complains(*close, *totals, status=2)
    yesterday.complains(*close, "--totals", "absent.json", status=3)


def test_rules_come_and_go_with_their_caps(yesterday):
    day = yesterday.day.isoformat()
    with open(yesterday.directory / "more.csv", "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, row("p9", "7.00", day=yesterday.day)])
    yesterday("compare", "ingest", "nightly", "more.csv", *RUN)
    assert "there are no rules" in yesterday("compare", "rules", *RUN).err
    rule = ["--owner", "ann", "--reason", "late files", "--from", day, "--to", day, "--expires", "2100-01-01", "--max-count", "5", *RUN]
    add = ["compare", "add-rule", "r-1", *rule]
    assert "required: --class" in yesterday.complains(*add, status=2)
    yesterday.complains(*add, "--class", "amount", status=5)
    yesterday.complains(*add, "--class", "missing_here", "--max-units", "USD/2=7.00", status=2)
    yesterday.complains(*add, "--class", "missing_here", "--max-units", "A/2=7", "--max-units", "A/2=8", status=2)
    yesterday.complains(*add, "--class", "unreadable", "--max-units", "USD/2=7", status=5)
    [found] = yesterday(*add, "--class", "missing_here", "--leg", "capture", "--merchant", "m1", "--max-units", "USD/2=1000", "--json").rows()
    assert found == {
        "id": "r-1", "owner": "ann", "reason": "late files", "class": "missing_here", "leg": "capture", "merchant_id": "m1", "from": day,
        "to": day, "expires_at": "2100-01-01T00:00:00Z", "max_count": 5, "max_units": {"USD/2": "1000"}, "uses": 0,
    }
    yesterday.complains(*add, "--class", "late", status=4)
    end = yesterday("compare", "close", day, "--actor", "ann", *RUN, "--json").json()
    assert end["clean"] and end["by_state"] == {"ignored": 1}
    [found] = yesterday("compare", "rules", *RUN, "--json").rows()
    assert found["uses"] == 1
    assert "r-1  missing_here  capture  m1" in yesterday("compare", "rules", *RUN).out
    yesterday.complains("compare", "retire-rule", "r-2", "--actor", "ann", *RUN, status=3)
    yesterday("compare", "retire-rule", "r-1", "--actor", "ann", *RUN)
    assert [each["id"] for each in yesterday("compare", "list", "--state", "open", *RUN, "--json").rows()] == ["capture:p9"]


def test_digests_lead_to_the_row(yesterday):
    with open(yesterday.directory / "rows.csv", "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, row("p2", "5.01", day=yesterday.day)])
    yesterday("compare", "ingest", "nightly", "rows.csv", *RUN)
    day = yesterday.day.isoformat()
    digests = ["compare", "digests", day, *RUN, "--json"]
    [merchant] = yesterday(*digests).rows()
    assert merchant["name"] == "m1" and not merchant["same"]
    hours = yesterday(*digests, "--merchant", "m1").rows()
    [hour] = [each["name"] for each in hours if not each["same"]]
    rows = yesterday(*digests, "--merchant", "m1", "--hour", hour).rows()
    assert {each["name"]: each["same"] for each in rows} == {"capture:p1": True, "capture:p2": False}
    yesterday.complains(*digests[:-1], "--hour", "3", status=2)
    yesterday.complains(*digests[:-1], "--merchant", "m1", "--hour", "24", status=2)
    assert "neither side" in yesterday("compare", "digests", "2020-01-01", *RUN).err


def test_a_mapping_is_checked_without_a_store(cli):
    (cli.directory / "batch.json").write_text(northwind.format_mapping(MAPPING))
    assert json.loads(cli("compare", "mapping", "batch.json").out)["row_id"] == "row"
    assert "absent.json" in cli.complains("compare", "mapping", "absent.json", status=3)
    (cli.directory / "wrong.json").write_bytes(b"\xff")
    assert "wrong.json: " in cli.complains("compare", "mapping", "wrong.json", status=5)


def test_rows_of_a_query(yesterday, postgres):
    yesterday.environment["NORTHWIND_LEGACY_CONNECTION"] = postgres
    (yesterday.directory / "rows.sql").write_text(
        f"SELECT row, type, ref, merchant, currency, amount, status, day FROM (VALUES ('CAP:p3', 'CAP', 'p3', 'm1', 'USD', '3.00', 'OK', '{yesterday.day}'), "
        f"('CAP:p1', 'CAP', 'p1', 'm1', 'USD', '100.00', 'OK', '{yesterday.day}')) AS batch(row, type, ref, merchant, currency, amount, status, day)"
    )
    ingest = ["compare", "ingest", "nightly", "--query", "rows.sql", *RUN]
    end = yesterday(*ingest, "--key", "row", "--json").json()
    assert (end["rows"], end["new_rows"], end["unchanged"]) == (2, 1, 1)
    assert yesterday("compare", "cursor", "nightly", *RUN, "--json").json() == {"source": "nightly", "next": ""}
    assert yesterday(*ingest, "--key", "row", "--continue", "--json").json()["unchanged"] == 2
    yesterday.complains(*ingest, status=2)
    yesterday.complains("compare", "ingest", "nightly", *RUN, status=2)
    yesterday.complains("compare", "ingest", "nightly", "rows.csv", "--query", "rows.sql", "--key", "row", *RUN, status=2)
    (yesterday.directory / "rows.sql").write_text("SELEC")
    yesterday.complains(*ingest, "--key", "row", status=5)
    yesterday.complains(*ingest, "--key", "row", "--connection", "host=/nonexistent", status=6)


def test_an_ingest_that_was_cut_off_goes_on(yesterday):
    """A page was taken in, and the process ended."""
    rows = [row(f"q{n}", "1.00", day=yesterday.day) for n in range(5)]
    with open(yesterday.directory / "rows.csv", "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    with northwind.Ledger(yesterday.store) as ledger, northwind.ParallelRun(ledger, MAPPING) as run:
        with northwind.LegacyFile(yesterday.directory / "rows.csv", northwind.LegacyFileFormat.CSV) as file:
            run.ingest("monthly", file.read(2))
    assert yesterday("compare", "cursor", "monthly", *RUN, "--json").json()["next"]
    end = yesterday("compare", "ingest", "monthly", "rows.csv", "--continue", *RUN, "--json").json()
    assert (end["rows"], end["new_rows"]) == (3, 3)


def test_after_a_cutover_has_begun_a_closing_asks_who_pays(yesterday, postgres):
    day, who = yesterday.day.isoformat(), ["--actor", "ann"]
    yesterday.environment.update(NORTHWIND_CLAIMS_CONNECTION=postgres, NORTHWIND_CUTOVER_SALT="2026-spring")
    yesterday("cutover", "migrate-claims")
    yesterday("cutover", "begin")
    yesterday("cutover", "add-merchants", "m1", *who)
    yesterday("cutover", "raise", "10000", "--force", "--yes", *who, "--reason", "test")
    yesterday("cutover", "assign", "po_1", "m1")
    with northwind.Ledger(yesterday.store) as ledger, northwind.Intake(ledger) as intake:
        for kind, hours in ((northwind.EventType.PAYOUT_REQUESTED, 12), (northwind.EventType.PAYOUT_PAID, 13)):
            at = datetime.datetime.combine(yesterday.day, datetime.time(hours), datetime.timezone.utc)
            amount = ("USD/2", 300) if kind is northwind.EventType.PAYOUT_REQUESTED else None
            event = northwind.PaymentEvent(kind, "m1", at, payout_id="po_1", amount=amount)
            assert intake.apply([event]).outcomes[0].status is northwind.EventStatus.APPLIED
    end = yesterday("compare", "close", day, *who, "--total", "USD/2=2:10500", *RUN, "--json").json()
    assert end["clean"] and end["assets"]["USD/2"]["ours"]["by_northwind"] == {"count": 1, "sum": "-300"}
    assert yesterday("compare", "gate", *RUN, "--json").json()["open"] is True
    yesterday.complains("compare", "close", day, *who, *RUN, "--claims", "host=/nonexistent", status=6)
    yesterday.complains("compare", "close", day, *who, *RUN, "--salt", "another", status=4)


def test_a_file_with_a_line_that_is_no_row_is_not_taken_in(yesterday):
    with open(yesterday.directory / "rows.csv", "a", newline="") as file:
        csv.writer(file).writerows([*(row(f"q{n}", "1.00", day=yesterday.day) for n in range(10_001)), ["CAP:z"]])
    assert "rows.csv: line 10005" in yesterday.complains("compare", "ingest", "nightly", "rows.csv", *RUN, status=5)
    assert yesterday("compare", "days", yesterday.day.isoformat(), yesterday.day.isoformat(), *RUN, "--json").json()["assets"]["USD/2"]["theirs"]["ingested"]["count"] == 2


def test_days_from_the_end_to_the_beginning(yesterday):
    for action in (["days"], ["report"], ["sign-off", "--actor", "ann"]):
        assert "is before" in yesterday.complains("compare", *action, "2026-03-02", "2026-03-01", *RUN, status=2)
