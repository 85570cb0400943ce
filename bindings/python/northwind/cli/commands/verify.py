# SPDX-License-Identifier: Apache-2.0
"""northwind verify"""

from __future__ import annotations

import argparse
import re

import northwind

from .. import exits
from ..opening import ledger
from ..terminal import Output

NAME = "verify"
HELP = "derive everything from the journal again, and compare"
DESCRIPTION = """\
Hash chain, every balance, every index entry. What cannot be seen from inside is that the newest records are gone: keep the head that is
printed (SEQUENCE:HASH) somewhere else, and give it to --expect later. Damage is status 7."""
EXAMPLES = ("northwind verify -s ledger.db", "northwind verify -s ledger.db --expect 1200:6b86b273ff34fce1…")


def head(text: str) -> tuple[int, bytes]:
    match = re.fullmatch(r"([0-9]{1,20}):([0-9a-fA-F]{64})", text)
    if not match or int(match[1]) >= 2**64:
        raise argparse.ArgumentTypeError("a head is SEQUENCE:HASH, with 64 hexadecimal digits")
    return int(match[1]), bytes.fromhex(match[2])


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--expect", metavar="SEQUENCE:HASH", type=head, help="a head that this journal had: it must hold it still")


def expect(opened: northwind.Ledger, sequence: int, digest: bytes) -> None:
    if sequence > opened.head.sequence:
        raise northwind.DataLoss(f"the journal ends with record {opened.head.sequence}, and once had {sequence}: its end is gone")
    block = opened.block_at(sequence)
    if (block.sequence, block.hash) != (sequence, digest):
        raise northwind.DataLoss(f"record {sequence} does not end a block of that hash: this is another journal, or a rewritten one")


def run(options: argparse.Namespace, output: Output) -> int:
    with ledger(options) as opened, output.progress("verifying") as progress:
        if options.expect is not None:
            expect(opened, *options.expect)

        def shown(done: int, total: int) -> bool:
            progress.at(done, total)
            return True

        report = opened.verify(shown)
    row = {
        "head": {"sequence": report.head.sequence, "hash": report.head.hash.hex()}, "blocks": report.blocks, "records": report.records,
        "transactions_applied": report.transactions_applied, "transactions_rejected": report.transactions_rejected,
        "accounts": report.accounts, "entries": report.entries, "open_holds": report.open_holds,
    }
    output.facts(
        row,
        [
            ("good", f"{report.records:,} records in {report.blocks:,} blocks"),
            ("applied", f"{report.transactions_applied:,}"), ("rejected", f"{report.transactions_rejected:,}"),
            ("accounts", f"{report.accounts:,}"), ("entries", f"{report.entries:,}"), ("open holds", f"{report.open_holds:,}"),
            ("head", f"{report.head.sequence}:{report.head.hash.hex()}"),
        ],
    )
    return exits.OK
