# SPDX-License-Identifier: Apache-2.0
"""northwind init"""

from __future__ import annotations

import argparse
import os

import northwind

from .. import exits
from ..opening import is_store, ledger, store_path
from ..terminal import Output

NAME = "init"
HELP = "make an empty store"
DESCRIPTION = """\
The directory is made, with its parents, or must be empty. With --shadow, what is computed in the store leaves it nowhere: no payouts, no
webhooks. A store that is there already is left alone, with status 4."""
EXAMPLES = ("northwind init -s ledger.db", "northwind init -s trial.db --shadow")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shadow", action="store_true", help="make a shadow store")


def run(options: argparse.Namespace, output: Output) -> int:
    path = store_path(options)
    if is_store(path):
        raise exits.Complaint(exits.STATE, f"there is a store at {path} already")
    mode = northwind.StoreMode.SHADOW if options.shadow else northwind.StoreMode.AS_IS
    with ledger(options, create=True, mode=mode) as made:
        row = {"store": os.path.abspath(path), "ledger_id": made.id.hex(), "shadow": made.store.shadow, "sequence": made.head.sequence}
        output.facts(row, [("store", row["store"]), ("ledger", row["ledger_id"]), ("shadow", "yes" if row["shadow"] else None)])
    return exits.OK
