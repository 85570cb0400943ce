#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The batch system of the examples: without defects it comes to what a recount comes to; each defect spoils exactly the rows it says.

    NORTHWIND_EXAMPLES=build/release/examples python3 tests/examples/legacy_batch_test.py

Makes a PostgreSQL of its own. Standard library only. NORTHWIND_TEST_SEED repeats a run; the seed is printed.
"""
import collections
import csv
import io
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples/legacy_batch"), str(ROOT / "examples/live")]
import replay  # noqa: E402
from postgres_server import Postgres  # noqa: E402

BIN = pathlib.Path(os.environ.get("NORTHWIND_EXAMPLES", ROOT / "build/release/examples")).resolve()
SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
EVENTS, MERCHANTS, DAYS = 10_000, 40, 2
ZONE, LAST_HOUR = "America/New_York", 23 * 60
DEFECTS = sorted(replay.Affected.CLASSES)
# Words of the batch, and ours.
LEGS = {"CAPTURE": "capture", "REFUND": "refund", "CHARGEBACK": "dispute", "PAYOUT": "payout", "RETURN": "payout_return",
        "ADJUST": "adjustment"}
STATUSES = {"SETL": "settled", "OPEN": "open", "LOST": "lost", "WON": "won", "SENT": "open", "PAID": "paid",
            "FAIL": "failed", "CANC": "canceled"}
ASSETS = {"USD": ("USD/2", 2), "EUR": ("EUR/2", 2), "JPY": ("JPY/0", 0)}
NEGATIVE = {"REFUND", "CHARGEBACK", "PAYOUT"}


def units_of(text, scale):
    whole, _, part = text.partition(".")
    assert len(part) <= scale, text
    return int(whole + part.ljust(scale, "0"))


def line_of(row):
    """A line of the batch as the recount has it, but for the moment."""
    asset, scale = ASSETS[row["currency"]]
    units = units_of(row["amount"], scale)
    return (LEGS[row["kind"]], row["item_id"] + ("/" + row["refund_id"] if row["refund_id"] else ""), row["merchant_id"],
            asset, -units if row["kind"] in NEGATIVE else units,
            units_of(row["fee"], scale) if row["fee"] else None, STATUSES[row["status"]], row["business_day"])


class Batch:
    """The program, with a database of its own."""

    def __init__(self, connection):
        self.words = [sys.executable, ROOT / "examples/legacy_batch/legacy_batch.py", "--connection", connection]

    def do(self, *words, status=0):
        done = subprocess.run([*self.words, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != status:
            raise AssertionError(f"{words}: status {done.returncode}: {done.stderr[-3000:]}")
        return done.stdout if status == 0 else done.stderr

    def ask(self, *words):
        return json.loads(self.do(*words))

    def settle(self, events, *defects):
        self.do("init")
        self.do("load", events)
        if defects:
            self.do("bug", "on", *defects)
        self.do("run-all")

    def lines(self):
        return list(csv.DictReader(io.StringIO(self.do("export"))))


class LegacyBatchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED}", flush=True)
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="northwind_batch_"))
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        os.chmod(cls.dir, 0o711)  # PostgreSQL's user gets through
        data = cls.dir / "data"
        data.mkdir()
        cls.postgres = Postgres(data, ["fsync=off"])
        cls.addClassCleanup(cls.postgres.stop)
        cls.batch = Batch(cls.postgres.connection)
        cls.events = cls.dir / "events.ndjson"
        subprocess.run([BIN / "make_events", "--events", str(EVENTS), "--merchants", str(MERCHANTS), "--seed", str(SEED),
                        "--days", str(DAYS), "--order-free", "--malformed", "0", "--output", cls.events], check=True,
                       stderr=subprocess.DEVNULL)
        cls.lines = cls.events.read_bytes().splitlines()
        cls.books = replay.replay(cls.lines)
        cls.batch.settle(cls.events)
        cls.clean = cls.batch.lines()
        cls.expected = collections.Counter(row[:8] for row in replay.rows(cls.books, replay.Days(ZONE)))

    def settle(self, *defects):
        """What the batch comes to."""
        self.batch.settle(self.events, *defects)
        return self.counted(self.batch.lines())

    @staticmethod
    def counted(lines):
        return collections.Counter(line_of(row) for row in lines if row["status"] != "REJ")

    def differing(self, found):
        return sorted({f"{row[0]}:{row[1]}" for row in (found - self.expected) + (self.expected - found)})

    def assert_same(self, found, expected):
        self.assertEqual((dict(found - expected), dict(expected - found)), ({}, {}), f"seed {SEED}")

    def test_without_defects_it_comes_to_what_the_recount_comes_to(self):
        self.assert_same(self.counted(self.clean), self.expected)
        self.assertEqual(set(self.expected.values()), {1})
        self.assertEqual({row[0] for row in self.expected}, set(LEGS.values()))
        self.assertEqual({row[3] for row in self.expected}, {"USD/2", "EUR/2", "JPY/0"})
        rejected = {row["item_id"] for row in self.clean if row["status"] == "REJ"}
        self.assertEqual(rejected, self.books.refused_payouts)
        self.assertTrue(rejected)

    def test_what_comes_in_may_be_taken_before_what_goes_out(self):
        # What the batch relies on, and what make_events promises.
        chance, lines, taken = random.Random(SEED), list(self.lines), []
        while lines:
            part = lines[: chance.randrange(1, 2000)]
            del lines[: len(part)]
            part.sort(key=lambda line: b"CAPTURED" not in line and b"CREDIT" not in line)
            taken += part
        self.assertNotEqual(taken, self.lines)
        rows = collections.Counter(row[:8] for row in replay.rows(replay.replay(taken), replay.Days(ZONE)))
        self.assert_same(rows, self.expected)

    def test_running_a_day_again_changes_nothing(self):
        self.settle()
        before, totals, balances = self.batch.lines(), self.batch.ask("totals"), self.balances()
        days = sorted(totals)
        for day in (days[0], days[len(days) // 2], days[-1]):
            self.batch.do("run", day)
        self.assertEqual(self.batch.lines(), before)
        self.assertEqual(self.batch.ask("totals"), totals)
        self.assertEqual(self.balances(), balances)

    def balances(self):
        out = subprocess.run(["psql", "-XAtq", "-F", " ", "-d", self.postgres.connection, "-c",
                              "SELECT merchant_id, currency, trim_scale(available) FROM legacy.balances"], check=True,
                             text=True, capture_output=True).stdout
        found = {}
        for merchant, currency, available in map(str.split, out.splitlines()):
            asset, scale = ASSETS[currency]
            found[f"merchant:{merchant}:available:{asset}"] = units_of(available, scale)
        return {name: units for name, units in found.items() if units}

    def test_balances_and_control_totals_are_those_of_the_lines(self):
        self.settle()
        expected = {name: credits - debits - held for name, (debits, credits, held, _) in self.books.accounts.items()
                    if name.startswith("merchant:")}
        self.assertEqual(self.balances(), {name: units for name, units in expected.items() if units}, f"seed {SEED}")
        expected = {}
        for row in self.batch.lines():
            asset, scale = ASSETS[row["currency"]]
            of = expected.setdefault(row["business_day"], {}).setdefault(asset, [0, 0])
            units = units_of(row["amount"], scale)
            of[0] += 1
            of[1] += -units if row["kind"] in NEGATIVE else units
        totals = self.batch.ask("totals")
        self.assertEqual({day: {asset: [of["count"], int(of["sum"])] for asset, of in assets.items()}
                          for day, assets in totals.items()}, expected)
        self.assertEqual(self.batch.ask("totals", min(totals)), {min(totals): totals[min(totals)]})

    def test_each_defect_spoils_exactly_what_it_says(self):
        self.settle()
        affected = self.batch.ask("affected", *DEFECTS)
        for name in DEFECTS:
            with self.subTest(name):
                found = self.settle(name)
                self.assertEqual(self.differing(found), affected[name]["ids"], f"seed {SEED}")
                self.assertTrue(affected[name]["ids"], f"seed {SEED}")
                self.check_kind(name, found - self.expected, self.expected - found)

    def check_kind(self, name, found, missing):
        """What differs is what the class of the defect says, and nothing else."""
        members = replay.Row._fields[:8]
        differs = {"rounding": {"fee"}, "day_shift": {"day"}, "wrong_currency": {"asset"}, "yen_as_cents": {"units"}}
        if name == "missed_refund":
            self.assertFalse(found)
        elif name == "duplicate_payout":
            self.assertFalse(missing)
            self.assertFalse(found.keys() - self.expected.keys())  # the same line once more
        else:
            self.assertEqual(len(found), len(missing))
            for mine, theirs in zip(sorted(found, key=lambda row: row[:2]), sorted(missing, key=lambda row: row[:2])):
                self.assertEqual({member for member, a, b in zip(members, mine, theirs) if a != b}, differs[name])

    def test_all_defects_at_once_spoil_what_each_spoils(self):
        found = self.settle(*DEFECTS)
        affected = [of["ids"] for of in self.batch.ask("affected", *DEFECTS).values()]
        self.assertEqual(self.differing(found), sorted(id for ids in affected for id in ids), f"seed {SEED}")

    def test_reset_forgets_what_was_settled_and_nothing_else(self):
        self.settle("rounding")
        self.batch.do("reset")
        self.assertEqual((self.batch.lines(), self.batch.ask("totals"), self.balances()), ([], {}, {}))
        self.batch.do("bug", "off", "rounding")
        self.batch.do("run-all")
        self.assert_same(self.counted(self.batch.lines()), self.expected)

    def test_lines_that_are_no_events_are_kept_apart(self):
        path = self.dir / "bad.ndjson"
        path.write_bytes(b"\n".join([b"not json", b"{}", b"[1]", b'"\xff"', *self.lines[:50]]) + b"\n")
        self.batch.do("init")
        self.assertEqual(self.batch.ask("load", path), {"events": 50, "errors": 4})

    def test_bad_command_lines_say_so(self):
        self.batch.do("init")
        for words in (["run", "yesterday"], ["bug", "on", "nonsense"], ["affected"], ["load"], ["fly"]):
            self.assertIn("legacy_batch: ", self.batch.do(*words, status=1))


if __name__ == "__main__":
    unittest.main()
