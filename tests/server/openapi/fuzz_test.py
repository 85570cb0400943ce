#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that docs/openapi.yaml describes, and such as it does not, made up by Schemathesis: the program answers each of them in time, as
the description says, and none with a 5xx but to come again (503 busy, unavailable) and for methods that nobody knows (501).

    NORTHWIND_TEST_OPS=1000  so many of each operation
    NORTHWIND_TEST_SEED=123  the seed; it is printed
"""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from program import BARE, Server  # noqa: E402

DESCRIPTION = HERE.parents[2] / "docs/openapi.yaml"
SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
EXAMPLES = int(float(os.environ.get("NORTHWIND_TEST_OPS") or 20))
PATIENCE = 20  # seconds, for one answer
MAPPING = {"row_id": "id", "only_leg": "capture", "id": "payment", "merchant_id": "merchant", "asset": "currency", "amount": "amount", "day": "day"}


def event(kind, **fields):
    return {"type": kind, "merchant_id": "m_1", "amount": {"asset": "USD/2", "units": "10000"}} | fields


EVENTS = [event("PAYMENT_CAPTURED", payment_id="pay_1", occurred_at="2026-07-01T12:00:00Z"),
          event("PAYMENT_CAPTURED", payment_id="pay_2", occurred_at="2026-07-01T12:00:01Z"),
          event("PAYOUT_REQUESTED", payout_id="po_1", occurred_at="2026-07-01T12:00:02Z"),
          event("PAYMENT_CAPTURED", payment_id="pay_1", occurred_at="2026-07-01T12:00:00Z", amount={"asset": "USD/2", "units": "1"})]


def bad_lines(log):
    """What a log may not have: errors, but of requests that were told to come again; and other answers of 5xx than the description's."""
    def come_again(line):
        # Without a cause: the connection itself had no room for the request.
        return line["message"] == "request" and line["status"] == 503 and line.get("why", "UNAVAILABLE").startswith(("UNAVAILABLE", "RESOURCE_EXHAUSTED"))

    def unknown_method(line):
        return line["severity"] == "info" and line["status"] == 501

    return [line for line in log if (line["severity"] == "error" or line.get("status", 0) >= 500) and not come_again(line) and not unknown_method(line)]


class LogTest(unittest.TestCase):
    def test_errors_are_found_and_what_may_come_again_is_none(self):
        def request(status, **fields):
            return {"severity": "info" if status in (200, 501) else "error", "message": "request", "status": status} | fields

        good = [{"severity": "info", "message": "listening"}, {"severity": "warning", "message": "a schema was not looked at"}, request(200), request(501),
                request(503), request(503, why="UNAVAILABLE: stopping"), request(503, why="RESOURCE_EXHAUSTED: full")]
        bad = [{"severity": "error", "message": "a change was made without a line in the audit trail", "why": "UNAVAILABLE: no"}, request(500), request(504),
               request(503, why="INTERNAL: no"), request(501, severity="error")]
        self.assertEqual(bad_lines(good + bad), bad)


class FuzzTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="northwind_fuzz_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "data").mkdir()
        (self.folder / "mapping.json").write_text(json.dumps(MAPPING))

    def fuzz(self, server, phases):
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run", str(DESCRIPTION),
                   "--url", server.address, "--seed", str(SEED), "--max-examples", str(EXAMPLES), "--phases", phases,
                   # The stream does not end by itself: live_hub_test and bench/ have it.
                   "--exclude-operation-id", "watchMerchant",
                   "--generation-with-security-parameters", "false", "--generation-database", "none",
                   "--request-timeout", str(PATIENCE), "--continue-on-failure", "--no-color", "--warnings", "off"]
        environment = BARE | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "NORTHWIND_FUZZ_KEY": server.key}
        return subprocess.run(command, env=environment, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def check(self, phases, reached, *flags):
        """Begins with EVENTS; its log is looked at too, in which what an answer says nothing of has a cause."""
        with Server(str(self.folder / "data"), *flags, "--plain-cookies", "--compare-mapping", str(self.folder / "mapping.json")) as server:
            status, body = server.ask("POST", "/v1/events", EVENTS)
            self.assertEqual([o["status"] for o in json.loads(body)["outcomes"]], ["applied", "applied", "applied", "quarantined"])
            server.ask("POST", "/v1/merchants/m_1/endpoints", {"url": "http://127.0.0.1:9/"})
            ended = self.fuzz(server, phases)
            self.assertEqual(ended.returncode, 0, ended.stdout)
            self.assertEqual(server.ask("GET", "/healthz")[0], 200)
            status, body = server.ask("POST", "/v1/operator/verify", {})
            self.assertEqual(status, 200, body)
            self.assertEqual(server.end(signal.SIGTERM), 0)
        requests = [line for line in server.lines if line["message"] == "request"]
        self.assertEqual(bad_lines(server.lines), [])
        routes = {}
        for line in requests:
            routes.setdefault(line["route"], set()).add(line["status"])
        well = sum(min(answers) < 300 for answers in routes.values())
        print(f"{len(requests)} requests; {well} of {len(routes)} routes answered with success at least once", flush=True)
        self.assertGreater(well, reached)  # else it only knocked at the doors

    def test_every_request_is_answered_as_described(self):
        self.check("examples,coverage,fuzzing", 40, "--batch-gone", "--webhooks-to-loopback")

    def test_so_is_it_in_a_shadow(self):
        self.check("coverage", 20, "--shadow")


if __name__ == "__main__":
    print(f"NORTHWIND_TEST_SEED={SEED}", flush=True)
    unittest.main()
