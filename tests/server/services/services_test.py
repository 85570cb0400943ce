#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reference server with all that stands beside it: a queue, a mirror and an arbiter of claims, on real servers of this machine.

    NORTHWIND_REFERENCE_SERVER=.../reference_server .venv/bin/python tests/server/services/services_test.py

Needs moto[server] and boto3 of PyPI (tests/requirements.txt), and PostgreSQL's programs.
"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "examples/live"), str(ROOT / "examples/reference_server/demo")]
from postgres_server import Postgres  # noqa: E402
from server import ApiError, Client, Server  # noqa: E402
from services import Queue  # noqa: E402

PROGRAM = os.environ["NORTHWIND_REFERENCE_SERVER"]
PATIENCE = 120
AT = "2026-07-01T12:00:00Z"


def event(kind, **more):
    units = more.pop("units", None)
    amount = {} if units is None else {"amount": {"asset": "USD/2", "units": str(units)}}
    return json.dumps({"type": kind, "merchant_id": "m_1", "occurred_at": AT, **amount, **more})


def capture(number):
    return event("PAYMENT_CAPTURED", payment_id=f"pay_{number}", units=1000)


def request(payout):
    return event("PAYOUT_REQUESTED", payout_id=payout, units=100)


class ServicesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="northwind_services_")
        cls.addClassCleanup(folder.cleanup)
        cls.dir = pathlib.Path(folder.name)
        os.chmod(cls.dir, 0o711)  # PostgreSQL's user gets through
        for name in ("logs", "postgres"):
            (cls.dir / name).mkdir()
        os.environ.update(AWS_ACCESS_KEY_ID="demo", AWS_SECRET_ACCESS_KEY="demo", AWS_REGION="eu-central-1")
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)
        cls.queue = Queue(cls.dir / "logs")
        cls.addClassCleanup(cls.queue.stop)
        cls.postgres = Postgres(cls.dir / "postgres", ["fsync=off"])
        cls.addClassCleanup(cls.postgres.stop)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="northwind_server_")
        self.addCleanup(folder.cleanup)
        self.data = folder.name

    def until(self, what, condition):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)
        return found

    def sql(self, text):
        done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", self.postgres.connection, "-c", text],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def available(self, client):
        try:
            balances = client.get("/v1/merchants/m_1/balances")["balances"]
        except ApiError as error:
            self.assertEqual(error.status, 404)
            return 0
        return int(balances[0]["available"]) if balances else 0

    # ---- The queue and the mirror

    def test_events_from_queue_and_http_are_one_and_the_mirror_has_them(self):
        # A part of them in the queue as well as by HTTP, from both sides at once, and the server ends in between. In order: what a killed one had
        # received is hidden for minutes (tests/sqs has the kills).
        # A standard queue: of a FIFO queue, that server wakes no receive that waits when a message of its group is deleted.
        queue = self.queue.sqs.create_queue(QueueName="payments")["QueueUrl"]
        with Server(PROGRAM, self.data, "--sqs-queue-url", queue, "--mirror-connection", self.postgres.connection) as server:
            server.start()
            client = Client(server, server.key)
            for first in range(0, 300, 10):
                self.queue.sqs.send_message_batch(QueueUrl=queue, Entries=[
                    {"Id": str(number), "MessageBody": capture(number)} for number in range(first, first + 10)])
            for first in range(200, 400, 50):
                client.ask("POST", "/v1/events", lines=[capture(number) for number in range(first, first + 50)])
            self.until("something came from the queue", lambda: self.available(client) > 200 * 1000)
            self.assertEqual(server.stop(), 0)
            server.start()
            client.close()
            self.until("the queue is empty", lambda: self.left(queue) == 0)
            self.assertEqual(self.available(client), 400 * 1000)
            overview = client.get("/v1/operator/overview")
            self.assertIsNotNone(overview["mirror"])
            head = client.get("/v1/merchants/m_1/transactions?limit=1")["data"]
            self.assertEqual(len(head), 1)
            self.until("the mirror has all", lambda: self.mirrored() == 400)
            self.until("it says so", lambda: client.get("/v1/operator/mirror")["mirrored"] == client.get("/v1/operator/mirror")["head"])
            self.assertEqual(self.sql("SELECT sum(p.amount) FROM northwind.postings p JOIN northwind.accounts USING (account_id) "
                                      "WHERE name = 'merchant:m_1:available:USD/2'"), str(400 * 1000))
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.errors, [])

    def left(self, queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(map(int, self.queue.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"].values()))

    def mirrored(self):
        return int(self.sql("SELECT count(*) FROM northwind.transactions"))

    def test_a_server_that_cannot_listen_waits_for_no_queue(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            # Nobody listens at port 1, and asking there goes on for minutes.
            ended = subprocess.run([PROGRAM, "--data", self.data, "--port", str(taken.getsockname()[1]), "--sqs-queue-url", "http://127.0.0.1:1/1/q"],
                                   env={name: value for name, value in os.environ.items() if not name.startswith("NORTHWIND_")}, stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertIn("in use", json.loads(ended.stderr.splitlines()[-1])["message"] + ended.stderr)

    # ---- The cutover

    def test_two_systems_pay_the_same_merchants_and_no_payout_twice(self):
        flags = ["--cutover-salt", "2026-summer", "--claims-connection", self.postgres.connection]
        with Server(PROGRAM, self.data, *flags) as server:
            server.start()
            client = Client(server, server.key)
            client.ask("POST", "/v1/events", lines=[capture(number) for number in range(20)])
            client.post("/v1/operator/cutover/merchants", {"merchant_ids": ["m_1"]})

            # Nothing is northwind's yet: the batch claims, pays, and says so.
            self.ask(client, request("po_1"))
            self.withheld(client, "po_1")
            self.assertEqual(self.claim_for_batch("po_1"), "claimed")
            self.ask(client, event("PAYOUT_PAID", payout_id="po_1"))
            self.state(client, "po_1", "paid")

            with self.assertRaises(ApiError) as shut:
                client.post("/v1/operator/cutover/raise", {"reason": "now"})
            self.assertEqual(shut.exception.status, 409)
            raised = client.post("/v1/operator/cutover/raise", {"reason": "now", "threshold": 10_000, "force": True})
            self.assertEqual(raised["threshold"], 10_000)
            self.ask(client, request("po_2"))
            self.state(client, "po_2", "paid")
            self.assertEqual(self.owner("po_2"), "northwind")
            self.assertEqual(self.claim_for_batch("po_2"), "other")

            # The arbiter is away: a payout waits, and says why. Down goes nevertheless.
            self.postgres.stop()
            self.ask(client, request("po_3"))
            self.until("it waits", lambda: self.moments(client, "po_3"))
            # Its claim may have been made: so it is not known to be unsent.
            self.assertIn(client.get("/v1/merchants/m_1/payouts/po_3")["state"], ("requested", "submitted", "unknown"))
            rolled = client.post("/v1/operator/cutover/route-to-batch", {"reason": "odd figures"})
            self.assertTrue(rolled["routed_to_batch"])
            client.post("/v1/operator/cutover/stop-sending", {"reason": "odd figures"})
            server.kill()
            self.postgres.launch(["fsync=off"])
            server.start()
            client.close()
            self.assertTrue(client.get("/v1/operator/cutover")["routed_to_batch"])

            # What northwind has not claimed is the batch's now.
            back = client.post("/v1/operator/cutover/hand-back", {"ids": ["po_3"], "reason": "the batch pays it"})
            if back["handed"] == 1:
                self.assertEqual(self.owner("po_3"), "batch")
                self.ask(client, event("PAYOUT_PAID", payout_id="po_3"))
            else:  # its claim had been made, and the answer was lost
                self.assertEqual((back["kept"], self.owner("po_3")), (1, "northwind"))
            client.post("/v1/operator/cutover/resume-sending", {"reason": "what is left is northwind's to end"})
            self.state(client, "po_3", "paid")
            self.ask(client, request("po_4"))
            self.withheld(client, "po_4")
            self.until("no residue", lambda: client.get("/v1/operator/cutover")["residue"] == 0)
            self.assertEqual(self.available(client), 20 * 1000 - 4 * 100)
            log = list(client.pages("/v1/operator/cutover/log"))
            self.assertGreaterEqual(len(log), 5)
            self.assertEqual(server.stop(), 0)

    def ask(self, client, line):
        (answer,) = client.ask("POST", "/v1/events", lines=[line])
        self.assertEqual(answer["status"], "applied", answer)

    def moments(self, client, payout):
        try:
            return client.get(f"/v1/merchants/m_1/payouts/{payout}")["timeline"][1:]
        except ApiError:
            return []

    def withheld(self, client, payout):
        found = self.until(f"{payout} is withheld", lambda: [m for m in self.moments(client, payout) if "withheld" in m["what"] + m["detail"]])
        self.assertTrue(found)
        self.assertEqual(client.get(f"/v1/merchants/m_1/payouts/{payout}")["state"], "requested")

    def state(self, client, payout, wanted):
        def reached():
            try:
                return client.get(f"/v1/merchants/m_1/payouts/{payout}")["state"] == wanted
            except ApiError as error:
                self.assertEqual(error.status, 404)  # the view of payouts follows the journal, at a small distance
                return False

        self.until(f"{payout} is {wanted}", reached)

    def claim_for_batch(self, payout):
        epoch = self.sql("SELECT epoch FROM northwind_claims.published_epoch") or "0"
        return self.sql(f"SELECT northwind_claims.claim_for_batch('{payout}', 'm_1', {epoch}, '{uuid.uuid4()}')")

    def owner(self, payout):
        return self.sql(f"SELECT system FROM northwind_claims.claims WHERE id = '{payout}'")


if __name__ == "__main__":
    sys.exit(unittest.main())
