# SPDX-License-Identifier: Apache-2.0
"""What the parallel run has found, for people and for programs; and what is said to it on the command line."""

from __future__ import annotations

import argparse
import datetime
import json
import re
import typing

import northwind

from . import exits
from .terminal import Column, Output, Row
from .values import money, stamp

Totals = dict[str, northwind.CountAndSum]
_TOTAL = re.compile(r"([^=]+)=([0-9]+):(-?[0-9]+)")
_CAP = re.compile(r"([^=]+)=([0-9]+)")


# ---- From the command line ------------------------------------------------------------------------------------


def day(text: str) -> datetime.date:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no day; write 2026-03-02") from None


def _total(count: int, sum_: int) -> northwind.CountAndSum | None:
    """Nothing if it is out of range."""
    return northwind.CountAndSum(count, sum_) if 0 <= count < 2**63 and -(2**127) <= sum_ < 2**127 else None


def total(text: str) -> tuple[str, northwind.CountAndSum]:
    match = _TOTAL.fullmatch(text)
    found = _total(int(match[2]), int(match[3])) if match else None
    if match is None or found is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no total; write USD/2=3:-1250, which is asset=count:sum in minor units")
    return match[1], found


def cap(text: str) -> tuple[str, int]:
    match = _CAP.fullmatch(text)
    if not match or int(match[2]) >= 2**128:
        raise argparse.ArgumentTypeError(f"'{text}' is no cap; write USD/2=5000, in minor units")
    return match[1], int(match[2])


def hour(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,2}", text) or int(text) > 23:
        raise argparse.ArgumentTypeError(f"'{text}' is no hour; write 0 to 23")
    return int(text)


def _once(pairs: typing.Iterable[tuple[str, typing.Any]], what: str) -> dict[str, typing.Any]:
    found: dict[str, typing.Any] = {}
    for name, value in pairs:
        if name in found:
            raise exits.Complaint(exits.USAGE, f"{what} {name} is given twice")
        found[name] = value
    return found


def _totals_of(path: str) -> Totals:
    """What POST …/days/{day}/close of the reference server takes as `expected`."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file, object_pairs_hook=lambda pairs: _once(pairs, f"{path}:"))
    except ValueError as error:
        raise exits.Complaint(exits.BAD_INPUT, f"{path}: {exits.sentence_of(error)}") from None
    if not isinstance(found, dict):
        raise exits.Complaint(exits.BAD_INPUT, f'{path}: is no object such as {{"USD/2":{{"count":3,"sum":"-1250"}}}}')
    totals: Totals = {}
    for asset, of in found.items():
        told = isinstance(of, dict) and set(of) == {"count", "sum"} and isinstance(of["sum"], str) and re.fullmatch(r"-?[0-9]{1,39}", of["sum"])
        one = _total(of["count"], int(of["sum"])) if told and type(of["count"]) is int else None
        if one is None:
            raise exits.Complaint(exits.BAD_INPUT, f'{path}: {asset}: must be such as {{"count":3,"sum":"-1250"}}, the sum in minor units')
        totals[asset] = one
    return totals


def expected(options: argparse.Namespace) -> Totals | None:
    """What the batch itself counts for the day; nothing if that is not told."""
    if sum(map(bool, (options.total, options.totals, options.nothing))) > 1:
        raise exits.Complaint(exits.USAGE, "give one of --total, --totals and --nothing")
    if options.nothing:
        return {}
    if options.totals:
        return _totals_of(options.totals)
    return _once(options.total, "the total of") if options.total else None


def rule(options: argparse.Namespace) -> northwind.IgnoreRule:
    return northwind.IgnoreRule(
        options.id, owner=options.owner, reason=options.reason, of=options.of, first_day=options.first, last_day=options.last,
        expires_at=options.expires, max_count=options.max_count, leg=options.leg, merchant_id=options.merchant,
        max_units=_once(options.max_units or (), "the cap of"),
    )


# ---- Discrepancies --------------------------------------------------------------------------------------------


def _ours(ours: northwind.OurRow) -> Row:
    """The row, and the event if it was read again: a list does not do that."""
    row = ours.row
    made: Row = {
        "leg": str(row.leg), "id": row.id, "merchant_id": row.merchant_id, "asset": row.asset, "units": str(row.units),
        "day": row.day.isoformat(), "records": list(ours.records),
    }
    if ours.raw:
        made["event"] = json.loads(ours.raw)
    return made


def discrepancy_json(found: northwind.Discrepancy) -> Row:
    return {
        "id": found.id, "classes": [str(kind) for kind in found.classes], "state": str(found.state), "day": found.day.isoformat(),
        "detail": found.detail, "ours": [_ours(each) for each in found.ours], "theirs": [each.raw for each in found.theirs],
        "history": [
            {"at": stamp(change.at), "state": str(change.state), "actor": change.actor, "reason": change.reason}
            for change in found.history
        ],
    }


DISCREPANCIES = (
    Column("ID", "id"), Column("DAY", "day"), Column("STATE", "state"), Column("DIFFERS IN", lambda row: ", ".join(row["classes"])),
    Column("DETAIL", "detail"),
)


def show_discrepancy(found: northwind.Discrepancy, output: Output) -> None:
    row = discrepancy_json(found)
    pairs: list[tuple[str, typing.Any]] = [("id", row["id"]), ("differs in", ", ".join(row["classes"])), ("state", row["state"])]
    pairs += [("day", row["day"]), ("detail", row["detail"] or None)]
    pairs += [("here", json.dumps(each)) for each in row["ours"]] + [("there", json.dumps(each)) for each in row["theirs"]]
    pairs += [(change["at"], f"{change['state']}  {change['actor']}  {change['reason']}".rstrip()) for change in row["history"]]
    output.facts(row, pairs)


# ---- Days -----------------------------------------------------------------------------------------------------


def _sum(of: northwind.CountAndSum) -> Row:
    return {"count": of.count, "sum": str(of.sum)}


def _coverage(of: northwind.Coverage) -> Row:
    names = ("ingested", "matched", "mismatched", "pending", "ignored", "by_northwind")
    return {**{name: _sum(getattr(of, name)) for name in names}, "holds": of.holds}


def figures_json(figures: northwind.DayFigures) -> Row:
    """As a report in JSON has them."""
    return {
        "day": figures.day.isoformat(), "state": str(figures.state), "clean": figures.clean, "sound": figures.sound,
        "closed_at": stamp(figures.closed_at), "closed_by": figures.closed_by,
        "assets": {asset: {"ours": _coverage(side.ours), "theirs": _coverage(side.theirs)} for asset, side in figures.assets.items()},
        "by_class": {str(kind): count for kind, count in figures.by_class.items()},
        "by_state": {str(state): count for state, count in figures.by_state.items()},
        "incomplete": list(figures.incomplete), "totals_told": figures.totals_told,
        "totals": {asset: _sum(of) for asset, of in figures.totals.items()},
        "canaries": [
            {"expected": str(each.expected), "found": [str(kind) for kind in each.found], "sound": each.sound} for each in figures.canaries
        ],
        "our_digest": figures.our_digest.hex(), "their_digest": figures.their_digest.hex(), "rules_hash": figures.rules_hash,
    }


def yes(value: bool) -> str:
    return "yes" if value else "no"


def _counts(counts: dict[str, int]) -> str | None:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or None


def show_day(figures: northwind.DayFigures, output: Output) -> None:
    row = figures_json(figures)
    pairs: list[tuple[str, typing.Any]] = [
        ("day", row["day"]), ("state", row["state"]), ("clean", yes(figures.clean)), ("sound", yes(figures.sound)),
        ("totals of the batch", "told" if figures.totals_told else "not told"), ("differ in", _counts(row["by_class"])),
        ("which are", _counts(row["by_state"])),
    ]
    for asset, side in sorted(figures.assets.items()):
        for name, of in (("here", side.ours), ("there", side.theirs)):
            counted = f"{of.ingested.count:,} rows, {money(of.ingested.sum, asset)}: {of.matched.count:,} matched"
            rest = {each: getattr(of, each).count for each in ("mismatched", "pending", "ignored")}
            more = _counts(rest)
            pairs.append((name, f"{counted}, {more}" if more else counted))
    pairs += [("incomplete", sentence) for sentence in figures.incomplete]
    output.facts(row, pairs)


DAYS = (
    Column("DAY", "day"), Column("STATE", "state"), Column("CLEAN", lambda row: yes(row["clean"])), Column("TOTALS", lambda row: yes(row["totals_told"])),
    Column("OPEN", lambda row: row["by_state"].get("open", 0), right=True), Column("CLOSED BY", "closed_by"), Column("CLOSED AT", "closed_at"),
)


def digest_json(node: northwind.DigestNode) -> Row:
    return {
        "name": node.name, "same": node.same, "our_rows": node.our_rows, "their_rows": node.their_rows, "ours": node.ours.hex(),
        "theirs": node.theirs.hex(),
    }


DIGESTS = (
    Column("NAME", "name"), Column("SAME", lambda row: yes(row["same"])), Column("ROWS HERE", "our_rows", right=True),
    Column("ROWS THERE", "their_rows", right=True), Column("HERE", lambda row: row["ours"][:16]), Column("THERE", lambda row: row["theirs"][:16]),
)


# ---- Rules ----------------------------------------------------------------------------------------------------


def rule_json(of: northwind.IgnoreRule) -> Row:
    """As a report in JSON has them."""
    return {
        "id": of.id, "owner": of.owner, "reason": of.reason, "class": str(of.of), "leg": str(of.leg) if of.leg else None,
        "merchant_id": of.merchant_id or None, "from": of.first_day.isoformat(), "to": of.last_day.isoformat(),
        "expires_at": stamp(of.expires_at), "max_count": of.max_count, "max_units": {asset: str(units) for asset, units in of.max_units.items()},
    }


RULES = (
    Column("ID", "id"), Column("CLASS", "class"), Column("LEG", "leg"), Column("MERCHANT", "merchant_id"), Column("FROM", "from"), Column("TO", "to"),
    Column("EXPIRES", "expires_at"), Column("USED", "uses", right=True), Column("OF", "max_count", right=True),
    Column("WORTH", lambda row: ", ".join(money(int(units), asset) for asset, units in row["max_units"].items())), Column("OWNER", "owner"),
    Column("REASON", "reason"),
)
