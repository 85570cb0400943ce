# SPDX-License-Identifier: Apache-2.0
"""northwind quarantine"""

from __future__ import annotations

import argparse
import itertools
import typing

import northwind

from .. import exits
from ..opening import settling
from ..terminal import Column, Output, Row
from ..values import for_json, member, positive
from .settle import outcome_json

NAME = "quarantine"
HELP = "events that could not be applied: list, try again, discard"
DESCRIPTION = "An event leaves the quarantine when the ledger answers it, or when it is discarded, which is for good."
EXAMPLES = (
    "northwind quarantine list -s ledger.db --cause malformed",
    "northwind quarantine redrive -s ledger.db --all",
    "northwind quarantine discard -s ledger.db 3f2a9c0d1e4b5a69788796a5b4c3d2e1",
)
_PAGE = 1000


def event_id(text: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != 16:
        raise argparse.ArgumentTypeError(f"'{text}' is no id of an event: 32 hexadecimal digits")
    return data


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="what is there, and why")
    listing.add_argument("--cause", metavar="CAUSE", type=member(northwind.QuarantineCause), help="only those of this cause")
    listing.add_argument("-n", "--limit", metavar="N", type=positive, help="N events at most (default: all)")
    for action, text in (("redrive", "apply events again"), ("discard", "remove events for good")):
        page = actions.add_parser(action, help=text)
        page.add_argument("ids", nargs="*", metavar="ID", type=event_id, help="the ids of events")
        page.add_argument("--all", action="store_true", help="all events")


def _json(event: northwind.QuarantinedEvent) -> Row:
    row: Row = {
        "id": event.id.hex(), "cause": str(event.cause), "detail": for_json(event.detail), "position": event.position,
        "format": str(event.format), "bytes": event.raw_size,
    }
    try:
        row["event"] = event.raw.decode()
    except UnicodeDecodeError:
        row["event_hex"] = event.raw.hex()
    return row


def _chosen(options: argparse.Namespace, intake: northwind.Intake) -> list[bytes]:
    if bool(options.ids) == options.all:
        raise exits.Complaint(exits.USAGE, "which events? Give their ids, or --all")
    return [event.id for event in intake.quarantine()] if options.all else options.ids


def _pages(ids: list[bytes]) -> typing.Iterator[list[bytes]]:
    for begin in range(0, len(ids), _PAGE):
        yield ids[begin : begin + _PAGE]


def run(options: argparse.Namespace, output: Output) -> int:
    with settling(options) as parts:
        if options.action == "list":
            found = (event for event in parts.intake.quarantine() if options.cause is None or event.cause is options.cause)
            output.rows(
                (
                    Column("ID", "id"), Column("CAUSE", "cause"), Column("LINE", "position", right=True),
                    Column("BYTES", "bytes", right=True), Column("DETAIL", "detail"),
                ),
                (_json(event) for event in itertools.islice(found, options.limit)),
                empty="the quarantine is empty",
            )
            return exits.OK
        ids = _chosen(options, parts.intake)
        if options.action == "discard":
            gone = sum(parts.intake.discard_quarantined(page) for page in _pages(ids))
            output.facts({"discarded": gone})
            return exits.OK
        stays = 0
        rows = []
        for page in _pages(ids):
            for id_, outcome in zip(page, parts.intake.redrive_quarantined(page)):
                row = {"id": id_.hex(), **outcome_json(0, outcome)}
                del row["position"]
                rows.append(row)
                stays += outcome.status is northwind.EventStatus.QUARANTINED
        output.rows(
            (
                Column("ID", "id"), Column("STATUS", "status"), Column("SEQUENCE", "sequence", right=True),
                Column("WHY", lambda row: row.get("reason") or row.get("cause")), Column("DETAIL", "detail"),
            ),
            rows,
            empty="the quarantine is empty",
        )
    return exits.NO if stays else exits.OK
