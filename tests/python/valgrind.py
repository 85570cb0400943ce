#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for leaks of the Python package with valgrind (some minutes; by hand, no test of ctest).

    PYTHONPATH=build/release/bindings/python .venv/bin/python tests/python/valgrind.py [ROUNDS]

A ledger is opened, committed to, read, and closed, a few times and more often. What more rounds leave behind, of blocks that were allocated with northwind's
module on the stack, is printed by place; exit status 1 if there is any. That this finds leaks is seen first, by one that is made.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

PROGRAM = """
import ctypes, sys
import northwind
from conftest import NOON, Book

def step(path):
    with northwind.Ledger(path) as ledger:
        card = ledger.open_account("world:card", "USD/2", external=True)
        shop = ledger.open_account("merchant:1:available", "USD/2")
        key = northwind.derive_key(str(ledger.head.sequence), NOON)
        one = northwind.Transaction(key, [(card, shop, 2**80)], reference="x" * 100, host_records={"k": b"v" * 100})
        ledger.commit(one, balances=True)
        ledger.commit([one, northwind.Transaction(b"0" * 16, [(card, shop, 5)])])
        for wrong in (lambda: ledger.commit(northwind.Transaction(key, [(card, shop, 1)])), lambda: ledger.account("nobody"),
                      lambda: northwind.Transaction(key, [(card, shop, "x")])):
            try:
                wrong()
            except (northwind.Error, TypeError) as error:
                repr(error)
        [r.recorded_at for r in ledger.journal()], [hash(e) for e in ledger.history(shop)], [a.asdict() for a in ledger.accounts()]
        ledger.verify(lambda checked, head: None)
        with northwind.Scheduler(ledger.store) as scheduler, northwind.Intake(ledger, scheduler=scheduler) as intake:
            event = {"type": "PAYMENT_CAPTURED", "payment_id": key.hex(), "merchant_id": "m", "occurred_at": NOON, "amount": {"asset": "USD/2", "units": 5}}
            intake.apply([event, b"none"])

for _ in range(int(sys.argv[2])):
    step(sys.argv[1])
    if sys.argv[3] == "leak":
        # A record that nobody lets go.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(northwind.Posting(1, 2, 3)))
"""


def held(rounds, mode):
    """Bytes by place, of blocks of northwind's that were still there at the end: lost, or held by something that is (as pybind11 holds what it made)."""
    with tempfile.TemporaryDirectory() as directory:
        log = pathlib.Path(directory) / "log"
        command = ["valgrind", "--leak-check=full", "--show-leak-kinds=all", "--num-callers=30", f"--log-file={log}"]
        environment = {**os.environ, "PYTHONMALLOC": "malloc", "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
        run = [sys.executable, "-c", PROGRAM, os.path.join(directory, "ledger"), str(rounds), mode]
        subprocess.run([*command, *run], check=True, env=environment)
        text = re.sub(r"^==\d+== ?", "", log.read_text(), flags=re.M)
    places = {}
    for record in text.split("\n\n"):
        head = re.match(r"\s*([\d,]+) (?:\([^)]*\) )?bytes in ([\d,]+) blocks are (.*) in loss record", record)
        if head and "_northwind" in record:
            # Addresses are those of the same code in every run, but for where it was loaded.
            frames = tuple(re.sub(r"0x[0-9A-F]+: ", "", line).strip() for line in record.splitlines()[1:])
            size = int(head[1].replace(",", ""))
            places[frames] = places.get(frames, 0) + size
    return places, text


def growth(few, many, mode):
    """What a round adds, by place."""
    (before, _), (after, text) = held(few, mode), held(many, mode)
    grown = {frames: (size - before.get(frames, 0)) / (many - few) for frames, size in after.items()}
    return {frames: size for frames, size in grown.items() if size >= 1}, text


def main(rounds):
    if shutil.which("valgrind") is None:
        print("valgrind is not installed", file=sys.stderr)
        return 2
    made, text = growth(1, 3, "leak")
    if not made:
        print(text, "\nvalgrind found nothing of a leak that was made", file=sys.stderr)
        return 2
    print(f"a leak that was made: {sum(made.values()):.0f} bytes a round, in {len(made)} places")
    found, text = growth(1, 1 + rounds, "none")
    print(text[text.index("LEAK SUMMARY") :])
    for frames, size in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{size:.0f} bytes a round:", *frames, sep="\n  ")
    print(f"{rounds} rounds more: {sum(found.values()):.0f} bytes a round, in {len(found)} places with northwind on the stack")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
