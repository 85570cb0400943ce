# SPDX-License-Identifier: Apache-2.0
"""Everything that a command prints: tables for people, JSON for programs, progress on a terminal."""

from __future__ import annotations

import itertools
import json
import os
import select
import sys
import time
import types
import typing

from . import exits
from .values import for_json, shown, size

# Rows that decide how wide the columns of a table are. A longer list is printed as it comes.
_MEASURED_ROWS = 1000
_BAR_SECONDS = 0.1

Row = dict[str, typing.Any]


class Column(typing.NamedTuple):
    """What a table shows of a row: a title, a key of the row or a function of it, and whether it stands to the right."""

    title: str
    value: str | typing.Callable[[Row], typing.Any]
    right: bool = False

    def of(self, row: Row) -> str:
        value = row.get(self.value) if isinstance(self.value, str) else self.value(row)
        return "" if value is None else shown(str(value))


class Output:
    """Where a command prints to. A list is one JSON object per line, everything else one object."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.stream = sys.stdout
        self._bold = self.stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def line(self, text: str = "") -> None:
        self.stream.write(text + "\n")

    def object(self, row: Row) -> None:
        self.line(json.dumps(row))

    def note(self, text: str) -> None:
        """A remark that is no result: on standard error."""
        if not self.quiet and self.as_json:
            sys.stderr.write(json.dumps({"note": for_json(text)}) + "\n")
        elif not self.quiet:
            sys.stderr.write(f"northwind: {shown(text)}\n")

    def can_ask(self, yes: bool, what: str) -> None:
        """To be called before anything is shown that somebody is to say yes to."""
        if not yes and self.as_json:
            raise exits.Complaint(exits.USAGE, f"{what} asks before it changes anything, and shows nothing to a person with --json: give --yes")
        if not yes and not sys.stdin.isatty():
            raise exits.Complaint(exits.USAGE, f"{what} asks before it changes anything, and there is no terminal: give --yes")

    def confirmed(self, yes: bool, question: str) -> bool:
        """Whether somebody at the terminal says yes, or --yes did."""
        if yes:
            return True
        self.stream.flush()
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        # Ctrl-C that comes just before a read begins is not seen until it ends, which may be never: so this looks for it.
        while not select.select([sys.stdin], [], [], 0.2)[0]:
            pass
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return True
        self.note("nothing was changed")
        return False

    def heading(self, text: str) -> None:
        self.line(f"\x1b[1m{text}\x1b[0m" if self._bold else text)

    def rows(self, columns: typing.Sequence[Column], rows: typing.Iterable[Row], *, empty: str = "") -> int:
        """A list. Returns how many there were."""
        count = 0
        rows = iter(rows)
        if self.as_json:
            for row in rows:
                self.object(row)
                count += 1
            return count
        first = [[column.of(row) for column in columns] for row in itertools.islice(rows, _MEASURED_ROWS)]
        if not first:
            if empty:
                self.note(empty)
            return 0
        widths = [max(len(column.title), *(len(cells[i]) for cells in first)) for i, column in enumerate(columns)]

        def laid(cells: typing.Sequence[str]) -> str:
            parts = [
                cell.rjust(width) if column.right else cell.ljust(width) for column, cell, width in zip(columns, cells, widths)
            ]
            return "  ".join(parts).rstrip()

        self.heading(laid([column.title for column in columns]))
        for cells in itertools.chain(first, ([column.of(row) for column in columns] for row in rows)):
            self.line(laid(cells))
            count += 1
        return count

    def facts(self, row: Row, pairs: typing.Sequence[tuple[str, typing.Any]] | None = None) -> None:
        """One thing: its JSON, or names and values below each other."""
        if self.as_json:
            self.object(row)
            return
        listed = [(name, value) for name, value in (pairs if pairs is not None else row.items()) if value is not None]
        width = max((len(name) for name, _ in listed), default=0)
        for name, value in listed:
            self.line(f"{name.ljust(width)}  {shown(str(value))}".rstrip())

    def progress(self, what: str, total: int | None = None, *, in_bytes: bool = False) -> Progress:
        return Progress(what, total, shows=not self.quiet and sys.stderr.isatty(), in_bytes=in_bytes)


class Progress:
    """A bar on standard error, if that is a terminal. Leaves nothing behind."""

    def __init__(self, what: str, total: int | None, *, shows: bool, in_bytes: bool = False) -> None:
        self._what = what
        self._total = total
        self._shows = shows
        self._in_bytes = in_bytes
        self._begun = self._last = time.monotonic()
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: types.TracebackType | None
    ) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def at(self, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        if not self._shows or now - self._last < _BAR_SECONDS:
            return
        self._last = now
        self._drawn = True
        sys.stderr.write("\r\x1b[K" + self.text(done, self._total if total is None else total, now - self._begun))
        sys.stderr.flush()

    def text(self, done: int, total: int | None, seconds: float) -> str:
        rate = done / seconds if seconds > 0 else 0.0
        speed = f"{size(rate)}/s" if self._in_bytes else f"{rate:,.0f}/s"
        if not total:
            return f"{self._what}  {done:,}  {speed}"
        share = min(done / total, 1.0)
        bar = "█" * round(share * 24)
        left = (total - done) / rate if rate > 0 else 0.0
        return f"{self._what}  [{bar:░<24}] {share:4.0%}  {speed}  {left:,.0f} s left"
