# SPDX-License-Identifier: Apache-2.0
"""northwind restore"""

from __future__ import annotations

import argparse
import os
import shutil

import northwind

from .. import exits
from ..arrival import appearing, sync
from ..opening import InUse, in_use, is_store, store_path
from ..terminal import Output
from .verify import expect, head

NAME = "restore"
HELP = "make a store of a checkpoint, and verify it"
DESCRIPTION = """\
The checkpoint is copied and stays as it is. The store appears at --store, which must not exist, only when the copy is on disk and verified.
Events and transactions that came after the checkpoint have to be sent again: those that it has are recognised."""
EXAMPLES = ("northwind restore backup/2024-03-01 -s ledger.db", "northwind restore backup/2024-03-01 -s ledger.db --expect 1200:6b86b2…")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a directory that 'northwind checkpoint' made")
    parser.add_argument("--expect", metavar="SEQUENCE:HASH", type=head, help="the head that was printed with it")
    parser.add_argument("--no-verify", action="store_true", help="only open it")


def _copy(source: str, target: str, output: Output) -> None:
    files = [os.path.join(directory, name) for directory, _, names in os.walk(source) for name in sorted(names)]
    total = sum(os.path.getsize(file) for file in files)
    free = shutil.disk_usage(os.path.dirname(target)).free
    if free < total:
        raise exits.Complaint(exits.LATER, f"{total:,} bytes are to be copied, and {free:,} are free at {os.path.dirname(target)}")
    done = 0
    with output.progress("copying", total, in_bytes=True) as progress:
        for directory, _, names in os.walk(source):
            made = os.path.join(target, os.path.relpath(directory, source))
            os.makedirs(made)
            for name in sorted(names):
                copied = shutil.copyfile(os.path.join(directory, name), os.path.join(made, name))
                sync(copied)
                done += os.path.getsize(copied)
                progress.at(done)
            sync(made)


def _check(path: str, options: argparse.Namespace, output: Output) -> northwind.Head:
    with northwind.Store(path, create=False) as store, northwind.Ledger(store) as ledger, output.progress("verifying") as progress:
        if options.expect is not None:
            expect(ledger, *options.expect)
        if not options.no_verify:

            def shown(done: int, end: int) -> bool:
                progress.at(done, end)
                return True

            ledger.verify(shown)
        found = ledger.head
    return found


def run(options: argparse.Namespace, output: Output) -> int:
    source, target = options.checkpoint, os.path.abspath(store_path(options))
    if not os.path.isdir(source):
        raise exits.Complaint(exits.NOT_FOUND, f"there is no checkpoint at {source}")
    if not is_store(source):
        raise exits.Complaint(exits.STATE, f"{source} is a directory, but no store of northwind")
    if in_use(source):
        # A store that changes while it is copied gives a copy that is none.
        raise InUse(source)
    with appearing(target) as partial:
        _copy(source, partial, output)
        found = _check(partial, options, output)
    row = {"store": target, "head": {"sequence": found.sequence, "hash": found.hash.hex()}, "verified": not options.no_verify}
    output.facts(row, [("store", target), ("head", f"{found.sequence}:{found.hash.hex()}"), ("verified", "no" if options.no_verify else "yes")])
    return exits.OK
