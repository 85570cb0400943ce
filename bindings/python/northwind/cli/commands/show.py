# SPDX-License-Identifier: Apache-2.0
"""northwind show"""

from __future__ import annotations

import argparse
import re
import typing

import northwind

from .. import exits
from ..opening import ledger
from ..records import Names, record_json, text_of
from ..terminal import Output, Row
from ..values import code, money

NAME = "show"
HELP = "show a transaction by its key, reference or sequence"
DESCRIPTION = """\
32 hexadecimal digits or a UUID are a key, digits alone a sequence, and all else is a reference: then all applied transactions that have it,
under the code given or under one of payment events (1001 to 1011) or 0. --code makes a reference of anything."""
EXAMPLES = (
    "northwind show -s ledger.db pay_1",
    "northwind show -s ledger.db 1200 --json",
    "northwind show -s ledger.db 0190c5f0-7a5b-7c3d-9e1f-2a4b6c8d0e1f",
    "northwind show -s ledger.db 12345 --code 7",
)
# 0, which is none, and those that settlement gives to payment events.
_CODES = (0, *(1000 + int(kind) for kind in northwind.EventType))
_KEY = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="KEY|REFERENCE|SEQUENCE", help="which transaction")
    parser.add_argument("--code", metavar="N", type=code, help="look for a reference, under this code")


def _find(opened: northwind.Ledger, options: argparse.Namespace) -> list[northwind.TransactionView]:
    what = options.what
    if options.code is None and _KEY.fullmatch(what):
        return [opened.transaction(what)]
    if options.code is None and what.isascii() and what.isdigit():
        return [opened.transaction(int(what))]
    codes = _CODES if options.code is None else (options.code,)
    found = [view for code in codes for view in opened.find_by_reference(code, what)]
    if not found:
        under = "" if options.code is None else f" under code {options.code}"
        raise northwind.NotFound(f"no applied transaction has the reference {what}{under}")
    return sorted(found, key=lambda view: view.sequence)


def _pairs(row: Row) -> typing.Iterator[tuple[str, typing.Any]]:
    asset = next((posting["asset"] for name in ("postings", "moved") for posting in row.get(name, ())), None)
    for name in ("sequence", "recorded_at", "effective_at", "key", "kind", "outcome", "reason", "code", "reference"):
        yield name, text_of(row, name)
    if row.get("target_sequence"):
        yield "works on", row["target_sequence"]
    for posting in row.get("moved") or row.get("postings", ()):
        yield "posting", f"{money(int(posting['units']), posting['asset'])}  {posting['debit']} → {posting['credit']}"
    for name in ("captured", "released", "remaining", "reversed"):
        if int(row.get(name) or 0):
            yield name, money(int(row[name]), asset) if asset else row[name]
    yield "expires_at", row.get("expires_at")
    yield "metadata", text_of(row, "metadata")
    if row["links"]:
        yield "worked on by", ", ".join(str(link) for link in row["links"])


def run(options: argparse.Namespace, output: Output) -> int:
    with ledger(options) as opened:
        names = Names(opened)
        for number, view in enumerate(_find(opened, options)):
            row = record_json(view.record, names)
            row.update(
                links=list(view.links), captured=str(view.captured), released=str(view.released), remaining=str(view.remaining),
                reversed=str(view.reversed),
            )
            if number and not output.as_json:
                output.line()
            output.facts(row, list(_pairs(row)))
    return exits.OK
