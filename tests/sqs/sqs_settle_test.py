#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/sqs_settle from outside, against moto's server: settles, is killed, follows, is misused.

    NORTHWIND_EXAMPLES=build/release/examples .venv/bin/python tests/sqs/sqs_settle_test.py

NORTHWIND_TEST_SEED repeats a run; the seed is printed.
"""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("NORTHWIND_EXAMPLES", ROOT / "build/release/examples")).resolve()
SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
TIMEOUT = 300
COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]


def captures(count):
    return [f'{{"type":"PAYMENT_CAPTURED","payment_id":"p{i}","occurred_at":"2024-03-01T00:00:00Z",'
            f'"merchant_id":"m{i % 7}","amount":{{"asset":"USD/2","units":"{i + 1}"}}}}' for i in range(count)]


class Server:
    """sqs_server.py, which ends when its socket does."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen([sys.executable, ROOT / "tests/sqs/sqs_server.py"], pass_fds=(3,),
                                        preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        self.socket = ours
        self.lines = ours.makefile("rw", encoding="utf-8")
        greeting = json.loads(self.lines.readline())
        self.endpoint = f"http://127.0.0.1:{greeting['port']}"
        self.environment = {"AWS_ACCESS_KEY_ID": greeting["access_key_id"], "AWS_REGION": "eu-central-1",
                            "AWS_SECRET_ACCESS_KEY": greeting["secret_access_key"]}

    def ask(self, command):
        self.lines.write(json.dumps(command) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        if "ok" not in answer:
            raise AssertionError(f"{command}: {answer}")
        return answer["ok"]

    def sqs(self, operation, **arguments):
        return self.ask({"service": "sqs", "operation": operation, "arguments": arguments})

    def close(self):
        self.lines.close()
        self.socket.close()
        self.process.wait(TIMEOUT)


class SqsSettle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.queues = 0

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="northwind_sqs_"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.random = random.Random(SEED)

    def queue(self, end="", **attributes):
        SqsSettle.queues += 1
        if end:
            attributes["FifoQueue"] = "true"
        return self.server.sqs("create_queue", QueueName=f"q{self.queues}{end}", Attributes=attributes)["QueueUrl"]

    def send(self, url, lines):
        for begin in range(0, len(lines), 10):
            entries = [{"Id": str(i), "MessageBody": line} for i, line in enumerate(lines[begin : begin + 10])]
            if url.endswith(".fifo"):
                for i, entry in enumerate(entries):
                    entry.update(MessageGroupId="all", MessageDeduplicationId=str(begin + i))
            self.assertFalse(self.server.sqs("send_message_batch", QueueUrl=url, Entries=entries).get("Failed"))

    def waiting(self, url):
        counts = self.server.sqs("get_queue_attributes", QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
        return sum(int(counts[name]) for name in COUNTS)

    def events(self, **options):
        path = self.dir / "events"
        options = {"merchants": 20, "seed": self.random.randrange(2**32), **options}
        words = [word for key, value in options.items() for word in ("--" + key, str(value))]
        subprocess.run([BIN / "make_events", "--output", path, *words], check=True, capture_output=True, timeout=TIMEOUT)
        return path

    def command(self, url, *arguments):
        return [BIN / "sqs_settle", "--store", self.dir / "store", "--queue-url", url, "--endpoint", self.server.endpoint,
                *map(str, arguments)]

    def settle(self, url, *arguments, expect=0):
        done = subprocess.run(self.command(url, *arguments), env={**os.environ, **self.server.environment},
                              capture_output=True, timeout=TIMEOUT)
        if done.returncode != expect:
            raise AssertionError(f"{arguments}: status {done.returncode}: {done.stderr.decode()}")
        return done.stdout.decode(), done.stderr.decode()

    def recount(self, events, *dump):
        done = subprocess.run([sys.executable, ROOT / "examples/recount.py", events, *dump], capture_output=True,
                              timeout=TIMEOUT)
        self.assertIn(done.returncode, (0, 1), done.stderr.decode())
        return json.loads(done.stdout)

    def test_a_fifo_queue_gives_what_the_recount_of_the_same_events_gives(self):
        events = self.events(events=400, malformed="0.01", conflicts="0.01", duplicates="0.1")
        # Some lines are damaged on purpose, to what SQS would not take: not UTF-8, or control characters.
        text = events.read_bytes().decode("utf-8", "replace")
        lines = ["".join(c if c >= " " else "?" for c in line) for line in text.split("\n") if line]
        events.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        url = self.queue(".fifo")
        self.send(url, lines)
        out, _ = self.settle(url, "--json", "--wait", 1, "--dump", self.dir / "dump")
        report = json.loads(out)
        counted = self.recount(events, self.dir / "dump")
        # What waits in vain is in quarantine at the end of a file; a queue has no end: it waits on, durably.
        waiting = counted["quarantine"].pop("target_not_found", 0)
        self.assertEqual(report["parked_now"], waiting)
        self.assertEqual(report["ledger"]["quarantine"], counted["quarantine"])
        others = [difference for difference in counted.get("differences", []) if difference["what"] != "quarantine"]
        self.assertEqual((others, counted["discrepancies"]), ([], 1 if waiting else 0))
        self.assertGreater(counted["accounts_compared"], 0)
        self.assertEqual(report["received"], len(lines))
        self.assertEqual(report["deleted"], len(lines))
        self.assertEqual(report["ledger"]["double_payouts"], 0)
        self.assertEqual(self.waiting(url), 0)

    def test_killed_again_and_again_it_still_completes(self):
        url = self.queue(VisibilityTimeout="2")
        self.send(url, captures(600))
        for _ in range(3):
            process = subprocess.Popen(self.command(url, "--progress-ms", 1),
                                       env={**os.environ, **self.server.environment},
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for _ in range(self.random.randrange(1, 10)):
                process.stderr.readline()
            process.kill()
            process.wait()
            process.stderr.close()
        # What a killed process held is seen again after its timeout: it is waited for.
        out, _ = self.settle(url, "--wait", 1, "--json")
        self.assertEqual(self.waiting(url), 0)
        held = json.loads(out)["ledger"]["assets"]["USD/2"]
        self.assertEqual(held["merchants_available"], str(600 * 601 // 2))
        self.assertEqual(held["sum"], "0")

    def test_what_is_in_flight_elsewhere_or_delayed_is_waited_for(self):
        url = self.queue(VisibilityTimeout="60")
        in_flight, delayed = captures(2)
        self.send(url, [in_flight])
        self.server.sqs("receive_message", QueueUrl=url, VisibilityTimeout=3)  # by somebody who is killed
        self.server.sqs("send_message", QueueUrl=url, MessageBody=delayed, DelaySeconds=4)
        out, _ = self.settle(url, "--wait", 0, "--json")
        report = json.loads(out)
        self.assertEqual((report["applied"], report["redelivered"], report["deleted"]), (2, 1, 2))
        self.assertEqual(self.waiting(url), 0)

    def test_one_look_at_counts_that_are_behind_does_not_end_it(self):
        for name in COUNTS:  # of which one shows it the second time
            url = self.queue(VisibilityTimeout="60")
            counts = dict.fromkeys(COUNTS, "0")
            looks = [counts, counts, {**counts, name: "1"}, counts]  # the first is that of the start
            self.answer_looks(looks)
            before = self.looks()
            out, _ = self.settle(url, "--wait", 0, "--json")
            self.assertEqual(json.loads(out)["received"], 0)
            # Empty, not empty, empty, and then as the server counts: empty again.
            self.assertEqual(self.looks() - before, 5, name)

    def answer_looks(self, looks):
        for counts in looks:
            body = json.dumps({"Attributes": {"VisibilityTimeout": "60", **counts}})
            self.server.ask({"server": "fail", "operation": "GetQueueAttributes", "count": 1, "status": 200, "headers": {},
                             "body": body})

    def looks(self):
        return self.server.ask({"server": "requests", "operation": "GetQueueAttributes"})["count"]

    def test_follows_until_a_signal_and_ends_in_order(self):
        url = self.queue()
        process = subprocess.Popen(self.command(url, "--follow", "--wait", 1, "--progress-ms", 20, "--json"),
                                   env={**os.environ, **self.server.environment}, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stderr.readline()
        self.send(url, ['{"type":"PAYMENT_CAPTURED","payment_id":"p","occurred_at":"2024-03-01T00:00:00Z",'
                        '"merchant_id":"m","amount":{"asset":"USD/2","units":"5"}}'])
        while b"applied 1," not in process.stderr.readline():
            self.assertIsNone(process.poll())
        process.send_signal(self.random.choice([signal.SIGINT, signal.SIGTERM]))
        out, _ = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(json.loads(out)["deleted"], 1)
        self.assertEqual(self.waiting(url), 0)

    def test_a_signal_ends_it_while_the_queue_does_not_answer(self):
        url = self.queue()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            process = subprocess.Popen([*self.command(url), "--endpoint", address],
                                       env={**os.environ, **self.server.environment}, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)  # it asks for the attributes
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=TIMEOUT)
            silent.setblocking(False)
            with self.assertRaises(BlockingIOError, msg="it has not asked again"):
                silent.accept()
        self.assertEqual(process.returncode, 4)

    def test_the_report_for_people_and_help(self):
        url = self.queue()
        self.send(url, ["no event"])
        out, error = self.settle(url, "--wait", 1)
        for part in ("messages received", "quarantined", "The ledger", "Head: sequence"):
            self.assertIn(part, out)
        self.assertIn("poison 1", error)
        out, _ = self.settle(url, "--help")
        self.assertIn("Exit status", out)

    def test_what_is_wrong_is_named(self):
        for arguments, name in ((["--body", "xml"], "--body"), (["--poison", "eat"], "--poison"), (["--wait", 21], "--wait"),
                                (["--pollers", 0], "--pollers"), (["--nonsense"], "--nonsense")):
            _, error = self.settle("http://127.0.0.1:1/1/q", *arguments, expect=2)
            self.assertIn(name, error)
        _, error = self.settle(self.server.endpoint + "/123456789012/none", expect=1)
        self.assertIn("NOT_FOUND", error)
        _, error = self.settle(self.queue(), "--poison", "redrive", expect=1)
        self.assertIn("redrive policy", error)


if __name__ == "__main__":
    print(f"NORTHWIND_TEST_SEED={SEED}", flush=True)
    unittest.main(verbosity=2)
