# SPDX-License-Identifier: Apache-2.0
"""northwind settle"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import stat
import time
import typing

import northwind

from .. import exits
from ..lines import Line, Lines
from ..opening import Settling, is_store, settling, store_path
from ..terminal import Column, Output, Row
from ..values import duration, for_json, member, positive

NAME = "settle"
HELP = "apply payment events from files, standard input or an SQS queue"
DESCRIPTION = """\
One JSON event a line (docs/events.md), in any order and however often. Each is durable before it is counted. Events that wait for others do
so durably; those that cannot be applied are set aside with the reason: see 'northwind quarantine'. Kill it at any moment and run it again
with the same input: the result is the same. Status 1 if an event of this run went to quarantine. The store is made if it does not exist."""
EXAMPLES = (
    "northwind settle -s ledger.db events.jsonl",
    "zcat night.jsonl.gz | northwind settle -s ledger.db -",
    "northwind settle -s ledger.db events.jsonl --each --json | jq 'select(.status == \"rejected\")'",
    "northwind settle -s ledger.db --queue-url https://sqs.eu-central-1.amazonaws.com/123456789012/payments",
)
_STATUSES = tuple(northwind.EventStatus)
_PROGRESS_SECONDS = 0.2


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help="events, one a line; - is standard input")
    parser.add_argument("--each", action="store_true", help="also print what became of each event")
    parser.add_argument("--batch", metavar="N", type=positive, default=20_000, help="events read at a time (default: 20000)")
    parser.add_argument(
        "--finish", action="store_true", help="at the end, send to quarantine what still waits for an event that never came"
    )
    queue = parser.add_argument_group("from SQS (docs/sqs.md; credentials as AWS's tools take them)")
    queue.add_argument("--queue-url", metavar="URL", help="until the queue is empty")
    queue.add_argument("--follow", action="store_true", help="go on until SIGINT or SIGTERM")
    queue.add_argument("--region", default="", metavar="NAME", help="the queue's region")
    queue.add_argument("--endpoint", default="", metavar="URL", help="another place than the queue URL's")
    queue.add_argument("--profile", default="", metavar="NAME", help="of the shared configuration files")
    queue.add_argument("--body", type=member(northwind.SqsBody), default=northwind.SqsBody.AUTO, metavar="KIND", help="auto, json, protobuf")
    queue.add_argument("--sns", action="store_true", help="bodies are notifications of SNS")
    queue.add_argument(
        "--poison", type=member(northwind.SqsPoison), default=northwind.SqsPoison.QUARANTINE, metavar="HOW",
        help="quarantine (default), or redrive_policy: leave to the queue what can never be applied",
    )
    queue.add_argument("--receive-wait", type=duration, metavar="TIME", help="how long a receive waits (default: 2s; 20s with --follow)")


class Tally:
    """What became of events."""

    def __init__(self) -> None:
        self.events = 0
        self.empty_lines = 0
        self.by_status: collections.Counter[northwind.EventStatus] = collections.Counter()
        self.reasons: collections.Counter[str] = collections.Counter()
        # What became of events that had been parked, by this run or by earlier ones. `by_status` has their first answer, if it was of
        # this run.
        self.late: collections.Counter[northwind.EventStatus] = collections.Counter()

    def add(self, outcome: northwind.EventOutcome, *, late: bool = False) -> None:
        (self.late if late else self.by_status)[outcome.status] += 1
        if outcome.status is northwind.EventStatus.REJECTED:
            self.reasons[f"rejected {outcome.reason}"] += 1
        elif outcome.status is northwind.EventStatus.QUARANTINED:
            self.reasons[f"quarantined {outcome.cause}"] += 1

    @property
    def quarantined(self) -> int:
        return self.by_status[northwind.EventStatus.QUARANTINED] + self.late[northwind.EventStatus.QUARANTINED]


def outcome_json(position: int, outcome: northwind.EventOutcome) -> Row:
    row: Row = {"position": position, "status": str(outcome.status), "type": outcome.type and outcome.type.name}
    if outcome.reason:
        row["reason"] = str(outcome.reason)
    if outcome.cause:
        row["cause"] = str(outcome.cause)
    if outcome.sequence:
        row["sequence"] = outcome.sequence
    if outcome.detail:
        row["detail"] = for_json(outcome.detail)
    return row


_EACH = (
    Column("LINE", "position", right=True), Column("STATUS", "status"), Column("TYPE", lambda row: (row["type"] or "").lower()),
    Column("SEQUENCE", "sequence", right=True), Column("WHY", lambda row: row.get("reason") or row.get("cause")),
    Column("DETAIL", "detail"),
)


def _batches(lines: typing.Iterable[Line], count: int) -> typing.Iterator[list[Line]]:
    lines = iter(lines)
    while batch := list(itertools.islice(lines, count)):
        yield batch


def _apply(parts: Settling, batch: list[Line], tally: Tally, output: Output, each: bool) -> None:
    # Positions of a call are consecutive: an empty line begins another call.
    for _, run in itertools.groupby(enumerate(batch), lambda pair: pair[1].number - pair[0]):
        group = [line for _, line in run]
        result = parts.intake.apply([line.text for line in group], first_position=group[0].number)
        tally.events += len(group)
        for outcome in result.outcomes:
            tally.add(outcome)
        for late in result.late:
            tally.add(late.outcome, late=True)
        if each:
            rows = [outcome_json(line.number, outcome) for line, outcome in zip(group, result.outcomes)]
            rows += [{**outcome_json(late.position, late.outcome), "late": True} for late in result.late]
            output.rows(_EACH, rows)
            output.stream.flush()


def _from_files(parts: Settling, options: argparse.Namespace, output: Output) -> Tally:
    tally = Tally()
    for path in options.files:
        with Lines(path) as lines, output.progress(f"settling {path}", lines.size, in_bytes=lines.size is not None) as progress:
            for batch in _batches(lines, options.batch):
                _apply(parts, batch, tally, output, options.each)
                progress.at(lines.read if lines.size else tally.events)
            tally.empty_lines += lines.empty
    if options.finish:
        for late in parts.intake.finish():
            tally.add(late.outcome, late=True)
    return tally


def _report(tally: Tally, parked: int, seconds: float, output: Output, each: bool) -> None:
    row: Row = {"events": tally.events, **{str(status): tally.by_status[status] for status in _STATUSES}}
    row["late"] = {str(status): tally.late[status] for status in _STATUSES if tally.late[status]}
    row.update(empty_lines=tally.empty_lines, waiting=parked, seconds=round(seconds, 3), reasons=dict(tally.reasons))
    if each and output.as_json:
        row = {"summary": row}
    elif each and tally.events:
        output.line()
    pairs: list[tuple[str, typing.Any]] = [("events", f"{tally.events:,}")]
    pairs += [(str(status).replace("_", " "), f"{tally.by_status[status]:,}") for status in _STATUSES if tally.by_status[status]]
    pairs += [(f"waited, then {status}".replace("_", " "), f"{count:,}") for status, count in sorted(tally.late.items())]
    pairs += [(f"  {reason}", f"{count:,}") for reason, count in sorted(tally.reasons.items())]
    pairs += [("waiting now", f"{parked:,}" if parked else None), ("time", f"{seconds:.1f} s")]
    output.facts(row, pairs)


def _from_queue(parts: Settling, options: argparse.Namespace, output: Output) -> int:
    wait = options.receive_wait
    source = northwind.SqsSource(
        parts.intake, options.queue_url, region=options.region, endpoint=options.endpoint, profile=options.profile, body=options.body,
        sns_envelope=options.sns, poison=options.poison, wait=wait.total_seconds() if wait is not None else 20 if options.follow else 2,
    )
    with source, output.progress("settling") as progress:
        try:
            source.start()
            while options.follow or not source.wait_until_drained(_PROGRESS_SECONDS):
                stats = source.stats()
                if stats.state is northwind.SqsState.HALTED and stats.error is not None:
                    raise stats.error
                progress.at(stats.deleted)
                if options.follow:
                    # There is nothing to wait for: a source that halts wakes nobody, and one that is drained is so at once.
                    time.sleep(_PROGRESS_SECONDS)
        except (KeyboardInterrupt, exits.Terminated):
            # That is how following ends.
            if not options.follow:
                raise
        source.stop()
        stats = source.stats()
    row = {
        name: getattr(stats, name)
        for name in ("received", "redelivered", "deleted", "returned", "corrupt", "poison", "applied", "duplicates", "rejected", "parked")
    }
    output.facts(row, [(name, f"{count:,}") for name, count in row.items()])
    return exits.NO if stats.poison else exits.OK


def _check_file(path: str) -> None:
    """Before anything is made for it. What is no file, such as a pipe, is opened once only, when it is read."""
    if path != "-" and not stat.S_ISFIFO(os.stat(path).st_mode):
        open(path, "rb").close()


def run(options: argparse.Namespace, output: Output) -> int:
    if bool(options.queue_url) == bool(options.files):
        raise exits.Complaint(exits.USAGE, "what is to be settled? Give files (- for standard input), or --queue-url")
    if options.follow and not options.queue_url:
        raise exits.Complaint(exits.USAGE, "--follow is for a queue")
    for path in options.files:
        _check_file(path)
    begun = time.monotonic()
    new = not is_store(store_path(options))
    with settling(options, create=True) as parts:
        if new:
            output.note(f"a new store was made: {os.path.abspath(store_path(options))}")
        if options.queue_url:
            return _from_queue(parts, options, output)
        tally = _from_files(parts, options, output)
        parked = parts.intake.parked
    _report(tally, parked, time.monotonic() - begun, output, options.each)
    return exits.NO if tally.quarantined else exits.OK
