# SPDX-License-Identifier: Apache-2.0
"""northwind tail"""

from __future__ import annotations

import argparse
import os
import time

import northwind

from .. import exits
from ..opening import InUse, ledger, store_path
from ..records import Names, record_json, text_of
from ..terminal import Output, Row
from ..values import money, natural, shown

NAME = "tail"
HELP = "print the newest records of the journal, and follow it"
DESCRIPTION = """\
With --follow, goes on until Ctrl-C. As one process has a store open at a time, it is opened for a moment whenever its files have changed and
nobody has it open: what other commands write shows up at once, what a service writes when that has let the store go."""
EXAMPLES = ("northwind tail -s ledger.db -n 20", "northwind tail -s ledger.db -f --json | jq -c 'select(.outcome == \"rejected\")'")
_POLL_SECONDS = 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--lines", metavar="N", type=natural, default=10, help="so many records (default: 10)")
    parser.add_argument("-f", "--follow", action="store_true", help="print what is recorded from now on, too")


def line_of(row: Row) -> str:
    """A record in one line."""
    begin = f"{row['sequence']:>9}  {row['recorded_at'][:19]}Z  "
    if row["record"] == "account_opened":
        return f"{begin}opened    {row['account']}  {row['asset']}{'  external' if row['external'] else ''}"
    if row["record"] == "account_changed":
        return f"{begin}changed   {row['account']}  {row['state']}, limit {row['min_available']}"
    if row["record"] == "hold_expired":
        return f"{begin}expired   hold {row['hold']}, {row['released']} units released"
    what = row["kind"] if row["outcome"] == "applied" else f"{row['outcome']} {row['kind']} ({row['reason']})"
    postings = row["moved"] if "moved" in row else row.get("postings") or []
    moved = [f"{money(int(p['units']), p['asset'])}  {p['debit']} → {p['credit']}" for p in postings]
    more = f"  (and {len(moved) - 1} more)" if len(moved) > 1 else ""
    return f"{begin}{what:<9} {text_of(row, 'reference') or ''}  {moved[0] if moved else ''}{more}".rstrip()


def _print_after(opened: northwind.Ledger, after: int, output: Output) -> int:
    names = Names(opened)
    for record in opened.journal(after):
        row = record_json(record, names)
        after = record.sequence
        if output.as_json:
            output.object(row)
        else:
            output.line(shown(line_of(row)))
    output.stream.flush()
    return after


def _files(path: str) -> frozenset[tuple[str, int]]:
    """What a write to the store changes, and opening it without writing does not: taken while it is open, so that none is missed."""
    with os.scandir(path) as entries:
        return frozenset((entry.name, entry.stat().st_size) for entry in entries if entry.name.endswith((".log", ".sst")))


def run(options: argparse.Namespace, output: Output) -> int:
    path = store_path(options)
    with ledger(options) as opened:
        head = opened.head.sequence
        at = _print_after(opened, max(0, head - options.lines), output) if options.lines else head
        seen = _files(path)
    options.wait = options.wait * 0
    waiting = False
    while options.follow:
        try:
            changed = _files(path) != seen
        except FileNotFoundError:
            changed = True  # a file went away meanwhile
        if not changed:
            time.sleep(_POLL_SECONDS)
            continue
        try:
            with ledger(options) as opened:
                at = _print_after(opened, at, output)
                seen = _files(path)
            waiting = False
        except InUse:
            if not waiting:
                output.note("another process has the store open; what it writes is shown when it lets go")
            waiting = True
            time.sleep(_POLL_SECONDS)
    return exits.OK
