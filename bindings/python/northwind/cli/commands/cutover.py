# SPDX-License-Identifier: Apache-2.0
"""northwind cutover: its sub-commands, and what is to be seen. Changes of its settings are in cutting_over.py."""

from __future__ import annotations

import argparse
import csv
import itertools
import typing

import northwind

from .. import claiming, cutting_over, exits, parallel
from ..lines import text_file
from ..opening import cutover_has_begun, ledger
from ..terminal import Column, Output, Row
from ..values import basis_points, natural, positive, stamp, whole

NAME = "cutover"
HELP = "the cutover from a batch system: how it stands, up, down, and back"
DESCRIPTION = """\
docs/cutover.md has the rules, docs/runbook-cutover.md what to do when. What goes down needs an actor and a reason, and nothing else; what goes up
needs the gate of the parallel run, or --force. Each change has a line in the audit log, and is told to the arbiter of claims if it is known where
that is (--claims).

Beside a running service, ask the service: it has the store open, and what it decides by is in its memory.

Thresholds are basis points of merchants: 500 is 5 %. The salt is the one that the cutover was begun with: --salt, or NORTHWIND_CUTOVER_SALT."""
EXAMPLES = (
    "northwind cutover begin --salt 2026-spring -s ledger.db",
    "northwind cutover status --salt 2026-spring -s ledger.db",
    "northwind cutover log --salt 2026-spring -s ledger.db --json",
    "northwind cutover preview 500 --salt 2026-spring -s ledger.db",
    "northwind cutover find po_1 --claims postgresql:///books --salt 2026-spring -s ledger.db",
    "northwind cutover peek m_42 --salt 2026-spring -s ledger.db",
    "northwind cutover overrides --salt 2026-spring -s ledger.db",
    "northwind cutover residue --unclaimed --claims postgresql:///books --salt 2026-spring -s ledger.db",
    "northwind cutover assign --file tonight.csv --salt 2026-spring -s ledger.db",
    "northwind cutover finish po_1 --salt 2026-spring -s ledger.db",
    "northwind cutover add-merchants --file merchants.txt --actor ann --salt 2026-spring -s ledger.db",
    "northwind cutover override m_42 deny --actor ann --reason 'too large for 5 %' --salt 2026-spring -s ledger.db",
    "northwind cutover raise --actor ann --reason 'two clean weeks' --mapping batch.json --salt 2026-spring -s ledger.db",
    "northwind cutover raise 500 --force --yes --actor ann --reason 'agreed with bob' --salt 2026-spring -s ledger.db",
    "northwind cutover lower 0 --actor ann --reason 'odd figures' --salt 2026-spring -s ledger.db",
    "northwind cutover route-to-batch --actor ann --reason 'bank is down' --salt 2026-spring -s ledger.db",
    "northwind cutover resume-routing --actor ann --reason 'bank is back' --mapping batch.json --salt 2026-spring -s ledger.db",
    "northwind cutover stop-sending --actor ann --reason 'odd figures' --salt 2026-spring -s ledger.db",
    "northwind cutover resume-sending --actor ann --reason 'bank is back' --salt 2026-spring -s ledger.db",
    "northwind cutover hand-back --all --actor ann --reason 'rolled back' --claims postgresql:///books --salt 2026-spring -s ledger.db",
    "northwind cutover publish-epoch --claims postgresql:///books --salt 2026-spring -s ledger.db",
    "northwind cutover advance-epoch 120 --actor ann --reason 'restored, and looked at' --salt 2026-spring -s ledger.db",
    "northwind cutover migrate-claims --claims postgresql:///books",
)
_NO_CLAIMS = ("begin", "preview", "log", "peek", "overrides", "assign", "finish")


_stage = whole(1, 10_000)


def _stages(text: str) -> list[int]:
    return [_stage(part) for part in text.split(",")]


def _seen(actions: argparse._SubParsersAction[typing.Any]) -> None:
    actions.add_parser("begin", help="begin one in this store, with a salt that stays")
    actions.add_parser("status", help="threshold, switches, merchants, residue; with claims, the epoch that is published")
    page = actions.add_parser("log", help="who changed what, and why; the chain is checked")
    page.add_argument("-n", "--limit", metavar="N", type=positive, help="N lines at most (default: all)")
    page.add_argument("--after", metavar="N", type=natural, default=0, help="only lines after number N")
    page = actions.add_parser("preview", help="what a threshold would move: merchants, and their money")
    page.add_argument("threshold", metavar="BASIS_POINTS", type=basis_points)
    page.add_argument(
        "--values", metavar="FILE", help="CSV of merchant,asset,units, such as last month's payouts (default: what merchants have available)"
    )
    page = actions.add_parser("find", help="which system an id was assigned to; with claims, who claimed it")
    page.add_argument("id", metavar="ID")
    page = actions.add_parser("peek", help="what a new id of a merchant would get now")
    page.add_argument("merchant", metavar="MERCHANT")
    page = actions.add_parser("overrides", help="what is set of single merchants, who set it, and why")
    page.add_argument("-n", "--limit", metavar="N", type=positive, help="N merchants at most (default: all)")
    page.add_argument("--after", metavar="MERCHANT", default="", help="only merchants after this one")
    page = actions.add_parser("residue", help="what is assigned to northwind and not finished, and who claimed it")
    page.add_argument("--unclaimed", action="store_true", help="only what nobody has claimed")


def _told(actions: argparse._SubParsersAction[typing.Any]) -> None:
    page = actions.add_parser("assign", help="decide for good which system pays an id; printed is what was decided")
    page.add_argument("id", metavar="ID", nargs="?")
    page.add_argument("merchant", metavar="MERCHANT", nargs="?")
    page.add_argument("--file", metavar="FILE", help="CSV of id,merchant; - is standard input")
    page = actions.add_parser("finish", help="ids that have come to their end, and are residue no more")
    page.add_argument("ids", metavar="ID", nargs="+")
    page = actions.add_parser("publish-epoch", help="tell the arbiter of claims the epoch; older ones claim nothing then")
    page = actions.add_parser("migrate-claims", help="make the schema of claims, or bring it to this version")


def _changes(actions: argparse._SubParsersAction[typing.Any]) -> None:
    for action, text in cutting_over.CHANGES.items():
        page = actions.add_parser(action, help=text)
        page.add_argument("--actor", metavar="NAME", required=True, help="who does this")
        if action != "add-merchants":
            page.add_argument("--reason", metavar="TEXT", required=True, help="why; it is in the audit log")
        if action in ("raise", "resume-routing"):
            page.add_argument("--force", action="store_true", help="without the gate; the audit log says so")
        if action in ("raise", "resume-routing", "hand-back"):
            page.add_argument("--yes", action="store_true", help="do not ask: needed where there is no terminal")
        if action == "raise":
            page.add_argument("threshold", metavar="BASIS_POINTS", nargs="?", type=basis_points, help="the next stage, or with --force any higher one")
        if action in ("raise", "resume-routing"):
            parallel.settings(page)
        if action == "lower":
            page.add_argument("threshold", metavar="BASIS_POINTS", type=basis_points)
        if action == "advance-epoch":
            page.add_argument("epoch", metavar="EPOCH", type=whole(1, 2**62), help="the published one, or a higher one")
        if action == "add-merchants":
            page.add_argument("merchants", metavar="MERCHANT", nargs="*")
            page.add_argument("--file", metavar="FILE", help="one a line; - is standard input")
        if action == "hand-back":
            page.add_argument("ids", metavar="ID", nargs="*")
            page.add_argument("--all", action="store_true", help="all residue")
        if action == "override":
            page.add_argument("merchant", metavar="MERCHANT")
            page.add_argument("value", metavar="allow|deny|none", type=_override, help="deny is stronger than any threshold")


_OVERRIDES = {**{str(each): each for each in northwind.Override}, "none": None}


def _override(text: str) -> northwind.Override | None:
    if text not in _OVERRIDES:
        raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(_OVERRIDES)}")
    return _OVERRIDES[text]


# For the completion of shells.
_override.choices = list(_OVERRIDES)  # type: ignore[attr-defined]


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    _seen(actions)
    _changes(actions)
    _told(actions)
    for action, page in actions.choices.items():
        if action not in _NO_CLAIMS:
            claiming.settings(page)
        if action == "migrate-claims":
            continue
        group = page.add_argument_group("the cutover, as it is set elsewhere")
        group.add_argument("--salt", metavar="TEXT", help="default: $NORTHWIND_CUTOVER_SALT")
        group.add_argument("--stages", metavar="N,N,…", type=_stages, help="basis points (default: 500,2500,10000)")
        group.add_argument("--days-between-raises", metavar="N", type=whole(0, 365), help="clean days since the last raise (default: 1)")


# ---- What is to be seen ---------------------------------------------------------------------------------------


def _residue(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    with claiming.claims(options) as claims:
        items = (item for item in cutover.residue(claims) if item.claim is None or not options.unclaimed)
        output.rows(cutting_over.RESIDUE, map(cutting_over.residue_json, items), empty="no residue")


def _overrides(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    output.rows(
        (
            Column("MERCHANT", "merchant_id"), Column("OVERRIDE", "override"), Column("AT", "at"), Column("ACTOR", "actor"), Column("REASON", "reason"),
        ),
        (
            {
                "merchant_id": item.merchant_id, "override": str(item.value), "at": stamp(item.at), "actor": item.actor, "reason": item.reason,
                "line": item.line,
            }
            for item in itertools.islice(cutover.overrides(after=options.after), options.limit)
        ),
        empty="no overrides",
    )


def _log(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    output.rows(
        (
            Column("LINE", "number", right=True), Column("AT", "at"), Column("EPOCH", "epoch", right=True), Column("ACTOR", "actor"),
            Column("ACTION", "action"), Column("DETAIL", "detail"), Column("REASON", "reason"),
        ),
        (
            {**line.asdict(), "at": stamp(line.at), "hash": line.hash.hex()}
            for line in itertools.islice(cutover.audit_log(options.after), options.limit)
        ),
    )


def _values(path: str) -> typing.Iterator[tuple[str, str, int]]:
    for number, row in enumerate(_csv(path, 3), 1):
        if not row[2].isascii() or not row[2].isdigit() or len(row[2]) > 39:
            raise exits.Complaint(exits.BAD_INPUT, f"{path}: row {number}: units are digits, 39 at most, not '{row[2][:60]}'")
        yield row[0], row[1], int(row[2])


def _csv(path: str, columns: int) -> typing.Iterator[list[str]]:
    """Rows without a line of names; empty lines are passed over."""
    with text_file(path) as file:
        try:
            for row in csv.reader(file, strict=True):
                if row and len(row) != columns:
                    raise exits.Complaint(exits.BAD_INPUT, f"{path}: '{','.join(row)}' is no row of {columns} columns")
                if row:
                    yield row
        except (csv.Error, UnicodeDecodeError) as error:
            raise exits.Complaint(exits.BAD_INPUT, f"{path}: {exits.sentence_of(error)}") from None


def _preview(cutover: northwind.Cutover, opened: northwind.Ledger, options: argparse.Namespace, output: Output) -> None:
    values = list(_values(options.values)) if options.values else cutting_over.available(opened)
    preview = cutover.preview(options.threshold, values)
    pairs = cutting_over.preview_pairs(preview, cutover.status(), options.threshold)
    output.facts(cutting_over.preview_json(preview), [*pairs, *(("moves", name) for name in preview.moved)])


def _assignment(found: northwind.Assignment) -> Row:
    return {
        "id": found.id, "merchant_id": found.merchant_id, "system": str(found.system), "reason": str(found.reason), "epoch": found.epoch,
        "at": stamp(found.at),
    }


def _find(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    row = _assignment(cutover.find(options.id))
    if claiming.connection_of(options) is not None:
        with claiming.claims(options) as claims:
            row["claim"] = cutting_over.claim_json(claims.find(options.id))
    pairs = [(name, value) for name, value in row.items() if name != "claim"]
    if "claim" in row:
        claim = row["claim"]
        pairs.append(("claimed by", f"{claim['system']}, {claim['at']}" if claim else "nobody"))
    output.facts(row, pairs)


def _assign(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    if (options.file is None) == (options.merchant is None) or (options.file is not None and options.id is not None):
        raise exits.Complaint(exits.USAGE, "which ids? Give an id and its merchant, or --file")
    asked = [(options.id, options.merchant)] if options.file is None else [(row[0], row[1]) for row in _csv(options.file, 2)]
    # Printed as they are on disk: what is not there after an error is asked for again, and answered the same.
    answers = (
        answer for begin in range(0, len(asked), cutting_over.MOST) for answer in cutover.assign(asked[begin : begin + cutting_over.MOST])
    )
    output.rows(
        (Column("ID", "id"), Column("MERCHANT", "merchant_id"), Column("SYSTEM", "system"), Column("BECAUSE", "reason")),
        map(_assignment, answers),
    )


def _finish(cutover: northwind.Cutover, opened: northwind.Ledger, options: argparse.Namespace, output: Output) -> None:
    for id_ in options.ids:
        ours = cutover.find(id_).system is northwind.SettlementSystem.NORTHWIND  # not assigned: a slip
        # Off the list, it would not go back to the batch after a rollback.
        requested = list(opened.find_by_reference(cutting_over.PAYOUT_REQUESTED, id_))
        if ours and not requested:
            raise exits.Complaint(exits.STATE, f"no payout {id_} was requested here yet: it has not come to its end; nothing was done")
        if any(view.remaining for view in requested):
            raise exits.Complaint(exits.STATE, f"money is held for {id_}: it has not come to its end; nothing was done")
    before = cutover.status().residue
    cutover.finish(options.ids)
    after = cutover.status().residue
    output.facts({"finished": before - after, "residue": after})


def _show(cutover: northwind.Cutover, opened: northwind.Ledger, options: argparse.Namespace, output: Output) -> None:
    if options.action == "log":
        _log(cutover, options, output)
    elif options.action == "preview":
        _preview(cutover, opened, options, output)
    elif options.action == "find":
        _find(cutover, options, output)
    elif options.action == "peek":
        bucket = northwind.cutover_bucket(cutting_over.salt_of(options), options.merchant)
        output.facts({"merchant_id": options.merchant, "system": str(cutover.peek(options.merchant)), "bucket": bucket})
    elif options.action == "overrides":
        _overrides(cutover, options, output)
    elif options.action == "residue":
        _residue(cutover, options, output)
    elif options.action == "assign":
        _assign(cutover, options, output)
    elif options.action == "finish":
        _finish(cutover, opened, options, output)
    else:
        cutting_over.show_status(cutover, options, output)


def run(options: argparse.Namespace, output: Output) -> int:
    if options.action == "migrate-claims":
        northwind.PostgresClaims.migrate(claiming.needed(options), schema=options.schema)
        output.facts({"schema": options.schema, "migrated": True}, [("schema", options.schema)])
        return exits.OK
    salt = cutting_over.salt_of(options)
    if options.action in ("residue", "hand-back", "publish-epoch"):
        claiming.needed(options)
    given = {name: value for name in ("stages", "days_between_raises") if (value := getattr(options, name)) is not None}
    with ledger(options) as opened:
        # The first one to open a cutover fixes its salt: not a thing for somebody who only looks.
        begun = cutover_has_begun(opened.store)
        if begun == (options.action == "begin"):
            raise exits.Complaint(
                exits.STATE, "a cutover has begun here already" if begun else "no cutover has begun here; 'northwind cutover begin' begins one"
            )
        with northwind.Cutover(opened.store, salt, **given) as cutover:
            if options.action in cutting_over.CHANGES:
                return cutting_over.change(cutover, opened, options, output)
            if options.action == "publish-epoch":
                cutting_over.publish(cutover, options)
            _show(cutover, opened, options, output)
    return exits.OK
