#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`scripts/demo --parallel-run` in small; and its judgement notices what it is there to notice.

    NORTHWIND_EXAMPLES=build/release/examples python3 tests/examples/parallel_run_test.py

Makes a PostgreSQL of its own. Standard library only. NORTHWIND_TEST_SEED repeats a run; the seed is printed.
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/parallel_run"))
import demo  # noqa: E402

BIN = pathlib.Path(os.environ.get("NORTHWIND_EXAMPLES", ROOT / "build/release/examples")).resolve()
SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
EVENTS, PAYOUTS = demo.LEAST_EVENTS, 60


class DemoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED}", flush=True)
        with tempfile.TemporaryDirectory(prefix="northwind_parallel_") as directory:
            done = subprocess.run([sys.executable, ROOT / "examples/parallel_run/demo.py", "--bin", BIN, "--dir", directory,
                                   "--events", str(EVENTS), "--payouts", str(PAYOUTS), "--seed", str(SEED)],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
        cls.output = done.stdout[-6000:] + done.stderr[-2000:]
        if done.returncode:
            raise AssertionError(f"seed {SEED}: status {done.returncode}: {cls.output}")
        cls.figures = json.loads(done.stdout.splitlines()[-1])

    def test_every_defect_is_found_in_exactly_its_rows(self):
        bugs = self.figures["bugs"]
        self.assertEqual(sorted(bugs), sorted(demo.DEFECTS))
        for name, bug in bugs.items():
            self.assertEqual(bug["found"], bug["expected"], name)
            self.assertGreater(bug["expected"], 0, name)
        self.assertEqual(self.figures["unexpected"], 0)

    def test_without_defects_all_days_are_clean_and_the_gate_is_open(self):
        self.assertEqual(self.figures["discrepancies"], 0)
        self.assertEqual(self.figures["clean_days"], self.figures["days"])
        self.assertTrue(self.figures["gate_open"])
        self.assertGreater(self.figures["compared"], EVENTS // 2)

    def test_the_ramp_goes_up_and_back_and_up_and_every_payout_is_paid_once(self):
        stages = self.figures["stages"]
        self.assertEqual([stage["threshold"] for stage in stages if not stage["routed_to_batch"]],
                         [0, 500, 2500, 2500, 10000])
        self.assertEqual([stage["northwind"] for stage in stages if stage["stage"] == "rolled back"], [0])
        self.assertEqual(stages[-1]["northwind"], PAYOUTS)
        self.assertTrue(all(stage["residue"] == 0 for stage in stages))
        self.assertEqual((self.figures["paid_twice"], self.figures["unpaid"]), (0, 0))
        self.assertEqual(self.figures["paid_by_northwind"] + self.figures["paid_by_batch"]
                         + self.figures["refused_by_bank"], PAYOUTS * len(stages))

    def test_each_stage_is_judged_by_days_of_its_own_and_what_northwind_paid_is_not_missed_in_the_batch(self):
        stages = self.figures["stages"]
        for stage in stages:
            self.assertEqual(stage["days"], 1 if stage["handed_back"] + stage["kept"] else 2, stage)
            northwinds = stage["northwind"] - stage["handed_back"]
            self.assertEqual(stage["by_northwind"] + stage["explained"], northwinds, stage)
            # A payment and a payout each; the batch has no row of what northwind paid, or tried to.
            self.assertEqual(stage["compared"], 2 * stage["payouts"] - northwinds, stage)
        self.assertEqual(sum(stage["by_northwind"] for stage in stages), self.figures["paid_by_northwind"])
        self.assertGreater(self.figures["paid_by_northwind"], 0)


class JudgementTest(unittest.TestCase):
    AFFECTED = {"rounding": {"class": "fee", "ids": ["capture:a", "capture:b"]},
                "missed_refund": {"class": "missing_there", "ids": ["refund:c/r1"]}}

    def judge(self, *found):
        bugs, unexpected = demo.judge(self.AFFECTED, [{"id": id, "classes": [c]} for id, c in found])
        return {name: bug["found"] for name, bug in bugs.items()}, unexpected

    def test_all_found(self):
        self.assertEqual(self.judge(("capture:a", "fee"), ("capture:b", "fee"), ("refund:c/r1", "missing_there")),
                         ({"rounding": 2, "missed_refund": 1}, 0))

    def test_what_is_missing_or_of_another_class_is_not_found(self):
        self.assertEqual(self.judge(("capture:a", "fee"), ("capture:b", "amount")), ({"rounding": 1, "missed_refund": 0}, 0))

    def test_what_nobody_expects_is_counted(self):
        self.assertEqual(self.judge(("capture:z", "fee")), ({"rounding": 0, "missed_refund": 0}, 1))


if __name__ == "__main__":
    unittest.main()
