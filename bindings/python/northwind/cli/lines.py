# SPDX-License-Identifier: Apache-2.0
"""Lines of a file or of standard input, in batches, none of them longer than a bound."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import typing

# One byte more than an event may have: what is longer is refused whatever follows, and the rest of it is not kept.
LONGEST_LINE = 65_536 + 1


@contextlib.contextmanager
def text_file(path: str) -> typing.Iterator[typing.TextIO]:
    """UTF-8 of a file, or of standard input for "-", with its line ends as they are."""
    if path != "-":
        with open(path, encoding="utf-8", newline="") as file:
            yield file
        return
    text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="")
    try:
        yield text
    finally:
        text.detach()


class Line(typing.NamedTuple):
    """A line that is not empty, without its end."""

    number: int
    text: bytes


class Lines:
    """A file, or standard input for "-". Numbers begin with 1; empty lines count."""

    def __init__(self, path: str, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._file: typing.BinaryIO = sys.stdin.buffer if path == "-" else io.BufferedReader(io.FileIO(path), 1 << 20)
        status = os.fstat(self._file.fileno())
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None
        self.read = 0
        self.empty = 0
        self._number = 0

    def close(self) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _line(self) -> bytes | None:
        """The next line with its end, cut at the bound; nothing at the end of the input."""
        line = self._file.readline(self._longest + 2)
        if not line:
            return None
        self.read += len(line)
        piece = line
        while not piece.endswith(b"\n"):
            piece = self._file.readline(1 << 16)
            if not piece:
                break
            self.read += len(piece)
        return line

    def __iter__(self) -> typing.Iterator[Line]:
        while (line := self._line()) is not None:
            self._number += 1
            line = line[:-1] if line.endswith(b"\n") else line
            line = line[:-1] if line.endswith(b"\r") else line
            if line:
                yield Line(self._number, line[: self._longest])
            else:
                self.empty += 1
