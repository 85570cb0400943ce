# SPDX-License-Identifier: Apache-2.0
"""A merchant's own server, which takes webhooks and verifies them as https://www.standardwebhooks.com says. Standard library only."""
import base64
import hashlib
import hmac
import http.server
import json
import sys
import threading


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A connection that breaks is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Receiver:
    def __init__(self):
        self.secret = None
        self.broken = False
        self.lock = threading.Lock()
        self.messages = {}  # id → type, of those that were signed and taken
        self.arrived = self.refused = self.unsigned = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802 (the name that http.server calls)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def take(self, headers, body):
        with self.lock:
            self.arrived += 1
            text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            mine = base64.b64encode(hmac.new(base64.b64decode(self.secret.removeprefix("whsec_")), text, hashlib.sha256).digest()).decode()
            given = [signature.partition(",")[2] for signature in headers["webhook-signature"].split()]
            if not any(hmac.compare_digest(mine, signature) for signature in given):
                self.unsigned += 1
                return 400
            if self.broken:
                self.refused += 1
                return 500
            self.messages[headers["webhook-id"]] = json.loads(body)["type"]
            return 200

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
