# SPDX-License-Identifier: Apache-2.0
"""northwind deadletters"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import typing

import northwind

from .. import exits
from ..opening import ledger
from ..terminal import Column, Output, Row
from ..values import for_json, moment, positive, stamp, whole

NAME = "deadletters"
HELP = "tasks that were given up: list, try again, discard"
DESCRIPTION = """\
Payouts that need somebody to look (queue nw/payout), webhooks that were never taken, and tasks of your own. Redriven ones are due at once, or
spread by --per-second; a service does them when it runs next."""
EXAMPLES = (
    "northwind deadletters list -s ledger.db --queue nw/payout",
    "northwind deadletters redrive -s ledger.db --queue nw/payout --per-second 10",
    "northwind deadletters discard -s ledger.db task-17 task-18",
)


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--queue", default="", metavar="NAME", help="only those of this queue")
    parser.add_argument("--key", default="", metavar="KEY", help="only those of this key")
    parser.add_argument("--prefix", default="", metavar="TEXT", help="only those whose id begins so")
    parser.add_argument("--from", dest="start", metavar="TIME", type=moment, help="given up at this time or later")
    parser.add_argument("--to", dest="end", metavar="TIME", type=moment, help="given up before this time")


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="what is there, and why")
    _filters(listing)
    listing.add_argument("-n", "--limit", metavar="N", type=positive, help="N tasks at most (default: all)")
    for action, text in (("redrive", "make tasks due again"), ("discard", "remove tasks for good")):
        page = actions.add_parser(action, help=text)
        page.add_argument("ids", nargs="*", metavar="ID", help="the ids of tasks")
        _filters(page)
        page.add_argument("--all", action="store_true", help="all of them, of every queue")
        if action == "redrive":
            page.add_argument("--per-second", metavar="N", type=whole(0, 2**32 - 1), default=0, help="so many a second (default: all at once)")


def _selection(options: argparse.Namespace) -> dict[str, typing.Any]:
    return {
        "queue": options.queue, "key": options.key, "id_prefix": options.prefix, "start": options.start, "end": options.end,
    }


def _json(task: northwind.TaskInfo) -> Row:
    row: Row = {
        "id": task.id, "queue": task.queue, "key": task.key, "cause": str(task.cause), "attempts": task.attempts,
        "died_at": stamp(task.died_at), "last_error": for_json(task.last_error),
    }
    try:
        row["payload"] = task.payload.decode()
    except UnicodeDecodeError:
        row["payload_hex"] = task.payload.hex()
    return row


@contextlib.contextmanager
def _scheduler(options: argparse.Namespace) -> typing.Iterator[northwind.Scheduler]:
    with ledger(options) as opened, northwind.Scheduler(opened.store) as scheduler:
        yield scheduler


def run(options: argparse.Namespace, output: Output) -> int:
    selection = _selection(options)
    if options.action != "list":
        # All of them only if that is said.
        ways = bool(options.ids) + any(selection.values()) + options.all
        if ways != 1:
            raise exits.Complaint(exits.USAGE, "which tasks? Give their ids, or filters such as --queue, or --all")
        if options.ids and options.action == "redrive" and options.per_second:
            raise exits.Complaint(exits.USAGE, "--per-second goes with filters or --all")
    with _scheduler(options) as scheduler:
        if options.action == "list":
            output.rows(
                (
                    Column("ID", "id"), Column("QUEUE", "queue"), Column("CAUSE", "cause"), Column("ATTEMPTS", "attempts", right=True),
                    Column("GIVEN UP", "died_at"), Column("LAST ERROR", "last_error"),
                ),
                (_json(task) for task in itertools.islice(scheduler.dead(**selection), options.limit)),
                empty="no dead letters",
            )
        elif options.action == "redrive":
            count = scheduler.redrive(options.ids) if options.ids else scheduler.redrive_all(**selection, per_second=options.per_second)
            output.facts({"redriven": count})
        else:
            count = scheduler.discard(options.ids) if options.ids else scheduler.discard_all(**selection)
            output.facts({"discarded": count})
    return exits.OK
