# SPDX-License-Identifier: Apache-2.0
"""northwind payouts"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import typing

import northwind

from .. import exits
from ..opening import settling
from ..terminal import Column, Output, Row
from ..values import for_json, member, moment, money, positive, stamp
from .accounts import amount_column

NAME = "payouts"
HELP = "list payouts, or show one with all that happened to it"
DESCRIPTION = """\
Merchant by merchant, by time of request. Shown is what has been followed by a service that pays out: a remark says so if the journal has more. Nothing is paid,
asked or moved by this command."""
EXAMPLES = (
    "northwind payouts -s ledger.db --state submitted",
    "northwind payouts -s ledger.db --merchant m_42 --from 2024-03-01",
    "northwind payouts -s ledger.db po_1",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("payout", nargs="?", metavar="PAYOUT", help="the id of one")
    parser.add_argument("--merchant", default="", metavar="ID", help="only this merchant's")
    parser.add_argument("--state", metavar="STATE", type=member(northwind.PayoutState), help="only those in this state")
    parser.add_argument("--from", dest="start", metavar="TIME", type=moment, help="requested at this time or later")
    parser.add_argument("--to", dest="end", metavar="TIME", type=moment, help="requested before this time")
    parser.add_argument("-n", "--limit", metavar="N", type=positive, help="N payouts at most (default: all)")


class _NoRail:
    """Payouts are read only: nothing is ever submitted by this program. So they may be looked at beside a batch, too."""

    claims_first = True

    def submit(self, instruction: northwind.PayoutInstruction) -> northwind.RailState:
        return northwind.RailState.UNKNOWN

    def query(self, instruction: northwind.PayoutInstruction) -> northwind.RailState:
        return northwind.RailState.UNKNOWN

    def claim_to_cancel(self, instruction: northwind.PayoutInstruction) -> None:
        raise northwind.FailedPrecondition("payouts are only looked at here")


class _Reading(typing.NamedTuple):
    ledger: northwind.Ledger
    payouts: northwind.Payouts


@contextlib.contextmanager
def _payouts(options: argparse.Namespace, output: Output) -> typing.Iterator[_Reading]:
    with settling(options) as parts:
        with northwind.Payouts(parts.ledger, parts.scheduler, parts.intake, _NoRail()) as payouts:
            followed, head = payouts.followed, parts.ledger.head.sequence
            if followed < head:
                output.note(f"payouts are followed up to record {followed:,} of {head:,}")
            yield _Reading(parts.ledger, payouts)


def _merchants(ledger: northwind.Ledger) -> typing.Iterator[str]:
    """Those that settlement has opened an account for: a page of payouts is of one merchant."""
    last = ""
    for account in ledger.accounts("merchant:"):
        parts = account.name.split(":")
        if len(parts) == 4 and parts[2] == "available" and parts[1] != last:
            last = parts[1]
            yield last


def _found(reading: _Reading, options: argparse.Namespace) -> typing.Iterator[northwind.Payout]:
    for merchant in [options.merchant] if options.merchant else _merchants(reading.ledger):
        yield from reading.payouts.payouts(merchant_id=merchant, state=options.state, start=options.start, end=options.end)


def _json(payout: northwind.Payout) -> Row:
    row: Row = {
        "payout_id": payout.payout_id, "merchant_id": payout.merchant_id, "asset": payout.asset, "units": str(payout.amount),
        "state": str(payout.state), "requested_at": stamp(payout.requested_at), "settled_at": stamp(payout.settled_at),
        "provider_key": payout.provider_key, "submits": payout.submits, "queries": payout.queries,
    }
    if payout.reason:
        row["reason"] = str(payout.reason)
    return row


def _show(payout: northwind.Payout, output: Output) -> None:
    row = _json(payout)
    row["next_attempt"] = stamp(payout.next_attempt)
    row["attention"] = for_json(payout.attention) or None
    row["timeline"] = [
        {"at": stamp(moment.at), "what": moment.what, "detail": for_json(moment.detail), "sequence": moment.sequence or None}
        for moment in payout.timeline
    ]
    output.facts(
        row,
        [
            ("payout", row["payout_id"]), ("merchant", row["merchant_id"]), ("amount", money(payout.amount, payout.asset)),
            ("state", row["state"]), ("reason", row.get("reason")), ("requested", row["requested_at"]), ("settled", row["settled_at"]),
            ("provider key", row["provider_key"]), ("submits", row["submits"]), ("queries", row["queries"]),
            ("next attempt", row["next_attempt"]), ("attention", row["attention"]),
        ],
    )
    if not output.as_json:
        output.line()
        output.rows(
            (Column("AT", "at"), Column("WHAT", "what"), Column("DETAIL", "detail"), Column("SEQUENCE", "sequence", right=True)),
            row["timeline"],
        )


def run(options: argparse.Namespace, output: Output) -> int:
    with _payouts(options, output) as reading:
        if options.payout is not None:
            _show(reading.payouts.payout(options.payout), output)
            return exits.OK
        output.rows(
            (
                Column("PAYOUT", "payout_id"), Column("MERCHANT", "merchant_id"), amount_column("AMOUNT", "units"), Column("STATE", "state"),
                Column("REQUESTED", "requested_at"), Column("SETTLED", "settled_at"),
            ),
            (_json(payout) for payout in itertools.islice(_found(reading, options), options.limit)),
            empty="no payouts",
        )
    return exits.OK
