#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/notify.cc from outside, with merchants on this machine.

    python3 tests/webhook/notify_test.py PROGRAM

Signatures are computed once more here, and verified by the reference implementation of Standard Webhooks (`standardwebhooks`
of PyPI) where that is installed; with NORTHWIND_REFERENCE=must it has to be. tests/package runs it on what it built with
the installed library.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

try:
    import standardwebhooks
except ImportError:
    if os.environ.get("NORTHWIND_REFERENCE") == "must":
        raise
    standardwebhooks = None

PROGRAM = None
TIMEOUT = 120
RECEIPT = re.compile(r"(msg_\w{26}) ([a-z.]+): attempt (\d): (\d+) (\w+)")


class Merchant(http.server.ThreadingHTTPServer):
    """Answers with the statuses given, one after the other, the last one for ever; keeps what it got."""

    def __init__(self, *statuses):
        super().__init__(("127.0.0.1", 0), Hook)
        self.statuses = list(statuses)
        self.messages = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"

    def take(self, headers, body):
        with self.lock:
            self.messages.append((headers, body))
            return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802, the name is given
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.server.take(self.headers, body))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Notify(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="northwind_notify_"))
        self.addCleanup(shutil.rmtree, self.dir)
        (self.dir / "notify.key").write_bytes(os.urandom(32))

    def merchant(self, *statuses):
        merchant = Merchant(*statuses)
        self.addCleanup(merchant.close)
        return merchant

    def run_it(self, *words, body=b"", expect=0):
        done = subprocess.run([PROGRAM, *words], input=body, cwd=self.dir, capture_output=True, timeout=TIMEOUT)
        self.assertEqual(done.returncode, expect, done.stderr.decode())
        return done.stdout.decode().splitlines(), done.stderr.decode()

    def told(self, lines):
        """What the receipts say: (type, attempt, status, failure), and the ids of the messages."""
        receipts = [RECEIPT.fullmatch(line).groups() for line in lines]
        return [receipt[1:] for receipt in receipts], [receipt[0] for receipt in receipts]

    def verify(self, secret, headers, body, expect=0):
        words = [headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"]]
        return self.run_it("--verify", secret, *words, body=body, expect=expect)[1]

    def test_a_merchant_is_told_and_can_verify_it(self):
        merchant = self.merchant(204)
        lines, _ = self.run_it(merchant.url, "--local")
        secret = lines[0].removeprefix("secret: ")
        receipts, ids = self.told(lines[1:])
        self.assertEqual(sorted(receipts),
                         [("payment.captured", "1", "204", "none"), ("payment.refunded", "1", "204", "none")])
        self.assertEqual(sorted(ids), sorted(headers["webhook-id"] for headers, _ in merchant.messages))
        amounts = {}
        for headers, body in merchant.messages:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            mac = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
            self.assertEqual(headers["webhook-signature"], "v1," + base64.b64encode(mac).decode())
            self.verify(secret, headers, body)
            if standardwebhooks is not None:
                reference = standardwebhooks.Webhook(secret)
                reference.verify(body, dict(headers))
                with self.assertRaises(standardwebhooks.WebhookVerificationError):
                    reference.verify(body.replace(b"2500", b"9500"), dict(headers))
            self.assertIn("UNAUTHENTICATED", self.verify(secret, headers, body.replace(b"2500", b"9500"), expect=1))
            message = json.loads(body)
            amounts[message["type"]] = message["data"]["amount"]["units"]
        self.assertEqual(amounts, {"payment.captured": "12500", "payment.refunded": "2500"})

        # Again: the same events, so nothing new to tell, and the secret is not shown any more.
        again, _ = self.run_it(merchant.url, "--local")
        self.assertEqual(again, lines[1:])
        self.assertEqual(len(merchant.messages), 2)

    def test_it_is_told_again_after_a_failure_until_it_is_given_up(self):
        lines, _ = self.run_it(self.merchant(500).url, "--local")
        receipts, _ = self.told(lines[1:])
        types = ("payment.captured", "payment.refunded")
        self.assertEqual(sorted(receipts), [(type, number, "500", "status") for type in types for number in "12"])
        lines, _ = self.run_it(self.merchant(204).url, "--local")
        self.assertEqual(self.told(lines)[0], receipts)

    def test_without_local_no_url_on_this_machine_is_taken(self):
        merchant = self.merchant(204)
        self.assertIn("url", self.run_it(merchant.url, expect=1)[1])
        lines, _ = self.run_it(merchant.url.replace("http:", "https:"))
        self.assertEqual({receipt[2:] for receipt in self.told(lines[1:])[0]}, {("0", "blocked_address")})
        self.assertEqual(merchant.messages, [])

    def test_without_a_key_or_a_url_it_says_what_is_wrong(self):
        (self.dir / "notify.key").unlink()
        self.assertIn("0 bytes, not 32", self.run_it("https://shop.example/hook", expect=1)[1])
        self.assertIn("usage", self.run_it(expect=1)[1])


if __name__ == "__main__":
    PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
