# SPDX-License-Identifier: Apache-2.0
"""The parallel run of a store: its settings on the command line, and its gate."""

from __future__ import annotations

import argparse
import contextlib
import os
import typing

import northwind

from . import exits
from .terminal import Output, Row
from .values import duration, whole

_META = "nw/compare/meta"
_days = whole(1, 365)


def settings(page: argparse.ArgumentParser) -> None:
    """What the run has everywhere else. The variables are those of the reference server."""
    group = page.add_argument_group("the parallel run, as it is set elsewhere")
    group.add_argument("--mapping", metavar="FILE", help="what the batch's columns mean, in JSON (default: $NORTHWIND_COMPARE_MAPPING)")
    group.add_argument("--gate-days", metavar="N", type=_days, help="clean days that the gate wants (default: $NORTHWIND_GATE_DAYS, or 14)")
    group.add_argument("--close-after", metavar="TIME", type=duration, help="how long after its end a day may be closed")
    group.add_argument("--no-totals", action="store_true", help="the gate takes days without totals of the batch")
    group.add_argument("--new-mapping", action="store_true", help="the mapping is another one than before: read all rows anew by it")


def read_mapping(path: str) -> str:
    """Checked, and in the one form that a mapping has."""
    with open(path, encoding="utf-8") as file:
        try:
            return northwind.format_mapping(file.read())
        except (northwind.InvalidArgument, UnicodeDecodeError) as error:
            raise exits.Complaint(exits.BAD_INPUT, f"{path}: {exits.sentence_of(error)}") from None


def _gate_days(options: argparse.Namespace) -> int | None:
    if options.gate_days is not None:
        return int(options.gate_days)
    text = os.environ.get("NORTHWIND_GATE_DAYS")
    if not text:
        return None
    try:
        return _days(text)
    except argparse.ArgumentTypeError as error:
        raise exits.Complaint(exits.USAGE, f"NORTHWIND_GATE_DAYS: {error}") from None


@contextlib.contextmanager
def running(
    options: argparse.Namespace, ledger: northwind.Ledger, *, begins: bool = False, is_ours: northwind.NorthwindPays | None = None
) -> typing.Iterator[northwind.ParallelRun]:
    """The run of the ledger's store. Only what takes something in may begin one."""
    path = options.mapping or os.environ.get("NORTHWIND_COMPARE_MAPPING")
    if not path:
        raise exits.Complaint(exits.USAGE, "which mapping? Give --mapping, or set NORTHWIND_COMPARE_MAPPING")
    mapping = read_mapping(path)
    meta = ledger.store.get(_META)
    if meta is None and not begins:
        raise exits.Complaint(exits.STATE, "there is no parallel run in this store; 'northwind compare ingest' begins one")
    if meta is not None and mapping.encode() not in meta and not options.new_mapping:
        # Opening with it would make the figures of all closed days stale, and shut the gate: not a thing for a file that was mixed up.
        raise exits.Complaint(
            exits.STATE, f"{path} is another mapping than this run has; --new-mapping changes it, and every day is then to be closed again"
        )
    given: dict[str, typing.Any] = {"gate_days": _gate_days(options), "close_after": options.close_after, "is_ours": is_ours}
    given = {name: value for name, value in given.items() if value is not None}
    if options.no_totals:
        given["needs_totals"] = False
    with northwind.ParallelRun(ledger, mapping, **given) as run:
        yield run


def gate_json(gate: northwind.GateStatus) -> Row:
    return {"open": gate.open, "reasons": list(gate.reasons), "days": [day.isoformat() for day in gate.days], "rules_hash": gate.rules_hash}


def gate_pairs(gate: northwind.GateStatus) -> list[tuple[str, typing.Any]]:
    pairs: list[tuple[str, typing.Any]] = [("gate", "open" if gate.open else "shut")]
    return pairs + [("because", reason) for reason in gate.reasons]


def show_gate(gate: northwind.GateStatus, output: Output) -> int:
    output.facts(gate_json(gate), gate_pairs(gate))
    return exits.OK if gate.open else exits.NO
