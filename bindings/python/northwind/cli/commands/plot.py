# SPDX-License-Identifier: Apache-2.0
"""northwind plot"""

from __future__ import annotations

import argparse
import collections
import datetime
import os
import typing

import northwind

from .. import chart, exits
from ..chart import Chart, Point
from ..opening import ledger
from ..terminal import Output
from ..values import duration, member, moment, rfc3339, seconds, whole

NAME = "plot"
HELP = "charts of a balance, of throughput, of a retry schedule"
DESCRIPTION = "In the terminal, or as a PNG with -o, which needs matplotlib. --json prints the points."
EXAMPLES = (
    "northwind plot balance merchant:m_42:available:USD/2 -s ledger.db --from 2024-03-01",
    "northwind plot throughput -s ledger.db -o throughput.png",
    "northwind plot retries --initial 5s --multiplier 2 --cap 1h --attempts 12",
)
_BUCKETS = 200


def arguments(parser: argparse.ArgumentParser) -> None:
    plots = parser.add_subparsers(metavar="PLOT", dest="plot", required=True)
    page = plots.add_parser("balance", help="what was available on an account, over time")
    page.add_argument("account", metavar="ACCOUNT", help="the name of an account")
    _range(page)
    page = plots.add_parser("throughput", help="transactions a second, over time")
    _range(page)
    page = plots.add_parser("retries", help="when a webhook is tried again, by a policy")
    page.add_argument("--delay", metavar="TIME", type=duration, action="append", default=[], help="a delay; again for the next one")
    page.add_argument("--initial", metavar="TIME", type=duration, help="the first computed delay")
    page.add_argument("--multiplier", metavar="X", type=float, help="each is so much longer than the one before")
    page.add_argument("--cap", metavar="TIME", type=duration, help="none is longer")
    page.add_argument("--jitter", metavar="HOW", type=member(northwind.Jitter), help="none, full, equal, decorrelated: the plot has the longest")
    page.add_argument("--attempts", metavar="N", type=whole(1, 10_000), help="given up after so many")
    page.add_argument("--max-age", metavar="TIME", type=duration, help="given up after this time")
    for page in plots.choices.values():
        page.add_argument("-o", "--output", metavar="FILE", help="write a PNG")


def _range(page: argparse.ArgumentParser) -> None:
    page.add_argument("--from", dest="start", metavar="TIME", type=moment, help="recorded at this time or later")
    page.add_argument("--to", dest="end", metavar="TIME", type=moment, help="recorded before this time")


def _date(x: chart.Number) -> str:
    return seconds(int(x))


def _balance(options: argparse.Namespace) -> Chart:
    with ledger(options) as opened:
        account = opened.account(options.account)
        points = [
            Point(entry.recorded_at_ns, entry.after.available)
            for entry in opened.history(account, start=options.start, end=options.end)
        ]
    title = f"available on {account.name}, {account.asset.split('/')[0]}"
    return Chart(title, points, _date, lambda y: northwind.format_amount(int(y), account.asset), times=True, steps=True)


def _bucket(span: int) -> int:
    """A length of time in nanoseconds that people count in, so that the span has a number of them that a chart can show."""
    for length in (1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600, 86400, 7 * 86400):
        if span / (length * 1_000_000_000) <= _BUCKETS:
            return length * 1_000_000_000
    return 30 * 86400 * 1_000_000_000


def _throughput(options: argparse.Namespace) -> Chart:
    start = options.start and int(options.start.timestamp() * 1_000_000) * 1000
    end = options.end and int(options.end.timestamp() * 1_000_000) * 1000
    counts: collections.Counter[int] = collections.Counter()
    with ledger(options) as opened:
        for record in opened.journal():
            if isinstance(record, northwind.TransactionRecorded):
                at = record.recorded_at_ns
                if (start is None or at >= start) and (end is None or at < end):
                    counts[at // 1_000_000_000] += 1
    if not counts:
        return Chart("transactions a second", [], _date, lambda y: f"{y:,.0f}", times=True, steps=False)
    first, last = min(counts), max(counts)
    length = _bucket((last - first + 1) * 1_000_000_000) // 1_000_000_000
    buckets: collections.Counter[int] = collections.Counter()
    for second, count in counts.items():
        buckets[second // length] += count
    points = [
        Point(bucket * length * 1_000_000_000, buckets[bucket] / length) for bucket in range(first // length, last // length + 1)
    ]
    return Chart(f"transactions a second, over {length} s each", points, _date, lambda y: f"{y:,.4g}", times=True, steps=False)


def _retries(options: argparse.Namespace) -> Chart:
    given: dict[str, typing.Any] = {
        "delays": options.delay, "initial": options.initial, "multiplier": options.multiplier, "cap": options.cap,
        "jitter": options.jitter, "max_attempts": options.attempts, "max_age": options.max_age,
    }
    given = {name: value for name, value in given.items() if value is not None and value != []}
    retry = northwind.RetryPolicy(**given) if given else northwind.RetryPolicy.standard_webhooks()
    plan = northwind.plan_webhook_attempts(northwind.WebhookPolicy(retry=retry))
    points = [Point(number, at.total_seconds()) for number, at in enumerate(plan, 1)]
    return Chart(
        f"{len(points)} attempts, seconds after the first", points, lambda x: f"attempt {x:.0f}",
        lambda y: str(datetime.timedelta(seconds=round(y))), times=False, steps=False,
    )


_PLOTS: dict[str, typing.Callable[[argparse.Namespace], Chart]] = {
    "balance": _balance, "throughput": _throughput, "retries": _retries,
}


def run(options: argparse.Namespace, output: Output) -> int:
    if options.output is not None:
        exits.need("matplotlib", "a PNG")
    drawn = _PLOTS[options.plot](options)
    if not drawn.points:
        raise exits.Complaint(exits.NOT_FOUND, "there is nothing to plot in that range")
    if options.output is not None:
        chart.png(drawn, options.output)
        output.facts({"file": os.path.abspath(options.output), "points": len(drawn.points)})
        return exits.OK
    if output.as_json:
        for point in drawn.points:
            output.object({"x": rfc3339(int(point.x)) if drawn.times else point.x, "y": str(point.y) if drawn.steps else point.y})
        return exits.OK
    for line in chart.text(drawn):
        output.line(line)
    return exits.OK
