# SPDX-License-Identifier: Apache-2.0
"""northwind balance"""

from __future__ import annotations

import argparse

from .. import exits
from ..opening import ledger
from ..terminal import Column, Output
from ..values import as_of, stamp
from .accounts import amount_column, balance_json

NAME = "balance"
HELP = "balances of accounts, now or at any moment of the past"
DESCRIPTION = """\
--at takes the sequence of a record (right after it), a time (after the last record up to it), or a date (the end of that day, UTC). All
accounts are read at one sequence."""
EXAMPLES = (
    "northwind balance -s ledger.db merchant:m_42:available:USD/2",
    "northwind balance -s ledger.db merchant:m_42:available:USD/2 --at 2024-03-01",
    "northwind balance -s ledger.db merchant:m_42:available:USD/2 --at 1200 --json",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("accounts", nargs="+", metavar="ACCOUNT", help="the name of an account")
    parser.add_argument("--at", metavar="WHEN", type=as_of, help="a sequence, a time or a date (default: now)")


def run(options: argparse.Namespace, output: Output) -> int:
    rows = []
    with ledger(options) as opened:
        at = opened.head.sequence if options.at is None else options.at
        when = at if isinstance(at, int) else stamp(at)
        for name in options.accounts:
            account = opened.account(name)
            balance = account.balance if options.at is None else opened.balance(account, at=options.at)
            rows.append({"account": name, "asset": account.asset, "at": when, **balance_json(balance)})
    output.rows(
        (
            Column("ACCOUNT", "account"), amount_column("AVAILABLE", "available"), amount_column("POSTED", "posted"),
            amount_column("HELD", "debits_held"), amount_column("TO COME", "credits_held"),
        ),
        rows,
    )
    return exits.OK
