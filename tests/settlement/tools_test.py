#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/ from outside: make_events, settle (killed, resumed, misused), recount, embed.

    NORTHWIND_EXAMPLES=build/release/examples python3 tests/settlement/tools_test.py

Standard library only. NORTHWIND_TEST_SEED repeats a run; the seed is printed.
"""
import json
import os
import pathlib
import pty
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("NORTHWIND_EXAMPLES", ROOT / "build/release/examples")).resolve()
SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
TIMEOUT = 300


def run(program, *arguments, stdin=None, expect=0):
    """Runs a program to its end; its standard output and error as text."""
    done = subprocess.run([BIN / program, *map(str, arguments)], input=stdin, capture_output=True, timeout=TIMEOUT)
    if done.returncode != expect:
        raise AssertionError(f"{program} {arguments}: status {done.returncode}, not {expect}: {done.stderr.decode()}")
    return done.stdout.decode(), done.stderr.decode()


def recount(*arguments, expect=0):
    done = subprocess.run([sys.executable, ROOT / "examples/recount.py", *map(str, arguments)], capture_output=True,
                          timeout=TIMEOUT)
    if done.returncode != expect:
        raise AssertionError(f"recount: status {done.returncode}, not {expect}: {done.stdout.decode()[:4000]}{done.stderr.decode()}")
    return json.loads(done.stdout) if done.stdout else None


class ToolsTest(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="northwind_tools_"))
        self.random = random.Random(SEED)
        self.processes = []

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def make(self, name="events", **options):
        path = self.dir / name
        options = {"merchants": 20, "seed": self.random.randrange(2**32), **options}
        words = [word for key, value in options.items() for word in ("--" + key, str(value))]
        run("make_events", "--output", path, *words)
        return path

    def settle(self, *arguments, **options):
        out, _ = run("settle", "--ledger", self.dir / "ledger", "--json", *arguments, **options)
        return json.loads(out)

    def start(self, *arguments, **options):
        process = subprocess.Popen([BIN / "settle", "--ledger", self.dir / "ledger", *map(str, arguments)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.processes.append(process)
        return process


class MakeEvents(ToolsTest):
    def test_the_same_seed_gives_the_same_bytes_and_another_does_not(self):
        seed = self.random.randrange(2**32)
        one, two = self.make("one", events=5000, seed=seed), self.make("two", events=5000, seed=seed)
        other = self.make("other", events=5000, seed=seed + 1)
        self.assertEqual(one.read_bytes(), two.read_bytes())
        self.assertNotEqual(one.read_bytes(), other.read_bytes())

    def test_seed_one_has_not_changed(self):
        # A change of the generator makes every figure published from it stale: change this line knowingly.
        path = self.make(events=3, seed=1, merchants=2000)
        self.assertEqual(path.read_text().splitlines()[0],
                         '{"type":"PAYMENT_CAPTURED","payment_id":"pay_00000001","occurred_at":"2024-03-01T00:00:00.064Z",'
                         '"merchant_id":"m_00000616","amount":{"asset":"USD/2","units":"861"},'
                         '"fee":{"asset":"USD/2","units":"54"}}')

    def test_the_number_of_lines_and_the_share_of_copies_are_as_asked(self):
        for events in (0, 1, 7, 20000):
            path = self.dir / "events"
            _, counted = run("make_events", "--events", events, "--duplicates", "0.2", "--output", path)
            counts = json.loads(counted)
            self.assertEqual(path.read_bytes().count(b"\n"), events)
            self.assertEqual(counts["lines"], events)
        share = (counts["identical_copies"] + counts["copies_with_a_new_time"]) / events
        self.assertAlmostEqual(share, 0.2, delta=0.02)

    def test_every_type_and_asset_occurs(self):
        text = self.make(events=20000, merchants=500).read_text(errors="replace")
        for name in ("PAYMENT_CAPTURED PAYMENT_REFUNDED DISPUTE_OPENED DISPUTE_LOST DISPUTE_WON PAYOUT_REQUESTED PAYOUT_PAID "
                     "PAYOUT_FAILED PAYOUT_CANCELED PAYOUT_RETURNED ADJUSTMENT USD/2 EUR/2 JPY/0").split():
            self.assertIn(name, text)

    def test_bad_arguments_are_refused(self):
        for arguments in (["--events", "-1"], ["--events", "x"], ["--duplicates", "0.6"], ["--duplicates", "1e-1"],
                          ["--nonsense"], ["--merchants", "0"], ["--seed"]):
            _, error = run("make_events", *arguments, expect=2)
            self.assertIn("make_events: ", error)
        run("make_events", "--output", self.dir / "no/such/place", expect=1)
        out, _ = run("make_events", "--help")
        self.assertIn("--duplicates", out)


class Settle(ToolsTest):
    def test_agrees_with_the_recount_on_random_streams(self):
        for i in range(6):
            with self.subTest(i):
                shutil.rmtree(self.dir / "ledger", ignore_errors=True)
                events = self.make(events=self.random.choice([500, 5000]), merchants=self.random.choice([1, 5, 300]),
                                   duplicates=self.random.choice(["0", "0.1", "0.4"]), malformed="0.01", conflicts="0.01")
                report = self.settle("--input", events, "--dump", self.dir / "dump", "--verify",
                                     "--batch", self.random.choice([1, 7, 4096]))
                counted = recount(events, self.dir / "dump")
                self.assertEqual(counted["discrepancies"], 0)
                self.assertGreater(counted["payouts_compared"] + counted["accounts_compared"], 0)
                self.assertEqual(report["events"], counted["events"])
                for name in ("applied", "duplicates", "already_settled"):
                    self.assertEqual(report[name], counted[name], name)
                self.assertEqual(report["rejected"], counted["rejected"])
                self.assertEqual(report["ledger"]["payouts"], counted["payouts"])
                self.assertEqual(report["ledger"]["quarantine"], counted["quarantine"])
                self.assertEqual(report["ledger"]["double_payouts"], 0)
                self.assertTrue(report["verified"])

    def test_agrees_with_the_recount_on_what_is_an_event(self):
        lines = self.make(events=3000, malformed="0.02").read_bytes().splitlines()
        pieces = [b'"', b"{", b"}", b",", b":", b"[", b"\\", b"\\u0041", b"\\ud800", b"\xff", b"\x00", b"0", b"-", b" ", b"\t", b"null",
                  b"USD/2", b"2024", b"PAYOUT_PAID", b'"fee":', b'"amount":', b'"metadata":{"":""}', b'"direction":"DEBIT",', b"\xef\xbb\xbf",
                  b"\xc3\xa9", b"9" * 39, b"1e5", b"m:", b".5", b"12:60:00", b"02-30T", b"Z", b"true", b"\x7f", b"\r"]
        damaged = []
        for line in lines:
            for _ in range(self.random.randrange(4)):
                at = self.random.randrange(len(line) + 1)
                cut = self.random.choice([0, 0, 1, 1, 2, 8])
                line = line[:at] + self.random.choice(pieces + [b""] * 10) + line[at + cut :]
            damaged.append(line.replace(b"\n", b""))
        events = self.dir / "damaged"
        events.write_bytes(b"\n".join(damaged))
        report = self.settle("--input", events, "--dump", self.dir / "dump")
        counted = recount(events, self.dir / "dump")
        self.assertEqual(counted["discrepancies"], 0)
        self.assertEqual(report["applied"], counted["applied"])
        self.assertGreater(counted["quarantine"]["malformed"], 100)

    def test_killed_again_and_again_it_still_completes(self):
        events = self.make(events=30000, merchants=200)
        for _ in range(3):
            process = self.start("--input", events, "--batch", 100, "--progress", "lines", "--progress-ms", 1)
            for _ in range(self.random.randrange(1, 12)):
                if not process.stderr.readline():
                    break
            process.kill()
            process.wait()
        self.settle("--input", events, "--verify", "--dump", self.dir / "dump")
        self.assertEqual(recount(events, self.dir / "dump")["discrepancies"], 0)

    def test_the_second_run_changes_nothing(self):
        events = self.make(events=5000, malformed="0.01")
        first = self.settle("--input", events)
        second = self.settle("--input", events)
        self.assertEqual(first["ledger"]["head"], second["ledger"]["head"])
        self.assertEqual(first["ledger"]["quarantine"], second["ledger"]["quarantine"])
        self.assertEqual(second["applied"], 0)

    def test_a_signal_ends_it_in_order(self):
        events = self.make(events=30000)
        process = self.start("--input", events, "--batch", 20, "--json", "--progress", "lines", "--progress-ms", 1)
        process.stderr.readline()
        process.send_signal(self.random.choice([signal.SIGINT, signal.SIGTERM]))
        out, _ = process.communicate(timeout=TIMEOUT)
        report = json.loads(out)
        self.assertEqual(process.returncode, 4 if report["interrupted"] else 0)
        self.settle("--input", events, "--dump", self.dir / "dump")
        self.assertEqual(recount(events, self.dir / "dump")["discrepancies"], 0)

    def test_reads_a_live_pipe_as_it_comes(self):
        lines = self.make(events=300, malformed="0").read_bytes().splitlines(keepends=True)
        process = self.start("--progress", "lines", "--progress-ms", 1, "--json", stdin=subprocess.PIPE)
        process.stdin.write(b"".join(lines[:100]))
        process.stdin.flush()
        self.assertIn(b"100 events", process.stderr.readline())  # durable before the input has ended
        process.stdin.write(b"".join(lines[100:]))
        out, _ = process.communicate(timeout=TIMEOUT)
        self.assertEqual(json.loads(out)["events"], 300)

    def test_line_ends_empty_lines_and_a_missing_last_one(self):
        events = self.make(events=50, malformed="0")
        unix = events.read_bytes()
        plain = self.settle("--input", events, "--dump", self.dir / "plain")
        for text in (unix.replace(b"\n", b"\r\n"), unix[:-1], unix.replace(b"\n", b"\n\n\r\n")):
            shutil.rmtree(self.dir / "ledger")
            report = self.settle(stdin=text)
            self.assertEqual(report["events"], 50)
            self.assertEqual(report["ledger"]["assets"], plain["ledger"]["assets"])
            self.assertEqual(report["quarantined"], plain["quarantined"])
        self.assertEqual(report["empty_lines"], 100)

    def test_a_line_of_any_length_is_one_event(self):
        good = self.make(events=3, malformed="0").read_bytes().splitlines(keepends=True)
        long = b'{"metadata":"' + b"x" * 20_000_000 + b'"}\n'
        report = self.settle(stdin=good[0] + long + good[1] + b"y" * 65537 + b"\n" + good[2] + b"z" * 70000)
        self.assertEqual(report["events"], 6)
        self.assertEqual(report["quarantined"].get("malformed"), 3)
        self.assertEqual(self.settle(stdin=b"")["events"], 0)

    def test_wrong_input_is_named(self):
        _, error = run("settle", "--ledger", self.dir / "ledger", "--input", self.dir / "missing", expect=2)
        self.assertIn("missing", error)
        self.assertFalse((self.dir / "ledger").exists())
        _, error = run("settle", "--ledger", self.dir / "ledger", "--input", self.dir, expect=2)
        self.assertIn("directory", error)
        _, error = run("settle", expect=2)
        self.assertIn("--ledger", error)
        _, error = run("settle", "--ledger", "x", "--batch", "0", expect=2)
        self.assertIn("--batch", error)
        _, error = run("settle", "--ledger", "x", "--progress", "loud", expect=2)
        self.assertIn("--progress", error)
        _, error = run("settle", "--ledger", "x", "surplus", expect=2)
        self.assertIn("surplus", error)
        (self.dir / "file").write_text("not a ledger")
        _, error = run("settle", "--ledger", self.dir / "file", stdin=b"", expect=1)
        self.assertIn("file", error)

    def test_a_second_process_on_one_ledger_is_refused(self):
        process = self.start("--progress", "lines", "--progress-ms", 1, stdin=subprocess.PIPE)
        process.stdin.write(self.make(events=10).read_bytes())
        process.stdin.flush()
        process.stderr.readline()
        run("settle", "--ledger", self.dir / "ledger", stdin=b"", expect=1)
        process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 0)

    def test_a_bar_on_a_terminal_and_plain_lines_elsewhere(self):
        events = self.make(events=2000)
        _, error = run("settle", "--ledger", self.dir / "ledger", "--input", events)
        self.assertNotIn("\r", error)
        self.assertNotIn("\x1b", error)
        self.assertIn("100.0%", error)
        shutil.rmtree(self.dir / "ledger")
        master, slave = pty.openpty()
        process = subprocess.Popen([BIN / "settle", "--ledger", self.dir / "ledger", "--input", events],
                                   stdout=subprocess.DEVNULL, stderr=slave)
        self.processes.append(process)
        os.close(slave)
        shown = b""
        while select.select([master], [], [], TIMEOUT)[0]:
            try:
                piece = os.read(master, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        self.assertEqual(process.wait(TIMEOUT), 0)
        for part in (b"\r[", b"100.0%", b"events", b"lag", b"/s"):
            self.assertIn(part, shown)

    def test_help_and_the_report_for_people(self):
        out, _ = run("settle", "--help")
        self.assertIn("Exit status", out)
        events = self.make(events=2000, malformed="0.01")
        out, _ = run("settle", "--ledger", self.dir / "ledger", "--input", events, "--verify")
        for part in ("events ", "applied", "duplicates", "conflicts", "rejected", "malformed", "payouts", "sum of all accounts",
                     "Head: sequence", "Verified: "):
            self.assertIn(part, out)


class Recount(ToolsTest):
    """The recount can fail: every kind of wrong number is found."""

    def setUp(self):
        super().setUp()
        self.events = self.make(events=4000)
        self.settle("--input", self.events, "--dump", self.dir / "dump")
        self.dump = json.loads((self.dir / "dump").read_text())

    def finds(self, what):
        (self.dir / "wrong").write_text(json.dumps(self.dump))
        result = recount(self.events, self.dir / "wrong", expect=1)
        self.assertFalse(result["agrees"])
        self.assertTrue(result["discrepancies"] or result["double_payouts"])
        if what:
            self.assertTrue(any(what in difference["what"] for difference in result["differences"]), result["differences"])
        return result

    def test_an_altered_balance(self):
        name = self.random.choice(sorted(n for n in self.dump["accounts"] if n.startswith("merchant:")))
        slot = self.random.choice(["debits_posted", "credits_posted", "debits_held", "credits_held"])
        self.dump["accounts"][name][slot] = str(int(self.dump["accounts"][name][slot]) + 1)
        self.finds(name)

    def test_a_missing_and_a_surplus_account(self):
        name = next(n for n, a in self.dump["accounts"].items() if a["credits_posted"] != "0")
        self.dump["accounts"]["merchant:nobody:available:USD/2"] = self.dump["accounts"].pop(name)
        self.finds(name)

    def test_an_altered_state_of_a_payout(self):
        name = self.random.choice(sorted(n for n, p in self.dump["payouts"].items() if p["state"] == "paid"))
        self.dump["payouts"][name]["state"] = "requested"
        self.finds(name)

    def test_a_payout_made_twice(self):
        name = self.random.choice(sorted(n for n, p in self.dump["payouts"].items() if p["state"] == "paid"))
        self.dump["payouts"][name]["captures"] = 2
        self.assertEqual(self.finds("")["double_payouts"], 1)

    def test_a_missing_payout_and_altered_counts(self):
        name = self.random.choice(sorted(self.dump["payouts"]))
        del self.dump["payouts"][name]
        self.finds(name)
        self.dump["transactions"]["rejected"]["insufficient_funds"] = 10**6
        self.finds("rejected")

    def test_files_that_cannot_be_read(self):
        recount(self.dir / "missing", expect=2)
        recount(self.events, self.events, expect=2)


class Embed(ToolsTest):
    def test_pays_once(self):
        out, _ = run("embed", self.dir / "ledger")
        self.assertEqual(out.splitlines(), ["delivery 1: applied", "delivery 2: duplicate", "available: 100.00 USD"])
        out, _ = run("embed", self.dir / "ledger")
        self.assertEqual(out.splitlines()[0], "delivery 1: duplicate")


if __name__ == "__main__":
    print(f"NORTHWIND_TEST_SEED={SEED}", flush=True)
    unittest.main(verbosity=2)
