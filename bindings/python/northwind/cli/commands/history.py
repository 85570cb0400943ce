# SPDX-License-Identifier: Apache-2.0
"""northwind history"""

from __future__ import annotations

import argparse
import itertools

from .. import exits
from ..opening import ledger
from ..terminal import Column, Output
from ..values import code, moment, positive, rfc3339, seconds
from .accounts import amount_column, balance_json

NAME = "history"
HELP = "what happened to an account"
DESCRIPTION = "The newest entry first, and the last 50 of them, unless --all or --limit says otherwise."
EXAMPLES = (
    "northwind history -s ledger.db merchant:m_42:available:USD/2",
    "northwind history -s ledger.db merchant:m_42:available:USD/2 --from 2024-03-01 --to 2024-04-01 --all --oldest-first",
)
_DEFAULT_LIMIT = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account", metavar="ACCOUNT", help="the name of an account")
    parser.add_argument("--from", dest="start", metavar="TIME", type=moment, help="recorded at this time or later")
    parser.add_argument("--to", dest="end", metavar="TIME", type=moment, help="recorded before this time")
    parser.add_argument("--code", metavar="N", type=code, help="only transactions of this code")
    parser.add_argument("-n", "--limit", metavar="N", type=positive, default=_DEFAULT_LIMIT, help="N entries at most (default: 50)")
    parser.add_argument("--all", action="store_true", help="all entries")
    parser.add_argument("--oldest-first", action="store_true", help="the oldest entry first")


def run(options: argparse.Namespace, output: Output) -> int:
    with ledger(options) as opened:
        account = opened.account(options.account)
        entries = opened.history(
            account, reverse=not options.oldest_first, code=options.code, start=options.start, end=options.end
        )
        output.rows(
            (
                Column("SEQUENCE", "sequence", right=True),
                Column("RECORDED", lambda row: row["seconds"]),
                Column("ENTRY", "kind"),
                amount_column("AMOUNT", "amount"),
                amount_column("AVAILABLE", "available"),
                Column("CODE", lambda row: row["code"] or "", right=True),
            ),
            (
                {
                    "sequence": entry.sequence, "recorded_at": rfc3339(entry.recorded_at_ns), "kind": str(entry.kind),
                    "asset": account.asset, "amount": str(entry.amount), "code": entry.code, **balance_json(entry.after),
                    **({} if output.as_json else {"seconds": seconds(entry.recorded_at_ns)}),
                }
                for entry in itertools.islice(entries, None if options.all else options.limit)
            ),
            empty="no entries",
        )
    return exits.OK
