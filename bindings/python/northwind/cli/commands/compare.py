# SPDX-License-Identifier: Apache-2.0
"""northwind compare"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import itertools
import os
import typing

import northwind

from .. import claiming, comparing, cutting_over, exits, parallel
from ..opening import cutover_has_begun, ledger
from ..terminal import Output, Row
from ..values import member, moment, positive

NAME = "compare"
HELP = "the parallel run with a batch system: take rows in, close days, see what differs"
DESCRIPTION = """\
docs/parallel-run.md has the rules, and the mapping: JSON that says what the batch's columns mean. Give the settings that the run has everywhere
else. After a cutover has begun, closing a day asks the claims who pays what: --claims and --salt. 'close' and 'gate' are status 1 if the answer is
no."""
EXAMPLES = (
    "northwind compare mapping batch.json",
    "northwind compare ingest nightly rows.csv --mapping batch.json -s trial.db",
    "northwind compare ingest nightly --query rows.sql --key id --connection postgresql:///batch --mapping batch.json -s trial.db",
    "northwind compare close 2026-03-02 --actor ann --total USD/2=3:-1250 --total EUR/2=1:900 --mapping batch.json -s trial.db",
    "northwind compare close 2026-03-03 --actor ann --nothing --mapping batch.json -s trial.db",
    "northwind compare days 2026-03-01 2026-03-31 --mapping batch.json -s trial.db",
    "northwind compare list --state open --mapping batch.json -s trial.db",
    "northwind compare show capture:p2 --mapping batch.json -s trial.db",
    "northwind compare explain capture:p2 --actor ann --reason 'rounded there' --mapping batch.json -s trial.db",
    "northwind compare digests 2026-03-02 --merchant m_42 --mapping batch.json -s trial.db",
    "northwind compare rules --mapping batch.json -s trial.db",
    "northwind compare add-rule late-march --owner ann --reason 'slow files' --class late --from 2026-03-01 --to 2026-03-31 "
    "--expires 2026-04-15 --max-count 20 --max-units USD/2=100000 --mapping batch.json -s trial.db",
    "northwind compare retire-rule late-march --actor ann --mapping batch.json -s trial.db",
    "northwind compare gate --mapping batch.json -s trial.db",
    "northwind compare report 2026-03-01 2026-03-31 --html --mapping batch.json -s trial.db > march.html",
    "northwind compare sign-off 2026-03-01 2026-03-31 --actor ann --note 'seen by audit' --mapping batch.json -s trial.db",
)
_CONNECTION = "NORTHWIND_LEGACY_CONNECTION"
_BEGINNING = ("ingest", "close", "catch-up", "add-rule")


def _input(actions: argparse._SubParsersAction[typing.Any]) -> None:
    page = actions.add_parser("mapping", help="check a mapping, and print it in full; needs no store")
    page.add_argument("file", metavar="FILE")
    page = actions.add_parser("ingest", help="take in rows of the batch; what was taken in before changes nothing")
    page.add_argument("source", metavar="SOURCE", help="a name for where they come from")
    page.add_argument("file", metavar="FILE", nargs="?", help="CSV with a line of names, or JSON lines")
    page.add_argument("--format", choices=("csv", "jsonl"), help="default: by the file's name")
    page.add_argument("--continue", dest="goes_on", action="store_true", help="go on where the last ingest of the source was cut off")
    group = page.add_argument_group("from PostgreSQL instead of a file")
    group.add_argument("--query", metavar="FILE", help="one SELECT, without ORDER BY, LIMIT or a semicolon")
    group.add_argument("--key", metavar="COLUMN", action="append", help="columns that together are unique and never null; for each one --key")
    group.add_argument("--connection", metavar="TEXT", help=f"default: ${_CONNECTION}")
    page = actions.add_parser("cursor", help="where the last ingest of a source was cut off; empty: it was not")
    page.add_argument("source", metavar="SOURCE")
    actions.add_parser("catch-up", help="follow the journal to its end, as ingest and close do by themselves")


def _days(actions: argparse._SubParsersAction[typing.Any]) -> None:
    page = actions.add_parser("close", help="compare a day for good; status 1 if it is not clean")
    page.add_argument("day", metavar="DAY", type=comparing.day)
    page.add_argument("--actor", metavar="NAME", required=True, help="who does this")
    group = page.add_argument_group("what the batch itself counts for the day; the gate takes only days of which that was said")
    group.add_argument(
        "--total", metavar="ASSET=COUNT:SUM", action="append", type=comparing.total,
        help="rows of an asset, and their sum in minor units as merchants see it; for each asset one --total",
    )
    group.add_argument("--totals", metavar="FILE", help='the same as JSON: {"USD/2":{"count":3,"sum":"-1250"}}')
    group.add_argument("--nothing", action="store_true", help="the batch has nothing of the day")
    claiming.settings(page)
    page.add_argument("--salt", metavar="TEXT", help="the cutover's, if one has begun (default: $NORTHWIND_CUTOVER_SALT)")
    page = actions.add_parser("days", help="how each day stands")
    page.add_argument("first", metavar="FIRST", type=comparing.day)
    page.add_argument("last", metavar="LAST", type=comparing.day)
    page = actions.add_parser("digests", help="where both sides differ: by merchants of a day, hours of a merchant, rows of an hour")
    page.add_argument("day", metavar="DAY", type=comparing.day)
    page.add_argument("--merchant", metavar="ID", help="the hours of this one")
    page.add_argument("--hour", metavar="N", type=comparing.hour, help="the rows of this hour of the merchant")


def _discrepancies(actions: argparse._SubParsersAction[typing.Any]) -> None:
    page = actions.add_parser("list", help="what differs")
    page.add_argument("--state", metavar="STATE", type=member(northwind.DiscrepancyState), help="open, explained, resolved, ignored")
    page.add_argument("--class", dest="of", metavar="CLASS", type=member(northwind.DiscrepancyClass), help="amount, missing_here, …")
    page.add_argument("--day", metavar="DAY", type=comparing.day)
    page.add_argument("--merchant", metavar="ID", default="")
    page.add_argument("-n", "--limit", metavar="N", type=positive, help="N at most (default: all)")
    page = actions.add_parser("show", help="one that differs, with both sides and its history")
    page.add_argument("id", metavar="ID")
    for action in ("explain", "resolve", "reopen"):
        page = actions.add_parser(action, help=f"{action} one that differs")
        page.add_argument("id", metavar="ID")
        page.add_argument("--actor", metavar="NAME", required=True, help="who does this")
        page.add_argument("--reason", metavar="TEXT", required=True, help="why")


def _rules(actions: argparse._SubParsersAction[typing.Any]) -> None:
    actions.add_parser("rules", help="what may be ignored, and how much of it is used")
    page = actions.add_parser("add-rule", help="what may be ignored from the next closing on; never a difference of money")
    page.add_argument("id", metavar="ID", help="never used before")
    page.add_argument("--owner", metavar="NAME", required=True, help="who answers for it")
    page.add_argument("--reason", metavar="TEXT", required=True, help="why")
    page.add_argument(
        "--class", dest="of", metavar="CLASS", required=True, type=member(northwind.DiscrepancyClass),
        help="missing_here, missing_there, status, day_shift, late or unreadable",
    )
    page.add_argument("--from", dest="first", metavar="DAY", type=comparing.day, required=True, help="the first day")
    page.add_argument("--to", dest="last", metavar="DAY", type=comparing.day, required=True, help="the last day")
    page.add_argument("--expires", metavar="TIME", type=moment, required=True, help="after that it covers nothing")
    page.add_argument("--max-count", metavar="N", type=positive, required=True, help="so many discrepancies at most")
    page.add_argument(
        "--max-units", metavar="ASSET=UNITS", action="append", type=comparing.cap,
        help="worth so many minor units at most; for each asset one, and an asset without is not covered. Not for unreadable",
    )
    page.add_argument("--leg", metavar="LEG", type=member(northwind.Leg), help="only this leg")
    page.add_argument("--merchant", metavar="ID", default="", help="only this merchant")
    page = actions.add_parser("retire-rule", help="what a rule covered is open again")
    page.add_argument("id", metavar="ID")
    page.add_argument("--actor", metavar="NAME", required=True, help="who does this")


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    _input(actions)
    _days(actions)
    _discrepancies(actions)
    _rules(actions)
    actions.add_parser("gate", help="whether the run is good enough to move on; status 1 if not")
    for action, text in (("report", "a report on some days"), ("sign-off", "put a name under a report, while the gate is open")):
        page = actions.add_parser(action, help=text)
        page.add_argument("first", metavar="FIRST", type=comparing.day)
        page.add_argument("last", metavar="LAST", type=comparing.day)
        if action == "report":
            page.add_argument("--html", action="store_true", help="HTML instead of text")
        else:
            page.add_argument("--actor", metavar="NAME", required=True, help="whose name")
            page.add_argument("--note", metavar="TEXT", default="", help="what is to be read beside it")
    actions.add_parser("verify", help="count everything again, and compare with what is kept")
    for action, page in actions.choices.items():
        if action != "mapping":
            parallel.settings(page)


# ---- Rows -----------------------------------------------------------------------------------------------------


def _file(options: argparse.Namespace) -> northwind.LegacyFile:
    name = options.format or ("jsonl" if options.file.endswith((".jsonl", ".ndjson", ".json")) else "csv")
    return northwind.LegacyFile(options.file, northwind.LegacyFileFormat[name.upper()])


def _check_ingest(options: argparse.Namespace) -> None:
    if (options.file is None) == (options.query is None):
        raise exits.Complaint(exits.USAGE, "which rows? Give a file, or --query")
    if (options.query is None) != (options.key is None):
        raise exits.Complaint(exits.USAGE, "--query and --key go together")


def _check_rows(file: northwind.LegacyFile, after: str) -> None:
    """A file of which a line is no row is refused before anything of it is taken in."""
    try:
        for _ in file.pages(after=after):
            pass
    except northwind.DataLoss as error:
        raise exits.Complaint(exits.BAD_INPUT, exits.sentence_of(error)) from None


@contextlib.contextmanager
def _pages(options: argparse.Namespace, after: str) -> typing.Iterator[typing.Iterable[northwind.LegacyPage]]:
    if options.query is None:
        with _file(options) as file:
            _check_rows(file, after)
            yield file.pages(after=after)
        return
    with open(options.query, encoding="utf-8") as query:
        sql = query.read()
    connection = options.connection or os.environ.get(_CONNECTION, "")
    with northwind.LegacyReader(connection) as reader:
        yield reader.pages(sql, options.key, after=after)


def _ingest(run: northwind.ParallelRun, options: argparse.Namespace, output: Output) -> None:
    names = ("rows", "new_rows", "corrected", "unchanged", "unreadable", "skipped")
    row: Row = dict.fromkeys(names, 0)
    after = run.cursor(options.source) if options.goes_on else ""
    with _pages(options, after) as pages, output.progress(f"ingesting {options.source}") as progress:
        for page in pages:
            result = run.ingest(options.source, page)
            for each in names:
                row[each] += getattr(result, each)
            progress.at(row["rows"])
    run.catch_up()
    output.facts(row, [(name.replace("_", " "), f"{count:,}") for name, count in row.items()])


# ---- All else -------------------------------------------------------------------------------------------------


def _close(run: northwind.ParallelRun, options: argparse.Namespace, output: Output) -> int:
    totals = comparing.expected(options)
    run.catch_up()
    figures = run.close_day(options.day, options.actor, expected=totals)
    comparing.show_day(figures, output)
    return exits.OK if figures.clean else exits.NO


def _digests(run: northwind.ParallelRun, options: argparse.Namespace, output: Output) -> None:
    nodes: typing.Iterable[northwind.DigestNode]
    if options.merchant is None:
        nodes = run.merchant_digests(options.day)
    elif options.hour is None:
        nodes = run.hour_digests(options.day, options.merchant)
    else:
        nodes = run.row_digests(options.day, options.merchant, options.hour)
    output.rows(comparing.DIGESTS, map(comparing.digest_json, nodes), empty="neither side has anything there")


def _show_rules(run: northwind.ParallelRun, output: Output) -> None:
    today = datetime.datetime.now(datetime.timezone.utc).date()
    uses = run.report(today, today).rule_uses
    output.rows(
        comparing.RULES, ({**comparing.rule_json(rule), "uses": uses.get(rule.id, 0)} for rule in run.rules()), empty="there are no rules"
    )


def _show(run: northwind.ParallelRun, options: argparse.Namespace, output: Output) -> None:
    if options.action == "list":
        found = run.discrepancies(state=options.state, first_class=options.of, day=options.day, merchant_id=options.merchant)
        rows = map(comparing.discrepancy_json, itertools.islice(found, options.limit))
        output.rows(comparing.DISCREPANCIES, rows, empty="nothing differs")
    elif options.action == "days":
        output.rows(comparing.DAYS, map(comparing.figures_json, run.days(options.first, options.last)), empty="nothing is known of these days")
    elif options.action == "digests":
        _digests(run, options, output)
    elif options.action == "rules":
        _show_rules(run, output)
    elif options.action == "cursor":
        output.facts({"source": options.source, "next": run.cursor(options.source)})
    elif options.action == "report":
        report = run.report(options.first, options.last)
        text = report.json() if output.as_json else report.html() if options.html else report.text()
        output.stream.write(text if text.endswith("\n") else text + "\n")
    else:
        comparing.show_discrepancy(run.discrepancy(options.id), output)


def _change(run: northwind.ParallelRun, options: argparse.Namespace, output: Output) -> None:
    if options.action == "ingest":
        _ingest(run, options, output)
    elif options.action == "catch-up":
        run.catch_up()
        output.facts({"followed": run.followed})
    elif options.action == "add-rule":
        run.add_rule(comparing.rule(options))
        _show_rules(run, output)
    elif options.action == "retire-rule":
        run.retire_rule(options.id, options.actor)
        _show_rules(run, output)
    elif options.action == "sign-off":
        run.sign_off(options.first, options.last, options.actor, options.note)
        report = run.report(options.first, options.last)
        row = {"first": options.first.isoformat(), "last": options.last.isoformat(), "signed_by": report.signed_by, "note": report.note}
        output.facts(row, [(name.replace("_", " "), value or None) for name, value in row.items()])
    else:
        getattr(run, options.action)(options.id, options.actor, options.reason)
        comparing.show_discrepancy(run.discrepancy(options.id), output)


def _verify(run: northwind.ParallelRun, output: Output) -> int:
    run.verify()
    output.facts({"good": True}, [("good", "all is as it was counted")])
    return exits.OK


def _act(run: northwind.ParallelRun, options: argparse.Namespace, output: Output) -> int:
    if options.action == "close":
        return _close(run, options, output)
    if options.action == "gate":
        return parallel.show_gate(run.gate(), output)
    if options.action == "verify":
        return _verify(run, output)
    if options.action in ("list", "show", "days", "digests", "rules", "cursor", "report"):
        _show(run, options, output)
    else:
        _change(run, options, output)
    return exits.OK


def run(options: argparse.Namespace, output: Output) -> int:
    if options.action == "mapping":
        output.line(parallel.read_mapping(options.file))
        return exits.OK
    if options.action == "ingest":
        _check_ingest(options)
    if getattr(options, "last", None) is not None and options.last < options.first:
        raise exits.Complaint(exits.USAGE, f"{options.last} is before {options.first}")
    if options.action == "digests" and options.hour is not None and options.merchant is None:
        raise exits.Complaint(exits.USAGE, "--hour is of one merchant: --merchant")
    with ledger(options) as opened, contextlib.ExitStack() as stack:
        pays: northwind.NorthwindPays | None = None
        if options.action == "close" and cutover_has_begun(opened.store):
            # What northwind pays, the batch has no row of: without this question the gate would shut.
            if claiming.connection_of(options) is None:
                raise exits.Complaint(exits.USAGE, "a cutover has begun here, so closing a day asks who pays what: give --claims and --salt")
            claims = stack.enter_context(claiming.claims(options))
            cutover = stack.enter_context(northwind.Cutover(opened.store, cutting_over.salt_of(options)))
            pays = northwind.northwind_pays(cutover, claims)
        found = stack.enter_context(parallel.running(options, opened, begins=options.action in _BEGINNING, is_ours=pays))
        return _act(found, options, output)
