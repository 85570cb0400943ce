# SPDX-License-Identifier: Apache-2.0
"""northwind compare"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import typing

import northwind

from .. import exits, parallel
from ..opening import cutover_has_begun, ledger
from ..terminal import Column, Output, Row
from ..values import member, positive, stamp

NAME = "compare"
HELP = "the parallel run with a batch system: take rows in, close days, see what differs"
DESCRIPTION = """\
docs/parallel-run.md has the rules, and the mapping: JSON that says what the batch's columns mean. Give the settings that the run has everywhere
else. Closing a day after a cutover has begun needs to know who pays what, and is left to the service. 'gate' is status 1 if it is shut."""
EXAMPLES = (
    "northwind compare ingest nightly rows.csv --mapping batch.json -s trial.db",
    "northwind compare close 2026-03-02 --actor ann --mapping batch.json -s trial.db",
    "northwind compare list --state open --mapping batch.json -s trial.db",
    "northwind compare explain capture:p2 --actor ann --reason 'rounded there' --mapping batch.json -s trial.db",
    "northwind compare gate --mapping batch.json -s trial.db",
)


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no day; write 2026-03-02") from None


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    page = actions.add_parser("ingest", help="take in rows of the batch; what was taken in before changes nothing")
    page.add_argument("source", metavar="SOURCE", help="a name for where they come from")
    page.add_argument("file", metavar="FILE", help="CSV with a line of names, or JSON lines")
    page.add_argument("--format", choices=("csv", "jsonl"), help="default: by the file's name")
    page = actions.add_parser("close", help="compare a day for good")
    page.add_argument("day", metavar="DAY", type=_day)
    page.add_argument("--actor", metavar="NAME", required=True, help="who does this")
    page = actions.add_parser("list", help="what differs")
    page.add_argument("--state", metavar="STATE", type=member(northwind.DiscrepancyState), help="open, explained, resolved, ignored")
    page.add_argument("--class", dest="of", metavar="CLASS", type=member(northwind.DiscrepancyClass), help="amount, missing_here, …")
    page.add_argument("--day", metavar="DAY", type=_day)
    page.add_argument("--merchant", metavar="ID", default="")
    page.add_argument("-n", "--limit", metavar="N", type=positive, help="N at most (default: all)")
    page = actions.add_parser("show", help="one that differs, with both sides and its history")
    page.add_argument("id", metavar="ID")
    for action in ("explain", "resolve", "reopen"):
        page = actions.add_parser(action, help=f"{action} one that differs")
        page.add_argument("id", metavar="ID")
        page.add_argument("--actor", metavar="NAME", required=True, help="who does this")
        page.add_argument("--reason", metavar="TEXT", required=True, help="why")
    actions.add_parser("gate", help="whether the run is good enough to move on")
    page = actions.add_parser("report", help="a report on some days")
    page.add_argument("first", metavar="FIRST", type=_day)
    page.add_argument("last", metavar="LAST", type=_day)
    page.add_argument("--html", action="store_true", help="HTML instead of text")
    for page in actions.choices.values():
        parallel.settings(page)


def _ingest(run: northwind.ParallelRun, options: argparse.Namespace, output: Output) -> None:
    name = options.format or ("jsonl" if options.file.endswith((".jsonl", ".ndjson", ".json")) else "csv")
    names = ("rows", "new_rows", "corrected", "unchanged", "unreadable", "skipped")
    row: Row = dict.fromkeys(names, 0)
    with northwind.LegacyFile(options.file, northwind.LegacyFileFormat[name.upper()]) as file:
        for page in file.pages():
            result = run.ingest(options.source, page)
            for each in names:
                row[each] += getattr(result, each)
    run.catch_up()
    output.facts(row, [(name.replace("_", " "), f"{count:,}") for name, count in row.items()])


def _figures(figures: northwind.DayFigures) -> Row:
    return {
        "day": figures.day.isoformat(), "state": str(figures.state), "clean": figures.clean, "sound": figures.sound,
        "closed_by": figures.closed_by, "by_class": {str(kind): count for kind, count in figures.by_class.items()},
        "incomplete": list(figures.incomplete),
    }


def _ours(ours: northwind.OurRow) -> Row:
    """The row, and the event if it was read again: a list does not do that."""
    row = ours.row
    made: Row = {
        "leg": str(row.leg), "id": row.id, "merchant_id": row.merchant_id, "asset": row.asset, "units": str(row.units),
        "day": row.day.isoformat(), "records": list(ours.records),
    }
    if ours.raw:
        made["event"] = json.loads(ours.raw)
    return made


def _json(found: northwind.Discrepancy) -> Row:
    return {
        "id": found.id, "classes": [str(kind) for kind in found.classes], "state": str(found.state), "day": found.day.isoformat(),
        "detail": found.detail, "ours": [_ours(each) for each in found.ours], "theirs": [each.raw for each in found.theirs],
        "history": [
            {"at": stamp(change.at), "state": str(change.state), "actor": change.actor, "reason": change.reason}
            for change in found.history
        ],
    }


def _show(found: northwind.Discrepancy, output: Output) -> None:
    row = _json(found)
    pairs: list[tuple[str, typing.Any]] = [("id", row["id"]), ("differs in", ", ".join(row["classes"])), ("state", row["state"])]
    pairs += [("day", row["day"]), ("detail", row["detail"] or None)]
    pairs += [("here", json.dumps(each)) for each in row["ours"]] + [("there", json.dumps(each)) for each in row["theirs"]]
    pairs += [(change["at"], f"{change['state']}  {change['actor']}  {change['reason']}".rstrip()) for change in row["history"]]
    output.facts(row, pairs)


def run(options: argparse.Namespace, output: Output) -> int:
    with ledger(options) as opened, parallel.running(options, opened, begins=options.action in ("ingest", "close")) as compared:
        if options.action == "ingest":
            _ingest(compared, options, output)
        elif options.action == "close":
            if cutover_has_begun(opened.store):
                raise exits.Complaint(exits.STATE, "a cutover has begun here: days are closed by the service, which knows who pays what")
            compared.catch_up()
            row = _figures(compared.close_day(options.day, options.actor))
            output.facts(row, [(name, value) for name, value in row.items() if not isinstance(value, (dict, list))])
            return exits.OK if row["clean"] else exits.NO
        elif options.action == "list":
            found = compared.discrepancies(state=options.state, first_class=options.of, day=options.day, merchant_id=options.merchant)
            output.rows(
                (
                    Column("ID", "id"), Column("DAY", "day"), Column("STATE", "state"),
                    Column("DIFFERS IN", lambda row: ", ".join(row["classes"])), Column("DETAIL", "detail"),
                ),
                (_json(each) for each in itertools.islice(found, options.limit)),
                empty="nothing differs",
            )
        elif options.action == "show":
            _show(compared.discrepancy(options.id), output)
        elif options.action == "gate":
            return parallel.show_gate(compared.gate(), output)
        elif options.action == "report":
            report = compared.report(options.first, options.last)
            output.stream.write(report.json() if output.as_json else report.html() if options.html else report.text())
        else:
            getattr(compared, options.action)(options.id, options.actor, options.reason)
            _show(compared.discrepancy(options.id), output)
    return exits.OK
