#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small mock of the reference server's API, with the pages from their folder under the server's own headers, to work on them.

    python3 tests/server/portal/mock_api.py [--port N]

Prints its address. Any token that begins with "good" signs in, once: /portal/#/signin/good1. POST /mock steers it, for tests:
{"fail": 500 | 401 | null} answers so from now on, {"payout": "po_1", "state": "paid"} makes that happen.
"""

import argparse
import hashlib
import http.server
import json
import pathlib
import queue
import re
import socketserver
import sys
import threading
import urllib.parse

import mock_data
import mock_merchant
import mock_operator
from mock_routes import ROUTES, Problem

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGES = ROOT / "examples/reference_server/portal/pages"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
assert mock_operator.O  # imported for its routes


class Mock(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.lock = threading.RLock()
        self.restart()

    def restart(self):
        self.data = mock_data.Data()
        self.fail = None  # a status, for every answer of the API
        self.sessions, self.used, self.streams, self.asked, self.closing = {}, set(), [], [], False

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a browser that went away is none
            super().handle_error(request, client_address)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def tell(self, kind, data, number):
        with self.lock:
            for stream in self.streams:
                stream.put(f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n")

    def settle(self, payout_id, state):
        with self.lock:
            made = self.data.advance_payout(payout_id, state)
        self.tell("transaction", {**made, "links": []}, made["sequence"])

    def cut_streams(self):
        """Ends all event streams, as a restart of the server would."""
        with self.lock:
            for stream in self.streams:
                stream.put(None)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    data = property(lambda self: self.server.data)

    def log_message(self, *words):
        pass

    def answer(self, status, body, kind="application/json", fields=()):
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        if raw:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def problem(self, problem):
        self.answer(
            problem.status,
            {
                "type": "about:blank",
                "title": problem.code,
                "status": problem.status,
                "code": problem.code,
                "detail": problem.detail,
                "instance": "req_00000000000000000000000001",
            },
            "application/problem+json",
        )

    def session(self):
        match = re.search(r"northwind-plain=(\w+)", self.headers.get("Cookie", ""))
        return self.server.sessions.get(match.group(1)) if match else None

    def page(self, path):
        if path == "/":
            return self.answer(302, None, fields=[("Location", "/portal/")])
        file = (PAGES / (path.lstrip("/") + ("index.html" if path.endswith("/") else ""))).resolve()
        if PAGES not in file.parents or not file.is_file():
            return self.answer(404, b"not found", "text/plain")
        raw = file.read_bytes()
        etag = '"%s"' % hashlib.sha256(raw).hexdigest()
        fields = [
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("ETag", etag),
            ("Cache-Control", "no-cache"),
        ]
        if self.headers.get("If-None-Match") == etag:
            return self.answer(304, None, fields=fields)
        return self.answer(200, raw, TYPES[file.suffix], fields)

    def access(self, method, path, body):
        """Sign-in and out; whether it was that."""
        if path != "/v1/session":
            return False
        session = self.session()
        if method == "POST":
            token = body["token"]
            if not token.startswith("good") or token in self.server.used:
                raise Problem(401, "unauthenticated", "The link is not good.")
            self.server.used.add(token)
            cookie = hashlib.sha256(token.encode()).hexdigest()
            made = {
                "merchant_id": mock_data.MERCHANT,
                "csrf_token": cookie[:32],
                "expires_at": self.data.time(-12 * 3600),
            }
            self.server.sessions[cookie] = made
            self.answer(
                201, made, fields=[("Set-Cookie", f"northwind-plain={cookie}; Path=/; HttpOnly; SameSite=Strict")]
            )
        elif session is None:
            raise Problem(401, "unauthenticated", "No session.")
        elif method == "GET":
            self.answer(200, session)
        else:
            self.server.sessions.clear()
            self.answer(204, None)
        return True

    def live(self):
        stream = queue.Queue()
        with self.server.lock:
            self.server.streams.append(stream)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(b"event: hello\ndata: {}\n\n")
            self.wfile.flush()
            while (text := stream.get()) is not None:
                self.wfile.write(text.encode())
                self.wfile.flush()
        except OSError:
            pass
        finally:
            with self.server.lock:
                self.server.streams.remove(stream)

    def guard(self, method, path):
        operator = path.startswith("/v1/operator")
        if path == "/v1/event-types":
            return
        if operator and self.headers.get("Authorization") != "Bearer " + mock_data.OPERATOR_KEY:
            raise Problem(401, "unauthenticated", "No good credential.")
        if not operator:
            session = self.session()
            if session is None:
                raise Problem(401, "unauthenticated", "No session.")
            if method != "GET" and self.headers.get("X-CSRF-Token") != session["csrf_token"]:
                raise Problem(403, "csrf", "The token is missing.")

    def handle_request(self):
        url = urllib.parse.urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path, method = url.path, self.command
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if not path.startswith("/v1/") and path != "/mock":
            return self.page(path)
        try:
            if path == "/mock":
                if "fail" in body:
                    self.server.fail = body["fail"]
                if "payout" in body:
                    self.server.settle(body["payout"], body["state"])
                return self.answer(204, None)
            self.server.asked.append((method, self.path, body))
            if self.server.fail:
                raise Problem(
                    self.server.fail,
                    {401: "unauthenticated"}.get(self.server.fail, "internal"),
                    "" if self.server.fail == 500 else "Asked to fail.",
                )
            if self.access(method, path, body):
                return None
            self.guard(method, path)
            if path == mock_merchant.M + "/live":
                return self.live()
            if path.startswith((mock_merchant.M + "/statement", mock_merchant.M + "/payouts.csv")):
                return self.answer(
                    200,
                    b"sequence,recorded_at\r\n",
                    "text/csv",
                    [("Content-Disposition", "attachment; filename=statement.csv")],
                )
            for known, pattern, allowed, function in ROUTES:
                match = pattern.match(path)
                if known == method and match:
                    if set(query) - allowed:
                        raise Problem(400, "invalid_request", f"query: {sorted(set(query) - allowed)} are not known")
                    with self.server.lock:
                        made = function(
                            self,
                            query,
                            body,
                            {name: urllib.parse.unquote(text) for name, text in match.groupdict().items()},
                        )
                    status, made = made if isinstance(made, tuple) else (200, made)
                    return self.answer(status, made if status != 204 else None)
            raise Problem(404, "not_found", "Not found.")
        except Problem as problem:
            return self.problem(problem)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    with Mock(parser.parse_args().port) as server:
        print(f"{server.address}/portal/#/signin/good1", flush=True)
        print(f"{server.address}/console/ with {mock_data.OPERATOR_KEY}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
