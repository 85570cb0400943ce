# SPDX-License-Identifier: Apache-2.0
"""northwind mirror"""

from __future__ import annotations

import argparse
import os
import typing

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
# Whoever asks how far it is does not want to wait.
_STATUS_TIMEOUT = duration("10s")


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    for action, text in (
        ("status", "up to which record PostgreSQL holds the journal: one question, and nothing is written"),
        ("sync", "write what is missing, and end"),
        ("audit", "compare every row with the journal; status 1 if one differs"),
        ("migrate", "make the schema, or bring it to this version"),
    ):
        page = actions.add_parser(action, help=text)
        page.add_argument("--connection", metavar="TEXT", default=None, help="default: $NORTHWIND_POSTGRES")
        page.add_argument("--schema", metavar="NAME", default="northwind", help="default: northwind")
        if action == "status":
            page.add_argument("--audit", action="store_true", help="audit it as well, which takes as long as it does")
        if action == "sync":
            page.add_argument("--timeout", metavar="TIME", type=duration, default=duration("1h"), help="give up after this (default: 1h)")


def _status(mirror: northwind.Mirror, head: int, options: argparse.Namespace, output: Output) -> int:
    watermark = mirror.read_watermark()
    row: Row = {"mirrored": watermark, "head": head, "lag_records": head - watermark}
    pairs: list[tuple[str, typing.Any]] = [
        ("mirrored", f"{watermark:,}"), ("head", f"{head:,}"), ("behind by", f"{head - watermark:,} records"),
    ]
    if not options.audit:
        output.facts(row, pairs)
        return exits.OK
    report = _audited(mirror, output)
    row["audit"] = _audit_json(report)
    output.facts(row, [*pairs, *_audit_pairs(report)])
    return exits.OK if report.clean else exits.NO


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


def _audited(mirror: northwind.Mirror, output: Output) -> northwind.AuditReport:
    with output.progress("auditing") as progress:

        def shown(checked: int, end: int) -> bool:
            progress.at(checked, end)
            return True

        return mirror.audit(shown)


def _audit_json(report: northwind.AuditReport) -> Row:
    kinds = ("transactions", "postings", "accounts", "holds", "payouts", "payout_events", "rejections")
    row: Row = {"clean": report.clean, "watermark": report.watermark, "differences": report.differences}
    row.update({kind: getattr(report, kind) for kind in kinds})
    row["findings"] = [for_json(finding) for finding in report.findings]
    return row


def _audit_pairs(report: northwind.AuditReport) -> list[tuple[str, typing.Any]]:
    pairs = [(name.replace("_", " "), value) for name, value in _audit_json(report).items() if name not in ("findings", "clean")]
    return [("clean", "yes" if report.clean else "no"), *pairs, *(("finding", finding) for finding in report.findings)]


def _audit(mirror: northwind.Mirror, output: Output) -> int:
    report = _audited(mirror, output)
    output.facts(_audit_json(report), _audit_pairs(report))
    return exits.OK if report.clean else exits.NO


def run(options: argparse.Namespace, output: Output) -> int:
    connection = options.connection if options.connection is not None else os.environ.get("NORTHWIND_POSTGRES", "")
    if options.action == "migrate":
        northwind.Mirror.migrate(connection, schema=options.schema)
        output.facts({"schema": options.schema, "migrated": True}, [("schema", options.schema)])
        return exits.OK
    settings: dict[str, typing.Any] = {"schema": options.schema}
    if options.action == "status" and not options.audit:
        settings["statement_timeout"] = _STATUS_TIMEOUT
    with ledger(options) as opened, northwind.Mirror(opened, connection, **settings) as mirror:
        head = opened.head.sequence
        if options.action == "status":
            return _status(mirror, head, options, output)
        if options.action == "sync":
            return _sync(mirror, head, options, output)
        return _audit(mirror, output)
