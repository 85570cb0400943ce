#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The live part of scripts/demo in small: killed, run again, recounted; and the recount notices what it is there to notice.

    NORTHWIND_EXAMPLES=build/release/examples python3 tests/examples/live_test.py

Standard library only. NORTHWIND_TEST_SEED repeats a run; the seed is printed.
"""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("NORTHWIND_EXAMPLES", ROOT / "build/release/examples")).resolve()
SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
TIMEOUT = 300
EVENTS = 3000

# Receiver, behaviour; merchant, policy and patterns.
PLAN = [
    ("good", "ok", "m_00000001", "usual", "*"),
    ("payouts", "ok", "m_00000001", "usual", "payout.*"),
    ("flaky", "flaky", "m_00000002", "usual", "*"),
    ("hangs", "hang", "m_00000009", "patient", "*"),
    ("broken", "error", "m_00000020", "short", "payout.paid", "payout.failed"),
]


def run(*words, expect=0):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
    if done.returncode != expect:
        raise AssertionError(f"{words}: status {done.returncode}, not {expect}: {done.stdout.decode()[-4000:]}"
                             f"{done.stderr.decode()[-2000:]}")
    return done.stdout.decode()


class Receivers:
    """The program, which takes commands and answers with lines."""

    def __init__(self, log):
        self.process = subprocess.Popen([BIN / "receivers", "--log", log, "--seed", str(SEED)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def ask(self, command):
        self.tell(command)
        return self.process.stdout.readline().rstrip("\n")

    def end(self):
        out, _ = self.process.communicate(timeout=TIMEOUT)
        return json.loads(out)["all"]


class LiveTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="northwind_live_"))
        cls.processes = []
        cls.addClassCleanup(cls.clean_up)
        cls.killed_at = cls.play()

    @classmethod
    def clean_up(cls):
        for process in cls.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        shutil.rmtree(cls.dir, ignore_errors=True)

    @classmethod
    def play(cls):
        files = {name: cls.dir / name for name in ("before", "events", "rail", "plan", "secrets", "received", "deliveries",
                                                   "report", "after")}
        cls.files = files
        files["events"].write_text(run(sys.executable, ROOT / "examples/live/make_stream.py", EVENTS, SEED))
        (cls.dir / "key").write_bytes(os.urandom(32))
        settle = [BIN / "settle", "--ledger", cls.dir / "ledger", "--input", os.devnull, "--verify", "--json"]
        run(*settle, "--dump", files["before"])

        receivers = Receivers(files["received"])
        cls.processes.append(receivers.process)
        with files["plan"].open("w") as plan:
            for name, behaviour, merchant, *rest in PLAN:
                url = receivers.ask(f"add {name} {behaviour}").split()[1]
                plan.write(" ".join([merchant, name, url, *rest]) + "\n")
        live = [BIN / "live", "--ledger", cls.dir / "ledger", "--rail", files["rail"], "--key", cls.dir / "key", "--plan",
                files["plan"], "--seed", str(SEED)]
        files["secrets"].write_text(run(*live, "endpoints"))
        for line in files["secrets"].read_text().splitlines():
            receivers.tell(line)
        receivers.ask("stats")

        words = [*live, "run", "--input", files["events"], "--deliveries", files["deliveries"]]
        first = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True)
        cls.processes.append(first)
        # It cannot end by itself, as one receiver hangs.
        killed_at = -1
        target = EVENTS * (20 + SEED % 61) // 100
        while killed_at < target:
            line = first.stderr.readline()
            killed_at = int(re.match(r"(\d+) events", line)[1])
        first.kill()
        first.wait(timeout=TIMEOUT)
        receivers.tell("behave hangs ok")
        run(*words)
        # The broken one is repaired, and what was given up is redriven.
        receivers.tell("behave broken ok")
        receivers.ask("stats")
        files["report"].write_text(run(*live, "run", "--redrive", "--input", os.devnull, "--deliveries", files["deliveries"]))
        cls.received = receivers.end()
        run(*settle, "--dump", files["after"])
        return killed_at

    def recount(self, expect=0, **others):
        files = {**self.files, **others}
        out = run(sys.executable, ROOT / "examples/live/recount_live.py",
                  *(word for name, path in files.items() for word in ("--" + name, path)), expect=expect)
        return json.loads(out)

    def altered(self, name, change):
        """A copy of a file whose lines were changed by a function."""
        lines = self.files[name].read_text().splitlines()
        path = self.dir / (self.id() + "." + name)
        path.write_text("\n".join(change(lines)) + "\n")
        return {name: path}

    def test_what_is_killed_and_run_again_tells_everybody_once_and_pays_once(self):
        count = self.recount()
        self.assertTrue(count["agrees"], count["differences"])
        self.assertEqual(count["signature_failures"], 0)
        self.assertEqual(self.received["signature_failures"], 0)
        self.assertEqual(self.received["requests"], count["arrived"])
        self.assertEqual(count["webhooks_expected"], count["webhooks_delivered"])
        self.assertEqual(count["webhooks_dead"], 0)
        self.assertEqual(count["rail_executions"], count["payouts"]["paid"])
        self.assertGreater(count["rail_executions"], 0)
        self.assertGreater(count["webhooks_retried"], 0)
        self.assertGreater(self.killed_at, 0)

    def test_a_message_that_never_arrived_is_noticed(self):
        def change(lines):
            lost = json.loads(lines[0])["id"]
            return [line for line in lines if json.loads(line)["id"] != lost]

        self.assertFalse(self.recount(expect=1, **self.altered("received", change))["agrees"])

    def test_a_message_that_should_not_have_been_sent_is_noticed(self):
        def change(lines):
            extra = json.loads(lines[0])
            return [*lines, json.dumps({**extra, "id": "msg_00000000000000000000000000"})]

        self.assertGreater(self.recount(expect=1, **self.altered("received", change))["discrepancies"], 0)

    def test_another_body_is_noticed_by_its_signature(self):
        def change(lines):
            first = json.loads(lines[0])
            return [json.dumps({**first, "body": first["body"].replace("live_", "dead_")}), *lines[1:]]

        self.assertEqual(self.recount(expect=1, **self.altered("received", change))["signature_failures"], 1)

    def test_a_payout_executed_twice_is_noticed(self):
        def change(lines):
            return [*lines, next(line for line in lines if line.startswith("E "))]

        self.assertGreater(self.recount(expect=1, **self.altered("rail", change))["discrepancies"], 0)

    def test_a_payout_executed_for_another_amount_is_noticed(self):
        def change(lines):
            at = next(i for i, line in enumerate(lines) if line.startswith("E "))
            what, key, asset, units, payout = lines[at].split()
            return [*lines[:at], f"{what} {key} {asset} {int(units) + 1} {payout}", *lines[at + 1:]]

        self.assertGreater(self.recount(expect=1, **self.altered("rail", change))["discrepancies"], 0)

    def test_repetitions_without_a_reason_are_noticed(self):
        def change(lines):
            # More than the attempts of which the sender does not know how they ended.
            acknowledged = [line for line in lines if json.loads(line)["receiver"] == "good"]
            return [*lines, *acknowledged]

        self.assertGreater(self.recount(expect=1, **self.altered("received", change))["discrepancies"], 0)

    def test_a_delivery_that_was_forgotten_is_noticed(self):
        found = self.recount(expect=1, **self.altered("deliveries", lambda lines: lines[1:]))
        self.assertGreater(found["discrepancies"], 0)


class Usage(unittest.TestCase):
    def test_bad_arguments_are_refused(self):
        for words in (["live"], ["live", "run"], ["live", "endpoints", "run"], ["receivers", "--count", "many"],
                      ["receivers", "--what"]):
            run(BIN / words[0], *words[1:], expect=2)

    def test_receivers_do_not_take_what_they_do_not_understand(self):
        done = subprocess.run([BIN / "receivers", "--count", "1", "--bad", "9"], input=b"behave r1 perfect\n",
                              capture_output=True, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"not understood", done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 10)


if __name__ == "__main__":
    print(f"NORTHWIND_TEST_SEED={SEED}")
    unittest.main()
