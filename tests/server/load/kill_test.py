#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program, killed again and again while events come in: what it acknowledged is there, what it did not is there once or not at all, and
sent again it is there once. Standard library only.

    NORTHWIND_TEST_KILLS=1000  so many kills
    NORTHWIND_TEST_SEED=123    what is sent, and after how many answers each kill comes; the seed is printed
"""
import collections
import http.client
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import Server  # noqa: E402

SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
KILLS = int(float(os.environ.get("NORTHWIND_TEST_KILLS") or 12))
CONNECTIONS = 16
MERCHANTS = 4


def capture(rng, number):
    amount = rng.randrange(1_000, 100_000)
    return {"type": "PAYMENT_CAPTURED", "payment_id": f"pay_{number}", "merchant_id": f"m_{rng.randrange(MERCHANTS)}",
            "occurred_at": f"2026-07-01T12:00:{number // 10**9:02}.{number % 10**9:09}Z", "amount": {"asset": "USD/2", "units": str(amount)}}


class Books:
    """What has been sent, by payment. Under a lock: all connections write in it."""

    def __init__(self, rng):
        self.rng = rng
        self.lock = threading.Lock()
        self.events = {}
        self.acknowledged = set()
        self.unknown = []  # parts that were sent, and not answered
        self.answers = 0

    def part(self):
        """What to send next: now and then what has been answered, or asked, before."""
        with self.lock:
            if self.unknown and self.rng.random() < 0.5:
                return self.unknown.pop()
            if self.acknowledged and self.rng.random() < 0.05:
                return self.rng.sample(sorted(self.acknowledged), min(5, len(self.acknowledged)))
            part = []
            for _ in range(self.rng.choice([1, 1, 5, 20])):
                event = capture(self.rng, len(self.events))
                self.events[event["payment_id"]] = event
                part.append(event["payment_id"])
            return part

    def lose(self, part):
        with self.lock:
            self.unknown.append(part)

    def take(self, part, outcomes):
        """How many answers there have been."""
        with self.lock:
            for payment, outcome in zip(part, outcomes, strict=True):
                allowed = ["duplicate"] if payment in self.acknowledged else ["applied", "duplicate"]
                assert outcome["status"] in allowed, f"{payment}: {outcome}, and it was {'acknowledged' if len(allowed) == 1 else 'not known'}"
            self.acknowledged.update(part)
            self.answers += 1
            return self.answers


class KillTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="northwind_kill_")
        self.addCleanup(folder.cleanup)
        self.data = folder.name
        self.books = Books(random.Random(SEED))

    def post_until_killed(self, server, answers):
        """The connection that has the last of so many answers kills the server, while the others go on."""
        failed = []

        def run():
            try:
                with server.connect() as connection:
                    while True:
                        part = self.books.part()
                        body = json.dumps([self.books.events[payment] for payment in part])
                        try:
                            status, text = connection.ask("POST", "/v1/events", body)
                        except (OSError, http.client.HTTPException):
                            self.books.lose(part)
                            return
                        assert status == 202, f"{status} {text}"
                        if self.books.take(part, json.loads(text)["outcomes"]) == answers:
                            server.process.kill()
            except Exception as error:  # told by the main thread
                failed.append(error)
                server.process.kill()

        threads = [threading.Thread(target=run) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        self.assertEqual(server.process.wait(), -signal.SIGKILL)

    def check(self, connection, must_have):
        """Every payment once; those that it must have, and none that was never sent; balances that are their sum."""
        seen = set()
        for merchant in (f"m_{number}" for number in range(MERCHANTS)):
            listed = collections.Counter(t["payment_id"] for t in connection.pages(f"/v1/merchants/{merchant}/transactions"))
            self.assertEqual([payment for payment, times in listed.items() if times != 1], [])
            self.assertTrue(all(self.books.events[payment]["merchant_id"] == merchant for payment in listed))
            balance = sum(int(self.books.events[payment]["amount"]["units"]) for payment in listed)
            status, body = connection.ask("GET", f"/v1/merchants/{merchant}/balances")
            self.assertIn(status, [200, 404], body)
            self.assertEqual(sum(int(b["available"]) for b in json.loads(body)["balances"]) if status == 200 else 0, balance)
            seen |= listed.keys()
        self.assertEqual(must_have - seen, set())
        return seen

    def settle_the_unknown(self, connection):
        while self.books.unknown:
            part = self.books.unknown.pop()
            status, text = connection.ask("POST", "/v1/events", json.dumps([self.books.events[payment] for payment in part]))
            self.assertEqual(status, 202, text)
            self.books.take(part, json.loads(text)["outcomes"])

    def test_nothing_acknowledged_is_missing_and_nothing_is_doubled(self):
        rng = random.Random(SEED + 1)
        lost = 0
        for kill in range(KILLS):
            with Server(self.data, "--batch-gone") as server:
                if kill > 0:
                    with server.connect() as connection:
                        there = self.check(connection, self.books.acknowledged)
                        lost += len(self.books.events) - len(there)
                self.post_until_killed(server, self.books.answers + rng.randrange(1, 300))
        with Server(self.data, "--batch-gone") as server, server.connect() as connection:
            self.check(connection, self.books.acknowledged)
            self.settle_the_unknown(connection)
            self.assertEqual(self.check(connection, self.books.events.keys()), self.books.events.keys())
            status, body = connection.ask("POST", "/v1/operator/verify", "{}")
            self.assertEqual((status, int(json.loads(body)["transactions_applied"])), (200, len(self.books.events)), body)
            self.assertEqual(server.end(signal.SIGTERM), 0)
        print(f"{KILLS} kills, {len(self.books.events)} events in {self.books.answers} answers; {lost} were sent and not there after a kill", flush=True)


if __name__ == "__main__":
    print(f"NORTHWIND_TEST_SEED={SEED}", flush=True)
    unittest.main()
