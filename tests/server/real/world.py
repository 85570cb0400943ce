# SPDX-License-Identifier: Apache-2.0
"""The real program with all that stands beside it on this machine: a PostgreSQL for claims and mirror, a receiver of webhooks, real events."""

import contextlib
import datetime
import http.server
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/server"), str(ROOT / "tests/server/portal"), str(ROOT / "examples/live")]
from postgres_server import Postgres  # noqa: E402
from program import BARE, Server  # noqa: E402, F401 (BARE: of tests)

PROGRAM = os.environ.get("NORTHWIND_REFERENCE_SERVER", ROOT / "build/release/examples/reference_server/reference_server")
WAIT = 30
# Delivered or given up within moments: one attempt, and one more.
SHORT_POLICY = {
    "retry": {"delays_seconds": [0, 0.05], "jitter": "none"},
    "timeout_seconds": 5,
    "max_concurrent": 8,
    "max_per_second": 0,
    "burst": 10,
}
# How the rows of a batch would be read. There is none here: every row of ours stands alone.
MAPPING = {
    "row_id": "id",
    "leg": "kind",
    "legs": {"sale": "capture", "refund": "refund", "payout": "payout"},
    "id": "payment",
    "merchant_id": "merchant",
    "asset": "currency",
    "amount": "amount",
    "day": "day",
}


def until(condition, what):
    """What the condition came to, as soon as it is something."""
    end = time.monotonic() + WAIT
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {WAIT} s: {what}")
        time.sleep(0.02)
    return found


class Receiver(http.server.ThreadingHTTPServer):
    """Merchants' servers: takes webhooks at any path, and answers as a test says."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Receiver.Handler)
        self.lock = threading.Lock()
        self.answers = {}  # path -> status; 200 without
        self.held = {}  # path -> an Event that its answers wait for
        self.taken = []  # (path, headers, body), in order
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def of(self, path):
        with self.lock:
            return [(headers, body) for where, headers, body in self.taken if where == path]

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer is one piece

        def log_message(self, *words):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with self.server.lock:
                self.server.taken.append((self.path, dict(self.headers), body))
                status = self.server.answers.get(self.path, 200)
                held = self.server.held.get(self.path)
            if held is not None:
                held.wait()
            text = b"ok" if status == 200 else b"<b>Service Unavailable</b><script>alert(1)</script>"
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)


class World:
    """`whole`: with PostgreSQL, and so with cutover, claims, mirror and parallel run. Without, the server stands alone. Ends with the block."""

    def __init__(self, whole, *flags):
        self.stack = contextlib.ExitStack()
        with self.stack:
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="northwind_real_"))
            self.stack.callback(shutil.rmtree, self.folder)
            self.receiver = Receiver()
            self.stack.callback(self.receiver.close)
            flags = ["--plain-cookies", "--webhooks-to-loopback", *flags]
            if whole:
                flags += self._beside()
            self.flags = flags
            (self.folder / "data").mkdir()
            self.server = Server(self.folder / "data", *flags)
            self.stack.callback(lambda: self.server.end())
            self.stack = self.stack.pop_all()
        self.address = self.server.address

    def _beside(self):
        self.folder.chmod(0o711)  # PostgreSQL's user gets through
        place = self.folder / "postgres"
        place.mkdir()
        postgres = Postgres(place, ["fsync=off", "max_connections=30"])
        self.stack.callback(postgres.stop)
        mapping = self.folder / "mapping.json"
        mapping.write_text(json.dumps(MAPPING))
        return [
            f"--claims-connection={postgres.connection}",
            f"--mirror-connection={postgres.connection}",
            "--cutover-salt=2026-spring",
            f"--compare-mapping={mapping}",
        ]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stack.close()

    def restart(self):
        """Ended in order, and started again at the same address."""
        self.server.end()
        self.server = Server(self.folder / "data", "--port", self.address.rpartition(":")[2], *self.flags)

    # ---- Asking

    def ask(self, method, path, body=None, status=200, **how):
        """What is answered, as JSON; with the first key, unless another is given."""
        answered, text = self.server.ask(method, path, body, **how)
        if answered != status:
            raise AssertionError(f"{method} {path}: {answered}: {text}")
        return json.loads(text) if text else None

    def link(self, merchant):
        """A sign-in link, with the address that it has only if the server was told its port."""
        return self.address + self.ask("POST", "/v1/portal-links", {"merchant_id": merchant}, 201)["url"].removeprefix(self.address)

    def key(self, name, scopes, **more):
        return self.ask("POST", "/v1/operator/keys", {"name": name, "scopes": scopes, **more}, 201)

    # ---- What happens

    def settle(self, events, status="applied"):
        outcomes = self.ask("POST", "/v1/events", events, 202)["outcomes"]
        wrong = [(event, outcome) for event, outcome in zip(events, outcomes, strict=True) if outcome["status"] != status]
        if wrong:
            raise AssertionError(f"not {status}: {wrong[0]}")
        return outcomes

    def event(self, kind, merchant, ident, units=None, asset="USD/2", fee=None, ago=0.0, **more):
        """`ago`: seconds before now that it is said to have happened."""
        at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=ago)
        about = "payout_id" if kind.startswith("PAYOUT") else "payment_id"
        made = {"type": kind, "merchant_id": merchant, about: ident, "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), **more}
        if units is not None:
            made["amount"] = {"asset": asset, "units": str(units)}
        if fee is not None:
            made["fee"] = {"asset": asset, "units": str(fee)}
        return made

    def payout(self, merchant, ident):
        return self.ask("GET", f"/v1/merchants/{merchant}/payouts/{ident}")

    def endpoint(self, merchant, path, events=("*",), policy=None):
        """A new one at the receiver: {"endpoint", "secret"}."""
        body = {"url": self.receiver.url(path), "events": list(events), "policy": policy or SHORT_POLICY}
        return self.ask("POST", f"/v1/merchants/{merchant}/endpoints", body, 201)

    def deliveries(self, merchant, query=""):
        return self.ask("GET", f"/v1/merchants/{merchant}/deliveries?{query}")["data"]

    def go_live(self, *merchants):
        """Their payouts are northwind's, all of them."""
        self.ask("POST", "/v1/operator/cutover/merchants", {"merchant_ids": list(merchants)})
        self.raise_to(10000)

    def raise_to(self, threshold):
        self.ask("POST", "/v1/operator/cutover/raise", {"threshold": threshold, "force": True, "reason": "a test"})
