# SPDX-License-Identifier: Apache-2.0
"""northwind checkpoint"""

from __future__ import annotations

import argparse
import os

from .. import exits
from ..opening import ledger
from ..terminal import Output

NAME = "checkpoint"
HELP = "make a consistent copy of the whole store in a new directory"
DESCRIPTION = """\
On the same file system the files are hard links, so that it costs little; copy it elsewhere to have a backup. Keep the head that is printed
with it. 'northwind restore' makes a store of it."""
EXAMPLES = ("northwind checkpoint -s ledger.db backup/2024-03-01",)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="must not exist")


def run(options: argparse.Namespace, output: Output) -> int:
    with ledger(options) as opened:
        head = opened.checkpoint(options.directory)
    row = {"checkpoint": os.path.abspath(options.directory), "head": {"sequence": head.sequence, "hash": head.hash.hex()}}
    output.facts(row, [("checkpoint", row["checkpoint"]), ("head", f"{head.sequence}:{head.hash.hex()}")])
    return exits.OK
