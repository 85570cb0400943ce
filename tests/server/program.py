# SPDX-License-Identifier: Apache-2.0
"""The program under test as a child: started on a port that is free, asked over HTTP, killed or ended. Standard library only."""
import http.client
import json
import os
import pathlib
import signal
import subprocess
import threading
import urllib.parse

PROGRAM = os.environ["NORTHWIND_REFERENCE_SERVER"]
BARE = {name: value for name, value in os.environ.items() if not name.startswith("NORTHWIND_")}


class Server:
    """Ends with the block, whatever becomes of it. `flags` and `environment`: settings besides --data and --first-key. `lines` is its log; complete once it has ended."""

    def __init__(self, data, *flags, reads_log=True, environment=None):
        self.data = pathlib.Path(data)
        self.key_file = self.data / "first.key"
        self.lines = []
        self.process = subprocess.Popen([PROGRAM, "--data", str(data), "--first-key", str(self.key_file), *flags], env={**BARE, **(environment or {})}, stderr=subprocess.PIPE, text=True)
        for text in self.process.stderr:
            self.lines.append(json.loads(text))
            if self.lines[-1]["message"] == "listening":
                self.address = self.lines[-1]["address"]
                break
        else:
            self.process.wait()
            self.process.stderr.close()
            raise AssertionError(f"it did not start: {self.lines}")
        self.key = self.key_file.read_text().strip()
        # Read all the time: lines of a log that is not read in time are dropped.
        self.reader = threading.Thread(target=self.read if reads_log else lambda: None)
        self.reader.start()

    def read(self):
        for text in self.process.stderr:
            if text.endswith("\n"):  # else a kill cut it off
                self.lines.append(json.loads(text))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()

    def end(self, how=signal.SIGTERM):
        """Its exit status."""
        self.process.send_signal(how)
        status = self.process.wait()
        self.reader.join()
        return status

    def connect(self, timeout=60):
        return Connection(self.address, self.key, timeout)

    def ask(self, method, path, body=None, key=None, fields=None):
        """Status and body of one request on a connection of its own."""
        with Connection(self.address, key or self.key, 60) as connection:
            return connection.ask(method, path, None if body is None else json.dumps(body), fields=fields)


class Connection:
    """Keeps alive. Raises OSError or http.client.HTTPException if there is no whole answer."""

    def __init__(self, address, key, timeout):
        self.key = key
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, method, path, body=None, kind="application/json", fields=None):
        fields = {"Authorization": f"Bearer {self.key}", "Content-Type": kind, **(fields or {})}
        self.connection.request(method, path, None if body is None else body.encode(), fields)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def get(self, path):
        status, body = self.ask("GET", path)
        assert status == 200, f"{path}: {status} {body}"
        return json.loads(body)

    def pages(self, path):
        """All of a list."""
        cursor = None
        while True:
            page = self.get(f"{path}?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
            yield from page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                return
