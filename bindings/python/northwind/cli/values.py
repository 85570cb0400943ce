# SPDX-License-Identifier: Apache-2.0
"""Times, amounts and names: read from the command line, and written for people and for programs."""

from __future__ import annotations

import argparse
import datetime
import re
import typing

import northwind

UTC = datetime.timezone.utc
_DIGITS = re.compile(r"[0-9]+")
# Python refuses to read numbers of thousands of digits.
_MOST_DIGITS = 100
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def moment(text: str) -> datetime.datetime:
    """RFC 3339, or a date: then its beginning. Without a zone it is UTC."""
    try:
        # Python 3.9 and 3.10 read neither Z nor less than 3 digits of a second.
        plain = re.sub(r"[zZ]$", "+00:00", text)
        plain = re.sub(r"\.(\d+)", lambda digits: "." + digits[1][:6].ljust(6, "0"), plain)
        at = datetime.datetime.fromisoformat(plain)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"'{text}' is no time; write 2024-03-01 or 2024-03-01T12:00:00Z") from None


def as_of(text: str) -> int | datetime.datetime:
    """A sequence, a moment, or a date: then its end."""
    if _DIGITS.fullmatch(text):
        return natural(text)
    at = moment(text)
    if _DATE.fullmatch(text):
        at += datetime.timedelta(days=1, microseconds=-1)
    return at


def whole(least: int, most: int) -> typing.Callable[[str], int]:
    """A whole number with bounds, both of them allowed."""

    def read(text: str) -> int:
        if not _DIGITS.fullmatch(text) or (least == 1 and not text.strip("0")):
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number{' above zero' if least == 1 else ''}")
        if len(text) > _MOST_DIGITS or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is not from {least} to {most}")
        return int(text)

    return read


# Whatever is counted, sequences among them.
positive = whole(1, 2**63 - 1)
natural = whole(0, 2**63 - 1)
code = whole(0, 2**16 - 1)
basis_points = whole(0, 10_000)


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 36500 * 86400.0


def duration(text: str) -> datetime.timedelta:
    """500ms, 30s, 5m, 2h, 7d; a bare number is seconds."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is no duration; write 500ms, 30s, 5m, 2h or 7d")
    count = float(match[1]) * _UNITS[match[2] or "s"]
    if count > _LONGEST:
        raise argparse.ArgumentTypeError(f"'{text}' is longer than 36500d")
    return datetime.timedelta(seconds=count)


def within(least: str, most: str) -> typing.Callable[[str], datetime.timedelta]:
    """A duration with bounds, both of them allowed."""

    def read(text: str) -> datetime.timedelta:
        found = duration(text)
        if not duration(least) <= found <= duration(most):
            raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
        return found

    return read


def member(kind: type[northwind.enums._Enum]) -> typing.Callable[[str], typing.Any]:
    """Reads a member of an enumeration by its lower-case name."""

    def read(text: str) -> typing.Any:
        try:
            return kind[text.upper()]
        except KeyError:
            names = ", ".join(str(each) for each in kind)
            raise argparse.ArgumentTypeError(f"'{text}' is none of {names}") from None

    # For the completion of shells.
    read.choices = [str(each) for each in kind]  # type: ignore[attr-defined]
    return read


def text(given: str) -> str:
    """Text that is UTF-8: bytes of an argument that are not are surrogates in Python."""
    if not given.isprintable():
        try:
            given.encode()
        except UnicodeEncodeError:
            raise argparse.ArgumentTypeError(f"'{shown(given)}' is no UTF-8") from None
    return given


def rfc3339(ns: int) -> str:
    """With as many digits after the second as are needed, none of them rounded."""
    seconds, rest = divmod(ns, 1_000_000_000)
    text = (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)).isoformat()
    return f"{text}.{rest:09d}".rstrip("0").rstrip(".") + "Z"


def stamp(at: datetime.datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def seconds(ns: int) -> str:
    """For tables: to the second."""
    return rfc3339(ns // 1_000_000_000 * 1_000_000_000)


def money(units: int, asset: str) -> str:
    """12.34 USD"""
    return f"{northwind.format_amount(units, asset)} {asset.split('/')[0]}"


def shown(text: str) -> str:
    """Text of others, so that it does nothing to a terminal: what is not printable is escaped."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else f"\\x{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF
        else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}"
        for c in text
    )


def for_json(text: str) -> str:
    """Bytes that are no UTF-8 are surrogates in Python; no JSON may have those."""
    return "".join(f"\\x{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text)


def size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
