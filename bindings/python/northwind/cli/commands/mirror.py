# SPDX-License-Identifier: Apache-2.0
"""northwind mirror"""

from __future__ import annotations

import argparse
import os

import northwind

from .. import exits
from ..opening import ledger
from ..terminal import Output, Row
from ..values import duration, for_json

NAME = "mirror"
HELP = "the mirror in PostgreSQL: how far it is, bring it up to date, audit it"
DESCRIPTION = """\
The connection is libpq's: a URL or key=value pairs, with --connection or, better as it is not shown to others, in NORTHWIND_POSTGRES; PGHOST and
its like count as well. docs/mirror.md has the rest."""
EXAMPLES = (
    "northwind mirror migrate --connection postgresql:///books",
    "northwind mirror status -s ledger.db --connection postgresql:///books",
    "northwind mirror sync -s ledger.db --timeout 10m",
    "northwind mirror audit -s ledger.db --json",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    for action, text in (
        ("status", "up to which record PostgreSQL holds the journal"),
        ("sync", "write what is missing, and end"),
        ("audit", "compare every row with the journal; status 1 if one differs"),
        ("migrate", "make the schema, or bring it to this version"),
    ):
        page = actions.add_parser(action, help=text)
        page.add_argument("--connection", metavar="TEXT", default=None, help="default: $NORTHWIND_POSTGRES")
        page.add_argument("--schema", metavar="NAME", default="northwind", help="default: northwind")
        if action == "sync":
            page.add_argument("--timeout", metavar="TIME", type=duration, default=duration("1h"), help="give up after this (default: 1h)")


def _status(mirror: northwind.Mirror, head: int, output: Output) -> int:
    """How far it is, without writing: an audit knows when it begins, and is called off then."""
    ends: list[int] = []

    def first(checked: int, end: int) -> bool:
        ends.append(end)
        return False

    try:
        watermark = mirror.audit(first).watermark
    except northwind.Cancelled:
        watermark = ends[0]
    row: Row = {"mirrored": watermark, "head": head, "lag_records": head - watermark}
    output.facts(row, [("mirrored", f"{watermark:,}"), ("head", f"{head:,}"), ("behind by", f"{head - watermark:,} records")])
    return exits.OK


def _sync(mirror: northwind.Mirror, head: int, options: argparse.Namespace, output: Output) -> int:
    mirror.start()
    try:
        mirror.wait_for(head, options.timeout)
    except northwind.Error:
        # Why it stands still says more than that it does.
        reason = mirror.stats().error
        if reason is not None:
            raise reason from None
        raise
    finally:
        mirror.stop()
    stats = mirror.stats()
    output.facts({"mirrored": head, "records": stats.records}, [("mirrored", f"{head:,}"), ("records written", f"{stats.records:,}")])
    return exits.OK


def _audit(mirror: northwind.Mirror, output: Output) -> int:
    with output.progress("auditing") as progress:

        def shown(checked: int, end: int) -> bool:
            progress.at(checked, end)
            return True

        report = mirror.audit(shown)
    kinds = ("transactions", "postings", "accounts", "holds", "payouts", "payout_events", "rejections")
    row: Row = {"clean": report.clean, "watermark": report.watermark, "differences": report.differences}
    row.update({kind: getattr(report, kind) for kind in kinds})
    row["findings"] = [for_json(finding) for finding in report.findings]
    pairs = [(name.replace("_", " "), value) for name, value in row.items() if name not in ("findings", "clean")]
    output.facts(row, [("clean", "yes" if report.clean else "no"), *pairs])
    if not output.as_json:
        for finding in report.findings:
            output.facts({"finding": finding})
    return exits.OK if report.clean else exits.NO


def run(options: argparse.Namespace, output: Output) -> int:
    connection = options.connection if options.connection is not None else os.environ.get("NORTHWIND_POSTGRES", "")
    if options.action == "migrate":
        northwind.Mirror.migrate(connection, schema=options.schema)
        output.facts({"schema": options.schema, "migrated": True}, [("schema", options.schema)])
        return exits.OK
    with ledger(options) as opened, northwind.Mirror(opened, connection, schema=options.schema) as mirror:
        head = opened.head.sequence
        if options.action == "status":
            return _status(mirror, head, output)
        if options.action == "sync":
            return _sync(mirror, head, options, output)
        return _audit(mirror, output)
