#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A parallel run and a cutover, end to end: what `scripts/demo --parallel-run` plays.

    demo.py --bin DIR --dir DIR [--events N] [--seed N] [--payouts N]

Events of two weeks, settled by a ledger and by the batch of examples/legacy_batch in a PostgreSQL of its own. First the batch has all its
historical defects: the parallel run must find each, in exactly the rows that the raw events say, and nothing else. Then it has none: every
day must be clean and the gate open. Then payouts move to northwind in stages, with a rollback on the way, and the bank's books say whether
one was paid twice or not at all. The last line is one JSON object; exit status 0 only if all is as it must be.
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/live"))
from postgres_server import Postgres  # noqa: E402

BATCH = ROOT / "examples/legacy_batch"
DEFECTS = ["rounding", "day_shift", "missed_refund", "duplicate_payout", "wrong_currency", "yen_as_cents"]
DAYS = 14
GATE_DAYS = 14
# So many that stragglers, which come later the fewer events there are to a day, make no two clean weeks of their own after the last
# day.
LEAST_EVENTS = 50_000


class Failed(Exception):
    pass


def say(what):
    print(f"\n== {what}", flush=True)


def run(*words, shown=False):
    """Standard output of a program. `shown`: all of it but its last line is printed as it comes."""
    words = [str(word) for word in words]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        out = []
        for line in process.stdout:
            if shown and out:
                print(out[-1], end="", flush=True)
            out.append(line)
        if process.wait():
            raise Failed(f"{words[0]}: exit status {process.returncode}")
    return out[-1] if shown and out else "".join(out)


class Demo:
    def __init__(self, options, connection):
        self.options, self.connection = options, connection
        self.dir = pathlib.Path(options.dir)
        self.bin = pathlib.Path(options.bin)
        self.mapping = BATCH / "mapping.json"
        self.seconds = {}

    def batch(self, *words):
        return run(sys.executable, BATCH / "legacy_batch.py", "--connection", self.connection, *words)

    def timed(self, name, action, *words):
        start = time.monotonic()
        result = action(*words)
        self.seconds[name] = round(time.monotonic() - start, 1)
        return result

    def make_events(self):
        run(self.bin / "make_events", "--events", self.options.events, "--seed", self.options.seed, "--days", DAYS,
            "--order-free", "--malformed", "0", "--output", self.dir / "events.ndjson")

    def settle_by_batch(self):
        self.timed("batch_run", self.batch, "run-all")
        (self.dir / "totals.json").write_text(self.batch("totals"), encoding="utf-8")

    def compare(self, name, *more):
        """Figures of the parallel run, and its discrepancies."""
        listed = self.dir / f"{name}.ndjson"
        figures = json.loads(run(
            self.bin / "parallel_run", "--ledger", self.dir / "ledger", "--compare", self.dir / f"compare_{name}",
            "--connection", self.connection, "--sql", BATCH / "rows.sql", "--key", "line_no", "--mapping", self.mapping,
            "--totals", self.dir / "totals.json", "--gate-days", GATE_DAYS, "--list", listed, "--report",
            self.dir / f"{name}.html", *more, shown="--quiet" not in more))
        with open(listed, encoding="utf-8") as file:
            return figures, [json.loads(line) for line in file]

    def ramp(self):
        return json.loads(run(
            self.bin / "ramp", "--ledger", self.dir / "ledger", "--compare", self.dir / "compare_right", "--mapping",
            self.mapping, "--connection", self.connection, "--bank", self.dir / "bank.books", "--gate-days", GATE_DAYS,
            "--payouts", self.options.payouts, "--seed", self.options.seed, shown=True))

    def play(self):
        say(f"Making {self.options.events} events of {DAYS} days (seed {self.options.seed})")
        self.make_events()
        say("The batch settles them, with all its historical defects")
        self.batch("init")
        self.timed("batch_load", self.batch, "load", self.dir / "events.ndjson")
        self.batch("bug", "on", *DEFECTS)
        self.settle_by_batch()
        affected = json.loads(self.timed("affected", self.batch, "affected", *DEFECTS))
        say("The ledger settles them, and the parallel run compares")
        wrong, found = self.compare("wrong", "--input", self.dir / "events.ndjson", "--quiet")
        bugs, unexpected = judge(affected, found)
        for name, bug in bugs.items():
            print(f"  {name:<18} {bug['class']:<14} expected {bug['expected']:>8,}   found {bug['found']:>8,}")
        print(f"  discrepancies that no defect explains: {unexpected}, of {wrong['discrepancies']:,} in {wrong['compared']:,} rows")
        print("  the gate is " + ("OPEN" if wrong["gate_open"] else "shut: " + "; ".join(wrong["gate_reasons"][:2])))

        say("The batch is mended, and settles them again")
        self.batch("bug", "off", *DEFECTS)
        self.batch("reset")
        self.settle_by_batch()
        say("The parallel run, from the start")
        right, left = self.compare("right")
        say("The cutover")
        ramp = self.timed("ramp", self.ramp)
        return self.result(wrong, right, len(left), bugs, unexpected, ramp)

    def result(self, wrong, right, left, bugs, unexpected, ramp):
        must = {
            "no discrepancies without defects": right["discrepancies"] == left == 0,
            "all days clean without defects": right["clean_days"] == right["days"] and right["compared"] > 0,
            "canaries found": right["canaries_sound"],
            "gate open without defects": right["gate_open"],
            "gate shut with defects": not wrong["gate_open"],
            "every defect found": all(bug["expected"] == bug["found"] > 0 for bug in bugs.values()),
            "nothing else found": unexpected == 0,
            "coverage holds": wrong["coverage_holds"] and right["coverage_holds"],
            "control totals agree": wrong["complete"] and right["complete"],
            "every payout paid once": ramp["paid_twice"] == ramp["unpaid"] == 0,
            "both systems paid": ramp["paid_by_northwind"] > 0 < ramp["paid_by_batch"],
        }
        for what in (what for what, holds in must.items() if not holds):
            print(f"  NOT SO: {what}")
        return all(must.values()), {
            "events": wrong["events"],
            "compared": right["compared"],
            "days": right["days"],
            "clean_days": right["clean_days"],
            "gate_open": right["gate_open"],
            "discrepancies": right["discrepancies"],
            "bugs": bugs,
            "unexpected": unexpected,
            "seconds": {**self.seconds, "wrong": wrong["seconds"], "right": right["seconds"]},
            **ramp,
        }


def judge(affected, found):
    """{defect: class, expected, found}: discrepancies of that class that the raw events say there must be; and the number of others."""
    first = {discrepancy["id"]: discrepancy["classes"][0] for discrepancy in found}
    bugs = {name: {"class": of["class"], "expected": len(of["ids"]),
                   "found": sum(first.get(id) == of["class"] for id in of["ids"])} for name, of in affected.items()}
    explained = {id for of in affected.values() for id in of["ids"]}
    return bugs, len(first.keys() - explained)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="where the programs are")
    parser.add_argument("--dir", required=True, help="for everything that it makes; must be there")
    parser.add_argument("--events", type=int, default=1_200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--payouts", type=int, default=500, help="in each stage")
    options = parser.parse_args()
    if options.events < LEAST_EVENTS:
        parser.error(f"--events must be at least {LEAST_EVENTS}")
    # Ends by the exception, and so by what stands in `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="northwind_postgres_") as directory:
        data = pathlib.Path(directory) / "data"
        os.chmod(directory, 0o711)  # PostgreSQL's user gets through
        data.mkdir()
        # What it keeps is gone at the end anyway.
        postgres = Postgres(data, ["fsync=off", "shared_buffers=512MB", "max_wal_size=8GB"])
        try:
            good, figures = Demo(options, postgres.connection).play()
        except Failed as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
        finally:
            postgres.stop()
    figures["seconds"]["all"] = round(time.monotonic() - start, 1)
    print("\n" + ("Everything agrees." if good else "SOMETHING IS WRONG.") + "\n")
    print(json.dumps(figures))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
