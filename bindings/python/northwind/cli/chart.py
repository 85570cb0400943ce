# SPDX-License-Identifier: Apache-2.0
"""A series of numbers as a chart: in a terminal by itself, as a PNG by matplotlib."""

from __future__ import annotations

import datetime
import os
import shutil
import typing

from . import exits
from .arrival import replacing

_ROWS = 14
_EIGHTHS = " ▁▂▃▄▅▆▇█"

Number = typing.Union[int, float]


class Point(typing.NamedTuple):
    """x is a time in nanoseconds, or any other number."""

    x: Number
    y: Number


class Chart(typing.NamedTuple):
    """What is drawn. `steps`: a value holds until the next one (a balance); otherwise each stands for itself."""

    title: str
    points: typing.Sequence[Point]
    write_x: typing.Callable[[Number], str]
    write_y: typing.Callable[[Number], str]
    times: bool
    steps: bool


def _columns(chart: Chart, width: int) -> list[Number]:
    """One value for each column of the terminal: the last one up to there, or the greatest one within."""
    first, last = chart.points[0].x, chart.points[-1].x
    values: list[Number] = []
    place = 0
    held: Number = chart.points[0].y if chart.steps else 0
    for column in range(width):
        end = first + (last - first) * (column + 1) / width if last > first else first
        within: list[Number] = []
        while place < len(chart.points) and (chart.points[place].x <= end or column == width - 1):
            within.append(chart.points[place].y)
            place += 1
        if chart.steps:
            held = within[-1] if within else held
            values.append(held)
        else:
            values.append(max(within, default=0))
    return values


def _cell(value: Number, low: float, high: float) -> str:
    """What a column of this value shows between two heights: it is filled from zero to the value."""
    if value >= 0:
        share = (value - low) / (high - low) if low >= 0 else 0.0
        return _EIGHTHS[max(0, min(8, round(share * 8)))]
    return "█" if high <= 0 and value <= (low + high) / 2 else " "


def text(chart: Chart, width: int | None = None) -> typing.Iterator[str]:
    """Lines for a terminal."""
    if width is None:
        width = shutil.get_terminal_size((80, 24)).columns
    low, high = min(0, *(p.y for p in chart.points)), max(0, *(p.y for p in chart.points))
    if low == high:
        high = low + 1
    # Zero is the border of two rows.
    below = 0 if low == 0 else max(1, min(_ROWS - 1, round(_ROWS * -low / (high - low)))) if high > 0 else _ROWS
    step = max(high / (_ROWS - below) if below < _ROWS else 0, -low / below if below else 0)
    labels = [chart.write_y(_whole(chart, high)), chart.write_y(0), chart.write_y(_whole(chart, low))]
    margin = max(len(label) for label in labels)
    columns = _columns(chart, max(10, width - margin - 3))
    yield chart.title
    for row in range(_ROWS - below - 1, -below - 1, -1):
        label = labels[0] if row == _ROWS - below - 1 and high > 0 else labels[1] if row == (0 if high > 0 else -1) else ""
        label = labels[2] if row == -below and below else label
        yield f"{label:>{margin}} ┤" + "".join(_cell(value, row * step, (row + 1) * step) for value in columns).rstrip()
    begin, end = chart.write_x(chart.points[0].x), chart.write_x(chart.points[-1].x)
    yield " " * margin + "  " + begin + end.rjust(max(len(end) + 1, len(columns) - len(begin)))


def _whole(chart: Chart, value: float) -> Number:
    """The extreme that the points have, exactly as they have it."""
    return min((p.y for p in chart.points), key=lambda y: abs(y - value)) if value else 0


def png(chart: Chart, path: str) -> None:
    """A file. Nothing is shown on any screen."""
    matplotlib = exits.need("matplotlib", "a PNG")
    matplotlib.use("Agg")
    plt = exits.need("matplotlib.pyplot", "a PNG")
    ticker = exits.need("matplotlib.ticker", "a PNG")
    figure, axes = plt.subplots(figsize=(10, 5), dpi=120, layout="constrained")
    try:
        xs: list[typing.Any] = [p.x for p in chart.points]
        if chart.times:
            begin = datetime.datetime(1970, 1, 1)
            xs = [begin + datetime.timedelta(microseconds=int(p.x) // 1000) for p in chart.points]
        ys = [p.y for p in chart.points]
        if chart.steps:
            axes.step(xs, ys, where="post")
        elif chart.times:
            axes.plot(xs, ys)
        else:
            axes.plot(xs, ys, marker="o")
        axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: chart.write_y(round(value))))
        axes.set_title(chart.title)
        axes.grid(alpha=0.3)
        if chart.times:
            figure.autofmt_xdate()
        with replacing(os.path.abspath(path)) as partial:
            figure.savefig(partial, format="png")
    finally:
        plt.close(figure)
