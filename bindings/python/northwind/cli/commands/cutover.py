# SPDX-License-Identifier: Apache-2.0
"""northwind cutover"""

from __future__ import annotations

import argparse
import itertools
import os

import northwind

from .. import exits
from ..opening import cutover_has_begun, ledger
from ..terminal import Column, Output, Row
from ..values import member, natural, positive, stamp

NAME = "cutover"
HELP = "the cutover from a batch system: how it stands, its log, and the ways back"
DESCRIPTION = """\
docs/cutover.md has the rules. Here is what is to be seen, who takes part, and everything that goes down, which needs nothing. To raise, and to route
to northwind again, is left to the service, which has the gate. The salt is the one that the cutover was begun with: --salt, or
NORTHWIND_CUTOVER_SALT. Thresholds are basis points of merchants."""
EXAMPLES = (
    "northwind cutover status --salt 2026-spring -s ledger.db",
    "northwind cutover log --salt 2026-spring -s ledger.db",
    "northwind cutover preview 500 --salt 2026-spring -s ledger.db",
    "northwind cutover route-to-batch --actor ann --reason 'bank is down' --salt 2026-spring -s ledger.db",
    "northwind cutover residue --claims postgresql:///books --salt 2026-spring -s ledger.db",
)
_CHANGES = {
    "lower": "to a lower threshold", "route-to-batch": "every new id goes to the batch", "stop-sending": "nothing more is submitted to the rail",
    "resume-sending": "submit again", "add-merchants": "merchants that take part", "override": "what holds for one merchant",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    actions.add_parser("begin", help="begin one in this store, with a salt that stays")
    actions.add_parser("status", help="threshold, switches, merchants, residue")
    page = actions.add_parser("log", help="who changed what, and why; the chain is checked")
    page.add_argument("-n", "--limit", metavar="N", type=positive, help="N lines at most (default: all)")
    page = actions.add_parser("preview", help="what a threshold would move")
    page.add_argument("threshold", metavar="BASIS_POINTS", type=natural)
    page = actions.add_parser("find", help="which system an id was assigned to")
    page.add_argument("id", metavar="ID")
    page = actions.add_parser("residue", help="what is assigned to northwind and not finished, and who claimed it")
    page.add_argument("--claims", metavar="CONNECTION", required=True, help="of PostgreSQL, where claims are")
    page.add_argument("--schema", metavar="NAME", default="northwind_claims", help="default: northwind_claims")
    for action, text in _CHANGES.items():
        page = actions.add_parser(action, help=text)
        page.add_argument("--actor", metavar="NAME", required=True, help="who does this")
        if action != "add-merchants":
            page.add_argument("--reason", metavar="TEXT", required=True, help="why")
        if action == "lower":
            page.add_argument("threshold", metavar="BASIS_POINTS", type=natural)
        if action == "add-merchants":
            page.add_argument("merchants", metavar="MERCHANT", nargs="+")
        if action == "override":
            page.add_argument("merchant", metavar="MERCHANT")
            page.add_argument("value", metavar="allow|deny|none", type=lambda text: None if text == "none" else member(northwind.Override)(text))
    for page in actions.choices.values():
        page.add_argument("--salt", metavar="TEXT", help="default: $NORTHWIND_CUTOVER_SALT")


def _status(cutover: northwind.Cutover, output: Output) -> None:
    status = cutover.status()
    row: Row = {
        "at": stamp(status.at), "epoch": status.epoch, "threshold": status.threshold, "stages": list(status.stages),
        "routed_to_batch": status.routed_to_batch, "sending_stopped": status.sending_stopped, "merchants": status.merchants,
        "allowed": status.allowed, "denied": status.denied, "residue": status.residue,
    }
    output.facts(
        row,
        [
            ("threshold", f"{status.threshold / 100:g} % of merchants"), ("stages", ", ".join(f"{stage / 100:g} %" for stage in status.stages)),
            ("new ids", "all to the batch" if status.routed_to_batch else "by the threshold"),
            ("sending", "stopped" if status.sending_stopped else "as claimed"), ("merchants", f"{status.merchants:,}"),
            ("overrides", f"{status.allowed:,} allowed, {status.denied:,} denied"), ("residue", f"{status.residue:,}"), ("epoch", status.epoch),
        ],
    )


def _change(cutover: northwind.Cutover, options: argparse.Namespace) -> None:
    if options.action == "lower":
        cutover.lower(options.threshold, options.actor, options.reason)
    elif options.action == "add-merchants":
        for begin in range(0, len(options.merchants), 10_000):
            cutover.add_merchants(options.merchants[begin : begin + 10_000], options.actor)
    elif options.action == "override":
        cutover.set_override(options.merchant, options.value, options.actor, options.reason)
    else:
        getattr(cutover, options.action.replace("-", "_"))(options.actor, options.reason)


def _residue(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    claims = northwind.PostgresClaims(options.claims, schema=options.schema)
    output.rows(
        (Column("ID", "id"), Column("MERCHANT", "merchant_id"), Column("ASSIGNED", "assigned_at"), Column("CLAIMED BY", "claimed_by")),
        (
            {
                "id": item.assignment.id, "merchant_id": item.assignment.merchant_id, "assigned_at": stamp(item.assignment.at),
                "claimed_by": str(item.claim.system) if item.claim is not None else None,
            }
            for item in cutover.residue(claims)
        ),
        empty="no residue",
    )
    # Not after an error: what has it still uses them, and closing would hide it.
    claims.close()


def _show(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    if options.action == "log":
        output.rows(
            (
                Column("LINE", "number", right=True), Column("AT", "at"), Column("EPOCH", "epoch", right=True), Column("ACTOR", "actor"),
                Column("ACTION", "action"), Column("DETAIL", "detail"), Column("REASON", "reason"),
            ),
            (
                {**line.asdict(), "at": stamp(line.at), "hash": line.hash.hex()}
                for line in itertools.islice(cutover.audit_log(), options.limit)
            ),
        )
    elif options.action == "preview":
        preview = cutover.preview(options.threshold)
        row: Row = {
            "merchants": preview.merchants, "now": preview.now.merchants, "then": preview.then.merchants, "moved": list(preview.moved),
        }
        output.facts(row, [(name, value) for name, value in row.items() if name != "moved"] + [("moves", name) for name in preview.moved])
    elif options.action == "find":
        found = cutover.find(options.id)
        output.facts({
            "id": found.id, "merchant_id": found.merchant_id, "system": str(found.system), "reason": str(found.reason), "epoch": found.epoch,
            "at": stamp(found.at),
        })
    else:
        _residue(cutover, options, output)


def run(options: argparse.Namespace, output: Output) -> int:
    salt = options.salt or os.environ.get("NORTHWIND_CUTOVER_SALT")
    if not salt:
        raise exits.Complaint(exits.USAGE, "which salt? Give --salt, or set NORTHWIND_CUTOVER_SALT")
    with ledger(options) as opened:
        # The first one to open a cutover fixes its salt: not a thing for somebody who only looks.
        begun = cutover_has_begun(opened.store)
        if begun == (options.action == "begin"):
            raise exits.Complaint(
                exits.STATE, "a cutover has begun here already" if begun else "no cutover has begun here; 'northwind cutover begin' begins one"
            )
        with northwind.Cutover(opened.store, salt) as cutover:
            if options.action in _CHANGES:
                _change(cutover, options)
            if options.action in (*_CHANGES, "begin", "status"):
                _status(cutover, output)
            else:
                _show(cutover, options, output)
    return exits.OK
