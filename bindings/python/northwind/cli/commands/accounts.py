# SPDX-License-Identifier: Apache-2.0
"""northwind accounts"""

from __future__ import annotations

import argparse
import itertools

import northwind

from .. import exits
from ..opening import ledger
from ..terminal import Column, Output, Row
from ..values import money, positive

NAME = "accounts"
HELP = "list accounts and their balances"
DESCRIPTION = "By name. What is available is what was posted, less what is held."
EXAMPLES = (
    "northwind accounts -s ledger.db",
    "northwind accounts -s ledger.db merchant:m_42: --nonzero",
    "northwind accounts -s ledger.db --json | jq -r 'select(.state == \"frozen\") | .name'",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="only accounts whose names begin so")
    parser.add_argument("--nonzero", action="store_true", help="only accounts on which something is posted or held")
    parser.add_argument("-n", "--limit", metavar="N", type=positive, help="N accounts at most (default: all)")


def account_json(account: northwind.Account) -> Row:
    return {
        "name": account.name, "asset": account.asset, "state": str(account.state), "external": account.external,
        "min_available": str(account.min_available), **balance_json(account.balance),
    }


def balance_json(balance: northwind.Balance) -> Row:
    return {
        "available": str(balance.available), "posted": str(balance.posted),
        "debits_posted": str(balance.debits_posted), "credits_posted": str(balance.credits_posted),
        "debits_held": str(balance.debits_held), "credits_held": str(balance.credits_held),
    }


def amount_column(title: str, key: str) -> Column:
    """A column of amounts, of rows that have their asset."""
    return Column(title, lambda row: money(int(row[key]), row["asset"]), right=True)


def run(options: argparse.Namespace, output: Output) -> int:
    with ledger(options) as opened:
        found = (
            account for account in opened.accounts(options.prefix)
            if not options.nonzero or account.balance.posted or account.balance.debits_held or account.balance.credits_held
        )
        output.rows(
            (
                Column("ACCOUNT", "name"),
                amount_column("AVAILABLE", "available"),
                amount_column("POSTED", "posted"),
                amount_column("HELD", "debits_held"),
                Column("STATE", lambda row: "external" if row["external"] and row["state"] == "open" else row["state"]),
            ),
            (account_json(account) for account in itertools.islice(found, options.limit)),
            empty="no accounts",
        )
    return exits.OK
