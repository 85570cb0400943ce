# SPDX-License-Identifier: Apache-2.0
"""northwind tail"""

from __future__ import annotations

import argparse
import os
import select

import northwind

from .. import exits
from ..opening import InUse, ledger, store_path
from ..records import Names, record_json, text_of
from ..terminal import Output, Row
from ..values import duration, money, natural, shown, within

NAME = "tail"
HELP = "print the newest records of the journal, and follow it"
DESCRIPTION = """\
With --follow, goes on until Ctrl-C. As one process has a store open at a time, it is opened for a moment whenever its files have changed and
nobody has it open: what other commands write shows up within --interval, what a service writes when that has let the store go. While it runs,
ask the service: docs/cli.md says how."""
EXAMPLES = (
    "northwind tail -s ledger.db -n 20", "northwind tail -s ledger.db -f --interval 1s",
    "northwind tail -s ledger.db -f --json | jq -c 'select(.outcome == \"rejected\")'",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--lines", metavar="N", type=natural, default=10, help="so many records (default: 10)")
    parser.add_argument("-f", "--follow", action="store_true", help="print what is recorded from now on, too")
    parser.add_argument(
        "--interval", metavar="TIME", type=within("10ms", "1m"), default=duration("100ms"),
        help="with --follow, how often to look whether somebody has written: 10ms to 1m (default: 100ms)",
    )


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


def _pause(output: Output, seconds: float) -> None:
    """Until it is time to look again, or whoever read the output has gone away.

    What another process records there is nothing to wait for: a ledger wakes those who follow its journal in its own process, and one process
    has a store open at a time. So the files are looked at, now and then.
    """
    poll = select.poll()
    # Nothing is asked for: an end of the reader is reported anyhow.
    poll.register(output.stream.fileno(), 0)
    if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(seconds * 1000)):
        raise BrokenPipeError


def run(options: argparse.Namespace, output: Output) -> int:
    path = store_path(options)
    with ledger(options) as opened:
        head = opened.head.sequence
        at = _print_after(opened, max(0, head - options.lines), output) if options.lines else head
        seen = _files(path)
    options.wait = options.wait * 0
    interval = options.interval.total_seconds()
    waiting = False
    while options.follow:
        try:
            changed = _files(path) != seen
        except FileNotFoundError:
            changed = True  # a file went away meanwhile
        if not changed:
            _pause(output, interval)
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
            _pause(output, interval)
    return exits.OK
