# SPDX-License-Identifier: Apache-2.0
"""What the Python package costs over C++: scripts/bench python [--json] [-- FLAGS].

The C++ case Commit/8190 of ledger_bench runs first, in the same way (10,000 accounts, keys in the order of time, batches of 8,190,
four on their way), and is listed beside the cases of Python. Output in Google Benchmark's JSON shape, or as a table.

CommitArrays/8190   commit_arrays from numpy arrays that are there already; the C++ case makes its transactions as it goes
CommitObjects       lists of 8,190 Transactions, made and committed
JournalIterate      one object for each record of the journal
JournalToArrays     the journal as structured arrays
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy

import northwind

ACCOUNTS = 10_000
BATCH = 8190


def arrays(count, seed):
    random = numpy.random.default_rng(seed)
    keys = random.integers(0, 256, (count, 16), numpy.uint8)
    now = time.time_ns() // 1_000_000
    milliseconds = (now + numpy.arange(count) // 1000).astype(">u8").view(numpy.uint8).reshape(count, 8)
    keys[:, :6] = milliseconds[:, 2:]
    debit = random.integers(1, ACCOUNTS + 1, count, numpy.uint32)
    credit = (debit + random.integers(1, ACCOUNTS, count, numpy.uint32) - 1) % ACCOUNTS + 1
    return keys, debit, credit, random.integers(1, 1_000_001, count, numpy.uint64)


class Bench:
    def __init__(self, directory, transactions):
        self.directory, self.count = directory, transactions
        self.cases = []

    def ledger(self, name):
        ledger = northwind.Ledger(os.path.join(self.directory, name))
        ledger.open_accounts(northwind.AccountSpec(f"bench:{i}", "USD/2", external=True) for i in range(ACCOUNTS))
        return ledger

    def measure(self, name, items, run):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.cases.append({
            "name": name, "run_name": name, "run_type": "iteration", "iterations": 1, "real_time": wall * 1e3, "cpu_time": cpu * 1e3,
            "time_unit": "ms", "items_per_second": items / wall,
        })

    def commit_arrays(self):
        with self.ledger("arrays") as ledger:
            columns = arrays(self.count, 1)
            self.measure("CommitArrays/8190", self.count, lambda: self.all_applied(ledger.commit_arrays(*columns, code=7)["outcome"]))

    @staticmethod
    def all_applied(outcomes):
        if not (outcomes == northwind.Outcome.APPLIED).all():
            raise SystemExit("a transaction was not applied")

    def commit_objects(self):
        with self.ledger("objects") as ledger:
            count = min(self.count, 100 * BATCH)
            keys, debit, credit, amount = arrays(count, 2)
            rows = list(zip([k.tobytes() for k in keys], debit.tolist(), credit.tolist(), amount.tolist()))

            def run():
                for first in range(0, count, BATCH):
                    batch = [northwind.Transaction(k, [(d, c, a)], code=7) for k, d, c, a in rows[first : first + BATCH]]
                    if not all(result.applied for result in ledger.commit(batch)):
                        raise SystemExit("a transaction was not applied")

            self.measure("CommitObjects", count, run)

    def journal(self):
        with northwind.Ledger(os.path.join(self.directory, "arrays")) as ledger:
            records = ledger.head.sequence

            def iterate():
                if sum(1 for _ in ledger.journal()) != records:
                    raise SystemExit("the journal is not complete")

            def to_arrays():
                if len(ledger.journal_arrays().records) != records:
                    raise SystemExit("the journal is not complete")

            self.measure("JournalIterate", records, iterate)
            self.measure("JournalToArrays", records, to_arrays)


def in_cpp(program, transactions):
    if program is None:
        return [], {}
    run = subprocess.run(
        [program, "--benchmark_filter=^Commit/8190", f"--transactions={transactions}", "--benchmark_format=json"],
        check=True, capture_output=True, text=True,
    )
    answer = json.loads(run.stdout)
    return answer["benchmarks"], answer["context"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--benchmark_format", choices=["console", "json"], default="console")
    parser.add_argument("--benchmark_filter", default="")
    parser.add_argument("--transactions", type=int, default=2_000_000)
    parser.add_argument("--ledger_bench", help="the C++ benchmark")
    arguments = parser.parse_args()
    parent = os.environ.get("NORTHWIND_BENCH_DIR", ".")
    cpp, context = in_cpp(arguments.ledger_bench, arguments.transactions)
    with tempfile.TemporaryDirectory(prefix="northwind-bench.", dir=parent) as directory:
        bench = Bench(directory, arguments.transactions)
        bench.commit_arrays()
        bench.journal()
        bench.commit_objects()
    wanted = re.compile(arguments.benchmark_filter)
    context.update({
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(), "num_cpus": os.cpu_count(), "executable": sys.argv[0],
        "python": sys.version.split()[0], "numpy": numpy.__version__, "transactions": arguments.transactions,
    })
    cases = [case for case in cpp + bench.cases if wanted.search(case["name"])]
    if arguments.benchmark_format == "json":
        json.dump({"context": context, "benchmarks": cases}, sys.stdout, indent=2)
        print()
        return
    for case in cases:
        print(f"{case['name']:24} {case['real_time']:12.1f} ms {case.get('items_per_second', 0):14,.0f} items/s")


if __name__ == "__main__":
    main()
