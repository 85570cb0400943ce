# SPDX-License-Identifier: Apache-2.0
"""The parallel run of a ledger and a batch system of a few rows."""

import json
import threading

import pytest

import northwind
from compare_world import COLUMNS, DAY, MAPPING, ONE, World, noon, row
from northwind import CountAndSum, DayState, DiscrepancyClass, DiscrepancyState, IgnoreRule, LegacyFileFormat, Leg


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path / "l")
    yield world
    world.close()


# ---- Mapping --------------------------------------------------------------------------------------------------


def test_a_mapping_is_a_dict_or_json_and_one_text():
    text = northwind.format_mapping(MAPPING)
    assert text == northwind.format_mapping(text) == northwind.format_mapping(text.encode()) == northwind.format_mapping(json.loads(text))
    assert json.loads(text)["legs"] == {"CAP": "capture", "PAY": "payout", "REF": "refund"}
    assert json.loads(text)["skipped_statuses"] == ["TEST", "VOID"]
    with pytest.raises(northwind.InvalidArgument, match="amont"):
        northwind.format_mapping({**MAPPING, "amont": "x"})
    with pytest.raises(northwind.InvalidArgument, match="time_tolerance"):
        northwind.format_mapping({**MAPPING, "time_tolerance_seconds": 50_000})
    for wrong in (None, 1, [("row_id", "row")]):
        with pytest.raises(TypeError):
            northwind.format_mapping(wrong)


# ---- Both sides -----------------------------------------------------------------------------------------------


def test_what_agrees_agrees_and_what_differs_is_found(world):
    for ref, cents in (("p1", 10_000), ("p2", 500), ("p3", 700)):
        world.capture(ref, cents)
    rows = [row("p1", "100.00"), tuple(row("p2", "5.01")), (value for value in row("p4", "1.00")), [b"r5", None] + row("p5", "x")[2:]]
    assert world.run.follow_once(2) == 2
    world.run.catch_up()
    assert world.run.followed == world.ledger.head.sequence
    result = world.run.ingest("batch", COLUMNS, rows, next="page 2")
    assert (result.rows, result.new_rows, result.unreadable) == (4, 4, 1) and world.run.cursor("batch") == "page 2"
    assert world.run.ingest("batch", COLUMNS, [row("p1", "100.00")]).unchanged == 1 and world.run.cursor("batch") == ""

    figures = world.close_day()
    assert figures.state is DayState.CLOSED and figures.closed_by == "ann" and figures.sound and not figures.clean
    assert figures.by_class == {
        DiscrepancyClass.AMOUNT: 1, DiscrepancyClass.MISSING_HERE: 1, DiscrepancyClass.MISSING_THERE: 1,
    }
    ours = figures.assets["USD/2"].ours
    assert ours.ingested == CountAndSum(3, 11_200) and ours.matched == CountAndSum(1, 10_000) and ours.holds
    assert world.run.days(DAY - ONE, DAY) == (figures,) and world.run.days(DAY - ONE, DAY - ONE) == ()
    assert hash(figures) == hash(world.run.days(DAY, DAY)[0]) and figures.asdict()["assets"]["USD/2"]["ours"]["ingested"]["count"] == 3

    found = {d.id: d for d in world.run.discrepancies(state=DiscrepancyState.OPEN)}
    assert set(found) == {"capture:p2", "capture:p3", "capture:p4", "row:batch:r5"}
    one = world.run.discrepancy("capture:p2")
    assert one.classes == (DiscrepancyClass.AMOUNT,) and one.day == DAY and json.loads(one.ours[0].raw)["payment_id"] == "p2"
    assert one.ours[0].row.units == 500 and one.theirs[0].row.units == 501 and one.theirs[0].raw["amount"] == "5.01"
    unreadable = world.run.discrepancy("row:batch:r5").theirs[0]
    assert unreadable.row is None and unreadable.raw["type"] is None
    assert [d.id for d in world.run.discrepancies(first_class=DiscrepancyClass.MISSING_HERE, day=DAY, merchant_id="m1")] == ["capture:p4"]
    with pytest.raises(northwind.NotFound):
        world.run.discrepancy("capture:p9")
    world.run.verify()


def test_rows_are_text(world):
    for wrong in (["text"], [[1] * 8], ["abcdefgh"]):
        with pytest.raises(TypeError):
            world.run.ingest("batch", COLUMNS, wrong)
    with pytest.raises(TypeError):
        world.run.ingest("batch", "row", [])
    with pytest.raises(northwind.InvalidArgument):
        world.run.ingest("batch", COLUMNS[1:], [])
    with pytest.raises(northwind.InvalidArgument):
        world.run.ingest("batch", COLUMNS, [["too", "short"]])


def test_days_are_dates(world):
    for wrong in (noon(DAY), "2026-03-02", 20_000):
        with pytest.raises(TypeError):
            world.run.close_day(wrong, "ann")
    with pytest.raises(northwind.FailedPrecondition):
        world.run.close_day(DAY + ONE, "ann")


def test_digests_lead_to_the_row_that_differs(world):
    world.capture("p1", 100)
    world.capture("p2", 200)
    world.run.ingest("batch", COLUMNS, [row("p1", "1.00"), row("p2", "2.01")])
    world.close_day()
    (merchant,) = world.run.merchant_digests(DAY)
    assert merchant.name == "m1" and (merchant.our_rows, merchant.their_rows) == (2, 2) and not merchant.same and len(merchant.ours) == 32
    (hour,) = world.run.hour_digests(DAY, "m1")
    assert hour.name == "00", "the mapping has no moment"
    assert [(node.name, node.same) for node in world.run.row_digests(DAY, "m1", 0)] == [("capture:p1", True), ("capture:p2", False)]


# ---- Decisions, rules, gate -----------------------------------------------------------------------------------


def test_what_is_decided_is_kept_with_who_and_why(world):
    world.capture("p1", 100)
    world.close_day()
    world.run.explain("capture:p1", "ann", "paid in cash")
    explained = world.run.discrepancy("capture:p1")
    assert explained.state is DiscrepancyState.EXPLAINED and explained.history[-1].actor == "ann"
    assert explained.history[-1].reason == "paid in cash"
    world.run.reopen("capture:p1", "bob", "it was not")
    world.run.resolve("capture:p1", "bob", "mended")
    assert world.run.discrepancy("capture:p1").state is DiscrepancyState.RESOLVED
    with pytest.raises(northwind.InvalidArgument):
        world.run.explain("capture:p1", "", "nobody")


def test_rules_cover_what_they_say(world):
    world.capture("p1", 100)
    world.capture("p2", 200)
    world.run.ingest("batch", COLUMNS, [row("p2", "2.00")])
    rule = IgnoreRule(
        "cash", owner="ann", reason="cash is not in the batch", of=DiscrepancyClass.MISSING_THERE, leg=Leg.CAPTURE, first_day=DAY,
        last_day=DAY, expires_at=noon(DAY + 30 * ONE), max_count=1, max_units={"USD/2": 2**100},
    )
    world.run.add_rule(rule)
    assert world.run.rules() == (rule,)
    with pytest.raises(northwind.AlreadyExists):
        world.run.add_rule(rule)
    figures = world.close_day()
    assert figures.by_state == {DiscrepancyState.IGNORED: 1} and figures.clean
    assert world.run.report(DAY, DAY).rule_uses == {"cash": 1}
    world.run.retire_rule("cash", "ann")
    assert world.run.discrepancy("capture:p1").state is DiscrepancyState.OPEN and world.run.rules() == ()
    with pytest.raises(northwind.InvalidArgument):
        IgnoreRule(
            "x", owner="a", reason="b", of=DiscrepancyClass.STATUS, first_day=DAY, last_day=DAY, expires_at=noon(DAY), max_count=1,
            max_units={"USD/2": -1},
        )


def test_totals_gate_and_signature(tmp_path):
    world = World(tmp_path / "l", needs_totals=True)
    world.capture("p1", 100)
    world.run.ingest("batch", COLUMNS, [row("p1", "1.00")])
    figures = world.close_day(expected={"USD/2": (2, 300)})
    assert figures.incomplete and figures.totals == {"USD/2": CountAndSum(2, 300)} and not figures.clean
    gate = world.run.gate()
    assert not gate.open and gate.reasons
    with pytest.raises(northwind.FailedPrecondition):
        world.run.sign_off(DAY, DAY, "ann", "no")
    assert world.close_day(expected={"USD/2": CountAndSum(1, 100)}).clean and world.close_day().totals_told
    gate = world.run.gate()
    assert gate.open and gate.days == (DAY,) and gate.reasons == ()
    world.run.sign_off(DAY, DAY, "ann", "two eyes")
    report = world.run.report(DAY, DAY)
    assert (report.signed_by, report.note, report.first_day, report.gate) == ("ann", "two eyes", DAY, gate)
    assert "ann" in report.text() and json.loads(report.json()) and report.html().startswith("<!DOCTYPE html>")
    world.close()


# ---- Whose it is ----------------------------------------------------------------------------------------------


def test_a_function_says_whose_a_payout_is(tmp_path):
    asked = []

    def is_ours(leg, id, merchant_id):
        asked.append((leg, id, merchant_id))
        return id == "po_1"

    world = World(tmp_path / "l", is_ours=is_ours)
    world.capture("p1", 1000)
    world.payout("po_1", 300)
    world.payout("po_2", 200)
    world.run.ingest("batch", COLUMNS, [row("p1", "10.00"), row("po_2", "2.00", kind="PAY", status="OPEN")])
    world.close_day()
    assert sorted(set(asked)) == [(Leg.PAYOUT, "po_1", "m1"), (Leg.PAYOUT, "po_2", "m1")]
    (left,) = world.run.discrepancies(state=DiscrepancyState.OPEN)
    assert left.id == "payout:po_1" and "northwind" in left.detail
    world.close()


def test_what_is_ours_raises_comes_back_and_the_day_stays_open(tmp_path):
    answers = [OSError("no line"), "yes"]

    def is_ours(leg, id, merchant_id):
        answer = answers.pop(0) if answers else True
        if isinstance(answer, BaseException):
            raise answer
        return answer

    world = World(tmp_path / "l", is_ours=is_ours)
    world.capture("p1", 1000)
    world.payout("po_1", 300)
    with pytest.raises(OSError, match="no line"):
        world.close_day()
    with pytest.raises(TypeError):
        world.close_day()
    answers.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.close_day()
    assert all(figures.state is not DayState.CLOSED for figures in world.run.days(DAY, DAY))
    assert world.close_day().state is DayState.CLOSED and not answers
    with pytest.raises(TypeError):
        northwind.ParallelRun(world.ledger, MAPPING, is_ours=1)
    world.close()


def test_who_waits_for_the_run_does_not_keep_its_function_from_running(tmp_path):
    threads = []

    def is_ours(leg, id, merchant_id):
        begun = threading.Event()

        def read():
            begun.set()
            world.run.gate()  # waits until the day is closed

        threads.append(threading.Thread(target=read))
        threads[-1].start()
        assert begun.wait(60)
        return True

    world = World(tmp_path / "l", is_ours=is_ours)
    world.capture("p1", 1000)
    world.payout("po_1", 300)
    world.close_day()
    assert threads
    for thread in threads:
        thread.join()
    world.close()


def test_it_is_kept_and_read_again(tmp_path):
    world = World(tmp_path / "l")
    world.capture("p1", 100)
    figures = world.close_day()
    with pytest.raises(northwind.FailedPrecondition):
        northwind.ParallelRun(world.ledger, MAPPING)
    with pytest.raises(northwind.FailedPrecondition):
        world.ledger.close()
    left = world.run.discrepancies()
    world.run.close()
    world.run.close()
    with pytest.raises(northwind.Closed):
        next(left)
    with pytest.raises(northwind.Closed):
        world.run.gate()
    world.open()
    assert world.run.days(DAY, DAY) == (figures,)
    with pytest.raises(northwind.InvalidArgument):
        world.open(gate_days=0)
    world.close()


# ---- Files ----------------------------------------------------------------------------------------------------


def test_files_are_read_page_by_page(world, tmp_path):
    path = tmp_path / "batch.csv"
    lines = [",".join(row(f"p{n}", f"{n}.00")) for n in range(1, 6)]
    path.write_text(",".join(COLUMNS) + "\n" + "\n".join(lines) + "\n")
    for n in range(1, 6):
        world.capture(f"p{n}", n * 100)
    with northwind.LegacyFile(path, LegacyFileFormat.CSV) as file:
        first = file.read(2)
        assert first.columns == tuple(COLUMNS) and first.rows[1] == tuple(row("p2", "2.00"))
        assert [len(page.rows) for page in file.pages(2)] == [2, 2, 1]
        world.run.ingest("csv", first)
        assert world.run.cursor("csv") == first.next != ""
        for page in file.pages(2, after=world.run.cursor("csv")):
            world.run.ingest("csv", page)
        assert world.run.cursor("csv") == ""
        with pytest.raises(northwind.InvalidArgument):
            file.read(2, after="elsewhere")
    assert world.close_day().clean
    with pytest.raises(northwind.Closed):
        file.read()


def test_files_of_json_lines_and_files_that_are_none(tmp_path):
    path = tmp_path / "batch.jsonl"
    path.write_text('{"id":"1","amount":12.50,"fee":null}\n{"id":"2","amount":0,"fee":""}\n')
    with northwind.LegacyFile(path, LegacyFileFormat.JSONL) as file:
        assert file.read().rows == (("1", "12.50", None), ("2", "0", ""))
        pages = file.pages()
    with pytest.raises(northwind.Closed):
        next(pages)
    with pytest.raises(northwind.NotFound):
        northwind.LegacyFile(tmp_path / "none", LegacyFileFormat.CSV)
    path.write_text("a,b\n1,2\n3\n")
    with northwind.LegacyFile(path, LegacyFileFormat.CSV) as file, pytest.raises(northwind.DataLoss, match="3"):
        list(file.pages())
    with pytest.raises(TypeError):
        northwind.LegacyFile(path, 1)
